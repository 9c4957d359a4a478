"""The entries of versions, written anew from their rows: for proofs and for verification."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from crmtrail.model import Ref
from snapshot.database import fetch
from snapshot.entries import actor_named, parts_text, quoted, version_text
from snapshot.packing import packed
from snapshot.scribe import NOTHING

_VERSIONS: Final = (
    "SELECT v.version_id, v.object_id, v.actor_id, v.number, v.op, v.deleted, v.at, v.known_at,"
    " v.since, v.operation_id, v.plan_id, v.note, r.ext_id, v.payload, v.payload_gone, v.kept,"
    " v.kept_gone, k.doc, k.doc_gone, k.kept, k.kept_gone FROM version AS v"
    " LEFT JOIN record AS r ON r.record_id = v.record_id AND r.object_id = v.object_id"
    " LEFT JOIN keyframe AS k ON k.version_id = v.version_id AND k.leaf IS NULL"
    " WHERE v.version_id >= ? AND v.version_id < ? ORDER BY v.version_id"
)
_CHANGES: Final = (
    "SELECT c.version_id, c.field_id, c.kind, c.old, c.new FROM change AS c"
    " WHERE c.version_id >= ? AND c.version_id < ? ORDER BY c.version_id, c.field_id"
)

_ACTORS: Final = "SELECT a.actor_id, a.kind, a.ext_id, a.digest"
_ITS_OBJECT: Final = (
    "SELECT o.object_id, o.source, o.name FROM version AS v"
    " CROSS JOIN object AS o ON o.object_id = v.object_id WHERE v.version_id = ?"
)
_ITS_FIELDS: Final = (
    "SELECT f.field_id, f.name FROM change AS c CROSS JOIN field AS f ON f.field_id = c.field_id"
    " WHERE c.version_id = ?"
)
_ITS_ACTOR: Final = (
    "FROM version AS v CROSS JOIN actor AS a ON a.actor_id = v.actor_id WHERE v.version_id = ?"
)


class Names(NamedTuple):
    """What rows of versions refer to by id, as entries write it.

    ``objects`` are quoted texts of source, object and a colon, still open at the end, ``fields``
    begin a member of ``changed``, ``actors`` are quoted and with their digest in hex.
    """

    objects: Mapping[int, str]
    fields: Mapping[int, str]
    actors: Mapping[int, tuple[str, str]]

    @classmethod
    def of(cls, connection: Connection) -> "Names":
        """Read them all; there are as many as a CRM has fields and users."""
        objects = fetch(connection, "SELECT object_id, source, name FROM object")
        fields = fetch(connection, "SELECT field_id, name FROM field")
        return cls(
            {id_: quoted(f"{source}:{name}:")[:-1] for id_, source, name in objects},
            {id_: f"[{quoted(name)}," for id_, name in fields},
            _actors(fetch(connection, f"{_ACTORS} FROM actor AS a")),
        )

    @classmethod
    def of_version(cls, connection: Connection, version_id: int) -> "Names":
        """Read those of one version."""
        one = (version_id,)
        objects = fetch(connection, _ITS_OBJECT, one)
        fields = fetch(connection, _ITS_FIELDS, one)
        return cls(
            {id_: quoted(f"{source}:{name}:")[:-1] for id_, source, name in objects},
            {id_: f"[{quoted(name)}," for id_, name in fields},
            _actors(fetch(connection, f"{_ACTORS} {_ITS_ACTOR}", one)),
        )


def _actors(rows: Sequence[Sequence[Any]]) -> Mapping[int, tuple[str, str]]:
    return {
        id_: (quoted(actor_named(kind, who)), bytes(digest).hex())
        for id_, kind, who, digest in rows
    }


def entries(
    connection: Connection, names: Names, start: int, end: int
) -> Iterator[tuple[int, bytes]]:
    """Yield the entries of the versions from ``start`` up to ``end``, by id.

    Raises:
        LookupError: a version refers to what is not there.
    """
    cells: dict[int, list[Sequence[Any]]] = {}
    for cell in fetch(connection, _CHANGES, (start, end)):
        cells.setdefault(cell[0], []).append(cell)
    for row in fetch(connection, _VERSIONS, (start, end)):
        yield row[0], _entry(names, row, cells.pop(row[0], ()))
    for stray in cells:
        raise LookupError(f"a change of version {stray} hangs on nothing")


def entry_of(connection: Connection, index: int) -> bytes:
    """Return one entry of the ledger, of a version or of an action.

    Raises:
        LookupError: there is no such entry.
    """
    for (entry,) in fetch(connection, "SELECT entry FROM leaf WHERE idx = ?", (index,)):
        return bytes(entry)
    for _, entry in entries(connection, Names.of_version(connection, index), index, index + 1):
        return entry
    raise LookupError(f"the ledger has no entry {index}")


def ref_of(connection: Connection, version_id: int) -> Ref | None:
    """Return the record of a version, as far as that can be told."""
    row = connection.exec_driver_sql(
        "SELECT o.source, o.name, r.ext_id FROM version AS v"
        " CROSS JOIN record AS r ON r.record_id = v.record_id"
        " CROSS JOIN object AS o ON o.object_id = v.object_id WHERE v.version_id = ?",
        (version_id,),
    ).one_or_none()
    return None if row is None else Ref(*row)


def _entry(names: Names, row: Sequence[Any], cells: Sequence[Sequence[Any]]) -> bytes:
    _, object_, actor, number, op, deleted, at, known_at, since, operation, plan, note, *rest = row
    ext_id, payload, payload_gone, *parts = rest
    if ext_id is None:
        raise LookupError("a version refers to no record of its object")
    open_ = names.objects[object_]
    if payload is not None or payload_gone is not None or not cells:
        digest = (_digest(payload, payload_gone) or NOTHING).hex()
    else:
        digest = sha256(packed([(cell[3], cell[4]) for cell in cells]).encode()).hexdigest()
    fields = names.fields
    return version_text(
        f'{open_}{ext_id}"'
        if ext_id.isalnum() and ext_id.isascii()
        else open_ + quoted(ext_id)[1:],
        number,
        op,
        deleted,
        at,
        known_at,
        since,
        *names.actors[actor],
        ",".join([f"{fields[cell[1]]}{cell[2]}]" for cell in cells]),
        digest,
        _parts(*parts) if parts.count(None) < len(parts) else "",
        note,
        operation,
        plan,
    )


def _parts(*found: bytes | None) -> str:
    return parts_text(*map(_digest, found[::2], found[1::2]))


def _digest(there: bytes | None, gone: bytes | None) -> bytes | None:
    """Return what an entry commits to of something stored, or of what it was."""
    if there is not None:
        return sha256(there).digest()
    return None if gone is None else bytes(gone)
