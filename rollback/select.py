"""Choose what should be put back: from what was changed to the values before it.

Pure functions over streams. Change sets come ordered by record and version, so that one record
is held in memory at a time, however large the operation was.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeAlias

from crmtrail.model import (
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    Field,
    Op,
    Ref,
    Result,
    Token,
    Version,
)
from crmtrail.ports import Difference, Journalled
from rollback.meaning import alike, spoken

Blank: TypeAlias = Callable[[Token | None, Field | None], bool]
"""Whether a token is told and holds nothing; detection's test, with its sentinels bound."""

_LATER = "a later release"

_UNABLE: Mapping[Op, str] = {
    Op.BASELINE: "this was the first sight of the record: no earlier value is known",
    Op.CREATE: f"the record was created by it; deleting created records comes with {_LATER}",
    Op.DELETE: f"the record was deleted by it; bringing deleted records back comes with {_LATER}",
    Op.UNDELETE: f"the record was brought back by it; deleting it again comes with {_LATER}",
    Op.MERGE: f"the record was merged away by it; undoing merges comes with {_LATER}",
}


@dataclass(frozen=True, slots=True)
class Target:
    """One field to put back.

    Attributes:
        field: its name.
        bad: the newest value that was written, which must still be there; ``None`` if unknown.
        good: the value before; ``None`` if unknown.
        by: who wrote the bad value, where that is known.
        at: when, by the vendor's clock.
        asked: whether the field was named, or is known to have been written by what is undone;
            false where it merely differs between two times.
    """

    field: str
    bad: Token | None
    good: Token | None
    by: Actor | None = None
    at: datetime | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Selected:
    """One record with the fields to put back.

    ``unable`` says why the record as a whole cannot be put back, in plain words. Where there is
    nothing to put back, ``note`` may say why.
    """

    ref: Ref
    targets: tuple[Target, ...] = ()
    unable: str = ""
    note: str = ""


def of_operation(members: Iterable[ChangeSet]) -> Iterator[Selected]:
    """Select everything an operation changed, a record at a time."""
    for row in _folded(members, lambda change: change.new is not None):
        yield row if row.targets else replace(row, note="its values were changed there and back")


def of_incident(
    members: Iterable[ChangeSet],
    *,
    rule: str,
    names: Collection[str],
    fields: Mapping[str, Field],
    blank: Blank,
) -> Iterator[Selected]:
    """Select what an incident is about: its fields only, and for ``blanking`` blanks only.

    Records of the operation that the incident does not touch are passed over; so is a field
    that the operation itself filled again.
    """
    wanted = frozenset(names)

    def blanked(change: Change) -> bool:
        described = fields.get(change.field)
        return blank(change.new, described) and not blank(change.old, described)

    def chosen(change: Change) -> bool:
        return change.field in wanted and (rule != "blanking" or blanked(change))

    for row in _folded(members, chosen):
        targets = tuple(
            target
            for target in row.targets
            if rule != "blanking" or blank(target.bad, fields.get(target.field))
        )
        if targets or row.unable:
            yield replace(row, targets=targets)


def as_of(
    ref: Ref, at: datetime, *, then: Version | None, now: Version | None, names: Sequence[str] = ()
) -> Selected:
    """Select what differs between a record's state at a time and its newest state.

    ``names`` limits it to some fields; none given means every field known at that time.
    """
    when = spoken(at)
    if now is None:
        return Selected(ref, unable="no such record is stored")
    if then is None:
        return Selected(ref, unable=f"nothing is known of this record at {when}")
    if then.deleted:
        return Selected(ref, unable=f"the record was deleted at {when}")
    chosen = names or sorted(then.fields)
    targets = tuple(
        Target(name, now.fields.get(name), then.fields.get(name), asked=bool(names))
        for name in dict.fromkeys(chosen)
        if not alike(now.fields.get(name), then.fields.get(name))
    )
    return Selected(ref, targets, note=f"it holds the values of {when} already")


def of_differences(differences: Iterable[Difference], at: datetime) -> Iterator[Selected]:
    """Select how an object's records differ from a time.

    Records created since are left as they are, and so are fields that nobody knew then.
    """
    when = spoken(at)
    for difference in differences:
        if difference.op is Op.CREATE:
            note = f"created since {when}: putting values back deletes nothing"
            yield Selected(difference.ref, note=note)
        elif difference.op is Op.DELETE:
            unable = f"deleted since {when}; bringing deleted records back comes with {_LATER}"
            yield Selected(difference.ref, unable=unable)
        else:
            targets = tuple(
                Target(change.field, change.new, change.old, asked=False)
                for change in difference.changes
                if change.old is not None
            )
            yield Selected(difference.ref, targets, note="no value known then was changed since")


def of_undo(steps: Iterable[Journalled], plan: str) -> Iterator[Selected]:
    """Select what an applied plan really wrote, to put back what was there before each write."""
    by = Actor(ActorKind.APP, id=plan, name=f"crmtrail plan {plan}")
    for journalled in steps:
        results = {} if journalled.outcome is None else journalled.outcome.fields
        targets = tuple(
            Target(name, bad, journalled.before.get(name), by)
            for name, bad in journalled.step.write.items()
            if results.get(name) is Result.RESTORED
        )
        if targets:
            yield Selected(journalled.step.ref, targets)


def _folded(members: Iterable[ChangeSet], chosen: Callable[[Change], bool]) -> Iterator[Selected]:
    """Fold each record's change sets; records without a chosen change are passed over."""
    for ref, group in groupby(members, key=lambda change_set: change_set.ref):
        change_sets = tuple(group)
        unable = next((_UNABLE[each.op] for each in change_sets if each.op in _UNABLE), "")
        if unable:
            yield Selected(ref, unable=unable)
        elif any(chosen(change) for each in change_sets for change in each.changes):
            yield Selected(ref, tuple(_targets(change_sets, chosen)))


def _targets(
    change_sets: Sequence[ChangeSet], chosen: Callable[[Change], bool]
) -> Iterator[Target]:
    """Give each field's value before its first chosen change, and the newest one written.

    A change to an absent token is no write: the vendor merely stopped telling the field.
    """
    good: dict[str, Token | None] = {}
    bad: dict[str, tuple[Token, ChangeSet]] = {}
    for change_set in change_sets:
        for change in change_set.changes:
            if change.new is None:
                continue
            if change.field not in good and chosen(change):
                good[change.field] = change.old
            bad[change.field] = (change.new, change_set)
    for name in sorted(good):
        token, written = bad[name]
        if not alike(token, good[name]):
            yield Target(name, token, good[name], written.actor, written.at)
