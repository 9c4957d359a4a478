"""Look at what is stored: log, show, diff."""

import sys
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, console, parse_record, parse_time, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from rich.console import Console

    from crmtrail.model import Change, ChangeSet, Gap, Ref, Token
    from crmtrail.ports import Difference, Query, Succession

_KINDS = {"create": "created", "update": "updated", "delete": "deleted"}
"""What a difference is called, by its op."""

_SHOWN = 60
"""Characters of a value in a table; --json has it whole."""


def shown(token: "Token | None") -> str:
    """Return a value for a table cell, shortened with an ellipsis where it is long."""
    from crmtrail.model import readable, value_of

    if token is None:
        return "(not told)"
    value = value_of(token)
    # The token of what is no text is how it was told: true, false, and every digit of a number.
    text = readable(value) if isinstance(value, str) else token
    if value in (None, ""):
        text = "(blank)"
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
@click.option("--since", help="Only what happened at or after this time.")
@click.option("--until", help="Only what happened before this time.")
@click.option("--known-since", help="Only what we learnt at or after this time.")
@click.option("--known-until", help="Only what we learnt before this time.")
@click.option("--blanked", is_flag=True, help="Only values that became blank.")
@click.option("--op", help="Only create, update, delete, undelete, merge, restore or baseline.")
@click.option("--operation", help="Only this operation, by id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--cursor", help="Go on where the last page ended (its `next`).")
def log(context: Context, **given: Any) -> None:
    """List changes, the newest learnt first, a page at a time.

    Gaps in what is known are listed below, where they touch the time asked for.
    """
    from crmtrail import shapes
    from crmtrail.cli.viewed import note_view, question
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
        known_since=parse_time(given["known_since"]),
        known_until=parse_time(given["known_until"]),
        blanked=given["blanked"],
    )
    _check(context, query)
    entries, following = context.app.store.log(query, limit=given["limit"], cursor=given["cursor"])
    gaps = _gaps(context, query)
    learnt = query.known_since or query.known_until
    shown_of = {(line.change_set.ref.source, line.change_set.ref.object) for line in entries}
    note_view(context, "log", shown_of, query=question(query), shown=len(entries))

    def render(out: "Console") -> None:
        if entries:
            rows = [
                (
                    clock(line.change_set.at),
                    *([clock(line.change_set.known_at)] if learnt else ()),
                    str(line.change_set.ref),
                    line.field or "",
                    shown(line.old) if line.field else "",
                    shown(line.new) if line.field else "",
                    str(line.change_set.actor),
                    ", ".join(filter(None, (line.change_set.op, stretch(line.change_set)))),
                )
                for line in entries
            ]
            names = ("record", "field", "before", "after", "who", "what")
            out.print(table("", ("when", *(["known"] if learnt else ()), *names), rows))
        else:
            out.print("No changes.")
        for source, gap in gaps:
            out.print(f"gap in {source}:{gap.object}, {missing(gap)}", markup=False)
        if following:
            out.print(f"There is more: --cursor {following}")

    shape = {
        "changes": [shapes.entry(line) for line in entries],
        "gaps": [{"source": source} | shapes.gap(gap) for source, gap in gaps],
        "next": following,
    }
    context.answer(shape, render)


def stretch(what: "ChangeSet") -> str:
    """Return between when a version happened, where the vendor keeps no history, or nothing."""
    from crmtrail.stretches import COALESCED, seen_between

    between = seen_between(what)
    if between is None:
        return ""
    start, end = between
    return f"between {clock(start)} and {clock(end)}; {COALESCED}"


def missing(gap: "Gap") -> str:
    """Return from when to when something is missing, and why."""
    since = f"from {clock(gap.since)} " if gap.since else ""
    until = f"to {clock(gap.until)}" if gap.until else "on"
    return f"{since}{until}: {gap.why}"


def _gaps(context: Context, query: "Query") -> "list[tuple[str, Gap]]":
    """Return the gaps that touch the objects and the time asked for, with their sources."""
    from crmtrail.stretches import touching

    source, object_ = query.source, query.object
    if query.record is not None:
        source, object_ = query.record.source, query.record.object
    return [
        (one.source, gap)
        for one in context.app.store.standings()
        if source in {None, one.source} and object_ in {None, one.object}
        for gap in touching(one.gaps, query.since, query.until)
    ]


def _check(context: Context, query: "Query") -> None:
    """Refuse a question about what cannot be there.

    Raises:
        Mistake: a span of time is none, or the source or object is not known.
        Unfound: there is no such record or operation.
    """
    from crmtrail.errors import Mistake, Unfound

    if query.since and query.until and query.since >= query.until:
        raise Mistake("--since is not before --until")
    if query.known_since and query.known_until and query.known_since >= query.known_until:
        raise Mistake("--known-since is not before --known-until")
    store = context.app.store
    known = [(one.source, one.object) for one in store.standings()]
    for name, settings in context.app.config.sources.items():
        objects = settings.named
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
@click.option("--at", help="As it was at this time (default: now).")
@click.option("--known", help="By what was known at this time (default: now).")
def show(context: Context, record: str, at: str | None, known: str | None) -> None:
    """Show the record RECORD (source:object:id), now or at a time.

    --at is valid time: when things happened by the vendor's clock. --known is known time: what
    crmtrail would have answered then, before it learnt more.
    """
    from crmtrail import shapes
    from crmtrail.cli.viewed import moments, note_view
    from crmtrail.errors import Unfound

    ref, moment, by = parse_record(record), parse_time(at), parse_time(known)
    state = context.app.store.version(ref, moment, known=by)
    if state is None:
        raise (
            _unknown(context, ref, moment, by)
            if moment or by
            else Unfound(
                f"{ref} is not in the store",
                hint="is its object in the config, and has `crmtrail sync` run?",
            )
        )

    steps = context.app.store.line_of(ref).after(ref)
    note_view(
        context, "show", [(ref.source, ref.object)], records=[str(ref)], query=moments(moment, by)
    )

    def render(out: "Console") -> None:
        gone = ", deleted" if state.deleted else ""
        out.print(f"{ref}, version {state.number}{gone}", markup=False)
        out.print(f"since {clock(state.at)} by {state.actor}", markup=False)
        if moment or by:
            out.print(times_said(moment, by))
        for line in went_on(steps):
            out.print(line, markup=False)
        rows = [(name, shown(state.fields[name])) for name in sorted(state.fields)]
        out.print(table("", ("field", "value"), rows))

    shape = shapes.version(state)
    context.answer(
        shape | {"as_of": shapes.as_of(moment, by), "went_on_as": shapes.links(steps)}, render
    )


