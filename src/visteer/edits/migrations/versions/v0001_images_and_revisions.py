"""Images and the revisions of their edits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "images",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.UniqueConstraint("name", name="uq_images_name"),
    )
    op.create_table(
        "edit_revisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "image", sa.Integer, sa.ForeignKey("images.id", name="fk_edit_revisions_image"), nullable=False
        ),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("map_digest", sa.Text, nullable=True),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("target", sa.LargeBinary, nullable=False),
        sa.Column("weight", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("image", "revision", name="uq_edit_revisions_image_revision"),
        sa.CheckConstraint("revision >= 1", name="ck_edit_revisions_revision"),
    )
