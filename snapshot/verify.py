"""Recompute the ledger and the data under it, in constant memory.

The entry of every version is written anew from its rows, and that of every action is read; all
are hashed and folded into the tree, and every stored hash of the tree is compared. Every record's
head is held against its versions; every finished run, incident, actor and codec against its entry.
No key is needed: sealed values are hashed as they lie. Read in short transactions, up to the size
that the ledger had at the start, so that a running service is not stopped.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine

from crmtrail.model import Ref
from crmtrail.ports import Verification
from snapshot import lines, noticed, schemas, verify_forgotten, verify_notes
from snapshot.database import fetch, reading
from snapshot.entries import who_digest
from snapshot.heads import checksum
from snapshot.leaves import WIDTH, hashes_in, size_of
from snapshot.ledger import Frontier, leaf_hash, subtree
from snapshot.sealed import Names, entries, ref_of

_BATCH: Final = 4_096

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
    ``kind`` (entry, node, version, record, change, succession, actor, codec, forgotten, hold,
    run, incident), ``index`` of the entry (None for a row without one), ``record`` and ``why``.
    """
    with reading(engine) as connection:
        size = size_of(connection)
        names = Names.of(connection)
    walk = _Walk(engine, size, names)
    bad = walk.to_the_end()
    root = walk.root().hex()
    if bad is not None:
        return Verification(False, size, root, walk.checked, bad.told())
    checked = size
    for found in _records(engine):
        if found is not None:
            return Verification(False, size, root, checked, found.told())
        checked += 1
    with reading(engine) as connection:
        stray = _stray(connection)
    try:
        stray = stray or verify_forgotten.first_bad(engine, _Bad)
        stray = stray or verify_notes.first_bad(engine, _Bad)
    except UNREADABLE as error:
        stray = _Bad("incident", None, f"a run or an incident cannot be read: {error}")
    if stray is not None:
        return Verification(False, size, root, checked, stray.told())
    return Verification(True, size, root, checked)


class _Walk:
    """Goes through the ledger tile by tile, and builds the tree again as it goes."""

    def __init__(self, engine: Engine, size: int, names: Names) -> None:
        self._engine = engine
        self._size = size
        self._names = names
        self._rows: list[list[bytes]] = [[]]
        """Hashes of each level of tiles that make no full tile yet, and how many tiles are full."""
        self._full = [0]
        self.checked = 0

    def to_the_end(self) -> _Bad | None:
        """Check every entry; return the first thing that is not as it was sealed."""
        while self.checked < self._size:
            end = min(self.checked + _BATCH, self._size)
            with reading(self._engine) as connection:
                try:
                    hashes = _hashes(connection, self._names, self.checked, end)
                    bad = hashes if isinstance(hashes, _Bad) else self._add(connection, hashes)
                except UNREADABLE as error:
                    why = f"entries {self.checked} to {end - 1}: {error}"
                    bad = _Bad("version", None, why)
            if bad is not None:
                return bad
            self.checked = end
        with reading(self._engine) as connection:
            ends = map(partial(self._tail, connection), range(len(self._rows)))
            return next(filter(None, ends), None)

    def root(self) -> bytes:
        """Return the root of what was checked."""
        peaks: list[bytes] = []
        for row in reversed(self._rows):
            peaks.extend(_peaks(row))
        return Frontier(self.checked, tuple(peaks)).root()

    def _add(self, connection: Connection, hashes: Sequence[bytes], level: int = 0) -> _Bad | None:
        if level == len(self._rows):
            self._rows.append([])
            self._full.append(0)
        row = self._rows[level]
        row.extend(hashes)
        made = []
        while len(row) >= WIDTH:
            tile, row[:WIDTH] = row[:WIDTH], []
            bad = _tile(connection, level, self._full[level], tile, self._size)
            if bad is not None:
                return bad
            self._full[level] += 1
            made.append(subtree(tile))
        return self._add(connection, made, level + 1) if made else None

    def _tail(self, connection: Connection, level: int) -> _Bad | None:
        row = self._rows[level]
        return _tile(connection, level, self._full[level], row, self._size) if row else None


def _peaks(row: Sequence[bytes]) -> list[bytes]:
    """Return the roots of the full subtrees over some hashes, from left to right."""
    peaks, start = [], 0
    for height in range(len(row).bit_length() - 1, -1, -1):
        if len(row) >> height & 1:
            peaks.append(subtree(row[start : start + (1 << height)]))
            start += 1 << height
    return peaks


