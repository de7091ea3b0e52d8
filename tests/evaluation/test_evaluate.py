from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from visteer.attribution.explain import explain_images
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.evaluation.evaluate import evaluate
from visteer.evaluation.intervention import REGIONS, REPLACEMENTS
from visteer.evaluation.localisation import MAP_SCORES, localisation_scores
from visteer.evaluation.result import Figure, load_result, save_result
from visteer.steering.dataset import SteeringDataset

FIXED_KEYS = {
    None: {"accuracy", "balanced_accuracy", "auc", "f2", "ece"},
    "maps": {"epg", "iou", "dice", "pointing_game", "map_distance", "dead"},
    "interventions": {"reliance_irrelevant", "reliance_relevant"},
}


def small_net(seed=0, classes=3):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes),
    )  # fmt: skip


def small_data(n=21, edited=12, seed=0):
    rng = np.random.default_rng(seed)
    target, weight = np.zeros((12, 12)), np.ones((12, 12))
    target[3:8, 3:8] = 1
    weight[8:] = 0
    edits = {f"image {i}": MapEdit(target, weight, author="Ada") for i in range(edited)}
    images = rng.integers(0, 256, (n, 12, 12, 3), np.uint8)
    ids = [f"image {i}" for i in range(n)]
    return SteeringDataset(images, rng.integers(0, 3, n), ["a", "b", "c"], ids=ids, edits=edits)


@pytest.fixture(scope="module")
def result():
    return evaluate(small_net(), small_data(), layer="2", resamples=200, draws=2)


def figures_of(content):
    """Every {"value", "low", "high"} anywhere in `content`."""
    if isinstance(content, dict):
        if set(content) == {"value", "low", "high"}:
            yield content
        else:
            for part in content.values():
                yield from figures_of(part)
    elif isinstance(content, list):
        for part in content:
            yield from figures_of(part)


def test_every_figure_is_there_with_its_interval(result):
    content = result.to_json()
    for part, names in FIXED_KEYS.items():
        assert names <= set(content if part is None else content[part])
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    found = list(figures_of(content))
    assert len(found) == 5 + 8 + 2 + 10 * 3 + 3 * 2 + 9
    for figure in found:
        assert figure["low"] <= figure["value"] + 1e-6
        assert figure["value"] <= figure["high"] + 1e-6
    assert result.counts == {
        "images": 21,
        "with_edit": 12,
        "with_region": 12,
        "with_relevant": 12,
        "with_irrelevant": 12,
        "relevant_left_out": 0,
        "irrelevant_left_out": 0,
    }
    rows = [(row.region, row.replacement, row.images) for row in result.intervention_rows]
    assert rows == [(region, how, 12) for region in REGIONS for how in REPLACEMENTS]


def test_the_one_pass_gives_the_model_s_own_predictions_and_maps(result):
    data, net = small_data(), small_net().eval()
    batch = data.batch(np.arange(21))
    with torch.no_grad():
        probabilities = net(batch.images).softmax(dim=1).double().numpy()
    assert result.per_image.probabilities == pytest.approx(probabilities, abs=1e-6)
    maps = explain_images(net, batch.images, batch.labels, layer="2").maps[:12]
    expected = localisation_scores(maps, batch.targets[:12], batch.weights[:12])
    for name in MAP_SCORES:
        scores = result.per_image.scores[name]
        assert scores[:12] == pytest.approx(expected[name].numpy(), abs=1e-5, nan_ok=True), name
        assert np.isnan(scores[12:]).all()
        assert result.maps[name].value == pytest.approx(np.nanmean(scores)), name


def test_the_batch_size_changes_nothing(result):
    other = evaluate(small_net(), small_data(), layer="2", resamples=200, draws=2, batch_size=4)
    for one, two in zip(figures_of(other.to_json()), figures_of(result.to_json()), strict=True):
        assert one == pytest.approx(two, abs=1e-5)


def test_the_model_is_as_it_was():
    net = small_net().train()
    net[1].eval()  # a frozen BatchNorm
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    flags = [module.training for module in net.modules()]
    evaluate(net, small_data(6, 3), layer="2", resamples=5)
    assert [module.training for module in net.modules()] == flags
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())

    def broken(*_):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        evaluate(net, small_data(6, 3), layer="2", resamples=5, progress=broken)
    assert [module.training for module in net.modules()] == flags


