"""An index over the runs that saw every record of an object, and gaps of whole objects."""

from alembic import op

from snapshot.migrations.words import only_where, small

revision = "1002"
down_revision = "1001"


def upgrade() -> None:
    """Make the index by which the last sweep of an object is found, and the mark of such gaps."""
    op.add_column("gap", small("whole", null=True))
    op.create_index(
        "sync_run_swept",
        "sync_run",
        ["object_id", "run_id"],
        **only_where("mode <> 'incremental'"),
    )
