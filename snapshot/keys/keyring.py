"""The key store: a database of its own, in which every key lies wrapped.

A destroyed key leaves its row behind, empty; what was there is overwritten, and the write-ahead log
is cut. A key store belongs to one store, and is backed up apart from it: see
`snapshot.keys.copying`. `snapshot.keys.opening` makes one.
"""

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Locked, Mistake
from crmtrail.ports import Clock
from snapshot.database import BUSY_MS, writing
from snapshot.keys.cache import LIMIT, KeyCache
from snapshot.keys.glance import Glance
from snapshot.keys.kek import KekSource
from snapshot.keys.port import KEY_BYTES, another_store, blinded, never_here
from snapshot.keys.tables import INDEX_KEY
from snapshot.keys.unlocking import Unlocking
from snapshot.keys.wrapping import fingerprint, unwrap, wrap
from snapshot.times import at_micros, micros

_BATCH: Final = 2_000
_PATIENCE_MS: Final = 2_000
"""How long `Keyring.scrub` waits for readers."""
_AHEAD: Final = 4_096
"""How many keys are made ahead at most."""

_STORE_ID: Final = "SELECT store_id FROM ring"
_GENERATION: Final = "SELECT generation FROM ring"
_RESERVE: Final = "UPDATE ring SET next_key = next_key + ? WHERE one = 1"
_RESERVED: Final = "SELECT next_key, kek_no, generation FROM ring"
_INSERT: Final = "INSERT INTO subject_key (key_id, wrapped, kek_no, made_at) VALUES (?, ?, ?, ?)"
_TURN: Final = "UPDATE ring SET generation = generation + 1 WHERE one = 1"
_FIND: Final = (
    "SELECT k.key_id, k.wrapped, k.kek_no FROM json_each(?) AS j "
    "CROSS JOIN subject_key AS k ON k.key_id = j.value"
)
_EMPTY: Final = (
    "UPDATE subject_key SET wrapped = NULL, destroyed_at = ? "
    "WHERE key_id = ? AND destroyed_at IS NULL"
)
_DESTROYED: Final = (
    "SELECT key_id, destroyed_at FROM subject_key WHERE destroyed_at IS NOT NULL ORDER BY key_id"
)
_BIND: Final = "UPDATE ring SET store_id = ? WHERE one = 1 AND store_id IS NULL"
_LOCK: Final = "UPDATE ring SET generation = generation WHERE one = 1"
_ENTER: Final = "UPDATE ring SET kek_no = ? WHERE one = 1"
_LEFT: Final = (
    "SELECT key_id, wrapped, kek_no FROM subject_key "
    "WHERE key_id > ? AND kek_no <> ? AND wrapped IS NOT NULL ORDER BY key_id LIMIT ?"
)
_REWRAP: Final = "UPDATE subject_key SET wrapped = ?, kek_no = ? WHERE key_id = ?"
_COUNTS: Final = (
    "SELECT count(wrapped), count(destroyed_at), "
    "count(*) FILTER (WHERE wrapped IS NOT NULL AND kek_no <> (SELECT kek_no FROM ring)) "
    "FROM subject_key WHERE key_id > 0"
)


@dataclass(frozen=True, slots=True)
class RingStanding:
    """A key store as it is: how many keys there are, were, and wait to be wrapped anew."""

    store_id: str | None
    keys: int
    destroyed: int
    stale: int


