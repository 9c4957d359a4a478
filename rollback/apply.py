"""Apply a plan: check that it may be applied, run it, make the receipt."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from crmtrail.config import RestoreConfig
from crmtrail.errors import Mistake, PlanUnfit
from crmtrail.model import Action, Outcome, Plan, Receipt, Result, Step
from crmtrail.ports import Clock, Connector, Journal, Notice, StepState, Store, ignore
from rollback import receipt
from rollback.batches import batches
from rollback.digest import Digest, canonical
from rollback.exchange import Exchange
from rollback.run import Ending, Hooks, Run
from rollback.spool import Spool
from rollback.verdict import looked_at

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
    """

    plan: Plan
    ending: Ending
    receipt: Receipt | None
    left: int
    steps: Callable[[], Iterator[tuple[Step, Outcome]]]


@dataclass(frozen=True, slots=True)
class _State:
    """What the journal holds of a plan."""

    planned: int
    sending: int
    settled: int
    settled_at: datetime | None

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

    def apply(self, plan_id: str, *, by: str, hooks: Hooks = _QUIET) -> Applied:
        """Apply a plan, or go on with it, or, if it is through, look how it stands.

        Raises:
            Unfound: there is no such plan.
            PlanUnfit: it was altered, has expired, lacks an approval, or is for another account.
            Mistake: it is for another source.
            LeaseLost: another runner took over.
            RetryLater: the CRM is out of reach; apply again to go on.
        """
        plan = self._journal.plan(plan_id)
        state = self._verified(plan)
        if plan.source != self._connector.source:
            raise Mistake(f"plan {plan.id} is for {plan.source}, not {self._connector.source}")
        exchange = Exchange(self._connector, self._store, self._clock, self._notice)
        if state.settled == state.total:
            return self._through(plan, state, exchange, by, hooks)
        self._approved(plan)
        expired = self._clock.now() >= plan.expires
        if expired and not state.sending:
            raise _expired(plan)
        run = self._run(plan, exchange, hooks)
        # Steps left sending by a crash come first: nobody knows yet whether they landed.
        run.reconcile(may_write=not expired)
        if expired:
            raise _expired(plan)
        run.settle_unwritten()
        ending, why = run.write_planned()
        return self._ended(plan, run, ending, why, exchange.calls, by)

    def _verified(self, plan: Plan) -> _State:
        """Recompute the digest from what is stored, and count how far the plan has come."""
        digest = Digest()
        counts: Counter[str] = Counter()
        settled_at: datetime | None = None
        for journalled in self._journal.steps(plan.id):
            digest.add(journalled.step)
            counts[journalled.state] += 1
            if journalled.state == StepState.SETTLED and journalled.at is not None:
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
        )

    def _approved(self, plan: Plan) -> None:
        author = plan.author.casefold()
        others = {by.casefold() for by, _ in self._journal.approvals(plan.id)} - {author}
        if len(others) < plan.approvals_required:
            raise PlanUnfit(
                f"plan {plan.id} needs {plan.approvals_required} approval by somebody other than "
                f"its author, {plan.author}; it has {len(others)}",
                hint=f"somebody else runs `crmtrail approve {plan.id}`",
            )

    def _run(self, plan: Plan, exchange: Exchange, hooks: Hooks) -> Run:
        return Run(
            plan,
            journal=self._journal,
            exchange=exchange,
            clock=self._clock,
            restore=self._restore,
            hooks=hooks,
            us=self._us(plan, exchange) if plan.counts.get(Action.UPDATE) else "",
        )

    def _us(self, plan: Plan, exchange: Exchange) -> str:
        """Return who the vendor says we are; refuse another account than the plan's."""
        identity = exchange.identity()
        if self._account and identity.account and identity.account != self._account:
            raise PlanUnfit(
                f"plan {plan.id} is for account {self._account}, but the credentials open "
                f"{identity.account}",
                hint=f"mend the credentials of {plan.source} in the config",
            )
        return identity.user

    def _ended(
        self, plan: Plan, run: Run, ending: Ending, why: str, calls: int, by: str
    ) -> Applied:
        words = f"not attempted: {why or 'stopped as asked'}; apply the plan again to go on"
        outcomes = Counter(self._journal.tally(plan.id))
        outcomes[Result.FAILED] += run.left
        sealed = None
        if ending is not Ending.STOPPED:
            # A crash before this leaves the plan through but without its receipt: the next apply
            # makes it from the journal.
            sealed = self._receipt(plan, outcomes, calls, by)
        return Applied(plan, ending, sealed, run.left, lambda: self._as_settled(plan, words))

    def _through(
        self, plan: Plan, state: _State, exchange: Exchange, by: str, hooks: Hooks
    ) -> Applied:
        last = self._journal.receipt(plan.id)
        if last is None or (state.settled_at is not None and last.applied_at < state.settled_at):
            counts = Counter(self._journal.tally(plan.id))
            sealed = self._receipt(plan, counts, exchange.calls, by)
            return Applied(plan, Ending.DONE, sealed, 0, lambda: self._as_settled(plan, ""))
        spool = Spool()
        counts = self._look(plan, exchange, hooks, spool)
        sealed = self._receipt(plan, counts, exchange.calls, by)
        return Applied(plan, Ending.CHECKED, sealed, 0, lambda: self._as_found(plan, spool))

    def _look(self, plan: Plan, exchange: Exchange, hooks: Hooks, spool: Spool) -> Counter[Result]:
        """Read every record that the plan wrote and put its outcome aside; write nothing."""
        counts: Counter[Result] = Counter()
        steps = self._journal.steps(plan.id)
        for batch in batches(steps, canary=0, size=exchange.read_batch):
            hooks.heartbeat()
            refs = [each.step.ref for each in batch if each.step.write]
            found = exchange.read(refs) if refs else {}
            for each in batch:
                outcome = looked_at(each, found.get(each.step.ref.id))
                counts[outcome.result] += 1
                spool.add(_line(outcome))
        return counts

    def _receipt(self, plan: Plan, counts: Counter[Result], calls: int, by: str) -> Receipt:
        return receipt.sealed(
            self._journal, plan, counts, by=by, at=self._clock.now(), api_calls=calls
        )

    def _as_settled(self, plan: Plan, words: str) -> Iterator[tuple[Step, Outcome]]:
        for each in self._journal.steps(plan.id):
            yield each.step, each.outcome or Outcome(each.step.id, Result.FAILED, words)

    def _as_found(self, plan: Plan, spool: Spool) -> Iterator[tuple[Step, Outcome]]:
        for each, line in zip(self._journal.steps(plan.id), spool, strict=True):
            yield each.step, _outcome_of(line)


def _expired(plan: Plan) -> PlanUnfit:
    return PlanUnfit(
        f"plan {plan.id} expired at {plan.expires:%Y-%m-%d %H:%M} UTC",
        hint="make a new plan: it will show how things stand now",
    )


def _line(outcome: Outcome) -> bytes:
    return canonical(
        {
            "step": outcome.step,
            "result": outcome.result.value,
            "detail": outcome.detail,
            "fields": {name: result.value for name, result in outcome.fields.items()},
        }
    )


def _outcome_of(line: bytes) -> Outcome:
    content = json.loads(line)
    fields = {name: Result(result) for name, result in content["fields"].items()}
    return Outcome(content["step"], Result(content["result"]), content["detail"], fields)
