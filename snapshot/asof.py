"""States in valid time, from changes newest first. Pure.

A change counts from its vendor time on. Later versions may carry earlier times (a history entry
that we learn late), so this goes field by field: the value at a time is what the newest change up
to that time set, or what the oldest change after it replaced.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crmtrail.model import Change, ChangeSet, Op, Ref, Token, unknown
from crmtrail.ports import Blame, Difference
from snapshot.canonical import same


@dataclass(frozen=True, slots=True)
class Dated:
    """A change with its valid time in microseconds."""

    at: int
    field: str
    old: Token | None
    new: Token | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What a version says of its record's life; ``at`` in microseconds."""

    number: int
    op: Op
    at: int
    deleted: bool


def values_at(newest_first: Iterable[Dated], at: int) -> dict[str, Token | None]:
    """Return the tokens that changed fields had at a time; None for absent."""
    values: dict[str, Token | None] = {}
    settled: set[str] = set()
    for change in newest_first:
        if change.field not in settled:
            reached = change.at <= at
            values[change.field] = change.new if reached else change.old
            if reached:
                settled.add(change.field)
    return values


def rewound(
    fields: Mapping[str, Token], newest_first: Iterable[Dated], at: int
) -> dict[str, Token]:
    """Return the fields that a record had at a time, from those it has now."""
    now = dict(fields)
    for name, token in values_at(newest_first, at).items():
        if token is None:
            now.pop(name, None)
        else:
            now[name] = token
    return now


def mark_at(marks: Sequence[Mark], at: int) -> Mark | None:
    """Return the newest version up to a time; None before anything is known.

    ``marks`` are all versions of the record, oldest first.
    """
    if not marks or marks[0].at > at:
        return None
    return next(mark for mark in reversed(marks) if mark.at <= at)


def compared(
    ref: Ref, marks: Sequence[Mark], newest_first: Sequence[Dated], since: int, until: int
) -> Difference | None:
    """Return how a record differs between two times; None where it does not.

    A baseline tells nothing of the time before it, so the record counts as unchanged until then.

    Args:
        ref: which record.
        marks: all its versions, oldest first.
        newest_first: its changes, back to the first version later than ``since`` at least.
        since: microseconds.
        until: microseconds.
    """
    if marks and marks[0].op is Op.BASELINE:
        since = max(since, marks[0].at)
    before, after = mark_at(marks, since), mark_at(marks, until)
    was_live = before is not None and not before.deleted
    is_live = after is not None and not after.deleted
    if after is None or since >= until or not (was_live or is_live):
        return None
    if not was_live:
        return Difference(ref, Op.CREATE)
    if not is_live:
        return Difference(ref, Op.DELETE)
    old, new = values_at(newest_first, since), values_at(newest_first, until)
    changes = tuple(
        Change(name, old[name], new[name]) for name in sorted(old) if not same(old[name], new[name])
    )
    return Difference(ref, Op.UPDATE, changes) if changes else None


def touches(made: ChangeSet, field_name: str) -> bool:
    """Return whether a version says something of a field."""
    if made.op in {Op.UPDATE, Op.RESTORE}:
        return any(change.field == field_name for change in made.changes)
    return True


def blamed(name: str, token: str, made: ChangeSet) -> Blame:
    """Return the blame of one field; a baseline does not tell who set what."""
    actor = made.actor
    if made.op is Op.BASELINE:
        actor = unknown(f"set before the first sync; the last edit by then was by {actor}")
    return Blame(name, token, made.number, made.at, actor)
