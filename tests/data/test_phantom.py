from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from visteer.data.phantom import PHANTOM_CLASSES, Phantom, Shortcut, _scan, generate_phantom, render_phantom
from visteer.errors import VisteerError

MARKS: tuple[Shortcut, ...] = ("caliper", "tag", "corner")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("shortcut", MARKS)
@pytest.mark.parametrize("label", [0, 1])
def test_a_mark_changes_its_rectangle_and_nothing_else(shortcut: Shortcut, label: int) -> None:
    for seed in range(40):
        plain, *marked = (
            render_phantom(seed, label, image_size=64, shortcut=shortcut, mark=mark) for mark in (None, 0, 1)
        )
        assert not plain.mark.any()
        assert np.array_equal(marked[0].mark, marked[1].mark)
        rows, columns = np.nonzero(marked[0].mark)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height * width == len(rows)
        for phantom in marked:
            assert np.array_equal(phantom.lesion, plain.lesion)
            assert not (phantom.mark & phantom.lesion).any()
            changed = (phantom.image != plain.image).any(axis=2)
            assert changed.any()
            assert not (changed & ~phantom.mark).any()
        assert (marked[0].image != marked[1].image).any()


def test_the_mark_stays_in_the_margin_at_many_places() -> None:
    places = set()
    for seed in range(60):
        mark = render_phantom(seed, 1, image_size=64, shortcut="caliper", mark=0).mark
        rows, columns = np.nonzero(mark)
        edges = (rows.min(), 63 - rows.max(), columns.min(), 63 - columns.max())
        assert min(edges) == 1
        places.add((int(rows.min()), int(columns.min())))
    assert len(places) > 30


def test_lesions_are_darker_and_only_malignant_borders_are_jagged() -> None:
    def jaggedness(lesion: NDArray[np.bool_]) -> float:
        edge = lesion & ~ndimage.binary_erosion(lesion)
        return float(edge.sum() ** 2 / lesion.sum())

    rough: dict[int, list[float]] = {0: [], 1: []}
    for label in (0, 1):
        for seed in range(30):
            phantom = render_phantom(seed, label)
            assert 0.01 < phantom.lesion.mean() < 0.2
            parts, _ = ndimage.label(phantom.lesion)
            # The tips of spikes are thinner than a pixel and may come loose.
            assert np.bincount(parts[parts > 0]).max() > 0.95 * phantom.lesion.sum()
            around = ndimage.binary_dilation(phantom.lesion, iterations=12) & ~ndimage.binary_dilation(
                phantom.lesion, iterations=3
            )
            grey = phantom.image[:, :, 0].astype(float)
            assert grey[phantom.lesion].mean() < 0.75 * grey[around].mean()
            rough[label].append(jaggedness(phantom.lesion))
    assert np.quantile(rough[0], 0.9) < np.quantile(rough[1], 0.1)


def test_sound_passes_a_benign_lesion_and_not_a_malignant_one() -> None:
    """The mean grey of the tissue below a lesion against that beside it, over many pictures."""

    def below(phantom: Phantom) -> float:
        rows, columns = np.nonzero(phantom.lesion)
        grey = phantom.image[rows.max() + 2 : rows.max() + 14, :, 0].astype(float)
        middle = slice(int(columns.mean()) - 5, int(columns.mean()) + 6)
        return float(grey[:, middle].mean() - grey.mean())

    means = [np.mean([below(render_phantom(seed, label)) for seed in range(40)]) for label in (0, 1)]
    assert means[0] > 5
    assert means[1] < -10


def test_speckle_is_the_envelope_of_a_complex_gaussian() -> None:
    """Fully developed speckle has mean / deviation = sqrt(pi / (4 - pi)) = 1.91 before log compression."""
    ratios, across, down = [], [], []
    for seed in range(5):
        flat = np.zeros((128, 128), dtype=np.float32)
        grey = _scan(np.random.default_rng(seed), flat, 128).astype(float) / 255
        assert 0.5 < grey.mean() < 0.62
        amplitude = 10 ** ((grey ** (1 / 1.15) * 47 - 31) / 20)
        ratios.append(amplitude.mean() / amplitude.std())
        rest = grey - grey.mean()
        across.append((rest[:, 2:] * rest[:, :-2]).mean() / rest.var())
        down.append((rest[2:] * rest[:-2]).mean() / rest.var())
    # The slight smoothing of the display makes it a little more even.
    assert 1.85 < np.mean(ratios) < 2.3
    # The beam is wider across than along its path.
    assert np.mean(across) > np.mean(down) + 0.2


