"""The methods of steering: what each adds to the prediction loss, and what it needs for that.

A method is one value: its facts for people, and how its loss is computed from a forward pass. `visteer.steering.steer`
runs every method in the same loop; `visteer methods` prints the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from visteer.errors import VisteerError
from visteer.models.abn import find_attention_branch
from visteer.steering.attention_losses import Resolution, attention_mse_loss
from visteer.steering.contextual_decomposition import cdep_loss, layers_in_a_row
from visteer.steering.counterexamples import counterexamples
from visteer.steering.dataset import SteeringDataset, irrelevant_cells, relevant_cells
from visteer.steering.input_gradient_losses import rbr_loss, rrr_loss
from visteer.steering.peer_losses import (
    abn_map_loss,
    dice_loss,
    distance_aware_loss,
    energy_loss,
    gradia_loss,
    hint_loss,
    map_l1_loss,
    ppce_loss,
    res_g_loss,
    rrr_g_loss,
)

Marks = Literal["none", "any", "relevant", "irrelevant", "relevant and irrelevant"]
Reads = Literal["nothing", "grad-cam", "input gradients", "the network", "attention branch"]


@dataclass(frozen=True)
class ForwardPass:
    """One forward pass of the training loop, on N images, and what a loss may be made of.

    `targets` and `weights` (N, S, S) are on the grid of `images` (N, 3, S, S). `maps` (N, h, w) are Grad-CAM's of the
    true class, with their graph, or the attention branch's, for the methods that read them. `noise` (N,) int64 seeds
    what an image draws. `predict` runs the network once more, in the loop's precision.
    """

    model: nn.Module
    predict: Callable[[Tensor], Tensor]
    images: Tensor
    logits: Tensor
    labels: Tensor
    targets: Tensor
    weights: Tensor
    noise: Tensor
    resolution: Resolution
    maps: Tensor | None = None


Added = Callable[[ForwardPass], Tensor]


@dataclass(frozen=True)
class SteeringMethod:
    """One method.

    Attributes:
        name: as `SteeringConfig.method` takes it.
        adds: what it adds to the prediction loss, in words.
        formula: of one image; gamma multiplies its mean over the images that take part.
        marks: what the edit of an image must have, so that the image takes part.
        cost: of a step, as a multiple of a plain one, roughly.
        gamma: the factor that `visteer steer` takes where none is given.
        source: the paper.
        reads: what the loss is made of. Input gradients and the network's layers are computed in float32.
        loss: a forward pass to (N,) losses, 0 for images without the marks; None adds nothing.
    """

    name: str
    adds: str
    formula: str
    marks: Marks
    cost: str
    gamma: float
    source: str
    reads: Reads
    loss: Added | None

    @property
    def needs(self) -> frozenset[str]:
        """Which of "relevant" and "irrelevant" the edit of an image must mark; neither for "none" and "any".

        Example:
            >>> METHODS["rrr"].needs, METHODS["attention-mse"].needs
            (frozenset({'irrelevant'}), frozenset())
        """
        return frozenset({"relevant", "irrelevant"} & set(self.marks.split()))

    @property
    def full_precision(self) -> bool:
        """Whether it must be computed in float32: gradients of single pixels are too small for bf16."""
        return self.reads in ("input gradients", "the network")

    @property
    def has_branch(self) -> bool:
        """Whether it trains an attention branch network."""
        return self.reads == "attention branch"


def usable(method: SteeringMethod, data: SteeringDataset, pasted: bool = False) -> NDArray[np.bool_]:
    """For each edit of `data`, whether its image takes part in `method`; if `pasted`, irrelevant marks are there.

    Example:
        >>> usable(METHODS["rrr"], SteeringDataset(np.zeros((1, 8, 8, 3), np.uint8), [0], ["a", "b"]))
        array([], dtype=bool)
    """
    targets, weights = torch.from_numpy(data.targets), torch.from_numpy(data.weights)
    found = (weights > 0).flatten(1).any(1).numpy() & (method.marks != "none")
    if "irrelevant" in method.needs and not pasted:
        found &= irrelevant_cells(targets, weights).flatten(1).any(1).numpy()
    if "relevant" in method.needs:
        found &= relevant_cells(targets, weights).flatten(1).any(1).numpy()
    return found


def check_method(method: SteeringMethod, model: nn.Module, data: SteeringDataset) -> None:
    """Find out before a run is begun that the edits or the network do not suit the method.

    Raises:
        VisteerError: no edit of `data` has the marks that it needs, or it cannot be computed for this network.
    """
    if method.name == "cdep":
        layers_in_a_row(model)
    if method.name == "rbr" and any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()
    ):
        raise VisteerError("rbr needs third derivatives, which PyTorch's BatchNorm does not have: take rrr")
    branch = find_attention_branch(model) is not None
    if branch and not method.has_branch:
        raise VisteerError(
            f"this network has an attention branch, which {method.name} would leave untrained: "
            "take --method abn (visteer train) or abn-edit (visteer steer)"
        )
    if method.has_branch and not branch:
        raise VisteerError(f"{method.name} trains an attention branch network: build one with build_abn")
    if method.marks == "none" or usable(method, data).any():
        return
    if not len(data.edited):
        raise VisteerError(
            "there is no edit to steer with; draw some (visteer edit) or import masks (visteer import)"
        )
    drawn = {
        "any": "visteer edit, key B or N",
        "relevant": "visteer edit, key B",
        "irrelevant": "visteer edit, key N",
        "relevant and irrelevant": "visteer edit, keys B and N, both in one image",
    }
    outside = (
        "" if method.marks == "relevant" else ", or import masks with --outside irrelevant (visteer import)"
    )
    needed = "marks" if method.marks == "any" else f"{method.marks} marks"
    raise VisteerError(
        f"{method.name} needs {needed}; this study has none among its training images: "
        f"draw some ({drawn[method.marks]}){outside}"
    )


def _of_maps(loss: Callable[..., Tensor]) -> Added:
    def added(seen: ForwardPass) -> Tensor:
        return loss(seen.maps, seen.targets, seen.weights, reduction="none")

    return added


def _attention_mse(seen: ForwardPass) -> Tensor:
    if seen.maps is None:
        raise ValueError("attention-mse needs maps")
    return attention_mse_loss(
        seen.maps, seen.targets, seen.weights, resolution=seen.resolution, reduction="none"
    )


def _rrr(seen: ForwardPass) -> Tensor:
    return rrr_loss(seen.logits, seen.images, seen.targets, seen.weights, reduction="none")


def _rbr(seen: ForwardPass) -> Tensor:
    parameters = seen.model.parameters()
    return rbr_loss(
        seen.logits, seen.images, seen.labels, parameters, seen.targets, seen.weights, reduction="none"
    )


def _caipi(seen: ForwardPass) -> Tensor:
    changed = counterexamples(seen.images, seen.targets, seen.weights, seen.noise)
    return F.cross_entropy(seen.predict(changed), seen.labels, reduction="none")


def _cdep(seen: ForwardPass) -> Tensor:
    return cdep_loss(seen.model, seen.images, seen.targets, seen.weights, reduction="none")


_BOTH: Marks = "relevant and irrelevant"
_ALL = (
    SteeringMethod("none", "nothing: plain training", "0", "none", "1", 0.0, "", "nothing", None),
    SteeringMethod(
        "attention-mse",
        "squared error of the map, the region counted twice",
        "0.9 sum W (N - T)^2 / sum W + 0.1 sum W T (N - T)^2 / sum W T",
        "any",
        "1.1",
        20.0,
        "after Elbeialy et al. 2023",
        "grad-cam",
        _attention_mse,
    ),
    SteeringMethod(
        "hint",
        "squared error of the map",
        "sum W (N - T)^2 / sum W",
        "relevant",
        "1.1",
        10.0,
        "Selvaraju et al. 2019, as in Friedrich et al. 2023",
        "grad-cam",
        _of_maps(hint_loss),
    ),
    SteeringMethod(
        "l1",
        "absolute error of the map",
        "sum W |N - T| / sum W",
        "relevant",
        "1.1",
        5.0,
        "Rao et al. 2023",
        "grad-cam",
        _of_maps(map_l1_loss),
    ),
    SteeringMethod(
        "ppce",
        "cross-entropy of the map towards 1 inside the region",
        "sum R (-log N) / sum R",
        "relevant",
        "1.1",
        1.0,
        "Rao et al. 2023",
        "grad-cam",
        _of_maps(ppce_loss),
    ),
    SteeringMethod(
        "energy",
        "share of the raw map outside the region",
        "1 - sum W T M / sum W M",
        _BOTH,
        "1.1",
        1.0,
        "Rao et al. 2023",
        "grad-cam",
        _of_maps(energy_loss),
    ),
    SteeringMethod(
        "dice",
        "one less the soft Dice of map and edit",
        "1 - 2 sum W N T / (sum W N + sum W T)",
        "relevant",
        "1.1",
        2.0,
        "Uddin et al. 2025",
        "grad-cam",
        _of_maps(dice_loss),
    ),
    SteeringMethod(
        "distance-aware",
        "the map, weighted by the distance to the region",
        "sum W N D / sum W",
        _BOTH,
        "1.1",
        10.0,
        "Hagos et al. 2023",
        "grad-cam",
        _of_maps(distance_aware_loss),
    ),
    SteeringMethod(
        "gradia",
        "absolute error of the unreasonable maps",
        "sum W |N - T| / sum W, where less than half of the map lies in the region",
        _BOTH,
        "1.1",
        5.0,
        "Gao et al. 2022 (GRADIA)",
        "grad-cam",
        _of_maps(gradia_loss),
    ),
    SteeringMethod(
        "res-g",
        "marks as labels with a slack, plus the distance to the blurred edit",
        "ReLU(sum (R |t - 1| + I |t + 1|) / sum (R + I) - eta) + mean |N - B|, t = tanh 5 (N - a)",
        _BOTH,
        "1.1",
        1.0,
        "Gao et al. 2022 (RES)",
        "grad-cam",
        _of_maps(res_g_loss),
    ),
    SteeringMethod(
        "rrr-g",
        "the map inside the irrelevant region",
        "sum (I N)^2",
        "irrelevant",
        "1.1",
        1.0,
        "Friedrich et al. 2023",
        "grad-cam",
        _of_maps(rrr_g_loss),
    ),
    SteeringMethod(
        "rrr",
        "input gradients inside the irrelevant region",
        "sum (I d/dx sum_k log p_k)^2",
        "irrelevant",
        "2.5",
        10.0,
        "Ross et al. 2017",
        "input gradients",
        _rrr,
    ),
    SteeringMethod(
        "rbr",
        "input times influence gradients inside the irrelevant region",
        "sum (I (d/dx sum_k log p_k) (d/dx sum_j dL/dtheta_j))^2",
        "irrelevant",
        "5",
        1.0,
        "Shao et al. 2021, as in Friedrich et al. 2023",
        "input gradients",
        _rbr,
    ),
    SteeringMethod(
        "cdep",
        "what the irrelevant region contributes to the logits",
        "mean_k softmax(b_k, g_k)_1, logit_k = b_k (irrelevant) + g_k (rest)",
        "irrelevant",
        "3",
        10.0,
        "Rieger et al. 2020",
        "the network",
        _cdep,
    ),
    SteeringMethod(
        "caipi",
        "no loss on maps: copies of the marked images with random irrelevant pixels",
        "cross-entropy of the copy",
        "irrelevant",
        "2",
        1.0,
        "Teso and Kersting 2019",
        "nothing",
        _caipi,
    ),
    SteeringMethod(
        "abn",
        "the prediction of an attention branch; no edits",
        "cross-entropy of the branch's logits, with factor 1",
        "none",
        "1.5",
        0.0,
        "Fukui et al. 2019",
        "attention branch",
        None,
    ),
    SteeringMethod(
        "abn-edit",
        "abn, and the distance of its map from the edit",
        "sqrt(sum W (A - T)^2), A the branch's map",
        "any",
        "1.5",
        0.1,
        "Mitsuhara et al. 2019",
        "attention branch",
        _of_maps(abn_map_loss),
    ),
)

METHODS: Mapping[str, SteeringMethod] = MappingProxyType({method.name: method for method in _ALL})
"""Every method by its name."""
