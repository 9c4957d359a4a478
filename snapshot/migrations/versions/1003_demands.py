"""Persons whom a vendor deleted for privacy, until they are erased here."""

from alembic import op

from snapshot.migrations.words import CLUSTERED, key, refers, whole

revision = "1003"
down_revision = "1002"


def upgrade() -> None:
    """Make the table of those that wait."""
    op.create_table(
        "demand",
        whole("record_id"),
        whole("at"),
        refers("record_id", "record.record_id"),
        key("record_id"),
        **CLUSTERED,
    )
