"""The keys that were unwrapped last, in memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

LIMIT: Final = 65_536
"""How many keys are held: about 10 MB."""


class KeyCache:
    """At most ``limit`` keys, those used last, of one generation of the key store."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._generation = -1
        self._keys: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, ids: Iterable[int], generation: int) -> dict[int, bytes]:
        """Return the keys that are held, unless a key was destroyed since they were put here."""
        with self._lock:
            if generation != self._generation:
                self._keys.clear()
                self._generation = generation
                return {}
            keys = self._keys
            found = {key_id: keys[key_id] for key_id in ids if key_id in keys}
            for key_id in found:
                keys.move_to_end(key_id)
            return found

    def put(self, keys: Mapping[int, bytes], generation: int) -> None:
        """Hold keys as they were in one generation; of an earlier one they are not held."""
        with self._lock:
            if generation > self._generation:
                self._keys.clear()
                self._generation = generation
            if generation == self._generation:
                self._keys.update(keys)
                while len(self._keys) > self._limit:
                    self._keys.popitem(last=False)

    def clear(self) -> None:
        """Forget every key."""
        with self._lock:
            self._keys.clear()