def times_said(at: "datetime | None", known: "datetime | None") -> str:
    """Say which times an answer is of."""
    of = f"as of {clock(at)}" if at else "as of now"
    return f"{of} (valid time), by what was known {f'at {clock(known)}' if known else 'now'}"


def went_on(steps: "Iterable[Succession]") -> "Iterator[str]":
    """Yield, in words, how a record went on as another."""
    words = {"merged": "was merged into", "recreated": "was made anew as"}
    for one in steps:
        yield f"{one.record} {words[one.kind]} {one.heir} at {clock(one.at)}"


def _unknown(
    context: Context, ref: "Ref", moment: "datetime | None", known: "datetime | None"
) -> Exception:
    from crmtrail.errors import Unfound

    versions = context.app.store.timeline(ref)
    if not versions:
        return Unfound(f"{ref} is not in the store")
    if known is not None and versions[0].known_at > known:
        return Unfound(
            f"nothing was known of {ref} at {clock(known)}: we read it first at "
            f"{clock(versions[0].known_at)}",
            hint=f"crmtrail history {ref}",
        )
    return Unfound(
        f"nothing is known of {ref} at {clock(moment)}: its first version is of "
        f"{clock(versions[0].at)}",
        hint=f"crmtrail history {ref}",
    )


def told(changes: "tuple[Change, ...]") -> str:
    """Return changes in words, a line each."""
    return "\n".join(f"{one.field}: {shown(one.old)} → {shown(one.new)}" for one in changes)


@command("diff", short_help="What differs between two times.")
@click.argument("target")
@click.option("--from", "since", required=True, help="The earlier time.")
@click.option("--to", "until", help="The later time (default: now).")
@click.option("--known", help="By what was known at this time (default: now).")
@click.option("--exit-code", is_flag=True, help="Exit with 4 where something differs.")
def diff(
    context: Context,
    target: str,
    since: str,
    until: str | None,
    known: str | None,
    *,
    exit_code: bool,
) -> int:
    """Show what differs in TARGET (source:object:id or source:object) between two times.

    Both are valid times. --known is known time: what crmtrail would have answered then.
    """
    from crmtrail import shapes
    from crmtrail.cli.viewed import note_view

    start, end, by = parse_time(since), parse_time(until), parse_time(known)
    found = _differences(context, target, start, end, by)
    times = {"from": shapes.time(start), "to": shapes.time(end), "known_at": shapes.time(by)}
    source, object_ = target.split(":")[:2]
    note_view(context, "diff", [(source, object_)], query={"target": target} | times)
    counts = dict.fromkeys(_KINDS.values(), 0)
    if context.as_json:
        _stream(found, counts, times)
    else:
        out = console()
        if by:
            out.print(f"by what was known at {clock(by)}")
        for one in found:
            counts[_KINDS[one.op]] += 1
            changes = told(one.changes).replace("\n", "\n    ")
            out.print(f"{_KINDS[one.op]} {one.ref}\n    {changes}".rstrip(), markup=False)
        out.print(", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    return 4 if exit_code and any(counts.values()) else 0


def _stream(
    found: "Iterable[Difference]", counts: dict[str, int], times: dict[str, str | None]
) -> None:
    """Print one JSON document, sorted by kind, however much differs; count along."""
    from crmtrail import shapes
    from rollback.spool import Spool

    spools = {kind: Spool() for kind in counts}
    for one in found:
        kind = _KINDS[one.op]
        spools[kind].add(shapes.encode(shapes.difference(one)))
        counts[kind] += 1
    write = sys.stdout.write
    write(shapes.encode(times).decode()[:-1])
    for kind, spool in spools.items():
        write(f',"{kind}":[')
        for place, line in enumerate(spool):
            write(("," if place else "") + line.decode())
        write("]")
        spool.close()
    write("}\n")
    sys.stdout.flush()


def _differences(
    context: Context,
    target: str,
    since: "datetime",
    until: "datetime | None",
    known: "datetime | None",
) -> "Iterable[Difference]":
    from crmtrail.errors import Mistake

    app = context.app
    end = until or app.clock.now()
    if since > end:
        raise Mistake("--from is later than --to")
    if target.count(":") > 1:
        one = app.store.difference(parse_record(target), since, end, known=known)
        return () if one is None else (one,)
    source, object_ = app.target(target)
    return app.store.diff(source, object_, since, end, known=known)
