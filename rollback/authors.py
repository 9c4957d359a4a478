"""Say who changed a field since the plan was made, as far as anybody tells."""

from collections.abc import Callable

from crmtrail.model import Actor, ActorKind, Reading
from crmtrail.ports import Blame, Store
from rollback.meaning import spoken
from rollback.verdict import last_event


class Authors:
    """Names the author of one field's change, never the one who merely edited the record last.

    The vendor's history of the field comes first, then the store, which has just absorbed what
    was read. Our own identity is never named: it may be the record's last editor because of
    another field.

    Args:
        store: who set each field.
        us: gives the id under which the vendor knows us; asked only where it matters.
    """

    def __init__(self, store: Store, us: Callable[[], str]) -> None:
        self._store = store
        self._ask = us

    @property
    def us(self) -> str:
        """The id under which the vendor knows us; empty where it does not tell."""
        return self._ask()

    def changed(self, found: Reading, name: str) -> str:
        """Say who changed a field since, and when."""
        event = last_event(found, name)
        if event is not None:
            by = f" by {event.actor}" if self._named(event.actor) else ""
            return f"changed since{by} at {spoken(event.at)}"
        blame = self._blame(found, name)
        if blame is not None and self._named(blame.actor):
            return f"changed since by {blame.actor} at {spoken(blame.at)}"
        if self._named(found.actor):
            return f"changed since; the record was last edited by {found.actor}"
        return "changed since"

    def _named(self, actor: Actor) -> bool:
        return actor.kind is not ActorKind.UNKNOWN and (not actor.id or actor.id != self.us)

    def _blame(self, found: Reading, name: str) -> Blame | None:
        return next((one for one in self._store.blame(found.ref) if one.field == name), None)
