"""Make and look at plans: plan, plans, plan-show. Nothing here writes to a CRM."""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, parse_record, parse_time, table
from crmtrail.cli.look import clock, shown

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.model import Plan, Step
    from rollback.selections import Selection

_SIGNS = {"update": "~", "create": "+", "undelete": "+", "delete": "-", "associate": "&",
          "skip": "=", "conflict": "!", "blocked": "x"}  # fmt: skip

_UNWRITTEN = frozenset({"skip", "conflict", "blocked"})

_SHOWN = 40
"""Steps shown to a person at first; --all and --json have every one."""


@command("plan", short_help="What a restore would write; writes nothing.")
@click.option("--incident", help="Undo what this incident is about.")
@click.option("--operation", help="Undo everything this operation changed.")
@click.option("--record", "records", multiple=True, help="This record (may be repeated).")
@click.option("--field", "fields", multiple=True, help="Only this field (may be repeated).")
@click.option("--object", "object_", help="All records of this source:object.")
@click.option("--at", help="As of this time; with --record or --object.")
@click.option("--undo", help="Reverse this applied plan.")
@click.option(
    "--on-conflict",
    type=click.Choice(["keep", "overwrite", "ask"]),
    default="keep",
    show_default=True,
    help="What to do with fields that somebody changed since.",
)
@click.option(
    "--consent",
    is_flag=True,
    help="Put back, too, what people agreed to; a second person has to approve it.",
)
@click.option("--all", "all_steps", is_flag=True, help="Show every step.")
def plan(
    context: Context, *, on_conflict: str, consent: bool, all_steps: bool, **given: Any
) -> None:
    """Make a plan: what would be written, and what must still be there. Writes nothing."""
    from crmtrail.model import OnConflict

    selection = _selection(context, **given)
    made = context.app.plan(selection, OnConflict(on_conflict), consent=consent)
    show_plan(context, made, all_steps=all_steps)


def _selection(context: Context, **given: Any) -> "Selection":
    from crmtrail.errors import Mistake
    from rollback.selections import ByIncident, ByObject, ByOperation, ByRecords, ByUndo

    kinds = ("incident", "operation", "records", "object_", "undo")
    chosen = [kind for kind in kinds if given[kind]]
    if len(chosen) != 1:
        raise Mistake(
            "name exactly one of --incident, --operation, --record, --object, --undo",
            hint="for example: crmtrail plan --incident inc-1a2b3c4d",
        )
    timed = chosen[0] in ("records", "object_")
    if timed != bool(given["at"]):
        raise Mistake(
            "--at goes with --record and --object, and they need it",
            hint="for example: crmtrail plan --record sf:Contact:003... --at 2026-11-20T09:00:00Z",
        )
    if given["fields"] and chosen[0] != "records":
        raise Mistake("--field goes with --record only")
    at = parse_time(given["at"])
    match chosen[0]:
        case "incident":
            return ByIncident(given["incident"])
        case "operation":
            return ByOperation(given["operation"])
        case "undo":
            return ByUndo(given["undo"])
        case "object_":
            source, object_ = context.app.target(given["object_"])
            return ByObject(source, object_, at)
    refs = tuple(parse_record(record) for record in given["records"])
    return ByRecords(refs, at, tuple(given["fields"]))


@command("plans", short_help="All plans.")
def plans(context: Context) -> None:
    """List plans, newest first, and how far each got."""
    from crmtrail import shapes
    from rollback.life import state_of, undoings

    app = context.app
    journal = app.journal
    made, undone, now = journal.plans(), undoings(journal), app.clock.now()
    states = {one.id: state_of(journal, one, now, undone) for one in made}

    def render(out: "Console") -> None:
        rows = [
            (
                one.id,
                clock(one.created),
                one.author,
                " ".join(f"{n:,} {action}" for action, n in one.counts.items() if n),
                states[one.id],
            )
            for one in made
        ]
        out.print(table("", ("plan", "made", "by", "steps", "state"), rows))

    shape = [
        shapes.plan(one, journal.approvals(one.id))
        | {"applied": journal.receipt(one.id) is not None, "state": states[one.id]}
        for one in made
    ]
    context.answer({"plans": shape}, render)


