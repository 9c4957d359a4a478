"""Announce a planned mass change, so that it makes no incident."""

from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, parse_time, table
from crmtrail.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from crmtrail.model import Expectation


@command("expect", short_help="Announce a planned mass change: it makes no incident.")
@click.option("--actor", default="", help="Who will do it: the id of a user or an app.")
@click.option("--via", default="", help="Through which app or import, by its name.")
@click.option("--object", "target", default="", help="Only on this source, or source:object.")
@click.option("--field", "fields", multiple=True, help="Only this field (may be repeated).")
@click.option("--records", type=click.IntRange(1), help="On so many records at most.")
@click.option("--from", "since", help="From this time on. Default: now.")
@click.option("--until", help="Before this time.")
@click.option("--why", default="", help="The reason, which is sealed. It must name nobody.")
@click.option("--list", "listing", is_flag=True, help="List what is announced.")
@click.option("--withdraw", help="Withdraw the announcement of this id.")
def expect(context: Context, *, listing: bool, withdraw: str | None, **given: Any) -> None:
    """Announce a planned mass change by --actor or --via, between --from and --until.

    What fits makes no incident. What goes beyond it does: at another time, on more records, on
    other fields. Who announced what, and why, is in the ledger.
    """
    app = context.app
    if listing:
        _list(context, app.store.expectations())
    elif withdraw is not None:
        why = _reason(given["why"])
        app.store.withdraw(withdraw, why=why, by=app.user)
        context.answer({"id": withdraw}, lambda out: out.print(f"Withdrawn: {withdraw}"))
    else:
        made = _announced(context, **given)
        app.store.expect(made)
        context.answer(_shape(context, made), lambda out: out.print(f"Announced: {made.id}"))


def _announced(  # noqa: PLR0913 -- one for each option
    context: Context,
    *,
    actor: str,
    via: str,
    target: str,
    fields: tuple[str, ...],
    records: int | None,
    since: str | None,
    until: str | None,
    why: str,
) -> "Expectation":
    from secrets import token_hex

    from crmtrail.model import Expectation

    if not (actor or via):
        raise Mistake(
            "an announcement says who will do it: --actor or --via",
            hint="`crmtrail operations` shows how actors and apps are named",
        )
    now = context.app.clock.now()
    end = parse_time(until)
    if end is None:
        raise Mistake("an announcement ends: --until", hint="--until 2026-12-01T06:00:00Z")
    start = parse_time(since) or now
    if end <= max(start, now):
        raise Mistake("the end lies before the begin, or in the past: check --from and --until")
    source, object_ = _place(context, target)
    return Expectation(
        id=f"exp-{token_hex(4)}",
        since=start,
        until=end,
        why=_reason(why),
        by=context.app.user,
        source=source,
        object=object_,
        actor=actor,
        via=via,
        fields=tuple(sorted(set(fields))),
        records=records,
    )


def _place(context: Context, target: str) -> tuple[str, str]:
    """Read ``source`` or ``source:object``; nothing is everywhere."""
    from crmtrail.targets import settings_of

    if not target:
        return "", ""
    if ":" in target:
        return context.app.target(target)
    settings_of(context.app.config.sources, target)
    return target, ""


def _reason(why: str) -> str:
    if not why.strip():
        raise Mistake("a reason is needed: --why", hint='--why "price list of December"')
    return why.strip()


def _list(context: Context, found: "Sequence[Expectation]") -> None:
    from crmtrail.cli.look import clock

    def render(out: "Console") -> None:
        if not found:
            out.print("Nothing is announced.")
            return
        rows = [
            (
                one.id,
                " ".join(part for part in (one.actor, one.via) if part),
                ":".join(part for part in (one.source, one.object) if part) or "everywhere",
                ", ".join(one.fields) or "all",
                "" if one.records is None else f"{one.records:,}",
                clock(one.since),
                clock(one.until),
                one.by,
                one.why,
            )
            for one in found
        ]
        names = ("id", "who", "where", "fields", "records", "from", "until", "by", "why")
        out.print(table("", names, rows))

    context.answer({"expected": [_shape(context, one) for one in found]}, render)


def _shape(context: Context, one: "Expectation") -> dict[str, Any]:
    from crmtrail import shapes

    return {
        "id": one.id,
        "actor": one.actor or None,
        "via": one.via or None,
        "source": one.source or None,
        "object": one.object or None,
        "fields": list(one.fields),
        "records": one.records,
        "from": shapes.time(one.since),
        "until": shapes.time(one.until),
        "why": one.why,
        "by": one.by,
        "over": one.until <= context.app.clock.now(),
    }
