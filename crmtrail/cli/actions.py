"""The trail of crmtrail itself: actions."""

from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, parse_time, table
from crmtrail.cli.look import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

_WHO = ("by", "login", "applied_by", "author")


@command("actions", short_help="What crmtrail itself did, and who had it done.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind (may be repeated).")
@click.option("--since", help="Only at or after this time.")
@click.option("--until", help="Only before this time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--cursor", help="Go on where the last page ended (its `next`).")
def actions(
    context: Context,
    *,
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List the actions sealed in the ledger, newest first: who, when, what.

    docs/ledger.md lists the kinds and what each says.
    """
    from crmtrail import shapes
    from crmtrail.errors import Mistake

    start, end = parse_time(since), parse_time(until)
    if start and end and start >= end:
        raise Mistake("--since is not before --until")
    found, following = context.app.store.deeds(
        kinds, since=start, until=end, limit=limit, cursor=cursor
    )
    shaped = [shapes.deed(one) for one in found]

    def render(out: "Console") -> None:
        if not found:
            out.print("No actions.")
            return
        rows = [
            (clock(one.at), one.kind, shape["by"] or "crmtrail", told(one.entry), one.index)
            for one, shape in zip(found, shaped, strict=True)
        ]
        out.print(table("", ("when", "kind", "who", "what", "entry"), rows))
        if following:
            out.print(f"There is more: --cursor {following}")

    context.answer({"actions": shaped, "next": following}, render)


def told(entry: "Mapping[str, Any]") -> str:
    """Return what an entry says beside who, in one line."""
    return ", ".join(
        f"{name} {_plain(one)}"
        for name, one in entry.items()
        if name not in _WHO and one not in (None, [], {})
    )


def _plain(one: Any) -> str:
    if isinstance(one, dict):
        return "(" + ", ".join(f"{name} {_plain(each)}" for name, each in one.items()) + ")"
    return " ".join(map(str, one)) if isinstance(one, list) else str(one)
