"""Decide, record by record, what a plan will write and what it leaves alone, and why.

Pure. A step's fields fall into four sorts: written (`Step.write`), right already (named nowhere),
in conflict (in `Step.left` and in `Step.expect`, never in `Step.write`), and not restorable (in
`Step.left` alone).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crmtrail.model import (
    ERASED,
    NULL,
    Action,
    Field,
    FieldType,
    OnConflict,
    Schema,
    Step,
    Token,
    value_of,
)
from crmtrail.ports import Blame, Head
from rollback.consent import CONSENT
from rollback.gone import taken_away, ways_back
from rollback.meaning import alike, sayable, spoken
from rollback.select import Selected, Target

COMPUTED = "computed by the CRM: it follows the other fields by itself"
"""Why a computed field is left; where other fields are written it counts as no failure."""

READ_ONLY = "read-only in the CRM: it is no part of what can be put back"
"""Why a field is left that nobody asked for and that this identity may not write."""

_NOT_KNOWN = "its earlier value is not known"
FORGOTTEN = "its earlier value was forgotten for good: retention or an erasure took it"
_OPTIONS = (
    "its earlier value is no longer among the allowed options. Three ways out: add the option again"
    " in the CRM and plan anew; leave the field as it is; or choose one of today's by hand"
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan keeps to, beside the schema.

    Attributes:
        crm: the vendor, as people call it.
        consent: whether a field of an object says what a person agreed to.
        with_consent: the plan was made for consent too.
        now: when the plan is made.
        binned: whether deleted records of an object lie in the vendor's recycle bin.
    """

    crm: str = "the CRM"
    consent: Callable[[str, str], bool] = lambda _object, _field: False
    with_consent: bool = False
    now: datetime | None = None
    binned: Callable[[str], bool] = lambda _object: True

    def bars(self, object_: str, name: str) -> bool:
        """Whether a field is left alone because it is consent."""
        return not self.with_consent and self.consent(object_, name)


USUAL = Rules()
"""Nothing is known to be consent."""


class Left(StrEnum):
    """Why a field is left alone."""

    CONFLICT = "conflict"
    UNABLE = "unable"
    FOLLOWS = "follows"


def left_sorts(step: Step) -> dict[str, Left]:
    """Return, for each field that a step leaves alone, the sort of reason."""
    return {
        name: Left.CONFLICT
        if name in step.expect
        else (Left.FOLLOWS if words in (COMPUTED, READ_ONLY) else Left.UNABLE)
        for name, words in step.left.items()
    }


def disputed(row: Selected, head: Head | None) -> bool:
    """Whether some field holds neither the bad value nor the good one any more.

    Only then does `draft` use ``since``, which costs a look-up.
    """
    if head is None or head.deleted or head.erased_at is not None:
        return False
    return any(_holds(head, t.field, t.bad, t.good) is _Holding.OTHER for t in row.targets)


def draft(
    id_: str,
    row: Selected,
    head: Head | None,
    schema: Schema | None,
    on_conflict: OnConflict,
    since: Mapping[str, Blame],
    rules: Rules = USUAL,
) -> Step:
    """Decide what to do with one record.

    Args:
        id_: the id of the step within its plan.
        row: what was selected.
        head: the record's newest stored state.
        schema: the object's newest stored schema; None means that no rule is known.
        on_conflict: what to do with fields that somebody changed since.
        since: who set the current value of disputed fields, as far as known.
        rules: what the plan keeps to.
    """
    words = _gone(head, rules) or hopeless(row, head)
    if words or head is None:
        left = {target.field: words for target in row.targets}
        return Step(id_, row.ref, Action.BLOCKED, left=left, reason=words)
    drafting = _Drafting(head, schema, on_conflict, since, rules)
    for target in row.targets:
        drafting.decide(target)
    action = drafting.action()
    return Step(
        id_,
        row.ref,
        action,
        expect=drafting.expect,
        write=drafting.write,
        left=drafting.left,
        reason=sayable(_reason(action, row, drafting.left)),
    )


def _gone(head: Head | None, rules: Rules) -> str:
    """Return which ways back there are of a record that is deleted; nothing where it lives."""
    if head is None or not head.deleted or head.erased_at is not None:
        return ""
    binned = rules.binned(head.ref.object)
    return ways_back(head, rules.crm, rules.now) if binned else taken_away(rules.crm)


def hopeless(row: Selected, head: Head | None) -> str:
    """Return why nothing of a record can be put back, live or deleted; nothing where it may."""
    if head is not None and head.erased_at is not None:
        return f"the record was erased at {spoken(head.erased_at)}: it is never restored"
    if row.unable:
        return row.unable
    return "nothing is known of this record" if head is None else ""


class _Holding(StrEnum):
    BAD = "bad"
    GOOD = "good"
    OTHER = "other"
    UNTOLD = "untold"


