"""What of a plan's life goes into the ledger: ids, digests and counts, never a field's value.

Pure; both journals use it, so that their ledgers say the same.
"""

import secrets
from collections.abc import Iterable
from typing import Any, Final

from crmtrail.errors import LeaseLost, Unfound
from crmtrail.model import Outcome, Plan, Receipt, stamp

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's letters: none looks like another."""


def new_id() -> str:
    """Return a new plan id: 50 random bits, short enough to type."""
    return "plan-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def plan_entry(plan: Plan) -> dict[str, Any]:
    """Return the ledger entry of a plan that was filed; its digest covers every step."""
    return {
        "plan": plan.id,
        "digest": plan.digest,
        "author": plan.author,
        "source": plan.source,
        "created": stamp(plan.created),
        "expires": stamp(plan.expires),
        "counts": {action.value: count for action, count in sorted(plan.counts.items())},
        "approvals_required": plan.approvals_required,
        "undoes": plan.undoes,
    }


def approval_entry(plan: str, by: str) -> dict[str, Any]:
    """Return the ledger entry of an approval."""
    return {"plan": plan, "by": by}


def write_entry(plan: str, steps: Iterable[str]) -> dict[str, Any]:
    """Return the ledger entry of a batch that is about to be written to the CRM."""
    return {"plan": plan, "steps": list(steps)}


def outcome_entry(plan: str, outcome: Outcome) -> dict[str, Any]:
    """Return the ledger entry of how a step ended."""
    return {
        "plan": plan,
        "step": outcome.step,
        "result": outcome.result.value,
        "fields": {name: result.value for name, result in sorted(outcome.fields.items())},
    }


def receipt_entry(receipt: Receipt) -> dict[str, Any]:
    """Return the ledger entry of a receipt."""
    return {
        "plan": receipt.plan,
        "applied_by": receipt.applied_by,
        "planned": receipt.planned,
        "outcomes": {result.value: n for result, n in sorted(receipt.outcomes.items())},
        "api_calls": receipt.api_calls,
    }


def unfound(plan: str) -> Unfound:
    """Return the error for a plan that does not exist."""
    return Unfound(f"there is no plan {plan}", hint="`crmtrail plans` lists them")


def no_step(plan: str, step: str) -> Unfound:
    """Return the error for a step that its plan does not have."""
    return Unfound(f"plan {plan} has no step {step}")


def taken(plan: str) -> LeaseLost:
    """Return the error for steps that another runner has taken up."""
    return LeaseLost(
        f"another runner is applying plan {plan}", hint="wait for it to end, then look again"
    )
