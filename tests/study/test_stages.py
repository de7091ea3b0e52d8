"""Training, measuring and showing on a study, in the small."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.oracles.misalignment import paper_flip_instability
from visteer.attribution import explain_images, normalize_maps
from visteer.checkpoint import save_checkpoint, save_training_state
from visteer.edits.map_edit import MapEdit
from visteer.edits.rating import Rating
from visteer.errors import VisteerError
from visteer.evaluation import EvaluationResult
from visteer.evaluation.agreement import krippendorff_alpha
from visteer.models import Classifier
from visteer.steering import SteeringConfig
from visteer.study import (
    Reporting,
    Study,
    chosen_irrelevant,
    compare_runs,
    default_selection,
    evaluate_run,
    explain_run,
    finished_runs,
    import_regions,
    is_steered,
    load_run,
    make_study,
    runs_to_report,
    save_explanation,
    stages,
    train_run,
    variant_dataset,
    write_report,
)

QUICK = {"epochs": 1, "augment": "none", "select_by": "accuracy", "batch_size": 16, "precision": "fp32"}


@pytest.fixture
def trained(study) -> Study:
    """The study with a plain run."""
    train_run(study, SteeringConfig.from_dict(QUICK))
    return study


def test_marks_are_transplanted_where_there_are_small_ones(study):
    assert chosen_irrelevant(study.dataset("train")) == "none"  # no edit yet
    import_regions(study, "masks", outside="irrelevant")
    assert chosen_irrelevant(study.dataset("train")) == "none"  # everything outside the lesion is no mark
    import_regions(study, "masks", outside="unknown")
    assert chosen_irrelevant(study.dataset("train")) == "transplant"


def test_the_layer_of_the_study_is_that_of_its_runs(made, tmp_path, settings):
    layered = tmp_path / "study"
    make_study(layered, dataclasses.replace(settings, layer="backbone.layer3"))
    study = Study(layered)
    config = SteeringConfig.from_dict(QUICK)
    run, _ = train_run(study, config)
    assert explain_run(study, run, "test").maps.shape[1:] == (3, 3)  # stride 16 of 48 px
    other, _ = train_run(study, dataclasses.replace(config, target_layer="backbone.layer4"))
    assert explain_run(study, other, "test").maps.shape[1:] == (2, 2)
    for compared in (
        lambda: compare_runs(study, run, other, "test"),
        lambda: write_report(study, [run, other], "test", tmp_path / "report.html"),
    ):
        with pytest.raises(VisteerError, match=r"different layers \(plain-1 at layer3, plain-2 at layer4"):
            compared()


def test_a_study_needs_a_layer_that_the_model_has(tmp_path, settings):
    with pytest.raises(VisteerError, match=r"no layer .backbone\.layer9.: did you mean"):
        make_study(tmp_path / "study", dataclasses.replace(settings, layer="backbone.layer9"))
    assert not (tmp_path / "study").exists()


def test_maps_count_in_the_selection_where_there_are_regions(study):
    assert default_selection(study.dataset("val"), steered=True) == "f2+auc"
    import_regions(study, "masks", fraction=0)
    assert default_selection(study.dataset("val"), steered=True) == "f2+auc+epg+iou"
    assert default_selection(study.dataset("val"), steered=False) == "f2+auc"


def test_no_area_under_the_curve_with_one_class_to_validate_on(study):
    path = study.folder / "samples.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.replace("dog,val,", "dog,train,") for line in lines) + "\n")
    alone = Study(study.folder)
    assert default_selection(alone.dataset("val"), steered=False) == "f2"
    with pytest.raises(VisteerError, match="no figure 'auc' on the validation images"):
        train_run(alone, SteeringConfig.from_dict({**QUICK, "select_by": "f2+auc"}))
    config = SteeringConfig.from_dict(
        {**QUICK, "select_by": default_selection(alone.dataset("val"), steered=False)}
    )
    assert train_run(alone, config)[0] == "plain-1"


def test_what_counts_as_steered():
    assert not is_steered(SteeringConfig())
    assert is_steered(SteeringConfig(method="attention-mse"))
    assert is_steered(SteeringConfig(irrelevant="replace"))


def test_a_result_is_measured_again_when_the_edits_of_its_images_change(trained, monkeypatch):
    measured = []
    real = stages.evaluate

    def counted(*arguments: object, **named: object) -> EvaluationResult:
        measured.append(1)
        return real(*arguments, **named)

    monkeypatch.setattr(stages, "evaluate", counted)
    first = stages.stored_result(trained, "plain-1", "test")
    assert len(measured) == 1
    stages.stored_result(trained, "plain-1", "test")
    assert len(measured) == 1
    with trained.open_edits() as store:
        store.append(trained.ids("train")[0], MapEdit([[1]], [[1]], author="Ada"))
    stages.stored_result(trained, "plain-1", "test")
    assert len(measured) == 1  # an edit of a training image is not measured against
    target = np.zeros((32, 32), np.float32)
    target[8:24, 8:24] = 1
    with trained.open_edits() as store:
        store.append(trained.ids("test")[0], MapEdit(target, np.ones_like(target), author="Ada"))
    second = stages.stored_result(trained, "plain-1", "test")
    assert len(measured) == 2
    assert np.isnan(first.maps["epg"].value)
    assert not np.isnan(second.maps["epg"].value)


def test_the_same_settings_give_the_same_run_whatever_was_drawn_before(study):
    config = SteeringConfig.from_dict(QUICK)
    first, _ = train_run(study, config)
    torch.rand(7)
    second, _ = train_run(study, config)
    weights = [(study.folder / "runs" / run / "model.safetensors").read_bytes() for run in (first, second)]
    assert weights[0] == weights[1]
    assert finished_runs(study) == ("plain-1", "plain-2")


def test_a_resumed_run_needs_no_initial_weights(study, tmp_path):
    """The weights' own normalisation comes back too: it is not in the state of an epoch."""
    weights = tmp_path / "initial.safetensors"
    model = study.initial_model()
    half = dataclasses.replace(model.preprocessing, mean=(0.5, 0.5, 0.5))
    save_checkpoint(weights, Classifier(model.backbone, model.name, model.class_names, half))
    study.settings = dataclasses.replace(study.settings, weights=str(weights))
    config = SteeringConfig.from_dict({**QUICK, "epochs": 2})
    train_run(study, config)

    def stop(_row: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(study, config, reporting=Reporting(on_epoch=stop))
    weights.unlink()
    assert train_run(study, config, resume="plain-2")[0] == "plain-2"
    whole, resumed = (load_run(study, run) for run in ("plain-1", "plain-2"))
    assert resumed.preprocessing == whole.preprocessing == half
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_run_killed_between_its_last_steps_is_finished(trained):
    """The model is in place and the state not yet deleted."""
    save_training_state(trained.folder / "runs" / "plain-1" / "state.pt", {})
    with pytest.raises(VisteerError, match="is finished: there is nothing to resume"):
        train_run(trained, SteeringConfig.from_dict(QUICK), resume="plain-1")


def test_a_run_killed_before_its_first_epoch_resumes_from_the_initial_weights(study):
    config = SteeringConfig.from_dict(QUICK)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    train_run(study, config)
    with pytest.raises(KeyboardInterrupt):
        train_run(study, config, reporting=Reporting(on_step=stop))
    train_run(study, config, resume="plain-2")
    weights = [(study.folder / "runs" / run / "model.safetensors").read_bytes() for run in study.runs()]
    assert weights[0] == weights[1]


def test_explained_maps_are_of_the_true_class_and_normalised(trained):
    explained = explain_run(trained, "plain-1", "val")
    assert explained.ids == trained.ids("val")
    assert explained.maps.dtype == np.float32
    assert explained.maps.min() == 0
    assert 0 < explained.maps.max() <= 1
    assert np.array_equal(explained.dead, ~explained.maps.any(axis=(1, 2)))
    assert np.allclose(explained.probabilities.sum(1), 1, atol=1e-5)
    with np.load(save_explanation(trained, explained), allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == list(explained.ids)
        assert np.array_equal(arrays["maps"], explained.maps)


def test_instability_is_that_of_each_image_and_its_mirror(trained):
    assert explain_run(trained, "plain-1", "val").instability is None
    explained = explain_run(trained, "plain-1", "val", instability=True)
    model, data = load_run(trained, "plain-1"), trained.dataset("val")
    for row in range(len(data)):
        batch = data.batch([row], torch.device("cpu"))
        mirrored = torch.flip(batch.images, [3])
        maps = normalize_maps(explain_images(model, mirrored, batch.labels).maps)[0]
        if explained.dead[row] and not maps.any():
            assert np.isnan(explained.instability[row])
        else:
            expected = paper_flip_instability(explained.maps[row].tolist(), maps.tolist())
            assert explained.instability[row] == pytest.approx(expected, abs=1e-3)
    with np.load(save_explanation(trained, explained), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["instability"], explained.instability, equal_nan=True)


def test_other_pictures_of_the_classes(study, pictures, tmp_path):
    data = variant_dataset(study, pictures / "images")
    assert (len(data), data.class_names) == (40, ("cat", "dog"))
    assert not len(data.edited)
    (tmp_path / "o" / "bird").mkdir(parents=True)
    (tmp_path / "o" / "bird" / "1.png").write_bytes((pictures / "images/cat/00.png").read_bytes())
    with pytest.raises(VisteerError, match="no images of the study's classes"):
        variant_dataset(study, tmp_path / "o")


def test_the_report_takes_the_latest_run_of_either_kind(trained, tmp_path):
    assert runs_to_report(trained) == ("plain-1",)
    train_run(trained, SteeringConfig.from_dict(QUICK))
    assert runs_to_report(trained) == ("plain-2",)
    import_regions(trained, "masks", outside="unknown")
    train_run(trained, SteeringConfig.from_dict({**QUICK, "method": "attention-mse"}))
    assert runs_to_report(trained) == ("plain-2", "steered-3")
    evaluate_run(trained, "steered-3", "test", resamples=10)
    told = []
    content = write_report(
        trained, ("plain-2", "steered-3"), "test", tmp_path / "two.html", lambda *part: told.append(part)
    )
    assert [run.title for run in content.runs] == ["Plain", "Steered"]
    assert {what for what, _, _ in told} == {"measuring plain-2", "measuring steered-3"}
    assert content.gallery[0].scores[-1] == min(row.scores[-1] for row in content.gallery)
    assert content.facts["maps"] == "2 x 2 cells at the last spatial stage"


def test_blind_ratings_stand_in_the_report_of_the_split_that_was_rated(trained, tmp_path):
    first, second = trained.ids("test")[:2]
    with trained.open_edits() as store:
        for name, author, value in ((first, "Ada", 2), (first, "Eve", 4), (second, "Ada", 5)):
            store.rate(Rating(name, "plain-1", author, value))
    content = write_report(trained, ("plain-1",), "test", tmp_path / "report.html")
    assert content.runs[0].result.maps["expert_rating"].value == 4
    assert content.notes == (
        "Expert rating of plain-1: 2 image(s), 2 rater(s), Krippendorff's alpha "
        f"{krippendorff_alpha(np.array([[2.0, 5.0], [4.0, np.nan]]), 'ordinal'):.2f}",
    )
    assert "Expert rating" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "expert_rating"
        not in write_report(trained, ("plain-1",), "val", tmp_path / "v.html").runs[0].result.maps
    )


def test_compare_pairs_the_same_images(trained):
    train_run(trained, SteeringConfig.from_dict({**QUICK, "seed": 1}))
    rows = compare_runs(trained, "plain-1", "plain-2", "test").rows
    assert rows["accuracy"].difference.value == pytest.approx(
        rows["accuracy"].after.value - rows["accuracy"].before.value
    )


def test_the_train_split_can_be_shown_too(trained):
    assert len(explain_run(trained, "plain-1", "train").ids) == len(trained.ids("train"))


def test_one_layer_under_several_names_is_one(trained):
    """The last stage by default, and by its name in the network and in the classifier around it."""
    runs = ["plain-1"]
    for layer in ("layer4", "backbone.layer4"):
        config = SteeringConfig.from_dict({**QUICK, "epochs": 0, "target_layer": layer})
        runs.append(train_run(trained, config)[0])
    stages.check_same_layer(trained, runs)
    other, _ = train_run(trained, SteeringConfig.from_dict({**QUICK, "target_layer": "layer3"}))
    with pytest.raises(VisteerError, match=rf"\(plain-1 at layer4, {other} at layer3\)"):
        stages.check_same_layer(trained, ["plain-1", other])
