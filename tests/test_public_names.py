"""The public names: all there, each from its home, and nothing heavy loaded before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import visteer


@pytest.mark.parametrize("name", visteer.__all__)
def test_every_public_name_loads(name):
    assert getattr(visteer, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'steering_wheel'"):
        _ = visteer.steering_wheel


def test_importing_visteer_loads_no_torch():
    code = "import sys, visteer, visteer.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
