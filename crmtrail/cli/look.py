"""Look at what is stored: log, show, history, blame, diff."""

import sys
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, console, parse_record, parse_time, table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.console import Console

    from crmtrail.model import Change, ChangeSet, Ref, Token
    from crmtrail.ports import Difference, Query

_KINDS = {"create": "created", "update": "updated", "delete": "deleted"}
"""What a difference is called, by its op."""

_SHOWN = 60
"""Characters of a value in a table; --json has it whole."""


def shown(token: "Token | None") -> str:
    """Return a value for a table cell, shortened with an ellipsis where it is long."""
    from crmtrail.model import value_of

    if token is None:
        return "(not told)"
    value = value_of(token)
    # The token of what is no text is how it was told: true, false, and every digit of a number.
    text = "(blank)" if value in (None, "") else value if isinstance(value, str) else token
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def clock(at: "datetime | None") -> str:
    """Return a time for a table cell, UTC, to the second."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


@command("log", short_help="Changes, newest first.")
@click.option("--source", help="Only this source.")
@click.option("--object", "object_", help="Only this object.")
@click.option("--record", help="Only this record, source:object:id.")
@click.option("--field", "field_name", help="Only this field.")
@click.option("--actor", help="Only this actor, by id or name.")
@click.option("--via", help="Only through this app, import or workflow.")
@click.option("--since", help="Only at or after this time.")
@click.option("--until", help="Only before this time.")
@click.option("--op", help="Only create, update, delete, undelete, merge, restore or baseline.")
@click.option("--operation", help="Only this operation, by id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--cursor", help="Go on where the last page ended (its `next`).")
def log(context: Context, **given: Any) -> None:
    """List changes, newest first, a page at a time."""
    from crmtrail import shapes
    from crmtrail.errors import Mistake
    from crmtrail.model import Op
    from crmtrail.ports import Query

    try:
        op = None if given["op"] is None else Op(given["op"])
    except ValueError:
        known = ", ".join(Op)
        raise Mistake(f"{given['op']!r} is no operation kind", hint=f"one of {known}") from None
    query = Query(
        source=given["source"],
        object=given["object_"],
        record=parse_record(given["record"]) if given["record"] else None,
        field=given["field_name"],
        actor=given["actor"],
        via=given["via"],
        op=op,
        operation=given["operation"],
        since=parse_time(given["since"]),
        until=parse_time(given["until"]),
    )
    _check(context, query)
    entries, following = context.app.store.log(query, limit=given["limit"], cursor=given["cursor"])

    def render(out: "Console") -> None:
        if not entries:
            out.print("No changes.")
            return
        rows = [
            (
                clock(line.change_set.at),
                str(line.change_set.ref),
                line.field or "",
                shown(line.old) if line.field else "",
                shown(line.new) if line.field else "",
                str(line.change_set.actor),
                line.change_set.op,
            )
            for line in entries
        ]
        out.print(table("", ("when", "record", "field", "before", "after", "who", "what"), rows))
        if following:
            out.print(f"There is more: --cursor {following}")

    shape = {"changes": [shapes.entry(line) for line in entries], "next": following}
    context.answer(shape, render)


def _check(context: Context, query: "Query") -> None:
    """Refuse a question about what cannot be there.

    Raises:
        Mistake: --since is not before --until, or the source or object is not known.
        Unfound: there is no such record or operation.
    """
    from crmtrail.errors import Mistake, Unfound

    if query.since and query.until and query.since >= query.until:
        raise Mistake("--since is not before --until")
    store = context.app.store
    known = [(one.source, one.object) for one in store.standings()]
    for name, settings in context.app.config.sources.items():
        objects = () if settings.objects == "*" else settings.objects
        known += [(name, ""), *((name, object_) for object_ in objects)]
    sources = {source for source, _ in known}
    if query.source is not None and query.source not in sources:
        raise Mistake(f"there is no source {query.source!r}", hint=_among(sources))
    objects_ = {name for source, name in known if name and query.source in {None, source}}
    if query.object is not None and query.object not in objects_:
        raise Mistake(f"there is no object {query.object!r}", hint=_among(objects_))
    if query.record is not None and store.version(query.record) is None:
        raise Unfound(f"{query.record} is not in the store")
    if query.operation is not None:
        store.operation(query.operation)


def _among(names: "Iterable[str]") -> str:
    return f"known are: {', '.join(sorted(names)) or 'none'}"


@command("show", short_help="A record at a time.")
@click.argument("record")
@click.option("--at", help="As of this time (default: now).")
def show(context: Context, record: str, at: str | None) -> None:
    """Show the record RECORD (source:object:id), now or at a time."""
    from crmtrail import shapes
    from crmtrail.errors import Unfound

    ref, moment = parse_record(record), parse_time(at)
    state = context.app.store.version(ref, moment)
    if state is None:
        raise (
            _unknown(context, ref, moment)
            if moment
            else Unfound(
                f"{ref} is not in the store",
                hint="is its object in the config, and has `crmtrail sync` run?",
            )
        )

    def render(out: "Console") -> None:
        gone = ", deleted" if state.deleted else ""
        out.print(f"{ref}, version {state.number}{gone}", markup=False)
        out.print(f"since {clock(state.at)} by {state.actor}", markup=False)
        rows = [(name, shown(state.fields[name])) for name in sorted(state.fields)]
        out.print(table("", ("field", "value"), rows))

    context.answer(shapes.version(state), render)


def _unknown(context: Context, ref: "Ref", moment: "datetime") -> Exception:
    from crmtrail.errors import Unfound

    versions = context.app.store.timeline(ref)
    if not versions:
        return Unfound(f"{ref} is not in the store")
    return Unfound(
        f"nothing is known of {ref} at {clock(moment)}: its first version is of "
        f"{clock(versions[0].at)}",
        hint=f"crmtrail history {ref}",
    )


@command("history", short_help="A record's timeline.")
@click.argument("record")
@click.option("--field", "field_name", help="Only versions that touched this field.")
def history(context: Context, record: str, field_name: str | None) -> None:
    """Show every version of the record RECORD (source:object:id), oldest first."""
    from crmtrail import shapes
    from crmtrail.errors import Unfound

    ref = parse_record(record)
    store = context.app.store
    versions = store.timeline(ref, field_name)
    state = store.version(ref) if field_name is not None or not versions else None
    if state is None and not versions:
        raise Unfound(f"{ref} is not in the store")
    if field_name is not None and not any(what.changes for what in versions):
        _check_field(context, ref, field_name, state.fields if state else ())

    def render(out: "Console") -> None:
        if not versions:
            out.print(f"{field_name} of {ref} never changed.", markup=False)
            return
        rows = [
            (what.number, clock(what.at), what.op, str(what.actor), _happened(what))
            for what in versions
        ]
        out.print(table(str(ref), ("version", "when", "what", "who", "changes"), rows))

    context.answer(shapes.timeline(ref, versions), render)


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


def _happened(what: "ChangeSet") -> str:
    from crmtrail.model import Op

    if what.op is Op.BASELINE:
        return "first sight: what was before is not known"
    return _told(what.changes)


def _told(changes: "tuple[Change, ...]") -> str:
    return "\n".join(f"{one.field}: {shown(one.old)} → {shown(one.new)}" for one in changes)


@command("blame", short_help="Each field: value, who, when.")
@click.argument("record")
def blame(context: Context, record: str) -> None:
    """Show who set each current value of the record RECORD (source:object:id)."""
    from crmtrail import shapes
    from crmtrail.errors import Unfound

    ref = parse_record(record)
    lines = context.app.store.blame(ref)
    if not lines:
        raise Unfound(f"{ref} is not in the store")

    def render(out: "Console") -> None:
        rows = [
            (line.field, shown(line.token), clock(line.at), str(line.actor), line.number)
            for line in lines
        ]
        out.print(table(str(ref), ("field", "value", "since", "who", "version"), rows))

    context.answer(shapes.blame(ref, lines), render)


@command("diff", short_help="What differs between two times.")
@click.argument("target")
@click.option("--from", "since", required=True, help="The earlier time.")
@click.option("--to", "until", help="The later time (default: now).")
@click.option("--exit-code", is_flag=True, help="Exit with 4 where something differs.")
def diff(context: Context, target: str, since: str, until: str | None, *, exit_code: bool) -> int:
    """Show what differs in TARGET (source:object:id or source:object) between two times."""
    found = _differences(context, target, parse_time(since), parse_time(until))
    counts = dict.fromkeys(_KINDS.values(), 0)
    if context.as_json:
        _stream(found, counts)
    else:
        out = console()
        for one in found:
            counts[_KINDS[one.op]] += 1
            changes = _told(one.changes).replace("\n", "\n    ")
            out.print(f"{_KINDS[one.op]} {one.ref}\n    {changes}".rstrip(), markup=False)
        out.print(", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    return 4 if exit_code and any(counts.values()) else 0


def _stream(found: "Iterable[Difference]", counts: dict[str, int]) -> None:
    """Print one JSON document, sorted by kind, however much differs; count along."""
    from crmtrail import shapes
    from rollback.spool import Spool

    spools = {kind: Spool() for kind in counts}
    for one in found:
        kind = _KINDS[one.op]
        spools[kind].add(shapes.encode(shapes.difference(one)))
        counts[kind] += 1
    write = sys.stdout.write
    for no, (kind, spool) in enumerate(spools.items()):
        write(f'{"," if no else "{"}"{kind}":[')
        for place, line in enumerate(spool):
            write(("," if place else "") + line.decode())
        write("]")
        spool.close()
    write("}\n")
    sys.stdout.flush()


def _differences(
    context: Context, target: str, since: "datetime", until: "datetime | None"
) -> "Iterable[Difference]":
    from crmtrail.errors import Mistake

    app = context.app
    end = until or app.clock.now()
    if since > end:
        raise Mistake("--from is later than --to")
    if target.count(":") > 1:
        one = app.store.difference(parse_record(target), since, end)
        return () if one is None else (one,)
    source, object_ = app.target(target)
    return app.store.diff(source, object_, since, end)
