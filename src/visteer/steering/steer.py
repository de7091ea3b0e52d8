"""The training loop: prediction loss + gamma * what the method adds, one loop for every method."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from visteer.attribution import GradCAM, dead_maps, fast_second_derivatives, has_grouped_convolution
from visteer.data.transforms import PairedTransform, TransformConfig
from visteer.errors import VisteerError
from visteer.machine import machine, versions
from visteer.models import AttentionBranchOutputs, find_target_layer
from visteer.models.target_layer import layer_output
from visteer.models.weights import first_line, load_tensors
from visteer.steering.attention_losses import confidence_above_chance
from visteer.steering.config import SteeringConfig, changed_settings
from visteer.steering.dataset import SteeringBatch, SteeringDataset, irrelevant_cells
from visteer.steering.irrelevant import (
    DonorMarks,
    donor_marks,
    draw_contents,
    draw_donors,
    draw_fills,
    replace_irrelevant,
    transplant,
)
from visteer.steering.methods import METHODS, ForwardPass, check_method, usable
from visteer.steering.run_folder import Epoch, RunFolder, digest_data

Watch = GradCAM | AttentionBranchOutputs | None
Validate = Callable[[nn.Module], Mapping[str, float]]
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class SteeringRun:
    """What a run came to.

    `history` has a row an epoch; `best_epoch` counts from 1, 0 where there was none; `score` is NaN without validation.
    """

    config: SteeringConfig
    history: tuple[Epoch, ...]
    best_epoch: int
    score: float
    folder: Path | None


def steer(
    model: nn.Module,
    data: SteeringDataset,
    config: SteeringConfig,
    validate: Validate | None = None,
    *,
    folder: Path | None = None,
    resume: bool = False,
    facts: Mapping[str, object] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> SteeringRun:
    """Train `model` in place on prediction loss + gamma * the method's loss; it ends with the kept epoch's weights.

    One optimiser step sees `config.batch_size` images over all processes; a launcher (`accelerate launch`,
    `torchrun`) sets the number of processes and devices. Everything random is drawn for the whole batch
    from (seed, epoch, step), so the result does not depend on interruptions; nor on the number of processes or on
    `accumulate`, for networks without BatchNorm and dropout, which see only their own part of a batch.

    Arguments:
        model: takes (N, 3, S, S) float images in [0, 1] and gives logits (N, C).
        data: training images with labels, and edits for some of them.
        config: the settings; `METHODS[config.method]` says what is added.
        validate: gives the validation figures of the model; `config.select_by` names those whose mean picks
            the kept epoch, the later one of equals. Without it the last epoch is kept.
        folder: where the run is written after every epoch; None writes nothing.
        resume: go on from the last finished epoch in `folder`.
        facts: more entries for run.json.
        on_step: called with (steps done, steps in all). on_epoch: called with the row of each finished epoch.

    Raises:
        VisteerError: the loss is no number any more, the folder holds another run or one that another process
            trains, no edit has the marks that the method needs, the network does not suit it, or another process
            failed to validate, to write or to read the kept weights.
        ValueError: `config.select_by` names no validation figure, `data` is empty, `config.freeze` names no module of
            the network or all of it, or `resume` comes without `folder`.

    Source: Elbeialy et al. 2023, stage three; those of `METHODS`; the transplanting of marks is this project's own.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
        >>> data = SteeringDataset(images, [0, 1] * 4, ["a", "b"])
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> run = steer(net, data, SteeringConfig(epochs=2, batch_size=4))
        >>> run.best_epoch, sorted(run.history[0])[:2]
        (2, ['attention_loss', 'dead_maps'])
    """
    if not len(data):
        raise ValueError("there are no training images")
    if resume and folder is None:
        raise ValueError("resume needs the folder of the run")
    accelerator = Accelerator()
    run_folder = RunFolder(folder) if folder is not None else None
    history: list[Epoch] = []
    best_epoch, best_score = 0, math.nan
    with _flags_restored(model), ExitStack() as stack:
        loop = _Loop(model, data, config, accelerator)
        if run_folder is not None:
            if resume:
                run_folder.describe()  # there must be a run before its folder is made
            _agreed(accelerator, lambda: stack.enter_context(run_folder.held()))
        if run_folder is not None and resume:
            state = _stored_state(run_folder, data, config)
            if state is not None:
                loop.load_state(state, run_folder.folder)
                history = state["history"]
                best_epoch, best_score = _best(history, config, validate)
        elif run_folder is not None:
            described = {**(facts or {}), **_description(data, config)}
            _agreed(accelerator, lambda: run_folder.start(described))
        if not config.epochs:
            loop.keep_best(run_folder, 0)
        while len(history) < config.epochs and not _gave_up(history, config, validate):
            started = time.monotonic()
            row = loop.run_epoch(len(history), on_step)
            row |= _agreed(accelerator, lambda: _validated(validate, model))
            row["seconds"] = time.monotonic() - started
            history.append(row)
            best_epoch, best_score = _best(history, config, validate)
            if best_epoch == len(history):
                loop.keep_best(run_folder, best_epoch)
            if run_folder is not None:
                _agreed(accelerator, partial(run_folder.save_epoch, loop.state(), history))
            if on_epoch is not None:
                _agreed(accelerator, partial(on_epoch, row))
        # Everywhere, so that nobody still reads the best weights when they are renamed.
        _agreed(accelerator, lambda: loop.restore_best(run_folder), everywhere=True)
        if run_folder is not None:
            kept = {"best_epoch": best_epoch, "score": None if math.isnan(best_score) else best_score}
            _agreed(accelerator, lambda: run_folder.finish({**kept, "epochs_run": len(history)}))
    return SteeringRun(config, tuple(history), best_epoch, best_score, folder)


class _Loop:
    """The state of one training run: model, optimiser, and how a batch becomes a step."""

    def __init__(
        self, model: nn.Module, data: SteeringDataset, config: SteeringConfig, accelerator: Accelerator
    ) -> None:
        self.data, self.config, self.accelerator = data, config, accelerator
        self.method = METHODS[config.method]
        check_method(self.method, model, data)
        self.bare_model = model
        self.frozen = _freeze(model, config.freeze)
        trained = [p for p in model.parameters() if p.requires_grad]
        if not trained:
            raise ValueError("every parameter is frozen: nothing is left to train")
        if config.channels_last:
            model.to(memory_format=torch.channels_last)
        self.model, self.optimizer = accelerator.prepare(model, _optimizer(trained, config))
        reads_maps = self.method.reads == "grad-cam"
        twice = (reads_maps and not config.constant_weights) or self.method.reads == "input gradients"
        self.differentiated_twice = twice and has_grouped_convolution(model)
        self.watch: Watch = AttentionBranchOutputs(model) if self.method.has_branch else None
        if reads_maps:
            layer = config.target_layer or find_target_layer(model)
            _check_layer(model, layer, data, moved_from_within=config.constant_weights)
            self.watch = GradCAM(model, layer)
        self.transform = PairedTransform(TransformConfig.preset(config.augment))
        self.class_weights = _class_weights(data, config).to(accelerator.device)
        wanted = config.precision == "bf16" or (
            config.precision == "auto" and computes_bf16(accelerator.device)
        )
        self.bf16 = wanted and not self.method.full_precision
        self.marks: DonorMarks | None = donor_marks(data) if config.irrelevant == "transplant" else None
        self.usable = usable(self.method, data)
        if self.method.marks == "any" and config.empty_regions == "skip":
            self.usable = self.usable & _somewhere_to_look(data)
            if not self.usable.any():
                raise VisteerError(
                    "every edit of the training images calls all cells irrelevant, which leaves nowhere to look: draw "
                    "relevant regions (visteer edit, key B), or take --set empty_regions=suppress"
                )
        self.usable_if_pasted = self.usable
        if "irrelevant" in self.method.needs:
            self.usable_if_pasted = usable(self.method, data, pasted=True)
        self.best: dict[str, Tensor] = {}

    def run_epoch(self, epoch: int, on_step: Callable[[int, int], None] | None) -> dict[str, float]:
        """Train one epoch and give its means. Every image is seen once, in batches of nearly equal size."""
        config, size = self.config, len(self.data)
        seed = (config.seed * 1_000_003 + epoch) % 2**40  # times 100,003 it still fits 63 bits
        order = torch.randperm(size, generator=torch.Generator().manual_seed(seed)).numpy()
        processes = self.accelerator.num_processes
        batches = np.array_split(order, max(1, min(math.ceil(size / config.batch_size), size // processes)))
        self.model.train()
        for module in self.frozen:
            module.eval()
        positions = [epoch + step / len(batches) for step in range(len(batches))]
        every = config.attention_every
        attends = range(0, len(batches), every)
        sums = torch.zeros(5, dtype=torch.float64)
        with torch.random.fork_rng():
            for step, (rows, position) in enumerate(zip(batches, positions, strict=True)):
                stands_for = positions[step : step + every] if step in attends else []
                gamma = sum(map(config.gamma_at, stands_for)) if stands_for else None
                for group in self.optimizer.param_groups:
                    group["lr"] = config.learning_rate_at(position)
                torch.manual_seed(seed * 100_003 + step)
                with self._watching(gamma is not None) as watch:
                    sums += self._step(rows, watch, gamma, seed * 100_003 + step)
                if on_step is not None and self.accelerator.is_main_process:
                    on_step(epoch * len(batches) + step + 1, config.epochs * len(batches))
        sums = self.accelerator.reduce(sums.float().to(self.accelerator.device)).cpu().double()
        trained = (p.detach() for p in self.bare_model.parameters() if p.requires_grad)
        if not (torch.isfinite(sums).all() and all(torch.isfinite(p).all() for p in trained)):
            raise VisteerError(
                f"the loss is no number any more in epoch {epoch + 1}; lower the learning rate "
                f"({config.learning_rate:g}) or gamma ({config.gamma:g})"
            )
        prediction, attention, steered, dead, right = sums.tolist()
        return {
            "epoch": epoch + 1,
            "prediction_loss": prediction / len(batches),
            "attention_loss": attention / len(attends),
            "dead_maps": dead / steered if steered else 0.0,
            "train_accuracy": right / size,
            "learning_rate": config.learning_rate_at(epoch + 1 - 1 / len(batches)),
        }

    def _watching(self, attends: bool) -> AbstractContextManager[Watch]:
        """What reads maps in the forward passes of a step; nothing where none are needed, since then no hook is due."""
        needed = attends or self.method.has_branch
        return self.watch if needed and self.watch is not None else nullcontext()

    def _step(self, rows: NDArray[np.int64], watch: Watch, gamma: float | None, seed: int) -> Tensor:
        """One optimiser step on the images `rows` of all processes; the sums that this process contributed.

        Without a `gamma` the method adds nothing in this step.
        """
        processes, index = self.accelerator.num_processes, self.accelerator.process_index
        attends = gamma is not None
        draws = _Draws(self, rows, torch.Generator().manual_seed(seed))
        label_weight = float(self.class_weights[torch.from_numpy(self.data.labels[rows])].sum())
        attended = max(int(draws.attended.sum()), 1)
        mine = np.array_split(np.arange(len(rows))[index::processes], min(self.config.accumulate, len(rows)))
        parts = [part for part in mine if len(part)]
        sums = torch.zeros(5, dtype=torch.float64)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                batch, counts = draws.batch(part)
                if not attends:
                    counts = torch.zeros_like(counts)
                elif self.method.reads == "input gradients":
                    batch.images.requires_grad_()
                logits = self._predict(self.model, batch.images, attends=attends)
                losses = F.cross_entropy(logits, batch.labels, self.class_weights, reduction="none")
                if isinstance(watch, AttentionBranchOutputs):
                    branch = watch.logits.float()
                    losses = losses + F.cross_entropy(
                        branch, batch.labels, self.class_weights, reduction="none"
                    )
                prediction = losses.sum() / label_weight
                added, dead = self._added(watch, logits, batch, counts, draws.noise[part])
                added = added / attended
                # Processes average their gradients; the sums are over the whole batch, hence the factor.
                self.accelerator.backward((prediction + (gamma or 0.0) * added) * processes)
                right = (logits.argmax(1) == batch.labels).sum()
                values = (prediction.detach(), added.detach(), counts.sum(), dead, right)
                sums += torch.stack([torch.as_tensor(value).cpu().double() for value in values])
        self.optimizer.step()
        self.optimizer.zero_grad()
        return sums

    def _predict(self, model: nn.Module, images: Tensor, *, attends: bool = True) -> Tensor:
        """Logits in float32; they can be differentiated twice fast where the method does and `attends` is true."""
        fast = fast_second_derivatives() if self.differentiated_twice and attends else nullcontext()
        with fast, torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.bf16):
            try:
                logits: Tensor = model(images)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise VisteerError(
                    "the network normalises over a batch, and a part of one has a single image: raise batch_size or "
                    "image size, or lower accumulate"
                ) from None
        return logits.float()

    def _added(
        self, watch: Watch, logits: Tensor, batch: SteeringBatch, counts: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The sum of the method's loss over the images that count, and how many of their maps are zero everywhere."""
        loss, dead = self.method.loss, torch.zeros(())
        if loss is None or not counts.any():
            return logits.new_zeros(()), dead
        maps = None
        if isinstance(watch, GradCAM):
            maps = watch.maps(
                logits,
                batch.labels,
                create_graph=True,
                constant_weights=self.config.constant_weights,
            )
            dead = dead_maps(maps[counts]).sum()
        elif watch is not None:
            maps = watch.maps.float()
        seen = ForwardPass(
            model=self.bare_model,
            predict=partial(self._predict, self.bare_model),
            images=batch.images,
            logits=logits,
            labels=batch.labels,
            targets=batch.targets,
            weights=batch.weights,
            noise=noise,
            resolution=self.config.map_resolution,
            maps=maps,
        )
        losses = loss(seen)
        if self.config.weigh_by_confidence:
            losses = losses * confidence_above_chance(logits, batch.labels)
        return losses[counts].sum(), dead

    def state(self) -> dict[str, object]:
        """All that the next epoch depends on; random numbers come from the seed and need no state."""
        return {"model": self.bare_model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: Mapping[str, Any], folder: Path) -> None:
        """Go on from `state`, that of the run in `folder`.

        Raises:
            VisteerError: it is of another network.
        """
        load_tensors(self.bare_model, state["model"], f"the network of {folder}")
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except (ValueError, KeyError, TypeError) as error:  # such as other parameters that are trained
            raise VisteerError(f"{folder} was begun with another network: {first_line(error)}") from None

    def keep_best(self, folder: RunFolder | None, epoch: int) -> None:
        """Keep the present weights, on disk where there is a folder."""
        if folder is None:
            self.best = {k: v.detach().clone() for k, v in self.bare_model.state_dict().items()}
        else:
            _agreed(self.accelerator, lambda: folder.save_best(self.bare_model, epoch))

    def restore_best(self, folder: RunFolder | None) -> None:
        """Put the kept weights back."""
        if folder is None:
            self.bare_model.load_state_dict(self.best)
        else:
            folder.load_best(self.bare_model)


