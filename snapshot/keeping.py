"""A batch of what was found, written to the tables in the caller's transaction.

One SELECT for what is stored, one for the values of what seems to have changed, then bulk
statements only. Ids are given out here, which is safe because the transaction holds the write
lock from its start.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from crmtrail.model import ChangeSet, Reading, Ref, Removal
from crmtrail.ports import Kept, Notice, Noticed, Scene
from snapshot import lines
from snapshot.absorbing import Batch
from snapshot.announced import announced
from snapshot.arrivals import look_again, write_arrivals
from snapshot.awaited import Sent, awaited
from snapshot.desk import Desk, Place
from snapshot.diff import fingerprint, says_more
from snapshot.drafts import Past
from snapshot.noticed import keep_findings, keep_operations, open_operations, seal_findings
from snapshot.schemas import newest_schema
from snapshot.shelf import Shelf
from snapshot.shortcuts import sort
from snapshot.states import Wanted, states_of
from snapshot.times import at_micros
from snapshot.writing import Row, Writer


def absorb_found(
    connection: Connection,
    shelf: Shelf,
    place: Place,
    found: Sequence[Reading | Removal],
    *,
    notice: Notice,
    now: datetime,
) -> Kept:
    """Write everything found: versions, changes, heads, findings, leaves, counts.

    What the vendor still says of an erased person is not looked at.
    """
    if not found:
        return Kept()
    refs = list(dict.fromkeys(one.ref.id for one in found))
    stored = _stored(connection, place, refs)
    erased = {id_ for id_, each in stored.items() if each.erased}
    told = [one for one in found if one.ref.id not in erased] if erased else found
    past = {id_: each.past for id_, each in stored.items()}
    arrivals, still, rest = sort(told, past, place.horizon)
    desk = Desk(connection, shelf, place, now)
    batch = Batch.of(
        rest,
        _with_fields(connection, shelf, place, stored, rest),
        horizon=place.horizon,
        sent=_awaited(connection, place, refs) if rest else {},
        read_back=place.run is None,
    )

    def look(change_sets: Sequence[ChangeSet]) -> Noticed:
        return notice(
            change_sets,
            Scene(
                source=place.source,
                object=place.object,
                schema=newest_schema(connection, place.object_id),
                population=place.live + batch.newcomers() + len(arrivals),
                operations=open_operations(connection, place.object_id, change_sets),
                expected=announced(connection),
            ),
        )

    noticed = batch.notice(look)
    keep_operations(connection, place.object_id, noticed.operations)
    incidents = keep_findings(connection, noticed, now, place.run)
    write_arrivals(desk, arrivals)
    look_again(connection, [stored[one.ref.id].row.record_id for one in still], still)
    touched = {one.ref.id for one in rest}
    Writer(desk).write(batch, {id_: each.row for id_, each in stored.items() if id_ in touched})
    if arrivals or batch.newcomers() or any(isinstance(one, Removal) for one in rest):
        lines.resolve(connection, place.object_id)
    seal_findings(connection, incidents, now)
    kept = batch.kept(each.id for each in incidents)
    return replace(kept, read=len(found), created=kept.created + len(arrivals))


class _Held(NamedTuple):
    """A record's row, and what it says of the record without its fields."""

    row: Row
    past: Past
    erased: bool


def _stored(connection: Connection, place: Place, ids: Sequence[str]) -> dict[str, _Held]:
    """Return what is stored of records, by the vendor's id; their fields are not read."""
    rows = connection.exec_driver_sql(
        "SELECT r.ext_id, r.record_id, r.keyframe, r.since, r.key_id, r.erased_at, r.number,"
        " r.modified_at, r.edited_at, r.known_at, r.deleted, r.history_to, r.operation_id, r.seen"
        " FROM json_each(?) AS t CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value",
        (json.dumps(ids), place.object_id),
    )
    found: dict[str, _Held] = {}
    for id_, row, keyframe, since, key, erased, number, *rest in rows:
        modified, edited, known, deleted, history, operation, seen = rest
        past = Past(
            number=number,
            fields={},
            modified_at=at_micros(modified),
            edited_at=at_micros(edited),
            known_at=at_micros(known),
            deleted=bool(deleted),
            history_to=at_micros(history),
            operation=operation,
            seen=b"" if seen is None else bytes(seen),
        )
        found[id_] = _Held(Row(row, keyframe, since, key), past, erased is not None)
    return found


def _with_fields(
    connection: Connection,
    shelf: Shelf,
    place: Place,
    stored: Mapping[str, _Held],
    found: Sequence[Reading | Removal],
) -> dict[str, Past]:
    """Return the records as stored, with the fields of those that a reading may change."""
    changed = {
        one.ref.id
        for one in found
        if (told := one if isinstance(one, Reading) else one.last) is not None
        and one.ref.id in stored
        and says_more(stored[one.ref.id].past, told, fingerprint(told))
    }
    past = {id_: each.past for id_, each in stored.items()}
    if changed:
        wanted = [_wanted(place, id_, stored[id_]) for id_ in sorted(changed)]
        states = states_of(connection, shelf, wanted)
        for id_ in changed:
            past[id_] = past[id_]._replace(fields=states[stored[id_].row.record_id])
    return past


def _wanted(place: Place, id_: str, held: _Held) -> Wanted:
    row, number = held.row, held.past.number
    return Wanted(
        row.record_id,
        Ref(place.source, place.object, id_),
        place.object_id,
        row.key_id,
        place.key_id,
        row.keyframe,
        number - row.since,
        number,
    )


def _awaited(
    connection: Connection, place: Place, ids: Sequence[str]
) -> Mapping[str, Sequence[Sent]]:
    """Return our own steps that were sent and that no sync has seen, by the vendor's id."""
    rows = connection.exec_driver_sql(
        "SELECT s.record, s.plan_id, s.no, s.write, s.sent_at, s.before, s.settled_at, s.fields"
        " FROM json_each(?) AS t"
        " CROSS JOIN plan_step AS s INDEXED BY plan_step_awaited"
        " ON s.source = ? AND s.object = ? AND s.record = t.value"
        " WHERE s.state IN ('sending', 'settled') AND s.seen_version IS NULL"
        " AND s.sent_at IS NOT NULL ORDER BY s.sent_at, s.plan_id, s.no",
        (json.dumps(ids), place.source, place.object),
    )
    sent: dict[str, list[Sent]] = {}
    for record, plan, no, write, sent_at, before, settled_at, results in rows:
        step = Sent(plan, no, json.loads(write), at_micros(sent_at))
        look_for = awaited(step, json.loads(before), at_micros(settled_at), json.loads(results))
        if look_for is not None:
            sent.setdefault(record, []).append(look_for)
    return sent
