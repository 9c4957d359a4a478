"""What was told to whom of incidents."""

from alembic import op

from snapshot.migrations.words import CLUSTERED, check, key, text, whole

revision = "1004"
down_revision = "1003"


def upgrade() -> None:
    """Make the table of alerts."""
    op.create_table(
        "alert",
        text("channel"),
        text("incident_id"),
        whole("messages"),
        text("state", null=True),
        text("severity", null=True),
        whole("records", null=True),
        whole("waiting"),
        text("what"),
        whole("attempts"),
        whole("due"),
        whole("sent_at", null=True),
        text("failure"),
        check("seen_when_told", "(state IS NULL) = (messages = 0)"),
        check("seen_whole", "(state IS NULL) = (severity IS NULL)"),
        check("seen_counted", "(state IS NULL) = (records IS NULL)"),
        check("attempts_natural", "attempts >= 0"),
        check("waiting_flag", "waiting IN (0, 1)"),
        key("channel", "incident_id"),
        **CLUSTERED,
    )
