"""EditStore: nothing acknowledged is ever lost, changed, or silently wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from visteer.edits.map_edit import MapEdit
from visteer.edits.schema import VERSION_TABLE, metadata
from visteer.edits.store import (
    EditConflict,
    EditStore,
    RevisionNote,
    StoreFailure,
    StrokeConflict,
    VerdictNote,
)
from visteer.edits.verdict import Verdict
from visteer.errors import VisteerError

WORKER = Path(__file__).parent / "store_worker.py"
MakeEdit = Callable[..., MapEdit]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind. The PostgreSQL one is wiped: give one that is for tests alone."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/study.db"
        return
    found = os.environ.get("VISTEER_TEST_POSTGRES")
    if not found:
        pytest.skip("no PostgreSQL: set VISTEER_TEST_POSTGRES to the URL of an empty database")
    engine = create_engine(found)
    with engine.begin() as connection:
        tables = ", ".join([*metadata.tables, VERSION_TABLE])
        connection.execute(text(f"DROP TABLE IF EXISTS {tables} CASCADE"))
        connection.execute(text("DROP FUNCTION IF EXISTS visteer_append_only CASCADE"))
    engine.dispose()
    yield found


@pytest.fixture
def store(url: str) -> Iterator[EditStore]:
    with EditStore(url) as opened:
        yield opened


def start_worker(url: str, author: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, WORKER, url, author, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_what_is_appended_comes_back_equal(store: EditStore, url: str, make_edit: MakeEdit) -> None:
    edits = [make_edit(1), make_edit(2, "Eve", (1, 1)), make_edit(3, "Zoë", (300, 200))]
    assert [store.append("a b (1).png", edit) for edit in edits] == [1, 2, 3]
    with EditStore(url) as again:
        expected = tuple(replace(edit, revision=n) for n, edit in enumerate(edits, start=1))
        assert again.history("a b (1).png") == expected
        assert again.get("a b (1).png", 2) == expected[1]
        assert again.latest() == {"a b (1).png": expected[2]}
        assert again.count() == 3
        assert again.authors() == ("Ada", "Eve", "Zoë")


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
            ),
            st.integers(0, 65535),
            st.integers(0, 255),
        ),
        max_size=8,
    )
)
def test_any_id_and_value_round_trips(items: list[tuple[str, int, int]]) -> None:
    expected: dict[str, list[MapEdit]] = {}
    with EditStore("sqlite://") as store:
        for name, target, weight in items:
            edit = MapEdit([[target / 65535]], [[weight / 255]], author=name + "!", comment=name)
            revision = store.append(name, edit)
            expected.setdefault(name, []).append(replace(edit, revision=revision))
        for name, edits in expected.items():
            assert store.history(name) == tuple(edits)
            assert [edit.revision for edit in edits] == list(range(1, len(edits) + 1))
        assert list(store.latest()) == sorted(expected)
        assert store.latest() == {name: edits[-1] for name, edits in expected.items()}


def test_latest_of_some_images(store: EditStore, make_edit: MakeEdit) -> None:
    names = [f"{n:04}.png" for n in range(1200)]
    edit = make_edit(shape=(1, 1))
    assert store.append_many(dict.fromkeys(reversed(names), edit)) == dict.fromkeys(names, 1)
    assert store.append("0007.png", make_edit(7)) == 2
    assert list(store.latest()) == names
    assert store.image_ids() == tuple(names)
    assert list(store.latest([*reversed(names), "unknown.png"])) == names
    assert store.latest(["0007.png"]) == {"0007.png": replace(make_edit(7), revision=2)}
    assert store.latest([]) == {}


def test_what_is_not_there(store: EditStore) -> None:
    assert store.latest() == {}
    assert store.history("a.png") == ()
    assert store.count() == 0
    assert store.image_ids() == ()
    assert store.authors() == ()
    with pytest.raises(VisteerError, match=r"a\.png has no edit with revision 3"):
        store.get("a.png", 3)


def test_a_conflict_names_both_revisions_and_stores_nothing(store: EditStore, make_edit: MakeEdit) -> None:
    assert store.append("a.png", make_edit(1), based_on=0) == 1
    assert store.append("a.png", make_edit(2), based_on=1) == 2
    with pytest.raises(EditConflict, match=r"a\.png.*from revision 1, but revision 2") as caught:
        store.append("a.png", make_edit(3), based_on=1)
    assert (caught.value.image_id, caught.value.based_on, caught.value.latest) == ("a.png", 1, 2)
    with pytest.raises(EditConflict):
        store.append("new.png", make_edit(3), based_on=4)
    assert store.count() == 2
    assert store.append("a.png", make_edit(3)) == 3  # not asked: not checked


@pytest.mark.parametrize("bad", ["", "x" * 1025, "a\0b", "a\udc80"])
def test_append_many_is_all_or_nothing(store: EditStore, make_edit: MakeEdit, bad: str) -> None:
    with pytest.raises(ValueError, match="image id"):
        store.append_many({"a.png": make_edit(), bad: make_edit()})
    with pytest.raises(ValueError, match="image id"):
        store.append(bad, make_edit())
    with pytest.raises(AttributeError):
        store.append_many({"a.png": make_edit(), "b.png": None})  # type: ignore[dict-item]
    assert store.count() == 0


@pytest.mark.parametrize("table", ["images", "edit_revisions", "verdicts", "edit_strokes"])
@pytest.mark.parametrize("action", ["DELETE FROM {}", "UPDATE {} SET id = 7"])
def test_the_database_itself_refuses_changes(
    store: EditStore, url: str, make_edit: MakeEdit, table: str, action: str
) -> None:
    store.append("a.png", make_edit(), stroke="1")
    store.judge("a.png", Verdict("skip", "Ada"))
    engine = create_engine(url)
    with pytest.raises(Exception, match=f"{table} is append-only"), engine.begin() as connection:
        connection.execute(text(action.format(table)))
    engine.dispose()
    assert store.get("a.png", 1) == replace(make_edit(), revision=1)


def test_threads_share_one_store(store: EditStore) -> None:
    def work(author: str) -> list[int]:
        return [store.append("shared.png", MapEdit([[1]], [[1]], author=author)) for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        revisions = [revision for part in pool.map(work, "ABCD") for revision in part]
    assert sorted(revisions) == list(range(1, 41))
    assert [edit.revision for edit in store.history("shared.png")] == list(range(1, 41))


def test_threads_import_overlapping_images(store: EditStore) -> None:
    """Nobody waits for somebody who waits for him, though each makes images that the others make too."""
    edit = MapEdit([[1]], [[1]], author="Ada")

    def work(first: int) -> dict[str, int]:
        return store.append_many({f"{n}.png": edit for n in range(first, first + 60)})

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, [0, 20, 40, 20]))
    expected = {f"{n}.png": sum(f"{n}.png" in result for result in results) for n in range(100)}
    assert {name: edit.revision for name, edit in store.latest().items()} == expected
    assert store.count() == 240


def test_threads_share_a_store_in_memory() -> None:
    with EditStore("sqlite://") as store, ThreadPoolExecutor(4) as pool:
        edit = MapEdit([[1]], [[1]], author="Ada")
        assert sorted(pool.map(lambda _: store.append("a.png", edit), range(20))) == list(range(1, 21))


def test_processes_write_to_one_image(url: str) -> None:
    """Several processes create the database and append to one image at the same time."""
    workers = [start_worker(url, author, 15) for author in "ABC"]
    acknowledged: dict[int, tuple[str, int]] = {}
    for author, worker in zip("ABC", workers, strict=True):
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        lines = [tuple(map(int, line.split())) for line in out.splitlines()]
        assert [number for _, number in lines] == list(range(15))
        acknowledged |= {revision: (author, number) for revision, number in lines}
    with EditStore(url) as store:
        stored = {e.revision: (e.author, int(e.steps[0][0, 0])) for e in store.history("shared.png")}
    assert stored == acknowledged
    assert sorted(stored) == list(range(1, 46))


def test_a_killed_process_loses_nothing_acknowledged(url: str) -> None:
    worker = start_worker(url, "Ada", 10**6)
    assert worker.stdout is not None
    lines = [worker.stdout.readline() for _ in range(25)]
    os.kill(worker.pid, signal.SIGKILL)
    rest, _ = worker.communicate(timeout=30)
    acknowledged = [tuple(map(int, line.split())) for line in [*lines, *rest.splitlines(keepends=True)]]
    assert worker.returncode == -signal.SIGKILL
    with EditStore(url) as store:
        stored = [(e.revision, int(e.steps[0][0, 0])) for e in store.history("shared.png")]
        assert stored[: len(acknowledged)] == acknowledged
        # At most one append was on disk and not yet told.
        assert len(stored) - len(acknowledged) in {0, 1}
        assert store.append("shared.png", MapEdit([[1]], [[1]], author="Eve")) == len(stored) + 1


def test_a_path_is_a_sqlite_file(tmp_path: Path, make_edit: MakeEdit) -> None:
    path = tmp_path / "100 % [odd] ?name.db"
    with EditStore(path) as store:
        store.append("a.png", make_edit())
    assert path.is_file()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_sqlite_is_set_up_for_durability(tmp_path: Path) -> None:
    with EditStore(tmp_path / "study.db") as store, store._engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


def one_line(error: pytest.ExceptionInfo[VisteerError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(VisteerError, match="does not exist; create it first") as caught:
        EditStore(tmp_path / "none" / "study.db")
    assert str(tmp_path / "none") in one_line(caught)


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(content)
    with pytest.raises(VisteerError, match="damaged or is no SQLite database") as caught:
        EditStore(path)
    assert str(path) in one_line(caught)
    assert path.read_bytes() == content


def test_a_database_damaged_inside(tmp_path: Path, make_edit: MakeEdit) -> None:
    path = tmp_path / "study.db"
    with EditStore(path) as store:
        for n in range(40):
            store.append("a.png", make_edit(n, shape=(40, 40)))
    content = bytearray(path.read_bytes())
    for page in range(4096 * 8, len(content), 4096):
        content[page : page + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(VisteerError, match="damaged") as caught, EditStore(path) as store:
        store.history("a.png")
    assert str(path) in one_line(caught)


@pytest.mark.parametrize(
    ("column", "value"),
    [("target", b"junk"), ("weight", b"x\x9c\x03\x00\x00\x00\x00\x01"), ("height", 6), ("digest", "0" * 64)],
)
def test_a_revision_changed_behind_the_stores_back(
    tmp_path: Path, make_edit: MakeEdit, column: str, value: object
) -> None:
    path = tmp_path / "study.db"
    with EditStore(path) as store:
        store.append("a.png", make_edit())
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER edit_revisions_no_update")
    connection.execute(f"UPDATE edit_revisions SET {column} = ?", (value,))
    connection.commit()
    connection.close()
    with (
        EditStore(path) as store,
        pytest.raises(VisteerError, match=r"revision 1 of a\.png does not match its digest") as caught,
    ):
        store.latest()
    one_line(caught)


@pytest.fixture
def locked_folder(make_edit: MakeEdit) -> Iterator[Path]:
    """A read-only folder with a read-only store in it, which every user of the machine can see."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EditStore(folder / "old.db") as store:
            store.append("a.png", make_edit())
        (folder / "old.db").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["new.db", "old.db"])
