"""Every record of an object at one time, streamed from SQL in constant memory.

Each batch is a short transaction of its own, so that a slow reader blocks nobody. What is stored
meanwhile is undone on the way out: only the first ``known`` entries of the ledger count.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Engine

from crmtrail.model import Op, Ref, Version, utc
from snapshot.asof import Dated, rewound
from snapshot.canonical import digest_of, document_of, tokens_of
from snapshot.database import reading
from snapshot.leaves import size_of
from snapshot.names import actor_of, known_object
from snapshot.times import at_micros, micros

_BATCH: Final = 200
_END_OF_TIME: Final = 2**62
"""Later than any moment; what came after ``known`` is later still, and so never reached."""
_UNKNOWN: Final = 2**62 + 1


@dataclass(frozen=True, slots=True)
class _Extent:
    """Which versions count: valid up to a moment, and known by then."""

    moment: int
    known: int


def records(
    engine: Engine, source: str, object_: str, at: datetime | None, known: int | None
) -> Iterator[Version]:
    """Yield the records of an object at a valid time (None: now), by id, deleted ones too.

    Args:
        engine: of the store.
        source: the source's name.
        object_: the vendor's object.
        at: the valid time; records that nothing is known of by then are left out.
        known: how many entries of the ledger count; None for those there at the start.
    """
    with reading(engine) as connection:
        object_row = known_object(connection, source, object_)
        size = size_of(connection) if known is None else known
    if object_row is None:
        return
    extent = _Extent(_END_OF_TIME if at is None else micros(utc(at)), size)
    after = ""
    while True:
        with reading(engine) as connection:
            rows = _next(connection, object_row, after, extent)
            states = list(_states(connection, source, object_, rows, extent))
        if not rows:
            return
        after = rows[-1][1]
        yield from states


def _next(
    connection: Connection, object_row: int, after: str, extent: _Extent
) -> Sequence[Sequence[Any]]:
    """Return the next records: row id, vendor's id, current document and digest, version number."""
    limits = (extent.moment, extent.known)
    return connection.exec_driver_sql(
        "SELECT r.record_id, r.ext_id, r.document, r.digest,"
        " (SELECT max(v.number) FROM version AS v"
        "  WHERE v.record_id = r.record_id AND v.at <= ? AND v.version_id < ?)"
        " FROM record AS r WHERE r.object_id = ? AND r.ext_id > ? AND EXISTS"
        " (SELECT 1 FROM version AS f WHERE f.record_id = r.record_id AND f.number = 1"
        "  AND f.at <= ? AND f.version_id < ?)"
        " ORDER BY r.ext_id LIMIT ?",
        (*limits, object_row, after, *limits, _BATCH),
    ).all()


def _states(
    connection: Connection,
    source: str,
    object_: str,
    rows: Sequence[Sequence[Any]],
    extent: _Extent,
) -> Iterator[Version]:
    changes = _changes_after(connection, [row[0] for row in rows], extent)
    versions = _versions(connection, [(row[0], row[4]) for row in rows])
    for row, id_, document, digest, number in rows:
        fields = tokens_of(document)
        if row in changes:
            fields = rewound(fields, changes[row], extent.moment)
            digest = digest_of(document_of(fields))  # noqa: PLW2901 -- the state's own, not today's
        op, at, known_at, deleted, *actor = versions[row]
        yield Version(
            ref=Ref(source, object_, id_),
            number=number,
            op=Op(op),
            fields=fields,
            at=at_micros(at),
            known_at=at_micros(known_at),
            actor=actor_of(actor),
            deleted=bool(deleted),
            digest=digest.hex(),
        )


def _versions(
    connection: Connection, places: Sequence[tuple[int, int]]
) -> Mapping[int, Sequence[Any]]:
    """Return op, times, deletion and actor of one version of each record, by record."""
    found = connection.exec_driver_sql(
        "SELECT v.record_id, v.op, v.at, v.known_at, v.deleted,"
        " a.kind, a.ext_id, a.name, a.via, a.why FROM json_each(?) AS j"
        " CROSS JOIN version AS v ON v.record_id = json_extract(j.value, '$[0]')"
        " AND v.number = json_extract(j.value, '$[1]')"
        " CROSS JOIN actor AS a ON a.actor_id = v.actor_id",
        (json.dumps(places),),
    )
    return {row[0]: row[1:] for row in found}


def _changes_after(
    connection: Connection, rows: Sequence[int], extent: _Extent
) -> Mapping[int, list[Dated]]:
    """Return, by record, its changes newest first, back to the first that does not count."""
    limits = (extent.moment, extent.known)
    found = connection.exec_driver_sql(
        "SELECT v.record_id, CASE WHEN v.version_id < ? THEN v.at ELSE ? END, f.name, c.old, c.new"
        " FROM json_each(?) AS j CROSS JOIN version AS v ON v.record_id = j.value AND v.number >="
        " (SELECT min(e.number) FROM version AS e"
        "  WHERE e.record_id = j.value AND (e.at > ? OR e.version_id >= ?))"
        " CROSS JOIN change AS c ON c.version_id = v.version_id"
        " CROSS JOIN field AS f ON f.field_id = c.field_id"
        " ORDER BY j.key, v.number DESC",
        (extent.known, _UNKNOWN, json.dumps(rows), *limits),
    )
    return {
        row: [Dated(*each[1:]) for each in group]
        for row, group in groupby(found, key=lambda each: each[0])
    }
