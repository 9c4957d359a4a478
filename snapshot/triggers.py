"""What the database itself refuses: changing history.

The migrations run the same statements; a test holds the two equal. They guard against our own
mistakes; against somebody with the file there is the ledger.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection
from sqlmodel import SQLModel

from snapshot import views

INSERT_ONLY: Final = (
    "actor",
    "approval",
    "change",
    "field",
    "gap",
    "leaf",
    "node",
    "object",
    "plan",
    "receipt",
    "schema_version",
    "version",
)
"""Tables whose rows never change and never go."""

STEP_TERMS: Final = (
    "plan_id, no, step_id, source, object, record, action, expect, write, left, reason"
)
STEP_END: Final = "state, before, sent_at, settled_at, result, detail, fields"


def statements(table: str) -> Iterator[str]:
    """Yield the CREATE TRIGGER statements of one table; none for most."""
    if table in INSERT_ONLY:
        yield _refusal(table, "update", "UPDATE", "rows are never changed")
        yield _refusal(table, "delete", "DELETE", "rows are never removed")
    if table == "plan_step":
        yield _refusal(table, "terms", f"UPDATE OF {STEP_TERMS}", "what a step does never changes")
        yield _refusal(
            table,
            "settled",
            f"UPDATE OF {STEP_END}",
            "a settled step never changes",
            "WHEN OLD.state = 'settled' ",
        )
        yield _refusal(table, "delete", "DELETE", "rows are never removed")


def create_all(connection: Connection) -> None:
    """Make every table, trigger and view afresh: what the migrations have to add up to."""
    SQLModel.metadata.create_all(connection)
    for table in SQLModel.metadata.sorted_tables:
        for statement in statements(table.name):
            connection.exec_driver_sql(statement)
    for statement in views.statements():
        connection.exec_driver_sql(statement)


def _refusal(table: str, suffix: str, occasion: str, why: str, condition: str = "") -> str:
    return (
        f"CREATE TRIGGER {table}_never_{suffix} BEFORE {occasion} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
    )
