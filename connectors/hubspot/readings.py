"""From HubSpot's records to readings, and from its histories to trails."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from connectors.hubspot.actors import CREATION, Names, Origin, actor_of, creator_of
from connectors.hubspot.schema import MERGED, STAMPS
from connectors.hubspot.shapes import Entry, Number, Thing, when
from crmtrail.model import (
    NULL,
    Actor,
    ActorKind,
    Event,
    Gap,
    Loss,
    Reading,
    Ref,
    Removal,
    Token,
    token_of,
    unknown,
)

BIN_KEEPS = timedelta(days=90)
"""How long HubSpot's recycle bin holds a record (HubSpot knowledge base, 2025-11)."""

_HISTORY_OF_CONTACTS = 45
_HISTORY_OF_OTHERS = 20
_NO_DELETER = "HubSpot does not say who archived a record"
_NO_EDITOR = "the list of records does not say who changed them"
_NO_HISTORY = "HubSpot's history names no value of this record"


def token(raw: msgspec.Raw) -> Token:
    """Return the token of a property's JSON text.

    HubSpot knows one kind of blank: it takes "" to clear and answers null, so both are ``null``
    here. Text is spelled in one way whatever escapes the answer used.
    """
    text = bytes(raw)
    if text in (b"null", b'""'):
        return NULL
    if text.isascii() and b"\\" not in text:
        return text.decode("ascii")
    spelled = text.decode("utf-8")
    return token_of(json.loads(spelled)) if spelled.startswith('"') else spelled


def plain(raw: msgspec.Raw | None) -> str | None:
    """Return the text of a property, None where blank or absent."""
    if raw is None or (spelled := token(raw)) == NULL:
        return None
    return str(json.loads(spelled)) if spelled.startswith('"') else spelled


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
    trail = tuple(_events(thing, names))
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
        creator=creator_of(texts, names),
        trail=trail,
    )


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


def mergers(reading: Reading) -> Iterator[Removal]:
    """Yield a removal for each record that was merged into this one, as its survivor tells."""
    told = reading.fields.get(MERGED, NULL)
    if told == NULL:
        return
    events = sorted((one for one in reading.trail if one.field == MERGED), key=lambda one: one.at)
    for id_ in _ids(told):
        if id_ == reading.ref.id:
            continue
        first = next((one for one in events if id_ in _ids(one.token)), None)
        yield Removal(
            ref=Ref(reading.ref.source, reading.ref.object, id_),
            loss=Loss.MERGED,
            read_at=reading.read_at,
            at=first.at if first else None,
            actor=first.actor if first else unknown("HubSpot does not say who merged it"),
            merged_into=reading.ref.id,
        )


def merged_away(ref: Ref, survivor: Thing, read_at: datetime) -> Removal:
    """Return the removal of a record whose id answers with another one."""
    return Removal(
        ref=ref,
        loss=Loss.MERGED,
        read_at=read_at,
        at=None,
        actor=unknown("HubSpot does not say who merged it"),
        merged_into=str(survivor.id),
    )


def overflows(object_: str, thing: Thing, since: datetime | None) -> Iterator[Gap]:
    """Yield a gap for each property whose history was cut off after ``since``.

    HubSpot keeps the 45 newest values of a contact's property and 20 of any other's.
    """
    most = _HISTORY_OF_CONTACTS if is_contact(object_) else _HISTORY_OF_OTHERS
    for name, entries in (thing.properties_with_history or {}).items():
        if since is None or name in STAMPS or not entries or len(entries) < most:
            continue
        oldest = min((at for entry in entries if (at := when(entry.timestamp))), default=since)
        if oldest > since:
            why = (
                f"HubSpot keeps only the {most} newest values of a property; older values of"
                f" {name} of {object_} {thing.id} since the last poll are lost"
            )
            yield Gap(object_, since, oldest, why)


def is_contact(object_: str) -> bool:
    """Whether an object is HubSpot's contact, under any of its names."""
    return object_.lower() in {"contacts", "contact", "0-1"}


def _events(thing: Thing, names: Names) -> Iterator[Event]:
    known: dict[tuple[object, ...], Actor] = {}  # a record has few authors and many entries
    for name, entries in (thing.properties_with_history or {}).items():
        if name in STAMPS:
            continue
        for entry in entries or ():
            if (at := when(entry.timestamp)) is None:
                continue
            said = (
                entry.source_type,
                entry.source_id,
                entry.source_label,
                entry.updated_by_user_id,
            )
            if (actor := known.get(said)) is None:
                actor = known[said] = actor_of(_origin(entry), names)
            yield Event(name, token(entry.value), at, actor)


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


def _origin(entry: Entry) -> Origin:
    return Origin(
        entry.source_type or "",
        _text(entry.source_id),
        entry.source_label or None,
        _text(entry.updated_by_user_id),
    )


def _text(value: Number | None) -> str | None:
    return None if value in (None, "") else str(value)


def _ids(spelled: Token) -> list[str]:
    text = json.loads(spelled) if spelled.startswith('"') else spelled
    return [part for part in str(text).split(";") if part and part != NULL]
