"""Receipts: what an apply did, counted, sealed and shown.

``planned`` always equals the sum of the outcomes. Steps stream by; they never sit in memory
together.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from crmtrail.errors import StopAll
from crmtrail.model import Outcome, Plan, Receipt, Result, Step, stamp
from crmtrail.ports import Journal
from rollback.meaning import spoken

_RIGHT = (Result.RESTORED, Result.ALREADY)


def sealed(
    journal: Journal,
    plan: Plan,
    outcomes: Mapping[Result, int],
    *,
    by: str,
    at: datetime,
    api_calls: int,
) -> Receipt:
    """Make the receipt of an apply, seal it and return it with its leaf.

    Raises:
        StopAll: the outcomes do not add up to the plan's steps; nothing was sealed.
    """
    planned = sum(plan.counts.values())
    counts = {result: outcomes.get(result, 0) for result in Result}
    if sum(counts.values()) != planned:
        raise StopAll(
            f"plan {plan.id} has {planned} steps, but {sum(counts.values())} outcomes",
            hint="run `crmtrail verify`, and report this: it is a fault of crmtrail",
        )
    receipt = Receipt(
        plan=plan.id,
        applied_at=at,
        applied_by=by,
        planned=planned,
        outcomes=counts,
        api_calls=api_calls,
        leaf=-1,
    )
    return journal.receive(receipt)


def as_json(
    receipt: Receipt,
    steps: Iterable[tuple[Step, Outcome]],
    extra: Mapping[str, Any] | None = None,
    *,
    approved_by: Sequence[str] = (),
) -> Iterator[str]:
    """Stream one JSON document, in pieces to be joined.

    Its keys are those of ``extra``, then ``planned``, ``api_calls``, ``ledger`` and ``receipt``.
    ``approved_by`` names who approved the plan.
    """
    head = {
        **(extra or {}),
        "planned": receipt.planned,
        "api_calls": receipt.api_calls,
        "ledger": {"leaf": receipt.leaf},
    }
    shown = {
        "plan": receipt.plan,
        "applied_at": stamp(receipt.applied_at),
        "applied_by": receipt.applied_by,
        "approved_by": list(approved_by),
        "outcomes": {result.value: receipt.outcomes.get(result, 0) for result in Result},
    }
    yield f'{json.dumps(head)[:-1]}, "receipt": {json.dumps(shown)[:-1]}, "steps": ['
    for number, (step, outcome) in enumerate(steps):
        yield ("" if number == 0 else ", ") + json.dumps(_step(step, outcome))
    yield "]}}"


def as_text(
    receipt: Receipt,
    steps: Iterable[tuple[Step, Outcome]],
    *,
    unreached: str = "",
    approved_by: Sequence[str] = (),
) -> Iterator[str]:
    """Stream a receipt as lines for people: what was not put back is said in full.

    Steps of which only ``unreached`` is to be said are counted, not listed.
    """
    yield f"Plan {receipt.plan}, applied {spoken(receipt.applied_at)} by {receipt.applied_by}"
    if approved_by:
        yield f"Approved by {', '.join(approved_by)}"
    for result in Result:
        yield f"  {result.value:<9} {receipt.outcomes.get(result, 0):>9,}"
    yield f"  {'planned':<9} {receipt.planned:>9,}"
    for step, outcome in steps:
        if outcome.result not in _RIGHT and not (unreached and outcome.detail == unreached):
            yield f"{outcome.result.value}: {step.ref}: {outcome.detail}"
    yield f"Sealed as entry {receipt.leaf} of the ledger; {receipt.api_calls:,} API calls"


def _step(step: Step, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": step.id,
        "record": str(step.ref),
        "outcome": outcome.result.value,
        "detail": outcome.detail,
        "fields": {name: result.value for name, result in outcome.fields.items()},
    }