def test_without_edits_the_predictions_are_measured_all_the_same():
    calls = []
    found = evaluate(
        small_net(), small_data(edited=0), layer="2", resamples=50, progress=lambda *done: calls.append(done)
    )
    assert 0 <= found.figures["accuracy"].low <= found.figures["accuracy"].high <= 1
    assert found.maps["dead"].value >= 0
    missing = [found.maps[name] for name in MAP_SCORES]
    missing += [*found.iou_sweep.values(), *found.interventions.values()]
    missing += [row.accuracy for row in found.intervention_rows]
    assert all(math.isnan(f.value) and math.isnan(f.low) and math.isnan(f.high) for f in missing)
    assert found.to_json()["maps"]["epg"] == {"value": None, "low": None, "high": None}
    assert calls == [(21, 21)]


def test_progress_counts_passes_and_changes():
    calls = []
    data = small_data(10, 4)
    evaluate(
        small_net(), data, layer="2", resamples=5, batch_size=4, progress=lambda *done: calls.append(done)
    )
    assert calls == [(4, 18), (8, 18), (10, 18), (14, 18), (18, 18)]


def test_without_interventions():
    found = evaluate(small_net(), small_data(), layer="2", resamples=50, interventions=False)
    assert found.intervention_rows == ()
    assert math.isnan(found.interventions["reliance_irrelevant"].value)
    assert found.counts["with_irrelevant"] == 12


def test_one_image():
    found = evaluate(small_net(), small_data(1, 1), layer="2", resamples=20)
    accuracy = found.figures["accuracy"]
    assert accuracy.low == accuracy.value == accuracy.high
    assert math.isnan(found.figures["auc"].value)
    assert math.isnan(found.interventions["reliance_irrelevant"].value)
    assert found.maps["iou"].value >= 0


def test_a_class_without_images():
    data = small_data()
    data.labels[data.labels == 2] = 1
    found = evaluate(small_net(), data, layer="2", resamples=50, interventions=False)
    assert math.isnan(found.per_class["c"]["sensitivity"].value)
    assert found.per_class["c"]["specificity"].value >= 0
    assert 0 <= found.figures["auc"].low <= found.figures["auc"].high <= 1


def test_groups_are_resampled_together():
    images = np.repeat(small_data(8, 0).images, 4, axis=0)
    data = SteeringDataset(images, np.repeat([0, 1, 2, 0, 1, 2, 0, 1], 4), ["a", "b", "c"])
    loose, tied = (
        evaluate(small_net(3), data, layer="2", resamples=400, interventions=False, groups=groups)
        for groups in (None, np.repeat(list("abcdefgh"), 4))
    )
    width = [f.figures["ece"].high - f.figures["ece"].low for f in (loose, tied)]
    assert loose.figures["ece"].value == tied.figures["ece"].value
    assert width[1] > 1.4 * width[0]


def test_maps_of_the_predicted_class():
    data = small_data()
    true, predicted = (
        evaluate(small_net(), data, layer="2", resamples=5, interventions=False, map_targets=targets)
        for targets in ("true", "predicted")
    )
    right = true.per_image.probabilities.argmax(axis=1) == data.labels
    same = true.per_image.scores["epg"] == predicted.per_image.scores["epg"]
    assert predicted.map_targets == "predicted"
    assert same[:12][right[:12]].all()
    assert not same[:12].all()


