"""Values emptied through the open door, and the rows that say by which action.

Every value that goes leaves its SHA-256, to which the version's entry commits. The rows of
``forgotten`` name the versions that one action emptied, and its entry commits to those: so a value
that merely went missing is told from one that was forgotten lawfully.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection

from snapshot import bulk
from snapshot.packing import packed

PAYLOAD, KEPT, DOC, DOC_KEPT = 1, 2, 4, 8
"""The parts of a version, as ``forgotten.what`` adds them up."""


class Gone(NamedTuple):
    """What was emptied of one version."""

    version_id: int
    what: int


def forget_versions(
    connection: Connection, ids: Sequence[int], parts: int, *, clear: bool = True
) -> list[Gone]:
    """Empty the values of versions, and their full states; the door is open.

    Args:
        connection: of the transaction that forgets.
        ids: which versions.
        parts: `PAYLOAD`, `KEPT`, or both: those of the full states go along.
        clear: whether values in clear text count to the payload.

    Returns:
        The versions that had any such value.
    """
    changes = forget_changes(connection, ids, parts, clear=clear)
    return together(changes, forget_docs(connection, ids, parts, clear=clear))


def together(*parts: Iterable[Gone]) -> list[Gone]:
    """Return what was emptied, one line a version, in their order."""
    found: dict[int, int] = {}
    for version_id, what in chain(*parts):
        found[version_id] = found.get(version_id, 0) | what
    return [Gone(*each) for each in sorted(found.items())]


def forget_changes(
    connection: Connection, ids: Sequence[int], parts: int, *, clear: bool = True
) -> list[Gone]:
    """Empty what versions changed; see `forget_versions`."""
    rows = connection.exec_driver_sql(
        "SELECT v.version_id, v.payload, v.payload_gone, v.kept FROM json_each(?) AS j"
        " CROSS JOIN version AS v ON v.version_id = j.value ORDER BY v.version_id",
        (json.dumps(list(ids)),),
    ).all()
    plain = _in_clear(connection, ids) if clear and parts & PAYLOAD else {}
    gone: list[Gone] = []
    payloads: list[tuple[Any, ...]] = []
    kept: list[tuple[Any, ...]] = []
    for version_id, payload, payload_gone, kept_there in rows:
        what = 0
        digest = plain.get(version_id) if payload is None else sha256(payload).digest()
        if parts & PAYLOAD and digest is not None and payload_gone is None:
            payloads.append((version_id, None, digest))
            what |= PAYLOAD
        if parts & KEPT and kept_there is not None:
            kept.append((version_id, None, sha256(kept_there).digest()))
            what |= KEPT
        if what:
            gone.append(Gone(version_id, what))
    key = ("version_id",)
    bulk.update(connection, "version", key, ("payload", "payload_gone"), payloads)
    bulk.update(connection, "version", key, ("kept", "kept_gone"), kept)
    if plain:
        connection.exec_driver_sql(
            "UPDATE change SET old = NULL, new = NULL"
            " WHERE version_id IN (SELECT value FROM json_each(?) AS j)"
            " AND (old IS NOT NULL OR new IS NOT NULL)",
            (json.dumps(list(plain)),),
        )
    return gone


def forget_docs(
    connection: Connection, ids: Sequence[int], parts: int, *, clear: bool = True
) -> list[Gone]:
    """Empty the full states of versions; see `forget_versions`."""
    rows = connection.exec_driver_sql(
        "SELECT k.version_id, k.doc, k.kept, k.sealed FROM json_each(?) AS j"
        " CROSS JOIN keyframe AS k ON k.version_id = j.value ORDER BY k.version_id",
        (json.dumps(list(ids)),),
    ).all()
    docs = [
        (version_id, None, sha256(doc).digest())
        for version_id, doc, _, sealed in rows
        if parts & PAYLOAD and doc is not None and (sealed or clear)
    ]
    kept = [
        (version_id, None, sha256(there).digest())
        for version_id, _, there, _ in rows
        if parts & KEPT and there is not None
    ]
    key = ("version_id",)
    bulk.update(connection, "keyframe", key, ("doc", "doc_gone"), docs)
    bulk.update(connection, "keyframe", key, ("kept", "kept_gone"), kept)
    found = [Gone(row[0], DOC) for row in docs] + [Gone(row[0], DOC_KEPT) for row in kept]
    return sorted(found)


def _in_clear(connection: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """Return what entries commit to of the values that lie in clear text, by version."""
    rows = connection.exec_driver_sql(
        "SELECT c.version_id, c.old, c.new FROM json_each(?) AS j"
        " CROSS JOIN change AS c ON c.version_id = j.value ORDER BY c.version_id, c.field_id",
        (json.dumps(list(ids)),),
    )
    pairs: dict[int, list[tuple[str | None, str | None]]] = {}
    for version_id, old, new in rows:
        pairs.setdefault(version_id, []).append((old, new))
    return {
        version_id: sha256(packed(each).encode()).digest()
        for version_id, each in pairs.items()
        if any(old is not None or new is not None for old, new in each)
    }


def note_forgotten(connection: Connection, gone: Sequence[Gone], leaf: int) -> str:
    """Note what the action of an entry emptied; return what the entry commits to."""
    ordered = sorted(gone)
    bulk.insert(
        connection,
        "forgotten",
        ("version_id", "leaf", "what"),
        [(each.version_id, leaf, each.what) for each in ordered],
    )
    return digest_of(ordered)


def digest_of(gone: Iterable[tuple[int, int]]) -> str:
    """Return the digest of what one action emptied, in the order of versions."""
    told = sha256()
    for version_id, what in gone:
        told.update(f"{version_id}:{what}\n".encode())
    return told.hexdigest()
