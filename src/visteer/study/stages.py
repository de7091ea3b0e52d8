"""The stages run on a study: train, explain, steer, evaluate, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from visteer.atomic import replacing, write_text
from visteer.attribution import dead_maps, explain_images, flip_instability, normalize_maps
from visteer.attribution.explain import ABN_ATTENTION
from visteer.attribution.methods import CHANNEL_WEIGHTS
from visteer.checkpoint import load_checkpoint
from visteer.data.image_cache import resize_image
from visteer.data.images import read_image
from visteer.data.readers import read_catalogue
from visteer.data.sample import Split
from visteer.errors import VisteerError
from visteer.evaluation import Comparison, EvaluationResult, compare, evaluate, load_result, save_result
from visteer.evaluation.localisation import MAP_SCORES, REGION_THRESHOLD
from visteer.models import Classifier, build_abn
from visteer.models.build import create_backbone
from visteer.models.target_layer import find_target_layer, map_grid
from visteer.steering import METHODS, RunFolder, SteeringConfig, SteeringDataset, SteeringRun, steer
from visteer.steering.irrelevant import donor_rows
from visteer.steering.methods import check_method
from visteer.steering.run_folder import Epoch, digest_data
from visteer.study.study import Study

EXPLAIN_BATCH = 32


@dataclass(frozen=True)
class Reporting:
    """Where the progress of a stage goes; each entry may be None."""

    on_step: Callable[[int, int], None] | None = None
    on_epoch: Callable[[Epoch], None] | None = None


@dataclass(frozen=True)
class TrainingData:
    """What a training reads: the images it learns from and those that pick the kept epoch, with their latest edits."""

    training: SteeringDataset
    validation: SteeringDataset

    @classmethod
    def of(cls, study: Study) -> TrainingData:
        """The training and validation split of `study`.

        Raises:
            VisteerError: a split is empty, or the edits cannot be read.
        """
        return cls(study.dataset("train"), study.dataset("val"))


@dataclass(frozen=True)
class ExplainedSplit:
    """Maps of one split: `maps` (n, h, w) float32 min-max normalised, of the true class; `probabilities` (n, C).

    `own`: the method is the one that the run's maps are made by unless another is asked for. `instability` (n,) float32
    is that of the maps when the images are mirrored, where it was asked for.
    """

    run: str
    split: Split
    method: str
    own: bool
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]
    dead: NDArray[np.bool_]
    instability: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """<run>-<split>, and the method where it is not the run's own: its files are called so."""
        return f"{self.run}-{self.split}" + ("" if self.own else f"-{self.method}")


def train_run(
    study: Study,
    config: SteeringConfig,
    *,
    data: TrainingData | None = None,
    start_from: str | None = None,
    resume: str | None = None,
    facts: Mapping[str, object] | None = None,
    reporting: Reporting | None = None,
) -> tuple[str, SteeringRun]:
    """Train the study's classifier, plainly or steered as `config` says, as a new run or one resumed.

    It starts from the study's initial weights, so that a plain and a steered run are comparable, or from the
    run `start_from`. A resumed run needs neither any more once an epoch is finished. Epochs are picked on the
    validation split. `data` is what is trained on, where it has been read already; `facts` go into run.json.

    Returns:
        The run's id, and what it came to.

    Raises:
        VisteerError: no such run, nothing to steer with, a setting that does not fit the study, or training
            broke down.
    """
    reporting = reporting or Reporting()
    data = data or TrainingData.of(study)
    if resume is not None:
        config = run_config(study, resume)
        start_from = started_from(study, resume)
    elif METHODS[config.method].has_branch:
        config = replace(config, target_layer=None)
    elif config.target_layer is None:
        config = replace(config, target_layer=study.settings.layer)
    _check_selection(config, data.validation)
    model = study.run_folder(resume).load_interrupted() if resume is not None else None
    if model is None:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            model = study.initial_model() if start_from is None else load_run(study, start_from)
            if METHODS[config.method].has_branch:
                model = build_abn(model)
    _check_fit(config, model, data.training)
    kind = "steered" if is_steered(config) else "plain"
    with study.reserved_run(kind) if resume is None else nullcontext(resume) as run:
        result = steer(
            model,
            data.training,
            config,
            validation_figures(data.validation, config),
            folder=study.folder / "runs" / run,
            resume=resume is not None,
            facts={**(facts or {}), "run": run, "start_from": start_from, "model": study.settings.model},
            on_step=reporting.on_step,
            on_epoch=reporting.on_epoch,
        )
    return run, result