class _Draws:
    """Everything random about one batch, drawn for all processes at once, so that each can take its part."""

    def __init__(self, loop: _Loop, rows: NDArray[np.int64], generator: torch.Generator) -> None:
        self.loop, self.rows = loop, rows
        data = loop.data
        self.transform = loop.transform.draw(len(rows), generator)
        self.donors: Tensor | None = None
        self.fills = draw_fills(len(rows), generator)
        edit_rows = data.edit_rows[rows]
        has_edit = edit_rows >= 0
        self.attended = has_edit.copy()
        self.attended[has_edit] = loop.usable[edit_rows[has_edit]]
        if loop.marks is not None:
            marked = np.isin(rows, loop.marks.rows)
            self.donors = draw_donors(marked, loop.marks, generator)
            self.sources = torch.randint(len(data), (len(rows),), generator=generator)
            pasted = (self.donors >= 0).any(1).numpy()
            if loop.method.marks in ("any", "irrelevant"):
                self.attended |= pasted & ~has_edit
            self.attended[has_edit] |= pasted[has_edit] & loop.usable_if_pasted[edit_rows[has_edit]]
        self.noise = torch.randint(2**62, (len(rows),), generator=generator)
        # Last, so that nothing that was drawn before depends on it.
        if self.donors is not None and loop.marks is not None:
            self.contents = draw_contents(self.donors, marked, loop.marks, generator)

    def batch(self, part: NDArray[np.int64]) -> tuple[SteeringBatch, Tensor]:
        """The images at the positions `part` of the batch, changed and augmented, and which maps count."""
        loop = self.loop
        batch = loop.data.batch(self.rows[part], loop.accelerator.device)
        if self.donors is not None:
            batch = transplant(
                batch,
                loop.data,
                self.donors[part],
                self.contents[part],
                self.sources[part],
                self.fills[part],
            )
        elif loop.config.irrelevant == "replace":
            batch = replace_irrelevant(batch, self.fills[part])
        images, targets, weights = loop.transform.apply(
            batch.images, batch.targets, batch.weights, self.transform[part]
        )
        if loop.config.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        counts = torch.from_numpy(self.attended[part]).to(images.device)
        return SteeringBatch(images, batch.labels, targets, weights, batch.indices), counts


