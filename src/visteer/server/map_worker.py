"""Make the maps of one split: `python -m visteer.server.map_worker STUDY RUN SPLIT`, for `MapJobs`.

Each line of its output is [done, total], or what went wrong. It ends when its standard input does.
"""

from __future__ import annotations

import _thread
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

from visteer.errors import VisteerError
from visteer.study import Study, explain_run, save_explanation
from visteer.study.study import SPLITS

_NICENESS = 10
_MERCY_SECONDS = 5


def main(folder: str, run: str, split: str) -> int:
    """Make and store the maps; gives the exit status."""
    Thread(target=_end_with_input, daemon=True).start()
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(_NICENESS)
    try:
        wanted = next(name for name in SPLITS if name == split)
        study = Study(Path(folder))
        save_explanation(study, explain_run(study, run, wanted, instability=True, progress=_say))
    except (VisteerError, OSError) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _say(done: int, total: int) -> None:
    sys.stdout.write(json.dumps([done, total]) + "\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    """Wait until whoever started this process is gone; then end it, tidily if that is quick."""
    while os.read(
        sys.stdin.fileno(), 1
    ):  # not through the buffer, whose lock would be held while Python ends
        pass
    _thread.interrupt_main()
    time.sleep(_MERCY_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
