"""Judge how a written field ended, from what is read back and never from the answer alone. Pure.

Between `intend` and the read-back, three things may have happened to a field: our write landed,
it did not, or somebody else wrote. The judge tells them apart by the value, by the vendor's
stamps, and by the vendor's own history of the field where there is one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from crmtrail.model import (
    NULL,
    OVERTAKEN,
    Action,
    ActorKind,
    Answer,
    Event,
    Outcome,
    Reading,
    Removal,
    Result,
    Step,
    Token,
    Tokens,
    Verdict,
    moment,
    stamp,
    token_of,
    value_of,
)
from crmtrail.ports import Journalled
from rollback.meaning import BLANK, alike, sayable, spoken
from rollback.plan import Left, left_sorts
from rollback.preflight import Check, Decision, told
from snapshot.awaited import MODIFIED, READ
from snapshot.drafts import TICK

EDITOR: Final = "@editor"
"""Key of the last editor's id in a before-image."""

_MEANWHILE: Final = " while the restore ran"

WORST_FIRST = (
    Result.FAILED,
    Result.REFUSED,
    Result.CONFLICT,
    Result.RESTORED,
    Result.ALREADY,
)
"""A step ends as the worst of its fields."""


@dataclass(frozen=True, slots=True)
class End:
    """How one field ended, in plain words; ``asks_again`` where it may be written once more."""

    result: Result
    words: str
    asks_again: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One write as far as we know it.

    Attributes:
        step: the step.
        names: the fields that were sent.
        before: the journalled before-image (`image`) of those fields.
        answer: the vendor's word; verdict ``unknown`` where there is none.
    """

    step: Step
    names: Sequence[str]
    before: Tokens
    answer: Answer


Changed: TypeAlias = Callable[[Reading, str], str]
"""Says who changed a field of a record since: `rollback.authors.Authors.changed`."""


def last_event(found: Reading, name: str) -> Event | None:
    """Return the newest entry of the vendor's history of a field, if it keeps one."""
    events = _events(found.trail, name)
    return events[-1] if events else None


def changed(found: Reading, name: str) -> str:
    """Say who changed a field since, and when, by the vendor's reading alone."""
    event = last_event(found, name)
    if event is None:
        known = found.actor.kind is not ActorKind.UNKNOWN
        return "changed since" + (f"; the record was last edited by {found.actor}" if known else "")
    by = "" if event.actor.kind is ActorKind.UNKNOWN else f" by {event.actor}"
    return f"changed since{by} at {spoken(event.at)}"


def judge(
    sent: Sent, found: Reading | Removal | None, us: str | None, changed: Changed = changed
) -> dict[str, End]:
    """Return how each field sent ended.

    Args:
        sent: the write.
        found: the record as read after it.
        us: the id under which the vendor knows us, if known.
        changed: says who changed a field since.
    """
    if not isinstance(found, Reading) or found.deleted:
        return dict.fromkeys(sent.names, _lost(sent, found))
    values = found.fields
    landed = any(alike(values.get(name), sent.step.write[name]) for name in sent.names)
    ends = {name: _judged(sent, name, found, us, landed=landed) for name in sent.names}
    return {
        name: replace(end, words=f"{changed(found, name)}{end.words}")
        if end.words == _MEANWHILE
        else end
        for name, end in ends.items()
    }


def _lost(sent: Sent, found: Reading | Removal | None) -> End:
    if found is None:
        if sent.answer.verdict is Verdict.REFUSED:
            return End(Result.REFUSED, refused(sent.answer))
        return End(Result.FAILED, "the CRM did not return the record after the write")
    return End(Result.CONFLICT, gone(found))


def _judged(sent: Sent, name: str, found: Reading, us: str | None, *, landed: bool) -> End:
    now = found.fields.get(name)
    if now is None:
        return End(Result.FAILED, "the CRM no longer shows the field, so the write is not proved")
    if alike(now, sent.step.write[name]):
        return End(Result.RESTORED, "put back and read back")
    # What came too late was certainly not carried out; who was faster is told by what is read.
    unsure = sent.answer.verdict is Verdict.UNKNOWN or sent.answer.code == OVERTAKEN
    if not landed and unsure:
        return _in_doubt(sent, name, found, us)
    if sent.answer.verdict is Verdict.REFUSED:
        return End(Result.REFUSED, refused(sent.answer))
    if _overwritten(sent, name, found, us):
        return End(Result.CONFLICT, _MEANWHILE)
    unmoved = alike(now, sent.before.get(name))
    what = "it still holds the value from before" if unmoved else "it now holds another value"
    said = f"; {sent.answer.message}" if sent.answer.message else ""
    return End(Result.FAILED, f"accepted by the CRM but not kept: {what}{said}")


