"""A process that ends when whoever started it is gone."""

from __future__ import annotations

import _thread
import os
import sys
import time
from threading import Thread


def end_with_input(status: int, *, mercy_seconds: float = 0) -> None:
    """End this process with `status` when its standard input ends, which it does however the other process ended.

    With `mercy_seconds` it is first interrupted, as by Ctrl-C, and has that long to tidy up.
    """
    Thread(target=_watch, args=(status, mercy_seconds), daemon=True).start()


def _watch(status: int, mercy_seconds: float) -> None:
    # Not through sys.stdin, whose lock would be held while Python ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    if mercy_seconds:
        _thread.interrupt_main()
        time.sleep(mercy_seconds)
    os._exit(status)
