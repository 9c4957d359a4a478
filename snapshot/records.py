"""Every record of an object at one time, streamed from SQL in constant memory.

Each batch is a short transaction of its own, so that a slow reader blocks nobody. What is stored
meanwhile is undone on the way out: only the first ``size`` entries of the ledger count.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine

from crmtrail.model import Token, Version
from snapshot.database import fetch, reading
from snapshot.found import END_OF_TIME, Extent, Found, fields_of, find, version_of
from snapshot.leaves import size_of
from snapshot.rows import CELL
from snapshot.shelf import Shelf
from snapshot.states import catch_up, expanded

_BATCH: Final = 1_000

Fields: TypeAlias = dict[str, Token]

_NEXT: Final = "r.object_id = ? AND r.ext_id > ? ORDER BY r.ext_id LIMIT ?"
_LISTED: Final = (
    "(SELECT ? AS object_id) AS o CROSS JOIN json_each(?) AS t"
    " CROSS JOIN record AS r ON r.object_id = o.object_id AND r.ext_id = t.value"
)
_SINCE: Final = (
    f"SELECT {CELL}, v.record_id, v.number FROM record AS r"  # noqa: S608 -- a fixed text
    " CROSS JOIN version AS v ON v.record_id = r.record_id AND v.number > r.number - r.since"
    " CROSS JOIN change AS c ON c.version_id = v.version_id"
    " WHERE r.object_id = ? AND r.ext_id > ? AND r.ext_id <= ?"
    " ORDER BY r.ext_id, v.number, c.field_id"
)
"""What changed since the keyframes, record by record: a walk along indexes without a sort."""


def records(
    engine: Engine,
    shelf: Shelf,
    source: str,
    object_: str,
    at: datetime | None,
    known: datetime | None,
    size: int | None,
) -> Iterator[Version]:
    """Yield the records of an object at a valid time (None: now), by id, deleted ones too.

    Args:
        engine: of the store.
        shelf: its keys and codecs.
        source: the source's name.
        object_: the vendor's object.
        at: the valid time; records that nothing is known of by then are left out.
        known: only what was known by then counts.
        size: how many entries of the ledger count; None for those there at the start.
    """
    with reading(engine) as connection:
        object_row = shelf.object_id(connection, source, object_)
        size = size_of(connection) if size is None else size
    if object_row is None:
        return
    walk = _Walk(shelf, (source, object_), object_row, Extent.of(at, known, size))
    after = ""
    while True:
        with reading(engine) as connection:
            made, last = walk.next(connection, after)
        if last is None:
            return
        after = last
        yield from made


class _Walk:
    """Goes through the records of one object by id, a batch at a time."""

    def __init__(
        self, shelf: Shelf, names: tuple[str, str], object_row: int, extent: Extent
    ) -> None:
        self._shelf = shelf
        self._names = names
        self._object_row = object_row
        self._extent = extent
        self._is_now = replace(extent, size=END_OF_TIME).is_now

    def next(self, connection: Connection, after: str) -> tuple[list[Version], str | None]:
        """Return some records after an id, as they were, and the last id seen; None at the end."""
        extent = Extent() if self._is_now else self._extent
        found: Sequence[Found] = self._find(connection, extent, "record AS r", _NEXT, after, _BATCH)
        if not found:
            return [], None
        last = found[-1].framed.ref.id
        if self._is_now:
            found, states = self._now(connection, found, after)
        else:
            states = self._states(connection, found)
        return [version_of(one, states[one.framed.record_id]) for one in found], last

    def _find(
        self, connection: Connection, extent: Extent, records: str, where: str, *values: Any
    ) -> list[Found]:
        rows = find(connection, extent, records, where, self._object_row, *values)
        return [Found.of(*self._names, row) for row in rows]

    def _states(self, connection: Connection, found: Sequence[Found]) -> dict[int, Fields]:
        return fields_of(connection, self._shelf, found, self._extent.moment)

    def _now(
        self, connection: Connection, found: Sequence[Found], after: str
    ) -> tuple[Sequence[Found], dict[int, Fields]]:
        """Return the newest states; those of records that moved on since the start, before that."""
        settled = [one for one in found if one.version_id < self._extent.size]
        states = self._newest(connection, settled, after, found[-1].framed.ref.id)
        if len(settled) == len(found):
            return found, states
        ids = [one.framed.ref.id for one in found if one.version_id >= self._extent.size]
        moved = self._find(connection, self._extent, _LISTED, "TRUE", json.dumps(ids))
        states |= self._states(connection, moved)
        return sorted((*settled, *moved), key=lambda one: one.framed.ref), states

    def _newest(
        self, connection: Connection, found: Sequence[Found], after: str, last: str
    ) -> dict[int, Fields]:
        states = expanded(connection, self._shelf, [one.framed for one in found])
        places = {one.framed.record_id: one.framed for one in found}
        if any(one.number > one.start for one in places.values()):
            rows = fetch(connection, _SINCE, (self._object_row, after, last))
            here = [row for row in rows if row[9] in places]
            catch_up(connection, self._shelf, states, places, here)
        return states
