"""The target layer is what the head reads, in every family, wrapped or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from visteer.errors import VisteerError
from visteer.models.build import build_classifier
from visteer.models.target_layer import find_target_layer, get_layer, map_grid

TIMM = {
    "test_resnet": "layer4",
    "resnet50": "layer4",
    "seresnet18": "layer4",
    "resnetv2_50": "norm",
    "densenet121": "features",
    "test_efficientnet": "bn2",
    "tf_efficientnet_lite0": "bn2",
    "mobilenetv2_100": "bn2",
    "mobilenetv1_100": "blocks",
    "mobilenetv3_small_100": "blocks",
    "mobilenetv4_conv_small": "blocks",
    "test_convnext": "stages",
    "convnext_atto": "stages",
    "convnextv2_atto": "stages",
    "convnext_tiny_hnf": "norm_pre",
    "regnety_002": "s4",
    "regnetz_005": "final_conv",
    "test_byobnet": "stages",
    "gernet_s": "final_conv",
    "test_nfnet": "final_act",
    "xception41p": "act",
    "dpn68": "features",
    "dla34": "level5",
    "hrnet_w18_small": "final_layer",
    "cs3darknet_s": "stages",
    "rexnet_100": "features",
    "hgnetv2_b0": "stages",
    "ghostnet_100": "blocks",
    "ese_vovnet19b_dw": "stages",
    "inception_v3": "Mixed_7c",
}


@pytest.mark.parametrize("name", TIMM)
def test_timm_layer_is_what_the_head_reads(name: str) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    size = 96 if name == "inception_v3" else 64
    images = torch.randn(2, 3, size, size)
    layer = find_target_layer(model)
    assert layer == TIMM[name]
    captured, logits = run(model, layer, images)
    with torch.no_grad():
        features = model.forward_features(images)
        assert captured.ndim == 4
        assert torch.equal(captured, features)
        assert torch.equal(model.forward_head(captured), logits)
    assert not torch.equal(run(model, layer, images, scale=0.0)[1], logits)


def gap(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


# The head in paper form: from the captured layer to the logits.
TORCHVISION = {
    "resnet18": ("layer4", lambda m, a: m.fc(gap(a).flatten(1))),
    "vgg11_bn": ("features.27", lambda m, a: m.classifier(m.avgpool(F.max_pool2d(a, 2)).flatten(1))),
    "alexnet": ("features.11", lambda m, a: m.classifier(m.avgpool(F.max_pool2d(a, 3, 2)).flatten(1))),
    "densenet121": ("features", lambda m, a: m.classifier(gap(F.relu(a)).flatten(1))),
    "efficientnet_b0": ("features", lambda m, a: m.classifier(gap(a).flatten(1))),
    "mobilenet_v2": ("features", lambda m, a: m.classifier(gap(a).flatten(1))),
    "mobilenet_v3_small": ("features", lambda m, a: m.classifier(gap(a).flatten(1))),
    "convnext_tiny": ("features", lambda m, a: m.classifier(gap(a))),
    "regnet_y_400mf": ("trunk_output", lambda m, a: m.fc(gap(a).flatten(1))),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_layer_is_what_the_head_reads(name: str) -> None:
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None, num_classes=3).eval()
    expected, head = TORCHVISION[name]
    layer = find_target_layer(model)
    assert layer == expected
    captured, logits = run(model, layer, torch.rand(2, 3, 64, 64))
    assert captured.ndim == 4
    assert min(captured.shape[2:]) >= 2
    with torch.no_grad():
        torch.testing.assert_close(head(model, captured), logits, rtol=1e-5, atol=1e-6)


def test_timm_vgg_is_taken_before_its_last_max_pooling() -> None:
    torch.manual_seed(0)
    model = timm.create_model("vgg11", num_classes=3).eval()
    images = torch.rand(1, 3, 64, 64)
    captured, _ = run(model, find_target_layer(model), images)
    with torch.no_grad():
        assert torch.equal(F.max_pool2d(captured, 2), model.forward_features(images))


@pytest.mark.parametrize("name", ["test_resnet", "tf_efficientnet_lite0", "mobilenetv3_small_100"])
def test_images_of_a_batch_do_not_mix_behind_the_layer_in_training(name: str) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3)
    captured = {}
    get_layer(model, find_target_layer(model)).register_forward_hook(
        lambda _module, _inputs, output: captured.update(output=output)
    )
    logits = model(torch.rand(2, 3, 64, 64))
    (gradient,) = torch.autograd.grad(logits[0, 0], captured["output"])
    assert gradient[0].abs().sum() > 0
    assert gradient[1].abs().sum() == 0


def test_reads_the_structure_only() -> None:
    with torch.device("meta"):
        model = torchvision.models.resnet50()
    assert find_target_layer(model) == "layer4"
    assert find_target_layer(model) != [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)][-1]


def test_subclasses_and_replaced_heads() -> None:
    class Mine(torchvision.models.ResNet):
        pass

    model = Mine(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    model.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 2))
    assert find_target_layer(model) == "layer4"


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_looks_through_wrappers() -> None:
    model = build_classifier("test_resnet", 2, "none", 64)
    assert find_target_layer(model) == "backbone.layer4"
    parallel = DistributedDataParallel(model)
    assert find_target_layer(parallel) == "module.backbone.layer4"
    compiled = torch.compile(parallel)
    assert find_target_layer(compiled) == "_orig_mod.module.backbone.layer4"
    for name in ("layer4", "backbone.layer4", "module.backbone.layer4", "_orig_mod.module.backbone.layer4"):
        assert get_layer(compiled, name) is model.backbone.layer4


@pytest.mark.parametrize("name", ["test_vit", "mixer_s32_224"])
def test_networks_without_a_spatial_stage_are_refused_with_a_mend(name: str) -> None:
    with pytest.raises(VisteerError, match=r'no last spatial stage is known for \w+: pass layer="..."'):
        find_target_layer(timm.create_model(name))


def test_a_network_of_another_kind_is_refused_even_if_names_agree() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer4 = nn.Linear(2, 2)

    with pytest.raises(VisteerError, match="known for Net"):
        find_target_layer(Net())


def test_a_removed_stage_is_not_guessed() -> None:
    model = torchvision.models.resnet18()
    model.layer4 = nn.Identity()
    with pytest.raises(VisteerError, match="known for ResNet"):
        find_target_layer(model)


def test_get_layer_lists_near_matches() -> None:
    model = build_classifier("test_resnet", 2, "none", 64)
    with pytest.raises(VisteerError, match=r"Classifier has no layer 'layer5': did you mean .*layer4"):
        get_layer(model, "layer5")
    with pytest.raises(VisteerError, match="no layer ''"):
        get_layer(model, "")


def run(model: nn.Module, layer: str, images: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """The layer's output as it left the layer, and the logits when the head reads it times `scale`."""
    captured = []

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        captured.append(output.clone())
        return output * scale

    handle = get_layer(model, layer).register_forward_hook(hook)
    with torch.no_grad():
        logits = model(images)
    handle.remove()
    return captured[0], logits


def test_the_grid_of_maps_is_that_of_the_layers_output():
    model = build_classifier("test_resnet", 2, weights="none", image_size=64)
    flags = [module.training for module in model.train().modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    grids = {}
    for name in ("backbone.layer2", "backbone.layer4"):
        output = []
        with get_layer(model, name).register_forward_hook(lambda _m, _i, out, seen=output: seen.append(out)):
            model.eval()(torch.zeros(1, 3, 64, 64))
        model.train()
        grids[name] = map_grid(model, name, 64)
        assert grids[name] == tuple(output[0].shape[2:])
    assert grids["backbone.layer2"] > grids["backbone.layer4"]
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(VisteerError, match=r"backbone\.fc gives no maps"):
        map_grid(model, "backbone.fc", 64)
