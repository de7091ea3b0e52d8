"""Grad-CAM against a closed form, captum and finite differences, and in every circumstance of training."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from tests.attribution.networks import LinearHead, random_images, smooth_network
from tests.oracles.attribution import grad_cam_of_linear_head
from visteer.attribution import GradCAM, dead_maps, normalize_maps
from visteer.errors import VisteerError

LABELS = torch.tensor([0, 2, 1, 1])


# Values and gradients


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer4"),
        ("resnet18", "layer2"),
        ("tf_efficientnet_lite0", "bn2"),
        ("regnetx_002", "s4"),
    ],
)
def test_equals_captum(name: str, layer: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=5).double().eval()
    images = random_images(2, 64).double()
    labels = torch.tensor([3, 1])
    with GradCAM(network, layer) as cam:
        maps = cam.maps(network(images), labels)
    expected = LayerGradCam(network, network.get_submodule(layer)).attribute(
        images, target=labels, relu_attributions=True
    )
    assert expected.max() > 0
    assert maps.dtype == torch.float64
    torch.testing.assert_close(maps, expected[:, 0].detach(), rtol=1e-6, atol=1e-12)


def test_the_layer_is_found_when_none_is_named() -> None:
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=3).eval()
    with GradCAM(network) as cam:
        assert cam.layer_name == "layer4"
        assert cam.maps(network(random_images(2, 64))).shape == (2, 2, 2)


def test_closed_form_of_a_linear_head_values_and_parameter_gradients() -> None:
    network = LinearHead().double()
    images = random_images().double()
    maps_target = torch.rand(4, 5, 5, dtype=torch.float64)

    def gradients(maps: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(mse_loss(maps, maps_target), [*network.parameters()][:-1]))

    with GradCAM(network, "body") as cam:
        maps = cam.maps(network(images), LABELS, create_graph=True)
    raw = grad_cam_of_linear_head(network.body(images), network.head.weight, LABELS)
    dead = dead_maps(raw.relu())
    assert not dead.any()
    torch.testing.assert_close(maps, raw.relu(), rtol=0, atol=1e-10)
    for fast, slow in zip(gradients(maps), gradients(raw.relu()), strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", ["grad-cam", "hirescam", "grad-cam++", "layercam", "xgrad-cam"])
def test_gradcheck_to_all_parameters_through_a_smooth_network(method: str) -> None:
    network = smooth_network()
    images = random_images(2, 8).double()
    parameters = dict(network.named_parameters())

    def maps_of(*values: Tensor) -> Tensor:
        with GradCAM(network, "3") as cam:
            logits = torch.func.functional_call(
                network, dict(zip(parameters, values, strict=True)), (images,)
            )
            return cam.maps(logits, torch.tensor([0, 2]), method=method, create_graph=True)

    values = [parameter.detach().clone().requires_grad_() for parameter in parameters.values()]
    assert maps_of(*values).min() > 0
    assert torch.autograd.gradcheck(maps_of, values, fast_mode=True)


def test_gradgradcheck_through_a_smooth_network() -> None:
    network = smooth_network()

    def maps_of(images: Tensor) -> Tensor:
        with GradCAM(network, "3") as cam:
            return cam.maps(network(images), torch.tensor([1]), create_graph=True)

    images = random_images(1, 8).double().requires_grad_()
    assert torch.autograd.gradgradcheck(maps_of, (images,), fast_mode=True)


def test_constant_weights_are_the_first_order_gradient() -> None:
    network = LinearHead().double()
    images = random_images().double()
    with GradCAM(network, "body") as cam:
        maps = cam.maps(network(images), LABELS, create_graph=True, constant_weights=True)
    raw = grad_cam_of_linear_head(network.body(images), network.head.weight.detach(), LABELS)
    torch.testing.assert_close(maps, raw.relu(), rtol=0, atol=1e-10)
    body = [*network.body.parameters()]
    for fast, slow in zip(
        torch.autograd.grad(maps.square().sum(), body, retain_graph=True),
        torch.autograd.grad(raw.relu().square().sum(), body),
        strict=True,
    ):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)
    assert torch.autograd.grad(maps.sum(), network.head.weight, allow_unused=True)[0] is None


def test_second_order_reaches_a_nonlinear_head_and_the_body() -> None:
    network = smooth_network()
    with GradCAM(network, "3") as cam:
        maps = cam.maps(network(random_images(2, 8).double()), torch.tensor([0, 1]), create_graph=True)
    maps.square().sum().backward()
    weights = [network[i].weight.grad for i in (0, 2, 5, 7)]
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in weights)


# Targets


def test_targets_are_predictions_labels_or_several_an_image() -> None:
    network = LinearHead()
    with GradCAM(network, "body") as cam:
        logits = network(random_images())
        predicted = cam.maps(logits)
        top = logits.topk(2).indices
        several = cam.maps(logits, top, create_graph=True)
        assert several.shape == (4, 2, 5, 5)
        torch.testing.assert_close(several[:, 0], predicted)
        torch.testing.assert_close(several[:, 1], cam.maps(logits, top[:, 1].to(torch.int32)))
        cross_entropy(logits, LABELS).backward()
    assert network.head.weight.grad is not None


@pytest.mark.parametrize(
    ("targets", "error", "words"),
    [
        (torch.tensor([0, 1, 2, 3]), ValueError, r"\[0, 3\), got 0 to 3"),
        (torch.tensor([0, -1, 2, 0]), ValueError, r"got -1 to 2"),
        (torch.tensor([0, 1]), ValueError, r"\(4,\) or \(4, K\), got \(2,\)"),
        (torch.zeros(4, 0, dtype=torch.int64), ValueError, r"got \(4, 0\)"),
        (torch.zeros(4), TypeError, "float32"),
        (torch.zeros(4, dtype=torch.bool), TypeError, "bool"),
    ],
)
def test_wrong_targets_are_refused(targets: Tensor, error: type[Exception], words: str) -> None:
    network = LinearHead()
    with GradCAM(network, "body") as cam:
        logits = network(random_images())
        with pytest.raises(error, match=words):
            cam.maps(logits, targets)


def test_an_unknown_method_is_refused_by_name() -> None:
    network = LinearHead()
    with (
        GradCAM(network, "body") as cam,
        pytest.raises(ValueError, match=r"'gradcam'; there are grad-cam, hir"),
    ):
        cam.maps(network(random_images()), method="gradcam")


# Circumstances


def test_maps_do_not_depend_on_an_in_place_relu_behind_the_layer() -> None:
    network = LinearHead(in_place=True)
    plain = LinearHead()
    plain.relu = nn.ReLU()
    images = random_images()
    with GradCAM(network, "body") as cam, GradCAM(plain, "body") as expected:
        logits = network(images)
        maps = cam.maps(logits, LABELS, create_graph=True)
        torch.testing.assert_close(maps, expected.maps(plain(images), LABELS))
    (cross_entropy(logits, LABELS) + maps.sum()).backward()


def test_a_layer_whose_input_is_changed_in_place_says_so() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)
            self.same = nn.Identity()

        def forward(self, images: Tensor) -> Tensor:
            features = self.conv(images)
            copied = self.same(features)
            features.relu_()
            result: Tensor = (features + copied).mean(dim=(2, 3))
            return result

    network = Residual()
    with GradCAM(network, "same") as cam:
        logits = network(random_images())
        with pytest.raises(ValueError, match=r"'same' was changed in place"):
            cam.maps(logits)


def test_the_network_computes_the_same_with_the_context_open() -> None:
    network = LinearHead(in_place=True)
    images = random_images()
    expected = network(images)
    cross_entropy(expected, LABELS).backward()
    gradients = [p.grad for p in network.parameters()]
    network.zero_grad()
    with GradCAM(network, "body"):
        logits = network(images)
        cross_entropy(logits, LABELS).backward()
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close([p.grad for p in network.parameters()], gradients)


@pytest.mark.parametrize("frozen", ["body", "all"])
def test_frozen_layers(frozen: str) -> None:
    network = LinearHead().eval()
    images = random_images()
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(images), LABELS)
    (network if frozen == "all" else network.body).requires_grad_(False)
    with GradCAM(network, "body") as cam:
        logits = network(images)
        maps = cam.maps(logits, LABELS, create_graph=True)
    torch.testing.assert_close(maps.detach(), expected)
    maps.sum().backward()
    assert (network.head.weight.grad is not None) == (frozen == "body")
    assert all(p.grad is None for p in network.body.parameters())


def test_several_forward_passes_in_one_context() -> None:
    network = LinearHead().eval()
    first, second = random_images(seed=1), random_images(3, seed=2)
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(first)), cam.maps(network(second))
        logits = [network(first), network(second)]
        with torch.no_grad():
            network(first)
        torch.testing.assert_close(cam.maps(logits[0]), expected[0])
        torch.testing.assert_close(cam.maps(logits[1]), expected[1])
        torch.testing.assert_close(cam.maps(logits[0]), expected[0])
    torch.testing.assert_close(cam.maps(logits[1]), expected[1])


def test_a_capture_lives_no_longer_than_its_logits() -> None:
    network = LinearHead()
    freed = []
    with GradCAM(network, "body") as cam:
        gc.disable()
        try:
            for _ in range(3):
                logits = network(random_images())
                capture = next(iter(cam._captures.values()))
                freed.append(weakref.ref(capture))
                maps = cam.maps(logits, create_graph=True)
                (cross_entropy(logits, LABELS) + maps.sum()).backward()
                del capture, logits, maps
                assert len(cam._captures) == 0
        finally:
            gc.enable()
    assert [reference() for reference in freed] == [None, None, None]


def test_one_network_in_two_contexts_at_two_layers() -> None:
    network = LinearHead().eval()
    images = random_images()
    with GradCAM(network, "body") as outer, GradCAM(network, "body.0") as inner:
        logits = network(images)
        both = outer.maps(logits), inner.maps(logits)
    with GradCAM(network, "body") as alone:
        torch.testing.assert_close(both[0], alone.maps(network(images)))
    assert both[1].shape == (4, 7, 7)


def test_batch_of_one_in_train_mode() -> None:
    network = LinearHead()
    with GradCAM(network, "body") as cam:
        maps = cam.maps(network(random_images(1)), torch.tensor([1]), create_graph=True)
    maps.sum().backward()
    assert maps.shape == (1, 5, 5)
    assert network.head.weight.grad is not None


def test_channels_last_gives_the_same_maps() -> None:
    network = LinearHead().eval()
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(random_images()), LABELS)
        network.to(memory_format=torch.channels_last)
        logits = network(random_images().to(memory_format=torch.channels_last))
        torch.testing.assert_close(cam.maps(logits, LABELS), expected)


@pytest.mark.parametrize("inside", [True, False])
def test_autocast_gives_float32_maps_near_the_exact_ones(inside: bool) -> None:
    network = LinearHead().eval()
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(random_images()), LABELS)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(random_images())
            assert logits.dtype == torch.bfloat16
            maps = cam.maps(logits, LABELS, create_graph=True) if inside else None
        if maps is None:
            maps = cam.maps(logits, LABELS, create_graph=True)
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps.detach(), expected, rtol=0.05, atol=0.05 * float(expected.max()))
    maps.sum().backward()
    assert network.head.weight.grad is not None


def test_distributed_data_parallel(tmp_path: Path) -> None:
    network = LinearHead().eval()
    images = random_images()
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(images), LABELS)
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(network)
        with GradCAM(wrapped, "body") as cam:
            for _ in range(2):
                logits = wrapped(images)
                maps = cam.maps(logits, LABELS, create_graph=True)
                torch.testing.assert_close(maps.detach(), expected)
                (cross_entropy(logits, LABELS) + maps.sum()).backward()
        assert network.body[0].weight.grad is not None
    finally:
        torch.distributed.destroy_process_group()


# torch.compile reads the .grad of what the hook gives, and hides its warning in a way that "error" defeats.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf Tensor")
def test_a_compiled_model() -> None:
    network = LinearHead().eval()
    images = random_images()
    with GradCAM(network, "body") as cam:
        expected = cam.maps(network(images), LABELS)
    torch.compiler.reset()
    compiled = torch.compile(network, backend="aot_eager")
    with GradCAM(compiled, "body") as cam:
        torch.testing.assert_close(cam.maps(compiled(images), LABELS), expected)


# What goes wrong


def test_hooks_are_gone_and_flags_are_kept_after_an_error() -> None:
    network = LinearHead()
    network.head.eval()
    flags = [module.training for module in network.modules()]
    with pytest.raises(KeyError), GradCAM(network, "body"):
        raise KeyError
    assert not network.body._forward_hooks
    assert [module.training for module in network.modules()] == flags


def test_an_open_context_is_not_opened_again() -> None:
    network = LinearHead()
    with GradCAM(network, "body") as cam, pytest.raises(ValueError, match="open already"):
        cam.__enter__()
    assert not network.body._forward_hooks


def test_a_layer_without_a_grid_is_refused_by_name_and_shape() -> None:
    network = LinearHead()
    with (
        GradCAM(network, "head"),
        pytest.raises(ValueError, match=r"'head' gives \(4, 3\); .* \(N, K, h, w\)"),
    ):
        network(random_images())
    assert not network.head._forward_hooks


def test_an_unknown_layer_is_refused_by_name() -> None:
    with pytest.raises(VisteerError, match="bodi"):
        GradCAM(LinearHead(), "bodi")


def test_logits_of_inference_mode_get_the_mend() -> None:
    network = LinearHead()
    with GradCAM(network, "body") as cam:
        with torch.inference_mode():
            logits = network(random_images())
            with pytest.raises(ValueError, match=r"inference_mode.*leave it out"):
                cam.maps(logits)
        with pytest.raises(ValueError, match=r"inference_mode.*leave it out"):
            cam.maps(logits)
        logits = network(random_images())
        with torch.inference_mode(), pytest.raises(ValueError, match=r"inference_mode.*leave it out"):
            cam.maps(logits)


def test_logits_without_a_graph_get_the_mend() -> None:
    network = LinearHead()
    with GradCAM(network, "body") as cam:
        with torch.no_grad():
            logits = network(random_images())
        assert len(cam._captures) == 0
        with pytest.raises(ValueError, match="call the model with gradients on"):
            cam.maps(logits)


def test_logits_from_elsewhere_are_refused() -> None:
    network = LinearHead()
    before = network(random_images())
    with GradCAM(network, "body") as cam:
        with pytest.raises(ValueError, match="no forward pass through layer 'body'"):
            cam.maps(before)
        logits = network(random_images())
        with pytest.raises(ValueError, match="no forward pass through layer 'body'"):
            cam.maps(before)
        with pytest.raises(ValueError, match="2 rows of logits but 4 images"):
            cam.maps(logits[:2])
        with pytest.raises(ValueError, match=r"\(N, C\), got \(4,\)"):
            cam.maps(logits[:, 0])


# Dead maps


class OneFilter(nn.Module):
    """One channel, linear head, no bias: the map of class 0 is weight * A / cells, dead where weight < 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softplus())
        self.head = nn.Linear(4, 2, bias=False)
        with torch.no_grad():
            self.head.weight[0].abs_().neg_()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(images).mean(dim=(2, 3)))
        return logits


