"""Recompute the ledger and the data under it, in constant memory.

Every entry is hashed again and folded into the tree; every stored node is compared; every
version with its changes is written out again and compared with its entry; every current document
is hashed and compared with its newest version; every finished run and every incident is written
out again. Read in short transactions, up to the size that
the ledger had at the start, so that a running service is not stopped.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine

from crmtrail.model import Ref
from crmtrail.ports import Verification
from snapshot import verify_notes
from snapshot.canonical import digest_of
from snapshot.database import reading
from snapshot.entries import VERSION, version_entry
from snapshot.leaves import size_of
from snapshot.ledger import Frontier, append, leaf_hash
from snapshot.rows import Stored, versions_of

_BATCH: Final = 2_000

UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, msgspec.MsgspecError)
"""What a row raises that holds what crmtrail never wrote: it was altered."""


@dataclass(frozen=True, slots=True)
class _Bad:
    """The first thing that is not as it was sealed."""

    kind: str
    index: int | None
    why: str
    record: Ref | None = None

    def told(self) -> Mapping[str, Any]:
        record = None if self.record is None else str(self.record)
        return {"kind": self.kind, "index": self.index, "record": record, "why": self.why}


def verify(engine: Engine) -> Verification:
    """Return whether all is as it was sealed, and the first thing that is not.

    ``checked`` counts the entries and current records looked at. ``first_bad`` has the keys
    ``kind`` (entry, node, version, record, change, run, incident), ``index`` of the entry (None
    for a row without one), ``record`` and ``why``.
    """
    with reading(engine) as connection:
        size = size_of(connection)
    frontier = Frontier()
    checked = 0
    while frontier.size < size:
        end = min(frontier.size + _BATCH, size)
        with reading(engine) as connection:
            try:
                frontier, bad = _stretch(connection, frontier, end)
            except UNREADABLE as error:
                bad = _Bad("version", None, f"entries {frontier.size} to {end - 1}: {error}")
        checked = frontier.size
        if bad is not None:
            return Verification(False, size, frontier.root().hex(), checked, bad.told())
    root = frontier.root().hex()
    for bad in _records(engine):
        if bad is not None:
            return Verification(False, size, root, checked, bad.told())
        checked += 1
    with reading(engine) as connection:
        stray = _stray(connection)
    try:
        stray = stray or verify_notes.first_bad(engine, _Bad)
    except UNREADABLE as error:
        stray = _Bad("incident", None, f"a run or an incident cannot be read: {error}")
    if stray is not None:
        return Verification(False, size, root, checked, stray.told())
    return Verification(True, size, root, checked)


def _stretch(connection: Connection, before: Frontier, end: int) -> tuple[Frontier, _Bad | None]:
    """Check the entries up to ``end``: that they are there, fit the tree, and fit the versions."""
    leaves = connection.exec_driver_sql(
        "SELECT idx, kind, entry FROM leaf WHERE idx >= ? AND idx < ? ORDER BY idx",
        (before.size, end),
    ).all()
    entries = [bytes(entry) for _, _, entry in leaves]
    after, nodes = append(before, [leaf_hash(entry) for entry in entries])
    for expected, (idx, _, _) in enumerate(leaves, start=before.size):
        if idx != expected:
            return after, _Bad("entry", expected, "the entry is missing")
    if len(leaves) != end - before.size:
        return after, _Bad("entry", before.size + len(leaves), "the entry is missing")
    bad = _versions(connection, before.size, end, [kind for _, kind, _ in leaves], entries)
    return after, bad or _nodes(connection, nodes)


def _versions(
    connection: Connection, start: int, end: int, kinds: list[str], entries: list[bytes]
) -> _Bad | None:
    ids = connection.exec_driver_sql(
        "SELECT version_id FROM version WHERE version_id >= ? AND version_id < ?", (start, end)
    )
    stored = {each.version_id: each for each in versions_of(connection, list(ids.scalars()))}
    for index, (kind, entry) in enumerate(zip(kinds, entries, strict=True), start=start):
        if kind != VERSION and _told_kind(entry) != kind:
            return _Bad("entry", index, "the entry's kind is not that of its row")
        bad = _version(index, kind, entry, stored.get(index))
        if bad is not None:
            return bad
    return None


def _version(index: int, kind: str, entry: bytes, stored: Stored | None) -> _Bad | None:
    if kind != VERSION:
        return (
            None
            if stored is None
            else _Bad("version", index, "a version that was never sealed", stored.change_set.ref)
        )
    if stored is None:
        return _Bad("version", index, "the version is missing", _told_record(entry))
    again = version_entry(
        stored.change_set, digest=stored.digest, stamps=stored.stamps, deleted=stored.deleted
    )
    if again == entry:
        return None
    return _Bad("version", index, "the version is not what was sealed", stored.change_set.ref)


def _nodes(connection: Connection, nodes: list[tuple[int, int, bytes]]) -> _Bad | None:
    rows = connection.exec_driver_sql(
        "SELECT j.key, n.hash FROM json_each(?) AS j LEFT JOIN node AS n"
        " ON n.level = json_extract(j.value, '$[0]') AND n.idx = json_extract(j.value, '$[1]')",
        (json.dumps([place[:2] for place in nodes]),),
    )
    for no, found in rows:
        level, idx, expected = nodes[no]
        if found != expected:
            return _Bad("node", idx << level, f"node {level}/{idx} does not fit the entries")
    return None


def _records(engine: Engine) -> Iterator[_Bad | None]:
    """Yield what is wrong with each current record; None where nothing is."""
    after = 0
    while True:
        with reading(engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT r.record_id, o.source, o.name, r.ext_id, r.number, r.deleted, r.digest,"
                " r.document, v.version_id, v.deleted, v.digest,"
                " (SELECT count(*) FROM version AS e WHERE e.record_id = r.record_id),"
                " (SELECT max(e.number) FROM version AS e WHERE e.record_id = r.record_id)"
                " FROM record AS r CROSS JOIN object AS o ON o.object_id = r.object_id"
                " LEFT JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number"
                " WHERE r.record_id > ? ORDER BY r.record_id LIMIT ?",
                (after, _BATCH),
            ).all()
        if not rows:
            return
        after = rows[-1][0]
        for row in rows:
            yield _record(row[1:])


def _record(row: Sequence[Any]) -> _Bad | None:
    source, object_, id_, number, deleted, digest, document, *sealed, count, newest = row
    version, sealed_deleted, sealed_digest = sealed
    ref = Ref(source, object_, id_)
    if version is None or not count == newest == number:
        return _Bad("record", version or 0, "its versions are not numbered without a gap", ref)
    if digest_of(document) != digest or digest != sealed_digest or deleted != sealed_deleted:
        return _Bad("record", version, "the current document is not what was sealed", ref)
    return None


_STRAYS: Final = {
    "record": (
        "SELECT min(v.version_id) FROM version AS v CROSS JOIN record AS r"
        " ON r.record_id = v.record_id WHERE r.object_id <> v.object_id"
    ),
    "entry": "SELECT min(idx) FROM leaf WHERE idx < 0",
    "version": (
        "SELECT min(v.version_id) FROM version AS v"
        " WHERE NOT EXISTS (SELECT 1 FROM leaf WHERE idx = v.version_id)"
    ),
    "change": (
        "SELECT min(c.version_id) FROM change AS c"
        " WHERE NOT EXISTS (SELECT 1 FROM version AS v WHERE v.version_id = c.version_id)"
        " OR NOT EXISTS (SELECT 1 FROM field AS f WHERE f.field_id = c.field_id)"
    ),
}


def _stray(connection: Connection) -> _Bad | None:
    """Return an entry, version or change that hangs on nothing."""
    for kind, statement in _STRAYS.items():
        found = connection.exec_driver_sql(statement).scalar()
        if found is not None:
            return _Bad(kind, found, f"this {kind} belongs to nothing that was sealed")
    return None


def _told_kind(entry: bytes) -> str | None:
    try:
        told = json.loads(entry)
    except ValueError:
        return None
    return told.get("kind") if isinstance(told, dict) else None


def _told_record(entry: bytes) -> Ref | None:
    try:
        return Ref.parse(json.loads(entry)["record"])
    except (ValueError, KeyError, TypeError):
        return None
