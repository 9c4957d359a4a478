"""Contacts that HubSpot said, unasked, were deleted for privacy: its webhooks tell of them.

Such a word is a second source, never the first: it counts only where the record cannot be found.
"""

import threading
from collections.abc import Mapping
from datetime import datetime

from crmtrail.sessions import Sessions


class Hearsay:
    """What was heard of one source. Shared by the connectors of a process, and lost with it.

    What is lost so is found by the next sweep, from the log of security or as vanished.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[str, datetime | None] = {}

    def tell(self, deletions: Mapping[str, datetime | None]) -> None:
        """Take contacts that were deleted for privacy, and when if that was told."""
        with self._lock:
            self._told |= deletions

    def among(self, ids: list[str]) -> dict[str, datetime | None]:
        """Return those of some contacts that were heard of."""
        with self._lock:
            return {id_: self._told[id_] for id_ in ids if id_ in self._told}


def hearsay_of(sessions: Sessions, source: str) -> Hearsay:
    """Return what was heard of a source in this process."""
    return sessions.of(("hubspot", source, "hearsay"), Hearsay)