def test_a_broken_model_is_named():
    net = small_net()
    with torch.no_grad():
        net[6].bias[0] = math.nan
    with pytest.raises(VisteerError, match="not finite for image image 0"):
        evaluate(net, small_data(), layer="2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch size"),
        ({"resamples": 0}, "1 resample"),
        ({"draws": 0}, "draws"),
        ({"map_targets": "all"}, "map_targets"),
        ({"groups": ["a"]}, "groups"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(small_net(), small_data(4, 2), layer="2", **options)


def test_a_model_of_other_classes_and_no_images():
    with pytest.raises(ValueError, match="5 classes and the data have 3"):
        evaluate(small_net(classes=5), small_data(), layer="2")
    with pytest.raises(ValueError, match="at least 1 image"):
        evaluate(small_net(), small_data(0, 0), layer="2")


def test_saved_and_loaded_it_is_the_same(result, tmp_path):
    path = save_result(tmp_path, "run 1", result)
    loaded = load_result(tmp_path, "run 1")
    assert path == tmp_path / "run 1.json"
    assert loaded.to_json() == result.to_json()
    assert loaded.iou_sweep.keys() == result.iou_sweep.keys()
    assert loaded.per_image.ids == result.per_image.ids
    assert loaded.per_image.groups is None
    for name, scores in result.per_image.scores.items():
        assert np.array_equal(loaded.per_image.scores[name], scores, equal_nan=True)
    for name in ("labels", "probabilities", "dead"):
        assert np.array_equal(getattr(loaded.per_image, name), getattr(result.per_image, name))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run 1.json", "run 1.npz"]


def test_nan_and_groups_survive_saving(tmp_path):
    one = evaluate(small_net(), small_data(3, 0), layer="2", resamples=5, groups=[7, 7, 9])
    save_result(tmp_path, "one", one)
    loaded = load_result(tmp_path, "one")
    assert math.isnan(loaded.maps["epg"].value)
    assert loaded.per_image.groups.tolist() == [0, 0, 1]


def test_files_of_two_savings_are_not_mixed(result, tmp_path):
    save_result(tmp_path, "a", result)
    save_result(tmp_path, "b", evaluate(small_net(1), small_data(), layer="2", resamples=5))
    (tmp_path / "b.npz").replace(tmp_path / "a.npz")
    with pytest.raises(VisteerError, match=r"a\.json and its \.npz file do not belong together; evaluate"):
        load_result(tmp_path, "a")
    with pytest.raises(VisteerError, match=r"cannot read the evaluation .*b\.json: No such file"):
        load_result(tmp_path, "b")


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "visteer-evaluation 99"}', "\xff"])
def test_a_damaged_file_is_named(result, tmp_path, content):
    save_result(tmp_path, "a", result)
    (tmp_path / "a.json").write_text(content, encoding="latin-1")
    with pytest.raises(VisteerError, match=r"a\.json .*evaluate the run again"):
        load_result(tmp_path, "a")


def test_a_missing_part_is_named(result, tmp_path):
    path = save_result(tmp_path, "a", result)
    content = json.loads(path.read_text())
    del content["maps"]
    path.write_text(json.dumps(content))
    with pytest.raises(VisteerError, match=r"a\.json is damaged \(KeyError"):
        load_result(tmp_path, "a")


def test_a_failed_saving_leaves_the_old_result(result, tmp_path, monkeypatch):
    save_result(tmp_path, "a", result)

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr("visteer.atomic.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save_result(tmp_path, "a", result)
    assert load_result(tmp_path, "a").to_json() == result.to_json()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_stays_in_its_folder(result, tmp_path):
    with pytest.raises(ValueError, match="plain file name"):
        save_result(tmp_path, "../a", result)


def test_infinite_is_no_number_in_json():
    assert Figure(math.inf, 0.0, math.nan).to_json() == {"value": None, "low": 0.0, "high": None}


@pytest.mark.real_data
def test_busi_masks_of_real_images(real_data):
    """Lesions have a region; a normal breast is irrelevant all over, so replacing it says nothing."""
    images, edits = [], {}
    for kind in ("benign", "malignant", "normal"):
        folder = real_data / "busi" / "Dataset_BUSI_with_GT" / kind
        for picture in sorted(p for p in folder.iterdir() if "_mask" not in p.name)[:4]:
            with Image.open(picture) as opened:
                images.append(np.asarray(opened.convert("RGB").resize((64, 64))))
            with Image.open(picture.with_name(f"{picture.stem}_mask.png")) as opened:
                lesion = np.asarray(opened.convert("L")) > 127
            edits[str(len(images) - 1)] = MapEdit(lesion, np.ones(lesion.shape), author="BUSI")
    data = SteeringDataset(np.stack(images), np.repeat([0, 1, 2], 4), ["b", "m", "n"], edits=edits)
    found = evaluate(small_net(), data, layer="2", resamples=50)
    assert found.counts["with_region"] == found.counts["with_relevant"] == 8
    assert found.counts["with_irrelevant"] == 12
    assert found.counts["irrelevant_left_out"] >= 4
    scores = found.per_image.scores
    assert np.isfinite(scores["epg"]).tolist() == [True] * 8 + [False] * 4
    lesion_share = (data.batch(np.arange(8)).targets >= 0.5).float().mean(dim=(1, 2)).numpy()
    chance = np.abs(scores["epg"][:8] - lesion_share)
    assert (chance < 0.35).all()  # random weights look nearly everywhere
    assert np.isfinite(found.interventions["reliance_relevant"].value)