def _in_doubt(sent: Sent, name: str, found: Reading, us: str | None) -> End:
    """Judge a field without our value in it, when the vendor gave no word.

    It may be written again only if nobody else can have put there what it holds.
    """
    now = found.fields[name]
    if not alike(now, sent.before.get(name)):
        if now in BLANK and _half_done(sent, name, found, us):
            words = "blanked on the way to its value, and then the CRM said nothing more"
            return End(Result.FAILED, words, asks_again=True)
        return End(Result.CONFLICT, _MEANWHILE)
    if untouched(sent.before, found, name):
        words = "the CRM did not take the write, and said nothing; the value is unchanged"
        return End(Result.FAILED, words, asks_again=True)
    words = "somebody may have changed it while it was not known whether our write had landed"
    return End(Result.CONFLICT, f"{words}; nothing was written again")


def _half_done(sent: Sent, name: str, found: Reading, us: str | None) -> bool:
    """Whether it was our own write that left the field blank.

    A vendor may need two requests for one value (HubSpot's lifecyclestage moves back only by way
    of a blank, hubspot.md 5), and a crash may fall between them.
    """
    events = _events(found.trail, name)
    was = moment(value_of(sent.before[MODIFIED]))
    return bool(us) and bool(events) and events[-1].at > was and events[-1].actor.id == us


def image(found: Reading, names: Iterable[str]) -> dict[str, Token]:
    """Return the before-image to journal: some fields, the vendor's stamps, the last editor."""
    stamps = {MODIFIED: found.modified_at, READ: found.read_at}
    editor = {EDITOR: token_of(found.actor.id)}
    return {**told(found, names), **{k: token_of(stamp(at)) for k, at in stamps.items()}, **editor}


def untouched(before: Tokens, found: Reading, name: str) -> bool:
    """Whether it is proved that nobody wrote the field since the before-image was taken.

    The proof is that the record was not changed at all, or that the vendor's history of the
    field has no newer entry.
    """
    was = moment(value_of(before[MODIFIED]))
    if _events(found.trail, name):
        return not _newer(found, name, was)
    return found.modified_at == was and _stamp_tells(before, found, was)


def _stamp_tells(before: Tokens, found: Reading, was: datetime) -> bool:
    """Whether a stamp that stands still proves that nobody wrote.

    One of whole seconds does not move for a second write within its second. So it tells only if
    that second had ended when the before-image was read, or if the last editor is still the same:
    whoever came between our write and this reading would be named now.
    """
    read_at = before.get(READ)
    over = read_at is not None and moment(value_of(read_at)) >= was + TICK
    editor = before.get(EDITOR, NULL)
    return over or (editor != NULL and value_of(editor) == found.actor.id)


def _newer(found: Reading, name: str, was: datetime) -> list[Event]:
    return [event for event in _events(found.trail, name) if event.at > was]


def _overwritten(sent: Sent, name: str, found: Reading, us: str | None) -> bool:
    """Whether somebody else wrote the field after our accepted write."""
    was = moment(value_of(sent.before[MODIFIED]))
    events = _newer(found, name, was)
    if untouched(sent.before, found, name) or (found.modified_at == was and not events):
        return False
    if len(events) > 1 and alike(events[-2].token, sent.step.write[name]):
        return True
    actor = events[-1].actor if events else found.actor
    return actor.kind is not ActorKind.UNKNOWN and bool(us) and actor.id != us


def _events(trail: Iterable[Event], name: str) -> list[Event]:
    """Return the vendor's history of one field, oldest first."""
    return sorted((event for event in trail if event.field == name), key=lambda event: event.at)


def refused(answer: Answer) -> str:
    """Return the vendor's words of refusal, with its code and our hint."""
    words = answer.message or answer.code or "the CRM gave no reason"
    code = f" ({answer.code})" if answer.code and answer.code != words else ""
    hint = f"; {answer.hint}" if answer.hint else ""
    return f"refused by the CRM: {words}{code}{hint}"


def gone(found: Reading | Removal | None) -> str:
    """Say that a record is not live any more, and what is known of that."""
    if found is None:
        return "the CRM does not return the record"
    if isinstance(found, Reading):
        return "the record is in the recycle bin"
    into = f" into {found.merged_into}" if found.merged_into else ""
    by = "" if found.actor.kind is ActorKind.UNKNOWN else f" by {found.actor}"
    at = f" at {spoken(found.at)}" if found.at else ""
    return f"the record was {found.loss.value}{into} since{by}{at}"


