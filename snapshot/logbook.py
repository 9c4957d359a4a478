"""The log: what changed, newest known first, a page at a time.

Versions are found first, by whichever index fits the question; their entries follow from them.
Baselines are left out unless asked for by name: a first sight is no change.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.model import Op, utc
from crmtrail.ports import Entry, Query
from snapshot.logpage import Place, actor_matches, checked, page_of
from snapshot.rows import record_id, versions_of
from snapshot.times import micros

_RECENT: Final = 20_000
"""How many of the newest versions are looked through before the index by time is used."""


def log(
    connection: Connection, query: Query, *, limit: int, cursor: str | None
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
    found = [(stored.version_id, stored.change_set) for stored in versions_of(connection, ids)]
    return page_of(iter(found), query, place, limit)


@dataclass(slots=True)
class _Search:
    """Conditions on versions (``v``) with their values, and the ways to walk them."""

    connection: Connection
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    fields: list[int] | None = None
    narrow: bool = False
    timed: bool = False

    def require(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values.extend(values)

    def newest(self, place: Place | None, count: int) -> list[int]:
        if place is not None:
            self.require("v.version_id <= ?", place.version)
        if self.fields is None or self.narrow:
            return self._by_version(count)
        found: set[int] = set()
        for each in self.fields:
            found.update(
                self._ids(
                    "change AS c CROSS JOIN version AS v ON v.version_id = c.version_id",
                    ("c.field_id = ?", *self.conditions),
                    (each, *self.values),
                    "c.version_id",
                    count,
                )
            )
        return sorted(found, reverse=True)[:count]

    def _by_version(self, count: int) -> list[int]:
        if self.fields is not None:
            self.require(
                "EXISTS (SELECT 1 FROM change AS c WHERE c.version_id = v.version_id"
                " AND c.field_id IN (SELECT value FROM json_each(?)))",
                json.dumps(self.fields),
            )
        if not self.timed or self.narrow:
            return self._ids("version AS v", self.conditions, self.values, "v.version_id", count)
        recent = self._ids(
            "version AS v",
            ("v.version_id > (SELECT max(version_id) FROM version) - ?", *self.conditions),
            (_RECENT, *self.values),
            "v.version_id",
            count,
        )
        if len(recent) == count:
            return recent
        by_time = "version AS v INDEXED BY version_valid"
        return self._ids(by_time, self.conditions, self.values, "v.version_id", count)

    def _ids(
        self,
        source: str,
        conditions: Sequence[str],
        values: Sequence[Any],
        order: str,
        count: int,
    ) -> list[int]:
        where = " AND ".join(conditions) or "1"
        found = self.connection.exec_driver_sql(
            f"SELECT v.version_id FROM {source} WHERE {where} ORDER BY {order} DESC LIMIT ?",  # noqa: S608 -- fixed texts, values are bound
            (*values, count),
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
        "SELECT object_id FROM object WHERE (? IS NULL OR source = ?) AND (? IS NULL OR name = ?)",
        (query.source, query.source, query.object, query.object),
    )
    objects = list(rows.scalars())
    named = query.source is not None or query.object is not None
    if named or query.since is not None:
        search.require("v.object_id IN (SELECT value FROM json_each(?))", json.dumps(objects))
    if query.field is not None:
        fields = search.connection.exec_driver_sql(
            "SELECT field_id FROM field WHERE name = ?"
            " AND object_id IN (SELECT value FROM json_each(?))",
            (query.field, json.dumps(objects)),
        )
        search.fields = list(fields.scalars())
    return bool(objects) and search.fields != []


def _by_record(search: _Search, query: Query) -> bool:
    if query.record is not None:
        row = record_id(search.connection, query.record)
        if row is None:
            return False
        search.require("v.record_id = ?", row)
        search.narrow = True
    if query.operation is not None:
        search.require("v.operation_id = ?", query.operation)
        search.narrow = True
    return True


def _by_who(search: _Search, query: Query) -> bool:
    if query.actor is None and query.via is None:
        return True
    rows = search.connection.exec_driver_sql("SELECT actor_id, ext_id, name, via FROM actor")
    named = actor_matches(query)
    actors = [row for row, ext_id, name, via in rows if named(ext_id, name, via)]
    search.require("v.actor_id IN (SELECT value FROM json_each(?))", json.dumps(actors))
    return bool(actors)


def _by_what(search: _Search, query: Query) -> bool:
    if query.op is not Op.BASELINE:
        search.require("v.op <> 'baseline'")  # in these words: the indexes are partial
    if query.op is not None:
        search.require("v.op = ?", query.op.value)
    if query.since is not None:
        search.require("v.at >= ?", micros(utc(query.since)))
        search.timed = True
    if query.until is not None:
        search.require("v.at < ?", micros(utc(query.until)))
    return True