def _tile(
    connection: Connection, level: int, idx: int, hashes: Sequence[bytes], size: int
) -> _Bad | None:
    """Hold a stored tile against the hashes it should have; it may have grown meanwhile."""
    found = fetch(connection, "SELECT hashes FROM tile WHERE level = ? AND idx = ?", (level, idx))
    tile = bytes(found[0][0]) if found else b""
    if tile.startswith(b"".join(hashes)):
        return None
    stored = hashes_in(tile)
    for no, expected in enumerate(hashes):
        if no >= len(stored) or stored[no] != expected:
            index = min((idx * WIDTH + no) << (8 * level), size - 1)
            return _told(connection, index, level)
    return None


def _told(connection: Connection, index: int, level: int) -> _Bad:
    """Return what is wrong with the entry at which the tree stops fitting."""
    if level:
        return _Bad("node", index, f"a node of the tree from entry {index} on does not fit")
    ref = ref_of(connection, index)
    if ref is None:
        return _Bad("entry", index, "the entry is not what was sealed")
    return _Bad("version", index, "the version is not what was sealed", ref)


def _hashes(connection: Connection, names: Names, start: int, end: int) -> list[bytes] | _Bad:
    """Return the leaf hashes of a stretch, each of an action or of a version."""
    actions = fetch(
        connection,
        "SELECT idx, kind, entry FROM leaf WHERE idx >= ? AND idx < ? ORDER BY idx",
        (start, end),
    )
    found: dict[int, bytes] = {}
    for idx, kind, entry in actions:
        if _told_kind(bytes(entry)) != kind:
            return _Bad("entry", idx, "the entry's kind is not that of its row")
        found[idx] = leaf_hash(bytes(entry))
    hashes = [found.get(idx, b"") for idx in range(start, end)]
    for idx, entry in entries(connection, names, start, end):
        if idx in found:
            return _Bad("version", idx, "a version that was never sealed", ref_of(connection, idx))
        hashes[idx - start] = leaf_hash(entry)
    if b"" in hashes:
        return _Bad("entry", start + hashes.index(b""), "the entry is missing")
    return hashes


def _records(engine: Engine) -> Iterator[_Bad | None]:
    """Yield what is wrong with each current record; None where nothing is."""
    after = 0
    while True:
        with reading(engine) as connection:
            rows = fetch(
                connection,
                "SELECT r.record_id, o.source, o.name, r.ext_id, r.number, r.deleted, r.since,"
                " r.keyframe, v.version_id, v.deleted, k.number, f.version_id, r.modified_at,"
                " r.edited_at, r.known_at, r.history_to, r.operation_id, r.key_id, r.seen,"
                " r.sound, r.erased_at, v.known_at, v.operation_id,"
                " (SELECT count(*) FROM version AS e WHERE e.record_id = r.record_id),"
                " (SELECT max(e.number) FROM version AS e WHERE e.record_id = r.record_id)"
                " FROM record AS r CROSS JOIN object AS o ON o.object_id = r.object_id"
                " LEFT JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number"
                " LEFT JOIN version AS k ON k.version_id = r.keyframe"
                " AND k.record_id = r.record_id"
                " LEFT JOIN keyframe AS f ON f.version_id = r.keyframe"
                " WHERE r.record_id > ? ORDER BY r.record_id LIMIT ?",
                (after, _BATCH),
            )
        if not rows:
            return
        after = rows[-1][0]
        for row in rows:
            yield _record(row[1:])


def _record(row: Sequence[Any]) -> _Bad | None:
    source, object_, id_, number, deleted, since, keyframe, version, sealed, framed, *rest = row
    full, *head, count, newest = rest
    if version is None or not count == newest == number:
        index, why = version or 0, "its versions are not numbered without a gap"
    elif deleted != sealed:
        index, why = version, "the current state is not what was sealed"
    elif full is None or framed != number - since:
        index, why = keyframe, "its last full state is not where it should be"
    elif not _head_fits(head, keyframe, since):
        index, why = version, "what is noted of its last reading is damaged"
    else:
        return None
    return _Bad("record", index, why, Ref(source, object_, id_))


def _head_fits(head: Sequence[Any], keyframe: int, since: int) -> bool:
    modified, edited, known, history, operation, key, seen, sound, erased, *sealed = head
    known_then, operation_then = sealed
    if erased is not None:
        return True  # nothing of the person is looked at any more
    told = b"" if seen is None else bytes(seen)
    expected = checksum((modified, edited, history, operation, keyframe, since, key, told))
    return bytes(sound) == expected and known >= known_then and operation == operation_then