def test_a_dead_map_has_value_zero_and_an_open_gradient_and_a_live_one_the_ordinary() -> None:
    network = OneFilter()
    with torch.no_grad():
        network.head.weight[1] = torch.tensor([1.0, -1.0, 0.5, -0.5])
    with GradCAM(network, "body") as cam:
        logits = network(random_images(1))
        maps = cam.maps(logits, torch.tensor([[0, 1]]), create_graph=True)
        raw = grad_cam_of_linear_head(network.body(random_images(1)), network.head.weight, torch.tensor([0]))
    assert maps[0, 0].eq(0).all()
    assert (maps[0, 1] > 0).any()
    fast = torch.autograd.grad(maps[:, 0].sum(), network.head.weight, retain_graph=True)[0]
    torch.testing.assert_close(fast, torch.autograd.grad(raw.sum(), network.head.weight)[0])
    live = grad_cam_of_linear_head(
        network.body(random_images(1)), network.head.weight, torch.tensor([1])
    ).relu()
    torch.testing.assert_close(
        torch.autograd.grad(maps[:, 1].sum(), network.head.weight)[0],
        torch.autograd.grad(live.sum(), network.head.weight)[0],
    )


def test_steering_brings_a_dead_map_to_life_inside_the_region() -> None:
    network = OneFilter()
    # A bright square that the region marks, on a dark ground.
    images = torch.zeros(2, 3, 12, 12)
    images[:, :, 2:6, 3:8] = 1
    region = images[:, 0]
    labels = torch.tensor([0, 0])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    with GradCAM(network, "body") as cam:
        assert dead_maps(cam.maps(network(images), labels)).all()
        for _ in range(150):
            maps = normalize_maps(cam.maps(network(images), labels, create_graph=True))
            loss = mse_loss(maps, region)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        maps = cam.maps(network(images), labels)
    assert not dead_maps(maps).any()
    assert (maps * region).sum() / maps.sum() > 0.8
