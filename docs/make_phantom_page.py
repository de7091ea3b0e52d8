"""Draw docs/images/phantom.png, the sample page of docs/phantom.md: `python docs/make_phantom_page.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from visteer.data.phantom import Shortcut, render_phantom

SIZE, COLUMNS, GAP = 128, 6, 3
OUTLINE = (64, 214, 178)
# Each row: shortcut, the class whose mark is burnt in beside a benign and a malignant lesion.
ROWS: tuple[tuple[Shortcut, tuple[int | None, int | None]], ...] = (
    ("none", (None, None)),
    ("caliper", (0, 1)),
    ("tag", (0, 1)),
    ("corner", (0, 1)),
    ("caliper", (1, 0)),
)


def main() -> None:
    """Three benign and three malignant pictures a row; the first row with the lesions outlined."""
    rows = []
    for number, (shortcut, marks) in enumerate(ROWS):
        cells = []
        for column in range(COLUMNS):
            label, seed = column // 3, 10 + column % 3
            phantom = render_phantom(seed, label, image_size=SIZE, shortcut=shortcut, mark=marks[label])
            image = outlined(phantom.image, phantom.lesion) if number == 0 else phantom.image
            cells.append(np.pad(image, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=24))
        rows.append(np.concatenate(cells, axis=1))
    page = np.concatenate(rows)
    grey = page[:, :, 1]
    # 32 greys and the colour of the outline: a palette makes the file a third of the size.
    indices = np.where(page[:, :, 0] == grey, grey // 8, 32).astype(np.uint8)
    image = Image.fromarray(indices)
    image.putpalette([value for level in range(32) for value in (level * 8 + 4,) * 3] + list(OUTLINE))
    target = Path(__file__).parent / "images" / "phantom.png"
    target.parent.mkdir(exist_ok=True)
    image.save(target, optimize=True)


def outlined(image: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A copy with the border of `region` in green-blue."""
    result = image.copy()
    result[ndimage.binary_dilation(region) & ~region] = OUTLINE
    return result


if __name__ == "__main__":
    main()