def test_the_data_set_on_disk(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    made = generate_phantom(
        tmp_path / "study",
        counts={"train": 21, "val": 6, "test": 20},
        image_size=48,
        agreement={"train": 1.0, "val": 0.75, "test": 0.5},
        variants={"absent": None, "misleading": 0.0},
        seed=4,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(i + 1, 87) for i in range(87)]
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
    assert len(list(made.images.glob("train/benign/*.png"))) == 11
    assert len(list(made.images.glob("train/malignant/*.png"))) == 10
    record = json.loads((made.folder / "phantom.json").read_text())
    assert record["agreement"] == {"train": 1.0, "val": 0.75, "test": 0.5}
    listed = {entry["id"]: entry for entry in record["images"]}
    assert {name for name in tree(made.folder) if "images/" in name} == set(listed)

    def agreeing(start: str) -> list[bool | None]:
        return [entry["agrees"] for name, entry in listed.items() if name.startswith(start)]

    assert agreeing("images/train") == [True] * 21
    for class_name in PHANTOM_CLASSES:
        assert sum(agreeing(f"images/test/{class_name}")) == 5
    assert agreeing("variants/absent") == [None] * 20
    assert agreeing("variants/misleading") == [False] * 20
    assert not (made.variants["absent"] / "marks").exists()
    for name, entry in listed.items():
        image, lesion = pixels(made.folder / name), pixels(made.folder / name.replace("images", "masks"))
        assert image.shape == lesion.shape == (48, 48)
        assert set(np.unique(lesion)) == {0, 255}
        assert (made.folder / name.replace("images", "marks")).exists() == (entry["mark"] is not None)
        assert entry["label"] in name


def test_variants_differ_in_the_marks_alone(tmp_path: Path) -> None:
    made = generate_phantom(
        tmp_path / "study", counts={"test": 12}, image_size=48, shortcut="tag",
        agreement={"test": 0.5}, variants={"absent": None, "agreeing": 1.0, "misleading": 0.0},
    )  # fmt: skip
    paths = sorted(made.images.rglob("*.png"))
    for path in paths:
        name = path.relative_to(made.images)
        main, absent, agreeing, misleading = (
            pixels(folder / "images" / name) for folder in (made.folder, *made.variants.values())
        )
        mark = pixels(made.marks / name) > 0
        for other in (absent, agreeing, misleading):
            assert np.array_equal(main[~mark], other[~mark])
        assert np.array_equal(main, agreeing) != np.array_equal(main, misleading)
        assert not np.array_equal(main, absent)
        lesions = [pixels(folder / "masks" / name) for folder in (made.folder, *made.variants.values())]
        assert all(np.array_equal(lesions[0], lesion) for lesion in lesions[1:])


def test_same_seed_same_bytes_and_splits_share_no_picture(tmp_path: Path) -> None:
    first, second, other = (
        tree(
            generate_phantom(tmp_path / name, counts={"train": 6, "test": 6}, image_size=32, seed=seed).folder
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    images = [
        content
        for name, content in (first | {f"o{k}": v for k, v in other.items()}).items()
        if "images/" in name
    ]
    assert len(set(images)) == len(images) == 24


def test_without_a_shortcut_there_is_no_mark(tmp_path: Path) -> None:
    made = generate_phantom(tmp_path / "study", counts={"train": 4}, image_size=32, shortcut="none")
    assert not made.marks.exists()
    record = json.loads((made.folder / "phantom.json").read_text())
    assert {entry["mark"] for entry in record["images"]} == {None}


def test_nothing_is_overwritten_and_nothing_half_is_left(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(VisteerError, match="full: already there and not empty"):
        generate_phantom(tmp_path / "full", counts={"train": 2}, image_size=32)
    (tmp_path / "empty").mkdir()
    generate_phantom(tmp_path / "empty", counts={"train": 2}, image_size=32)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_phantom(tmp_path / "stopped", counts={"train": 2}, image_size=32, progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 16}, "image_size"),
        ({"shortcut": "ruler"}, "shortcut must be one of caliper, tag, corner, none"),
        ({"counts": {"train": -1}}, "train: -1"),
        ({"counts": {"holdout": 1}}, "holdout"),
        ({"agreement": {"train": 1.5}}, "agreement of train"),
        ({"variants": {"odd": -0.5}}, "agreement of variant odd"),
        ({"variants": {"../up": 0.5}}, "folder name"),
        ({"variants": {"absent": None}, "counts": {"train": 2}}, "test"),
    ],
)
def test_arguments_out_of_range_are_refused(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate_phantom(tmp_path / "study", **arguments)
    assert not list(tmp_path.iterdir())


def test_render_refuses_what_is_no_class() -> None:
    for label, mark in ((2, None), (0, 3)):
        with pytest.raises(ValueError, match="label must be 0 or 1"):
            render_phantom(0, label, mark=mark)


def test_subtle_lesions_of_both_classes_grow_alike() -> None:
    """The jaggedness of the outline tells the classes apart, less so when subtle."""

    def jagged(label: int, subtlety: float) -> float:
        values = []
        for seed in range(12):
            lesion = render_phantom(seed, label, image_size=96, subtlety=subtlety).lesion
            edge = lesion ^ ndimage.binary_erosion(lesion)
            values.append(edge.sum() ** 2 / lesion.sum())
        return float(np.mean(values))

    typical = jagged(1, 0.0) - jagged(0, 0.0)
    subtle = jagged(1, 1.0) - jagged(0, 1.0)
    assert 0 < subtle < 0.8 * typical


def test_subtlety_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="subtlety"):
        render_phantom(0, 0, subtlety=1.5)
