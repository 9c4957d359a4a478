"""Rows of versions and changes, read as change sets."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.model import Change, ChangeSet, Op, Ref
from snapshot.names import actor_of, known_object
from snapshot.times import at_micros

_VERSION: Final = (
    "SELECT v.version_id, o.source, o.name, r.ext_id, v.op, v.number, a.kind, a.ext_id, a.name,"
    " a.via, a.why, v.at, v.known_at, v.operation_id, p.operation_id, v.plan_id, v.deleted,"
    " v.digest, v.stamps"
)
_VERSION_JOINS: Final = (
    "CROSS JOIN record AS r ON r.record_id = v.record_id"
    " CROSS JOIN object AS o ON o.object_id = v.object_id"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id"
    " LEFT JOIN version AS p ON p.record_id = v.record_id AND p.number = v.number - 1"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One version as it lies in the store."""

    version_id: int
    change_set: ChangeSet
    deleted: bool
    digest: bytes
    stamps: str


def record_id(connection: Connection, ref: Ref) -> int | None:
    """Return the row id of a record, if it is known."""
    object_ = known_object(connection, ref.source, ref.object)
    if object_ is None:
        return None
    found: int | None = connection.exec_driver_sql(
        "SELECT record_id FROM record WHERE object_id = ? AND ext_id = ?", (object_, ref.id)
    ).scalar()
    return found


def versions_of(connection: Connection, ids: Sequence[int]) -> list[Stored]:
    """Return versions by id, in the order of the ids, with all their changes."""
    rows = connection.exec_driver_sql(
        f"{_VERSION} FROM json_each(?) AS j CROSS JOIN version AS v ON v.version_id = j.value"
        f" {_VERSION_JOINS} ORDER BY j.key",
        (json.dumps(ids),),
    ).all()
    changes = changes_of(connection, ids)
    return [_stored(row, changes.get(row[0], ())) for row in rows]


def changes_of(connection: Connection, ids: Iterable[int]) -> Mapping[int, tuple[Change, ...]]:
    """Return the changes of versions, sorted by field; versions without any are missing."""
    rows = connection.exec_driver_sql(
        "SELECT c.version_id, f.name, c.old, c.new FROM json_each(?) AS j"
        " CROSS JOIN change AS c ON c.version_id = j.value"
        " CROSS JOIN field AS f ON f.field_id = c.field_id",
        (json.dumps(list(ids)),),
    )
    found: dict[int, list[Change]] = {}
    for version, name, old, new in rows:
        found.setdefault(version, []).append(Change(name, old, new))
    return {
        version: tuple(sorted(changes, key=lambda change: change.field))
        for version, changes in found.items()
    }


def _stored(row: Sequence[Any], changes: tuple[Change, ...]) -> Stored:
    version_id, source, object_, id_, op, number, *rest = row
    at, known_at, operation, previous, plan, deleted, digest, stamps = rest[5:]
    change_set = ChangeSet(
        Ref(source, object_, id_),
        Op(op),
        number,
        changes,
        actor_of(rest[:5]),
        at_micros(at),
        at_micros(known_at),
        operation,
        previous,
        plan,
    )
    return Stored(version_id, change_set, bool(deleted), digest, stamps)
