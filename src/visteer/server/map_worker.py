"""Make the maps of one split: `python -m visteer.server.map_worker STUDY RUN SPLIT`, for `MapJobs`.

Each line of its output is [done, total], or what went wrong. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from visteer.errors import VisteerError
from visteer.lifeline import end_with_input
from visteer.study import Study, explain_run, save_explanation
from visteer.study.study import SPLITS

_NICENESS = 10
_MERCY_SECONDS = 5


def main(folder: str, run: str, split: str) -> int:
    """Make and store the maps; gives the exit status."""
    end_with_input(1, mercy_seconds=_MERCY_SECONDS)
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


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
