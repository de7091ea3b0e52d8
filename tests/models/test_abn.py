"""Attention branch networks: shapes of the paper, its forward equations, checkpoints, and where a network is split."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.oracles.abn import paper_abn_resnet18
from visteer.attribution import GradCAM, explain_images
from visteer.checkpoint import load_checkpoint, save_checkpoint
from visteer.errors import VisteerError
from visteer.models import (
    AttentionBranchOutputs,
    build_abn,
    build_classifier,
    find_attention_branch,
    find_target_layer,
)


def shapes_at(model: nn.Module, size: int, *names: str) -> dict[str, tuple[int, ...]]:
    """The output shapes of the modules `names` for one image."""
    seen = {}
    modules = dict(model.named_modules())
    for name in names:
        modules[name].register_forward_hook(
            lambda _m, _i, output, name=name: seen.__setitem__(name, tuple(output.shape))
        )
    with torch.no_grad():
        model.eval()(torch.rand(1, 3, size, size))
    return seen


@pytest.mark.parametrize(
    ("name", "channels"),
    [("resnet18", (256, 512)), ("resnet50", (1024, 2048)), ("torchvision:resnet18", (256, 512))],
)
def test_the_layers_have_the_shapes_of_the_paper(name, channels):
    model = build_classifier(f"abn:{name}", 5, "none", 224)
    branch = "backbone.layer4.branch"
    names = [
        f"{branch}.{part}" for part in ("stage", "stage_norm", "squeeze", "classify", "locate", "locate_norm")
    ]
    before, after = channels
    assert shapes_at(model, 224, "backbone.layer3", *names, "backbone.layer4") == {
        "backbone.layer3": (1, before, 14, 14),
        names[0]: (1, after, 14, 14),
        names[1]: (1, after, 14, 14),
        names[2]: (1, 5, 14, 14),
        names[3]: (1, 5, 14, 14),
        names[4]: (1, 1, 14, 14),
        names[5]: (1, 1, 14, 14),
        "backbone.layer4": (1, after, 7, 7),
    }


def test_the_forward_pass_is_that_of_the_paper():
    torch.manual_seed(0)
    model = build_classifier("abn:torchvision:resnet18", 3, "none", 96).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that no normalisation is the identity
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    images = torch.rand(2, 3, 96, 96, dtype=torch.float64)
    with torch.no_grad(), AttentionBranchOutputs(model) as seen:
        logits = model.eval()(images)
    normalised = (images - model.mean) / model.std
    expected = paper_abn_resnet18(normalised, model.backbone.state_dict())
    for found, paper in zip((logits, seen.logits, seen.maps), expected, strict=True):
        assert torch.allclose(found, paper, atol=1e-9)


def test_it_starts_from_the_weights_of_the_classifier_which_stays_as_it_is():
    plain = build_classifier("resnet18", 2, "none", 64)
    before = copy.deepcopy(plain.state_dict())
    model = build_abn(plain)
    assert plain.name == "resnet18"
    assert find_attention_branch(plain) is None
    assert all(torch.equal(plain.state_dict()[key], value) for key, value in before.items())
    stage = model.backbone.layer4
    for part in (stage.stage, stage.branch.stage):
        for key, value in part.state_dict().items():
            assert torch.equal(value, before[f"backbone.layer4.{key}"]), key
    assert all(conv.stride == (1, 1) for conv in stage.branch.modules() if isinstance(conv, nn.Conv2d))
    assert stage.stage[0].conv1.stride == (2, 2)
    assert build_abn(model).name == model.name == "abn:resnet18"


def test_a_checkpoint_is_rebuilt(tmp_path):
    model = build_classifier("abn:resnet18", 2, "none", 64, ["a", "b"])
    save_checkpoint(tmp_path / "abn.safetensors", model, {"epoch": 2})
    loaded = load_checkpoint(tmp_path / "abn.safetensors")
    assert loaded.model.name == "abn:resnet18"
    assert loaded.extra == {"epoch": 2}
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.model.eval()(images), model.eval()(images))
    again = build_classifier("abn:resnet18", 2, "none", 64, ["a", "b"])
    load_checkpoint(tmp_path / "abn.safetensors", again)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("tf_efficientnet_lite0", "blocks.5"),
        ("mobilenetv3_small_100", "blocks.4"),
        ("torchvision:mobilenet_v2", "features.14"),
        ("regnetx_002", "s4"),
        ("torchvision:densenet121", "features.transition3"),
        ("test_resnet", "layer4"),
    ],
)
def test_other_networks_split_before_the_last_stage_that_halves_the_grid(name, split):
    model = build_classifier(f"abn:{name}", 3, "none", 64)
    stage = model.backbone.get_submodule(split)
    assert type(stage).__name__ == "AttendedStage"
    with AttentionBranchOutputs(model) as seen, GradCAM(model) as cam:
        logits = model(torch.rand(2, 3, 64, 64))
        assert cam.maps(logits).shape[1] <= 4
    assert seen.maps.shape == (2, 4, 4)
    assert seen.logits.shape == (2, 3)
    assert find_target_layer(model)


@pytest.mark.parametrize("name", ["torchvision:vgg11", "convnext_atto"])
def test_a_network_that_cannot_be_split_is_refused(name):
    with pytest.raises(VisteerError, match=f"^{name} cannot have an attention branch"):
        build_classifier(f"abn:{name}", 3, "none", 64)


def test_gradients_reach_both_branches_from_both_logits():
    model = build_classifier("abn:test_resnet", 2, "none", 64)
    with AttentionBranchOutputs(model) as seen:
        logits = model(torch.rand(4, 3, 64, 64))
        (logits.sum() + seen.logits.square().sum()).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not find_attention_branch(model)._forward_hooks


def test_explaining_reads_its_own_map():
    model = build_classifier("abn:test_resnet", 3, "none", 64)
    images = torch.rand(2, 3, 64, 64)
    own = explain_images(model, images)
    with torch.no_grad(), AttentionBranchOutputs(model) as seen:
        logits = model.eval()(images)
    assert torch.equal(own.maps, seen.maps)
    assert torch.equal(own.logits, logits)
    several = explain_images(model, images, torch.tensor([[0, 1], [1, 2]]), "abn-attention").maps
    assert torch.equal(several, torch.stack([own.maps, own.maps], dim=1))
    assert explain_images(model, images, method="grad-cam").maps.shape == (2, 2, 2)
    with pytest.raises(VisteerError, match="no attention branch"):
        explain_images(build_classifier("test_resnet", 3, "none", 64), images, method="abn-attention")
    with pytest.raises(ValueError, match="layer of its own"):
        explain_images(model, images, method="abn-attention", layer="layer3")
