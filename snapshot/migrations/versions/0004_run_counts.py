"""What the vendor said of counts and of our budget, with the run that learnt it."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the runs. What is there already stays, with nothing told."""
    for column in ("expected", "expected_at", "held", "used", "quota", "resets_at"):
        op.execute(f"ALTER TABLE sync_run ADD COLUMN {column} INTEGER")
    op.execute(
        "CREATE INDEX sync_run_counted ON sync_run (object_id, run_id) WHERE expected IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX sync_run_billed ON sync_run (object_id, run_id)"
        " WHERE coalesce(used, quota) IS NOT NULL"
    )
