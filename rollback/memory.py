"""A journal in memory: the port's second implementation, for tests and rehearsals."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from crmtrail.model import Outcome, Plan, Receipt, Ref, Result, Step, Tokens
from crmtrail.ports import Journalled, StepState
from rollback.sealed import (
    approval_entry,
    new_id,
    no_step,
    outcome_entry,
    plan_entry,
    receipt_entry,
    taken,
    unfound,
    write_entry,
)
from snapshot.awaited import Sent, awaited

Seal: TypeAlias = Callable[[str, Mapping[str, Any], datetime], int]
"""Append an entry to the ledger and return its leaf index, as `Store.seal` does."""


@dataclass(slots=True)
class _Kept:
    plan: Plan
    steps: dict[str, Journalled] = field(default_factory=dict)
    approvals: dict[str, datetime] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    sent: dict[str, datetime] = field(default_factory=dict)


class MemoryJournal:
    """Plans, approvals, intents and receipts in memory. It forgets with the process."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._plans: dict[str, _Kept] = {}

    def next_id(self) -> str:
        """Return a new plan id."""
        return new_id()

    def file(self, plan: Plan, steps: Iterator[Step]) -> None:
        """Keep a plan with its steps and seal it."""
        kept = _Kept(plan, {step.id: Journalled(step, StepState.PLANNED) for step in steps})
        self._seal("plan", plan_entry(plan), plan.created)
        self._plans[plan.id] = kept

    def plan(self, id_: str) -> Plan:
        """Return a plan."""
        return self._kept(id_).plan

    def plans(self) -> Sequence[Plan]:
        """Return all plans, newest first."""
        plans = [kept.plan for kept in self._plans.values()]
        return sorted(plans, key=lambda plan: (plan.created, plan.id), reverse=True)

    def objects(self, plan: str) -> Sequence[tuple[str, str]]:
        """Return the source and object of every record that a plan has a step for."""
        refs = (journalled.step.ref for journalled in self._kept(plan).steps.values())
        return sorted({(ref.source, ref.object) for ref in refs})

    def steps(self, plan: str, *, states: Sequence[str] = ()) -> Iterator[Journalled]:
        """Stream the steps of a plan in order, of some states only if given."""
        steps = self._kept(plan).steps
        for id_ in tuple(steps):
            if not states or steps[id_].state in states:
                yield steps[id_]

    def approve(self, plan: str, by: str, at: datetime) -> None:
        """Note an approval and seal it; a second one by the same person changes nothing."""
        approvals = self._kept(plan).approvals
        if by not in approvals:
            self._seal("approval", approval_entry(plan, by), at)
            approvals[by] = at

    def approvals(self, plan: str) -> Sequence[tuple[str, datetime]]:
        """Return who approved, and when."""
        return sorted(self._kept(plan).approvals.items(), key=lambda item: (item[1], item[0]))

    def intend(self, plan: str, before: Mapping[str, Tokens], at: datetime) -> None:
        """Mark planned steps as being sent, all or none, and seal that."""
        if not before:
            return
        steps = self._known(plan, before)
        if any(steps[id_].state != StepState.PLANNED for id_ in before):
            raise taken(plan)
        self._kept(plan).sent.update(dict.fromkeys(before, at))
        self._seal("write", write_entry(plan, before), at)
        for id_, tokens in before.items():
            steps[id_] = replace(steps[id_], state=StepState.SENDING, before=dict(tokens), at=at)

    def settle(self, plan: str, outcomes: Sequence[Outcome], at: datetime) -> None:
        """Note how steps ended and seal each outcome. A settled step never changes again."""
        steps = self._known(plan, [outcome.step for outcome in outcomes])
        for outcome in outcomes:
            known = steps[outcome.step]
            if known.state == StepState.SETTLED:
                continue
            self._seal("outcome", outcome_entry(plan, outcome), at)
            steps[outcome.step] = replace(known, state=StepState.SETTLED, outcome=outcome, at=at)

    def tally(self, plan: str) -> Mapping[Result, int]:
        """Return how many steps ended in each way."""
        counts = dict.fromkeys(Result, 0)
        for journalled in self._kept(plan).steps.values():
            if journalled.outcome is not None:
                counts[journalled.outcome.result] += 1
        return counts

    def receive(self, receipt: Receipt) -> Receipt:
        """Keep and seal a receipt; return it with its leaf index."""
        kept = self._kept(receipt.plan)
        leaf = self._seal("receipt", receipt_entry(receipt), receipt.applied_at)
        sealed = replace(receipt, leaf=leaf)
        kept.receipts.append(sealed)
        return sealed

    def receipt(self, plan: str) -> Receipt | None:
        """Return the newest receipt of a plan, if it was applied."""
        receipts = self._kept(plan).receipts
        return receipts[-1] if receipts else None

    def awaited(self, refs: Sequence[Ref]) -> Mapping[Ref, Sequence[Sent]]:
        """Return the steps that were sent for some records, for `snapshot.memory.MemoryStore`."""
        wanted = frozenset(refs)
        found: dict[Ref, list[Sent]] = {}
        for id_, kept in self._plans.items():
            for no, (step_id, journalled) in enumerate(kept.steps.items(), start=1):
                step = journalled.step
                if step_id in kept.sent and step.ref in wanted:
                    sent = Sent(id_, no, step.write, kept.sent[step_id])
                    ended = journalled.outcome
                    settled_at = None if ended is None else journalled.at
                    results = {} if ended is None else ended.fields
                    look_for = awaited(sent, journalled.before, settled_at, results)
                    if look_for is not None:
                        found.setdefault(step.ref, []).append(look_for)
        return found

    def _known(self, plan: str, wanted: Iterable[str]) -> dict[str, Journalled]:
        steps = self._kept(plan).steps
        for id_ in wanted:
            if id_ not in steps:
                raise no_step(plan, id_)
        return steps

    def _kept(self, id_: str) -> _Kept:
        if id_ not in self._plans:
            raise unfound(id_)
        return self._plans[id_]