def test_a_folder_without_permission(locked_folder: Path, name: str) -> None:
    """Neither creating a store nor writing to one works; root, whom nothing stops, becomes nobody first."""
    script = (
        "import os, sys\n"
        "from visteer.edits.map_edit import MapEdit\n"
        "from visteer.edits.store import EditStore\n"
        "from visteer.errors import VisteerError\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: EditStore(f'sqlite:///{sys.argv[1]}').append('b.png', MapEdit([[1]], [[1]], author='Ada'))\n"
        "except VisteerError as error: print(error)\n"
    )
    path = locked_folder / name
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=False, timeout=60
    )
    (line,) = done.stdout.splitlines()
    assert str(path) in line
    assert "permission" in line


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("study.db", "not a database URL"),
        ("postgresql://host:port/name", "not a database URL"),
        ("nosuchdatabase://host/name", "cannot use nosuchdatabase://host/name"),
        ("oracle+cx_oracle://me:secret@host/name", "no driver for .*cx_Oracle"),
    ],
)
def test_urls_that_do_not_work(url: str, words: str) -> None:
    with pytest.raises(VisteerError, match=words) as caught:
        EditStore(url)
    assert "secret" not in one_line(caught)


def test_a_database_that_stays_locked(tmp_path: Path, make_edit: MakeEdit) -> None:
    path = tmp_path / "study.db"
    with EditStore(path) as store:
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 50")  # the pool hands this connection out again
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(VisteerError, match="locked by another program") as caught:
            store.append("a.png", make_edit())
        assert str(path) in one_line(caught)
        assert store.count() == 0  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        assert store.append("a.png", make_edit()) == 1