def held_back(decision: Decision, changed: Changed = changed) -> dict[str, End]:
    """Return how the fields end that the preflight does not let through."""
    found = decision.found
    ends = {}
    for name, check in decision.fields.items():
        if check is Check.ALREADY:
            ends[name] = End(Result.ALREADY, "it holds the wanted value already")
        elif check is Check.GONE:
            result = Result.FAILED if found is None else Result.CONFLICT
            ends[name] = End(result, gone(found))
        elif check is Check.ABSENT:
            ends[name] = End(Result.FAILED, "the CRM does not show the field to this identity")
        elif check is Check.CONFLICT and isinstance(found, Reading):
            ends[name] = End(Result.CONFLICT, changed(found, name))
    return ends


def looked_at(
    journalled: Journalled, found: Reading | Removal | None, changed: Changed = changed
) -> Outcome:
    """Say how a settled step stands now: right already, changed since, or as it ended."""
    step, ended = journalled.step, journalled.outcome
    if ended is None or step.action is not Action.UPDATE:
        return ended or outcome(step, {})
    ends = {
        name: _looked_at(name, write, ended.fields.get(name, Result.FAILED), found, changed)
        for name, write in step.write.items()
    }
    now = outcome(step, ends)
    known = all(
        result in (ended.fields.get(name), Result.ALREADY) for name, result in now.fields.items()
    )
    same = known and now.result is ended.result is not Result.RESTORED
    # Nothing is worse than it ended: what was said then says why.
    return replace(now, detail=ended.detail) if same and now.result is not Result.ALREADY else now


def reread(
    journalled: Journalled, found: Reading | Removal | None, changed: Changed = changed
) -> Outcome:
    """Return a settled step's outcome, but changed where what was put back is there no more."""
    ended = journalled.outcome
    now = looked_at(journalled, found, changed)
    if ended is None or all(
        result in (ended.fields.get(name), Result.ALREADY) for name, result in now.fields.items()
    ):
        return ended or now
    return now


def _looked_at(
    name: str, write: Token, was: Result, found: Reading | Removal | None, changed: Changed
) -> End:
    live = found if isinstance(found, Reading) and not found.deleted else None
    if live is not None and alike(live.fields.get(name), write):
        return End(Result.ALREADY, "it holds the wanted value already")
    if was not in (Result.RESTORED, Result.ALREADY):
        return End(was, "as it ended when the plan was applied")
    if live is None:
        return End(Result.FAILED if found is None else Result.CONFLICT, gone(found))
    if name not in live.fields:
        return End(Result.FAILED, "the CRM does not show the field any more")
    return End(Result.CONFLICT, changed(live, name))


def outcome(step: Step, ends: Mapping[str, End]) -> Outcome:
    """Put together how a step ended: its written fields, and those that the plan left alone.

    A computed field beside others is not counted: it follows them.
    """
    whole = {**ends, **_left_alone(step)}
    fields = {name: end.result for name, end in sorted(whole.items())}
    if not fields:
        fallback = {Action.SKIP: Result.ALREADY, Action.CONFLICT: Result.CONFLICT}
        return Outcome(step.id, fallback.get(step.action, Result.REFUSED), step.reason)
    return Outcome(step.id, worst(fields.values()), _detail(whole), fields)


def worst(results: Iterable[Result]) -> Result:
    """Return the worst of some results.

    Raises:
        ValueError: there are none.
    """
    return min(results, key=WORST_FIRST.index)


def _left_alone(step: Step) -> dict[str, End]:
    result = {Left.CONFLICT: Result.CONFLICT, Left.UNABLE: Result.REFUSED}
    if step.action is Action.BLOCKED:
        result[Left.FOLLOWS] = Result.REFUSED
    return {
        name: End(result[sort], step.left[name])
        for name, sort in left_sorts(step).items()
        if sort in result
    }


def _detail(ends: Mapping[str, End]) -> str:
    """Group the fields by what is said of them, the worst first."""
    groups: dict[End, list[str]] = {}
    for name, end in sorted(ends.items()):
        groups.setdefault(end, []).append(name)
    ordered = sorted(groups, key=lambda end: WORST_FIRST.index(end.result))
    return sayable("; ".join(f"{', '.join(groups[end])}: {end.words}" for end in ordered))
