"""How records differ between two valid times, read from SQL in constant memory."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.model import Op, Ref, utc
from crmtrail.ports import Difference
from snapshot.asof import Dated, Mark, compared
from snapshot.database import read_only
from snapshot.history import changes_after, marks_of
from snapshot.names import known_object
from snapshot.rows import record_id
from snapshot.times import micros

_BATCH: Final = 500


def difference(
    connection: Connection, ref: Ref, since: datetime, until: datetime
) -> Difference | None:
    """Return how one record differs between two valid times; None where it does not."""
    row = record_id(connection, ref)
    if row is None:
        return None
    start, end = micros(utc(since)), micros(utc(until))
    changes = changes_after(connection, row, start)
    return compared(ref, marks_of(connection, row), changes, start, end)


def diff(
    engine: Engine, source: str, object_: str, since: datetime, until: datetime
) -> Iterator[Difference]:
    """Stream how the records of an object differ between two valid times, by record.

    Which records have versions in between is noted in a temporary table first; the rest is read
    in short transactions, so that a slow reader blocks nobody.
    """
    start, end = micros(utc(since)), micros(utc(until))
    with read_only(engine).connect() as connection:
        with connection.begin():
            object_row = known_object(connection, source, object_)
            if object_row is None:
                return
            _note_touched(connection, object_row, start, end)
        try:
            after = ""
            while True:
                with connection.begin():
                    batch = _next_touched(connection, after)
                    found = list(_compared(connection, source, object_, batch, start, end))
                if not batch:
                    return
                after = batch[-1][0]
                yield from found
        finally:
            with connection.begin():
                connection.exec_driver_sql("DROP TABLE temp.touched")


def _note_touched(connection: Connection, object_row: int, start: int, end: int) -> None:
    connection.exec_driver_sql(
        "CREATE TEMP TABLE touched (ext_id TEXT PRIMARY KEY, record_id INTEGER) WITHOUT ROWID"
    )
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO temp.touched SELECT r.ext_id, r.record_id"
        " FROM version AS v INDEXED BY version_valid"
        " CROSS JOIN record AS r ON r.record_id = v.record_id"
        " WHERE v.object_id = ? AND v.at > ? AND v.at <= ? AND v.op <> 'baseline'",
        (object_row, start, end),
    )


def _next_touched(connection: Connection, after: str) -> Sequence[tuple[str, int]]:
    return connection.exec_driver_sql(
        "SELECT ext_id, record_id FROM temp.touched WHERE ext_id > ? ORDER BY ext_id LIMIT ?",
        (after, _BATCH),
    ).all()


def _compared(
    connection: Connection,
    source: str,
    object_: str,
    batch: Sequence[tuple[str, int]],
    start: int,
    end: int,
) -> Iterator[Difference]:
    rows = json.dumps([row for _, row in batch])
    marks: dict[int, list[Mark]] = {}
    for row, number, op, at, deleted in connection.exec_driver_sql(
        "SELECT v.record_id, v.number, v.op, v.at, v.deleted FROM json_each(?) AS j"
        " CROSS JOIN version AS v ON v.record_id = j.value ORDER BY j.key, v.number",
        (rows,),
    ):
        marks.setdefault(row, []).append(Mark(number, Op(op), at, bool(deleted)))
    changes = connection.exec_driver_sql(
        "SELECT v.record_id, v.at, f.name, c.old, c.new FROM json_each(?) AS j"
        " CROSS JOIN version AS v ON v.record_id = j.value AND v.number >="
        " (SELECT min(e.number) FROM version AS e WHERE e.record_id = j.value AND e.at > ?)"
        " CROSS JOIN change AS c ON c.version_id = v.version_id"
        " CROSS JOIN field AS f ON f.field_id = c.field_id"
        " ORDER BY j.key, v.number DESC",
        (rows, start),
    )
    dated = {
        row: [Dated(*found[1:]) for found in group]
        for row, group in groupby(changes, key=lambda found: found[0])
    }
    for id_, row in batch:
        ref = Ref(source, object_, id_)
        found = compared(ref, marks[row], dated.get(row, ()), start, end)
        if found is not None:
            yield found
