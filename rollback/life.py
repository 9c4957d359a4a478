"""Where a plan stands in its life, from what the journal holds."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from crmtrail.config import RestoreConfig
from crmtrail.errors import PlanUnfit
from crmtrail.model import Plan, Result
from crmtrail.ports import Journal, StepState
from rollback.batches import written
from rollback.meaning import spoken


class State(StrEnum):
    """How far a plan has come."""

    PLANNED = "planned"
    PARTLY = "part applied"
    APPLIED = "applied"
    UNDONE = "undone"
    EXPIRED = "expired"


def undoings(journal: Journal) -> Mapping[str, str]:
    """Return, for each plan of which an undo has put something back, that undo's id."""
    return {
        plan.undoes: plan.id
        for plan in reversed(journal.plans())
        if plan.undoes and journal.tally(plan.id)[Result.RESTORED]
    }


def state_of(journal: Journal, plan: Plan, now: datetime, undone: Mapping[str, str]) -> State:
    """Return where a plan stands; ``undone`` are the `undoings`."""
    if plan.id in undone:
        return State.UNDONE
    settled, planned = sum(journal.tally(plan.id).values()), sum(plan.counts.values())
    if settled == planned and (planned or journal.receipt(plan.id)):
        return State.APPLIED
    sending = journal.steps(plan.id, states=(StepState.SENDING,))
    if settled or next(sending, None) is not None:
        return State.PARTLY
    return State.EXPIRED if now >= plan.expires else State.PLANNED


def approvals_required(plan: Plan, restore: RestoreConfig) -> int:
    """Return how many approvals a plan needs: what it was made under, or the config if stricter."""
    limit = restore.four_eyes_above
    now = int(limit is not None and written(plan.counts) > limit)
    return max(plan.approvals_required, now)


def approvals_given(journal: Journal, plan: Plan) -> int:
    """Return how many people other than the author approved a plan."""
    by = {approver.casefold() for approver, _ in journal.approvals(plan.id)}
    return len(by - {plan.author.casefold()})


def expired(plan: Plan) -> PlanUnfit:
    """Return the error for a plan that came too late."""
    return PlanUnfit(
        f"plan {plan.id} expired at {spoken(plan.expires)}",
        hint="make a new plan: it will show how things stand now",
    )


def undone(plan: Plan, by: str) -> PlanUnfit:
    """Return the error for a plan that was reversed."""
    return PlanUnfit(
        f"plan {plan.id} was undone by plan {by}",
        hint="make a new plan: it will show how things stand now",
    )
