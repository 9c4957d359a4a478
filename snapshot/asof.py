"""States in valid time, from changes newest first. Pure.

A change counts from its vendor time on. Later versions may carry earlier times (a history entry
that we learn late), so this goes field by field: the value at a time is what the newest change up
to that time set, or what the oldest change after it replaced.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from crmtrail.model import Change, ChangeSet, Op, Ref, Token, unknown
from crmtrail.ports import Blame, Difference
from snapshot.canonical import same

Dated: TypeAlias = tuple[int, str, Token | None, Token | None]
"""A change: its valid time in microseconds, the field, the tokens before and after."""


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
    for when, name, old, new in newest_first:
        if name not in settled:
            reached = when <= at
            values[name] = new if reached else old
            if reached:
                settled.add(name)
    return values


def changed(newest_first: Iterable[Dated], since: int, until: int) -> tuple[Change, ...]:
    """Return how fields differ between two times, by name.

    Args:
        newest_first: the changes from the first on that is later than ``since``, up to the last
            that is not later than ``until``. Those of a field that has none up to ``until`` tell
            the same of both times.
        since: microseconds.
        until: microseconds, later.
    """
    before: dict[str, Token | None] = {}
    after: dict[str, Token | None] = {}
    settled: set[str] = set()
    for at, name, old, new in newest_first:
        if at <= until and name not in after:
            after[name] = new
        if at > since:
            if name not in settled:
                before[name] = old
        elif name not in settled:
            before[name] = new
            settled.add(name)
    names = after if len(after) == 1 else sorted(after)
    return tuple(
        Change(name, before[name], after[name])
        for name in names
        if not same(before[name], after[name])
    )


def mark_at(marks: Sequence[Mark], at: int) -> Mark | None:
    """Return the newest version up to a time; None before anything is known.

    ``marks`` are all versions of the record, oldest first.
    """
    if not marks or marks[0].at > at:
        return None
    return next(mark for mark in reversed(marks) if mark.at <= at)


def since_known(op: Op, at: int, since: int) -> int:
    """Return from when on a record is compared, by what its first version did, and when.

    A baseline tells nothing of the time before it, so the record counts as unchanged until then.
    """
    return max(since, at) if op is Op.BASELINE else since


def compared(
    ref: Ref, marks: Sequence[Mark], newest_first: Sequence[Dated], since: int, until: int
) -> Difference | None:
    """Return how a record differs between two times; None where it does not.

    Args:
        ref: which record.
        marks: all its versions, oldest first.
        newest_first: its changes, back to the first version later than ``since`` at least.
        since: microseconds.
        until: microseconds.
    """
    if not marks:
        return None
    since = since_known(marks[0].op, marks[0].at, since)
    before, after = mark_at(marks, since), mark_at(marks, until)
    if after is None or since >= until:
        return None
    return differing(
        ref,
        was_live=before is not None and not before.deleted,
        is_live=not after.deleted,
        changes=lambda: changed(newest_first, since, until),
    )


def differing(
    ref: Ref, *, was_live: bool, is_live: bool, changes: Callable[[], tuple[Change, ...]]
) -> Difference | None:
    """Return the difference between two times; None where there is none."""
    if not was_live:
        return Difference(ref, Op.CREATE) if is_live else None
    if not is_live:
        return Difference(ref, Op.DELETE)
    found = changes()
    return Difference(ref, Op.UPDATE, found) if found else None


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
