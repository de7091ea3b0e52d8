"""The store that never loses an edit: every revision of every image, in SQLite or PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from alembic.util.exc import CommandError
from numpy.typing import NDArray
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    QueuePool,
    Row,
    Select,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from visteer.edits.map_edit import MapEdit, check_text
from visteer.edits.rating import Rating
from visteer.edits.schema import (
    MAX_ID_LENGTH,
    MAX_STROKE_LENGTH,
    edit_revisions,
    edit_strokes,
    images,
    ratings,
    schema_is_current,
    upgrade_schema,
    verdicts,
)
from visteer.edits.verdict import Verdict, VerdictKind
from visteer.errors import VisteerError

BUSY_SECONDS = 30
IDS_IN_A_QUERY = 500


class EditConflict(VisteerError):
    """Somebody else has edited the image since: `based_on` is not the `latest` revision of `image_id`."""

    def __init__(self, image_id: str, based_on: int, latest: int) -> None:
        super().__init__(
            f"{image_id}: this edit was made from revision {based_on}, but revision {latest} is now the "
            f"latest; look at revision {latest} and apply the edit to it"
        )
        self.image_id = image_id
        self.based_on = based_on
        self.latest = latest


class StoreFailure(VisteerError):
    """The database itself failed: gone, locked, damaged, full or read-only. Nothing was stored."""


class StrokeConflict(VisteerError):
    """The name of a stroke was used before for another raster of the same image; nothing is stored."""


@dataclass(frozen=True)
class RevisionNote:
    """What is known of a revision without its raster. `row` counts the revisions of all images upwards."""

    row: int
    image_id: str
    revision: int
    author: str
    time: datetime
    source: str
    comment: str


@dataclass(frozen=True)
class VerdictNote:
    """A verdict and its image. `row` counts the verdicts of all images upwards."""

    row: int
    image_id: str
    verdict: Verdict


class EditStore:
    """Edits of images, each image with its own revisions 1, 2, 3, ...

    Nothing is ever changed or deleted. A write is one transaction and on disk when it returns; any number
    of threads and processes may read and write at once, each process with a store of its own. The schema
    is created or upgraded on opening.

    Arguments:
        url: the path of a SQLite file (made if missing), or any SQLAlchemy URL, for example
            "sqlite:///study/visteer.db" or "postgresql+psycopg://user@host/name".

    Raises:
        VisteerError: the database cannot be opened, is damaged, or comes from a newer version. Every
            method raises it too when the database fails.

    Example:
        >>> with EditStore("sqlite://") as store:
        ...     first = store.append("a.png", MapEdit([[1, 0]], [[1, 1]], author="Ada"))
        ...     second = store.append("a.png", MapEdit([[0, 1]], [[1, 1]], author="Eve"), based_on=first)
        ...     [edit.author for edit in store.history("a.png")]
        ['Ada', 'Eve']
    """

    def __init__(self, url: str | URL | Path) -> None:
        self.url = _parse(url)
        try:
            self._engine = _engine(self.url)
        except ModuleNotFoundError as error:
            postgres = self.url.get_backend_name() == "postgresql"
            mend = 'run: pip install "visteer[postgresql]"' if postgres else f"install {error.name}"
            raise VisteerError(f"no driver for {self._name} ({error.name} is missing); {mend}") from error
        except (ArgumentError, NoSuchModuleError) as error:
            raise VisteerError(f"cannot use {self._name} as an edit store: {_first_line(error)}") from error
        self._write_engine = self._engine.execution_options(visteer_writes=True)
        self._opened_file: os.stat_result | None = None
        try:
            self._open()
            self._opened_file = self._file()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> EditStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def append(
        self, image_id: str, edit: MapEdit, *, based_on: int | None = None, stroke: str | None = None
    ) -> int:
        """Store `edit` as the next revision of an image.

        Arguments:
            image_id: the image, up to 1024 characters.
            edit: its own `revision` is ignored.
            based_on: the revision that its author started from (0: none). Default: not checked.
            stroke: a name that the sender made up, up to 64 characters. If the image has a revision of this name,
                nothing is stored and its number is returned, so that an edit may safely be sent twice.

        Returns:
            The new revision's number. The edit is on disk.

        Raises:
            EditConflict: `based_on` is not the latest revision; nothing is stored.
            StrokeConflict: the revision of the name `stroke` has another raster; nothing is stored.
            ValueError: the image id or the stroke is empty, too long, or no text a database can hold.
        """
        _check_id(image_id)
        if stroke is None:
            with self._writing() as connection:
                return _append(connection, {image_id: edit}, based_on)[image_id]
        check_text("stroke", stroke)
        if not 1 <= len(stroke) <= MAX_STROKE_LENGTH:
            raise ValueError(f"a stroke needs 1 to {MAX_STROKE_LENGTH} characters, got {len(stroke)}")
        with self._writing() as connection:
            image = _lock_images(connection, [image_id])[image_id]
            known = _revision_of_stroke(connection, image, stroke)
            if known is not None:
                revision, digest = known
                if digest != edit.digest:
                    raise StrokeConflict(
                        f"{image_id}: the stroke {stroke} is revision {revision} already and looks different; "
                        "send the edit under a new name"
                    )
                return revision
            revision = _append(connection, {image_id: edit}, based_on)[image_id]
            named = {"image": image, "stroke": stroke, "revision": revision}
            connection.execute(insert(edit_strokes).values(named))
            return revision

    def append_many(self, edits: Mapping[str, MapEdit]) -> dict[str, int]:
        """Store one edit an image in a single transaction: all of them or, after an error, none.

        Returns:
            image id -> the new revision's number.

        Raises:
            ValueError: an image id is empty, too long, or no text a database can hold.
        """
        for image_id in edits:
            _check_id(image_id)
        with self._writing() as connection:
            return _append(connection, edits)

    def latest(self, image_ids: Sequence[str] | None = None) -> dict[str, MapEdit]:
        """Newest revision of every image, or of those of `image_ids` that have one; sorted by id."""
        newest = (
            select(edit_revisions.c.image, func.max(edit_revisions.c.revision).label("revision"))
            .group_by(edit_revisions.c.image)
            .subquery()
        )
        query = _REVISIONS.join(
            newest,
            (newest.c.image == edit_revisions.c.image) & (newest.c.revision == edit_revisions.c.revision),
        )
        if image_ids is None:
            found = self._edits(query)
        else:
            found = [
                pair
                for some in _chunks(sorted(set(image_ids)))
                for pair in self._edits(query.where(images.c.name.in_(some)))
            ]
        return dict(sorted(found, key=lambda pair: pair[0]))

    def history(self, image_id: str) -> tuple[MapEdit, ...]:
        """All revisions of an image, oldest first; empty when it has none."""
        query = _REVISIONS.where(images.c.name == image_id).order_by(edit_revisions.c.revision)
        return tuple(edit for _, edit in self._edits(query))

    def get(self, image_id: str, revision: int) -> MapEdit:
        """One revision of an image.

        Raises:
            VisteerError: there is no such revision.
        """
        query = _REVISIONS.where(images.c.name == image_id, edit_revisions.c.revision == revision)
        for _, edit in self._edits(query):
            return edit
        raise VisteerError(f"{image_id} has no edit with revision {revision} in {self._name}")

    def judge(self, image_id: str, verdict: Verdict, edit: MapEdit | None = None) -> int:
        """Store a verdict on an image, after `edit` as its next revision where one is given: both or neither.

        A verdict that says what its author has just said, with nothing new on the image since, is not stored again, so
        that one whose answer was lost may safely be sent twice.

        Returns:
            The image's latest revision, 0 for none. The verdict is on disk.

        Raises:
            ValueError: the image id is empty, too long, or no text a database can hold.
        """
        _check_id(image_id)
        with self._writing() as connection:
            image = _lock_images(connection, [image_id])[image_id]
            newest = select(func.max(edit_revisions.c.revision)).where(edit_revisions.c.image == image)
            revision = connection.execute(newest).scalar() or 0
            if _is_last_said(connection, image, verdict, revision):
                return revision
            if edit is not None:
                revision = _append(connection, {image_id: edit})[image_id]
            values = {
                "image": image,
                "author": verdict.author,
                "time": verdict.time,
                "run": verdict.run,
                "verdict": verdict.kind,
                "comment": verdict.comment,
                "revision": revision,
            }
            connection.execute(insert(verdicts).values(values))
        return revision

    def verdicts(self, image_id: str) -> tuple[Verdict, ...]:
        """All verdicts on an image, oldest first."""
        query = _VERDICTS.where(images.c.name == image_id).order_by(verdicts.c.id)
        with self._reading() as connection:
            return tuple(_to_verdict(row) for row in connection.execute(query))

    def verdict_notes(self, after: int = 0) -> tuple[VerdictNote, ...]:
        """The verdicts on all images with a row above `after`, oldest first: what is new since the last look."""
        query = _VERDICTS.where(verdicts.c.id > after).order_by(verdicts.c.id)
        with self._reading() as connection:
            return tuple(VerdictNote(row.id, row.name, _to_verdict(row)) for row in connection.execute(query))

    def rate(self, rating: Rating) -> None:
        """Add a blind rating; on disk when it returns.

        Raises:
            ValueError: the image's id is longer than a database can hold.
        """
        _check_id(rating.image_id)
        with self._writing() as connection:
            image = _lock_images(connection, [rating.image_id])[rating.image_id]
            values = {"image": image, "run": rating.run, "author": rating.author, "time": rating.time}
            connection.execute(insert(ratings).values({**values, "value": rating.value}))

    def ratings(self, runs: Sequence[str] | None = None) -> tuple[Rating, ...]:
        """All ratings, or those of `runs`, in the order in which they were stored."""
        query = _RATINGS.order_by(ratings.c.id)
        if runs is not None:
            query = query.where(ratings.c.run.in_(runs))
        with self._reading() as connection:
            return tuple(
                Rating(row.name, row.run, row.author, row.value, row.time)
                for row in connection.execute(query)
            )

    def revision_notes(self, after: int = 0, image_id: str | None = None) -> tuple[RevisionNote, ...]:
        """The revisions with a row above `after`, of all images or of one, oldest first; no raster is read."""
        query = _NOTES.where(edit_revisions.c.id > after).order_by(edit_revisions.c.id)
        if image_id is not None:
            query = query.where(images.c.name == image_id)
        with self._reading() as connection:
            return tuple(
                RevisionNote(row.id, row.name, row.revision, row.author, row.time, row.source, row.comment)
                for row in connection.execute(query)
            )

    def image_ids(self) -> tuple[str, ...]:
        """Name every image that has an edit, sorted."""
        edited = select(images.c.name).where(images.c.id.in_(select(edit_revisions.c.image)))
        with self._reading() as connection:
            return tuple(sorted(connection.execute(edited).scalars()))

    def count(self) -> int:
        """Count the revisions of all images."""
        with self._reading() as connection:
            return connection.execute(select(func.count()).select_from(edit_revisions)).scalar_one()

    def authors(self) -> tuple[str, ...]:
        """Name everybody who has made a revision, sorted."""
        with self._reading() as connection:
            return tuple(sorted(connection.execute(select(edit_revisions.c.author).distinct()).scalars()))

    @property
    def _name(self) -> str:
        """The database as the user knows it, without a password."""
        if self.url.drivername.startswith("sqlite") and self.url.database:
            return self.url.database
        return self.url.render_as_string(hide_password=True)

    def _open(self) -> None:
        with self._plain_errors():
            if self._engine.dialect.name == "sqlite":
                _use_wal(self._engine)
            with self._engine.begin() as connection:
                current = schema_is_current(connection)
            if not current:
                with self._write_engine.begin() as connection:
                    if connection.dialect.name == "postgresql":
                        connection.execute(text("SELECT pg_advisory_xact_lock(8640518773)"))
                    if not schema_is_current(connection):  # nobody else has done it meanwhile
                        upgrade_schema(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._check_in_place()
        with self._plain_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._check_in_place()
        with self._plain_errors(), self._write_engine.begin() as connection:
            yield connection
        self._check_in_place()  # before anything is called stored

    def _file(self) -> os.stat_result | None:
        """The SQLite file as it is now; None where the database is no file, or the file is gone."""
        name = self.url.database
        if (
            self.url.get_backend_name() != "sqlite"
            or not name
            or name == ":memory:"
            or name.startswith("file:")
        ):
            return None
        try:
            return Path(name).stat()
        except OSError:
            return None

    def _check_in_place(self) -> None:
        """Refuse a SQLite file that was deleted or replaced while it was open: what is written to it would vanish."""
        if self._opened_file is None:
            return
        now = self._file()
        if now is None or not os.path.samestat(now, self._opened_file):
            raise StoreFailure(
                f"{self._name} was deleted or replaced while it was open, so that nothing can be stored in it; put the "
                "file back or restore it from a backup, then start this program anew"
            )

    def _edits(self, query: Select[Any]) -> list[tuple[str, MapEdit]]:
        with self._reading() as connection:
            return [(row.name, self._from_row(row)) for row in connection.execute(query)]

    def _from_row(self, row: Row[Any]) -> MapEdit:
        shape = (row.height, row.width)
        try:
            target = np.frombuffer(_unpack(row.target, 2 * row.height * row.width), "<u2").reshape(shape)
            weight = np.frombuffer(_unpack(row.weight, row.height * row.width), np.uint8).reshape(shape)
            edit = MapEdit.of_steps(
                target.astype(np.uint16, copy=False),
                weight,
                author=row.author,
                time=row.time,
                revision=row.revision,
                source=row.source,
                map_digest=row.map_digest,
                comment=row.comment,
            )
            damaged = edit.digest != row.digest
        except (TypeError, ValueError, zlib.error):
            damaged = True
        if damaged:
            raise StoreFailure(
                f"{self._name} is damaged: revision {row.revision} of {row.name} does not match its digest; "
                "restore the database from a backup"
            )
        return edit

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreFailure(self._explain(_first_line(error.orig or error))) from error
        except sqlite3.Error as error:  # while connecting, before SQLAlchemy wraps errors
            raise StoreFailure(self._explain(_first_line(error))) from error
        except PoolTimeout as error:  # too many threads wait for a connection
            raise StoreFailure(f"{self._name} is too busy; try again") from error
        except CommandError as error:
            raise VisteerError(f"cannot upgrade {self._name}: {_first_line(error)}") from error

    def _explain(self, what: str) -> str:
        database = self._name
        low = what.lower()
        if "unable to open" in low:
            if _is_missing(folder := Path(database).absolute().parent):
                return f"cannot open {database}: the folder {folder} does not exist; create it first"
            return f"cannot open {database}: no permission to read and write it and its folder; check both"
        if "readonly" in low:
            return f"cannot write to {database}: the file or its folder is read-only; check the permissions"
        if "not a database" in low or "malformed" in low:
            return f"{database} is damaged or is no SQLite database; restore it from a backup"
        if "locked" in low:
            return f"{database} was locked by another program for {BUSY_SECONDS} s; close that program"
        return f"the edit store {database} failed: {what}"


# Every column of a revision with its image's id; `_from_row` reads it.
_REVISIONS = select(images.c.name, *[c for c in edit_revisions.c if c.name not in {"id", "image"}]).join_from(
    images, edit_revisions
)

# Every column of a revision but its raster.
_NOTES = select(
    images.c.name,
    *[edit_revisions.c[name] for name in ("id", "revision", "author", "time", "source", "comment")],
).join_from(images, edit_revisions)

# Every column of a verdict with its image's id; `_to_verdict` reads it.
_VERDICTS = select(images.c.name, *[c for c in verdicts.c if c.name != "image"]).join_from(images, verdicts)

# Every column of a rating with its image's id.
_RATINGS = select(images.c.name, *[c for c in ratings.c if c.name != "image"]).join_from(images, ratings)


def _parse(url: str | URL | Path) -> URL:
    if isinstance(url, Path):
        return URL.create("sqlite", database=str(url))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is no number
        raise VisteerError(
            f"cannot use {url!r} as an edit store: not a database URL; for a file write sqlite:///PATH"
        ) from error
    # The driver that Visteer installs, unless the user names another.
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if url.database in {None, "", ":memory:"}:
        # A database in memory lives in one connection, which all threads take in turn.
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            connect_args={"check_same_thread": False},
        )
    else:
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # sqlite3 must not open transactions by itself: it would leave DDL and reads outside of them.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: taking it later would fail when somebody else wrote in between.
    writes = connection.get_execution_options().get("visteer_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(engine: Engine) -> None:
    """Switch a SQLite file to WAL mode, which it then keeps.

    The switch does not wait for other connections, so a file that several processes create at once is
    tried again.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def _append(
    connection: Connection, edits: Mapping[str, MapEdit], based_on: int | None = None
) -> dict[str, int]:
    """Store one edit an image; the caller's transaction holds the images until it ends."""
    rows = _lock_images(connection, sorted(edits))
    last = dict.fromkeys(rows.values(), 0)
    for some in _chunks(list(last)):
        query = select(edit_revisions.c.image, func.max(edit_revisions.c.revision))
        query = query.where(edit_revisions.c.image.in_(some)).group_by(edit_revisions.c.image)
        last |= {row[0]: row[1] for row in connection.execute(query)}
    for name, image in rows.items():
        if based_on is not None and based_on != last[image]:
            raise EditConflict(name, based_on, last[image])
    for names in _chunks(list(rows)):
        values = [_to_row(rows[name], last[rows[name]] + 1, edits[name]) for name in names]
        connection.execute(insert(edit_revisions), values)
    return {name: last[image] + 1 for name, image in rows.items()}