_STRAYS: Final = {
    "value": (  # beside those that are sealed
        "SELECT min(v.version_id) FROM version AS v CROSS JOIN change AS c"
        " ON c.version_id = v.version_id WHERE v.payload IS NOT NULL"
        " AND (c.old IS NOT NULL OR c.new IS NOT NULL)"
    ),
    "record": (
        "SELECT min(v.version_id) FROM version AS v CROSS JOIN record AS r"
        " ON r.record_id = v.record_id WHERE r.object_id <> v.object_id"
    ),
    "entry": "SELECT min(idx) FROM leaf WHERE idx < 0 OR idx >= ?",
    "version": "SELECT min(version_id) FROM version WHERE version_id < 0 OR version_id >= ?",
    "keyframe": (
        "SELECT min(k.version_id) FROM keyframe AS k"
        " WHERE NOT EXISTS (SELECT 1 FROM version AS v WHERE v.version_id = k.version_id)"
    ),
    "change": (
        "SELECT min(c.version_id) FROM change AS c"
        " WHERE NOT EXISTS (SELECT 1 FROM version AS v WHERE v.version_id = c.version_id)"
        " OR NOT EXISTS (SELECT 1 FROM field AS f WHERE f.field_id = c.field_id)"
    ),
}


def _stray(connection: Connection) -> _Bad | None:
    """Return a row that hangs on nothing, or is not what was sealed of it."""
    size = size_of(connection)
    for kind, statement in _STRAYS.items():
        values = (size,) * statement.count("?")
        found = connection.exec_driver_sql(statement, values).scalar()
        if found is not None:
            return _Bad(kind, found, f"this {kind} belongs to nothing that was sealed")
    strange = lines.first_bad(connection)
    if strange is not None:
        return _Bad("succession", *strange)
    damaged = noticed.first_damaged(connection)
    if damaged is not None:
        return _Bad("operation", None, f"operation {damaged} is damaged")
    altered = schemas.first_altered(connection)
    if altered is not None:
        return _Bad("schema", None, altered)
    return _actors(connection) or _codecs(connection)


def _actors(connection: Connection) -> _Bad | None:
    rows = connection.exec_driver_sql(
        "SELECT actor_id, key, kind, ext_id, name, via, why, salt, digest FROM actor"
    )
    for id_, key, kind, ext_id, name, via, why, salt, digest in rows:
        if key is None:  # forgotten
            continue
        told = [kind, ext_id, name, via, why]
        said = [None if one is None else one.replace("\0", "\ufffd") for one in json.loads(key)]
        if who_digest(bytes(salt), key) != bytes(digest) or told != said:
            return _Bad("actor", None, f"actor {id_} is not what was sealed")
    return None


def _codecs(connection: Connection) -> _Bad | None:
    sealed = {}
    for (entry,) in connection.exec_driver_sql("SELECT entry FROM leaf WHERE kind = 'codec'"):
        told = json.loads(bytes(entry))["entry"]
        sealed[told["codec"]] = (told["object"], told["dictionary"])
    for id_, object_, dictionary in connection.exec_driver_sql(
        "SELECT c.codec_id, o.source || ':' || o.name, c.dictionary FROM codec AS c"
        " LEFT JOIN object AS o ON o.object_id = c.object_id"
    ):
        if sealed.pop(id_, None) != (object_, sha256(bytes(dictionary)).hexdigest()):
            return _Bad("codec", None, f"codec {id_} is not what was sealed")
    for id_ in sealed:
        return _Bad("codec", None, f"codec {id_} is missing")
    strange = connection.exec_driver_sql(
        "SELECT min(k.version_id) FROM keyframe AS k CROSS JOIN version AS v"
        " ON v.version_id = k.version_id WHERE k.codec_id <> 0 AND NOT EXISTS (SELECT 1"
        " FROM codec AS c WHERE c.codec_id = k.codec_id AND c.object_id = v.object_id)"
    ).scalar()
    if strange is not None:
        return _Bad("codec", strange, "a full state names a codec that is not its object's")
    return None


def _told_kind(entry: bytes) -> str | None:
    try:
        told = json.loads(entry)
    except ValueError:
        return None
    return told.get("kind") if isinstance(told, dict) else None
