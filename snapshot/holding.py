"""Holds: reasons to keep what an erasure or retention would forget. A hold always wins.

A hold is on a person, found by an address, on a record, or on all records of an object. It ends
when it is released, or at the time that it was given. Both its ends are in the ledger.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Mistake, PersonNeeded, Unfound
from crmtrail.model import stamp, utc
from crmtrail.ports import Clock
from snapshot.database import reading, writing
from snapshot.leaves import seal
from snapshot.names import known_object
from snapshot.subjects import Named, Subject, blind_of
from snapshot.times import at_micros, micros
from snapshot.vault import Vault

HOLD: Final = "hold"
RELEASE: Final = "hold-release"
"""The kinds of their entries."""

_HOLDS: Final = (
    "SELECT h.hold_id, h.blind, o.source, o.name, h.record, h.why, h.by, h.at, h.until, h.leaf,"
    " h.object_id, e.at, e.by, e.why, e.leaf FROM hold AS h"
    " LEFT JOIN object AS o ON o.object_id = h.object_id"
    " LEFT JOIN hold_release AS e ON e.hold_id = h.hold_id ORDER BY h.hold_id"
)


class Held(PersonNeeded):
    """A hold keeps what was to be forgotten."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a hold was released."""

    at: datetime
    by: str
    why: str
    leaf: int


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. ``on`` names what it is on; of a person it names nobody."""

    id: int
    on: str
    why: str
    by: str
    at: datetime
    until: datetime | None
    leaf: int
    ended: Ended | None = None
    blind: bytes | None = None
    object_id: int | None = None
    record: str | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it is in force."""
        return self.ended is None and (self.until is None or self.until > now)

    def __str__(self) -> str:
        until = "" if self.until is None else f" until {stamp(self.until)}"
        return f"hold {self.id} of {self.by} since {stamp(self.at)}{until}: {self.why}"


def hold_entry(one: Hold) -> dict[str, Any]:
    """Return the entry of a hold."""
    return {
        "hold": one.id,
        "on": one.on if one.blind is None else f"person:{one.blind.hex()}",
        "why": one.why,
        "by": one.by,
        "until": None if one.until is None else stamp(one.until),
    }


def release_entry(hold: int, ended: Ended) -> dict[str, Any]:
    """Return the entry of the end of a hold."""
    return {"hold": hold, "why": ended.why, "by": ended.by}


class Holds:
    """The holds of one store."""

    def __init__(self, engine: Engine, vault: Vault, clock: Clock) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock

    def add(self, subject: str, *, why: str, by: str, until: datetime | None = None) -> Hold:
        """Hold a person (by an address), a record or an object, and seal that.

        What is held need not be stored yet, but its object has to be known.

        Raises:
            Mistake: nothing is named, no reason is given, or the end lies in the past.
            Unfound: there is no such object.
        """
        named = Named.parse(subject, objects=True)
        now = self._clock.now()
        if not why.strip():
            raise Mistake("a hold needs a reason: --why")
        if until is not None and utc(until) <= now:
            raise Mistake("a hold ends in the future: check --until")
        with writing(self._engine) as connection:
            made = self._made(connection, named, why.strip(), by, now, until)
            leaf = seal(connection, HOLD, hold_entry(made), now)
            connection.exec_driver_sql(
                "INSERT INTO hold (hold_id, blind, object_id, record, why, by, at, until, leaf)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(made.id, made.blind, made.object_id, made.record, made.why, by),
                    *(micros(now), micros(until), leaf),
                ),
            )
            return next(one for one in holds_of(connection) if one.id == made.id)

    def all(self) -> list[Hold]:
        """Return every hold there ever was, oldest first."""
        with reading(self._engine) as connection:
            return list(holds_of(connection))

    def release(self, id_: int, *, why: str, by: str) -> Hold:
        """End a hold, and seal that.

        Raises:
            Unfound: there is no such hold.
            Mistake: it ended already, or no reason is given.
        """
        if not why.strip():
            raise Mistake("a release needs a reason: --why")
        now = self._clock.now()
        with writing(self._engine) as connection:
            found = next((one for one in holds_of(connection) if one.id == id_), None)
            if found is None:
                raise Unfound(f"there is no hold {id_}", hint="`crmtrail hold list` lists them")
            if found.ended is not None:
                raise Mistake(f"hold {id_} was released already, by {found.ended.by}")
            leaf = seal(connection, RELEASE, {"hold": id_, "why": why.strip(), "by": by}, now)
            connection.exec_driver_sql(
                "INSERT INTO hold_release (hold_id, why, by, at, leaf) VALUES (?, ?, ?, ?, ?)",
                (id_, why.strip(), by, micros(now), leaf),
            )
            # What it kept is looked at again by every rule of retention.
            connection.exec_driver_sql("DELETE FROM retention_mark")
            return next(one for one in holds_of(connection) if one.id == id_)

    def _made(
        self,
        connection: Connection,
        named: Named,
        why: str,
        by: str,
        now: datetime,
        until: datetime | None,
    ) -> Hold:
        newest = connection.exec_driver_sql("SELECT max(hold_id) FROM hold").scalar()
        id_ = 1 if newest is None else int(newest) + 1
        end = None if until is None else utc(until)
        if named.address is not None:
            blind = blind_of(connection, self._vault, named.address)
            return Hold(id_, _PERSON, why, by, now, end, -1, blind=blind)
        object_row = known_object(connection, named.source, named.object)
        if object_row is None:
            raise Unfound(f"there is no object {named.source}:{named.object} in the store")
        on = ":".join(filter(None, (named.source, named.object, named.id)))
        record = named.id or None
        return Hold(id_, on, why, by, now, end, -1, object_id=object_row, record=record)


