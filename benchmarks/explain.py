"""What maps cost on top of predictions: explain_images against plain inference, captum and grad-cam.

Run: python benchmarks/explain.py [--rounds 9] [--json explain.json]

Every way gives predictions and one Grad-CAM map an image for the predicted class:
- plain: predictions alone, eval mode, torch.inference_mode();
- visteer: explain_images, one forward pass;
- captum: predictions under torch.inference_mode(), then LayerGradCam for the predicted classes;
- grad-cam: pytorch_grad_cam.GradCAM, which predicts by itself (and also scales its maps to the image's size).

The ways take turns within a round, in an order that rotates from round to round, so that a change in the
machine's load falls on all of them. Reported are the median seconds a batch, and the median over the rounds
of the throughput relative to plain inference in the same round. Weights are random: they do not change time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytorch_grad_cam
import torch
from captum.attr import LayerGradCam
from torch import Tensor

from visteer.attribution import explain_images
from visteer.models import build_classifier, find_target_layer, get_layer

WANTED = 0.95
WAYS = ("plain", "visteer", "captum", "grad-cam")


def main() -> None:
    """Measure all cases, print a line for each, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[128, 224])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{arguments.batch} images a batch, {arguments.rounds} rounds, {describe(arguments.device)}")
    cases = []
    for model in arguments.models:
        for size in arguments.sizes:
            case = measure(model, size, arguments.batch, arguments.rounds, arguments.device)
            cases.append(case)
            print(line(case), flush=True)
    if arguments.json:
        about = {"machine": describe(arguments.device), "rounds": arguments.rounds, "wanted": WANTED}
        arguments.json.write_text(json.dumps({**about, "cases": cases}, indent=2) + "\n")


def measure(name: str, size: int, batch: int, rounds: int, device: str) -> dict[str, object]:
    """Seconds a batch and relative throughput of every way, for one network at one size."""
    torch.manual_seed(0)
    model = build_classifier(name, 10, weights="none", image_size=size).to(device).eval()
    images = torch.rand(batch, 3, size, size, device=device)
    layer = get_layer(model, find_target_layer(model))
    by_captum = LayerGradCam(model, layer)

    def plain() -> Tensor:
        with torch.inference_mode():
            return model(images).argmax(dim=1)

    runs: dict[str, Callable[[], object]] = {
        "plain": plain,
        "visteer": lambda: explain_images(model, images),
        "captum": lambda: by_captum.attribute(images, target=plain().clone(), relu_attributions=True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(rounds + 1):
        for way in (*WAYS[turn % 4 :], *WAYS[: turn % 4]):
            # grad-cam leaves its hooks on the model for as long as its object lives: only during its turn.
            taken = _by_grad_cam(model, layer, images) if way == "grad-cam" else _time(runs[way], images)
            if turn:  # the first round warms up
                seconds[way].append(taken)
    model.zero_grad()
    return {
        "model": name,
        "size": size,
        "batch": batch,
        "seconds": {way: statistics.median(values) for way, values in seconds.items()},
        "throughput": {
            way: statistics.median(p / s for p, s in zip(seconds["plain"], values, strict=True))
            for way, values in seconds.items()
        },
    }


def line(case: dict[str, object]) -> str:
    """One case for a reader."""
    seconds, throughput = case["seconds"], case["throughput"]
    parts = [f"{way} {seconds[way] * 1e3:7.1f} ms ({throughput[way]:.2f})" for way in WAYS]
    verdict = "as wanted" if throughput["visteer"] >= WANTED else f"below {WANTED}"
    return f"{case['model']:>9} {case['size']} px: " + "   ".join(parts) + f"   -> {verdict}"


def describe(device: str) -> str:
    """The device, in words."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _by_grad_cam(model: torch.nn.Module, layer: torch.nn.Module, images: Tensor) -> float:
    with pytorch_grad_cam.GradCAM(model, [layer]) as cam:
        return _time(lambda: cam(input_tensor=images, targets=None), images)


def _time(run: Callable[[], object], images: Tensor) -> float:
    wait = torch.cuda.synchronize if images.is_cuda else (lambda: None)
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


if __name__ == "__main__":
    # The other libraries' warnings (backward hooks on in-place layers) are no part of the figures.
    warnings.simplefilter("ignore")
    main()
