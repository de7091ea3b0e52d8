"""Explaining leaves the network as it was, and says what the training path says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from tests.attribution.networks import LinearHead, random_images
from tests.oracles.attribution import grad_cam_of_linear_head
from visteer.attribution import GradCAM, explain_images

ALL = [
    "grad-cam",
    "hirescam",
    "grad-cam++",
    "layercam",
    "xgrad-cam",
    "input-gradient",
    "integrated-gradients",
]
LABELS = torch.tensor([0, 2, 1, 1])


def _layer(method: str) -> str | None:
    return None if method in ("input-gradient", "integrated-gradients") else "body"


@pytest.mark.parametrize("method", ALL)
def test_what_every_method_gives(method: str) -> None:
    network = LinearHead()
    images = random_images()
    explanation = explain_images(network, images, method=method, layer=_layer(method))
    side = 5 if _layer(method) else 16
    assert explanation.maps.shape == (4, side, side)
    assert explanation.maps.min() >= 0
    assert explanation.maps.max() > 0
    assert not any(t.requires_grad for t in (explanation.maps, explanation.logits, explanation.targets))
    expected = network.eval()(images)
    torch.testing.assert_close(explanation.logits, expected.detach())
    assert explanation.targets.tolist() == expected.argmax(dim=1).tolist()


@pytest.mark.parametrize("method", ALL)
def test_several_targets_an_image_and_labels(method: str) -> None:
    network = LinearHead()
    images = random_images()
    several = torch.stack([LABELS, (LABELS + 1) % 3], dim=1)
    both = explain_images(network, images, several, method, _layer(method))
    assert both.targets.equal(several)
    for k in range(2):
        one = explain_images(network, images, several[:, k], method, _layer(method))
        torch.testing.assert_close(both.maps[:, k], one.maps)


def test_grad_cam_equals_the_closed_form_in_eval_mode() -> None:
    network = LinearHead().double()
    images = random_images().double()
    explanation = explain_images(network, images, LABELS, layer="body")
    network.eval()
    raw = grad_cam_of_linear_head(network.body(images), network.head.weight, LABELS)
    torch.testing.assert_close(explanation.maps, raw.relu().detach(), rtol=0, atol=1e-10)


def test_input_gradient_of_a_linear_network_is_its_weight() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 3))
    images = random_images(4, 4)
    maps = explain_images(network, images, LABELS, "input-gradient").maps
    expected = network[1].weight[LABELS].unflatten(1, (3, 4, 4)).abs().sum(dim=1).detach()
    torch.testing.assert_close(maps, expected)


def test_integrated_gradients_of_a_linear_network_are_weight_times_pixel() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 3))
    images = random_images(4, 4)
    maps = explain_images(network, images, LABELS, "integrated-gradients").maps
    expected = (network[1].weight[LABELS].unflatten(1, (3, 4, 4)) * images).relu().sum(dim=1).detach()
    torch.testing.assert_close(maps, expected)


def test_integrated_gradients_equal_captum_on_a_batch_larger_than_one_part() -> None:
    network = LinearHead().eval()
    images = random_images(35)
    labels = torch.arange(35) % 3
    maps = explain_images(network, images, labels, "integrated-gradients").maps
    expected = IntegratedGradients(network).attribute(images.requires_grad_(), target=labels, n_steps=32)
    torch.testing.assert_close(maps, expected.relu().sum(dim=1).detach().float(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", ["grad-cam", "input-gradient", "integrated-gradients"])
def test_the_network_is_left_as_it_was(method: str) -> None:
    network = LinearHead()
    network.body[0].eval()
    network.head.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    flags = [m.training for m in network.modules()], [p.requires_grad for p in network.parameters()]
    images = random_images().requires_grad_()
    explain_images(network, images, method=method, layer=_layer(method))
    torch.testing.assert_close(dict(network.state_dict()), before)
    assert flags == ([m.training for m in network.modules()], [p.requires_grad for p in network.parameters()])
    assert all(p.grad is None for p in network.parameters())
    assert images.grad is None
    assert not any(m._forward_hooks for m in network.modules())


def test_the_network_is_left_as_it_was_after_an_error() -> None:
    network = LinearHead()
    with pytest.raises(ValueError, match="'head'"):
        explain_images(network, random_images(), layer="head")
    assert all(m.training for m in network.modules())
    assert all(p.requires_grad for p in network.parameters())
    assert not network.head._forward_hooks


def test_only_the_head_records_a_graph() -> None:
    network = LinearHead()
    network.relu = nn.ReLU()
    saved: list[tuple[int, ...]] = []

    def note(tensor: Tensor) -> Tensor:
        saved.append(tuple(tensor.shape))
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        explain_images(network, random_images(), layer="body")
    assert saved
    assert all(shape[-2:] not in ((16, 16), (7, 7)) for shape in saved)


def test_it_works_under_no_grad_and_says_why_not_under_inference_mode() -> None:
    network = LinearHead()
    with torch.no_grad():
        under = explain_images(network, random_images(), layer="body")
    torch.testing.assert_close(under.maps, explain_images(network, random_images(), layer="body").maps)
    with torch.inference_mode(), pytest.raises(ValueError, match=r"outside torch.inference_mode"):
        explain_images(network, random_images(), layer="body")


def test_wrapped_networks(tmp_path: Path) -> None:
    network = LinearHead()
    expected = explain_images(network, random_images(), layer="body").maps
    compiled = torch.compile(network, backend="eager")
    torch.testing.assert_close(explain_images(compiled, random_images(), layer="body").maps, expected)
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(network)
        torch.testing.assert_close(explain_images(wrapped, random_images(), layer="body").maps, expected)
        for _ in range(2):
            wrapped(random_images()).sum().backward()
    finally:
        torch.distributed.destroy_process_group()


def test_autocast_gives_float32_maps() -> None:
    network = LinearHead()
    expected = explain_images(network, random_images(), LABELS, layer="body").maps
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = explain_images(network, random_images(), LABELS, layer="body").maps
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, expected, rtol=0.05, atol=0.05 * float(expected.max()))


def test_the_same_as_the_training_path() -> None:
    network = LinearHead().eval()
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(random_images()), LABELS, create_graph=True).detach()
    torch.testing.assert_close(explain_images(network, random_images(), LABELS, layer="body").maps, expected)


def test_wrong_arguments_are_refused() -> None:
    network = LinearHead()
    with pytest.raises(ValueError, match=r"'cam'; there are grad-cam, .*integrated-gradients"):
        explain_images(network, random_images(), method="cam")
    with pytest.raises(ValueError, match="leave the layer 'body' out"):
        explain_images(network, random_images(), method="input-gradient", layer="body")
    with pytest.raises(ValueError, match=r"N at least 1, got \(0, 3, 16, 16\)"):
        explain_images(network, random_images()[:0], layer="body")
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        explain_images(network, random_images(), LABELS + 1, "input-gradient")
