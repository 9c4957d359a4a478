"""The ledger in SQL: appending inside the caller's transaction, and reading it back."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from snapshot.entries import action_entry
from snapshot.ledger import Frontier, append, leaf_hash, peak_places


def size_of(connection: Connection) -> int:
    """Return how many entries the ledger has; also the index of the next one."""
    found = connection.exec_driver_sql("SELECT max(idx) FROM leaf").scalar()
    return 0 if found is None else int(found) + 1


def frontier_of(connection: Connection, size: int) -> Frontier:
    """Return the frontier that the ledger had at a size."""
    return Frontier(size, tuple(node_at(connection, *place) for place in peak_places(size)))


def node_at(connection: Connection, level: int, idx: int) -> bytes:
    """Return the hash of one full subtree.

    Raises:
        LookupError: it is not in the store.
    """
    if level == 0:
        found = connection.exec_driver_sql("SELECT entry FROM leaf WHERE idx = ?", (idx,)).scalar()
    else:
        found = connection.exec_driver_sql(
            "SELECT hash FROM node WHERE level = ? AND idx = ?", (level, idx)
        ).scalar()
    if found is None:
        raise LookupError(f"the ledger has no node {level}/{idx}")
    return bytes(found) if level else leaf_hash(found)


def append_entries(
    connection: Connection, frontier: Frontier, entries: Sequence[tuple[str, bytes]]
) -> Frontier:
    """Append entries (kind, bytes) behind a frontier, in the caller's transaction."""
    if not entries:
        return frontier
    after, nodes = append(frontier, [leaf_hash(entry) for _, entry in entries])
    connection.exec_driver_sql(
        "INSERT INTO leaf (idx, kind, entry) VALUES (?, ?, ?)",
        [(frontier.size + no, kind, entry) for no, (kind, entry) in enumerate(entries)],
    )
    if nodes:
        connection.exec_driver_sql("INSERT INTO node (level, idx, hash) VALUES (?, ?, ?)", nodes)
    return after


def seal_all(
    connection: Connection, kind: str, entries: Sequence[Mapping[str, Any]], at: datetime
) -> int:
    """Append actions of one kind in the caller's transaction; return the first's leaf index."""
    frontier = frontier_of(connection, size_of(connection))
    sealed = [(kind, action_entry(kind, entry, at)) for entry in entries]
    append_entries(connection, frontier, sealed)
    return frontier.size


def seal(connection: Connection, kind: str, entry: Mapping[str, Any], at: datetime) -> int:
    """Append one action in the caller's transaction; return its leaf index."""
    return seal_all(connection, kind, (entry,), at)


def entry_at(connection: Connection, idx: int) -> Mapping[str, Any]:
    """Return one entry, decoded.

    Raises:
        LookupError: there is no such entry.
    """
    found = connection.exec_driver_sql("SELECT entry FROM leaf WHERE idx = ?", (idx,)).scalar()
    if found is None:
        raise LookupError(f"the ledger has no entry {idx}")
    entry: Mapping[str, Any] = json.loads(found)
    return entry
