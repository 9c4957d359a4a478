"""Put a copy of a key store back. It only adds: no key is lost, and none comes back to life."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.errors import Mistake, VerifyFailed
from crmtrail.ports import Clock
from snapshot.database import writing
from snapshot.keys.copying import made_at, opened_copy
from snapshot.keys.kek import KekSource
from snapshot.keys.keyring import Keyring
from snapshot.keys.opening import first_rows, is_key_store, make_file
from snapshot.keys.port import another_store
from snapshot.keys.tables import INDEX_KEY
from snapshot.keys.wrapping import fingerprint, unwrap, wrap
from snapshot.place import StoreFile, StorePlace, connect, opening
from snapshot.times import micros

_BATCH: Final = 2_000
_ROWS: Final = (
    "SELECT key_id, wrapped, kek_no, made_at, destroyed_at FROM subject_key "
    "WHERE key_id > ? ORDER BY key_id LIMIT ?"
)
_HERE: Final = (
    "SELECT k.key_id, k.wrapped, k.kek_no FROM json_each(?) AS j "
    "CROSS JOIN subject_key AS k ON k.key_id = j.value"
)
_ADD: Final = (
    "INSERT INTO subject_key (key_id, wrapped, kek_no, made_at, destroyed_at) "
    "VALUES (?, ?, ?, ?, ?)"
)
_EMPTY: Final = (
    "UPDATE subject_key SET wrapped = NULL, destroyed_at = ? "
    "WHERE key_id = ? AND destroyed_at IS NULL"
)
_SETTLE: Final = "UPDATE ring SET next_key = ?, store_id = ?, generation = generation + 1"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a copy gave: the keys it added, those it left destroyed, and when it was made."""

    added: int
    left_out: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class NamedKeys:
    """What the store says of its keys: those whose destruction it knows, and the highest id."""

    destroyed: frozenset[int]
    highest: int


def named_keys(connection: Connection) -> NamedKeys:
    """Return what a store says of its keys."""
    gone = "SELECT key_id FROM record WHERE erased_at IS NOT NULL AND key_id IS NOT NULL"
    highest = (
        "SELECT max(h) FROM (SELECT max(key_id) AS h FROM record "
        "UNION ALL SELECT max(key_id) AS h FROM position) AS x"
    )
    return NamedKeys(
        frozenset(connection.exec_driver_sql(gone).scalars()),
        connection.exec_driver_sql(highest).scalar() or 0,
    )


@dataclass(frozen=True, slots=True)
class _Copy:
    """An open copy."""

    raw: Any
    keks: Mapping[int, bytes]
    store_id: str | None
    next_key: int

    def rows(self) -> Iterator[Sequence[Any]]:
        after = INDEX_KEY - 1
        while rows := self.raw.execute(_ROWS, (after, _BATCH)).fetchall():
            yield rows
            after = rows[-1][0]

    def key(self, wrapped: bytes | None, kek_no: int) -> bytes | None:
        return None if wrapped is None else unwrap(self.keks[kek_no], wrapped)


def restore_keys(
    path: Path, place: StorePlace, source: KekSource, clock: Clock, named: NamedKeys
) -> Restored:
    """Add to a key store what a copy of it holds; one that is not there is made.

    Every key of the copy is unwrapped to see that it is whole, and wrapped under the
    key-encryption key in use. Nobody else may use the key store meanwhile.

    Args:
        path: the copy; it is not changed.
        place: where the key store is.
        source: its key-encryption key; behind it the one that the copy is wrapped under, if it was
            rotated since.
        clock: where the time comes from.
        named: what the store says of its keys.

    Raises:
        Mistake: the copy is of another store's keys, or its key-encryption key is not in `source`.
        NoStore: the copy is not there, or one of the two cannot be opened.
        Unsealable: a key in the copy was altered. VerifyFailed: it is damaged.
    """
    keks = source.read()
    with opened_copy(path) as raw:
        copy = _copy(raw, keks, path)
        if isinstance(place, StoreFile):
            make_file(place.path)
        engine = connect(place)
        ring = Keyring(engine, source, clock)
        try:
            with opening(place), writing(engine) as connection:
                if not is_key_store(connection, place):
                    first_rows(connection, source, clock)
                added, left_out = _Adding(connection, keks, clock.now(), named).add(copy)
            ring.scrub()
        finally:
            ring.close()
        return Restored(added, left_out, made_at(raw))


