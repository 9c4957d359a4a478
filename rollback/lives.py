"""Bring records back, and take out those that were not there: read, journal, act, read, settle.

The same three arrows as for fields (`rollback.run`), and the same rule: what was sent and not
answered is looked for, and sent again only where it is certain that it did not land.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from crmtrail.model import (
    Action,
    Answer,
    Loss,
    Outcome,
    Reading,
    Ref,
    Removal,
    Result,
    Step,
    Tokens,
    Verdict,
    Write,
    moment,
    stamp,
    token_of,
    value_of,
)
from crmtrail.ports import Clock, Journal, Journalled
from rollback.exchange import Exchange
from rollback.meaning import alike, sayable
from rollback.reviving import MERGED_INTO
from rollback.verdict import changed, gone, refused, worst
from snapshot.awaited import READ, SLACK

TRIES: Final = 3
"""How often a step is sent at most."""

_Found: TypeAlias = Mapping[str, Reading | Removal]


@dataclass(slots=True)
class _Going:
    """A step under way: as planned, with the ids of now, and since when it may have landed."""

    planned: Step
    step: Step
    since: datetime
    made: str | None = None
    answer: Answer | None = None


class Lives:
    """Carries out the steps of a plan that are about the life of records.

    Args:
        plan: the id of the plan.
        journal: where steps are noted.
        exchange: the CRM and the store.
        clock: the time.
        settle: settles steps.
        heartbeat: called before each write.
    """

    def __init__(
        self,
        plan: str,
        *,
        journal: Journal,
        exchange: Exchange,
        clock: Clock,
        settle: Callable[[Sequence[Outcome]], None],
        heartbeat: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._exchange = exchange
        self._clock = clock
        self._keep = settle
        self._heartbeat = heartbeat

    def batch(self, steps: Sequence[Step]) -> None:
        """Carry out planned steps of one object and action."""
        size = self._exchange.write_batch
        for start in range(0, len(steps), size):
            self._batch(steps[start : start + size])

    def resume(self, interrupted: Sequence[Journalled], *, may_write: bool) -> None:
        """Settle steps that a crash left sending; read before anything is sent again."""
        action = interrupted[0].step.action
        steps = [each.step for each in interrupted]
        found, going = self._looked(steps, ours=True)
        for one, each in zip(going, interrupted, strict=True):
            one.since = _since(each.before, one.since)
        done = [self._stands(one, found.get(one.step.ref.id)) for one in going]
        self._keep([one for one in done if one is not None])
        left = [one for one, ended in zip(going, done, strict=True) if ended is None]
        if left and action is Action.CREATE:
            self._look_for(left)
        if left and not may_write:
            self._keep([_unsent(one) for one in left if one.made is None])
            left = [one for one in left if one.made is not None]
        self._carry_out(left)

    def _batch(self, steps: Sequence[Step]) -> None:
        self._heartbeat()
        found, going = self._looked(steps)
        done = [self._stands(one, found.get(one.step.ref.id)) for one in going]
        self._keep([one for one in done if one is not None])
        left = [one for one, ended in zip(going, done, strict=True) if ended is None]
        if not left:
            return
        before = {one.planned.id: {READ: token_of(stamp(one.since))} for one in left}
        self._journal.intend(self._plan, before, self._clock.now())
        # A crash from here on leaves the steps sending: `resume` looks before it sends.
        self._carry_out(left)

    def _looked(self, steps: Sequence[Step], *, ours: bool = False) -> tuple[_Found, list[_Going]]:
        """Read the records as they are now, under the ids that they have now."""
        current = self._exchange.current(steps)
        found = self._exchange.read([step.ref for step in current], ours=ours)
        earliest = self._clock.now() - SLACK
        going = []
        for planned, step in zip(steps, current, strict=True):
            told = found.get(step.ref.id)
            # By the vendor's clock, where it told one.
            going.append(_Going(planned, step, earliest if told is None else told.read_at - SLACK))
        return found, going

    def _stands(self, one: _Going, found: Reading | Removal | None) -> Outcome | None:
        """Return how a step ends before anything is sent; None where it is to be sent."""
        live = isinstance(found, Reading) and not found.deleted
        if one.step.action is Action.DELETE:
            return _stays(one, found) if live else _went(one, found)
        if live:
            again = one.step.ref != one.planned.ref
            how = f"made anew already, as {one.step.ref}" if again else "it is live already"
            return Outcome(one.planned.id, Result.ALREADY, how)
        if isinstance(found, Removal) and not _expected(one.planned, found):
            return Outcome(one.planned.id, Result.CONFLICT, sayable(gone(found)))
        if found is None and one.step.action is Action.UNDELETE:
            words = "the CRM does not return the record: it is not in the recycle bin any more"
            return Outcome(one.planned.id, Result.FAILED, words)
        return None

    def _carry_out(self, going: Sequence[_Going]) -> None:
        """Send, look, and settle; again only what certainly did not land."""
        left = list(going)
        for _ in range(TRIES):
            if not left:
                return
            self._send([one for one in left if one.made is None])
            self._heartbeat()
            ended, left = self._judged(left)
            self._keep(ended)
        self._keep([_unsent(one) for one in left])

    def _send(self, going: Sequence[_Going]) -> None:
        if not going:
            return
        writes = [self._write(one) for one in going]
        answers = self._exchange.act(going[0].step.action, writes)
        for one, write in zip(going, writes, strict=True):
            one.answer = answers[write.key]
            if one.step.action is Action.CREATE:
                one.made = one.answer.id
        unsure = [
            one
            for one in going
            if one.made is None and one.answer and one.answer.verdict is not Verdict.REFUSED
        ]
        if unsure and unsure[0].step.action is Action.CREATE:
            self._look_for(unsure)

    def _look_for(self, going: Sequence[_Going]) -> None:
        """Look for records made anew of which no answer came.

        Where it cannot be told whether there is one, the step ends: it is never sent twice.
        """
        writes = [self._write(one) for one in going]
        found = self._exchange.made(writes, min(one.since for one in going))
        for one, write in zip(going, writes, strict=True):
            one.answer = None
            if write.key in found:
                one.made = found[write.key]
                if one.made is None:
                    one.answer = Answer(write.key, Verdict.UNKNOWN)

    def _judged(self, going: Sequence[_Going]) -> tuple[list[Outcome], list[_Going]]:
        if going[0].step.action is Action.CREATE:
            return self._made(going)
        found = self._exchange.read([one.step.ref for one in going], ours=True)
        ended: list[Outcome] = []
        again: list[_Going] = []
        for one in going:
            told = found.get(one.step.ref.id)
            live = isinstance(told, Reading) and not told.deleted
            if live is (one.step.action is Action.UNDELETE) and (live or told is not None):
                words = "taken out of the recycle bin" if live else "moved to the recycle bin"
                ended.append(Outcome(one.planned.id, Result.RESTORED, f"{words}, and read back"))
            elif one.answer is not None and one.answer.verdict is Verdict.REFUSED:
                ended.append(Outcome(one.planned.id, Result.REFUSED, sayable(refused(one.answer))))
            elif one.answer is not None and one.answer.verdict is Verdict.ACCEPTED:
                words = "accepted by the CRM, but the record is as it was before"
                ended.append(Outcome(one.planned.id, Result.FAILED, words))
            else:
                again.append(one)
        return ended, again

    def _made(self, going: Sequence[_Going]) -> tuple[list[Outcome], list[_Going]]:
        new = {one.planned.id: self._new(one) for one in going if one.made is not None}
        found = self._exchange.read(list(new.values()), ours=True) if new else {}
        ended: list[Outcome] = []
        again: list[_Going] = []
        for one in going:
            if one.made is not None:
                told = found.get(one.made)
                ended.append(self._went_on(one, new[one.planned.id], told))
            elif one.answer is None:
                again.append(one)
            elif one.answer.verdict is Verdict.REFUSED:
                ended.append(Outcome(one.planned.id, Result.REFUSED, sayable(refused(one.answer))))
            else:
                words = (
                    "it cannot be told whether the record was made anew: no answer came, and"
                    " nothing that it holds tells it apart; look for it in the CRM"
                )
                ended.append(Outcome(one.planned.id, Result.FAILED, words))
        return ended, again

    def _went_on(self, one: _Going, new: Ref, found: Reading | Removal | None) -> Outcome:
        """Note the new id, and compare every field with what was written."""
        if not isinstance(found, Reading) or found.deleted:
            words = f"made anew as {new}, but the CRM does not return it"
            return Outcome(one.planned.id, Result.FAILED, words)
        self._exchange.went_on(one.planned.ref, new, self._clock.now())
        fields = {
            name: Result.RESTORED if alike(found.fields.get(name), token) else Result.FAILED
            for name, token in sorted(one.step.write.items())
        }
        other = [name for name, result in fields.items() if result is Result.FAILED]
        words = f"made anew as {new}, and read back"
        if other:
            words += f"; accepted by the CRM but not kept: {', '.join(other)}"
        return Outcome(one.planned.id, worst(fields.values()), words, fields)

    def _new(self, one: _Going) -> Ref:
        return Ref(one.planned.ref.source, one.planned.ref.object, one.made or "")

    def _write(self, one: _Going) -> Write:
        fields: Tokens = one.step.write if one.step.action is Action.CREATE else {}
        return Write(one.step.ref, fields, f"{self._plan}.{one.planned.id}")


def _expected(planned: Step, found: Removal) -> bool:
    """Whether a record is gone in the way that the plan knew: into no other record, for one."""
    if found.loss is Loss.FORGOTTEN:
        return False
    into = None if found.merged_into is None else token_of(found.merged_into)
    return planned.expect.get(MERGED_INTO) == into


def _since(before: Tokens, otherwise: datetime) -> datetime:
    token = before.get(READ)
    return otherwise if token is None else moment(value_of(token))


def _stays(one: _Going, found: Reading | Removal | None) -> Outcome | None:
    """Return the conflict of a record that is to go and that somebody changed; else None."""
    if not isinstance(found, Reading):
        return None
    other = [
        name
        for name, token in one.step.expect.items()
        if name in found.fields and not alike(found.fields[name], token)
    ]
    if not other:
        return None
    words = "; ".join(f"{name}: {changed(found, name)}" for name in other)
    return Outcome(one.planned.id, Result.CONFLICT, sayable(f"left as it is: {words}"))


def _went(one: _Going, found: Reading | Removal | None) -> Outcome:
    if found is None:
        words = "the CRM does not return the record"
        return Outcome(one.planned.id, Result.FAILED, words)
    return Outcome(one.planned.id, Result.ALREADY, sayable(gone(found)))


def _unsent(one: _Going) -> Outcome:
    words = "the CRM did not carry it out, and said nothing"
    return Outcome(one.planned.id, Result.FAILED, words)