def chosen_irrelevant(training: SteeringDataset) -> str:
    """What to do with irrelevant regions where the user does not say: transplant marks where there are any.

    A mark is an irrelevant region small enough to be pasted; "everything outside the lesion" is none.
    """
    return "transplant" if len(donor_rows(training)) else "none"


def default_selection(validation: SteeringDataset, *, steered: bool) -> str:
    """The validation figures that pick the kept epoch where the user does not say.

    A steered run is to be right and to look at the right place, so its maps count beside its predictions; where no
    validation image has a region there are no map figures to go by.
    """
    wanted = ("f2", "auc", "epg", "iou") if steered else ("f2", "auc")
    there = _selectable(validation)
    return "+".join(name for name in wanted if name in there)


def is_steered(config: SteeringConfig) -> bool:
    """Whether a run with these settings makes any use of the edits."""
    return METHODS[config.method].marks != "none" or config.irrelevant != "none"


def finished_runs(study: Study) -> tuple[str, ...]:
    """The ids of the finished runs, oldest first.

    Raises:
        VisteerError: there is none.
    """
    runs = tuple(run for run in study.runs() if study.run_folder(run).finished)
    if not runs:
        raise VisteerError(f"{study.folder} has no finished run yet (visteer train {study.folder})")
    return runs


