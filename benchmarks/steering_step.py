"""What steering costs: a plain step, a steered step, and a step of the published design, interleaved in one run.

The published design makes the map by a second forward pass through captum's LayerGradCam, at image resolution; as
published its channel weights are constants in the loss. Each round times all variants, in an order that rotates; a
ratio is the median over the rounds of the ratio within one round, so that a slow moment of the machine hits both sides.
Peak memory is the growth of the resident set over the first steps, each variant in a process of its own.

    python benchmarks/steering_step.py [--rounds 21] [--batch 8] [--bf16-batch 32] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18, resnet50

from visteer import GradCAM, attention_mse_loss, find_target_layer, normalize_maps
from visteer.steering.steer import computes_bf16

NETWORKS: dict[str, Callable[..., nn.Module]] = {"resnet18": resnet18, "resnet50": resnet50}
SIZES = (128, 224)
VARIANTS = ("plain", "steered", "published")
CLASSES = 3
GAMMA = 10.0
MEMORY_RUNS = 3


class Bench:
    """One network, its optimiser and a batch; `step` trains one step of a variant."""

    def __init__(self, network: str, size: int, batch: int) -> None:
        torch.manual_seed(0)
        self.model = NETWORKS[network](num_classes=CLASSES).train()
        self.images = torch.rand((batch, 3, size, size))
        self.labels = torch.arange(batch) % CLASSES
        self.targets = torch.zeros((batch, size, size))
        self.targets[:, size // 4 : size // 2, size // 4 : size // 2] = 1
        self.weights = torch.ones_like(self.targets)
        self.layer = find_target_layer(self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9)

    def step(self, variant: str) -> None:
        """Train one step."""
        loss = getattr(self, f"_{variant}")()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def _plain(self) -> Tensor:
        return F.cross_entropy(self.model(self.images), self.labels)

    def _steered(self) -> Tensor:
        with GradCAM(self.model, self.layer) as cam:
            logits = self.model(self.images)
            maps = cam.maps(logits, self.labels, create_graph=True)
        attention = attention_mse_loss(maps, self.targets, self.weights)
        return F.cross_entropy(logits, self.labels) + GAMMA * attention

    def _published(self) -> Tensor:
        logits = self.model(self.images)
        layer = self.model.get_submodule(self.layer)
        maps = LayerGradCam(self.model, layer).attribute(self.images, self.labels, relu_attributions=True)
        maps = F.interpolate(maps, self.images.shape[2:], mode="bicubic").clamp_min(0)[:, 0]
        attention = F.mse_loss(normalize_maps(maps), self.targets)
        return F.cross_entropy(logits, self.labels) + GAMMA * attention

    def bf16_step(self) -> None:
        """A plain step in bf16, channels last."""
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(self.images)
        loss = F.cross_entropy(logits.float(), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def interleaved(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each step in each round, after one warm-up of each; the order within a round rotates."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for step in steps.values():
        step()
    for count in range(rounds):
        first = count % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            steps[name]()
            times[name].append(time.perf_counter() - start)
    return times


def median_ratio(times: list[float], base: list[float]) -> float:
    """The median over the rounds of `times` / `base`."""
    return round(statistics.median(t / b for t, b in zip(times, base, strict=True)), 3)


def peak_memory(network: str, size: int, batch: int, variant: str) -> int:
    """How much the resident set grows over three steps, in KiB: the median of processes of their own."""
    words = [sys.executable, __file__, "--memory-of", f"{network},{size},{batch},{variant}"]
    # What is freed goes back to the system at once, so that the peak is what was in use, not what the heap held on to.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    runs = [
        subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
        for _ in range(MEMORY_RUNS)
    ]
    return int(statistics.median(int(run.stdout) for run in runs))


def grow(network: str, size: int, batch: int, variant: str) -> int:
    """The growth of this process's peak over three steps, in KiB."""
    bench = Bench(network, size, batch)
    before = resident_kib("VmRSS")  # now, not at the peak of the imports
    for _ in range(3):
        bench.step(variant)
    return resident_kib("VmHWM") - before


def resident_kib(entry: str) -> int:
    """The resident set of this process: VmRSS now, VmHWM at its peak. (getrusage's peak counts the parent's too.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:"))


def measure(network: str, size: int, batch: int, rounds: int) -> dict[str, object]:
    """Times and memory of one network at one size, as ratios to the plain step."""
    memory = {variant: peak_memory(network, size, batch, variant) for variant in VARIANTS}
    bench = Bench(network, size, batch)
    times = interleaved({v: (lambda v=v: bench.step(v)) for v in VARIANTS}, rounds)
    row: dict[str, object] = {
        "network": network,
        "size": size,
        "plain_ms": round(statistics.median(times["plain"]) * 1000, 1),
        "plain_mib": memory["plain"] // 1024,
    }
    for variant in VARIANTS[1:]:
        row[f"{variant}_time"] = median_ratio(times[variant], times["plain"])
        row[f"{variant}_memory"] = round(memory[variant] / memory["plain"], 3)
    return row


def measure_bf16(batch: int, rounds: int) -> dict[str, object]:
    """A plain step of ResNet-50 at 224 px in bf16 and channels last against fp32."""
    plain, fast = Bench("resnet50", 224, batch), Bench("resnet50", 224, batch)
    fast.model.to(memory_format=torch.channels_last)
    fast.images = fast.images.contiguous(memory_format=torch.channels_last)
    times = interleaved({"fp32": lambda: plain.step("plain"), "bf16": fast.bf16_step}, rounds)
    native = computes_bf16(torch.device("cpu"))
    ratio = median_ratio(times["bf16"], times["fp32"])
    return {"bf16_channels_last_time": ratio, "batch": batch, "native_bf16": native}


def main() -> None:
    """Measure and print one JSON line a network and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--bf16-batch", type=int, default=32, help="as the paper trains")
    parser.add_argument("--quick", action="store_true", help="ResNet-18 at 128 px only")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    if options.memory_of:
        network, size, batch, variant = options.memory_of.split(",")
        print(grow(network, int(size), int(batch), variant))
        return
    cases = [(n, s) for n in NETWORKS for s in SIZES]
    for network, size in cases[:1] if options.quick else cases:
        print(json.dumps(measure(network, size, options.batch, options.rounds)), flush=True)
    if not options.quick:
        print(json.dumps(measure_bf16(options.bf16_batch, max(options.rounds // 3, 1))))


if __name__ == "__main__":
    main()