@command("plan-show", short_help="One plan, step by step.")
@click.argument("id_", metavar="ID")
@click.option("--all", "all_steps", is_flag=True, help="Show every step.")
def plan_show(context: Context, id_: str, *, all_steps: bool) -> None:
    """Show the plan ID: every step, what it expects to find and what it will write."""
    from crmtrail.cli.viewed import note_view

    journal = context.app.journal
    made = journal.plan(id_)
    note_view(context, "plan-show", journal.objects(id_), query={"plan": id_})
    show_plan(context, made, all_steps=all_steps)


def show_plan(context: Context, made: "Plan", *, all_steps: bool) -> None:
    """Print a plan with its steps."""
    from crmtrail import shapes
    from rollback.life import approvals_given, approvals_required

    journal = context.app.journal
    required = approvals_required(made, context.app.config.restore)
    shape = shapes.plan(made, journal.approvals(made.id))
    shape["approval"]["required"] = required
    if context.as_json:
        steps = (shapes.step(one.step) for one in journal.steps(made.id))
        _stream(shape, steps)
        return

    def render(out: "Console") -> None:
        total = sum(made.counts.values())
        limit = total if all_steps or total <= _SHOWN else _SHOWN
        render_plan(out, made, (one.step for one in islice(journal.steps(made.id), limit)))
        if limit < total:
            out.print(f"... and {total - limit:,} more: crmtrail plan-show {made.id} --all")
        state = context.app.restoring.state(made)
        if state != "planned":
            render_counts(out, made)
            rest = f"; crmtrail apply {made.id} goes on" if state == "part applied" else ""
            out.print(f"State: {state}{rest}", markup=False)
            return
        render_totals(out, made, missing=required - approvals_given(journal, made))

    context.answer(None, render)


def _stream(shape: dict[str, Any], steps: "Iterable[dict[str, Any]]") -> None:
    """Print one JSON document, step by step, however many there are."""
    from crmtrail.shapes import encode

    write = sys.stdout.write
    write('{"plan":' + encode(shape).decode()[:-1] + ',"steps":[')
    for place, step in enumerate(steps):
        write(("," if place else "") + encode(step).decode())
    write("]}," + encode(_top(shape)).decode()[1:] + "\n")
    sys.stdout.flush()


def _top(shape: dict[str, Any]) -> dict[str, Any]:
    """Repeat the counts beside the plan, where scripts look for them first."""
    return {name: shape[name] for name in ("counts", "api_calls", "approval")}


def render_plan(out: "Console", made: "Plan", steps: "Iterable[Step]") -> None:
    """Print the steps as a diff a person can review."""
    out.print(f"Plan {made.id} · {made.source} · made {clock(made.created)} by {made.author}"
              f" · expires {clock(made.expires)}", markup=False)  # fmt: skip
    if made.selection.get("consent"):
        out.print("Made to put back, too, what people agreed to: it needs a second person's yes.")
    for step in steps:
        render_step(out, step)


def render_step(out: "Console", step: "Step") -> None:
    """Print one step: a line for each field, and a reason where the fields do not tell it."""
    reason = f"  ({step.reason})" if step.reason and (step.write or not step.left) else ""
    out.print(f"  {_SIGNS[step.action]} {step.ref}{reason}", markup=False)
    for name in sorted(step.write):
        old, new = shown(step.expect.get(name)), shown(step.write[name])
        out.print(f"      {name}: {old} → {new}", markup=False)
    for name in sorted(step.left):
        words = step.left[name]
        alone = "" if words.endswith("left as it is") else "left alone, "
        out.print(f"      {name}: {alone}{words}", markup=False)


def render_counts(out: "Console", made: "Plan") -> None:
    """Print what a plan adds up to."""
    counted = ", ".join(f"{n:,} {action}" for action, n in made.counts.items() if n) or "no steps"
    out.print(f"{counted} · up to {made.api_calls:,} API calls", markup=False)


def render_totals(out: "Console", made: "Plan", *, missing: int | None = None) -> None:
    """Print what a plan adds up to, and what to do next; ``missing`` approvals come first."""
    render_counts(out, made)
    if not writes(made):
        out.print("There is nothing to write.")
        return
    if made.approvals_required if missing is None else missing > 0:
        out.print(f"Needs the approval of a second person: crmtrail approve {made.id}")
    out.print(f"Nothing was written. To do it: crmtrail apply {made.id}", markup=False)


def writes(made: "Plan") -> bool:
    """Whether any step of a plan writes."""
    return any(n for action, n in made.counts.items() if action not in _UNWRITTEN)