@contextmanager
def _flags_restored(model: nn.Module) -> Iterator[None]:
    """Give every module its train/eval flag and every parameter its requires_grad back."""
    modules = [(module, module.training) for module in model.modules()]
    parameters = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        for module, training in modules:
            module.training = training
        for parameter, requires_grad in parameters:
            parameter.requires_grad_(requires_grad)


def _freeze(model: nn.Module, prefixes: Sequence[str]) -> list[nn.Module]:
    """Stop training of the modules whose dotted names are `prefixes`, and give them."""
    names = dict(model.named_modules())
    frozen = []
    for prefix in prefixes:
        if prefix not in names or not prefix:
            raise ValueError(f"freeze: the model has no module {prefix!r}")
        names[prefix].requires_grad_(False)
        frozen.append(names[prefix])
    return frozen


def _check_layer(model: nn.Module, layer: str, data: SteeringDataset, *, moved_from_within: bool) -> None:
    """Find out with one image whether `layer` gives maps that training can move.

    Arguments:
        moved_from_within: only what lies up to the layer can move them, as with constant channel weights.

    Raises:
        VisteerError: its output has no height and width, or all up to it is frozen.
    """
    images = data.batch([0], next(model.parameters()).device).images
    output = layer_output(model, layer, images)
    if moved_from_within and not output.requires_grad:
        raise VisteerError(
            f"nothing up to {layer}, the layer of the maps, is trained, so with constant_weights no map "
            "can be moved: freeze less"
        )