_PERSON: Final = "a person, by an address"


def holds_of(connection: Connection) -> Iterator[Hold]:
    """Yield every hold there ever was, oldest first."""
    for row in connection.exec_driver_sql(_HOLDS).all():
        id_, blind, source, object_, record, why, by, at, until, leaf, object_id, *end = row
        on = _PERSON if blind is not None else ":".join(filter(None, (source, object_, record)))
        ended = None if end[0] is None else Ended(at_micros(end[0]), *end[1:])
        yield Hold(
            *(id_, on, why, by, at_micros(at), at_micros(until), leaf, ended),
            None if blind is None else bytes(blind),
            object_id,
            record,
        )


class Keeping:
    """What the holds in force keep, looked up once."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._objects: dict[int, Hold] = {}
        self._records: dict[tuple[int, str], Hold] = {}
        self._rows: dict[int, Hold] = {}
        for hold in holds_of(connection):
            if not hold.holds(now):
                continue
            if hold.blind is not None:
                self._rows |= dict.fromkeys(_known_by(connection, hold.blind), hold)
            elif hold.record is None and hold.object_id is not None:
                self._objects[hold.object_id] = hold
            elif hold.record is not None and hold.object_id is not None:
                self._records[hold.object_id, hold.record] = hold

    def of(self, record_id: int, object_id: int, ext_id: str) -> Hold | None:
        """Return the hold on a record, if there is one."""
        return (
            self._objects.get(object_id)
            or self._rows.get(record_id)
            or self._records.get((object_id, ext_id))
        )

    def of_object(self, object_id: int) -> Hold | None:
        """Return the hold on all records of an object, if there is one."""
        return self._objects.get(object_id)

    def operations(self, connection: Connection) -> set[str]:
        """Return the operations that records belong to which are held by themselves."""
        rows = set(self._rows)
        for object_id, ext_id in self._records:
            found = connection.exec_driver_sql(
                "SELECT record_id FROM record WHERE object_id = ? AND ext_id = ?",
                (object_id, ext_id),
            )
            rows.update(found.scalars())
        named = connection.exec_driver_sql(
            "SELECT DISTINCT v.operation_id FROM json_each(?) AS j CROSS JOIN version AS v"
            " ON v.record_id = j.value WHERE v.operation_id IS NOT NULL",
            (listed(rows),),
        )
        return set(named.scalars())

    def refuse(self, subjects: Iterable[Subject]) -> None:
        """Refuse to forget what is held.

        Raises:
            Held: it is; the message names the hold.
        """
        for one in subjects:
            hold = self.of(one.record_id, one.object_id, one.ref.id)
            if hold is not None:
                raise Held(
                    f"{one.ref} is kept by {hold}",
                    hint=f"`crmtrail hold release {hold.id} --why ...` ends the hold",
                )


def _known_by(connection: Connection, blind: bytes) -> Sequence[int]:
    found = connection.exec_driver_sql(
        "SELECT record_id FROM subject_index WHERE blind = ?", (blind,)
    )
    return list(found.scalars())


def listed(rows: Iterable[int]) -> str:
    """Return row ids as ``json_each`` takes them."""
    return json.dumps(list(rows))
