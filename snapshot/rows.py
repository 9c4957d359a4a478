"""Rows of versions and changes, read as change sets: opened where they are sealed."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from crmtrail.model import ERASED, Change, ChangeSet, Op, Ref, Token
from snapshot.database import fetch
from snapshot.names import actor_of
from snapshot.packing import IS, KEPT, WAS, Pair, unpacked
from snapshot.shelf import Shelf
from snapshot.times import at_micros
from snapshot.vault import KEPT as KEPT_PART
from snapshot.vault import PAYLOAD, Vault, opened_text

_VERSION: Final = (
    "SELECT v.version_id, o.source, o.name, r.ext_id, v.op, v.number, a.kind, a.ext_id, a.name,"
    " a.via, a.why, v.at, v.known_at, v.since, v.operation_id, p.operation_id, v.plan_id,"
    " v.deleted, v.note, v.object_id, r.key_id, q.key_id"
)
_JOINS: Final = (
    "CROSS JOIN object AS o ON o.object_id = v.object_id"
    " CROSS JOIN position AS q ON q.object_id = v.object_id"
    " CROSS JOIN actor AS a ON a.actor_id = v.actor_id"
    " LEFT JOIN version AS p ON p.record_id = v.record_id AND p.number = v.number - 1"
)

CELL: Final = (
    "v.version_id, c.field_id, c.kind, c.old, c.new, v.payload, v.payload_gone, v.kept, v.kept_gone"
)
"""The columns with which rows of changes begin, where they are read beside their versions."""

_RECORD: Final = (
    "SELECT r.record_id FROM object AS o CROSS JOIN record AS r ON r.object_id = o.object_id"
    " WHERE o.source = ? AND o.name = ? AND r.ext_id = ?"
)
_LISTED: Final = (
    f"{_VERSION} FROM json_each(?) AS j CROSS JOIN version AS v ON v.version_id = j.value"
    f" CROSS JOIN record AS r ON r.record_id = v.record_id {_JOINS} ORDER BY j.key"
)
_CELLS: Final = (
    f"SELECT {CELL} FROM json_each(?) AS j"  # noqa: S608 -- a fixed text
    " CROSS JOIN version AS v ON v.version_id = j.value"
    " CROSS JOIN change AS c ON c.version_id = v.version_id ORDER BY j.key, c.field_id"
)
_ALL: Final = (
    f"{_VERSION} FROM record AS r CROSS JOIN version AS v ON v.record_id = r.record_id"
    f" {_JOINS} WHERE r.object_id = ? AND r.ext_id = ? ORDER BY v.number"
)
_ALL_CELLS: Final = (
    f"SELECT {CELL} FROM record AS r CROSS JOIN version AS v ON v.record_id = r.record_id"  # noqa: S608 -- a fixed text
    " CROSS JOIN change AS c ON c.version_id = v.version_id"
    " WHERE r.object_id = ? AND r.ext_id = ? ORDER BY v.number, c.field_id"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One version as it lies in the store. ``note`` is the JSON of what a removal told."""

    version_id: int
    change_set: ChangeSet
    deleted: bool
    note: str | None


class Raw(NamedTuple):
    """The values of one version as they lie in the store, with what opens them."""

    version_id: int
    ref: Ref
    number: int
    object_id: int
    key_id: int | None
    object_key: int | None
    payload: bytes | None
    payload_gone: bytes | None
    kept: bytes | None
    kept_gone: bytes | None


class Cell(NamedTuple):
    """One row of ``change``."""

    field_id: int
    kind: int
    old: Token | None
    new: Token | None


def record_id(connection: Connection, ref: Ref) -> int | None:
    """Return the row id of a record, if it is known."""
    for (found,) in fetch(connection, _RECORD, (ref.source, ref.object, ref.id)):
        return int(found)
    return None


def versions_of(connection: Connection, shelf: Shelf, ids: Sequence[int]) -> list[Stored]:
    """Return versions by id, in the order of the ids, with all their changes."""
    listed = (json.dumps(ids),)
    return _stored_all(
        connection, shelf, fetch(connection, _LISTED, listed), fetch(connection, _CELLS, listed)
    )


def versions_of_record(connection: Connection, shelf: Shelf, ref: Ref) -> list[Stored]:
    """Return all versions of a record, oldest first; none where it is not known."""
    object_id = shelf.object_id(connection, ref.source, ref.object)
    if object_id is None:
        return []
    place = (object_id, ref.id)
    return _stored_all(
        connection, shelf, fetch(connection, _ALL, place), fetch(connection, _ALL_CELLS, place)
    )


