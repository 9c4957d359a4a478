"""Records as they were at some time: where they lie, and their fields then.

One statement finds, for each record, the version that counts, the newest keyframe up to it, and
whether a version before it tells of a later time. Then only what changed since is read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection

from crmtrail.model import Op, Ref, Token, Version, utc
from snapshot.asof import Dated, values_at
from snapshot.database import fetch
from snapshot.names import actor_of
from snapshot.rows import CELL, pairs_of
from snapshot.shelf import Shelf
from snapshot.states import Framed, Wanted, raw_of, unfolded
from snapshot.times import at_micros, micros

END_OF_TIME: Final = 2**62
"""Later than any moment, and more than any number."""

PLACE: Final = "r.record_id, r.ext_id, r.object_id, r.key_id, q.key_id"
"""Of record (``r``) and position (``q``), with which rows of records begin."""
FRAME: Final = "k.codec_id, k.sealed, k.doc, k.kept"
"""Of the keyframe (``k``)."""

_MADE: Final = "v.op, v.at, v.known_at, v.deleted, a.kind, a.ext_id, a.name, a.via, a.why"

_NOW: Final = (
    f"SELECT {PLACE}, r.keyframe, r.number - r.since, r.number, {FRAME}, {_MADE},"  # noqa: S608 -- a fixed text
    " v.version_id, NULL FROM %s CROSS JOIN position AS q ON q.object_id = r.object_id"
    " CROSS JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id"
    " CROSS JOIN keyframe AS k ON k.version_id = r.keyframe WHERE %s"
)
_THEN: Final = (
    f"SELECT {PLACE}, f.version_id, f.number, v.number, {FRAME}, {_MADE}, v.version_id,"  # noqa: S608 -- a fixed text
    " (SELECT l.number FROM version AS l WHERE l.record_id = r.record_id"
    "  AND l.number < v.number AND l.at > ? ORDER BY l.number LIMIT 1)"
    " FROM %s CROSS JOIN position AS q ON q.object_id = r.object_id"
    " CROSS JOIN version AS v ON v.version_id ="
    "  (SELECT n.version_id FROM version AS n WHERE n.record_id = r.record_id"
    "   AND n.at <= ? AND n.version_id < ?%s ORDER BY n.number DESC LIMIT 1)"
    " CROSS JOIN version AS b ON b.record_id = r.record_id AND b.number = 1 AND b.at <= ?"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id"
    " CROSS JOIN version AS f ON f.version_id ="
    "  (SELECT w.version_id FROM version AS w"
    "   CROSS JOIN keyframe AS e ON e.version_id = w.version_id"
    "   WHERE w.record_id = r.record_id AND w.number <= v.number"
    "   ORDER BY w.number DESC LIMIT 1)"
    " CROSS JOIN keyframe AS k ON k.version_id = f.version_id WHERE %s"
)
KNOWN_BEFORE: Final = (
    " AND n.number < ifnull((SELECT u.number FROM version AS u WHERE u.record_id = r.record_id"  # noqa: S608 -- a fixed text
    f" AND u.known_at > ? ORDER BY u.number LIMIT 1), {END_OF_TIME})"
)
"""Of versions (``n``): they end before the first learnt later: each builds on those before."""

_LATER: Final = (
    f"SELECT {CELL}, v.record_id, v.number, v.at FROM json_each(?) AS p"  # noqa: S608 -- a fixed text
    " CROSS JOIN version AS v ON v.record_id = json_extract(p.value, '$[0]')"
    " AND v.number > json_extract(p.value, '$[1]')"
    " AND v.number <= json_extract(p.value, '$[2]')"
    " CROSS JOIN change AS c ON c.version_id = v.version_id"
    " ORDER BY p.key, v.number DESC, c.field_id"
)


@dataclass(frozen=True, slots=True)
class Extent:
    """Which versions count: valid up to a moment, known by another, among the first entries.

    Both moments in microseconds; ``known`` is None where it does not matter.
    """

    moment: int = END_OF_TIME
    known: int | None = None
    size: int = END_OF_TIME

    @classmethod
    def of(cls, at: datetime | None, known: datetime | None, size: int = END_OF_TIME) -> Self:
        """Return the extent up to a valid time (None: now) and a known time (None: ours)."""
        return cls(
            END_OF_TIME if at is None else micros(utc(at)),
            None if known is None else micros(utc(known)),
            size,
        )

    @property
    def is_now(self) -> bool:
        """Whether everything counts."""
        return self.moment == self.size == END_OF_TIME and self.known is None


class Found(NamedTuple):
    """A record at some time: the version that counts, and the keyframe before it.

    ``made`` tells of that version what it did, its times (microseconds), whether the record was
    gone, and kind, id, name, via and why of its actor. ``late`` is the number of the first version
    before it that tells of a later time, if any.
    """

    framed: Framed
    made: Sequence[Any]
    version_id: int
    late: int | None

    @classmethod
    def of(cls, source: str, object_: str, row: Sequence[Any]) -> Self:
        """Return what a row of `find` tells."""
        framed = Framed(row[0], Ref(source, object_, row[1]), *row[2:12])
        return cls(framed, row[12:21], row[21], row[22])


def find(
    connection: Connection, extent: Extent, records: str, where: str, *values: Any
) -> Sequence[Sequence[Any]]:
    """Return rows of the records of which something is known, as `Found.of` reads them.

    Args:
        connection: to read with.
        extent: which versions count.
        records: where they come from, ``r`` among it.
        where: which, and in what order.
        values: what is bound by ``records`` and ``where``, in that order.
    """
    if extent.is_now:
        return fetch(connection, _NOW % (records, where), values)
    early, late = values[: records.count("?")], values[records.count("?") :]
    known = () if extent.known is None else (extent.known,)
    limit = KNOWN_BEFORE if known else ""
    moment = extent.moment
    bound = (moment, *early, moment, extent.size, *known, moment, *late)
    return fetch(connection, _THEN % (records, limit, where), bound)


def fields_of(
    connection: Connection, shelf: Shelf, found: Sequence[Found], moment: int
) -> dict[int, dict[str, Token]]:
    """Return the fields that records had at a valid time, by record.

    A version that came later may tell of an earlier time. So the state after the newest version
    up to that time is corrected by those before it that tell of later times.
    """
    states = unfolded(connection, shelf, [one.framed for one in found])
    correct(connection, shelf, states, found, moment)
    return states


def correct(
    connection: Connection,
    shelf: Shelf,
    states: Mapping[int, dict[str, Token]],
    found: Sequence[Found],
    moment: int,
) -> None:
    """Take back, in place, what versions before the one that counts tell of later times."""
    spans = [one.framed._replace(start=one.late - 1) for one in found if one.late is not None]
    for row, changes in changes_in(connection, shelf, spans).items():
        for name, token in values_at(changes, moment).items():
            if token is None:
                states[row].pop(name, None)
            else:
                states[row][name] = token


def changes_in(
    connection: Connection, shelf: Shelf, spans: Sequence[Wanted | Framed]
) -> Mapping[int, list[Dated]]:
    """Return records' changes, newest first, after version ``start`` up to ``number``.

    The records are of one object.
    """
    found: dict[int, list[Dated]] = {one.record_id: [] for one in spans}
    if not spans:
        return found
    places = {one.record_id: one for one in spans}
    listed = json.dumps([(one.record_id, one.start, one.number) for one in spans])
    rows = fetch(connection, _LATER, (listed,))
    pairs = pairs_of(shelf.vault, rows, lambda row: raw_of(places[row[9]], row[10], row))
    names = shelf.named(connection, spans[0].object_id, {row[1] for row in rows})
    for row, (old, new) in zip(rows, pairs, strict=True):
        found[row[9]].append((row[11], names[row[1]], old, new))
    return found


def version_of(one: Found, fields: Mapping[str, Token]) -> Version:
    """Return a record at a time."""
    op, at, known_at, deleted, *actor = one.made
    return Version(
        one.framed.ref,
        one.framed.number,
        Op(op),
        fields,
        at_micros(at),
        at_micros(known_at),
        actor_of(actor),
        bool(deleted),
    )
