"""From what is stored and what was read to the versions in between. Pure.

`unfold` takes one record as stored and one `Reading` or `Removal` of it, and returns the
versions that lead from the one to the other, in order. Three rules run through all of it:

* What is older than what is stored is ignored.
* A field that the reading does not have keeps its stored token: absent is never blank.
* Tokens that mean the same are the same; the stored one stays.

What is made for every record of a first load is a tuple: frozen, and quick to make.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import compress, groupby
from operator import ne
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from crmtrail.model import (
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    Event,
    Loss,
    Op,
    Reading,
    Removal,
    Token,
    Tokens,
    stamp,
    token_of,
    unknown,
)
from crmtrail.slices import Slices
from snapshot.awaited import Sent
from snapshot.canonical import document_of, same
from snapshot.packing import joined

TICK: Final = timedelta(seconds=1)
"""The coarsest stamp of a vendor (Salesforce, fact sheet 7.1)."""

_FINGERPRINT: Final = 16

STAMP_ONLY: Final = Actor(ActorKind.SYSTEM, why="the stamp moved without an edit by a user")
COMPUTED: Final = Actor(ActorKind.SYSTEM, name="computed by the CRM")
UNNAMED: Final = unknown("the vendor's history does not name it")
NO_CREATOR: Final = unknown("the vendor does not tell who created it")


class Past(NamedTuple):
    """A record as stored.

    ``fields`` need only be there where a reading's fingerprint differs from ``seen``, that of the
    last one. ``history_to`` is the newest entry of the vendor's field history already folded in.
    ``operation`` is that of the newest version.
    """

    number: int
    fields: Tokens
    modified_at: datetime
    edited_at: datetime
    known_at: datetime
    deleted: bool = False
    history_to: datetime | None = None
    operation: str | None = None
    seen: bytes = b""


class Draft(NamedTuple):
    """One version to store: what changed, and the record after it.

    ``fields`` and ``stamps`` are None where only the record's life changed; ``note`` is the JSON
    of what a removal told.
    """

    change_set: ChangeSet
    fields: Tokens | None
    stamps: Tokens | None
    deleted: bool
    note: str | None = None


class Unfolded(NamedTuple):
    """The versions to store, and the record after them.

    ``past`` is the very object given where nothing at all is to be stored. ``seen`` gives the
    version number in which each of our own steps showed up.
    """

    past: Past | None
    drafts: tuple[Draft, ...] = ()
    seen: Mapping[tuple[str, int], int] = MappingProxyType({})


_Edit: TypeAlias = tuple[tuple[Change, ...], Actor, datetime]
"""Changes made together, by whom and when."""


def unfold(
    past: Past | None,
    found: Reading | Removal,
    *,
    horizon: datetime | None,
    sent: Sequence[Sent] = (),
    read_back: bool = False,
) -> Unfolded:
    """Return the versions that lead from a stored record to what was found.

    Args:
        past: the record as stored; None where it is not known.
        found: what the vendor said of it.
        horizon: everything before this moment was read by an earlier run; a record created
            later is new, any other first sight is a baseline. None: no run was ever completed.
        sent: steps of ours for this record whose effect was not seen yet.
        read_back: whether it was read right before or after our own write, so that what moved
            along with it followed from it. With the vendor's history that is known anyway.
    """
    if isinstance(found, Removal):
        return _removed(past, found)
    if past is None:
        return _first_sight(found, horizon)
    if _stale(past, found):
        return Unfolded(past)
    return _read(past, found, sent, followed=read_back or bool(found.trail))


def fingerprint(found: Reading) -> bytes:
    """Return 16 bytes that tell what a reading says of the record's fields."""
    fields = found.fields
    if not isinstance(fields, Slices):
        return _digest(tuple(fields), joined(fields))
    if fields.seen is None:
        fields.seen = _digest(fields.names, fields.text)
    return fields.seen


def _digest(names: tuple[str, ...], text: bytes) -> bytes:
    return sha256(_names_digest(names) + text).digest()[:_FINGERPRINT]


@lru_cache(maxsize=4096)
def _names_digest(names: tuple[str, ...]) -> bytes:
    return sha256(repr(names).encode()).digest()


def _stale(past: Past, found: Reading) -> bool:
    if found.modified_at < past.modified_at:
        return True
    if past.deleted and not found.deleted:
        return found.read_at <= past.known_at  # it may have been read before it was deleted
    return found.modified_at == past.modified_at and found.read_at < past.known_at


