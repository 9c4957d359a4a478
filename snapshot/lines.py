"""Which records went on as which others, in SQL.

A merge is told by the loser's last version, whose entry commits to it. The heir may be seen only
later, so whenever a record is new or was merged, the merges of its object without an heir are
looked through again: they are few, and an index has them.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection

from crmtrail.errors import Unfound
from crmtrail.model import Ref, moment, utc
from crmtrail.ports import Line, Succession
from snapshot.leaves import seal
from snapshot.lineage import MERGED, RECREATED, SUCCESSION, checked, entry_of, heir_in, line
from snapshot.rows import record_id
from snapshot.times import at_micros, micros

_LINKS = (
    "SELECT s.record_id, s.heir_id, s.kind, s.at FROM json_each(?) AS j"
    " CROSS JOIN succession AS s ON s.{} = j.value"
)


def resolve(connection: Connection, object_: int) -> None:
    """Note which merged records of an object went on as which, where both are known."""
    merged = [
        (row, at, heir_in(note))
        for row, at, note in connection.exec_driver_sql(
            "SELECT v.record_id, v.at, v.note FROM version AS v INDEXED BY version_merged"
            " WHERE v.object_id = ? AND v.op = 'merge' AND NOT EXISTS"
            " (SELECT 1 FROM succession AS s WHERE s.record_id = v.record_id AND s.at = v.at)",
            (object_,),
        )
    ]
    heirs = _rows_of(connection, object_, [heir for _, _, heir in merged if heir is not None])
    pairs = [(row, heirs[heir], MERGED, at) for row, at, heir in merged if heir in heirs]
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    if pairs:
        connection.exec_driver_sql(
            "INSERT OR IGNORE INTO succession (record_id, heir_id, kind, at) VALUES (?, ?, ?, ?)",
            pairs,
        )


def _rows_of(connection: Connection, object_: int, ids: Sequence[str]) -> Mapping[str | None, int]:
    if not ids:
        return {}
    rows = connection.exec_driver_sql(
        "SELECT r.ext_id, r.record_id FROM json_each(?) AS t"
        " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value",
        (json.dumps(ids), object_),
    )
    return dict(rows.all())


def _rows_by_ref(connection: Connection, refs: Collection[Ref]) -> dict[Ref, int]:
    """Return the row ids of records of any object, of those that are known."""
    found: dict[Ref, int] = {}
    for (source, name), group in groupby(sorted(set(refs)), key=lambda r: (r.source, r.object)):
        rows = connection.exec_driver_sql(
            "SELECT r.ext_id, r.record_id FROM json_each(?) AS t"
            " CROSS JOIN object AS o ON o.source = ? AND o.name = ?"
            " CROSS JOIN record AS r ON r.object_id = o.object_id AND r.ext_id = t.value",
            (json.dumps([ref.id for ref in group]), source, name),
        )
        found |= {Ref(source, name, id_): row for id_, row in rows}
    return found


def succeed(connection: Connection, old: Ref, new: Ref, at: datetime) -> None:
    """Note and seal that a record was made anew as another; a second time changes nothing.

    Raises:
        Unfound: one of them is not in the store.
        Mistake: they are one and the same.
    """
    checked(old, new)
    rows = []
    for ref in (old, new):
        row = record_id(connection, ref)
        if row is None:
            raise Unfound(f"{ref} is not in the store")
        rows.append(row)
    added = connection.exec_driver_sql(
        "INSERT INTO succession (record_id, heir_id, kind, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*rows, RECREATED, micros(utc(at))),
    )
    if added.rowcount:
        seal(connection, SUCCESSION, entry_of(old, new), at)


def heirs(connection: Connection, refs: Sequence[Ref]) -> Mapping[Ref, Ref]:
    """Return, for those of some records that were made anew, what they are now."""
    if not connection.exec_driver_sql(
        "SELECT 1 FROM succession WHERE kind = ? LIMIT 1", (RECREATED,)
    ).all():
        return {}
    rows = _rows_by_ref(connection, refs)
    now = dict(rows)
    while True:
        found = connection.exec_driver_sql(
            _LINKS.format("record_id") + " WHERE s.kind = ?",
            (json.dumps(sorted(set(now.values()))), RECREATED),
        ).all()
        went = {one: heir for one, heir, _, _ in sorted(found, key=lambda row: row[3])}
        if not went:
            break
        now = {ref: went.get(row, row) for ref, row in now.items()}
    names = _refs_of(connection, {row for ref, row in now.items() if row != rows[ref]})
    return {ref: names[row] for ref, row in now.items() if row in names and row != rows[ref]}


def line_of(connection: Connection, ref: Ref) -> Line:
    """Return the records that are one line with a record; itself alone where it is one."""
    row = record_id(connection, ref)
    if row is None:
        return Line((ref,))
    rows = {ref: row}

    def links_of(refs: Collection[Ref]) -> Iterable[Succession]:
        ids = json.dumps([rows[each] for each in refs])
        found = [
            tuple(link)
            for column in ("record_id", "heir_id")
            for link in connection.exec_driver_sql(_LINKS.format(column), (ids,))
        ]
        names = _refs_of(connection, {id_ for link in found for id_ in link[:2]})
        rows.update((name, id_) for id_, name in names.items())
        return [
            Succession(names[one], names[heir], kind, at_micros(at))
            for one, heir, kind, at in found
        ]

    return line(ref, links_of)


def _refs_of(connection: Connection, rows: Collection[int]) -> Mapping[int, Ref]:
    if not rows:
        return {}
    found = connection.exec_driver_sql(
        "SELECT r.record_id, o.source, o.name, r.ext_id FROM json_each(?) AS j"
        " CROSS JOIN record AS r ON r.record_id = j.value"
        " CROSS JOIN object AS o ON o.object_id = r.object_id",
        (json.dumps(list(rows)),),
    )
    return {row: Ref(*names) for row, *names in found}


class Strange(NamedTuple):
    """A succession that is not as it was sealed: the entry it should come from, and why."""

    entry: int | None
    why: str
    record: Ref | None = None


def first_bad(connection: Connection) -> Strange | None:
    """Return the first succession that nothing sealed tells of, or that is missing."""
    sealed = _merges(connection) | _recreations(connection)
    stored = {
        (row[0], row[1]): (row[2], row[3])
        for row in connection.exec_driver_sql("SELECT record_id, heir_id, kind, at FROM succession")
    }
    taken = {(record, at) for (record, _), (_, at) in stored.items()}
    for pair, told in stored.items():
        if told not in sealed.get(pair, {}):
            ref = _refs_of(connection, [pair[0]]).get(pair[0])
            return Strange(None, "no entry says that it went on as it does here", ref)
    for pair, those in sealed.items():
        if pair not in stored and not any((pair[0], at) in taken for _, at in those):
            ref = _refs_of(connection, [pair[0]]).get(pair[0])
            return Strange(min(those.values()), "what it went on as is missing", ref)
    return None


def _merges(connection: Connection) -> dict[tuple[int, int], dict[tuple[str, int], int]]:
    """Return by pair the kinds and times that versions tell, with the entries that do."""
    found: dict[tuple[int, int], dict[tuple[str, int], int]] = {}
    for object_ in list(connection.exec_driver_sql("SELECT object_id FROM object").scalars()):
        rows = connection.exec_driver_sql(
            "SELECT v.record_id, v.at, v.version_id, v.note FROM version AS v"
            " INDEXED BY version_merged WHERE v.object_id = ? AND v.op = 'merge'",
            (object_,),
        ).all()
        told = [(row, at, index, heir_in(note)) for row, at, index, note in rows]
        heirs = _rows_of(connection, object_, [heir for *_, heir in told if heir is not None])
        for row, at, index, heir in told:
            if heir in heirs and heirs[heir] != row:
                found.setdefault((row, heirs[heir]), {})[MERGED, at] = index
    return found


def _recreations(connection: Connection) -> dict[tuple[int, int], dict[tuple[str, int], int]]:
    found: dict[tuple[int, int], dict[tuple[str, int], int]] = {}
    for index, entry in connection.exec_driver_sql(
        "SELECT idx, entry FROM leaf WHERE kind = ? ORDER BY idx", (SUCCESSION,)
    ).all():
        told = json.loads(bytes(entry))
        old, new = (record_id(connection, Ref.parse(told["entry"][e])) for e in ("record", "heir"))
        if old is not None and new is not None:
            found.setdefault((old, new), {})[RECREATED, micros(moment(told["at"]))] = index
    return found
