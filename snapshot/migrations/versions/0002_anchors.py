"""Where checkpoints are kept outside, and how far each place has come."""

from typing import Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Text,
)

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE: Final = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Make the table of anchors. Nothing that is there already is touched."""
    op.create_table(
        "anchor",
        Column("name", Text(), nullable=False),
        Column("size", WHOLE, nullable=True),
        Column("note", Text(), nullable=True),
        Column("anchored_at", WHOLE, nullable=True),
        Column("failed_at", WHOLE, nullable=True),
        Column("failure", Text(), nullable=False),
        CheckConstraint("(size IS NULL) = (note IS NULL)", name="size_with_note"),
        CheckConstraint("(size IS NULL) = (anchored_at IS NULL)", name="size_with_time"),
        CheckConstraint("size >= 0", name="size_natural"),
        PrimaryKeyConstraint("name"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
