"""What may be forgotten of a store, what must be, and what must not: over one configuration."""

from dataclasses import dataclass

from crmtrail.config import Config
from crmtrail.ledger import Ledger
from crmtrail.ports import Clock
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

    def certificate(self, leaf: int) -> Certificate:
        """Return the certificate of an erasure by its entry; see `certificate_of`."""
        return certificate_of(self.store.engine, self.ledger.evidence, leaf)
