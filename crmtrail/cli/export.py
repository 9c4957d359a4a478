"""Take records out: export."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command, parse_time
from crmtrail.cli.look import times_said

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.reports.export import Exported, Order

_FORMATS = ("csv", "jsonl", "parquet", "xlsx")


@command("export", short_help="Write the records of an object to a file.")
@click.argument("target")
@click.option("--at", help="As it was at this time (default: now).")
@click.option("--known", help="By what was known at this time (default: now).")
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="Default: by the ending.")
@click.option("--to", required=True, help="The file, or - for standard output (csv, jsonl).")
@click.option("--deleted", is_flag=True, help="Deleted records too, with a column that says so.")
@click.option("--raw", is_flag=True, help="csv: no ' before texts that look like formulas.")
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
def export(  # noqa: PLR0913 -- one argument for each option
    context: Context,
    target: str,
    at: str | None,
    known: str | None,
    format_: str | None,
    to: str,
    *,
    deleted: bool,
    raw: bool,
    force: bool,
) -> None:
    """Write the live records of TARGET (source:object), now or at a time, ordered by id.

    Memory does not grow with the number of records. jsonl is lossless: exact values, and a field
    that was not told is not there. A csv text that a spreadsheet could take for a formula gets '
    in front; --raw leaves it. The export is sealed in the ledger.

    --at is valid time: when things happened by the vendor's clock. --known is known time: what
    crmtrail would have exported then, before it learnt more.
    """
    from crmtrail.errors import Mistake
    from crmtrail.reports.export import Exporter, Order

    source, _, object_ = target.partition(":")
    if not source or not object_ or ":" in object_:
        raise Mistake(f"{target!r} is no object", hint="write source:object, like sf:Contact")
    if to == "-" and context.as_json:
        raise Mistake("--json and --to - both want standard output", hint="name a file with --to")
    moment, by = parse_time(at), parse_time(known)
    order = Order(source, object_, _format(format_, to), moment, deleted, raw, by)
    app = context.app
    with context.progress(f"Exporting {target}") as tell:
        exporter = Exporter(app.store, app.user, app.clock.now(), tell)
        if to == "-":
            done = exporter.to_stream(order, sys.stdout.buffer)
        else:
            done = exporter.to_file(order, Path(to), force=force)
    _tell(context, order, done)


def _format(given: str | None, to: str) -> str:
    from crmtrail.errors import Mistake

    found = given or Path(to).suffix.removeprefix(".").lower()
    if found not in _FORMATS:
        raise Mistake(f"which format is {to} to have?", hint=f"--format {' | '.join(_FORMATS)}")
    return found


def _tell(context: Context, order: "Order", done: "Exported") -> None:
    from crmtrail import shapes

    if done.cut:
        context.say(
            f"warning: {done.cut:,} cells were longer than 32,767 characters, the most that a "
            "cell of Excel holds; each is cut and says so. csv and jsonl hold them whole."
        )
    if not done.rows:
        target = f"{order.source}:{order.object}"
        context.say(f"no records of {target} were known then; the file has none")
    if done.path is None:
        context.say(f"{done.rows:,} records, sealed as entry {done.leaf}")
        return
    path = str(done.path)

    def render(out: "Console") -> None:
        out.print(f"{done.rows:,} records to {path}, sealed as entry {done.leaf}", markup=False)
        if order.at or order.known:
            out.print(times_said(order.at, order.known))

    shape = {
        "rows": done.rows,
        "path": path,
        "columns": done.columns,
        "bytes": done.bytes,
        "sha256": done.sha256,
        "cut_cells": done.cut,
        "at": shapes.time(order.at),
        "known_at": shapes.time(order.known),
        "ledger": {"leaf": done.leaf, "known": done.known},
    }
    context.answer(shape, render)