def is_new(found: Reading, horizon: datetime | None) -> bool:
    """Return whether a record seen for the first time was made since the last complete run."""
    created = found.created_at
    return horizon is not None and created is not None and created > horizon and not found.deleted


def _first_sight(found: Reading, horizon: datetime | None) -> Unfolded:
    if is_new(found, horizon) and found.created_at is not None:
        op, at, actor = Op.CREATE, found.created_at, found.creator or NO_CREATOR
    else:
        op, at, actor = Op.BASELINE, found.modified_at, found.actor
    past = Past(
        number=1,
        fields=found.fields,
        modified_at=found.modified_at,
        edited_at=found.edited_at,
        known_at=found.read_at,
        deleted=found.deleted,
        history_to=newest(None, found.trail),
        seen=fingerprint(found),
    )
    change_set = ChangeSet(found.ref, op, 1, (), actor, at, found.read_at)
    return Unfolded(past, (Draft(change_set, found.fields, found.stamps, found.deleted),))


def _removed(past: Past | None, found: Removal) -> Unfolded:
    if past is None or found.read_at < past.known_at:
        return Unfolded(past)
    if past.deleted:
        return Unfolded(past._replace(known_at=found.read_at))
    change_set = ChangeSet(
        found.ref,
        Op.MERGE if found.loss is Loss.MERGED else Op.DELETE,
        past.number + 1,
        (),
        found.actor,
        found.at or found.read_at,
        found.read_at,
        previous_operation=past.operation,
    )
    after = past._replace(number=past.number + 1, known_at=found.read_at, deleted=True)
    note = document_of(_loss(found))
    return Unfolded(after, (Draft(change_set, None, None, deleted=True, note=note),))


def _loss(found: Removal) -> dict[str, Token]:
    """Return what a removal told."""
    told = {"loss": token_of(found.loss.value)}
    if found.merged_into is not None:
        told["merged_into"] = token_of(found.merged_into)
    if found.restorable_until is not None:
        told["restorable_until"] = token_of(stamp(found.restorable_until))
    return told


def _read(past: Past, found: Reading, sent: Sequence[Sent], *, followed: bool) -> Unfolded:
    edits: list[_Edit] = []
    tokens: dict[str, Token] = {}
    seen = fingerprint(found)
    if says_more(past, found, seen):
        tokens = dict(past.fields)
        edits = _by_trail(past, tokens, found) if found.trail else _by_stamps(past, tokens, found)
    versions, ours = _ops(edits, past, found, sent, followed=followed)
    drafts = _drafts(versions, past, tokens, found)
    after = Past(
        number=past.number + len(drafts),
        fields=tokens or past.fields,
        modified_at=found.modified_at,
        edited_at=found.edited_at,
        known_at=max(found.read_at, past.known_at),
        deleted=found.deleted,
        history_to=newest(past.history_to, found.trail) if found.trail else past.history_to,
        operation=past.operation,
        seen=seen,
    )
    return Unfolded(after, tuple(drafts), ours)


def says_more(past: Past, found: Reading, seen: bytes) -> bool:
    """Return whether a reading may hold what the last one did not: other values, or history."""
    if seen != past.seen:
        return True
    since = max(past.modified_at, past.history_to or past.modified_at)
    return any(event.at > since for event in found.trail)


def _drafts(
    versions: Sequence["_Version"], past: Past, tokens: dict[str, Token], found: Reading
) -> list[Draft]:
    """Number the versions and tell the record after each; ``tokens`` move along."""
    drafts: list[Draft] = []
    for offset, (op, changes, actor, at, plan) in enumerate(versions, start=1):
        tokens.update((c.field, c.new) for c in changes if c.new is not None)
        change_set = ChangeSet(
            found.ref,
            op,
            past.number + offset,
            changes,
            actor,
            at,
            found.read_at,
            previous_operation=past.operation if offset == 1 else None,
            transaction=plan,
            since=past.known_at if changes and (not found.trail or actor is UNNAMED) else None,
        )
        last = offset == len(versions)
        gone = found.deleted if last else past.deleted
        state = (tokens if last else dict(tokens)) if changes else None
        drafts.append(Draft(change_set, state, found.stamps if state else None, gone))
    return drafts


def _changes(tokens: Tokens, to: Tokens) -> tuple[Change, ...]:
    """Return how fields have to change, sorted by field."""
    was, names, values = tokens.get, to.keys(), to.values()
    differing = [*compress(zip(names, values, strict=True), map(ne, map(was, names), values))]
    if len(differing) > 1:
        differing.sort()
    return tuple(
        [Change(name, was(name), token) for name, token in differing if not same(was(name), token)]
    )


