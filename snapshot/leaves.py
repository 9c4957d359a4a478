"""The ledger in SQL: appending inside the caller's transaction, and reading it back.

The tree lies in tiles, as C2SP's tlog-tiles has them (https://c2sp.org/tlog-tiles): 256 hashes
side by side. A full tile's root is one hash of the level above. Everything else follows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from snapshot.database import fetch
from snapshot.entries import action_entry
from snapshot.ledger import Frontier, leaf_hash, peak_places, subtree

HASH: Final = 32
"""Bytes of a hash."""
WIDTH: Final = 256
"""Hashes of a full tile."""
HEIGHT: Final = 8
"""Levels of the tree that a tile spans."""


def size_of(connection: Connection) -> int:
    """Return how many entries the ledger has; also the index of the next one."""
    return _length(connection, 0)


def frontier_of(connection: Connection, size: int) -> Frontier:
    """Return the frontier that the ledger had at a size.

    Raises:
        LookupError: it never had that size.
    """
    return Tiles(connection).frontier(size)


class Tiles:
    """The tree of one connection, read a tile at a time; each tile is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: dict[tuple[int, int], bytes] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def node_at(self, level: int, idx: int) -> bytes:
        """Return the hash of one full subtree.

        Raises:
            LookupError: it is not in the store.
        """
        place = (level, idx)
        if place not in self._nodes:
            self._nodes[place] = self._node(level, idx)
        return self._nodes[place]

    def frontier(self, size: int) -> Frontier:
        """Return the frontier that the ledger had at a size; see `frontier_of`."""
        return Frontier(size, tuple(self.node_at(*place) for place in peak_places(size)))

    def _node(self, level: int, idx: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        first = idx << height
        hashes = self._tile(tile_level, first // WIDTH)
        start = first % WIDTH * HASH
        found = hashes[start : start + (HASH << height)]
        if len(found) != HASH << height:
            raise LookupError(f"the ledger has no node {level}/{idx}")
        return subtree(hashes_in(found))

    def _tile(self, level: int, idx: int) -> bytes:
        place = (level, idx)
        if place not in self._read:
            found = fetch(
                self._connection, "SELECT hashes FROM tile WHERE level = ? AND idx = ?", place
            )
            self._read[place] = bytes(found[0][0]) if found else b""
        return self._read[place]


def hashes_in(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile, or of a part of one."""
    return [tile[start : start + HASH] for start in range(0, len(tile), HASH)]


def grow(connection: Connection, size: int, leaves: Sequence[bytes]) -> None:
    """Append leaf hashes to a tree of a size, in the caller's transaction."""
    if not leaves:
        return
    level, start, row = 0, size, list(leaves)
    tiles: list[tuple[int, int, bytes]] = []
    while row:
        first, held = start // WIDTH, start % WIDTH
        before = _open_tile(connection, level, first) if held else b""
        if len(before) != held * HASH:
            raise LookupError(f"tile {level}/{first} of the ledger does not hold {held} hashes")
        whole = before + b"".join(row)
        made = [whole[at : at + WIDTH * HASH] for at in range(0, len(whole), WIDTH * HASH)]
        tiles += [(level, first + no, hashes) for no, hashes in enumerate(made)]
        row = [subtree(hashes_in(tile)) for tile in made if len(tile) == WIDTH * HASH]
        level, start = level + 1, start // WIDTH
    connection.exec_driver_sql(
        "INSERT INTO tile (level, idx, hashes) VALUES (?, ?, ?)"
        " ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes",
        tiles,
    )


def seal_all(
    connection: Connection, kind: str, entries: Sequence[Mapping[str, Any]], at: datetime
) -> int:
    """Append actions of one kind in the caller's transaction; return the first's leaf index."""
    size = size_of(connection)
    if not entries:
        return size
    sealed = [action_entry(kind, entry, at) for entry in entries]
    connection.exec_driver_sql(
        "INSERT INTO leaf (idx, kind, entry) VALUES (?, ?, ?)",
        [(size + no, kind, entry) for no, entry in enumerate(sealed)],
    )
    grow(connection, size, [leaf_hash(entry) for entry in sealed])
    return size


def seal(connection: Connection, kind: str, entry: Mapping[str, Any], at: datetime) -> int:
    """Append one action in the caller's transaction; return its leaf index."""
    return seal_all(connection, kind, (entry,), at)


def entry_at(connection: Connection, idx: int) -> Mapping[str, Any]:
    """Return one action of crmtrail, decoded.

    Raises:
        LookupError: there is no such entry, or it is a version's.
    """
    found = connection.exec_driver_sql("SELECT entry FROM leaf WHERE idx = ?", (idx,)).scalar()
    if found is None:
        raise LookupError(f"the ledger has no action {idx}")
    entry: Mapping[str, Any] = json.loads(found)
    return entry


def _length(connection: Connection, level: int) -> int:
    found = connection.exec_driver_sql(
        "SELECT idx, length(hashes) FROM tile WHERE level = ? ORDER BY idx DESC LIMIT 1", (level,)
    ).one_or_none()
    return 0 if found is None else int(found[0]) * WIDTH + int(found[1]) // HASH


def _open_tile(connection: Connection, level: int, idx: int) -> bytes:
    found = connection.exec_driver_sql(
        "SELECT hashes FROM tile WHERE level = ? AND idx = ?", (level, idx)
    ).scalar()
    return b"" if found is None else bytes(found)