def _copy(raw: Any, keks: Sequence[bytes], path: Path) -> _Copy:
    ((sound,),) = raw.execute("PRAGMA integrity_check(1)").fetchall()
    if sound != "ok":
        raise VerifyFailed(f"{path} is damaged: {sound}")
    held = {fingerprint(kek): kek for kek in keks}
    found = {no: held.get(name) for no, name in raw.execute("SELECT kek_no, fingerprint FROM kek")}
    used = raw.execute("SELECT DISTINCT kek_no FROM subject_key WHERE wrapped IS NOT NULL")
    if any(found[no] is None for (no,) in used.fetchall()):
        raise Mistake(
            f"{path} is wrapped under a key-encryption key that is not there",
            hint="put the one of that time behind the one in use; docs/keys.md tells how",
        )
    ((store_id, next_key),) = raw.execute("SELECT store_id, next_key FROM ring").fetchall()
    return _Copy(raw, {no: kek for no, kek in found.items() if kek is not None}, store_id, next_key)


class _Adding:
    """One transaction that adds keys to a key store."""

    def __init__(
        self, connection: Connection, keks: Sequence[bytes], at: datetime, named: NamedKeys
    ) -> None:
        self._connection = connection
        self._at = micros(at)
        self._named = named
        run = connection.exec_driver_sql
        self._kek_no, self._next, self._store_id = run(
            "SELECT kek_no, next_key, store_id FROM ring"
        ).one()
        held = {fingerprint(kek): kek for kek in keks}
        names = run("SELECT kek_no, fingerprint FROM kek").all()
        self._keks = {no: held[bytes(name)] for no, name in names if bytes(name) in held}
        self._is_new = self._next == INDEX_KEY + 1

    def add(self, copy: _Copy) -> tuple[int, int]:
        """Add the keys of a copy; return how many, and how many stay destroyed."""
        if None not in {copy.store_id, self._store_id} and copy.store_id != self._store_id:
            raise Mistake(another_store(), hint="choose a copy of this store's keys")
        run = self._connection.exec_driver_sql
        gone = [(self._at, key_id) for key_id in self._named.destroyed]
        if gone:
            run(_EMPTY, gone)
        added = left_out = 0
        for rows in copy.rows():
            made = self._missing(copy, rows)
            added += sum(row[1] is not None for row in made)
            left_out += sum(row[1] is not None and row[0] in self._named.destroyed for row in rows)
            if made:
                run(_ADD, made)
        self._bury()
        highest = max(self._named.highest, *self._named.destroyed, 0)
        following = max(self._next, copy.next_key, highest + 1)
        run(_SETTLE, (following, self._store_id or copy.store_id))
        return added, left_out

    def _missing(self, copy: _Copy, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a copy that the key store lacks, as it wraps them.

        Raises:
            Mistake: it has other keys under the same ids.
        """
        ids = json.dumps([row[0] for row in rows])
        here = {row[0]: row for row in self._connection.exec_driver_sql(_HERE, (ids,)).all()}
        missing: list[tuple[Any, ...]] = []
        for key_id, wrapped, kek_no, made, destroyed in rows:
            key = copy.key(wrapped, kek_no)
            if key_id == INDEX_KEY and self._is_new and key is not None:
                self._take_index_key(key)
            elif key_id in here:
                self._compare(key, here[key_id], destroyed)
            elif key is None or key_id in self._named.destroyed:
                missing.append((key_id, None, self._kek_no, made, destroyed or self._at))
            else:
                anew = wrap(self._kek(self._kek_no), key)
                missing.append((key_id, anew, self._kek_no, made, None))
        return missing

    def _take_index_key(self, key: bytes) -> None:
        self._connection.exec_driver_sql(
            "UPDATE subject_key SET wrapped = ?, kek_no = ? WHERE key_id = ?",
            (wrap(self._kek(self._kek_no), key), self._kek_no, INDEX_KEY),
        )

    def _compare(self, key: bytes | None, here: Any, destroyed: int | None) -> None:
        """See that a key of the copy is the one that is here. A destruction holds for both."""
        key_id, wrapped, kek_no = here
        if wrapped is None:
            return
        if key is None:
            self._connection.exec_driver_sql(_EMPTY, (destroyed, key_id))
        elif unwrap(self._kek(kek_no), bytes(wrapped)) != key:
            raise Mistake(
                "the key store has other keys than the copy under the same numbers",
                hint="one of the two was made anew: move the key store away and restore again",
            )

    def _kek(self, number: int) -> bytes:
        if number not in self._keks:
            raise Mistake(
                "the key store is wrapped under a key-encryption key that is not there",
                hint="put it behind the one in use; docs/keys.md tells how",
            )
        return self._keks[number]

    def _bury(self) -> None:
        """Note the destruction of keys that neither the copy nor the key store knew."""
        wanted = sorted(self._named.destroyed)
        here = self._connection.exec_driver_sql(_HERE, (json.dumps(wanted),)).all()
        unknown = set(wanted) - {row[0] for row in here}
        if unknown:
            rows = [(key_id, None, self._kek_no, self._at, self._at) for key_id in unknown]
            self._connection.exec_driver_sql(_ADD, rows)