def test_a_stroke_that_is_sent_twice_is_stored_once(store: EditStore, make_edit: MakeEdit) -> None:
    assert store.append("a.png", make_edit(1), based_on=0, stroke="s1") == 1
    assert store.append("a.png", make_edit(2), based_on=1, stroke="s2") == 2
    assert store.append("a.png", make_edit(1), based_on=0, stroke="s1") == 1
    assert store.append("b.png", make_edit(1), based_on=0, stroke="s1") == 1
    assert store.count() == 3


def test_a_stroke_s_name_is_not_taken_for_another_raster(store: EditStore, make_edit: MakeEdit) -> None:
    store.append("a.png", make_edit(1), stroke="s1")
    with pytest.raises(StrokeConflict, match=r"a\.png: the stroke s1 is revision 1 already"):
        store.append("a.png", make_edit(2), based_on=1, stroke="s1")
    with pytest.raises(EditConflict):
        store.append("a.png", make_edit(2), based_on=0, stroke="s2")
    for bad in ("", "x" * 65, "a\0"):
        with pytest.raises(ValueError, match="stroke"):
            store.append("a.png", make_edit(2), stroke=bad)
    assert store.count() == 1
    assert store.append("a.png", make_edit(2), based_on=1, stroke="s2") == 2  # the conflict took no name