def _holds(head: Head, name: str, bad: Token | None, good: Token | None) -> _Holding:
    now = head.fields.get(name)
    if now is None:
        return _Holding.UNTOLD
    if alike(now, good):
        return _Holding.GOOD
    return _Holding.BAD if alike(now, bad) else _Holding.OTHER


@dataclass(slots=True)
class _Drafting:
    head: Head
    schema: Schema | None
    on_conflict: OnConflict
    since: Mapping[str, Blame]
    rules: Rules
    expect: dict[str, Token] = field(default_factory=dict)
    write: dict[str, Token] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    conflicts: int = 0
    right: int = 0
    follow: int = 0
    barred: int = 0

    def decide(self, target: Target) -> None:
        """Decide on one field: write it, leave it, or find it right already."""
        name, good = target.field, target.good
        holding = _holds(self.head, name, target.bad, good)
        if holding is _Holding.GOOD:
            self.right += 1
        elif self._follows(target):
            self.follow += 1
            self.barred += target.asked
        elif self.rules.bars(self.head.ref.object, name):
            self.left[name] = CONSENT
        elif good is None or good == ERASED:
            self.left[name] = _NOT_KNOWN if good is None else FORGOTTEN
        elif unable := refusal(name, good, self.schema):
            self.left[name] = unable
        elif holding is _Holding.UNTOLD:
            self.left[name] = "its current value is not known: the CRM does not show the field"
        elif holding is _Holding.BAD or self.on_conflict is OnConflict.OVERWRITE:
            self.expect[name] = self.head.fields[name]
            self.write[name] = good
        else:
            self._dispute(name, target.bad)

    def _dispute(self, name: str, bad: Token | None) -> None:
        if bad is None or bad == ERASED:
            self.left[name] = "what was written over it is not known"
            return
        self.conflicts += 1
        self.expect[name] = bad
        who = self.since.get(name)
        by = f" by {who.actor} at {spoken(who.at)}" if who else ""
        advice = (
            "; to decide, plan again with --on-conflict keep or overwrite"
            if self.on_conflict is OnConflict.ASK
            else "; left as it is"
        )
        self.left[name] = f"changed since{by}{advice}"

    def action(self) -> Action:
        """Return what the step does: the worst of its fields, if there is nothing to write."""
        if self.write:
            return Action.UPDATE
        if len(self.left) > self.conflicts + self.follow:
            return Action.BLOCKED
        if self.conflicts:
            return Action.CONFLICT
        return Action.BLOCKED if self.barred and not self.right else Action.SKIP

    def _follows(self, target: Target) -> bool:
        """Leave a field that nobody writes, and say why; whether it is one."""
        described = None if self.schema is None else self.schema.fields.get(target.field)
        if described is None or (described.updateable and not described.computed):
            return False
        if target.asked and not described.computed:
            return False
        self.left[target.field] = COMPUTED if described.computed else READ_ONLY
        return True


def _reason(action: Action, row: Selected, left: Mapping[str, str]) -> str:
    if action is Action.UPDATE:
        first = next((t for t in row.targets if t.by is not None), None)
        if first is None:
            return "differs from the wanted values"
        return f"written by {first.by}" + (f" at {spoken(first.at)}" if first.at else "")
    if action is Action.SKIP:
        if not row.targets:
            return row.note or "there is nothing to put back"
        return "; ".join(_left(left)) or "it holds the wanted values already"
    return "; ".join(_left(left))


def _left(left: Mapping[str, str]) -> list[str]:
    return [f"{name}: {words}" for name, words in left.items()]


def refusal(name: str, good: Token, schema: Schema | None) -> str:
    """Say why the vendor would not take a value, as far as its metadata tells; else nothing.

    Rules known: hubspot.md A.4 and salesforce.md 5.1 (updateable, calculated, nillable, length,
    options of restricted choices).
    """
    if schema is None:
        return ""
    described = schema.fields.get(name)
    if described is None:
        return "the field no longer exists in the CRM"
    if not described.updateable:
        return "the CRM does not let this identity write the field"
    return unfit(good, described)


def unfit(good: Token, described: Field) -> str:
    """Say why a field does not take a value, as far as its metadata tells; else nothing."""
    value = value_of(good)
    if good == NULL or value == "":
        return "" if described.nillable else "the CRM requires a value: it cannot be blanked"
    text = _text(value)
    if described.options:
        multiple = described.type is FieldType.MULTICHOICE
        chosen = text.split(";") if multiple else [text]
        if not {part for part in chosen if part} <= set(described.options):
            return _OPTIONS
    longest = described.max_length
    if longest is not None and isinstance(value, str) and len(value) > longest:
        return f"its earlier value is longer than the CRM allows now ({longest} characters)"
    return ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
