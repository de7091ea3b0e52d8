"""One reader a data-set layout; each yields a Catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from visteer.data.names import show_name
from visteer.data.readers.busi import read_busi
from visteer.data.readers.draft import Draft
from visteer.data.readers.folder import read_folder
from visteer.data.readers.imagenette import read_imagenette
from visteer.data.readers.isic import pair_isic, read_isic9, read_isic2017
from visteer.data.readers.pairing import Pairs, note_unpaired, pair_mirror
from visteer.data.sample import Catalogue, Sample
from visteer.errors import VisteerError

Layout = Literal["folder", "busi", "isic9", "isic2017", "imagenette"]

_EXPECTED: dict[Layout, str] = {
    "folder": "<class>/<image> or {train,val,test}/<class>/<image>",
    "busi": "Dataset_BUSI_with_GT/{benign,malignant,normal}/<image>.png",
    "isic9": "{Train,Test}/<class>/ISIC_*.jpg",
    "isic2017": "ISIC-2017_*_Data/ISIC_*.jpg with ISIC-2017_*_Part3_GroundTruth.csv",
    "imagenette": "imagenette2/{train,val}/<wnid>/<image>.JPEG",
}


def read_catalogue(
    layout: Layout,
    root: Path,
    *,
    masks: Path | None = None,
    irrelevant_masks: Path | None = None,
    classes: Sequence[str] | None = None,
) -> Catalogue:
    """List the images, labels and masks of a data set. Decodes nothing; `check_files` does.

    Arguments:
        layout: how the files lie: "folder", "busi", "isic9", "isic2017" or "imagenette".
        root: the folder as downloaded, or the data set's own folder in it.
        masks: a folder of masks that mirrors the images (the same relative path or stem, any image extension,
            perhaps ending in _mask, _mask_1 or _segmentation). For the ISIC layouts the folder of the
            challenge's masks, or one that holds several. Default: the masks that the layout itself has.
        irrelevant_masks: the same for regions that a classifier must not use.
        classes: keep only these classes, in this label order. Default: all.

    Returns:
        The catalogue. Its `root` is the data set's own folder, so that ids do not depend on what was given.
        Everything odd is in `problems`, by name: nothing is raised for one file.

    Raises:
        VisteerError: a folder is missing, there is no image in this layout, or a wanted class is not there.
        ValueError: unknown layout.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("cat", "dog"):
        ...         (Path(folder) / name).mkdir()
        ...         Image.new("RGB", (8, 8)).save(Path(folder) / name / "1.png")
        ...     catalogue = read_catalogue("folder", Path(folder))
        >>> [(sample.id, sample.label) for sample in catalogue.samples], catalogue.classes
        ([('cat/1.png', 0), ('dog/1.png', 1)], ('cat', 'dog'))
    """
    if layout not in get_args(Layout):
        raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}, got {layout!r}")
    if not root.is_dir():
        raise VisteerError(f"there is no folder {show_name(root)}: check the path of the images")
    try:
        draft = _read_layout(layout, root, [folder for folder in (masks, irrelevant_masks) if folder])
    except OSError as error:
        what = f"cannot be listed ({error.strerror}): check the rights of the folders in it"
        raise VisteerError(f"{show_name(root)} {what}") from error
    if draft is None or not draft.found:
        expected = f"layout {layout} expects {_EXPECTED[layout]}"
        raise VisteerError(f"{show_name(root)} holds no labelled image: {expected}{_first_error(draft)}")
    relevant = _pair_relevant(layout, draft, masks)
    irrelevant: Pairs = {}
    if irrelevant_masks:
        alone = layout.startswith("isic")
        irrelevant = pair_mirror(draft.found, irrelevant_masks, draft.problems, by_stem_alone=alone)
    return _catalogue(draft, _wanted(draft, classes), relevant, irrelevant)


def _read_layout(layout: Layout, root: Path, mask_folders: list[Path]) -> Draft | None:
    if layout == "folder":
        return read_folder(root, exclude=mask_folders)
    return {
        "busi": read_busi,
        "isic9": read_isic9,
        "isic2017": read_isic2017,
        "imagenette": read_imagenette,
    }[layout](root)


def _pair_relevant(layout: Layout, draft: Draft, masks: Path | None) -> Pairs:
    if layout.startswith("isic"):
        if masks and not masks.is_dir():
            raise VisteerError(f"there is no folder of masks {show_name(masks)}: check the path")
        return pair_isic(draft, masks)
    if masks is None:
        return {item.id: item.masks for item in draft.found if item.masks}
    pairs = pair_mirror(draft.found, masks, draft.problems)
    note_unpaired(draft.found, pairs, masks, draft.problems)
    return pairs


def _wanted(draft: Draft, classes: Sequence[str] | None) -> tuple[str, ...]:
    present = {item.class_name for item in draft.found}
    if classes is None:
        return tuple(name for name in draft.classes if name in present)
    unknown = [name for name in classes if name not in present]
    if unknown or len(set(classes)) != len(classes) or not classes:
        named = ", ".join(show_name(name) for name in unknown) or "given twice or empty"
        there = ", ".join(show_name(name) for name in sorted(present))
        raise VisteerError(f"the wanted classes cannot be had ({named}): {show_name(draft.root)} has {there}")
    return tuple(classes)


def _catalogue(draft: Draft, classes: tuple[str, ...], relevant: Pairs, irrelevant: Pairs) -> Catalogue:
    samples = (
        Sample(
            id=item.id,
            image=item.image,
            label=classes.index(item.class_name),
            masks=relevant.get(item.id),
            irrelevant_masks=irrelevant.get(item.id),
            boxes=item.boxes,
            split=item.split,
        )
        for item in draft.found
        if item.class_name in classes
    )
    return Catalogue(
        root=draft.root,
        classes=classes,
        samples=tuple(sorted(samples, key=lambda sample: sample.id)),
        problems=tuple(sorted(set(draft.problems), key=lambda problem: (str(problem.path), problem.what))),
    )


def _first_error(draft: Draft | None) -> str:
    errors = [problem for problem in draft.problems if problem.severity == "error"] if draft else []
    return f" ({show_name(errors[0].path)}: {errors[0].what})" if errors else ""
