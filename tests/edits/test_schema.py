"""The migrated schema is the declared one, from any older revision, and an unknown one is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, insert, inspect, select, text

from visteer.edits.map_edit import MapEdit
from visteer.edits.schema import VERSION_TABLE, edit_revisions, images, metadata, upgrade_schema
from visteer.edits.store import EditStore
from visteer.errors import VisteerError


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/study.db")


def schema_of(engine: Engine) -> dict[str, object]:
    """Everything that SQLite knows of the tables, beyond what Alembic compares."""
    found = inspect(engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"], c["primary_key"]) for c in found.get_columns(name)],
            found.get_unique_constraints(name),
            found.get_foreign_keys(name),
            found.get_check_constraints(name),
        )
        for name in metadata.tables
    }


def test_the_migrated_schema_is_the_declared_one(engine: Engine, tmp_path: Path) -> None:
    EditStore(engine.url).close()
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    declared = create_engine(f"sqlite:///{tmp_path}/declared.db")
    metadata.create_all(declared)
    assert schema_of(engine) == schema_of(declared)
    engine.dispose()
    declared.dispose()


def test_every_older_schema_upgrades_and_keeps_its_rows(
    engine: Engine, make_edit: Callable[..., MapEdit]
) -> None:
    edit = make_edit(1)
    with EditStore("sqlite://") as store:
        store.append("a.png", edit)
        with store._engine.begin() as connection:
            row = connection.execute(select(edit_revisions)).mappings().one()
    with engine.begin() as connection:
        upgrade_schema(connection, "0001")
        connection.execute(insert(images).values(id=1, name="a.png"))
        connection.execute(insert(edit_revisions).values(dict(row)))
        assert "append-only" not in str(connection.execute(text("SELECT sql FROM sqlite_master")).all())
    with EditStore(engine.url) as store:
        assert store.history("a.png") == (replace(edit, revision=1),)
    with engine.connect() as connection:
        triggers = connection.execute(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"))
        assert triggers.scalar() == 10
    engine.dispose()


def test_a_newer_schema_is_refused_and_left_alone(engine: Engine) -> None:
    EditStore(engine.url).close()
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(
        VisteerError, match=r"schema '9999', which a newer version of Visteer wrote"
    ) as caught:
        EditStore(engine.url)
    assert "\n" not in str(caught.value)
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() == "9999"
    engine.dispose()


def test_a_failed_upgrade_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE edit_revisions (another INTEGER)"))
    with pytest.raises(VisteerError, match="already exists"):
        EditStore(engine.url)
    assert inspect(engine).get_table_names() == ["edit_revisions"]
    engine.dispose()
