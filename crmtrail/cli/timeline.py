"""Look at one record through time: history, blame."""

from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command, parse_record, table
from crmtrail.cli.look import clock, missing, shown, stretch, told, went_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from crmtrail.model import ChangeSet, Gap, Ref
    from crmtrail.ports import Line


@command("history", short_help="A record's timeline.")
@click.argument("record")
@click.option("--field", "field_name", help="Only versions that touched this field.")
@click.option("--alone", is_flag=True, help="Leave out the records that it goes on from.")
def history(context: Context, record: str, field_name: str | None, *, alone: bool) -> None:
    """Show every version of the record RECORD (source:object:id), oldest first.

    Those of the records that were merged into it, or that it was made from anew, come with it,
    each under its own id. Gaps in what is known stand where they lie in time.
    """
    from crmtrail import shapes
    from crmtrail.cli.viewed import note_view
    from crmtrail.errors import Unfound
    from crmtrail.ports import Line

    ref = parse_record(record)
    store = context.app.store
    line = Line((ref,)) if alone else store.line_of(ref)
    refs = (*line.before(ref), ref)
    versions = _together([store.timeline(each, field_name) for each in refs])
    state = store.version(ref) if field_name is not None or not versions else None
    if state is None and not versions:
        raise Unfound(f"{ref} is not in the store")
    if field_name is not None and not any(what.changes for what in versions):
        _check_field(context, ref, field_name, state.fields if state else ())
    gaps = _gaps(context, refs, versions)
    note_view(
        context, "history", ((each.source, each.object) for each in refs), records=[*map(str, refs)]
    )

    def render(out: "Console") -> None:
        if not versions:
            out.print(f"{field_name} of {ref} never changed.", markup=False)
            return
        several = len({what.ref for what in versions}) > 1
        rows = list(_rows(versions, gaps, several=several))
        names = ("record", "version", "when", "what", "who", "changes")
        first = 0 if several else 1
        out.print(table(str(ref), names[first:], [row[first:] for row in rows]))
        for words in went_on(line.after(ref)):
            out.print(words, markup=False)

    shape = shapes.timeline(ref, versions)
    context.answer(
        shape | {"line": shapes.line(line), "gaps": [shapes.gap(gap) for gap in gaps]}, render
    )


def _together(timelines: "Iterable[Sequence[ChangeSet]]") -> "list[ChangeSet]":
    """Return the versions of several records by time; those of one stay in their order."""
    from heapq import merge

    return list(merge(*timelines, key=lambda what: what.at))


def _gaps(
    context: Context, refs: "Iterable[Ref]", versions: "Sequence[ChangeSet]"
) -> "tuple[Gap, ...]":
    """Return the gaps of some records' objects that touch the time since their first version."""
    from crmtrail.stretches import touching

    store = context.app.store
    objects = dict.fromkeys((ref.source, ref.object) for ref in refs)
    every = [gap for one in objects for gap in store.standing(*one).gaps]
    return touching(every, min((what.at for what in versions), default=None), None)


def _rows(
    versions: "Sequence[ChangeSet]", gaps: "Sequence[Gap]", *, several: bool
) -> "Iterable[tuple[object, ...]]":
    """Yield rows of versions, and of gaps before the first version that is later."""
    from crmtrail.stretches import begins

    waiting = list(gaps)
    for what in versions:
        while waiting and (begins(waiting[0]) or what.at) <= what.at:
            yield _gap_row(waiting.pop(0))
        name = str(what.ref) if several else ""
        yield name, what.number, clock(what.at), what.op, str(what.actor), _happened(what)
    yield from map(_gap_row, waiting)


def _gap_row(gap: "Gap") -> tuple[object, ...]:
    return "", "", clock(gap.since), "gap", "", missing(gap)


def _happened(what: "ChangeSet") -> str:
    from crmtrail.model import Op

    if what.op is Op.BASELINE:
        return "first sight: what was before is not known"
    return "\n".join(filter(None, (stretch(what), told(what.changes))))


def _check_field(context: Context, ref: "Ref", name: str, held: "Iterable[str]") -> None:
    """Refuse a field that is neither in a record nor in the schema of its object."""
    from difflib import get_close_matches

    from crmtrail.errors import Mistake

    schema = context.app.store.schema(ref.source, ref.object)
    fields = {*held, *(schema.fields if schema else ())}
    if name not in fields:
        near = get_close_matches(name, fields)
        hint = f"did you mean {', '.join(near)}?" if near else f"`crmtrail show {ref}` lists them"
        raise Mistake(f"{ref.object} has no field {name!r}", hint=hint)


@command("blame", short_help="Each field: value, who, when.")
@click.argument("record")
def blame(context: Context, record: str) -> None:
    """Show who set each current value of the record RECORD (source:object:id)."""
    from crmtrail import shapes
    from crmtrail.cli.viewed import note_view
    from crmtrail.errors import Unfound

    ref = parse_record(record)
    store = context.app.store
    lines = store.blame(ref)
    if not lines:
        raise Unfound(f"{ref} is not in the store")
    line: Line = store.line_of(ref)
    note_view(context, "blame", [(ref.source, ref.object)], records=[str(ref)])

    def render(out: "Console") -> None:
        rows = [
            (each.field, shown(each.token), clock(each.at), str(each.actor), each.number)
            for each in lines
        ]
        out.print(table(str(ref), ("field", "value", "since", "who", "version"), rows))
        for words in went_on(line.after(ref)):
            out.print(words, markup=False)

    shape = shapes.blame(ref, lines)
    context.answer(shape | {"went_on_as": shapes.links(line.after(ref))}, render)
