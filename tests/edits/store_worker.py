"""A process that appends to a store until it is done or killed; prints one line an acknowledged append."""

from __future__ import annotations

import sys

from visteer.edits.map_edit import MapEdit
from visteer.edits.store import EditStore

if __name__ == "__main__":
    url, author, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with EditStore(url) as store:
        for number in range(count):
            edit = MapEdit([[number / 65535]], [[1]], author=author)
            print(store.append("shared.png", edit), number, flush=True)
