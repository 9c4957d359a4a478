"""Write to the CRM: approve, apply, undo."""

import sys
from itertools import islice
from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command
from crmtrail.cli.plans import render_counts, render_plan, render_step, writes
from crmtrail.cli.sync import stop_on_signals
from crmtrail.errors import CrmtrailError

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.model import Receipt
    from rollback.apply import Applied


_FIRST = 10
"""Steps, and conflicts after them, shown before the question."""


@command("approve", short_help="Approve somebody else's plan.")
@click.argument("plan")
def approve(context: Context, plan: str) -> None:
    """Approve the plan PLAN. Its author cannot."""
    from crmtrail import shapes

    app = context.app
    app.approve(plan)
    shape = shapes.plan(app.journal.plan(plan), app.journal.approvals(plan))["approval"]
    context.answer(
        {"plan": plan, "approval": shape},
        lambda out: out.print(f"Approved by {app.user}. To do it: crmtrail apply {plan}"),
    )


@command("apply", short_help="Write a plan to the CRM, read it back, seal it.")
@click.argument("plan")
@click.option("--canary", type=click.IntRange(0), help="Restore so many records first, alone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(context: Context, plan: str, *, canary: int | None, yes: bool) -> int:
    """Apply the plan PLAN. Run it again after an interruption: it resumes."""
    return _apply(context, plan, canary=canary, yes=yes)


@command("undo", short_help="Reverse an applied plan.")
@click.argument("plan")
@click.option("--canary", type=click.IntRange(0), help="Restore so many records first, alone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def undo(context: Context, plan: str, *, canary: int | None, yes: bool) -> int:
    """Plan and apply what reverses the applied plan PLAN."""
    from crmtrail.model import OnConflict
    from rollback.selections import ByUndo

    made = context.app.plan(ByUndo(plan), OnConflict.KEEP)
    return _apply(context, made.id, canary=canary, yes=yes)


def _apply(context: Context, id_: str, *, canary: int | None, yes: bool) -> int:
    app = context.app
    if not yes:
        _confirm(context, id_)
    try:
        with stop_on_signals() as stopping, context.progress(f"plan {id_}") as tell:
            applied = app.apply(
                id_,
                canary=canary,
                stopping=stopping.is_set,
                progress=lambda at: tell(at.done, at.planned, f"{at.api_calls} API calls"),
            )
    except CrmtrailError as error:
        return _interrupted(context, id_, error)
    if applied.receipt is None:
        context.refuse(
            f"stopped; {applied.left:,} steps were not reached, nothing is half done",
            f"crmtrail apply {id_} goes on where it stopped",
            130,
            done=sum(applied.plan.counts.values()) - applied.left,
            planned=sum(applied.plan.counts.values()),
        )
        return 130
    _answer(context, applied, applied.receipt)
    from crmtrail.model import Result

    partly = (Result.CONFLICT, Result.REFUSED, Result.FAILED)
    return 3 if any(applied.receipt.outcomes.get(result, 0) for result in partly) else 0


def _interrupted(context: Context, id_: str, error: CrmtrailError) -> int:
    """Tell how far an apply came that an error ended; what keeps one from starting, as it is."""
    from crmtrail.errors import BudgetSpent, Locked, Mistake, PlanUnfit

    if isinstance(error, Mistake | PlanUnfit | Locked):
        raise error
    journal = context.app.journal
    done, planned = sum(journal.tally(id_).values()), sum(journal.plan(id_).counts.values())
    # Nothing resumes an apply by itself: a vendor's hint that says so is meant for syncs.
    hint = "" if isinstance(error, BudgetSpent) else error.hint
    going_on = f"`crmtrail apply {id_}` goes on"
    when = " once the budget allows" if isinstance(error, BudgetSpent) else ""
    context.refuse(
        f"{error}; {done:,} of {planned:,} steps are done",
        "; then ".join(part for part in (hint, f"{going_on}{when}") if part),
        error.exit_code,
        done=done,
        planned=planned,
    )
    return error.exit_code


def _confirm(context: Context, id_: str) -> None:
    from crmtrail.cli.context import console
    from crmtrail.errors import Mistake

    if not context.interactive:
        raise Mistake(
            "apply asks before it writes, and there is nobody to ask",
            hint=f"look at the plan, then: crmtrail apply {id_} --yes",
        )
    journal = context.app.journal
    made = journal.plan(id_)
    out = console(stderr=True)
    steps = (one.step for one in journal.steps(id_))
    render_plan(out, made, islice(steps, _FIRST))
    conflicts = (
        one for one in steps if one.action == "conflict" or set(one.left) & set(one.expect)
    )
    for step in islice(conflicts, _FIRST):
        render_step(out, step)
    total = sum(made.counts.values())
    if total > _FIRST:
        out.print(f"All {total:,} steps: crmtrail plan-show {id_} --all", markup=False)
    render_counts(out, made)
    if not writes(made):
        out.print("There is nothing to write.")
        return
    into = context.app.connector(made.source, restoring=True).identity().name
    named = f"{made.source}, which is {into}" if into else made.source
    click.confirm(f"Write this to {named}?", abort=True, err=True)


def _answer(context: Context, applied: "Applied", sealed: "Receipt") -> None:
    from crmtrail.model import Result
    from rollback.receipt import as_json, as_text

    approved = [by for by, _ in context.app.journal.approvals(sealed.plan)]
    if context.as_json:
        result = {"event": "result"}
        for piece in as_json(sealed, applied.steps(), result, approved_by=approved):
            sys.stdout.write(piece)
        sys.stdout.write("\n")
        sys.stdout.flush()
        return

    def render(out: "Console") -> None:
        halted = _halted(applied)
        if halted:
            out.print(halted, markup=False)
        if applied.into:
            out.print(f"Written to {applied.into}.", markup=False)
        left = applied.unreached
        for line in as_text(sealed, applied.steps(), unreached=left, approved_by=approved):
            out.print(line, markup=False)
        if context.app.journal.tally(sealed.plan)[Result.RESTORED]:
            out.print(f"To reverse it: crmtrail undo {sealed.plan}", markup=False)

    context.answer(None, render)


def _halted(applied: "Applied") -> str:
    """Say in one line that the stop rule ended the run, if it did."""
    if not applied.why:
        return ""
    rest = f"{applied.left:,} not attempted: `crmtrail apply {applied.plan.id}` goes on"
    return f"{applied.why[0].upper()}{applied.why[1:]}; {rest}"
