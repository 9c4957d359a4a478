"""What may be forgotten of a store, what must be, and what must not: over one configuration."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from crmtrail.config import Config
from crmtrail.errors import CrmtrailError
from crmtrail.ledger import Ledger
from crmtrail.ports import Clock
from snapshot import demands
from snapshot.certificate import Certificate, certificate_of
from snapshot.erasing import Forgetting
from snapshot.holding import Holds
from snapshot.retaining import Retention
from snapshot.store import SqlStore


@dataclass(frozen=True, slots=True)
class Privacy:
    """What `crmtrail.app.App` gives out to erase, hold and retain. The store must exist."""

    config: Config
    store: SqlStore
    clock: Clock
    ledger: Ledger

    @property
    def forgetting(self) -> Forgetting:
        """Erasures."""
        return Forgetting(self.store.engine, self.store.shelf, self.clock)

    @property
    def holds(self) -> Holds:
        """What must not be forgotten."""
        return Holds(self.store.engine, self.store.shelf.vault, self.clock)

    @property
    def retention(self) -> Retention:
        """The rules of the config that say how long values are kept."""
        rules = self.config.retention
        return Retention(self.store.engine, self.store.shelf, self.clock, rules)

    def waiting(self) -> Sequence[demands.Demand]:
        """Return whom a vendor deleted for privacy and who is not erased here."""
        return demands.waiting(self.store.engine)

    def follow_vendor(self, source: str, *, by: str) -> int:
        """Erase whom a vendor deleted for privacy, if the config says so; return how many.

        Who is on hold, or cannot be erased now, waits: `waiting` tells, and the log why.
        """
        if self.config.privacy.vendor_deletions != "erase":
            return 0
        count = 0
        for one in demands.waiting(self.store.engine, source):
            why = f"{source} deleted this person for privacy"
            try:
                self.forgetting.erase(str(one.ref), why=why, by=by, anew=False)
            except CrmtrailError as error:
                log = structlog.get_logger()
                log.warning("erasure waits", object=one.ref.object, why=str(error))
            else:
                count += 1
        return count

    def certificate(self, leaf: int) -> Certificate:
        """Return the certificate of an erasure by its entry; see `certificate_of`."""
        return certificate_of(self.store.engine, self.ledger.evidence, leaf)
