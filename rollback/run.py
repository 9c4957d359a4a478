"""One run over a plan's steps: read, compare, journal, write, read back, settle.

Every step moves planned -> sending -> settled, and each arrow is one durable transaction:

* A crash before `intend` leaves the step planned: nothing was sent, the next run begins anew.
* A crash after `intend` and before `settle` leaves it sending, with its before-image. The next
  run reads the record first. Only when that reading proves that our write did not land, and that
  nobody else wrote, is it sent again.
* A crash after `settle` leaves it settled: no run touches it again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from crmtrail.config import RestoreConfig
from crmtrail.model import (
    Action,
    Answer,
    Outcome,
    Plan,
    Reading,
    Removal,
    Result,
    Step,
    Tokens,
    Verdict,
    Write,
    moment,
    value_of,
)
from crmtrail.ports import Clock, Journal, Journalled, StepState
from rollback.authors import Authors
from rollback.batches import WRITING, batches, write_size
from rollback.exchange import Exchange
from rollback.lives import Lives
from rollback.preflight import Decision, decide
from rollback.select import LIVES
from rollback.verdict import Changed, End, Sent, held_back, image, judge, outcome
from snapshot.awaited import MODIFIED

TRIES: Final = 3
"""How often a step is sent at most; each but the first only after a read proved that the one
before it had not landed."""

_CHUNK: Final = 500
"""How many steps that write nothing are settled in one transaction."""

_BEAT: Final = 10.0
"""Seconds between two signs of life while a bulk write is under way."""

_BAD: Final = (Result.FAILED, Result.REFUSED)


class Ending(StrEnum):
    """How an apply ended.

    ``done``: every step is settled. ``checked``: every step was settled before, and was only
    read. ``halted``: too many steps failed or were refused. ``stopped``: as asked. After the last
    two, applying the plan again goes on with the steps not reached.
    """

    DONE = "done"
    CHECKED = "checked"
    HALTED = "halted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an apply has come; ``done`` counts settled steps, those of earlier runs too."""

    plan: str
    done: int
    planned: int
    outcomes: Mapping[Result, int]
    api_calls: int


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the caller may listen to and say, between batches.

    ``heartbeat`` is called before each batch and each write and may raise LeaseLost. When
    ``stopping`` answers true, the run ends before its next batch.
    """

    progress: Callable[[Progress], None] = lambda _progress: None
    stopping: Callable[[], bool] = lambda: False
    heartbeat: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Pending:
    """A step on its way: how its fields ended so far, and those still to be written."""

    step: Step
    before: Tokens
    ends: dict[str, End]
    todo: list[str] = field(default_factory=list)

    def take(self, judged: Mapping[str, End]) -> None:
        """Note how fields ended; those that may be written again stay to be done."""
        self.ends.update(judged)
        self.todo = [name for name, end in judged.items() if end.asks_again]


class Run:
    """One run of an apply. ``authors`` says who changed a field, and who we are."""

    def __init__(
        self,
        plan: Plan,
        *,
        journal: Journal,
        exchange: Exchange,
        clock: Clock,
        restore: RestoreConfig,
        hooks: Hooks,
        authors: Authors,
    ) -> None:
        self._plan = plan
        self._planned = sum(plan.counts.values())
        self._journal = journal
        self._exchange = exchange
        self._clock = clock
        self._restore = restore
        self._hooks = hooks
        self._authors = authors
        self._changed = authors.changed
        self._tally = Counter(journal.tally(plan.id))
        self._tried = 0
        self._bad = 0
        self._lives = Lives(
            plan.id,
            journal=journal,
            exchange=exchange,
            clock=clock,
            settle=self._ended,
            heartbeat=hooks.heartbeat,
        )

    @property
    def left(self) -> int:
        """How many steps are not settled."""
        return self._planned - self._tally.total()

    def reconcile(self, *, may_write: bool) -> None:
        """Settle the steps that a crash left sending; read before anything else is done."""
        steps = self._journal.steps(self._plan.id, states=(StepState.SENDING,))
        for batch in batches(steps, canary=0, size=self._exchange.write_batch):
            self._hooks.heartbeat()
            if batch[0].step.action in LIVES:
                self._lives.resume(batch, may_write=may_write)
                continue
            current = self._exchange.renamed(batch)
            found = self._exchange.read([each.step.ref for each in current])
            pending = [self._interrupted(each, found.get(each.step.ref.id)) for each in current]
            if may_write:
                self._send(pending)
            self._settle(pending)

    def settle_unwritten(self) -> None:
        """Settle the steps that write nothing, as the plan foresaw them. No request is sent."""
        chunk: list[Outcome] = []
        for journalled in self._journal.steps(self._plan.id, states=(StepState.PLANNED,)):
            if journalled.step.action not in WRITING:
                chunk.append(outcome(journalled.step, {}))
            if len(chunk) == _CHUNK:
                self._keep(chunk)
                chunk = []
        self._keep(chunk)

    def write_planned(self) -> tuple[Ending, str]:
        """Write the planned steps, canary first; return how it ended, and why it halted.

        The steps not reached stay planned, so that a later apply goes on with them.
        """
        exchange, canary = self._exchange, self._restore.canary
        updates = self._plan.counts.get(Action.UPDATE, 0)
        size = write_size(updates, write=exchange.write_batch, bulk=exchange.bulk_batch)
        for batch in batches(self._planned_writes(), canary=canary, size=size):
            if words := self._halt():
                return Ending.HALTED, words
            if self._hooks.stopping():
                return Ending.STOPPED, ""
            self._hooks.heartbeat()
            steps = [each.step for each in batch]
            if steps[0].action in LIVES:
                self._lives.batch(steps)
            else:
                self._batch(self._exchange.current(steps))
        return Ending.DONE, ""

    def _planned_writes(self) -> Iterator[Journalled]:
        for journalled in self._journal.steps(self._plan.id, states=(StepState.PLANNED,)):
            if journalled.step.action in WRITING:
                yield journalled

    def _batch(self, steps: Sequence[Step]) -> None:
        # A crash while reading leaves every step planned. What was read is in the history.
        found = self._exchange.read([step.ref for step in steps])
        pending = [_prepared(decide(step, found.get(step.ref.id)), self._changed) for step in steps]
        # A crash after this settles leaves the others planned.
        self._settle([each for each in pending if not each.todo])
        going = [each for each in pending if each.todo]
        if not going:
            return
        before = {each.step.id: each.before for each in going}
        self._journal.intend(self._plan.id, before, self._clock.now())
        # A crash from here on leaves the steps sending; `reconcile` reads before it acts.
        self._send(going)
        self._settle(going)
        # A crash after that leaves nothing to do for these steps.

    def _send(self, pending: Sequence[_Pending]) -> None:
        """Write, read back and judge; again only what is proved not to have landed."""
        for _ in range(TRIES):
            todo = [each for each in pending if each.todo]
            if not todo:
                return
            self._hooks.heartbeat()
            answers = self._written([self._write(each) for each in todo])
            found = self._exchange.read([each.step.ref for each in todo])
            for each in todo:
                sent = Sent(each.step, each.todo, each.before, answers[self._key(each.step)])
                each.take(judge(sent, found.get(each.step.ref.id), self._authors.us, self._changed))

    def _written(self, writes: Sequence[Write]) -> Mapping[str, Answer]:
        """Write; a bulk write may take many minutes, in which the lease has to be kept."""
        if len(writes) <= self._exchange.write_batch:
            return self._exchange.write(writes)
        with ThreadPoolExecutor(1) as aside:
            writing = aside.submit(self._exchange.write, writes)
            while not wait([writing], timeout=_BEAT).done:
                self._hooks.heartbeat()
            return writing.result()

    def _interrupted(self, each: Journalled, found: Reading | Removal | None) -> _Pending:
        """Judge a step of which we know only that it was being sent."""
        step, before = each.step, each.before
        names = [name for name in step.write if name in before]
        others = _others(step, before)
        pending = _Pending(step, before, held_back(decide(others, found), self._changed))
        answer = Answer(self._key(step), Verdict.UNKNOWN)
        pending.take(
            judge(Sent(step, names, before, answer), found, self._authors.us, self._changed)
        )
        return pending

    def _write(self, each: _Pending) -> Write:
        fields = {name: each.step.write[name] for name in each.todo}
        # The vendor compares it once more, in the transaction of the write, where it can.
        seen = moment(value_of(each.before[MODIFIED])) if MODIFIED in each.before else None
        return Write(each.step.ref, fields, self._key(each.step), unmodified_since=seen)

    def _key(self, step: Step) -> str:
        return f"{self._plan.id}.{step.id}"

    def _settle(self, pending: Sequence[_Pending]) -> None:
        self._tried += len(pending)
        self._bad += sum(any(e.result in _BAD for e in each.ends.values()) for each in pending)
        self._keep([outcome(each.step, each.ends) for each in pending])

    def _ended(self, outcomes: Sequence[Outcome]) -> None:
        """Settle steps about the life of records."""
        self._tried += len(outcomes)
        self._bad += sum(each.result in _BAD for each in outcomes)
        self._keep(outcomes)

    def _keep(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            self._journal.settle(self._plan.id, outcomes, self._clock.now())
            self._tally.update(each.result for each in outcomes)
        self._hooks.progress(
            Progress(
                self._plan.id,
                self._tally.total(),
                self._planned,
                {result: self._tally[result] for result in Result},
                self._exchange.calls,
            )
        )

    def _halt(self) -> str:
        """Say why to go no further, once at least a canary's worth of steps has been tried."""
        tried, bad = self._tried, self._bad
        if tried < max(self._restore.canary, 1):
            return ""
        self._tried = self._bad = 0
        if bad <= self._restore.stop_at_failed_share * tried:
            return ""
        return f"stopped after {bad} of {tried} records failed or were refused"


def _prepared(decision: Decision, changed: Changed) -> _Pending:
    go = decision.go
    found = decision.found
    before = image(found, go) if isinstance(found, Reading) else {}
    return _Pending(decision.step, before, held_back(decision, changed), list(go))


def _others(step: Step, before: Tokens) -> Step:
    """Return the step with the fields only that were not sent; none of them may be sent now."""
    write = {name: token for name, token in step.write.items() if name not in before}
    return Step(step.id, step.ref, step.action, expect={}, write=write)
