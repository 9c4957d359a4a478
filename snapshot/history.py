"""What is known of one record, read from SQL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Unfound
from crmtrail.model import ChangeSet, Op, Ref, Version, utc
from crmtrail.ports import Blame, Head
from snapshot.asof import Dated, Mark, blamed, mark_at, rewound, touches
from snapshot.canonical import digest_of, document_of, tokens_of
from snapshot.database import reading
from snapshot.names import known_object
from snapshot.rows import Stored, record_id, versions_of
from snapshot.times import at_micros, micros

_BATCH: Final = 500
"""How many versions one short transaction of a stream reads."""

_FIRST: Final = -1


def heads(connection: Connection, refs: Sequence[Ref]) -> Mapping[Ref, Head]:
    """Return the newest stored state of each record that is known."""
    found: dict[Ref, Head] = {}
    for (source, object_), group in groupby(sorted(set(refs)), key=lambda r: (r.source, r.object)):
        object_row = known_object(connection, source, object_)
        if object_row is None:
            continue
        rows = connection.exec_driver_sql(
            "SELECT r.ext_id, r.number, r.document, r.deleted, r.known_at FROM json_each(?) AS j"
            " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = j.value",
            (json.dumps([ref.id for ref in group]), object_row),
        )
        for id_, number, document, deleted, known_at in rows:
            ref = Ref(source, object_, id_)
            found[ref] = Head(ref, number, tokens_of(document), bool(deleted), at_micros(known_at))
    return found


def version(connection: Connection, ref: Ref, at: datetime | None) -> Version | None:
    """Return a record at a valid time (None: now); None before anything is known."""
    row = record_id(connection, ref)
    if row is None:
        return None
    marks = marks_of(connection, row)
    moment = max(mark.at for mark in marks) if at is None else micros(utc(at))
    mark = mark_at(marks, moment)
    if mark is None:
        return None
    document: str = connection.exec_driver_sql(
        "SELECT document FROM record WHERE record_id = ?", (row,)
    ).scalar_one()
    fields = rewound(tokens_of(document), changes_after(connection, row, moment), moment)
    id_ = connection.exec_driver_sql(
        "SELECT version_id FROM version WHERE record_id = ? AND number = ?", (row, mark.number)
    ).scalar_one()
    made = versions_of(connection, [id_])[0].change_set
    return Version(
        ref=ref,
        number=mark.number,
        op=made.op,
        fields=fields,
        at=made.at,
        known_at=made.known_at,
        actor=made.actor,
        deleted=mark.deleted,
        digest=digest_of(document_of(fields)).hex(),
    )


def marks_of(connection: Connection, row: int) -> list[Mark]:
    """Return what each version says of a record's life, oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT number, op, at, deleted FROM version WHERE record_id = ? ORDER BY number", (row,)
    )
    return [Mark(number, Op(op), at, bool(deleted)) for number, op, at, deleted in rows]


def changes_after(connection: Connection, row: int, moment: int) -> list[Dated]:
    """Return a record's changes, newest first, back to its first version later than a moment."""
    rows = connection.exec_driver_sql(
        "SELECT v.at, f.name, c.old, c.new FROM version AS v"
        " CROSS JOIN change AS c ON c.version_id = v.version_id"
        " CROSS JOIN field AS f ON f.field_id = c.field_id"
        " WHERE v.record_id = ? AND v.number >="
        " (SELECT min(number) FROM version WHERE record_id = ? AND at > ?)"
        " ORDER BY v.number DESC",
        (row, row, moment),
    )
    return [Dated(*found) for found in rows]


def timeline(connection: Connection, ref: Ref, field_name: str | None) -> list[ChangeSet]:
    """Return a record's versions, oldest first, of those that touched a field.

    The first version always touches every field, and so do deletions and undeletions.
    """
    row = record_id(connection, ref)
    if row is None:
        return []
    ids = connection.exec_driver_sql(
        "SELECT version_id FROM version WHERE record_id = ? ORDER BY number", (row,)
    ).scalars()
    found = [stored.change_set for stored in versions_of(connection, list(ids))]
    if field_name is None:
        return found
    return [made for made in found if touches(made, field_name)]


def blame(connection: Connection, ref: Ref) -> list[Blame]:
    """Return who set each current field value, sorted by field name."""
    row = record_id(connection, ref)
    if row is None:
        return []
    document: str = connection.exec_driver_sql(
        "SELECT document FROM record WHERE record_id = ?", (row,)
    ).scalar_one()
    newest: dict[str, int] = dict(
        connection.exec_driver_sql(
            "SELECT f.name, max(v.version_id) FROM version AS v"
            " CROSS JOIN change AS c ON c.version_id = v.version_id"
            " CROSS JOIN field AS f ON f.field_id = c.field_id"
            " WHERE v.record_id = ? GROUP BY f.field_id",
            (row,),
        ).all()
    )
    first = connection.exec_driver_sql(
        "SELECT version_id FROM version WHERE record_id = ? AND number = 1", (row,)
    ).scalar_one()
    stored = versions_of(connection, sorted({first, *newest.values()}))
    made = {each.version_id: each.change_set for each in stored}
    return [
        blamed(name, token, made[newest.get(name, first)])
        for name, token in sorted(tokens_of(document).items())
    ]


def members(engine: Engine, operation: str) -> Iterator[ChangeSet]:
    """Stream an operation's change sets: records as first stored, versions in order.

    Each batch is a short transaction of its own, so that a slow reader blocks nobody.

    Raises:
        Unfound: there is no operation of this id.
    """
    with reading(engine) as connection:
        known = connection.exec_driver_sql(
            "SELECT 1 FROM operation WHERE operation_id = ?", (operation,)
        ).scalar()
    if known is None:
        raise Unfound(f"there is no operation {operation}", hint="crmtrail operations lists them")
    return _members(engine, operation)


def _members(engine: Engine, operation: str) -> Iterator[ChangeSet]:
    after = (_FIRST, _FIRST)
    while True:
        with reading(engine) as connection:
            places = connection.exec_driver_sql(
                "SELECT version_id, record_id, number FROM version WHERE operation_id = ?"
                " AND (record_id, number) > (?, ?) ORDER BY record_id, number LIMIT ?",
                (operation, *after, _BATCH),
            ).all()
            batch: list[Stored] = versions_of(connection, [place[0] for place in places])
        if not places:
            return
        after = (places[-1][1], places[-1][2])
        for stored in batch:
            yield stored.change_set