def pairs_of(
    vault: Vault, rows: Sequence[Sequence[Any]], raw_of: Callable[[Sequence[Any]], Raw]
) -> list[Pair]:
    """Return the tokens before and after of changes, row by row. Forgotten ones are `ERASED`.

    Args:
        vault: the keys.
        rows: of changes, each beginning as `CELL` does, those of a version together and by field.
        raw_of: tells of a row how its version's values lie; asked only where they are sealed.

    Raises:
        Unsealable: values were altered.
        KeyMissing: the key store is not this store's.
    """
    if all(row[5] is row[6] is row[7] is row[8] is None for row in rows):
        return [(row[3], row[4]) for row in rows]
    versions = [list(same) for _, same in groupby(rows, key=itemgetter(0))]
    raws = [raw_of(mine[0]) for mine in versions]
    keys = vault.opened(
        key for raw in raws if raw.payload or raw.kept for key in (raw.key_id, raw.object_key)
    )
    pairs: list[Pair] = []
    for raw, mine in zip(raws, versions, strict=True):
        opened = _opened(raw, [Cell(*row[1:5]) for row in mine], keys)
        pairs.extend(pair for _, pair in opened)
    return pairs


def values_of(
    connection: Connection, shelf: Shelf, raws: Sequence[Raw]
) -> Mapping[int, list[tuple[int, Pair]]]:
    """Return what versions changed, by version: field ids with the tokens before and after.

    Forgotten values are `ERASED`.

    Raises:
        Unsealable: values were altered.
        KeyMissing: the key store is not this store's.
    """
    cells = cells_of(connection, [raw.version_id for raw in raws])
    keys = shelf.vault.opened(
        key for raw in raws if raw.payload or raw.kept for key in (raw.key_id, raw.object_key)
    )
    return {raw.version_id: _opened(raw, cells.get(raw.version_id, ()), keys) for raw in raws}


def cells_of(connection: Connection, ids: Iterable[int]) -> Mapping[int, list[Cell]]:
    """Return the rows of ``change`` of versions, by field id; versions without any are missing."""
    rows = connection.exec_driver_sql(
        "SELECT c.version_id, c.field_id, c.kind, c.old, c.new FROM json_each(?) AS j"
        " CROSS JOIN change AS c ON c.version_id = j.value ORDER BY j.key, c.field_id",
        (json.dumps(list(ids)),),
    )
    found: dict[int, list[Cell]] = {}
    for version, field_id, kind, old, new in rows:
        found.setdefault(version, []).append(Cell(field_id, kind, old, new))
    return found


def _opened(
    raw: Raw, cells: Sequence[Cell], keys: Mapping[int, bytes | None]
) -> list[tuple[int, Pair]]:
    if not _is_shut(raw[-4:]):
        return [(cell.field_id, (cell.old, cell.new)) for cell in cells]
    plain = [cell for cell in cells if not cell.kind & KEPT]
    kept = [cell for cell in cells if cell.kind & KEPT]
    opened: dict[int, Pair] = {}
    for part, mine, sealed, key_id in (
        (PAYLOAD, plain, raw.payload, raw.key_id),
        (KEPT_PART, kept, raw.kept, raw.object_key),
    ):
        key = None if key_id is None else keys.get(key_id)
        if sealed is None or key is None:
            opened.update((cell.field_id, _forgotten(cell)) for cell in mine)
        else:
            text = opened_text(key, sealed, raw.ref, raw.number, part)
            pairs = unpacked(text, len(mine))
            opened.update((c.field_id, pair) for c, pair in zip(mine, pairs, strict=True))
    return [(cell.field_id, opened[cell.field_id]) for cell in cells]


def _is_shut(values: Sequence[bytes | None]) -> bool:
    """Return whether a version's values are sealed or forgotten: payload and kept, or what was."""
    return values.count(None) < len(values)


def _forgotten(cell: Cell) -> Pair:
    return (ERASED if cell.kind & WAS else None, ERASED if cell.kind & IS else None)


def _stored_all(
    connection: Connection,
    shelf: Shelf,
    rows: Sequence[Sequence[Any]],
    cells: Sequence[Sequence[Any]],
) -> list[Stored]:
    """Return versions from their rows and those of their changes, both in the same order."""
    refs = {row[0]: row for row in rows}
    pairs = pairs_of(shelf.vault, cells, lambda cell: _raw(refs[cell[0]], cell))
    touched: dict[int, set[int]] = {}
    for cell in cells:
        touched.setdefault(refs[cell[0]][19], set()).add(cell[1])
    names = {id_: shelf.named(connection, id_, fields) for id_, fields in touched.items()}
    changes: dict[int, list[Change]] = {}
    for cell, (old, new) in zip(cells, pairs, strict=True):
        name = names[refs[cell[0]][19]][cell[1]]
        changes.setdefault(cell[0], []).append(Change(name, old, new))
    return [_stored(row, changes.get(row[0], ())) for row in rows]


def _raw(row: Sequence[Any], cell: Sequence[Any]) -> Raw:
    return Raw(row[0], Ref(*row[1:4]), row[5], *row[19:22], *cell[5:9])


def _stored(row: Sequence[Any], changes: Sequence[Change]) -> Stored:
    version_id, source, object_, id_, op, number, *actor = row[:11]
    at, known_at, since, operation, previous, plan, deleted, note = row[11:19]
    change_set = ChangeSet(
        Ref(source, object_, id_),
        Op(op),
        number,
        tuple(sorted(changes, key=attrgetter("field")) if len(changes) > 1 else changes),
        actor_of(actor),
        at_micros(at),
        at_micros(known_at),
        operation,
        previous,
        plan,
        at_micros(since),
    )
    return Stored(version_id, change_set, bool(deleted), note)
