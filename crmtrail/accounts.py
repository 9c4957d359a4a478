"""Which account (org or portal) the history of a source was read from, as the ledger has it.

It is noted by the first sync and holds for good: records of two accounts share no ids, and what
was read from one must never be written into another.
"""

import threading
from typing import Final

from crmtrail.errors import CrmtrailError, PlanUnfit
from crmtrail.ports import Clock, Connector, Store

ACCOUNT: Final = "account"
"""The kind of the entry."""

_PAGE: Final = 100


def account_of(store: Store, source: str) -> str | None:
    """Return the account that a source was read from; None where none was ever noted."""
    cursor: str | None = None
    while True:
        found, cursor = store.deeds([ACCOUNT], limit=_PAGE, cursor=cursor)
        for deed in found:
            if deed.entry.get("source") == source:
                return str(deed.entry["account"])
        if cursor is None:
            return None


def agreed(source: str, noted: str | None, told: str) -> str | None:
    """Return the account that a restore has to go to.

    Args:
        source: the source's name.
        noted: what its history was read from, where known.
        told: what the credentials that read open now; empty where the vendor does not tell.

    Raises:
        PlanUnfit: they are not the same.
    """
    if noted and told and noted != told:
        raise PlanUnfit(
            f"the history of {source} was read from account {noted}, but its credentials open "
            f"{told}: nothing is written there",
            hint=f"mend auth of {source} in the config; another account is a source of its own",
        )
    return noted or told or None


class Accounts:
    """Notes the account of each source once. Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: set[str] = set()

    def note(self, store: Store, connector: Connector) -> None:
        """Note the account behind a connector, unless that of its source is known.

        A vendor that does not tell it now is asked again after the next sync.
        """
        source = connector.source
        with self._lock:
            if source in self._noted:
                return
            if account_of(store, source) is None:
                try:
                    who = connector.identity()
                except CrmtrailError:
                    return
                if not who.account:
                    return
                entry = {"source": source, "account": who.account, "name": who.name}
                store.seal(ACCOUNT, entry, self._clock.now())
            self._noted.add(source)
