"""How far the ledger is anchored, in SQL: one row for each place outside."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from crmtrail.model import utc
from snapshot.leaves import size_of
from snapshot.times import at_micros, micros

_TIMES: Final = ("known_at", "at")
"""Where an entry tells its time: a version when we read it, an action when we did it."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place outside: what it took last and when, and why it last refused, if it did since."""

    name: str
    size: int | None
    note: str | None
    anchored_at: datetime | None
    failed_at: datetime | None
    failure: str


@dataclass(frozen=True, slots=True)
class Anchorage:
    """How many entries no place outside knows, since when the oldest of them, and the places."""

    size: int
    unanchored: int
    oldest: datetime | None
    places: tuple[Place, ...]


def took(connection: Connection, name: str, size: int, note: str, at: datetime) -> None:
    """Note that a place took a checkpoint. One that overtook it on the way stays the newest."""
    connection.exec_driver_sql(
        "INSERT INTO anchor (name, size, note, anchored_at, failure) VALUES (?, ?, ?, ?, '')"
        " ON CONFLICT (name) DO UPDATE SET anchored_at = excluded.anchored_at, failed_at = NULL,"
        " failure = '', note = iif(excluded.size < size, note, excluded.note),"
        " size = max(excluded.size, ifnull(size, 0))",
        (name, size, note, micros(utc(at))),
    )


def refused(connection: Connection, name: str, why: str, at: datetime) -> None:
    """Note that a place did not take a checkpoint."""
    connection.exec_driver_sql(
        "INSERT INTO anchor (name, failed_at, failure) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET failed_at = excluded.failed_at,"
        " failure = excluded.failure",
        (name, micros(utc(at)), why),
    )


def places(connection: Connection) -> tuple[Place, ...]:
    """Return every place that was ever tried, by name."""
    rows = connection.exec_driver_sql(
        "SELECT name, size, note, anchored_at, failed_at, failure FROM anchor ORDER BY name"
    )
    return tuple(
        Place(name, size, note, at_micros(anchored), at_micros(failed), failure)
        for name, size, note, anchored, failed, failure in rows
    )


def anchorage(connection: Connection) -> Anchorage:
    """Return how far the ledger is anchored: as far as the place that has the most of it."""
    found = places(connection)
    size = size_of(connection)
    known = min(size, max((place.size or 0 for place in found), default=0))
    oldest = _time_of(connection, known) if known < size else None
    return Anchorage(size, size - known, oldest, found)


def _time_of(connection: Connection, idx: int) -> datetime | None:
    """Return the time that an entry tells; None where it was damaged."""
    entry = connection.exec_driver_sql("SELECT entry FROM leaf WHERE idx = ?", (idx,)).scalar()
    try:
        told = json.loads(entry or b"")
        stamped = next(told[name] for name in _TIMES if name in told)
        return datetime.fromisoformat(stamped)
    except (ValueError, TypeError, StopIteration):
        return None
