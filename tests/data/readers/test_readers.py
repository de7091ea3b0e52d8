"""Each layout from a small imitation with every fault planted in it, and from the real data."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.data.readers import read_catalogue
from visteer.data.sample import Box, Catalogue
from visteer.errors import VisteerError


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), 255).save(path)
    return path


def listed(catalogue: Catalogue) -> dict[str, str]:
    return {problem.path.name: problem.severity for problem in catalogue.problems}


def ids(catalogue: Catalogue) -> list[str]:
    return [sample.id for sample in catalogue.samples]


def masks_of(catalogue: Catalogue) -> dict[str, list[str] | None]:
    return {
        sample.id: [mask.name for mask in sample.masks] if sample.masks is not None else None
        for sample in catalogue.samples
    }


def test_folder_reads_classes_and_reports_everything_else_at_once(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.JPG", "dog/1.tiff", "dog/deep/9.png", "dog/1_mask.png"):
        picture(tmp_path / name)
    (tmp_path / "empty").mkdir()
    for name in ("README.txt", "cat/scan.dcm", "cat/._1.png", "dog/Thumbs.db"):
        (tmp_path / name).write_text("x")
    catalogue = read_catalogue("folder", tmp_path)
    assert ids(catalogue) == ["cat/1.png", "cat/2.JPG", "dog/1.tiff"]
    assert catalogue.classes == ("cat", "dog")
    assert [sample.label for sample in catalogue.samples] == [0, 0, 1]
    assert {(sample.split, sample.masks) for sample in catalogue.samples} == {(None, None)}
    assert listed(catalogue) == {
        "README.txt": "note",
        "scan.dcm": "error",
        "._1.png": "note",
        "Thumbs.db": "note",
        "deep": "error",
        "1_mask.png": "error",
        "empty": "note",
    }
    assert all(problem.mend and "\n" not in problem.what for problem in catalogue.problems)


def test_names_that_are_not_unicode_are_reported(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "1.png").rename(tmp_path / "cat" / "\udcff.png")
    picture(tmp_path / "cat" / "line\nbreak \x1b[2J<b>.png")
    catalogue = read_catalogue("folder", tmp_path)
    assert ids(catalogue) == ["cat/line\nbreak \x1b[2J<b>.png"]
    assert "UTF-8" in catalogue.problems[0].what


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("train", "val", "test"), {"train": "train", "val": "val", "test": "test"}),
        (("Train", "Test"), {"Train": "train", "Test": "test"}),
        (("train", "valid"), {"train": "train", "valid": "test"}),
        (("val", "test"), {"val": "train", "test": "test"}),
        (("train",), {"train": None}),
    ],
)
def test_folder_reads_the_splits_it_finds(
    tmp_path: Path, parts: tuple[str, ...], expected: dict[str, str | None]
) -> None:
    for part in parts:
        picture(tmp_path / part / "cat" / "1.png")
        picture(tmp_path / part / "dog" / "1.png")
    catalogue = read_catalogue("folder", tmp_path)
    assert {sample.id.split("/")[0]: sample.split for sample in catalogue.samples} == expected
    assert len(catalogue.samples) == 2 * len(parts)


def test_folder_refuses_classes_that_training_does_not_have(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "test/cat/1.png", "test/bird/1.png", "other/cat/1.png"):
        picture(tmp_path / name)
    catalogue = read_catalogue("folder", tmp_path)
    assert catalogue.classes == ("cat",)
    assert listed(catalogue) == {"bird": "error", "other": "error"}


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    picture(tmp_path / "test" / "1.png")
    picture(tmp_path / "rest" / "1.png")
    assert read_catalogue("folder", tmp_path).classes == ("rest", "test")


def test_masks_are_paired_by_name_and_united(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    for name in ("cat/1.jpg", "cat/2.jpg", "cat/3.jpg", "cat/4.jpg", "cat/2_1.jpg", "dog/1.jpg", "dog/9.jpg"):
        picture(images / name)
    for name in ("cat/1.png", "cat/2_mask.png", "cat/2_mask_1.png", "cat/3_Segmentation.BMP", "dog/1.jpg"):
        picture(masks / name)
    for name in ("9_mask.png", "1.png", "dog/4.png", "cat/7_mask.png"):
        picture(masks / name)
    catalogue = read_catalogue("folder", images, masks=masks)
    assert masks_of(catalogue) == {
        "cat/1.jpg": ["1.png"],
        "cat/2.jpg": ["2_mask.png", "2_mask_1.png"],
        "cat/2_1.jpg": None,
        "cat/3.jpg": ["3_Segmentation.BMP"],
        "cat/4.jpg": None,
        "dog/1.jpg": ["1.jpg"],
        "dog/9.jpg": ["9_mask.png"],
    }
    by_path = {problem.path.relative_to(tmp_path).as_posix(): problem for problem in catalogue.problems}
    assert {name: problem.severity for name, problem in by_path.items()} == {
        "images/cat/2_1.jpg": "note",
        "images/cat/4.jpg": "note",
        "masks/1.png": "error",
        "masks/dog/4.png": "error",
        "masks/cat/7_mask.png": "error",
    }
    assert "could be the mask of 'cat/1.jpg', 'dog/1.jpg'" in by_path["masks/1.png"].what


def test_two_images_of_one_stem_are_told_apart_by_the_whole_name(tmp_path: Path) -> None:
    for name in ("images/cat/1.png", "images/cat/1.jpg", "masks/cat/1.png", "masks/cat/1_mask.png"):
        picture(tmp_path / name)
    catalogue = read_catalogue("folder", tmp_path / "images", masks=tmp_path / "masks")
    assert masks_of(catalogue) == {"cat/1.jpg": None, "cat/1.png": ["1.png"]}
    assert listed(catalogue) == {"1_mask.png": "error", "1.jpg": "note"}


def test_mask_folders_inside_the_root_are_no_classes(tmp_path: Path) -> None:
    for name in ("cat/1.png", "masks/cat/1.png", "shortcuts/cat/1.png"):
        picture(tmp_path / name)
    catalogue = read_catalogue(
        "folder", tmp_path, masks=tmp_path / "masks", irrelevant_masks=tmp_path / "shortcuts"
    )
    assert catalogue.classes == ("cat",)
    assert catalogue.samples[0].masks == (tmp_path / "masks/cat/1.png",)
    assert catalogue.samples[0].irrelevant_masks == (tmp_path / "shortcuts/cat/1.png",)
    assert catalogue.problems == ()


def test_wanted_classes_set_the_labels(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "c/1.png"):
        picture(tmp_path / name)
    catalogue = read_catalogue("folder", tmp_path, classes=("c", "a"))
    assert catalogue.classes == ("c", "a")
    assert [(sample.id, sample.label) for sample in catalogue.samples] == [("a/1.png", 1), ("c/1.png", 0)]
    with pytest.raises(VisteerError, match=r"'z'.* has 'a', 'b', 'c'"):
        read_catalogue("folder", tmp_path, classes=("a", "z"))
    for wrong in ((), ("a", "a")):
        with pytest.raises(VisteerError, match="given twice or empty"):
            read_catalogue("folder", tmp_path, classes=wrong)


@pytest.mark.parametrize("layout", ["folder", "busi", "isic9", "isic2017", "imagenette"])
def test_missing_and_empty_roots_are_one_line(tmp_path: Path, layout: str) -> None:
    with pytest.raises(VisteerError, match="there is no folder"):
        read_catalogue(layout, tmp_path / "none")
    with pytest.raises(VisteerError, match=f"holds no labelled image: layout {layout} expects"):
        read_catalogue(layout, tmp_path)
    with pytest.raises(ValueError, match="layout must be one of folder, busi"):
        read_catalogue("coco", tmp_path)
    picture(tmp_path / "x" / "1.png")
    if layout == "folder":
        with pytest.raises(VisteerError, match="no folder of masks"):
            read_catalogue(layout, tmp_path, masks=tmp_path / "none")


def test_busi_unites_masks_and_reports_orphans(tmp_path: Path) -> None:
    root = tmp_path / "Dataset_BUSI_with_GT"
    for name in ("benign (1)", "benign (1)_mask", "benign (1)_mask_1", "benign (2)", "benign (3)_mask"):
        picture(root / "benign" / f"{name}.png")
    for name in ("normal (1)", "normal (1)_mask"):
        picture(root / "normal" / f"{name}.png")
    picture(root / "odd" / "1.png")
    catalogue = read_catalogue("busi", tmp_path)
    assert catalogue == read_catalogue("busi", root)
    assert catalogue.classes == ("benign", "normal")
    assert masks_of(catalogue) == {
        "benign/benign (1).png": ["benign (1)_mask.png", "benign (1)_mask_1.png"],
        "benign/benign (2).png": None,
        "normal/normal (1).png": ["normal (1)_mask.png"],
    }
    assert listed(catalogue) == {"benign (2).png": "note", "benign (3)_mask.png": "error", "odd": "error"}


def test_isic9_shares_masks_between_copies_and_takes_the_later_challenge(tmp_path: Path) -> None:
    root = tmp_path / "Skin cancer ISIC The International Skin Imaging Collaboration"
    for name in ("Train/melanoma/ISIC_1", "Train/nevus/ISIC_1", "Test/nevus/ISIC_2", "Train/nevus/ISIC_3"):
        picture(root / f"{name}.jpg")
    picture(root / "Train" / "freckle" / "ISIC_9.jpg")
    old, new = "ISBI2016_ISIC_Part1_Training_GroundTruth", "ISIC-2017_Training_Part1_GroundTruth"
    picture(tmp_path / old / "ISIC_1_Segmentation.png")
    picture(tmp_path / old / "ISIC_3_Segmentation.png")
    picture(tmp_path / new / "ISIC_1_segmentation.png")
    picture(tmp_path / new / "ISIC_8_segmentation.png")
    picture(tmp_path / "ISIC2018_Task2_Training_GroundTruth_v3" / "ISIC_2_attribute_globules.png")
    for given in (None, tmp_path):
        catalogue = read_catalogue("isic9", root, masks=given)
        assert masks_of(catalogue) == {
            "Test/nevus/ISIC_2.jpg": None,
            "Train/melanoma/ISIC_1.jpg": ["ISIC_1_segmentation.png"],
            "Train/nevus/ISIC_1.jpg": ["ISIC_1_segmentation.png"],
            "Train/nevus/ISIC_3.jpg": ["ISIC_3_Segmentation.png"],
        }
        assert listed(catalogue) == {"freckle": "error", new: "note"}
    assert [sample.split for sample in catalogue.samples] == ["test", "train", "train", "train"]
    one = read_catalogue("isic9", tmp_path, masks=tmp_path / old, classes=("melanoma", "nevus"))
    assert masks_of(one)["Train/melanoma/ISIC_1.jpg"] == ["ISIC_1_Segmentation.png"]


def test_isic2017_reads_diagnoses_by_name(tmp_path: Path) -> None:
    for number in range(1, 6):
        picture(tmp_path / "ISIC-2017_Training_Data" / f"ISIC_{number}.jpg")
    picture(tmp_path / "ISIC-2017_Training_Data" / "ISIC_1_superpixels.png")
    picture(tmp_path / "ISIC-2017_Test_v2_Data" / "ISIC_7.jpg")
    picture(tmp_path / "ISIC-2017_Training_Part1_GroundTruth" / "ISIC_2_segmentation.png")
    (tmp_path / "ISIC-2017_Training_Part3_GroundTruth.csv").write_text(
        "image_id,melanoma,seborrheic_keratosis\nISIC_3,0.0,0.0\nISIC_1,1.0,0.0\nISIC_2,0,1\n"
        "ISIC_4,1.0,1.0\nISIC_99,0,0\nISIC_98\n"
    )
    (tmp_path / "ISIC-2017_Test_v2_Part3_GroundTruth.csv").write_text(
        "\ufeffimage_id,melanoma,seborrheic_keratosis\nISIC_7,1.0,0.0\n"
    )
    catalogue = read_catalogue("isic2017", tmp_path)
    assert {
        sample.image.stem: (catalogue.classes[sample.label], sample.split) for sample in catalogue.samples
    } == {
        "ISIC_1": ("melanoma", "train"),
        "ISIC_2": ("seborrheic keratosis", "train"),
        "ISIC_3": ("nevus", "train"),
        "ISIC_7": ("melanoma", "test"),
    }
    assert [sample.id for sample in catalogue.samples if sample.masks] == [
        "ISIC-2017_Training_Data/ISIC_2.jpg"
    ]
    whats = " ".join(problem.what for problem in catalogue.problems)
    assert listed(catalogue)["ISIC_4.jpg"] == listed(catalogue)["ISIC_5.jpg"] == "error"
    for part in ("line 5: the diagnosis of 'ISIC_4'", "line 7 has too few", "1 diagnoses have no image here"):
        assert part in whats
    inner = read_catalogue("isic2017", tmp_path / "ISIC-2017_Training_Data")
    assert ids(inner) == [f"ISIC-2017_Training_Data/ISIC_{number}.jpg" for number in (1, 2, 3)]


@pytest.mark.parametrize("table", [None, b"image_id,melanoma\nISIC_1,1\n", b"\xff\xfe\0", b'"\0'])
def test_isic2017_without_a_table_names_the_table(tmp_path: Path, table: bytes | None) -> None:
    picture(tmp_path / "ISIC-2017_Training_Data" / "ISIC_1.jpg")
    if table is not None:
        (tmp_path / "ISIC-2017_Training_Part3_GroundTruth.csv").write_bytes(table)
    with pytest.raises(VisteerError, match=r"no labelled image.*Part3_GroundTruth.csv"):
        read_catalogue("isic2017", tmp_path)


def test_imagenette_reads_names_splits_and_boxes(tmp_path: Path) -> None:
    for name in ("train/n01440764/a", "train/n03888257/b", "val/n01440764/c", "val/n99999999/d"):
        picture(tmp_path / "imagenette2" / f"{name}.JPEG")
        (tmp_path / "imagenette2" / f"{name}.JPEG").touch()
    (tmp_path / "imagenette2" / "noisy_imagenette.csv").write_text("path\n")
    (tmp_path / "boxes_ilsvrc2012_val.csv").write_text(
        "path,wnid,orig_width,orig_height,xmin,ymin,xmax,ymax\n"
        "train/n01440764/a.JPEG,n01440764,200,100,50,0,150,100\n"
        "train/n01440764/a.JPEG,n01440764,200,100,0,50,210,100\n"
        "train/n03888257/b.JPEG,n03888257,200,100,60,10,60,20\n"
        "train/n03888257/b.JPEG,n03888257,0,100,60,10,80,20\n"
        "train/n03888257/b.JPEG,n03888257,nan,100,60,10,80,20\n"
        "train/n03888257/gone.JPEG,n03888257,200,100,60,10,80,20\n"
    )
    catalogue = read_catalogue("imagenette", tmp_path)
    assert catalogue == read_catalogue("imagenette", tmp_path / "imagenette2")
    assert catalogue.classes == ("tench", "parachute")
    a, b, c = catalogue.samples
    assert a.boxes == (Box(0.25, 0, 0.75, 1), Box(0, 0.5, 1, 1))
    assert (b.boxes, b.label) == (None, 1)
    assert (a.split, b.split, c.split) == ("train", "train", "test")
    whats = [problem.what for problem in catalogue.problems]
    assert sum("is empty or no box" in what for what in whats) == 3
    assert any("1 boxed images are not here, such as 'train/n03888257/gone.JPEG'" in what for what in whats)
    assert listed(catalogue)["n99999999"] == "error"


@pytest.mark.real_data
def test_real_busi(real_data: Path) -> None:
    catalogue = read_catalogue("busi", real_data / "busi")
    assert Counter(catalogue.classes[s.label] for s in catalogue.samples) == {
        "benign": 292,
        "malignant": 139,
        "normal": 87,
    }
    assert sum(len(s.masks or ()) for s in catalogue.samples) == 529
    assert catalogue.problems == ()


@pytest.mark.real_data
def test_real_isic9(real_data: Path) -> None:
    catalogue = read_catalogue("isic9", real_data / "isic9")
    assert catalogue.problems == ()
    masked = Counter((catalogue.classes[s.label], s.split) for s in catalogue.samples if s.masks)
    assert masked == {
        ("melanoma", "train"): 116,
        ("melanoma", "test"): 11,
        ("nevus", "train"): 162,
        ("nevus", "test"): 10,
        ("seborrheic keratosis", "train"): 13,
    }
    two = read_catalogue("isic9", real_data / "isic9", classes=("melanoma", "nevus"))
    assert Counter((two.classes[s.label], s.split) for s in two.samples) == {
        ("melanoma", "train"): 293,
        ("melanoma", "test"): 11,
        ("nevus", "train"): 238,
        ("nevus", "test"): 11,
    }


@pytest.mark.real_data
def test_real_isic2017(real_data: Path) -> None:
    catalogue = read_catalogue("isic2017", real_data / "isic2017")
    assert catalogue.problems == ()
    assert Counter(catalogue.classes[s.label] for s in catalogue.samples) == {
        "melanoma": 7,
        "seborrheic keratosis": 23,
        "nevus": 36,
    }
    assert all(len(s.masks or ()) == 1 and s.split is None for s in catalogue.samples)


@pytest.mark.real_data
def test_real_imagenette_boxes_lie_where_the_table_says(real_data: Path) -> None:
    catalogue = read_catalogue("imagenette", real_data / "imagenette")
    assert catalogue.problems == ()
    boxes = {s.id: s.boxes for s in catalogue.samples if s.boxes}
    assert (len(boxes), sum(len(b) for b in boxes.values())) == (333, 550)
    with (real_data / "imagenette" / "boxes_ilsvrc2012_val.csv").open() as file:
        row = next(csv.DictReader(file))
    first = boxes[row["path"]][0]
    expected = [175 / 500, 184 / 375, 499 / 500, 341 / 375]
    assert np.allclose([first.left, first.top, first.right, first.bottom], expected)
    assert {s.id.split("/")[0]: s.split for s in catalogue.samples} == {"train": "train", "val": "test"}


def test_two_sets_in_one_root_are_not_silently_read_as_one(tmp_path: Path) -> None:
    for part in ("train", "test"):
        picture(tmp_path / part / "benign" / "benign (1).png")
    with pytest.raises(VisteerError, match=r"several folders of this layout \('test', 'train'\)"):
        read_catalogue("busi", tmp_path)
