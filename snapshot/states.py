"""Records in full: the newest keyframe at or before a version, and what changed since."""

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from crmtrail.model import ERASED, Ref, Token
from snapshot.database import fetch
from snapshot.keys.sealing import unseal
from snapshot.packing import STAMP
from snapshot.rows import CELL, Raw, pairs_of
from snapshot.shelf import Shelf
from snapshot.vault import DOC, DOC_KEPT, place_of

KEYFRAME_EVERY: Final = 16
"""So many versions after a keyframe, the next one is a keyframe again."""

_FRAMES: Final = (
    "SELECT j.key, k.codec_id, k.sealed, k.doc, k.kept FROM json_each(?) AS j"
    " CROSS JOIN keyframe AS k ON k.version_id = j.value"
)
_SINCE: Final = (
    f"SELECT {CELL}, v.record_id, v.number FROM json_each(?) AS p"  # noqa: S608 -- a fixed text
    " CROSS JOIN version AS v ON v.record_id = json_extract(p.value, '$[0]')"
    " AND v.number > json_extract(p.value, '$[1]')"
    " AND v.number <= json_extract(p.value, '$[2]')"
    " CROSS JOIN change AS c ON c.version_id = v.version_id"
    " ORDER BY p.key, v.number, c.field_id"
)


class Wanted(NamedTuple):
    """Which state is wanted: the record's after its version ``number``.

    ``keyframe`` is the newest keyframe up to it, and ``start`` the number of that version.
    """

    record_id: int
    ref: Ref
    object_id: int
    key_id: int | None
    object_key: int | None
    keyframe: int
    start: int
    number: int


class Framed(NamedTuple):
    """A wanted state with its keyframe, as that lies in the store."""

    record_id: int
    ref: Ref
    object_id: int
    key_id: int | None
    object_key: int | None
    keyframe: int
    start: int
    number: int
    codec_id: int
    sealed: int
    doc: bytes | None
    kept: bytes | None


def states_of(
    connection: Connection, shelf: Shelf, wanted: Sequence[Wanted]
) -> Mapping[int, dict[str, Token]]:
    """Return the tokens of records by record id; stamps are left out.

    Raises:
        Unsealable: values were altered.
        KeyMissing: the key store is not this store's.
        LookupError: a keyframe is missing.
    """
    rows = fetch(connection, _FRAMES, (json.dumps([each.keyframe for each in wanted]),))
    if len(rows) < len(wanted):
        raise LookupError(f"{len(wanted) - len(rows)} records have no keyframe")
    return unfolded(connection, shelf, [Framed(*wanted[row[0]], *row[1:]) for row in rows])


def unfolded(
    connection: Connection, shelf: Shelf, framed: Sequence[Framed]
) -> dict[int, dict[str, Token]]:
    """Return the tokens of records whose keyframes are read; see `states_of`."""
    states = expanded(connection, shelf, framed)
    later = {one.record_id: one for one in framed if one.number > one.start}
    if later:
        spans = json.dumps([(one.record_id, one.start, one.number) for one in later.values()])
        catch_up(connection, shelf, states, later, fetch(connection, _SINCE, (spans,)))
    return states


def expanded(
    connection: Connection, shelf: Shelf, framed: Sequence[Framed]
) -> dict[int, dict[str, Token]]:
    """Return what keyframes tell of the fields, by record id."""
    keys = shelf.vault.opened(
        key for one in framed if one.sealed for key in (one.key_id, one.object_key)
    )
    return {
        one.record_id: _sealed(connection, shelf, one, keys)
        if one.sealed or one.doc is None
        else _plain(connection, shelf, one.object_id, one.codec_id, one.doc)
        for one in framed
    }


def catch_up(
    connection: Connection,
    shelf: Shelf,
    states: Mapping[int, dict[str, Token]],
    places: Mapping[int, Framed],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Bring states up to date, in place.

    Args:
        connection: to read names with.
        shelf: names and keys.
        states: as the keyframes tell them, by record id.
        places: whose they are.
        rows: the changes since, a record's in order: `snapshot.rows.CELL`, record id, number.
    """
    pairs = pairs_of(shelf.vault, rows, lambda row: raw_of(places[row[9]], row[10], row))
    touched: dict[int, set[int]] = {}
    for row in rows:
        touched.setdefault(places[row[9]].object_id, set()).add(row[1])
    names = [shelf.named(connection, object_id, ids) for object_id, ids in touched.items()]
    known = names[0] if len(names) == 1 else ChainMap(*map(dict, names))  # ids are of one object
    for row, (_, new) in zip(rows, pairs, strict=True):
        if new is not None:
            states[row[9]][known[row[1]]] = new


def raw_of(place: Wanted | Framed, number: int, row: Sequence[Any]) -> Raw:
    """Return how a version's values lie that a row tells, which begins as `CELL` does."""
    of = (place.ref, number, place.object_id, place.key_id, place.object_key)
    return Raw(row[0], *of, *row[5:9])


def _plain(
    connection: Connection, shelf: Shelf, object_id: int, codec_id: int, doc: bytes
) -> dict[str, Token]:
    return shelf.tokens(connection, object_id, shelf.codec(connection, codec_id).expanded(doc))


def _sealed(
    connection: Connection, shelf: Shelf, one: Framed, keys: Mapping[int, bytes | None]
) -> dict[str, Token]:
    """Return what a keyframe tells that is sealed, or forgotten."""
    tokens: dict[str, Token] = {}
    if one.doc is None:
        names = shelf.fields(connection, one.object_id).names
        tokens = {name: ERASED for name in names if name[:1] != STAMP}
    parts = ((DOC, one.doc, one.key_id), (DOC_KEPT, one.kept, one.object_key))
    for part, small, key_id in parts:
        if small is None:
            continue
        opened = small
        if one.sealed:
            key = None if key_id is None else keys.get(key_id)
            if key is None:
                continue
            opened = unseal(key, small, place_of(one.ref, one.start, part))
        tokens |= _plain(connection, shelf, one.object_id, one.codec_id, opened)
    return tokens
