"""What is known of one record, read from SQL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Unfound
from crmtrail.model import ChangeSet, Op, Ref, Version
from crmtrail.ports import Blame, Departure, Head
from snapshot.asof import blamed, touches
from snapshot.database import fetch, reading
from snapshot.found import (
    END_OF_TIME,
    FRAME,
    PLACE,
    Extent,
    Found,
    fields_of,
    find,
    version_of,
)
from snapshot.lineage import departure_of
from snapshot.names import actor_of
from snapshot.rows import Stored, versions_of, versions_of_record
from snapshot.shelf import Shelf
from snapshot.states import Framed, unfolded
from snapshot.times import at_micros

_BATCH: Final = 500
"""How many versions one short transaction of a stream reads."""

_FIRST: Final = -1

_ONE: Final = "r.object_id = ? AND r.ext_id = ?"

_HEADS: Final = (
    f"SELECT {PLACE}, r.keyframe, r.number - r.since, r.number, {FRAME},"  # noqa: S608 -- a fixed text
    " r.deleted, r.known_at, r.erased_at FROM json_each(?) AS t"
    " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value"
    " CROSS JOIN position AS q ON q.object_id = r.object_id"
    " CROSS JOIN keyframe AS k ON k.version_id = r.keyframe"
)
_ENDS: Final = (
    "SELECT r.ext_id, v.note, v.at, a.kind, a.ext_id, a.name, a.via, a.why"
    " FROM json_each(?) AS t CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value"
    " CROSS JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id WHERE r.deleted = 1"
)
_SETTER: Final = "v.op, v.number, v.at, v.known_at, a.kind, a.ext_id, a.name, a.via, a.why"
_SETTERS: Final = (
    f"SELECT m.field_id, {_SETTER} FROM"  # noqa: S608 -- a fixed text
    " (SELECT c.field_id AS field_id, max(s.version_id) AS newest FROM version AS s"
    "  CROSS JOIN change AS c ON c.version_id = s.version_id"
    "  WHERE s.record_id = ? GROUP BY c.field_id) AS m"
    " CROSS JOIN version AS v ON v.version_id = m.newest"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id"
    f" UNION ALL SELECT NULL, {_SETTER} FROM version AS v"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id"
    " WHERE v.record_id = ? AND v.number = (SELECT max(b.number) FROM version AS b"
    " WHERE b.record_id = v.record_id AND (b.number = 1 OR b.op = 'baseline'))"
)


def heads(connection: Connection, shelf: Shelf, refs: Sequence[Ref]) -> Mapping[Ref, Head]:
    """Return the newest stored state of each record that is known."""
    found: dict[Ref, Head] = {}
    for (source, object_), group in groupby(sorted(set(refs)), key=lambda r: (r.source, r.object)):
        object_row = shelf.object_id(connection, source, object_)
        if object_row is None:
            continue
        ids = json.dumps([ref.id for ref in group])
        rows = fetch(connection, _HEADS, (ids, object_row))
        framed = [Framed(row[0], Ref(source, object_, row[1]), *row[2:12]) for row in rows]
        states = unfolded(connection, shelf, framed)
        gone = [one.ref.id for one, row in zip(framed, rows, strict=True) if row[-3]]
        ends = _departures(connection, object_row, gone)
        for one, (*_, deleted, known_at, erased) in zip(framed, rows, strict=True):
            times = (at_micros(known_at), at_micros(erased))
            state, end = states[one.record_id], ends.get(one.ref.id)
            found[one.ref] = Head(one.ref, one.number, state, bool(deleted), *times, end)
    return found


def _departures(
    connection: Connection, object_id: int, ids: Sequence[str]
) -> Mapping[str, Departure]:
    """Return how deleted records of an object left, by the vendor's id."""
    if not ids:
        return {}
    rows = fetch(connection, _ENDS, (json.dumps(ids), object_id))
    return {id_: departure_of(note, at_micros(at), actor_of(who)) for id_, note, at, *who in rows}


def version(
    connection: Connection,
    shelf: Shelf,
    ref: Ref,
    at: datetime | None,
    known: datetime | None = None,
) -> Version | None:
    """Return a record at a valid time (None: now); None before anything is known.

    With ``known``, only what was known by then counts.
    """
    object_row = shelf.object_id(connection, ref.source, ref.object)
    if object_row is None:
        return None
    extent = Extent.of(at, known)
    rows = find(connection, extent, "record AS r", _ONE, object_row, ref.id)
    for row in rows:
        found = Found.of(ref.source, ref.object, row)
        fields = fields_of(connection, shelf, [found], extent.moment)
        return version_of(found, fields[found.framed.record_id])
    return None


def timeline(
    connection: Connection, shelf: Shelf, ref: Ref, field_name: str | None
) -> list[ChangeSet]:
    """Return a record's versions, oldest first, of those that touched a field.

    The first version always touches every field, and so do deletions and undeletions.
    """
    found = [stored.change_set for stored in versions_of_record(connection, shelf, ref)]
    if field_name is None:
        return found
    return [made for made in found if touches(made, field_name)]


def blame(connection: Connection, shelf: Shelf, ref: Ref) -> list[Blame]:
    """Return who set each current field value, sorted by field name."""
    object_row = shelf.object_id(connection, ref.source, ref.object)
    if object_row is None:
        return []
    for row in find(connection, Extent(), "record AS r", _ONE, object_row, ref.id):
        found = Found.of(ref.source, ref.object, row)
        state = fields_of(connection, shelf, [found], END_OF_TIME)[found.framed.record_id]
        setters, first = _setters(connection, shelf, found.framed)
        return [
            blamed(name, token, setters.get(name, first)) for name, token in sorted(state.items())
        ]
    return []


def _setters(
    connection: Connection, shelf: Shelf, place: Framed
) -> tuple[Mapping[str, ChangeSet], ChangeSet]:
    """Return which version set each field last, and the first one; without their changes."""
    rows = fetch(connection, _SETTERS, (place.record_id, place.record_id))
    names = shelf.named(connection, place.object_id, {row[0] for row in rows if row[0] is not None})
    made = {
        field_id: ChangeSet(
            place.ref, Op(op), number, (), actor_of(actor), at_micros(at), at_micros(known_at)
        )
        for field_id, op, number, at, known_at, *actor in rows
    }
    first = made.pop(None)
    return {names[field_id]: each for field_id, each in made.items()}, first


def members(engine: Engine, shelf: Shelf, operation: str) -> Iterator[ChangeSet]:
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
    return _members(engine, shelf, operation)


def _members(engine: Engine, shelf: Shelf, operation: str) -> Iterator[ChangeSet]:
    after = (_FIRST, _FIRST)
    while True:
        with reading(engine) as connection:
            places = connection.exec_driver_sql(
                "SELECT version_id, record_id, number FROM version WHERE operation_id = ?"
                " AND (record_id, number) > (?, ?) ORDER BY record_id, number LIMIT ?",
                (operation, *after, _BATCH),
            ).all()
            batch: list[Stored] = versions_of(connection, shelf, [place[0] for place in places])
        if not places:
            return
        after = (places[-1][1], places[-1][2])
        for stored in batch:
            yield stored.change_set
