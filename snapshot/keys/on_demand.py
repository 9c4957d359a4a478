"""The keys of a store, opened when the first of them is needed: most commands need none."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from snapshot.keys.port import Keys


class KeysOnDemand:
    """`snapshot.keys.port.Keys` that open themselves at first use.

    So what reads no sealed value works without the key store, and whatever is wrong with it is
    told by the first that does. Threads may share it.

    Args:
        open_: opens the keys, or says why that cannot be; called until it has done so once.
    """

    def __init__(self, open_: Callable[[], Keys]) -> None:
        self._open = open_
        self._keys: Keys | None = None
        self._lock = threading.Lock()

    def opened(self) -> Keys:
        """Return the keys themselves.

        Raises:
            CrmtrailError: whatever opening them raises.
        """
        with self._lock:
            if self._keys is None:
                self._keys = self._open()
            return self._keys

    @property
    def store_id(self) -> str | None:
        """The id of the store that these keys belong to; None before `bind`."""
        return self.opened().store_id

    def bind(self, store_id: str) -> None:
        """Tie the keys to one store; see `snapshot.keys.port.Keys.bind`."""
        self.opened().bind(store_id)

    def make(self, count: int) -> Sequence[tuple[int, bytes]]:
        """Return new random keys; see `snapshot.keys.port.Keys.make`."""
        return self.opened().make(count)

    def fetch(self, ids: Iterable[int]) -> Mapping[int, bytes | None]:
        """Return keys; see `snapshot.keys.port.Keys.fetch`."""
        return self.opened().fetch(ids)

    def stands(self, key_id: int) -> bool:
        """Return whether a key is there; see `snapshot.keys.port.Keys.stands`."""
        return self.opened().stands(key_id)

    def destroy(self, ids: Iterable[int], at: datetime) -> int:
        """Forget keys; see `snapshot.keys.port.Keys.destroy`."""
        return self.opened().destroy(ids, at)

    def destroyed(self) -> Mapping[int, datetime]:
        """Return which keys were destroyed, and when."""
        return self.opened().destroyed()

    def blind(self, text: str) -> bytes:
        """Return what stands for an address; see `snapshot.keys.port.Keys.blind`."""
        return self.opened().blind(text)

    def close(self) -> None:
        """Close the keys, if they were opened. They open again when they are needed again."""
        with self._lock:
            if self._keys is not None:
                self._keys.close()
                self._keys = None
