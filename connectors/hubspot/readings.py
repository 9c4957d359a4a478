"""From HubSpot's records to readings and removals. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from connectors.hubspot.actors import CREATION, Names, creator_of
from connectors.hubspot.history import events_of
from connectors.hubspot.schema import STAMPS
from connectors.hubspot.shapes import Thing
from connectors.hubspot.values import plain, token
from crmtrail.model import Actor, ActorKind, Event, Loss, Reading, Ref, Removal, unknown

__all__ = ["plain", "reading_of", "removal_of", "token"]

BIN_KEEPS = timedelta(days=90)
"""How long HubSpot's recycle bin holds a record (HubSpot knowledge base, 2025-11)."""

_NO_DELETER = "HubSpot does not say who archived a record"
_NO_EDITOR = "the list of records does not say who changed them"
_NO_HISTORY = "HubSpot's history names no value of this record"


def reading_of(ref: Ref, thing: Thing, read_at: datetime, names: Names) -> Reading:
    """Return a live record.

    With a history, actor and ``edited_at`` are those of its newest entry that is not HubSpot's
    own arithmetic. Without one, nobody is named.

    Raises:
        ValueError: the record has no modified stamp.
    """
    properties = thing.properties
    fields = {name: token(raw) for name, raw in properties.items()}
    stamps = {name: fields.pop(name) for name in STAMPS & fields.keys()}
    modified = thing.updated_at
    if modified is None:
        raise ValueError(f"{ref} came without updatedAt")
    trail = events_of(ref.object, thing, names)
    editor, edited = _last_edit(thing, trail, modified)
    texts = {name: plain(properties[name]) for name in CREATION if name in properties}
    return Reading(
        ref=ref,
        fields=fields,
        stamps=stamps,
        modified_at=modified,
        edited_at=edited,
        actor=editor,
        # The Date header counts whole seconds; nothing is read before it was changed.
        read_at=max(read_at, modified),
        created_at=thing.created_at,
        creator=_maker(creator_of(texts, names), texts, trail, thing.created_at),
        trail=trail,
    )


def _maker(
    told: Actor,
    texts: Mapping[str, str | None],
    trail: tuple[Event, ...],
    created: datetime | None,
) -> Actor:
    """Return who created a record: its first values name them where its source does not.

    Only entries of the very source that the record names count, and only if they agree: anything
    else would be a guess.
    """
    source = texts.get("hs_object_source")
    if told.id is not None or created is None or not source:
        return told
    words = f"sourceType {source}"
    born = {
        event.actor
        for event in trail
        if event.at == created
        and event.actor.id is not None
        and words in (event.actor.why or "").split(", ")
    }
    return born.pop() if len(born) == 1 else told


def removal_of(ref: Ref, thing: Thing, read_at: datetime) -> Removal:
    """Return the removal that a record of the recycle bin stands for."""
    at = thing.archived_at
    return Removal(
        ref=ref,
        loss=Loss.DELETED,
        read_at=max(read_at, at) if at else read_at,
        at=at,
        actor=unknown(_NO_DELETER),
        restorable_until=at + BIN_KEEPS if at else None,
    )


def _last_edit(
    thing: Thing, trail: tuple[Event, ...], modified: datetime
) -> tuple[Actor, datetime]:
    if thing.properties_with_history is None:
        return unknown(_NO_EDITOR), modified
    edits = [event for event in trail if event.actor.kind is not ActorKind.SYSTEM] or trail
    if not edits:
        return unknown(_NO_HISTORY), modified
    last = max(edits, key=lambda event: event.at)
    return last.actor, last.at
