"""Views for analysts: readable names, times as text. docs/sql.md tells of their columns.

The first migration makes them. A migration that rebuilds a table (SQLite cannot alter much in
place) has to drop the views on it first and make them again. Values that are sealed show as NULL,
and ``sealed`` says so: `crmtrail export` opens them.
"""

import re
from collections.abc import Iterator
from typing import Final


def _time(column: str) -> str:
    """Return where a time in microseconds stands, to be told as the commands print it."""
    return f"<time {column}>"


def _plain(column: str) -> str:
    """Return where a token stands, to be told as plain text; numbers stay as they were sent."""
    return f"<plain {column}>"


_PLACE: Final = re.compile(r"<(time|plain) ([a-z_.]+)>")

_PART: Final = "((({0}) % 1000000 + 1000000) % 1000000)"
_HEX: Final = "[0-9a-fA-F]"
_PAIR: Final = rf"\\u[dD][89abAB]{_HEX}{_HEX}\\u[dD][c-fC-F]{_HEX}{_HEX}"
_HALF: Final = r"\\u([dD][89a-fA-F]|0000)"
_WORDS: Final = {
    ("sqlite", "time"): (
        f"strftime('%Y-%m-%dT%H:%M:%S', ({{0}} - {_PART}) / 1000000, 'unixepoch')"
        f" || CASE {_PART} WHEN 0 THEN 'Z' ELSE printf('.%06dZ', {_PART}) END"
    ),
    # A text with NUL or half an emoji is none that a database could show: it stays JSON. SQLite
    # reads such a half as U+FFFD.
    ("sqlite", "plain"): (
        "CASE WHEN substr({0}, 1, 1) = '\"' AND (instr({0}, '\\u') = 0 OR"
        " (instr({0}, '\\u0000') = 0 AND json_extract({0}, '$') NOT GLOB '*\ufffd*'))"
        " THEN json_extract({0}, '$') WHEN {0} <> 'null' THEN {0} END"
    ),
    ("postgresql", "time"): (
        "to_char(timestamp '1970-01-01' + {0} * interval '1 microsecond',"
        " 'YYYY-MM-DD\"T\"HH24:MI:SS' ||"
        f" CASE {_PART} WHEN 0 THEN '\"Z\"' ELSE '.US\"Z\"' END)"
    ),
    ("postgresql", "plain"): (
        "CASE WHEN substr({0}, 1, 1) = '\"' AND (position('\\u' in {0}) = 0 OR"
        " regexp_replace(replace({0}, '\\\\', ' '), '" + _PAIR + "', '', 'g') !~ '" + _HALF + "')"
        " THEN {0}::json #>> '{{}}' WHEN {0} <> 'null' THEN {0} END"
    ),
}


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
            "blanked": "CASE WHEN c.kind >= 16 AND (c.kind / 8) % 2 = 0 AND c.kind % 2 = 1"
            " THEN 1 ELSE 0 END",
            "sealed": "CASE WHEN v.payload IS NULL AND v.payload_gone IS NULL THEN 0 ELSE 1 END",
            "op": "v.op",
        }
        | _TIMES
        | {"since": _time("v.since")}
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
            "sealed": "CASE WHEN r.key_id IS NULL THEN 0 ELSE 1 END",
            "erased_at": _time("r.erased_at"),
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


def statements(dialect: str = "sqlite") -> Iterator[str]:
    """Yield the CREATE VIEW statements, in the words of one database."""
    for name, (columns, tables) in VIEWS.items():
        listed = ", ".join(f"{made} AS {column}" for column, made in columns.items())
        text = f"CREATE VIEW {name} AS SELECT {listed} FROM {tables}"  # noqa: S608 -- texts of ours
        yield _PLACE.sub(lambda found: _WORDS[dialect, found[1]].format(found[2]), text)