def _lock_images(connection: Connection, names: list[str]) -> dict[str, int]:
    """Find or make the rows of images, given sorted, and hold them: one writer an image.

    All missing rows are made before any row is locked, and both happen in one order for everybody, so two
    writers never wait for each other. (SQLite has a single writer anyway.)
    """
    query = select(images.c.name, images.c.id).order_by(images.c.name)
    for some in _chunks(names):
        while not _make_missing(connection, some):
            pass
    found: dict[str, int] = {}
    for some in _chunks(names):
        locked = query.where(images.c.name.in_(some)).with_for_update()
        found |= {row[0]: row[1] for row in connection.execute(locked)}
    return found


def _make_missing(connection: Connection, names: list[str]) -> bool:
    """Insert the images that have no row; False when another transaction has just made one of them."""
    known = set(connection.execute(select(images.c.name).where(images.c.name.in_(names))).scalars())
    missing = [{"name": name} for name in names if name not in known]
    if missing:
        try:
            with connection.begin_nested():
                connection.execute(insert(images), missing)
        except IntegrityError:
            return False
    return True


def _revision_of_stroke(connection: Connection, image: int, stroke: str) -> tuple[int, str] | None:
    """Number and digest of the revision that came under the name `stroke`."""
    query = (
        select(edit_revisions.c.revision, edit_revisions.c.digest)
        .join(
            edit_strokes,
            (edit_strokes.c.image == edit_revisions.c.image)
            & (edit_strokes.c.revision == edit_revisions.c.revision),
        )
        .where(edit_strokes.c.image == image, edit_strokes.c.stroke == stroke)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else (found.revision, found.digest)


def _is_last_said(connection: Connection, image: int, verdict: Verdict, revision: int) -> bool:
    """Whether the last verdict on an image says the same of the same revision."""
    query = _VERDICTS.where(images.c.id == image).order_by(verdicts.c.id.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    said = (verdict.kind, verdict.author, verdict.run, verdict.comment, revision)
    return found is not None and said == (
        found.verdict,
        found.author,
        found.run,
        found.comment,
        found.revision,
    )


def _to_verdict(row: Row[Any]) -> Verdict:
    kind: VerdictKind = row.verdict
    return Verdict(kind, row.author, row.run, row.comment, row.time, row.revision)


def _to_row(image: int, revision: int, edit: MapEdit) -> dict[str, Any]:
    target, weight = edit.steps
    return {
        "image": image,
        "revision": revision,
        "author": edit.author,
        "time": edit.time,
        "source": edit.source,
        "comment": edit.comment,
        "map_digest": edit.map_digest,
        "height": edit.shape[0],
        "width": edit.shape[1],
        "target": _pack(target.astype("<u2", copy=False)),
        "weight": _pack(weight),
        "digest": edit.digest,
    }


T = TypeVar("T")


def _chunks(items: list[T]) -> list[list[T]]:
    """Cut a list into parts that one query can name."""
    return [items[start : start + IDS_IN_A_QUERY] for start in range(0, len(items), IDS_IN_A_QUERY)]


def _check_id(image_id: str) -> None:
    check_text("image id", image_id)
    if not 1 <= len(image_id) <= MAX_ID_LENGTH:
        raise ValueError(f"an image id needs 1 to {MAX_ID_LENGTH} characters, got {len(image_id)}")


def _pack(values: NDArray[np.uint16] | NDArray[np.uint8]) -> bytes:
    # The lowest level: a raster of 4096 x 4096 is packed while its author waits.
    return zlib.compress(np.ascontiguousarray(values).data, 1)


def _unpack(blob: bytes, size: int) -> bytes:
    """Decompress, never to more than one byte over `size`, the size that it should have."""
    return zlib.decompressobj().decompress(blob, size + 1)


def _is_missing(folder: Path) -> bool:
    try:
        return not folder.is_dir()
    except PermissionError:
        return False


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
