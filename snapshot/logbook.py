"""The log: what changed, newest known first, a page at a time.

Versions are found first, by whichever index fits the question; their entries follow from them.
Baselines are left out unless asked for by name: a first sight is no change.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.model import Op, utc
from crmtrail.ports import Entry, Query
from snapshot.found import END_OF_TIME
from snapshot.logpage import BLANKING, Place, actor_matches, checked, page_of
from snapshot.rows import record_id, versions_of
from snapshot.shelf import Shelf
from snapshot.times import micros

_RECENT: Final = 5_000
"""How many of the newest versions are looked through before the index by time is used."""

_SPREAD: Final = 8
"""Where fewer than one in so many versions is of a window, those are sorted instead of sought."""

_BLANKED: Final = f"c.kind >= 16 AND c.kind IN ({', '.join(map(str, BLANKING))})"
"""Which changes turned a value to nothing; the first part in these words: the index is partial."""


def log(
    connection: Connection, shelf: Shelf, query: Query, *, limit: int, cursor: str | None
) -> tuple[list[Entry], str | None]:
    """Return entries and the cursor of the next page, if any.

    Raises:
        Mistake: the cursor is none of ours, or the limit is below 1.
    """
    place = checked(limit, cursor)
    search = _search(connection, query)
    if search is None:
        return [], None
    # Each version gives an entry at least; the one at the cursor may have none left.
    ids = search.newest(place, limit + 2)
    blanked = _blanked(connection, ids) if query.blanked else frozenset()
    found = versions_of(connection, shelf, ids)
    newest = ((stored.version_id, stored.change_set) for stored in found)
    # By what is stored, not by the values: those may be sealed or forgotten.
    return page_of(newest, query, place, limit, lambda id_, one: (id_, one.field) in blanked)


def _blanked(connection: Connection, ids: Sequence[int]) -> frozenset[tuple[int, str]]:
    """Return which fields versions turned to nothing."""
    rows = connection.exec_driver_sql(
        "SELECT c.version_id, f.name FROM json_each(?) AS j"  # noqa: S608 -- fixed texts
        f" CROSS JOIN change AS c ON c.version_id = j.value AND {_BLANKED}"
        " CROSS JOIN field AS f ON f.field_id = c.field_id",
        (json.dumps(ids),),
    )
    return frozenset((version, name) for version, name in rows)


@dataclass(slots=True)
class _Search:
    """Conditions on versions (``v``) with their values, and the ways to walk them.

    One field, actor or object after the other: an index then gives their newest in order.
    """

    connection: Connection
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    fields: list[int] | None = None
    actors: list[int] | None = None
    narrow: str = ""
    """The column that orders the versions of one record or operation; empty: of more."""
    baselines: bool = False
    named: bool = False
    """Whether only some objects are asked for."""
    blanked: bool = False
    since: int | None = None
    until: int = END_OF_TIME
    low: int = 0
    high: int = END_OF_TIME
    """Between which ids the versions lie, as far as that is known beforehand."""

    def require(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values.extend(values)

    def newest(self, place: Place | None, count: int) -> list[int]:
        """Return the ids of the newest versions that are asked for, from a place on."""
        if place is not None:
            self.high = place.version
        if self.baselines and self.fields is not None:
            return []  # a first sight changes no field
        if self.narrow or self.baselines:
            self._require_actors()
            self._require_objects()
            return self._by_version(count)
        if self.fields is not None:
            self._require_actors()
        elif self.actors is not None:
            self._require_objects()
        return self._walk(count) if self.since is None else self._in_window(self.since, count)

    def _walk(self, count: int) -> list[int]:
        """Return the newest ids, in the order of an index."""
        if self.fields is not None:
            return self._by_each(self._of_field, self.fields, count)
        if self.actors is not None:
            return self._by_each(self._of_actor, self.actors, count)
        return self._by_each(self._of_object, self.objects, count)

    def _in_window(self, since: int, count: int) -> list[int]:
        """Return the newest ids of a window of valid time.

        Those that were learnt last are looked through first: most windows end now.
        """
        newest = self.connection.exec_driver_sql("SELECT max(version_id) FROM version").scalar()
        self.low = max(0, (newest or 0) - _RECENT)
        recent = self._walk(count)
        if len(recent) == count:
            return recent
        held = self._bound(since)
        scattered = self.high - self.low > _SPREAD * held
        if scattered and self.fields is None and self.actors is None:
            return self._by_time(count)
        return self._walk(count)

    def _bound(self, since: int) -> int:
        """Find out between which ids the versions of a window lie; return how many there are."""
        rows = self.connection.exec_driver_sql(
            "SELECT count(*), min(v.version_id), max(v.version_id)"
            " FROM json_each(?) AS j CROSS JOIN version AS v INDEXED BY version_valid"
            " ON v.object_id = j.value AND v.op <> 'baseline' AND v.at >= ? AND v.at < ?",
            (json.dumps(self.objects), since, self.until),
        )
        held, low, high = rows.one()
        self.low = END_OF_TIME if low is None else int(low)
        self.high = min(self.high, int(high or 0))
        return int(held)

    def _require_objects(self) -> None:
        if self.named:
            self.require(
                "v.object_id IN (SELECT value FROM json_each(?) AS j)", json.dumps(self.objects)
            )

    def _require_actors(self) -> None:
        if self.actors is not None:
            self.require(
                "v.actor_id IN (SELECT value FROM json_each(?) AS j)", json.dumps(self.actors)
            )

    def _by_each(
        self, newest_of: Callable[[int, int], list[int]], each: Sequence[int], count: int
    ) -> list[int]:
        found = {id_ for one in each for id_ in newest_of(one, count)}
        return sorted(found, reverse=True)[:count]

    def _of_field(self, one: int, count: int) -> list[int]:
        source = "change AS c CROSS JOIN version AS v ON v.version_id = c.version_id"
        conditions = ["c.field_id = ?", *self.conditions]
        if self.blanked:
            source = source.replace("change AS c", "change AS c INDEXED BY change_blank")
            conditions.insert(1, _BLANKED)
        return self._ids(source, conditions, (one, *self.values), count, "c.version_id")

    def _of_actor(self, one: int, count: int) -> list[int]:
        source = "version AS v INDEXED BY version_actor"
        conditions = ("v.actor_id = ?", *self.conditions)
        return self._ids(source, conditions, (one, *self.values), count)

    def _by_version(self, count: int) -> list[int]:
        if self.fields is not None:
            blanked = f" AND {_BLANKED}" if self.blanked else ""
            self.require(
                "EXISTS (SELECT 1 FROM change AS c WHERE c.version_id = v.version_id"  # noqa: S608 -- fixed texts, values are bound
                f" AND c.field_id IN (SELECT value FROM json_each(?) AS j){blanked})",
                json.dumps(self.fields),
            )
        return self._ids("version AS v", self.conditions, self.values, count, order=self.narrow)

    def _by_time(self, count: int) -> list[int]:
        self.require(
            "v.object_id IN (SELECT value FROM json_each(?) AS j)", json.dumps(self.objects)
        )
        by_time = "version AS v INDEXED BY version_valid"
        return self._ids(by_time, self.conditions, self.values, count)

    def _of_object(self, one: int, count: int) -> list[int]:
        conditions = ("v.object_id = ?", *self.conditions)
        source = "version AS v INDEXED BY version_acts"
        return self._ids(source, conditions, (one, *self.values), count)

    def _ids(
        self,
        source: str,
        conditions: Sequence[str],
        values: Sequence[Any],
        count: int,
        id_: str = "v.version_id",
        *,
        order: str = "",
    ) -> list[int]:
        """Return ids by one statement; ``id_`` is the column of the table that is walked."""
        where = " AND ".join((*conditions, f"{id_} >= ?", f"{id_} <= ?"))
        found = self.connection.exec_driver_sql(
            f"SELECT v.version_id FROM {source} WHERE {where}"  # noqa: S608 -- fixed texts, values are bound
            f" ORDER BY {order or id_} DESC LIMIT ?",
            (*values, self.low, self.high, count),
        )
        return list(found.scalars())


def _search(connection: Connection, query: Query) -> _Search | None:
    """Return the search for a question; None where nothing can be found."""
    search = _Search(connection)
    for narrow in (_by_names, _by_record, _by_who, _by_what):
        if not narrow(search, query):
            return None
    return search


def _by_names(search: _Search, query: Query) -> bool:
    """Turn source, object and field into ids."""
    rows = search.connection.exec_driver_sql(
        "SELECT object_id FROM object"
        " WHERE source = coalesce(?, source) AND name = coalesce(?, name)",
        (query.source, query.object),
    )
    objects = search.objects = list(rows.scalars())
    search.named = query.source is not None or query.object is not None
    if query.field is not None:
        fields = search.connection.exec_driver_sql(
            "SELECT field_id FROM field WHERE name = ?"
            " AND object_id IN (SELECT value FROM json_each(?) AS j)",
            (query.field, json.dumps(objects)),
        )
        search.fields = list(fields.scalars())
    elif query.blanked:
        search.fields = _ever_blanked(search.connection, objects)
    search.blanked = query.blanked
    return bool(objects) and search.fields != []


def _ever_blanked(connection: Connection, objects: Sequence[int]) -> list[int]:
    """Return the fields of objects that some change turned to nothing."""
    return list(
        connection.exec_driver_sql(
            "SELECT f.field_id FROM json_each(?) AS j"
            " CROSS JOIN field AS f ON f.object_id = j.value WHERE EXISTS (SELECT 1"
            " FROM change AS c WHERE c.field_id = f.field_id AND c.kind >= 16)",
            (json.dumps(list(objects)),),
        ).scalars()
    )


def _by_record(search: _Search, query: Query) -> bool:
    if query.record is not None:
        row = record_id(search.connection, query.record)
        if row is None:
            return False
        search.require("v.record_id = ?", row)
        search.narrow = "v.number"
    if query.operation is not None:
        search.require("v.operation_id = ?", query.operation)
        search.narrow = search.narrow or "v.version_id"
    return True


def _by_who(search: _Search, query: Query) -> bool:
    if query.actor is None and query.via is None:
        return True
    rows = search.connection.exec_driver_sql("SELECT actor_id, ext_id, name, via FROM actor")
    named = actor_matches(query)
    search.actors = [row for row, ext_id, name, via in rows if named(ext_id, name, via)]
    return bool(search.actors)


def _by_what(search: _Search, query: Query) -> bool:
    if query.op is not Op.BASELINE:
        search.require("v.op <> 'baseline'")  # in these words: the indexes are partial
    else:
        search.baselines = True
    if query.op is not None:
        search.require("v.op = ?", query.op.value)
    if query.since is not None:
        search.require("v.at >= ?", micros(utc(query.since)))
        search.since = micros(utc(query.since))
    if query.until is not None:
        search.until = micros(utc(query.until))
        search.require("v.at < ?", search.until)
    if query.known_since is not None:
        search.require("v.known_at >= ?", micros(utc(query.known_since)))
    if query.known_until is not None:
        search.require("v.known_at < ?", micros(utc(query.known_until)))
    return True