def _by_stamps(past: Past, tokens: Tokens, found: Reading) -> list[_Edit]:
    """Without the vendor's history: one change set, ascribed by which stamp moved."""
    changes = _changes(tokens, found.fields)
    return [(changes, *_author(past, found))] if changes else []


def _author(past: Past, found: Reading) -> tuple[Actor, datetime]:
    # A stamp of whole seconds does not move for a second edit within its second: if we last
    # looked while it was still running, the edit came after our look.
    running = found.edited_at == found.modified_at and past.known_at < found.edited_at + TICK
    if found.edited_at != past.edited_at or running:
        return found.actor, found.edited_at
    if found.modified_at != past.modified_at:
        return STAMP_ONLY, found.modified_at
    return COMPUTED, found.read_at


def _by_trail(past: Past, tokens: Tokens, found: Reading) -> list[_Edit]:
    """With the vendor's history: one change set for each (time, actor), then the remainder."""
    since = max(past.modified_at, past.history_to or past.modified_at)
    running = dict(tokens)
    edits: list[_Edit] = []
    for (at, actor), events in groupby(_events(since, tokens, found), key=_group):
        changes = _changes(running, {event.field: event.token for event in events})
        if changes:
            edits.append((changes, actor, at))
            running.update((c.field, c.new) for c in changes if c.new is not None)
    rest = _changes(running, found.fields)
    if rest:
        edits.append((rest, UNNAMED, found.modified_at))
    return edits


def _events(since: datetime, tokens: Tokens, found: Reading) -> list[Event]:
    """Return the events to replay, in time order; those of one time and actor together."""
    known = [event for event in found.trail if event.field in found.fields]
    chosen = [event for event in known if event.at > since]
    told = {event.field for event in chosen}
    late: dict[str, Event] = {}
    for event in known:
        newest = late.get(event.field)
        if event.field not in told and (newest is None or event.at >= newest.at):
            late[event.field] = event
    for name, event in late.items():
        now = found.fields[name]
        if same(event.token, now) and not same(tokens.get(name), now):
            chosen.append(event)
    return sorted(chosen, key=_place)


def _group(event: Event) -> tuple[datetime, Actor]:
    return event.at, event.actor


def _place(event: Event) -> tuple[datetime, str, str, str]:
    actor = event.actor
    return event.at, actor.kind, actor.id or "", f"{actor.name}\n{actor.via}\n{actor.why}"


def newest(history_to: datetime | None, trail: Iterable[Event]) -> datetime | None:
    """Return the time of the newest entry of the vendor's field history folded in so far."""
    moments = [event.at for event in trail]
    if history_to is not None:
        moments.append(history_to)
    return max(moments, default=None)


_Version: TypeAlias = tuple[Op, tuple[Change, ...], Actor, datetime, str | None]


def _ops(
    edits: Sequence[_Edit], past: Past, found: Reading, sent: Sequence[Sent], *, followed: bool
) -> tuple[list[_Version], Mapping[tuple[str, int], int]]:
    """Name what each edit did, set our own restores apart, and add what is no edit."""
    versions: list[_Version] = []
    seen: dict[tuple[str, int], int] = {}
    for changes, actor, at in edits:
        ours, rest = _set_apart(changes, at, sent)
        if rest:
            # What followed from our write (workflows, formulas) is laid to it and never alarms.
            cause = ours[0][0].plan if ours and followed else None
            versions.append((Op.UPDATE, rest, actor, at, cause))
        for step, restored in ours:
            versions.append((Op.RESTORE, restored, actor, at, step.plan))
            seen[step.plan, step.no] = past.number + len(versions)
    if past.deleted and not found.deleted:
        if versions and versions[-1][0] is Op.UPDATE:
            versions[-1] = (Op.UNDELETE, *versions[-1][1:])
        else:
            versions.append((Op.UNDELETE, (), *_author(past, found), None))
    if found.deleted and not past.deleted:
        versions.append((Op.DELETE, (), *_author(past, found), None))
    return versions, seen


def _set_apart(
    changes: tuple[Change, ...], at: datetime, sent: Sequence[Sent]
) -> tuple[list[tuple[Sent, tuple[Change, ...]]], tuple[Change, ...]]:
    """Return what each of our steps wrote, and the changes that none of them explains."""
    ours = []
    for step in sent:
        restored = tuple(change for change in changes if step.explains(change, at))
        if restored:
            changes = tuple(change for change in changes if change not in restored)
            ours.append((step, restored))
    return ours, changes