class Keyring:
    """The keys of one store, in a database. Threads may share it."""

    def __init__(
        self, engine: Engine, source: KekSource, clock: Clock, *, limit: int = LIMIT
    ) -> None:
        self.engine = engine
        self.source = source
        self._clock = clock
        self._glance = Glance(engine)
        self._unlocking = Unlocking(source, self._glance)
        self._cache = KeyCache(limit)
        self._making = threading.Lock()
        self._stock: deque[tuple[int, bytes]] = deque()
        self._given = 0
        self._index_key = b""

    @property
    def store_id(self) -> str | None:
        """The id of the store that these keys belong to; None before `bind`."""
        ((found,),) = self._glance.rows(_STORE_ID)
        return None if found is None else str(found)

    def bind(self, store_id: str) -> None:
        """Tie the keys to one store; see `snapshot.keys.port.Keys.bind`."""
        if self.store_id == store_id:
            return
        with writing(self.engine) as connection:
            connection.exec_driver_sql(_BIND, (store_id,))
            if connection.exec_driver_sql(_STORE_ID).scalar_one() != store_id:
                raise Mistake(
                    another_store(),
                    hint="check keys.url: each store has a key store of its own; move away one "
                    "whose store is gone for good",
                )

    def make(self, count: int) -> Sequence[tuple[int, bytes]]:
        """Return new random keys; see `snapshot.keys.port.Keys.make`.

        Whoever made some soon needs more, and a commit costs more than many keys. So each time as
        many are made as ever before in this process, up to a limit, and the next calls are served
        from them. Those left over at the end stay unused.
        """
        with self._making:
            lacking = count - len(self._stock)
            if lacking > 0:
                self._stock.extend(self._made(max(lacking, min(self._given, _AHEAD))))
            self._given += count
            return [self._stock.popleft() for _ in range(count)]

    def _made(self, count: int) -> Sequence[tuple[int, bytes]]:
        """Make keys in one transaction."""
        random, now = secrets.token_bytes(KEY_BYTES * count), micros(self._clock.now())
        with writing(self.engine) as connection:
            connection.exec_driver_sql(_RESERVE, (count,))
            following, kek_no, generation = connection.exec_driver_sql(_RESERVED).one()
            kek = self._unlocking.keks((kek_no,))[kek_no]
            made = [
                (following - count + place, random[place * KEY_BYTES : (place + 1) * KEY_BYTES])
                for place in range(count)
            ]
            rows = [(key_id, wrap(kek, key), kek_no, now) for key_id, key in made]
            connection.exec_driver_sql(_INSERT, rows)
        self._cache.put(dict(made), generation)
        return made

    def fetch(self, ids: Iterable[int]) -> Mapping[int, bytes | None]:
        """Return keys; see `snapshot.keys.port.Keys.fetch`.

        The generation is read before the keys: one destroyed in between may be held as of an
        earlier generation, and is forgotten as soon as anybody asks again.
        """
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        ((generation,),) = self._glance.rows(_GENERATION)
        found: dict[int, bytes | None] = {**self._cache.take(wanted, generation)}
        left = [key_id for key_id in wanted if key_id not in found]
        if left:
            found |= self._opened(left, generation)
        return found

    def _opened(self, ids: Sequence[int], generation: int) -> dict[int, bytes | None]:
        """Read keys, and hold them."""
        rows = self._glance.rows(_FIND, _listed(ids))
        if len(rows) < len(ids):
            raise never_here(len(ids) - len(rows))
        numbers = {kek_no for _, wrapped, kek_no in rows if wrapped is not None}
        keks = self._unlocking.keks(numbers)
        opened = {
            key_id: unwrap(keks[kek_no], bytes(wrapped))
            for key_id, wrapped, kek_no in rows
            if wrapped is not None
        }
        self._cache.put(opened, generation)
        return {**dict.fromkeys(ids), **opened}

    def stands(self, key_id: int) -> bool:
        """Return whether a key is there; see `snapshot.keys.port.Keys.stands`."""
        rows = self._glance.rows(_FIND, _listed((key_id,)))
        if not rows:
            raise never_here(1)
        return rows[0][1] is not None

    def destroy(self, ids: Iterable[int], at: datetime) -> int:
        """Forget keys; see `snapshot.keys.port.Keys.destroy`.

        The generation grows in the same transaction, so no process uses a copy in memory again.
        """
        wanted = list(dict.fromkeys(ids))
        with writing(self.engine) as connection:
            connection.exec_driver_sql(_TURN)
            rows = connection.exec_driver_sql(_FIND, (_listed(wanted),)).all()
            if len(rows) < len(wanted):
                raise never_here(len(wanted) - len(rows))
            left = [key_id for key_id, wrapped, _ in rows if wrapped is not None]
            if left:
                connection.exec_driver_sql(_EMPTY, [(micros(at), key_id) for key_id in left])
        self._cache.clear()
        self.scrub()
        return len(left)

    def destroyed(self) -> Mapping[int, datetime]:
        """Return which keys were destroyed, and when."""
        rows = self._glance.rows(_DESTROYED)
        return {key_id: at_micros(at) for key_id, at in rows}

    def blind(self, text: str) -> bytes:
        """Return what stands for an address; see `snapshot.keys.port.Keys.blind`."""
        if not self._index_key:
            ((_, wrapped, kek_no),) = self._glance.rows(_FIND, json.dumps([INDEX_KEY]))
            kek = self._unlocking.keks((kek_no,))[kek_no]
            self._index_key = unwrap(kek, bytes(wrapped))
        return blinded(self._index_key, text)

    def rotate(
        self,
        new_kek: bytes,
        progress: Callable[[int, int | None, str], None] = lambda *_: None,
        *,
        entered: int | None = None,
    ) -> int:
        """Wrap every key anew, under another key-encryption key. What the keys sealed stays as is.

        From the first step on new keys are wrapped under it only. After a kill, calling it again
        goes on; until it returns, the place of the KEK has to hold both. ``entered`` is the number
        under which the KEK was put in use already: then only if no other was since.

        Returns:
            How many were wrapped anew, the index key among them.

        Raises:
            Locked: another rotation began meanwhile, to another KEK.
            Mistake: an earlier KEK that some are wrapped under is gone.
        """
        self._unlocking.learn((new_kek,))
        number = entered
        if number is None:
            with writing(self.engine) as connection:
                number = enter(connection, new_kek, self._clock.now())
        done, after = 0, INDEX_KEY - 1
        while rows := self._rewrapped(new_kek, number, after):
            done, after = done + len(rows), rows[-1]
            progress(done, None, "keys")
        self._unlocking.keep_only((new_kek,))
        self.scrub()
        return done

    def standing(self) -> RingStanding:
        """Return what the key store holds."""
        (counts,) = self._glance.rows(_COUNTS)
        return RingStanding(self.store_id, *counts)

    def scrub(self) -> bool:
        """Cut the write-ahead log, which may hold what was destroyed; SQLite only.

        Returns:
            False where somebody is reading just now; the next scrub, or the last to close, does it.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        with closing(self.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            (busy, *_), *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        return not busy

    def close(self) -> None:
        """Close the database, and forget the keys in memory."""
        self._cache.clear()
        self._unlocking.keep_only(())
        self._stock.clear()
        self._index_key = b""
        self._glance.close()
        self.engine.dispose()

    def _rewrapped(self, new_kek: bytes, number: int, after: int) -> list[int]:
        """Wrap one batch of keys anew, in one transaction; return their ids."""
        with writing(self.engine) as connection:
            connection.exec_driver_sql(_LOCK)
            if connection.exec_driver_sql("SELECT kek_no FROM ring").scalar_one() != number:
                raise Locked("another rotation of the key-encryption key has begun")
            rows = connection.exec_driver_sql(_LEFT, (after, number, _BATCH)).all()
            keks = self._unlocking.keks({row[2] for row in rows})
            anew = [
                (wrap(new_kek, unwrap(keks[kek_no], bytes(wrapped))), number, key_id)
                for key_id, wrapped, kek_no in rows
            ]
            if anew:
                connection.exec_driver_sql(_REWRAP, anew)
        return [key_id for key_id, _, _ in rows]


def enter(connection: Connection, kek: bytes, at: datetime) -> int:
    """Put a key-encryption key in use, and return its number."""
    connection.exec_driver_sql(_LOCK)
    name = fingerprint(kek)
    find = "SELECT kek_no FROM kek WHERE fingerprint = ?"
    number: int = connection.exec_driver_sql(find, (name,)).scalar() or 0
    if not number:
        following = "SELECT coalesce(max(kek_no), 0) + 1 FROM kek"
        number = connection.exec_driver_sql(following).scalar_one()
        connection.exec_driver_sql(
            "INSERT INTO kek (kek_no, fingerprint, since) VALUES (?, ?, ?)",
            (number, name, micros(at)),
        )
    connection.exec_driver_sql(_ENTER, (number,))
    return number


def _listed(ids: Iterable[int]) -> str:
    """Return ids as a statement takes them. The index key is nobody's to ask for."""
    return json.dumps([key_id for key_id in ids if key_id > INDEX_KEY])
