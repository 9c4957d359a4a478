"""How records differ between two valid times, read from SQL in constant memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine

from crmtrail.model import Op, Ref, utc
from crmtrail.ports import Difference
from snapshot.asof import changed, differing, since_known
from snapshot.database import fetch, read_only
from snapshot.found import END_OF_TIME, KNOWN_BEFORE, PLACE, changes_in
from snapshot.shelf import Shelf
from snapshot.states import Wanted
from snapshot.times import micros

_BATCH: Final = 1_000

_TOUCHED: Final = "temp.touched AS t CROSS JOIN record AS r ON r.record_id = t.record_id"
_NEXT: Final = "t.ext_id > ? ORDER BY t.ext_id LIMIT ?"


class Span(NamedTuple):
    """Between which valid times; with ``known``, only what was known by then counts."""

    start: int
    end: int
    known: datetime | None

    @classmethod
    def of(cls, since: datetime, until: datetime, known: datetime | None) -> "Span":
        """Return the span between two moments."""
        return cls(micros(utc(since)), micros(utc(until)), known)


def difference(connection: Connection, shelf: Shelf, ref: Ref, span: Span) -> Difference | None:
    """Return how one record differs between two valid times; None where it does not."""
    object_row = shelf.object_id(connection, ref.source, ref.object)
    if object_row is None:
        return None
    where = "r.object_id = ? AND r.ext_id = ?"
    rows = _lives(connection, "record AS r", where, (object_row, ref.id), span)
    found = _compared(connection, shelf, (ref.source, ref.object), rows, span)
    return found[0] if found else None


def diff(
    engine: Engine, shelf: Shelf, source: str, object_: str, span: Span
) -> Iterator[Difference]:
    """Stream how the records of an object differ between two valid times, by record.

    Which records have versions in between is noted in a temporary table first; the rest is read
    in short transactions, so that a slow reader blocks nobody.
    """
    with read_only(engine).connect() as connection:
        with connection.begin():
            object_row = shelf.object_id(connection, source, object_)
            if object_row is None:
                return
            _note_touched(connection, object_row, span)
        try:
            after = ""
            while True:
                with connection.begin():
                    rows = _lives(connection, _TOUCHED, _NEXT, (after, _BATCH), span)
                    found = _compared(connection, shelf, (source, object_), rows, span)
                if not rows:
                    return
                after = rows[-1][1]
                yield from found
        finally:
            with connection.begin():
                connection.exec_driver_sql("DROP TABLE temp.touched")


def _note_touched(connection: Connection, object_row: int, span: Span) -> None:
    known = END_OF_TIME if span.known is None else micros(utc(span.known))
    connection.exec_driver_sql(
        "CREATE TEMP TABLE touched (ext_id TEXT PRIMARY KEY, record_id INTEGER) WITHOUT ROWID"
    )
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO temp.touched SELECT r.ext_id, r.record_id"
        " FROM version AS v INDEXED BY version_valid"
        " CROSS JOIN record AS r ON r.record_id = v.record_id"
        " WHERE v.object_id = ? AND v.at > ? AND v.at <= ? AND v.op <> 'baseline'"
        " AND v.known_at <= ?",
        (object_row, span.start, span.end, known),
    )


def _compared(
    connection: Connection,
    shelf: Shelf,
    names: tuple[str, str],
    rows: Sequence[Sequence[Any]],
    span: Span,
) -> list[Difference]:
    """Return how records differ, in the order of their rows."""
    lives = []
    for row in rows:
        first, start, last, was_gone, is_gone, op, at = row[5:]
        since = since_known(Op(op), at, span.start)
        if since < span.end:
            was_live, is_live = at <= since and was_gone == 0, not is_gone
            ref, (object_id, key_id, object_key) = Ref(*names, row[1]), row[2:5]
            ends = (first, start - 1, last)
            place = Wanted(row[0], ref, object_id, key_id, object_key, *ends)
            lives.append((place, since, was_live, is_live))
    spans = [place for place, _, was_live, is_live in lives if was_live and is_live]
    changes = changes_in(connection, shelf, spans)
    found = (
        differing(
            place.ref,
            was_live=was_live,
            is_live=is_live,
            changes=partial(changed, changes.get(place.record_id, ()), since, span.end),
        )
        for place, since, was_live, is_live in lives
    )
    return [one for one in found if one is not None]


def _lives(
    connection: Connection, records: str, where: str, values: Sequence[Any], span: Span
) -> Sequence[Sequence[Any]]:
    """Return which versions of records count at both ends of a span, with where they lie."""
    known = () if span.known is None else (micros(utc(span.known)),)
    limit = KNOWN_BEFORE if known else ""
    return fetch(
        connection,
        f"SELECT {PLACE}, b.version_id, coalesce((SELECT l.number FROM version AS l"  # noqa: S608 -- fixed texts, values are bound
        "  WHERE l.record_id = r.record_id AND l.at > ? ORDER BY l.number LIMIT 1), v.number + 1),"
        f" v.number, s.deleted, v.deleted, b.op, b.at FROM {records}"
        " CROSS JOIN position AS q ON q.object_id = r.object_id"
        " CROSS JOIN version AS b ON b.record_id = r.record_id AND b.number = 1 AND b.at <= ?"
        " CROSS JOIN version AS v ON v.version_id = (SELECT n.version_id FROM version AS n"
        f"  WHERE n.record_id = r.record_id AND n.at <= ?{limit} ORDER BY n.number DESC LIMIT 1)"
        " LEFT JOIN version AS s ON s.version_id = (SELECT n.version_id FROM version AS n"
        "  WHERE n.record_id = r.record_id AND n.at <= iif(b.op = 'baseline', max(?, b.at), ?)"
        f"{limit} ORDER BY n.number DESC LIMIT 1) WHERE {where}",
        (span.start, span.end, span.end, *known, span.start, span.start, *known, *values),
    )
