"""Two runs on one image: the figures are those of the evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.server.serving import put
from visteer.evaluation.localisation import localisation_scores
from visteer.study import Study


def compared(client, key: int, before: str = "plain-1", after: str = "plain-1"):
    return client.get(f"/api/images/{key}/comparison", params={"before": before, "after": after})


@pytest.fixture
def row(study: Study) -> int:
    """The place in the test split of an image whose map is not dead."""
    with np.load(study.folder / "maps" / "plain-1-test.npz") as file:
        return int(np.flatnonzero(~file["dead"])[0])


@pytest.fixture
def key(study: Study, row: int) -> int:
    """Its key."""
    return study.ids().index(study.ids("test")[row])


def test_without_an_edit_there_are_predictions_and_no_scores(client, key, study):
    found = compared(client, key).json()
    assert found["id"] == study.samples[key].id
    with np.load(study.folder / "maps" / "plain-1-test.npz") as file:
        best = int(file["probabilities"][list(file["ids"]).index(found["id"])].argmax())
    assert found["before"]["predicted"] == study.class_names[best]
    assert sum(entry["p"] for entry in found["after"]["probabilities"]) == pytest.approx(1)
    assert [found["after"][name] for name in ("misalignment", "epg", "iou")] == [None] * 3


def test_with_an_edit_the_scores_are_those_of_the_evaluation(client, key, study):
    assert put(client, key, 0).status_code == 200
    found = compared(client, key).json()["before"]
    with np.load(study.folder / "maps" / "plain-1-test.npz") as file:
        values = file["maps"][list(file["ids"]).index(study.samples[key].id)]
    target = torch.zeros(6, 8)
    target[:3] = 1
    scores = localisation_scores(torch.tensor(values)[None], target[None], torch.ones(1, 6, 8))
    assert found["epg"] == pytest.approx(scores["epg"].item())
    assert found["iou"] == pytest.approx(scores["iou"].item())
    item = client.get(f"/api/images/{key}").json()
    assert found["misalignment"] == pytest.approx(item["misalignment"])


def test_what_is_not_there_is_said(client, key, study):
    assert compared(client, len(study.samples)).status_code == 404
    assert compared(client, key, after="no-7").status_code == 404
    assert client.get(f"/api/images/{key}/comparison").status_code == 422
