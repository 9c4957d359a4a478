"""What the connectors of one process share, such as a login."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Sessions:
    """One object for each identity, made by whichever connector asks first.

    Without it every connector, and so every thread, would log in once more. Safe to share between
    threads. A connector that wants it takes it as ``sessions``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, Any] = {}

    def of(self, identity: Hashable, make: Callable[[], T]) -> T:
        """Return what is shared by an identity, making it if nobody has asked for it yet."""
        with self._lock:
            if identity not in self._kept:
                self._kept[identity] = make()
            found: T = self._kept[identity]
            return found
