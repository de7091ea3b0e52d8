"""Verdicts on what a classifier looks at, and the strokes of a page that were saved already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("verdicts", "edit_strokes")


def upgrade() -> None:
    """Create both tables, which the database itself keeps append-only where it is SQLite or PostgreSQL."""
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("image", sa.Integer, sa.ForeignKey("images.id", name="fk_verdicts_image"), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run", sa.Text, nullable=True),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_table(
        "edit_strokes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "image", sa.Integer, sa.ForeignKey("images.id", name="fk_edit_strokes_image"), nullable=False
        ),
        sa.Column("stroke", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("image", "stroke", name="uq_edit_strokes_image_stroke"),
    )
    dialect = op.get_context().dialect.name
    for table in TABLES:
        if dialect == "sqlite":
            for action in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        elif dialect == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION visteer_append_only()"
            )
