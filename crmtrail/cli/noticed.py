"""What was noticed: operations, incidents, one incident."""

from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command, parse_time, table
from crmtrail.cli.look import clock, shown

if TYPE_CHECKING:
    from rich.console import Console

_FAILED = 5
"""Objects whose last sync failed that are named beside the incidents."""

_SAMPLE = 10
"""Change sets of an incident shown to a person; `crmtrail log --operation` lists all."""


@command("operations", short_help="Changes clustered by actor, app and burst.")
@click.option("--source", help="Only this source.")
@click.option("--since", help="Only those that ended at or after this time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def operations(context: Context, source: str | None, since: str | None, limit: int) -> None:
    """List operations, newest first."""
    from crmtrail import shapes

    found = context.app.store.operations(source=source, since=parse_time(since), limit=limit)

    def render(out: "Console") -> None:
        if not found:
            out.print("No operations.")
            return
        rows = [
            (
                one.id,
                f"{one.source}:{one.object}",
                one.op,
                str(one.actor),
                clock(one.started),
                f"{one.records:,}",
                ", ".join(one.fields),
            )
            for one in found
        ]
        names = ("operation", "object", "what", "who", "started", "records", "fields")
        out.print(table("", names, rows))

    context.answer({"operations": [shapes.operation(one) for one in found]}, render)


@command("incidents", short_help="What was noticed.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["new", "ongoing", "resolved", "open"]),
    help="Only these states; open means new and ongoing.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 4 where there is any.")
def incidents(context: Context, states: tuple[str, ...], *, exit_code: bool) -> int:
    """List incidents, newest first."""
    from crmtrail import shapes
    from crmtrail.model import IncidentState

    wanted = {IncidentState(state) for state in states if state != "open"}
    if "open" in states:
        wanted |= {IncidentState.NEW, IncidentState.ONGOING}
    found = context.app.store.incidents(sorted(wanted))

    def render(out: "Console") -> None:
        if not found:
            out.print("No incidents.")
            return
        rows = [
            (
                one.id,
                one.finding.severity,
                one.state,
                clock(one.operation.started),
                one.finding.title,
            )
            for one in found
        ]
        out.print(table("", ("incident", "severity", "state", "since", "what"), rows))

    context.answer({"incidents": [shapes.incident(one) for one in found]}, render)
    failed = [
        f"{one.source}:{one.object}"
        for one in context.app.store.standings()
        if one.last_run in {"failed", "interrupted"}
    ]
    if failed:
        most = ", ".join(failed[:_FAILED]) + (", ..." if len(failed) > _FAILED else "")
        context.say(f"the last sync failed of {len(failed)} objects ({most}): crmtrail status")
    return 4 if exit_code and found else 0


@command("incident", short_help="One incident, with its evidence.")
@click.argument("id_", metavar="ID")
@click.option("--resolve", is_flag=True, help="Close it by hand; needs --why.")
@click.option("--why", help="Why it is closed; sealed in the ledger with your name.")
def incident(context: Context, id_: str, *, resolve: bool, why: str | None) -> None:
    """Show one incident: who, through what, when, which fields, and how to undo it."""
    from itertools import islice

    from crmtrail import shapes
    from crmtrail.cli.viewed import note_view
    from crmtrail.errors import Mistake

    reason = (why or "").strip()
    if resolve != bool(reason):
        raise Mistake(
            "--resolve and --why TEXT go together",
            hint=f"for example: crmtrail incident {id_} --resolve --why 'the import was meant'",
        )
    if resolve:
        context.app.resolve(id_, reason)
    store = context.app.store
    found = store.incident(id_)
    of = (found.operation.source, found.operation.object)
    note_view(context, "incident", [of], query={"incident": id_})

    def render(out: "Console") -> None:
        finding, cluster = found.finding, found.operation
        lines = (
            ("what", finding.title),
            ("why told", finding.why),
            ("state", f"{found.state}, {finding.severity}"),
            ("who", str(cluster.actor)),
            ("when", f"{clock(cluster.started)} to {clock(cluster.ended)}"),
            ("fields", ", ".join(finding.fields)),
            ("operation", cluster.id),
        )
        out.print(table(found.id, ("", ""), lines))
        rows = [
            (str(what.ref), one.field, shown(one.old), shown(one.new))
            for what in islice(store.members(cluster.id), _SAMPLE)
            for one in what.changes
            if one.field in finding.fields
        ]
        out.print(
            table(f"the first {len(rows)} changes", ("record", "field", "before", "after"), rows)
        )
        out.print(f"All of them:  crmtrail log --operation {cluster.id}")
        out.print(f"Undo it:      crmtrail plan --incident {found.id}")
        if found.state != "resolved":
            out.print(f"Close it:     crmtrail incident {found.id} --resolve --why TEXT")

    context.answer(shapes.incident(found), render)
