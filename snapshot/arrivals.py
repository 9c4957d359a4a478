"""First sights written to the tables: one version each, in full. The bulk of a first load."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.model import Reading
from crmtrail.slices import Slices
from snapshot import bulk
from snapshot.desk import Desk
from snapshot.diff import fingerprint
from snapshot.heads import checksum
from snapshot.leaves import size_of
from snapshot.packing import STAMP
from snapshot.times import micros
from snapshot.trails import newest

_RECORD: Final = (
    "record_id",
    "object_id",
    "ext_id",
    "key_id",
    "number",
    "deleted",
    "modified_at",
    "edited_at",
    "known_at",
    "history_to",
    "keyframe",
    "since",
    "seen",
    "sound",
)


def write_arrivals(desk: Desk, readings: Sequence[Reading]) -> None:
    """Write records that were never seen before, each with its baseline."""
    if not readings:
        return
    connection, object_id = desk.connection, desk.place.object_id
    keys = desk.keys_for([each.fields for each in readings])
    fields = desk.fields(_names(readings))
    layout = fields.layout
    scribe = desk.scribe(
        fields,
        (layout.document(each.fields, each.stamps) for each in readings),
        len(readings),
        (each.actor for each in readings),
        keys,
    )
    size, first = size_of(connection), desk.next_record()
    records: list[tuple[Any, ...]] = []
    for no, (each, key) in enumerate(zip(readings, keys, strict=True)):
        modified, edited, known = each.modified_at, each.edited_at, micros(each.read_at)
        at = micros(modified)
        later = at if edited is modified else micros(edited)
        history, seen = micros(newest(None, each.trail)), fingerprint(each)
        records.append(
            (
                first + no,
                object_id,
                each.ref.id,
                key,
                1,
                int(each.deleted),
                at,
                later,
                known,
                history,
                size + no,
                0,
                seen,
                checksum((at, later, history, None, size + no, 0, key, seen)),
            )
        )
        scribe.arrive(size + no, first + no, key, each, at, known)
    bulk.insert(connection, "record", _RECORD, records)
    scribe.flush(connection, size)
    sealed = (
        (first + no, each.fields)
        for no, (each, key) in enumerate(zip(readings, keys, strict=True))
        if key is not None
    )
    desk.index(sealed)
    dead = sum(each.deleted for each in readings)
    desk.count(len(readings) - dead, dead, len(readings))


def look_again(connection: Connection, rows: Sequence[int], readings: Sequence[Reading]) -> None:
    """Note when records that are as they were have been looked at last."""
    by_time: dict[int, list[int]] = {}
    for row, each in zip(rows, readings, strict=True):
        by_time.setdefault(micros(each.read_at), []).append(row)
    for known_at, ids in by_time.items():
        connection.exec_driver_sql(
            "UPDATE record SET known_at = ?"
            " WHERE record_id IN (SELECT value FROM json_each(?) AS j) AND known_at < ?",
            (known_at, json.dumps(ids), known_at),
        )


def _names(readings: Sequence[Reading]) -> list[str]:
    """Return the names of all fields that readings tell, and of their stamps, as they come."""
    shapes: dict[tuple[str, ...], None] = {}
    for each in readings:
        fields = each.fields
        shapes[fields.names if isinstance(fields, Slices) else tuple(fields)] = None
        shapes[tuple(STAMP + name for name in each.stamps)] = None
    return list(dict.fromkeys(name for shape in shapes for name in shape))