def test_a_verdict_that_is_sent_twice_is_stored_once(store: EditStore, make_edit: MakeEdit) -> None:
    for _ in range(2):
        assert store.judge("a.png", Verdict("nothing", "Eve", "plain-1"), make_edit(2)) == 1
    assert len(store.history("a.png")) == len(store.verdicts("a.png")) == 1
    for said in (
        Verdict("nothing", "Ada", "plain-1"),
        Verdict("nothing", "Eve", "plain-1"),  # said again after somebody else
        Verdict("nothing", "Eve", "plain-2"),
        Verdict("nothing", "Eve", "plain-2", "sure"),
    ):
        before = len(store.verdicts("a.png"))
        store.judge("a.png", said)
        assert len(store.verdicts("a.png")) == before + 1
    store.append("a.png", make_edit(3))
    store.judge("a.png", Verdict("nothing", "Eve", "plain-2", "sure"))  # of what is there now
    assert store.verdicts("a.png")[-1].revision == 2


def test_verdicts_come_back_in_order_with_the_revision_they_were_said_of(
    store: EditStore, url: str, make_edit: MakeEdit
) -> None:
    first = Verdict("unreasonable", "Ada", "plain-1", "looks at the ruler\nonly")
    assert store.judge("a.png", first) == 0
    assert store.image_ids() == ()  # a verdict alone is no edit
    store.append("a.png", make_edit(1))
    assert store.judge("a.png", Verdict("reasonable", "Eve")) == 1
    assert store.judge("a.png", Verdict("nothing", "Eve"), make_edit(2)) == 2
    with EditStore(url) as again:
        found = again.verdicts("a.png")
        assert [(v.kind, v.author, v.run, v.revision) for v in found] == [
            ("unreasonable", "Ada", "plain-1", 0),
            ("reasonable", "Eve", None, 1),
            ("nothing", "Eve", None, 2),
        ]
        assert found[0] == first
        assert again.get("a.png", 2) == replace(make_edit(2), revision=2)
        assert again.verdicts("b.png") == ()


