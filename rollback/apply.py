"""Apply a plan: check that it may be applied, run it, make the receipt."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import compress

from crmtrail.config import RestoreConfig
from crmtrail.errors import Mistake, PlanUnfit
from crmtrail.model import Action, Outcome, Plan, Receipt, Result, Step
from crmtrail.ports import Clock, Connector, Journal, Journalled, Notice, StepState, Store, ignore
from rollback import life, receipt
from rollback.authors import Authors
from rollback.batches import written
from rollback.digest import Digest
from rollback.exchange import Exchange
from rollback.lookback import Lookback
from rollback.run import Ending, Hooks, Run

_QUIET = Hooks()


@dataclass(frozen=True, slots=True)
class Applied:
    """How an apply ended.

    Attributes:
        plan: the plan.
        ending: done, checked, halted or stopped.
        receipt: the sealed receipt; None after ``stopped``.
        left: how many steps were not reached; a receipt counts them as failed.
        steps: gives each step with its outcome, in order, as often as called; steps not reached
            are given as failed.
        why: why it halted, else nothing.
        unreached: what is said of a step that was not reached.
        into: the account that was written to, as its vendor names it; empty where nothing was.
    """

    plan: Plan
    ending: Ending
    receipt: Receipt | None
    left: int
    steps: Callable[[], Iterator[tuple[Step, Outcome]]]
    why: str = ""
    unreached: str = ""
    into: str = ""


@dataclass(frozen=True, slots=True)
class _State:
    """What the journal holds of a plan.

    ``written`` has, for each step in order, whether an earlier call settled a write of it: a byte
    a step, for they may be many.
    """

    planned: int
    sending: int
    settled: int
    settled_at: datetime | None
    written: bytes

    @property
    def total(self) -> int:
        return self.planned + self.sending + self.settled


class Applier:
    """Applies plans of one source.

    The caller holds the lease of the source and its objects; see `Hooks.heartbeat`.

    Args:
        store: absorbs what is read.
        journal: where the plan is, and how far it has come.
        connector: the CRM, through the identity that may write.
        clock: the time.
        restore: canary and stop rule.
        notice: detection, for the changes that reading brings to light.
        account: the vendor's account that the source was synced from, where known.
    """

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        connector: Connector,
        clock: Clock,
        restore: RestoreConfig,
        notice: Notice = ignore,
        account: str | None = None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._connector = connector
        self._clock = clock
        self._restore = restore
        self._notice = notice
        self._account = account
        self._into = ""

    def apply(self, plan_id: str, *, by: str, hooks: Hooks = _QUIET) -> Applied:
        """Apply a plan, or go on with it, or, if it is through, look how it stands.

        Raises:
            Unfound: there is no such plan.
            PlanUnfit: it was altered, was undone, has expired, lacks an approval, or is for
                another account.
            Mistake: it is for another source.
            LeaseLost: another runner took over.
            RetryLater: the CRM is out of reach; apply again to go on.
        """
        plan = self._journal.plan(plan_id)
        state = self._verified(plan)
        if plan.source != self._connector.source:
            raise Mistake(f"plan {plan.id} is for {plan.source}, not {self._connector.source}")
        exchange = Exchange(self._connector, self._store, self._clock, self._notice)
        undo = life.undoings(self._journal).get(plan.id)
        unfit = None if undo is None else life.undone(plan, undo)
        if state.settled == state.total:
            if unfit is not None:
                raise unfit
            return self._through(plan, state, exchange, by, hooks)
        if unfit is None:
            self._approved(plan)
            if self._clock.now() >= plan.expires:
                unfit = life.expired(plan)
        if unfit is not None and not state.sending:
            raise unfit
        us = self._us(plan, exchange)
        authors = Authors(self._store, lambda: us)
        run = self._run(plan, exchange, hooks, authors)
        # Steps left sending by a crash come first: nobody knows yet whether they landed.
        run.reconcile(may_write=unfit is None)
        if unfit is not None:
            raise unfit
        run.settle_unwritten()
        ending, why = run.write_planned()
        back = Lookback(exchange, authors, hooks.heartbeat)
        if ending is not Ending.STOPPED:
            # What an earlier call put back may be changed since; the receipt tells how it stands.
            back.look(self._earlier(plan, state), afresh=False)
        return self._ended(plan, run, back, Stop(ending, why), exchange.calls, by)

    def _verified(self, plan: Plan) -> _State:
        """Recompute the digest from what is stored, and count how far the plan has come."""
        digest = Digest()
        counts: Counter[str] = Counter()
        settled_at: datetime | None = None
        wrote = bytearray()
        for journalled in self._journal.steps(plan.id):
            digest.add(journalled.step, journalled.gone)
            counts[journalled.state] += 1
            settled = journalled.state == StepState.SETTLED
            wrote.append(settled and journalled.step.action is Action.UPDATE)
            if settled and journalled.at is not None:
                settled_at = max(settled_at or journalled.at, journalled.at)
        if digest.close(plan) != plan.digest:
            raise PlanUnfit(
                f"plan {plan.id} was altered after it was made",
                hint="run `crmtrail verify`, and make a new plan",
            )
        return _State(
            counts[StepState.PLANNED],
            counts[StepState.SENDING],
            counts[StepState.SETTLED],
            settled_at,
            bytes(wrote),
        )

    def _earlier(self, plan: Plan, state: _State) -> Iterator[Journalled]:
        """Give the steps that an earlier call wrote and settled."""
        if any(state.written):
            yield from compress(self._journal.steps(plan.id), state.written)

    def _approved(self, plan: Plan) -> None:
        required = life.approvals_required(plan, self._restore)
        given = life.approvals_given(self._journal, plan)
        if given < required:
            raise PlanUnfit(
                f"plan {plan.id} needs {required} approval by somebody other than its author, "
                f"{plan.author}; it has {given}",
                hint=f"somebody else runs `crmtrail approve {plan.id}` under their own name",
            )

    def _run(self, plan: Plan, exchange: Exchange, hooks: Hooks, authors: Authors) -> Run:
        return Run(
            plan,
            journal=self._journal,
            exchange=exchange,
            clock=self._clock,
            restore=self._restore,
            hooks=hooks,
            authors=authors,
        )

    def _us(self, plan: Plan, exchange: Exchange) -> str:
        """Return who the vendor says we are; refuse another account than the plan's.

        A plan that writes nothing asks nothing.
        """
        if not written(plan.counts):
            return ""
        identity = exchange.identity()
        self._into = identity.name
        if self._account and identity.account != self._account:
            opened = identity.account or "one that the vendor does not tell"
            raise PlanUnfit(
                f"plan {plan.id} is for account {self._account}, but the credentials open {opened}:"
                " nothing was written",
                hint=f"mend the credentials of {plan.source} in the config",
            )
        return identity.user

    def _ended(
        self, plan: Plan, run: Run, back: Lookback, stop: "Stop", calls: int, by: str
    ) -> Applied:
        words = f"not attempted: {stop.why or 'stopped as asked'}; apply the plan again to go on"
        outcomes = Counter(self._journal.tally(plan.id))
        outcomes.update(back.counts)
        outcomes[Result.FAILED] += run.left
        sealed = None
        if stop.ending is not Ending.STOPPED:
            # A crash before this leaves the plan through but without its receipt: the next apply
            # makes it from the journal.
            sealed = self._receipt(plan, outcomes, calls, by)
        steps = self._steps(plan, back, words)
        return Applied(plan, stop.ending, sealed, run.left, steps, stop.why, words, self._into)

    def _through(
        self, plan: Plan, state: _State, exchange: Exchange, by: str, hooks: Hooks
    ) -> Applied:
        """Look how a plan stands of which every step is settled; make its receipt if it has none.

        A receipt that was never made counts what was put back, as far as it is still there.
        """
        last = self._journal.receipt(plan.id)
        owed = last is None or (state.settled_at is not None and last.applied_at < state.settled_at)
        authors = Authors(self._store, cache(lambda: exchange.identity().user))
        back = Lookback(exchange, authors, hooks.heartbeat)
        if owed:
            back.look(self._earlier(plan, state), afresh=False)
            counts = Counter(self._journal.tally(plan.id))
            counts.update(back.counts)
        else:
            back.look(self._journal.steps(plan.id), afresh=True)
            counts = back.counts
        sealed = self._receipt(plan, counts, exchange.calls, by)
        ending = Ending.DONE if owed else Ending.CHECKED
        return Applied(plan, ending, sealed, 0, self._steps(plan, back, ""))

    def _receipt(self, plan: Plan, counts: Counter[Result], calls: int, by: str) -> Receipt:
        return receipt.sealed(
            self._journal, plan, counts, by=by, at=self._clock.now(), api_calls=calls
        )

    def _steps(
        self, plan: Plan, back: Lookback, words: str
    ) -> Callable[[], Iterator[tuple[Step, Outcome]]]:
        def settled(each: Journalled) -> Outcome:
            return each.outcome or Outcome(each.step.id, Result.FAILED, words)

        return lambda: back.over(self._journal.steps(plan.id), settled)


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a run ended, and why, if it halted."""

    ending: Ending
    why: str
