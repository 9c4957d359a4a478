"""From what is stored and what was read to the versions in between. Pure.

`unfold` takes one record as stored and one `Reading` or `Removal` of it, and returns the
versions that lead from the one to the other, in order. Three rules run through all of it:

* What is older than what is stored is ignored.
* A field that the reading does not have keeps its stored token: absent is never blank.
* Tokens that mean the same are the same; the stored one stays.

"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

from crmtrail.model import (
    Actor,
    Change,
    ChangeSet,
    Loss,
    Op,
    Reading,
    Removal,
    Token,
    Tokens,
    stamp,
    token_of,
)
from crmtrail.slices import Slices
from snapshot.awaited import Sent
from snapshot.canonical import document_of
from snapshot.drafts import NO_CREATOR, Draft, Edit, Past, Unfolded, author_of, changes_between
from snapshot.packing import joined
from snapshot.trails import backwards, forwards, newest

_FINGERPRINT: Final = 16


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
        return _removed(past, found, sent)
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
    """Return whether a record seen for the first time was made since the last complete run.

    One without times was not there when everything was last seen; more than that nobody tells.
    """
    if horizon is None or found.deleted:
        return False
    created = found.created_at
    return found.undated if created is None else created > horizon


def _first_sight(found: Reading, horizon: datetime | None) -> Unfolded:
    seen = fingerprint(found)
    past = Past(
        number=1,
        fields=found.fields,
        modified_at=found.modified_at,
        edited_at=found.edited_at,
        known_at=found.read_at,
        deleted=found.deleted,
        history_to=newest(None, found.trail),
        seen=seen,
    )
    new = is_new(found, horizon)
    if found.trail and (drafts := backwards(found, new=new)):
        return Unfolded(past._replace(number=len(drafts)), drafts)
    since: datetime | None = None
    if new and found.created_at is not None:
        op, at, actor = Op.CREATE, found.created_at, found.creator or NO_CREATOR
    elif new:
        op, at, actor, since = Op.CREATE, found.modified_at, found.actor, horizon
    else:
        op, at, actor = Op.BASELINE, found.modified_at, found.actor
    change_set = ChangeSet(found.ref, op, 1, (), actor, at, found.read_at, since=since)
    return Unfolded(past, (Draft(change_set, found.fields, found.stamps, found.deleted),))


def _removed(past: Past | None, found: Removal, sent: Sequence[Sent]) -> Unfolded:
    if past is None or found.read_at < past.known_at:
        return Unfolded(past)
    if past.deleted:
        return Unfolded(past._replace(known_at=found.read_at))
    before = _before_removal(past, found, sent)
    number = past.number + len(before.drafts) + 1
    change_set = ChangeSet(
        found.ref,
        Op.MERGE if found.loss is Loss.MERGED else Op.DELETE,
        number,
        (),
        found.actor,
        found.at or found.read_at,
        found.read_at,
        previous_operation=None if before.drafts else past.operation,
    )
    reached = before.past or past
    after = reached._replace(number=number, known_at=found.read_at, deleted=True)
    note = document_of(_loss(found))
    gone = Draft(change_set, None, None, deleted=True, note=note)
    return Unfolded(after, (*before.drafts, gone), before.seen)


def _before_removal(past: Past, found: Removal, sent: Sequence[Sent]) -> Unfolded:
    """Return what happened to a record between our last look and its deletion.

    The vendor's history names authors. The last editor in the bin is who deleted the record: what
    no history tells is laid to nobody.
    """
    last = found.last
    if last is None:
        return Unfolded(past)
    alive = replace(last, deleted=False, trail_whole=True)
    tokens = dict(past.fields)
    edits = forwards(past, tokens, alive)
    versions, ours = _ops(edits, past, alive, sent, followed=False)
    drafts = _drafts(versions, past, tokens, alive)
    reached = past._replace(fields=tokens, history_to=newest(past.history_to, last.trail), seen=b"")
    return Unfolded(reached, tuple(drafts), ours)


def _loss(found: Removal) -> dict[str, Token]:
    """Return what a removal told."""
    told = {"loss": token_of(found.loss.value)}
    if found.merged_into is not None:
        told["merged_into"] = token_of(found.merged_into)
    if found.restorable_until is not None:
        told["restorable_until"] = token_of(stamp(found.restorable_until))
    return told


def _read(past: Past, found: Reading, sent: Sequence[Sent], *, followed: bool) -> Unfolded:
    edits: list[Edit] = []
    tokens: dict[str, Token] = {}
    seen = fingerprint(found)
    if says_more(past, found, seen):
        tokens = dict(past.fields)
        edits = forwards(past, tokens, found) if found.trail else _by_stamps(past, tokens, found)
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
    for offset, (op, changes, actor, at, plan, coalesced) in enumerate(versions, start=1):
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
            since=past.known_at if coalesced else None,
        )
        last = offset == len(versions)
        gone = found.deleted if last else past.deleted
        state = (tokens if last else dict(tokens)) if changes else None
        drafts.append(Draft(change_set, state, found.stamps if state else None, gone))
    return drafts


def _by_stamps(past: Past, tokens: Tokens, found: Reading) -> list[Edit]:
    """Without the vendor's history: one change set, ascribed by which stamp moved."""
    changes = changes_between(tokens, found.fields)
    return [(changes, *author_of(past, found), True)] if changes else []


_Version: TypeAlias = tuple[Op, tuple[Change, ...], Actor, datetime, str | None, bool]


def _ops(
    edits: Sequence[Edit], past: Past, found: Reading, sent: Sequence[Sent], *, followed: bool
) -> tuple[list[_Version], Mapping[tuple[str, int], int]]:
    """Name what each edit did, set our own restores apart, and add what is no edit."""
    versions: list[_Version] = []
    seen: dict[tuple[str, int], int] = {}
    for changes, actor, at, coalesced in edits:
        ours, rest = _set_apart(changes, at, sent)
        if rest:
            # What followed from our write (workflows, formulas) is laid to it and never alarms.
            cause = ours[0][0].plan if ours and followed else None
            versions.append((Op.UPDATE, rest, actor, at, cause, coalesced))
        for step, restored in ours:
            versions.append((Op.RESTORE, restored, actor, at, step.plan, coalesced))
            seen[step.plan, step.no] = past.number + len(versions)
    if past.deleted and not found.deleted:
        if versions and versions[-1][0] is Op.UPDATE:
            versions[-1] = (Op.UNDELETE, *versions[-1][1:])
        else:
            versions.append((Op.UNDELETE, (), *author_of(past, found), None, False))
    if found.deleted and not past.deleted:
        versions.append((Op.DELETE, (), *author_of(past, found), None, False))
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
