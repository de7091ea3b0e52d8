"""The tables that hold edits, verdicts and ratings, and the step that brings a database to them.

A change here needs a new file in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from visteer.errors import VisteerError

VERSION_TABLE = "visteer_schema"
MAX_ID_LENGTH = 1024
MAX_STROKE_LENGTH = 64


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC to the microsecond, with its zone in Python also where the database drops it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC on the way in."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

# One row an image that has ever been edited; `name` is the image id, unique in the study.
images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(MAX_ID_LENGTH), nullable=False),
    UniqueConstraint("name", name="uq_images_name"),
)

# One row a revision, never changed. `target` and `weight` are zlib-compressed rows of little-endian uint16
# and of uint8; `digest` is `MapEdit.digest`, checked at every reading.
edit_revisions = Table(
    "edit_revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image", Integer, ForeignKey("images.id", name="fk_edit_revisions_image"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("author", Text, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("map_digest", Text, nullable=True),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("target", LargeBinary, nullable=False),
    Column("weight", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("image", "revision", name="uq_edit_revisions_image_revision"),
    CheckConstraint("revision >= 1", name="ck_edit_revisions_revision"),
)

# One row a verdict, never changed. `revision` is the image's latest edit at that time, 0 for none.
verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image", Integer, ForeignKey("images.id", name="fk_verdicts_image"), nullable=False),
    Column("author", Text, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("run", Text, nullable=True),
    Column("verdict", String(32), nullable=False),
    Column("comment", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

# One row a revision that came with the name of a stroke, so that a stroke that is sent twice is stored once.
edit_strokes = Table(
    "edit_strokes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image", Integer, ForeignKey("images.id", name="fk_edit_strokes_image"), nullable=False),
    Column("stroke", String(MAX_STROKE_LENGTH), nullable=False),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("image", "stroke", name="uq_edit_strokes_image_stroke"),
)

# One row a blind rating, never changed; of several by one author for one run and image the latest counts.
ratings = Table(
    "ratings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image", Integer, ForeignKey("images.id", name="fk_ratings_image"), nullable=False),
    Column("run", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("value", Integer, nullable=False),
    CheckConstraint("value >= 1 AND value <= 5", name="ck_ratings_value"),
)


def schema_is_current(connection: Connection) -> bool:
    """Whether the database has the newest schema.

    Raises:
        VisteerError: its schema is none that this version knows.
    """
    found = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()
    scripts = ScriptDirectory(str(_MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise VisteerError(
            f"{connection.engine.url.render_as_string(hide_password=True)} has schema {found!r}, which a "
            "newer version of Visteer wrote; run: pip install --upgrade visteer"
        )
    return found == scripts.get_current_head()


def upgrade_schema(connection: Connection, revision: str = "head") -> None:
    """Bring the database to a schema revision, inside the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    # Alembic keeps the migration that runs in module-wide state.
    with _UPGRADING:
        command.upgrade(config, revision)


_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADING = Lock()
