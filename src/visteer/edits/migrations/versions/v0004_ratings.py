"""Blind ratings of maps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, which the database itself keeps append-only where it is SQLite or PostgreSQL."""
    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("image", sa.Integer, sa.ForeignKey("images.id", name="fk_ratings_image"), nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.CheckConstraint("value >= 1 AND value <= 5", name="ck_ratings_value"),
    )
    dialect = op.get_context().dialect.name
    if dialect == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ratings_no_{action.lower()} BEFORE {action} ON ratings "
                "BEGIN SELECT RAISE(ABORT, 'ratings is append-only'); END"
            )
    elif dialect == "postgresql":
        op.execute(
            "CREATE TRIGGER ratings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ratings "
            "FOR EACH STATEMENT EXECUTE FUNCTION visteer_append_only()"
        )
