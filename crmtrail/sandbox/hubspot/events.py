"""What happened to a record, as both event feeds tell it: webhooks and the webhooks journal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmtrail.sandbox.hubspot.object_types import ObjectType
from crmtrail.sandbox.hubspot.records import Origin, Record

Changes = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    ``what`` is creation, deletion, merge, restore, propertyChange, associationChange or
    privacyDeletion; ``more`` is what only this sort of event says.
    """

    what: str
    kind: ObjectType
    id: int
    at: int
    origin: Origin
    changes: Changes = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]
_WORDS = {
    "create": "creation",
    "update": "propertyChange",
    "delete": "deletion",
    "restore": "restore",
    "gdpr_delete": "privacyDeletion",
}


class Events:
    """Tells every listener of each change. It keeps nothing itself."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call a listener for every event to come."""
        self._listeners.append(listener)

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    def changed(self, record: Record, op: str, after: Changes, origin: Origin, at: int) -> None:
        """Tell what one journal entry says; a merge is told by `merged` instead."""
        if what := _WORDS.get(op):
            changes = after if op in ("create", "update") else {}
            self._tell(Event(what, record.kind, record.id, at, origin, changes))

    def merged(
        self, survivor: Record, primary: int, others: Sequence[int], origin: Origin, moved: int
    ) -> None:
        """Tell of a merge."""
        more = {
            "primaryObjectId": primary,
            "mergedObjectIds": list(others),
            "newObjectId": survivor.id,
            "numberOfPropertiesMoved": moved,
        }
        at = survivor.modified
        self._tell(Event("merge", survivor.kind, primary, at, origin, more=more))

    def associated(
        self, one: Record, other: Record, origin: Origin, at: int, *, removed: bool, primary: bool
    ) -> None:
        """Tell of an association made or taken away, from both ends."""
        for from_, to in ((one, other), (other, one)):
            more = {
                "associationType": f"{from_.kind.label}_TO_{to.kind.label}",
                "fromObjectId": from_.id,
                "toObjectId": to.id,
                "toObjectTypeId": to.kind.type_id,
                "associationRemoved": removed,
                "isPrimaryAssociation": primary,
            }
            self._tell(Event("associationChange", from_.kind, from_.id, at, origin, more=more))
