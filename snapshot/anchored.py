"""How far the ledger is anchored, in SQL: one row for each place outside."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from crmtrail.model import moment, utc
from snapshot.leaves import size_of
from snapshot.times import at_micros, micros

_AGAIN: Final = timedelta(minutes=15)
"""How long a place with an interval of its own is left alone after it failed."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place outside: what it took last and when, and why it last refused, if it did since."""

    name: str
    size: int | None
    note: str | None
    anchored_at: datetime | None
    failed_at: datetime | None
    failure: str

    def is_due(self, every: timedelta | None, now: datetime) -> bool:
        """Return whether a place that takes one checkpoint an interval is to be sent one."""
        if every is None:
            return True
        waits = (
            (self.anchored_at, every),
            (self.failed_at, min(every, _AGAIN)),
        )
        return all(at is None or now - at >= pause for at, pause in waits)


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
        " failure = '', note = iif(excluded.size < anchor.size, anchor.note, excluded.note),"
        " size = max(excluded.size, ifnull(anchor.size, 0))",
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
    """Return when an entry was made: a version when we read it, an action when we did it.

    None where it was damaged.
    """
    known_at: int | None = connection.exec_driver_sql(
        "SELECT known_at FROM version WHERE version_id = ?", (idx,)
    ).scalar()
    if known_at is not None:
        return at_micros(known_at)
    entry = connection.exec_driver_sql("SELECT entry FROM leaf WHERE idx = ?", (idx,)).scalar()
    try:
        return moment(json.loads(entry or b"")["at"])
    except (ValueError, TypeError, KeyError):
        return None
