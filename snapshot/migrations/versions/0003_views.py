"""Views for analysts."""

from collections.abc import Iterator
from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _time(column: str) -> str:
    """Return SQL for a time in microseconds as RFC 3339 text, as the commands print it."""
    part = f"(({column} % 1000000 + 1000000) % 1000000)"
    return (
        f"strftime('%Y-%m-%dT%H:%M:%S', ({column} - {part}) / 1000000, 'unixepoch')"
        f" || CASE {part} WHEN 0 THEN 'Z' ELSE printf('.%06dZ', {part}) END"
    )


def _plain(column: str) -> str:
    """Return SQL for a token as plain text; other than texts stay as the vendor wrote them."""
    return (
        f"CASE WHEN substr({column}, 1, 1) = '\"' THEN json_extract({column}, '$')"
        f" WHEN {column} <> 'null' THEN {column} END"
    )


_RECORD: Final = {
    "record": "o.source || ':' || o.name || ':' || r.ext_id",
    "source": "o.source",
    "object": "o.name",
    "record_id": "r.ext_id",
}
_TIMES: Final = {"at": _time("v.at"), "known_at": _time("v.known_at")}
_ACTOR: Final = {
    "actor": "coalesce(a.name, a.ext_id, 'unknown')",
    "actor_id": "a.ext_id",
    "actor_kind": "a.kind",
    "via": "a.via",
}
_CHANGES: Final = (
    "change AS c JOIN version AS v ON v.version_id = c.version_id"
    " JOIN field AS f ON f.field_id = c.field_id"
)
_VERSION_JOINS: Final = (
    " JOIN record AS r ON r.record_id = v.record_id JOIN object AS o ON o.object_id = v.object_id"
    " JOIN actor AS a ON a.actor_id = v.actor_id"
)
_OPERATION_JOINS: Final = (
    " JOIN object AS o ON o.object_id = p.object_id JOIN actor AS a ON a.actor_id = p.actor_id"
)

VIEWS: Final = {
    "v_change": (
        _RECORD
        | {
            "version": "v.number",
            "field": "f.name",
            "old": _plain("c.old"),
            "new": _plain("c.new"),
            "old_json": "c.old",
            "new_json": "c.new",
            "op": "v.op",
        }
        | _TIMES
        | _ACTOR
        | {"operation": "v.operation_id", "plan": "v.plan_id"},
        _CHANGES + _VERSION_JOINS,
    ),
    "v_version": (
        _RECORD
        | {"version": "v.number", "op": "v.op", "deleted": "v.deleted"}
        | _TIMES
        | _ACTOR
        | {
            "why_unknown": "a.why",
            "changes": "(SELECT count(*) FROM change AS c WHERE c.version_id = v.version_id)",
            "operation": "v.operation_id",
            "plan": "v.plan_id",
            "entry": "v.version_id",
        },
        "version AS v" + _VERSION_JOINS,
    ),
    "v_record": (
        _RECORD
        | {
            "version": "r.number",
            "deleted": "r.deleted",
            "modified_at": _time("r.modified_at"),
            "edited_at": _time("r.edited_at"),
            "known_at": _time("r.known_at"),
            "document": "r.document",
        },
        "record AS r JOIN object AS o ON o.object_id = r.object_id",
    ),
    "v_operation": (
        {
            "operation": "p.operation_id",
            "source": "o.source",
            "object": "o.name",
            "op": "p.op",
            "started": _time("p.started"),
            "ended": _time("p.ended"),
            "records": "p.records",
        }
        | _ACTOR,
        "operation AS p" + _OPERATION_JOINS,
    ),
    "v_incident": (
        {
            "incident": "i.incident_id",
            "rule": "i.rule",
            "state": "i.state",
            "severity": "i.severity",
            "title": "i.title",
            "why": "i.why",
            "source": "o.source",
            "object": "o.name",
            "records": "i.records",
            "fields": "i.fields",
            "operation": "i.operation_id",
        }
        | _ACTOR
        | {
            "started": _time("p.started"),
            "ended": _time("p.ended"),
            "opened_at": _time("i.opened_at"),
            "seen_at": _time("i.seen_at"),
            "evidence": "i.evidence",
        },
        "incident AS i JOIN operation AS p ON p.operation_id = i.operation_id" + _OPERATION_JOINS,
    ),
}
"""Each view's columns, by name, and the tables they come from."""


def statements() -> Iterator[str]:
    """Yield the CREATE VIEW statements."""
    for name, (columns, tables) in VIEWS.items():
        listed = ", ".join(f"{made} AS {column}" for column, made in columns.items())
        yield f"CREATE VIEW {name} AS SELECT {listed} FROM {tables}"  # noqa: S608 -- texts of ours


def upgrade() -> None:
    """Make the views. They hold nothing themselves."""
    connection = op.get_bind()
    for statement in statements():
        # By the driver, for which neither a colon nor a percent sign means anything here.
        connection.exec_driver_sql(statement)
