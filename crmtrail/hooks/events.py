"""What events of HubSpot's webhooks ask for. Pure; no value of theirs is kept."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.hubspot.object_names import ends_of, is_custom, pair_name, standard_name

_CHANGES: Final = frozenset(
    {"creation", "deletion", "merge", "restore", "propertyChange", "associationChange"}
)
_PRIVACY: Final = "privacyDeletion"
_LINK: Final = "associationChange"
_CONTACTS: Final = "contacts"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = 253_402_300_799_999
"""The end of the year 9999 in milliseconds."""

_NAMED: Final = frozenset({"contacts", "companies", "deals", "tickets", "products", "line_items"})
"""The objects whose events bear their own name; all others' are called ``object``."""


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """The part of an event that is looked at; the vendor may send numbers as texts."""

    subscription_type: str = ""
    portal_id: int | str | None = None
    object_id: int | str | None = None
    object_type_id: str | None = None
    association_type: str | None = None
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request of events asks for.

    Attributes:
        objects: the objects to poll.
        custom: type ids of custom objects, of which it is not known here how they are called, and
            whether their associations changed.
        forgotten: contacts that HubSpot deleted for privacy, by id, with the time if it is told.
        counts: how many events were taken, unwatched, unknown or foreign.
    """

    objects: frozenset[str] = frozenset()
    custom: frozenset[tuple[str, bool]] = frozenset()
    forgotten: Mapping[str, datetime | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


def events_of(body: bytes) -> Sequence[Event]:
    """Return the events of a request.

    Raises:
        ValueError: this is no list of events.
    """
    try:
        return msgspec.json.decode(body, type=list[Event])
    except (msgspec.DecodeError, UnicodeDecodeError):
        # What the decoder says may repeat a part of the body.
        raise ValueError("the body is no JSON list of events") from None


def asked(events: Sequence[Event], portal: str | None, kept: Collection[str]) -> Asked:
    """Return what events ask for.

    Args:
        events: what came.
        portal: the portal whose records are kept; None: not known yet.
        kept: the objects that are polled.
    """
    counts: Counter[str] = Counter()
    objects: set[str] = set()
    custom: set[tuple[str, bool]] = set()
    forgotten: dict[str, datetime | None] = {}
    for one in events:
        if portal is not None and str(one.portal_id) != portal:
            counts["foreign"] += 1
            continue
        name, what = _about(one)
        if name is None:
            counts["unknown"] += 1
        elif is_custom(name):
            custom.add((name, what == _LINK))
            counts["taken"] += 1
        else:
            wanted = _wanted(one, name, what, kept)
            objects |= wanted
            counts["taken" if wanted else "unwatched"] += 1
            if what == _PRIVACY and portal is not None and one.object_id is not None:
                forgotten[str(one.object_id)] = _moment(one.occurred_at)
    return Asked(frozenset(objects), frozenset(custom), forgotten, dict(counts))


def polled(name: str, *, linked: bool, kept: Collection[str]) -> frozenset[str]:
    """Return what to poll where an object changed, or where its associations did."""
    if not linked:
        return frozenset({name} & set(kept))
    return frozenset(one for one in kept if name in (ends_of(one) or ()))


def _moment(milliseconds: int | None) -> datetime | None:
    if milliseconds is None or not 0 <= milliseconds <= _LATEST:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _about(event: Event) -> tuple[str | None, str]:
    """Return the object of an event, or None, and what happened to it."""
    subject, _, what = event.subscription_type.partition(".")
    if subject == "object":
        spelled = event.object_type_id or ""
        name = standard_name(spelled) or (spelled if is_custom(spelled) else None)
    else:
        name = standard_name(subject)
        name = name if name in _NAMED else None
    if what == _PRIVACY:
        return (_CONTACTS if name == _CONTACTS else None), what
    return (name if what in _CHANGES else None), what


def _wanted(event: Event, name: str, what: str, kept: Collection[str]) -> frozenset[str]:
    if what != _LINK:
        return polled(name, linked=False, kept=kept)
    ends = [standard_name(one) for one in (event.association_type or "").split("_TO_")]
    match ends:
        case [str(one), str(other)] if name in (one, other):
            return frozenset({pair_name(one, other)} & set(kept))
        case _:  # its label does not tell the other object
            return polled(name, linked=True, kept=kept)
