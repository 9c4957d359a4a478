"""The keys of a store in memory: a second implementation of the port, without any file."""

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from crmtrail.errors import Mistake
from snapshot.keys.port import KEY_BYTES, another_store, blinded, never_here


class MemoryKeyring:
    """Keys that are gone with the process. Nothing wraps them."""

    def __init__(self) -> None:
        self._keys: dict[int, bytes | None] = {}
        self._destroyed: dict[int, datetime] = {}
        self._index_key = secrets.token_bytes(KEY_BYTES)
        self._store_id: str | None = None
        self._lock = threading.Lock()

    @property
    def store_id(self) -> str | None:
        """The id of the store that these keys belong to; None before `bind`."""
        return self._store_id

    def bind(self, store_id: str) -> None:
        """Tie the keys to one store; see `snapshot.keys.port.Keys.bind`."""
        with self._lock:
            if self._store_id not in {None, store_id}:
                raise Mistake(another_store())
            self._store_id = store_id

    def make(self, count: int) -> Sequence[tuple[int, bytes]]:
        """Return new random keys; see `snapshot.keys.port.Keys.make`."""
        with self._lock:
            first = len(self._keys) + 1
            made = [(first + place, secrets.token_bytes(KEY_BYTES)) for place in range(count)]
            self._keys.update(made)
            return made

    def fetch(self, ids: Iterable[int]) -> Mapping[int, bytes | None]:
        """Return keys; see `snapshot.keys.port.Keys.fetch`."""
        wanted = set(ids)
        with self._lock:
            self._require(wanted)
            return {key_id: self._keys[key_id] for key_id in wanted}

    def stands(self, key_id: int) -> bool:
        """Return whether a key is there; see `snapshot.keys.port.Keys.stands`."""
        return self.fetch((key_id,))[key_id] is not None

    def destroy(self, ids: Iterable[int], at: datetime) -> int:
        """Forget keys; see `snapshot.keys.port.Keys.destroy`."""
        wanted = set(ids)
        with self._lock:
            self._require(wanted)
            left = [key_id for key_id in wanted if self._keys[key_id] is not None]
            self._keys.update(dict.fromkeys(left))
            self._destroyed.update(dict.fromkeys(left, at))
            return len(left)

    def destroyed(self) -> Mapping[int, datetime]:
        """Return which keys were destroyed, and when."""
        with self._lock:
            return dict(self._destroyed)

    def blind(self, text: str) -> bytes:
        """Return what stands for an address; see `snapshot.keys.port.Keys.blind`."""
        return blinded(self._index_key, text)

    def close(self) -> None:
        """Do nothing: the keys live as long as this object."""

    def _require(self, wanted: set[int]) -> None:
        missing = sum(key_id not in self._keys for key_id in wanted)
        if missing:
            raise never_here(missing)
