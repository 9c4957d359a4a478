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
    Action,
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    Field,
    Op,
    Ref,
    Result,
    Step,
    Token,
    Tokens,
    Version,
)
from crmtrail.ports import Difference, Journalled
from rollback.meaning import alike, spoken

Blank: TypeAlias = Callable[[Token | None, Field | None], bool]
"""Whether a token is told and holds nothing; detection's test, with its sentinels bound."""

_UNABLE: Mapping[Op, str] = {
    Op.BASELINE: "this was the first sight of the record: no earlier value is known",
}
_WENT: frozenset[Op] = frozenset({Op.DELETE, Op.MERGE})
LIVES: frozenset[Action] = frozenset({Action.UNDELETE, Action.CREATE, Action.DELETE})
"""Actions on the life of a record, not on its fields."""

_CREATED = "the record was created by it; a plan of the whole operation removes it"
_DELETED = "the record is deleted; a plan of it without named fields brings it back"
_CAME: frozenset[Op] = frozenset({Op.CREATE, Op.UNDELETE})


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

    ``revive`` says that the record was live: if it is deleted now, it is to be brought back, with
    the fields of ``revived`` (None: those it had last). ``goes`` says that it was not there before:
    it is to go, if nobody changed it since ``goes_since``, or since it came where that is None.
    """

    ref: Ref
    targets: tuple[Target, ...] = ()
    unable: str = ""
    note: str = ""
    revive: bool = False
    revived: Tokens | None = None
    goes: bool = False
    goes_since: datetime | None = None


def of_operation(members: Iterable[ChangeSet]) -> Iterator[Selected]:
    """Select everything an operation changed, a record at a time."""
    for row in _folded(members, lambda change: change.new is not None):
        whole = row.revive or row.goes
        there_and_back = "its values were changed there and back"
        yield row if row.targets or whole else replace(row, note=there_and_back)


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
        if row.goes:
            yield Selected(row.ref, unable=_CREATED)
            continue
        targets = tuple(
            target
            for target in row.targets
            if rule != "blanking" or blank(target.bad, fields.get(target.field))
        )
        if targets or row.unable or row.revive:
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
    if now.deleted and names:
        return Selected(ref, unable=_DELETED)
    chosen = names or sorted(then.fields)
    targets = tuple(
        Target(name, now.fields.get(name), then.fields.get(name), asked=bool(names))
        for name in dict.fromkeys(chosen)
        if not alike(now.fields.get(name), then.fields.get(name))
    )
    note = f"it holds the values of {when} already"
    if now.deleted:
        return Selected(ref, targets, note=note, revive=True, revived=then.fields)
    return Selected(ref, targets, note=note)


def of_differences(differences: Iterable[Difference], at: datetime) -> Iterator[Selected]:
    """Select how an object's records differ from a time.

    Records created since are left as they are, and so are fields that nobody knew then. Records
    deleted since come back; `revived` are their fields then, which the caller adds.
    """
    when = spoken(at)
    for difference in differences:
        if difference.op is Op.CREATE:
            note = f"created since {when}: putting values back deletes nothing"
            yield Selected(difference.ref, note=note)
        elif difference.op is Op.DELETE:
            yield Selected(difference.ref, revive=True)
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
    brought_back: set[Ref] = set()
    for journalled in steps:
        ended = journalled.outcome
        results = {} if ended is None else ended.fields
        step = journalled.step
        if step.action in LIVES:
            if ended is not None and ended.result is Result.RESTORED:
                brought_back.add(step.ref)
                yield _reversed(step)
            continue
        if step.ref in brought_back:
            continue  # it goes as a whole
        targets = tuple(
            Target(name, bad, journalled.before.get(name), by)
            for name, bad in step.write.items()
            if results.get(name) is Result.RESTORED
        )
        if targets:
            yield Selected(step.ref, targets)


def _reversed(step: Step) -> Selected:
    """Select the undo of a step that brought a record back, or that removed one."""
    if step.action is Action.DELETE:
        return Selected(step.ref, revive=True)
    return Selected(step.ref, goes=True, note="it is gone already")


def _folded(members: Iterable[ChangeSet], chosen: Callable[[Change], bool]) -> Iterator[Selected]:
    """Fold each record's change sets; records without a chosen change are passed over."""
    for ref, group in groupby(members, key=lambda change_set: change_set.ref):
        change_sets = tuple(group)
        unable = next((_UNABLE[each.op] for each in change_sets if each.op in _UNABLE), "")
        if unable:
            yield Selected(ref, unable=unable)
        elif change_sets[0].op in _CAME:
            yield Selected(ref, goes=True, goes_since=change_sets[-1].at, note="it is gone already")
        elif change_sets[-1].op in _WENT:
            targets = tuple(_targets(change_sets, chosen))
            yield Selected(ref, targets, revive=True)
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
