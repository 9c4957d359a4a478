"""Decide how a deleted record comes back, or how one goes that was not there before. Pure.

A record comes back out of the vendor's recycle bin where the vendor does that on request, and
keeps its id. Else it is made anew under another id, with the values it had.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from crmtrail.model import (
    ERASED,
    NULL,
    Action,
    ActorKind,
    ChangeSet,
    Field,
    FieldType,
    Loss,
    OnConflict,
    Op,
    Ref,
    Schema,
    Step,
    Token,
    Tokens,
    token_of,
)
from crmtrail.ports import Departure, Head
from rollback.consent import CONSENT
from rollback.meaning import alike, sayable, spoken
from rollback.plan import COMPUTED, FORGOTTEN, READ_ONLY, Rules, unfit
from rollback.select import Selected


@dataclass(frozen=True, slots=True)
class Means:
    """What is known beside the record itself.

    Attributes:
        undeletes: whether the vendor takes records out of its recycle bin.
        now: the time.
        rules: what the plan keeps to.
        schema: the object's fields; None means that no rule is known.
        departure: how the record left, where it is deleted.
        heir: what it was made anew as, where it was.
        touched: the newest change by somebody else since it came, of a record that is to go.
    """

    undeletes: bool
    now: datetime
    rules: Rules
    schema: Schema | None
    departure: Departure | None = None
    heir: Ref | None = None
    touched: ChangeSet | None = None


def revive(row: Selected, head: Head, means: Means) -> Iterator[Step]:
    """Yield the steps that bring a deleted record back; their ids are empty.

    The first makes it live. Behind it comes what has to be written once it is.
    """
    gone = means.departure
    if gone is not None and gone.loss is Loss.FORGOTTEN:
        yield Step("", row.ref, Action.BLOCKED, reason=_NEVER)
    elif means.heir is not None:
        reason = f"it was made anew already, as {means.heir}"
        yield Step("", row.ref, Action.SKIP, reason=reason)
    elif means.undeletes and _in_bin(gone, means.now):
        reason = sayable(_left_words(gone))
        yield Step("", row.ref, Action.UNDELETE, expect=_merged(gone), reason=reason)
        yield from _afterwards(row, head, means)
    else:
        yield from _anew(row, _wanted(row, head), means)


def _merged(gone: Departure | None) -> dict[str, Token]:
    """Return what a record that was merged away is expected to be still: merged into that one."""
    if gone is None or gone.loss is not Loss.MERGED or gone.merged_into is None:
        return {}
    return {MERGED_INTO: token_of(gone.merged_into)}


def _in_bin(gone: Departure | None, now: datetime) -> bool:
    if gone is None or gone.loss not in (Loss.DELETED, Loss.MERGED):
        return False
    return gone.restorable_until is None or gone.restorable_until > now


def _left_words(gone: Departure | None) -> str:
    if gone is None:
        return "the record is deleted"
    by = "" if gone.actor.kind is ActorKind.UNKNOWN else f" by {gone.actor}"
    if gone.loss is Loss.MERGED:
        rest = f"{gone.merged_into} and what moved to it stay as they are: plan them by themselves"
        return f"merged into {gone.merged_into}{by} at {spoken(gone.at)} ({rest})"
    return f"{gone.loss.value}{by} at {spoken(gone.at)}"


def _wanted(row: Selected, head: Head) -> Tokens:
    """Return the fields that a record is to have."""
    wanted = dict(head.fields if row.revived is None else row.revived)
    if row.revived is None:
        wanted |= {t.field: t.good for t in row.targets if t.good is not None}
    return wanted


def _afterwards(row: Selected, head: Head, means: Means) -> Iterator[Step]:
    """Yield the step that sets fields of a record that came back out of the bin."""
    write: dict[str, Token] = {}
    schema = means.schema
    for name, good in sorted(_wanted(row, head).items()):
        now = head.fields.get(name)
        described = None if schema is None else schema.fields.get(name)
        settable = schema is None or (described is not None and described.updateable)
        known = now is not None and good != ERASED and not alike(now, good)
        barred = means.rules.bars(row.ref.object, name)
        if known and settable and not barred and not _unfit(good, described):
            write[name] = good
    if write:
        expect = {name: head.fields[name] for name in write}
        reason = "written before the record was deleted"
        yield Step("", row.ref, Action.UPDATE, expect=expect, write=write, reason=reason)


def _unfit(good: Token, described: Field | None) -> str:
    return "" if described is None else unfit(good, described)


@dataclass(slots=True)
class _Making:
    """What a record made anew is given at once, what afterwards, and what it cannot be given."""

    write: dict[str, Token] = field(default_factory=dict)
    later: dict[str, Token] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def take(self, ref: Ref, name: str, good: Token, means: Means) -> None:
        """Take in one field."""
        if good == NULL:
            return
        schema = means.schema
        described = None if schema is None else schema.fields.get(name)
        if means.rules.bars(ref.object, name):
            self.left[name] = CONSENT
        elif good == ERASED:
            self.left[name] = FORGOTTEN
        elif schema is not None and described is None:
            self.left[name] = "the field no longer exists in the CRM"
        elif described is None:
            self.write[name] = good
        elif described.computed or not (described.createable or described.updateable):
            self.left[name] = COMPUTED if described.computed else READ_ONLY
        elif words := unfit(good, described):
            self.left[name] = words
        elif described.createable and not _own_kind(ref, described):
            self.write[name] = good
        elif described.updateable:
            self.later[name] = good


def _own_kind(ref: Ref, described: Field) -> bool:
    """Whether a field names a record of the same object, which may have to be made anew, too."""
    if described.type is not FieldType.REFERENCE:
        return False
    return ref.object.casefold() in {name.casefold() for name in described.references}


def _anew(row: Selected, wanted: Mapping[str, Token], means: Means) -> Iterator[Step]:
    making = _Making()
    for name, good in sorted(wanted.items()):
        making.take(row.ref, name, good, means)
    if not making.write:
        words = f"{_left_words(means.departure)}; no field of it can be given to a new record"
        yield Step("", row.ref, Action.BLOCKED, left=making.left, reason=sayable(words))
        return
    reason = f"{_left_words(means.departure)}; made anew under another id{_instead(row, means)}"
    left, write = making.left, making.write
    expect = _merged(means.departure)
    yield Step("", row.ref, Action.CREATE, expect, write, left, sayable(reason))
    if making.later:
        expect = dict.fromkeys(making.later, NULL)
        reason = "can be set only once the record is there again"
        yield Step("", row.ref, Action.UPDATE, expect=expect, write=making.later, reason=reason)


def _instead(row: Selected, means: Means) -> str:
    """Say what the vendor itself can do, where it can."""
    gone = means.departure
    binned = means.rules.binned(row.ref.object) and _in_bin(gone, means.now)
    if means.undeletes or not binned or gone is None or gone.loss is Loss.MERGED:
        return ""
    until = gone.restorable_until
    by = f" until {spoken(until)}" if until else ""
    return f"; or restore it in {means.rules.crm}'s own recycle bin{by}, which keeps its id"


def depart(row: Selected, head: Head, means: Means, on_conflict: OnConflict) -> Step:
    """Return the step that removes a record that was not there before; its id is empty.

    A record that somebody changed since stays, unless conflicts are to be overwritten.
    """
    if head.deleted:
        return Step("", row.ref, Action.SKIP, reason=row.note)
    touched = means.touched
    if touched is not None and on_conflict is not OnConflict.OVERWRITE:
        advice = (
            "to decide, plan again with --on-conflict keep or overwrite"
            if on_conflict is OnConflict.ASK
            else "left as it is"
        )
        words = f"changed since by {touched.actor} at {spoken(touched.at)}; {advice}"
        return Step("", row.ref, Action.CONFLICT, reason=sayable(words))
    expect = {
        name: token
        for name, token in head.fields.items()
        if token != NULL and _people_write(name, means.schema)
    }
    return Step("", row.ref, Action.DELETE, expect=expect, reason="it was not there before")


MERGED_INTO: Final = "@merged_into"
"""Key in `Step.expect`: the record that this one was merged into; no field has an @."""

_NEVER: Final = "the CRM deleted this person for privacy: they are never brought back"

_COMING: Final = (Op.BASELINE, Op.CREATE, Op.UNDELETE)


def touched_since(timeline: Sequence[ChangeSet], since: datetime | None) -> ChangeSet | None:
    """Return the newest change of a record after a time, the CRM's own arithmetic left out.

    Where the time is None: the newest by another actor than the one that it came by.
    """
    came = max((no for no, one in enumerate(timeline) if one.op in _COMING), default=0)
    later = [
        one
        for one in timeline[came + 1 :]
        if one.actor.kind is not ActorKind.SYSTEM
        and (one.at > since if since else one.actor != timeline[came].actor)
    ]
    return later[-1] if later else None


def _people_write(name: str, schema: Schema | None) -> bool:
    described = None if schema is None else schema.fields.get(name)
    return described is not None and described.updateable and not described.computed