def _optimizer(parameters: list[nn.Parameter], config: SteeringConfig) -> torch.optim.Optimizer:
    """The optimiser by name. Biases and norm scales (vectors) are not decayed by AdamW."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=config.momentum, weight_decay=decay)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate)


def _class_weights(data: SteeringDataset, config: SteeringConfig) -> Tensor:
    """One weight a class: 1, or n / (C * count), and 0 for a class that does not occur."""
    counts = np.bincount(data.labels, minlength=len(data.class_names))
    if config.class_weights == "none":
        return torch.ones(len(counts))
    weights = len(data) / (len(counts) * np.maximum(counts, 1)) * (counts > 0)
    return torch.from_numpy(weights).float()


def _somewhere_to_look(data: SteeringDataset) -> NDArray[np.bool_]:
    """For each edit whether some cells are known and some relevant or unknown: else no map can satisfy it."""
    irrelevant = irrelevant_cells(torch.from_numpy(data.targets), torch.from_numpy(data.weights)).numpy()
    return np.asarray(data.weights.any(axis=(1, 2)) & ~irrelevant.all(axis=(1, 2)))


def computes_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bf16 faster than fp32; a CPU does with AMX, not with AVX-512's bf16 alone."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())  # no public call tells


def _stored_state(folder: RunFolder, data: SteeringDataset, config: SteeringConfig) -> dict[str, Any] | None:
    """The state to go on from, after a look whether it belongs to this data and config; None before the first epoch."""
    if folder.finished:
        raise VisteerError(f"{folder.folder} is finished: there is nothing to resume")
    described = folder.describe()
    if described.get("data_digest") != digest_data(data):
        raise VisteerError(f"{folder.folder}: the training data or edits have changed since; start a new run")
    stored = described.get("config")
    if not isinstance(stored, Mapping):
        raise VisteerError(f"{folder.folder / 'run.json'} is damaged (it has no settings); start a new run")
    for name, (then, now) in changed_settings(stored, config.to_dict()).items():
        raise VisteerError(
            f"{folder.folder} was begun with other settings ({name} {then}, now {now}); start a new run"
        )
    return folder.load_epoch()


def _agreed(accelerator: Accelerator, work: Callable[[], ResultT], *, everywhere: bool = False) -> ResultT:
    """Do `work` on the first process, or `everywhere`, and give what it gave on the first to every process.

    Where it fails on one process it fails on all, so that none waits for one that is gone.
    """
    result, fault = None, ""
    try:
        if everywhere or accelerator.is_main_process:
            result = work()
    except BaseException as error:
        fault = f"process {accelerator.process_index} failed: {type(error).__name__}: {error}"
        raise
    finally:
        outcomes = gather_object([(result, fault)])
    for _, other_fault in outcomes:
        if other_fault:
            raise VisteerError(other_fault)
    agreed: ResultT = outcomes[0][0]
    return agreed


def _validated(validate: Validate | None, model: nn.Module) -> dict[str, float]:
    """The validation figures; those without a value are left out."""
    measured = {} if validate is None else validate(model)
    return {f"val_{name}": float(value) for name, value in measured.items() if not math.isnan(value)}


def _score(row: Epoch, config: SteeringConfig) -> float:
    """The mean of the figures that `select_by` names."""
    names = [f"val_{name.strip()}" for name in config.select_by.split("+")]
    if missing := [name[4:] for name in names if name not in row]:
        offered = ", ".join(key[4:] for key in row if key.startswith("val_"))
        raise ValueError(f"select_by names {', '.join(missing)}; validation gives {offered}")
    return float(np.mean([row[name] for name in names]))


def _best(history: Sequence[Epoch], config: SteeringConfig, validate: Validate | None) -> tuple[int, float]:
    """The epoch to keep, counted from 1, and its score: the latest of the best, or the last without validation.

    Validation can be perfect from the first epoch on, for a network that is far from trained.
    """
    if validate is None:
        return len(history), math.nan
    scores = [_score(row, config) for row in history]
    best = max(scores)
    return len(scores) - scores[::-1].index(best), best


def _gave_up(history: Sequence[Epoch], config: SteeringConfig, validate: Validate | None) -> bool:
    """Whether early stopping ends the run: no better score for `patience` epochs. An equal one is no better."""
    if config.patience is None or validate is None or not history:
        return False
    scores = [_score(row, config) for row in history]
    return len(scores) - (scores.index(max(scores)) + 1) >= config.patience


def _description(data: SteeringDataset, config: SteeringConfig) -> dict[str, object]:
    """What run.json says of the settings and the data."""
    return {
        "config": config.to_dict(),
        "versions": versions(),
        "machine": machine(),
        "data_digest": digest_data(data),
        "images": len(data),
        "edits": len(data.edited),
        "class_names": list(data.class_names),
    }
