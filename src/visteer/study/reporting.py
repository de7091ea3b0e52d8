"""A study's results as pictures and as one offline report."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from visteer.atomic import replacing, write_text
from visteer.attribution.explain import ABN_ATTENTION
from visteer.data.sample import Split
from visteer.errors import VisteerError
from visteer.evaluation import ComparedFigure, EvaluationResult, compare
from visteer.evaluation.agreement import RatingSummary, summarise_ratings
from visteer.evaluation.intervention import REPLACEMENTS, score_name
from visteer.report import (
    GalleryRow,
    ReportContent,
    RunReport,
    before_after_picture,
    render_report,
)
from visteer.steering import METHODS, SteeringConfig, SteeringDataset
from visteer.study.stages import (
    ExplainedSplit,
    check_same_layer,
    explain_run,
    finished_runs,
    is_steered,
    run_config,
    started_from,
    stored_result,
)
from visteer.study.study import Study

GALLERY_ROWS = 24
SHEET_ROWS = 12
WORST_FIRST = "iou"
_SETTINGS_SHOWN = (
    "method",
    "gamma",
    "irrelevant",
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "class_weights",
    "augment",
    "select_by",
    "seed",
)


def runs_to_report(study: Study) -> tuple[str, ...]:
    """The latest finished plain run and the latest finished steered one; fewer where there are fewer.

    Raises:
        VisteerError: no run is finished.
    """
    finished = finished_runs(study)
    latest = {run.rpartition("-")[0]: run for run in finished}
    chosen = tuple(latest[kind] for kind in ("plain", "steered") if kind in latest)
    return chosen or finished[-1:]


def write_report(
    study: Study,
    runs: Sequence[str],
    split: Split,
    path: Path,
    progress: Callable[[str, int, int], None] | None = None,
) -> ReportContent:
    """Write the report of `runs` on `split` to `path`; results that are missing are measured first.

    Raises:
        VisteerError: no such run or split, maps at different layers, or `path` cannot be written.
    """
    if path.is_dir():
        raise VisteerError(f"cannot write {path}: it is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise VisteerError(f"cannot write {path}: it is a device or a pipe; name a file")
    if not path.parent.is_dir():
        raise VisteerError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    check_same_layer(study, runs)
    results, explained = [], []
    for run in runs:

        def part(done: int, total: int, what: str = f"measuring {run}") -> None:
            if progress is not None:
                progress(what, done, total)

        results.append(stored_result(study, run, split, part))
        explained.append(explain_run(study, run, split, progress=part))
    data = study.dataset(split)
    ratings = run_ratings(study, runs, split)
    results = [_with_rating(result, ratings.get(run)) for run, result in zip(runs, results, strict=True)]
    compared = compare(results[0], results[-1]).rows if len(results) > 1 else {}
    content = ReportContent(
        title=f"{study.folder.resolve().name}: {', '.join(runs)}",
        runs=tuple(_run_report(study, run, result) for run, result in zip(runs, results, strict=True)),
        facts={**_facts(study, data, split), "maps": _map_grids(study, runs, explained)},
        comparison=_comparison(results[0], compared),
        class_changes=compared.get(score_name("irrelevant", REPLACEMENTS[0], "flips")),
        gallery=gallery_rows(data, results, explained),
        gallery_score=WORST_FIRST,
        notes=_rating_notes(ratings),
        training=training_commands(study, runs),
        measuring=_measuring_commands(study, runs, split),
    )
    try:
        write_text(path, render_report(content))
    except OSError as error:
        raise VisteerError(f"cannot write {path}: {error.strerror}") from None
    return content


def gallery_rows(
    data: SteeringDataset,
    results: Sequence[EvaluationResult],
    explained: Sequence[ExplainedSplit],
    limit: int = GALLERY_ROWS,
) -> tuple[GalleryRow, ...]:
    """The `limit` images that the last run looks at least well, worst first: by IoU, then by confidence.

    Images with a region come first; without any region those that the run is least right about.
    """
    iou = results[-1].per_image.scores[WORST_FIRST]
    right = explained[-1].probabilities[np.arange(len(data)), data.labels]
    order = np.lexsort((right, np.where(np.isnan(iou), np.inf, iou)))[:limit]
    return tuple(
        _gallery_row(data, int(row), explained, [r.per_image.scores[WORST_FIRST] for r in results])
        for row in order
    )


def result_rows(study: Study, runs: Sequence[str], split: Split, count: int = 5) -> tuple[GalleryRow, ...]:
    """Images that show what runs differ in, picked by a rule: at evenly spaced percentiles of the gain in IoU.

    The gain is that of the last run over the first, on the images with a region; of `count` images the i-th is at the
    percentile (i + 1/2) / count, the largest gain first. So the smallest gains are shown as well.

    Raises:
        VisteerError: no such run or split, or no image has a region.
    """
    data = study.dataset(split)
    scores = [stored_result(study, run, split).per_image.scores[WORST_FIRST] for run in runs]
    explained = [explain_run(study, run, split) for run in runs]
    gain = scores[-1] - scores[0]
    order = [row for row in np.argsort(-gain, kind="stable") if not math.isnan(gain[row])]
    if not order:
        raise VisteerError(f"{study.folder}: no image of the split {split!r} has a region to look at")
    places = dict.fromkeys(int((number + 0.5) / count * len(order)) for number in range(count))
    return tuple(_gallery_row(data, int(order[place]), explained, scores) for place in places)


def save_explanation_sheet(study: Study, explained: ExplainedSplit) -> Path:
    """Draw the images that the run is least right about, with their maps, into the folder maps; gives the path."""
    data = study.dataset(explained.split)
    right = explained.probabilities[np.arange(len(data)), data.labels]
    nowhere = np.full(len(data), math.nan)
    rows = [_gallery_row(data, int(row), [explained], [nowhere]) for row in np.argsort(right)[:SHEET_ROWS]]
    path = study.folder / "maps" / f"{explained.name}.png"
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial:
        before_after_picture(rows, columns=("Image", "Edit", "Map")).save(partial, format="png")
    return path


def _gallery_row(
    data: SteeringDataset,
    row: int,
    explained: Sequence[ExplainedSplit],
    scores: Sequence[np.ndarray],
) -> GalleryRow:
    """One image with its edit and what each run makes of it."""
    edited = data.edit_rows[row] >= 0
    targets, weights = data.edit_arrays(np.array([row]))
    predicted = [int(e.probabilities[row].argmax()) for e in explained]
    return GalleryRow(
        sample_id=data.ids[row],
        true_class=data.class_names[data.labels[row]],
        image=np.asarray(data.images[row]),
        target=targets[0] / 255.0 if edited else None,
        weight=weights[0] / 255.0 if edited else None,
        maps=tuple(e.maps[row] for e in explained),
        predictions=tuple(data.class_names[label] for label in predicted),
        confidences=tuple(
            float(e.probabilities[row, label]) for e, label in zip(explained, predicted, strict=True)
        ),
        scores=tuple(float(values[row]) for values in scores),
    )


def _run_report(study: Study, run: str, result: EvaluationResult) -> RunReport:
    """One run with its settings and its course."""
    config = run_config(study, run)
    settings = {name: str(getattr(config, name)) for name in _SETTINGS_SHOWN}
    if METHODS[config.method].loss is None:
        settings["gamma"] = "-"
        method = (
            "prediction loss alone" if config.method == "none" else f"prediction losses of {config.method}"
        )
    else:
        method = f"prediction loss + {config.gamma:g} x {config.method}"
    if config.irrelevant != "none":
        method += f", irrelevant regions: {config.irrelevant}"
    return RunReport(
        name=run,
        title="Steered" if is_steered(config) else "Plain",
        method=method,
        result=result,
        history=study.run_folder(run).history(),
        settings=settings,
    )


def run_ratings(study: Study, runs: Sequence[str], split: Split) -> dict[str, RatingSummary]:
    """What people said of the maps of `runs` on this split, blind; only runs that were rated."""
    there = set(study.ids(split))
    with study.open_edits() as store:
        return summarise_ratings(rating for rating in store.ratings(runs) if rating.image_id in there)


def _with_rating(result: EvaluationResult, rating: RatingSummary | None) -> EvaluationResult:
    """The result with the expert rating among the figures of its maps, where there is one."""
    return result if rating is None else replace(result, maps={**result.maps, "expert_rating": rating.mean})


def _rating_notes(ratings: Mapping[str, RatingSummary]) -> tuple[str, ...]:
    """How many people rated how much, and how far they agree."""
    return tuple(
        f"Expert rating of {run}: {said.images} image(s), {said.raters} rater(s), "
        + (
            "no image rated by two people"
            if math.isnan(said.alpha)
            else f"Krippendorff's alpha {said.alpha:.2f}"
        )
        for run, said in ratings.items()
    )


def _comparison(
    before: EvaluationResult, compared: Mapping[str, ComparedFigure]
) -> tuple[ComparedFigure, ...]:
    """Of what was compared the figures that a report shows."""
    shown = {**before.figures, **before.maps, **before.interventions}
    return tuple(row for key, row in compared.items() if key in shown)


def _facts(study: Study, data: SteeringDataset, split: Split) -> dict[str, str]:
    """What the report is about."""
    settings = study.settings
    return {
        "images": f"{len(data)} of the {split} split, layout {settings.layout}",
        "classes": ", ".join(study.class_names),
        "edits on these images": str(len(data.edited)),
        "edits on training images": str(len(study.dataset("train").edited)),
        "classifier": f"{settings.model}, weights {Path(settings.weights).name}, {settings.image_size} px",
    }


def _map_grids(study: Study, runs: Sequence[str], explained: Sequence[ExplainedSplit]) -> str:
    """How many cells the maps have, and where they are made."""
    grids: dict[str, None] = {}
    for run, found in zip(runs, explained, strict=True):
        layer = run_config(study, run).target_layer or "the last spatial stage"
        where = "of an attention branch" if found.method == ABN_ATTENTION else f"at {layer}"
        grids[f"{found.maps.shape[1]} x {found.maps.shape[2]} cells {where}"] = None
    return "; ".join(grids)


def _measuring_commands(study: Study, runs: Sequence[str], split: Split) -> tuple[str, ...]:
    """The commands that measure these runs."""
    words = [["evaluate", _name(study), "--run", run, "--split", split] for run in runs]
    if len(runs) > 1:
        words += [["compare", _name(study), runs[0], runs[-1], "--split", split]]
    words += [["report", _name(study), *runs, "--split", split]]
    return tuple(shlex.join(["visteer", *line]) for line in words)


def training_commands(study: Study, runs: Sequence[str]) -> tuple[str, ...]:
    """The commands that train runs with the settings of `runs`, each after the run that it starts from.

    The cells of a benchmark are left out: they may have only a part of the edits.

    Raises:
        VisteerError: no such run.
    """
    needed: dict[str, str] = {}
    for run in runs:
        line = []
        later: str | None = run
        while later is not None and later not in needed and "cell" not in study.run_folder(later).describe():
            line.append(later)
            later = started_from(study, later)
        needed.update({later: _training_command(study, later) for later in reversed(line)})
    return tuple(needed.values())


def _training_command(study: Study, run: str) -> str:
    """The command that trains a run with the settings of `run`."""
    config, start_from = run_config(study, run), started_from(study, run)
    named: dict[str, object] = {"method": config.method, "epochs": config.epochs, "seed": config.seed}
    if is_steered(config):
        named |= {"gamma": config.gamma, "irrelevant": config.irrelevant}
        named |= {} if start_from is None else {"from": start_from}
    usual = {**SteeringConfig().to_dict(), "select_by": None, "target_layer": study.settings.layer, **named}
    if METHODS[config.method].loss is None:
        usual["gamma"] = config.gamma  # of nothing
    words = ["visteer", "steer" if is_steered(config) else "train", _name(study)]
    for option, value in named.items():
        words += [f"--{option}", str(value)]
    for setting, value in config.to_dict().items():
        if value != usual[setting]:
            words += ["--set", f"{setting}={_setting_text(value)}"]
    return shlex.join(words)


def _name(study: Study) -> str:
    """The study as a command in the folder that holds it takes it: no option, whatever it is called."""
    name = study.folder.resolve().name
    return f"./{name}" if name.startswith("-") else name


def _setting_text(value: object) -> str:
    """A setting's value as `--set NAME=VALUE` takes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