def validation_figures(
    data: SteeringDataset, config: SteeringConfig
) -> Callable[[nn.Module], dict[str, float]]:
    """What picks the kept epoch: classification and map figures on `data`, without intervals."""

    def measure(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        result = evaluate(
            model, data, device=device, layer=config.target_layer, resamples=1, interventions=False
        )
        return {name: figure.value for name, figure in {**result.figures, **result.maps}.items()}

    return measure


def load_run(study: Study, run: str) -> Classifier:
    """The classifier that the run `run` ended with.

    Raises:
        VisteerError: no such run, or it is not finished.
    """
    return load_checkpoint(_finished(study, run).model_path).model


def run_config(study: Study, run: str) -> SteeringConfig:
    """The settings that the run `run` was started with.

    Raises:
        VisteerError: no such run, or its run.json is damaged.
    """
    folder = study.run_folder(run)
    try:
        return SteeringConfig.stored(cast(Mapping[str, object], folder.describe()["config"]))
    except (KeyError, TypeError, ValueError) as error:
        path = folder.folder / "run.json"
        raise VisteerError(f"{path} is damaged, or of another version ({error}); start a new run") from None


def started_from(study: Study, run: str) -> str | None:
    """The run whose weights the run `run` started from, if any.

    Raises:
        VisteerError: no such run, or its run.json is damaged.
    """
    return cast("str | None", study.run_folder(run).describe().get("start_from"))


def own_map_method(study: Study, run: str) -> str:
    """How the run's maps are made unless another method is asked for: by its attention branch, else by Grad-CAM.

    Raises:
        VisteerError: no such run, or its run.json is damaged.
    """
    return ABN_ATTENTION if METHODS[run_config(study, run).method].has_branch else "grad-cam"


def explain_run(
    study: Study,
    run: str,
    split: Split,
    *,
    method: str | None = None,
    instability: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ExplainedSplit:
    """Maps of the true class for every image of `split`, by default by `own_map_method`; nothing is written.

    `instability` also explains each image mirrored, which takes twice the time.

    Raises:
        VisteerError: no such run or split, or a method that its network has not.
        ValueError: the method is unknown.
    """
    own = own_map_method(study, run)
    method = method or own
    data, model, device = study.dataset(split, edits=False), load_run(study, run), _device()
    layer = run_config(study, run).target_layer if method in CHANNEL_WEIGHTS else None
    model.to(device)
    maps, dead, probabilities, moved = [], [], [], []
    for start in range(0, len(data), EXPLAIN_BATCH):
        batch = data.batch(range(start, min(start + EXPLAIN_BATCH, len(data))), device)
        explanation = explain_images(model, batch.images, batch.labels, method=method, layer=layer)
        dead.append(dead_maps(explanation.maps).cpu().numpy())
        normal = normalize_maps(explanation.maps).float()
        maps.append(normal.cpu().numpy())
        if instability:
            mirrored = explain_images(model, batch.images.flip(-1), batch.labels, method=method, layer=layer)
            moved.append(flip_instability(normal, normalize_maps(mirrored.maps).float()).cpu().numpy())
        probabilities.append(explanation.logits.float().softmax(1).cpu().numpy())
        if progress is not None:
            progress(min(start + EXPLAIN_BATCH, len(data)), len(data))
    return ExplainedSplit(
        run=run,
        split=split,
        method=method,
        own=method == own,
        ids=data.ids,
        labels=data.labels,
        probabilities=np.concatenate(probabilities),
        maps=np.concatenate(maps),
        dead=np.concatenate(dead),
        instability=np.concatenate(moved) if instability else None,
    )


def save_explanation(study: Study, explained: ExplainedSplit) -> Path:
    """Write maps and predictions into the folder maps, as plain arrays without pickle; gives the path."""
    folder = study.folder / "maps"
    folder.mkdir(exist_ok=True)
    path = folder / f"{explained.name}.npz"
    unknown = np.full(len(explained.ids), np.nan, np.float32)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            ids=np.array(explained.ids),
            labels=explained.labels,
            probabilities=explained.probabilities,
            maps=explained.maps,
            dead=explained.dead,
            instability=unknown if explained.instability is None else explained.instability,
        )
    return path


def evaluate_run(
    study: Study,
    run: str,
    split: Split,
    *,
    resamples: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationResult:
    """Measure the run on `split` and store the result in its folder.

    Raises:
        VisteerError: no such run or split.
    """
    model, device, data = load_run(study, run), _device(), study.dataset(split)
    config = run_config(study, run)
    result = evaluate(
        model.to(device),
        data,
        device=device,
        layer=config.target_layer,
        resamples=resamples,
        seed=study.settings.seed,
        groups=study.groups(split),
        progress=progress,
    )
    folder = study.run_folder(run).folder
    (folder / f"evaluation-{split}.digest").unlink(missing_ok=True)
    save_result(folder, f"evaluation-{split}", result)
    write_text(folder / f"evaluation-{split}.digest", digest_data(data))
    return result


def stored_result(
    study: Study, run: str, split: Split, progress: Callable[[int, int], None] | None = None
) -> EvaluationResult:
    """The result of `evaluate_run`; measured now if it has not been, or if the images' edits changed since."""
    folder = study.run_folder(run).folder
    measured_on = folder / f"evaluation-{split}.digest"
    digest = digest_data(study.dataset(split))
    if measured_on.exists() and measured_on.read_bytes() == digest.encode():
        with suppress(VisteerError):  # damaged, or of another version: measured anew
            return load_result(folder, f"evaluation-{split}")
    return evaluate_run(study, run, split, progress=progress)


def variant_dataset(study: Study, folder: Path) -> SteeringDataset:
    """Other images of the study's classes under `folder`, such as the test pictures without their marks; no edits.

    Raises:
        VisteerError: an image cannot be read, or its class is not one of the study's.
    """
    catalogue = read_catalogue(study.settings.layout, folder)
    missing = sorted(set(catalogue.classes) - set(study.class_names))
    if missing or not catalogue.samples:
        raise VisteerError(f"{folder}: no images of the study's classes ({', '.join(study.class_names)})")
    size = study.settings.image_size
    images = np.stack([resize_image(read_image(sample.image), size) for sample in catalogue.samples])
    labels = [study.class_names.index(catalogue.classes[sample.label]) for sample in catalogue.samples]
    return SteeringDataset(images, labels, study.class_names, [s.id for s in catalogue.samples])


def compare_runs(study: Study, before: str, after: str, split: Split) -> Comparison:
    """The paired differences of two runs on the same images.

    Raises:
        VisteerError: no such run, or their maps lie at different layers.
    """
    check_same_layer(study, (before, after))
    return compare(stored_result(study, before, split), stored_result(study, after, split))


def check_same_layer(study: Study, runs: Sequence[str]) -> None:
    """Refuse to compare runs whose maps lie at different layers.

    Raises:
        VisteerError: they do, or there is no such run.
    """
    layers = {run: (run_config(study, run).target_layer or "").removeprefix("backbone.") for run in runs}
    if len(set(layers.values())) > 1 and "" in layers.values():
        last = find_target_layer(create_backbone(study.settings.model, len(study.class_names)))
        layers = {run: layer or last for run, layer in layers.items()}
    if len(set(layers.values())) > 1:
        where = ", ".join(f"{run} at {layer}" for run, layer in layers.items())
        raise VisteerError(
            f"these runs have their maps at different layers ({where}), so that their map figures cannot be "
            "compared; train them at one layer (visteer init --layer, or --set target_layer=NAME)"
        )


def _finished(study: Study, run: str) -> RunFolder:
    """The folder of a run that came to its end."""
    folder = study.run_folder(run)
    if not folder.finished:
        command = "steer" if is_steered(run_config(study, run)) else "train"
        raise VisteerError(
            f"run {run} is not finished; finish it: visteer {command} {study.folder} --resume {run}"
        )
    return folder


def _selectable(validation: SteeringDataset) -> tuple[str, ...]:
    """The figures that can pick an epoch on these images: the higher the better, and given by them."""
    names = ["accuracy", "balanced_accuracy", "f2"]
    if len(set(validation.labels.tolist())) > 1:
        names.append("auc")
    known = validation.weights > 0
    region = known & (validation.targets >= REGION_THRESHOLD * 255)
    if region.any():
        names += [name for name in MAP_SCORES if name not in ("map_distance", "pixel_auroc")]
    return tuple(names)


def _check_selection(config: SteeringConfig, validation: SteeringDataset) -> None:
    """Find out before the first epoch that `select_by` names what the validation images cannot give."""
    there = _selectable(validation)
    for name in config.select_by.split("+"):
        if name.strip() not in there:
            raise VisteerError(
                f"select_by: no figure {name.strip()!r} on the validation images; there are {', '.join(there)}"
            )


def _check_fit(config: SteeringConfig, model: nn.Module, training: SteeringDataset) -> None:
    """Find out before a run is begun that a setting names what the model or the training images have not."""
    check_method(METHODS[config.method], model, training)
    modules = dict(model.named_modules())
    if config.target_layer is not None:
        map_grid(model, config.target_layer, training.image_size)
    if unknown := [name for name in config.freeze if name not in modules]:
        raise VisteerError(
            f"the model has no module {unknown[0]!r}; there are {', '.join(list(modules)[1:9])}, ..."
        )
    if all(
        name.startswith(tuple(f"{part}." for part in config.freeze)) for name, _ in model.named_parameters()
    ):
        raise VisteerError("freeze leaves nothing to train; name fewer modules")


def _device() -> torch.device:
    """An accelerator where there is one."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator if accelerator is not None else torch.device("cpu")
