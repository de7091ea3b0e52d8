"""One run on a study with planted marks.

    python benchmarks/planted.py STUDY --mark tag --approach visteer --seed 0

The study needs edits with relevant regions (`visteer import STUDY --format masks`). The result, one JSON object, is
printed and, with --out, kept there; one that is there already is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import get_args

from visteer.benchmark.kept import kept_result
from visteer.benchmark.planted import APPROACHES, PlantedRun, planted_settings, run_planted
from visteer.data.planted import PlantedMark
from visteer.errors import VisteerError
from visteer.steering import SteeringConfig
from visteer.steering.run_folder import digest_data
from visteer.study import Study
from visteer.study.study import SPLITS


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--mark", choices=get_args(PlantedMark), required=True)
    parser.add_argument("--approach", choices=list(APPROACHES), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--freeze", default="", help="modules that are not trained, joined by commas")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    freeze = tuple(filter(None, given.freeze.split(",")))
    run = PlantedRun(given.mark, given.approach, given.seed, given.fraction, given.epochs, freeze)
    study = Study(given.study)
    name = study.folder.resolve().name
    path = None if given.out is None else given.out / f"{name}--{run.name}.json"
    settings = {**planted_settings(run), "target_layer": study.settings.layer}
    config = SteeringConfig.from_dict(settings).to_dict()
    del config["select_by"]  # by the edits of the study
    same = {key: getattr(study.settings, key) for key in ("model", "weights", "image_size")}
    digests = [digest_data(study.dataset(split)) for split in SPLITS]
    about = {"study": name, **same, "data": hashlib.sha256("".join(digests).encode()).hexdigest()}
    result = kept_result(path, config, {**run.about, **about}, lambda: {**about, **run_planted(study, run)})
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except (VisteerError, ValueError, OSError) as error:
        sys.exit(f"planted.py: {error}")