def test_a_failed_verdict_leaves_no_edit(store: EditStore, make_edit: MakeEdit) -> None:
    verdict = Verdict("nothing", "Ada")
    object.__setattr__(verdict, "comment", object())  # no database can hold it
    with pytest.raises(StoreFailure):
        store.judge("a.png", verdict, make_edit())
    assert store.count() == 0
    assert store.verdicts("a.png") == ()


@pytest.mark.parametrize("bad", [("maybe", "Ada"), ("skip", " "), ("skip", "a\0")])
def test_no_verdict_that_cannot_be_meant(bad: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"verdict is one of|author"):
        Verdict(*bad)  # type: ignore[arg-type]


def test_the_notes_tell_what_is_new_since_the_last_look(store: EditStore, make_edit: MakeEdit) -> None:
    store.append("a.png", make_edit(1))
    store.append("b.png", make_edit(2, "Eve"))
    edits = store.revision_notes()
    assert [(note.image_id, note.revision, note.author) for note in edits] == [
        ("a.png", 1, "Ada"),
        ("b.png", 1, "Eve"),
    ]
    edit = make_edit(3)
    store.append("a.png", edit)
    (new,) = store.revision_notes(after=edits[-1].row)
    assert new == RevisionNote(new.row, "a.png", 2, "Ada", edit.time, "drawn", edit.comment)
    assert [note.revision for note in store.revision_notes(image_id="a.png")] == [1, 2]
    assert store.verdict_notes() == ()
    verdict = Verdict("skip", "Ada")
    store.judge("c.png", verdict)
    (said,) = store.verdict_notes()
    assert said == VerdictNote(said.row, "c.png", verdict)
    assert store.verdict_notes(after=said.row) == ()


def test_a_store_that_is_too_busy_says_so() -> None:
    with EditStore("sqlite://") as store:
        store._engine.pool._timeout = 0.01  # type: ignore[attr-defined]
        with store._engine.connect(), pytest.raises(StoreFailure, match=r"too busy; try again"):
            store.count()
        assert store.count() == 0


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_nothing_is_called_stored_in_a_file_that_is_not_there_any_more(
    tmp_path: Path, make_edit: MakeEdit, how: str
) -> None:
    path = tmp_path / "study.db"
    with EditStore(path) as store:
        store.append("a.png", make_edit())
        path.rename(tmp_path / "away.db")
        if how == "replaced":
            with EditStore(tmp_path / "other.db"):
                pass
            (tmp_path / "other.db").rename(path)
        for act in (lambda: store.append("a.png", make_edit(2)), store.latest):
            with pytest.raises(StoreFailure, match="deleted or replaced while it was open"):
                act()
        assert path.exists() == (how == "replaced")  # no empty file is made in its place
        (tmp_path / "away.db").rename(path)
        assert store.append("a.png", make_edit(2)) == 2  # it is back in its place
    with EditStore(path) as again:
        assert len(again.history("a.png")) == 2


def test_a_file_that_goes_while_it_is_written_is_not_acknowledged(
    tmp_path: Path, make_edit: MakeEdit
) -> None:
    path = tmp_path / "study.db"
    with EditStore(path) as store:
        store.append("a.png", make_edit())
        with pytest.raises(StoreFailure, match="deleted or replaced"), store._writing():
            path.rename(tmp_path / "away.db")
