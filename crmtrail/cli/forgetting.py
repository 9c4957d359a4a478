"""Privacy: erase, hold, retention."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, parse_time, table
from crmtrail.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from snapshot.certificate import Certificate
    from snapshot.erasing import Export, Sight
    from snapshot.holding import Hold
    from snapshot.retaining import Aged

_FILE = click.Path(path_type=Path)
_VACUUM = click.option(
    "--vacuum/--no-vacuum",
    "anew",
    default=None,
    help="Write the tables anew, so that no page keeps a trace. Default: up to 1 GiB.",
)


@command("erase", short_help="Erase a person from the store, for good.")
@click.argument("subject", required=False)
@click.option("--why", default="", help="The reason, which is sealed. It must name nobody.")
@click.option("--dry-run", is_flag=True, help="Show what would be erased; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--certificate", "to", type=_FILE, help="Write the certificate to this file.")
@click.option("--replay", is_flag=True, help="Erase again what an older copy brought back.")
@_VACUUM
def erase(
    context: Context, subject: str | None, *, dry_run: bool, replay: bool, **given: Any
) -> None:
    """Erase SUBJECT: a record (source:object:id), or all records known under an e-mail address.

    The values and the key to them are destroyed, and what quotes them is scrubbed. Who changed
    which field when stays, and the ledger still verifies. What privacy.keep names stays, too. The
    person is not stored again, and no plan restores them. A hold forbids it (exit 1).

    The certificate holds a proof that auditors check without crmtrail. It is written as JSON to
    the file that --certificate names, with a text (.txt) and the proof (.tlog-proof) beside it.
    """
    if replay != (subject is None):
        raise Mistake(
            "name a SUBJECT, or give --replay: one of them",
            hint="a SUBJECT is source:object:id, or an e-mail address",
        )
    forgetting = context.app.privacy.forgetting
    if subject is None:
        count = forgetting.replay(by=context.app.user, anew=given["anew"])
        context.answer({"erased": count}, lambda out: out.print(f"{count:,} records erased again."))
    elif dry_run:
        _show(context, forgetting.look(subject))
    else:
        _erase(context, subject, **given)


def _erase(
    context: Context, subject: str, *, why: str, yes: bool, to: Path | None, anew: bool | None
) -> None:
    privacy = context.app.privacy
    if to is not None:
        _check(to)
    if not yes:
        _confirm(context, privacy.forgetting.look(subject))
    done = privacy.forgetting.erase(subject, why=why, by=context.app.user, anew=anew)
    made = None if done.leaf is None else privacy.certificate(done.leaf)
    files = [] if to is None or made is None else _write(to, made)

    def render(out: "Console") -> None:
        for one in done.records:
            out.print(f"Erased: {one}", markup=False)
        for user in done.copies.actors:
            out.print(f"Name taken away: user {user}", markup=False)
        if not done.versions and not done.copies.actors:
            out.print("It had been erased before; nothing was left to do.")
        if made is not None:
            out.print(f"Entry {made.index} of the ledger says so.")
        if done.cleaned is not None and not done.cleaned.log:
            out.print("Somebody is reading the store: its log is cut with the next erasure.")
        _tell_exports(out, done.exports)
        for file in files:
            out.print(f"Certificate: {file}", markup=False)

    shape = {
        "erased": [str(one) for one in done.records],
        "entries": [] if done.leaf is None else [done.leaf],
        "certificate": None if made is None else made.shape(),
        "versions": done.versions,
        "keys": len(done.keys),
        "users": list(done.copies.actors),
        "files": [str(file) for file in files],
        "exports": _exports(done.exports),
    }
    context.answer(shape, render)


def _confirm(context: Context, sight: "Sight") -> None:
    if not context.interactive:
        raise Mistake("nothing was erased: --yes is needed", hint="--dry-run shows what it would")
    _render(_stderr(), sight)
    click.confirm("Erase this for good?", abort=True, err=True)


def _stderr() -> "Console":
    from crmtrail.cli.context import console

    return console(stderr=True)


def _show(context: Context, sight: "Sight") -> None:
    from crmtrail.model import stamp

    copies = sight.copies
    shape = {
        "erased": [],
        "entries": [],
        "certificate": None,
        "records": [
            {
                "record": str(one.ref),
                "versions": one.versions,
                "erased_at": None if one.erased_at is None else stamp(one.erased_at),
                "hold": None if one.hold is None else str(one.hold),
            }
            for one in sight.records
        ],
        "copies": {
            "operations": copies.operations,
            "incidents": len(copies.incidents),
            "steps": copies.steps,
            "actors": len(copies.actors),
            "addresses": copies.addresses,
        },
        "exports": _exports(sight.exports),
    }
    context.answer(shape, lambda out: _render(out, sight))


def _render(out: "Console", sight: "Sight") -> None:
    rows = [
        (
            one.ref,
            f"{one.versions:,}",
            "erased" if one.erased_at is not None else (one.hold or "would be erased"),
        )
        for one in sight.records
    ]
    out.print(table("", ("record", "versions", "state"), rows))
    copies = sight.copies
    out.print(
        f"Quoted in {copies.operations:,} operations, {len(copies.incidents):,} incidents and"
        f" {copies.steps:,} plan steps; {copies.addresses:,} addresses in the index,"
        f" {len(copies.actors):,} names of users"
    )
    _tell_exports(out, sight.exports)


def _tell_exports(out: "Console", exports: "Sequence[Export]") -> None:
    if exports:
        out.print("Exports that may hold these records. Clean them by hand:")
        for one in exports:
            out.print(f"  {one.at}  {one.object}  to {one.to}", markup=False)


def _exports(exports: "Iterable[Export]") -> list[dict[str, Any]]:
    return [
        {"entry": one.leaf, "at": one.at, "object": one.object, "to": one.to} for one in exports
    ]


def _check(to: Path) -> None:
    from crmtrail import landing

    for file in _files(to):
        landing.check(file)


def _files(to: Path) -> tuple[Path, Path, Path]:
    return to, to.with_name(f"{to.name}.txt"), to.with_name(f"{to.name}.tlog-proof")


def _write(to: Path, made: "Certificate") -> list[Path]:
    import json

    from crmtrail import landing

    texts = (json.dumps(made.shape(), indent=2) + "\n", f"{made}\n", str(made.proof))
    files = _files(to)
    for file, text in zip(files, texts, strict=True):
        with landing.beside(file) as part:
            part.write_text(text, encoding="utf-8")
            landing.land(part, file)
    return list(files)


# --- holds -----------------------------------------------------------------------------------


@command("hold", short_help="Keep what would be erased: add, list, release.")
@click.argument("action", type=click.Choice(["add", "list", "release"]))
@click.argument("what", required=False)
@click.option("--why", default="", help="The reason, which is sealed. It must name nobody.")
@click.option("--until", help="When the hold ends by itself: a date, or an RFC 3339 time.")
def hold(context: Context, action: str, what: str | None, *, why: str, until: str | None) -> None:
    """Hold a person, a record or an object, so that nothing of it is forgotten meanwhile.

    `hold add WHAT --why ...`, where WHAT is an e-mail address, source:object:id or source:object;
    `hold list`; `hold release ID --why ...`. A hold wins over erasure and over retention. Both its
    ends are in the ledger.
    """
    holds, by = context.app.privacy.holds, context.app.user
    if (what is None) != (action == "list"):
        raise Mistake("hold add WHAT, hold list, or hold release ID")
    if until is not None and action != "add":
        raise Mistake("--until goes with hold add")
    if action == "list":
        _list(context, holds.all())
    elif action == "add":
        made = holds.add(what or "", why=why, by=by, until=parse_time(until))
        context.answer(
            _hold_shape(context, made),
            lambda out: out.print(f"{made.on}: {made}", markup=False),
        )
    else:
        if not (what or "").isdecimal():
            raise Mistake(f"{what!r} is no number of a hold", hint="`crmtrail hold list`")
        ended = holds.release(int(what or ""), why=why, by=by)
        context.answer(
            _hold_shape(context, ended), lambda out: out.print(f"Released: hold {ended.id}")
        )


def _list(context: Context, holds: "list[Hold]") -> None:
    from crmtrail.cli.look import clock

    now = context.app.clock.now()

    def render(out: "Console") -> None:
        rows = [
            (one.id, one.on, one.by, clock(one.at), clock(one.until), _state(one, now), one.why)
            for one in holds
        ]
        out.print(table("", ("id", "on", "by", "since", "until", "state", "why"), rows))

    context.answer({"holds": [_hold_shape(context, one) for one in holds]}, render)


def _state(one: "Hold", now: Any) -> str:
    if one.ended is not None:
        return "released"
    return "in force" if one.holds(now) else "ended"


def _hold_shape(context: Context, one: "Hold") -> dict[str, Any]:
    from crmtrail import shapes

    ended = one.ended
    return {
        "id": one.id,
        "on": one.on,
        "why": one.why,
        "by": one.by,
        "at": shapes.time(one.at),
        "until": shapes.time(one.until),
        "state": _state(one, context.app.clock.now()),
        "entry": one.leaf,
        "released": None
        if ended is None
        else {
            "at": shapes.time(ended.at),
            "by": ended.by,
            "why": ended.why,
            "entry": ended.leaf,
        },
    }


# --- retention -------------------------------------------------------------------------------


@command("retention", short_help="Forget old values as the config says: preview, apply.")
@click.argument("action", type=click.Choice(["preview", "apply"]))
@click.option("--yes", is_flag=True, help="Do not ask.")
@_VACUUM
def retention(context: Context, action: str, *, yes: bool, anew: bool | None) -> None:
    """Show or forget what the rules under `retention` in the config no longer keep.

    `retention preview` shows, by rule and object, what would go and what holds keep.
    `retention apply` forgets it; `crmtrail serve` does so once a day. Who changed which field when
    stays, and so does the state at each rule's limit. Every application is in the ledger.
    """
    app = context.app
    if not app.config.retention:
        context.say("the config has no rules: retention in config.example.yaml shows how")
    if action == "preview":
        _tell(context, list(app.privacy.retention.preview()), applied=False)
        return
    if not yes:
        found = list(app.privacy.retention.preview())
        if not any(one.versions or one.states or one.quotes for one in found):
            _tell(context, found, applied=True)
            return
        if not context.interactive:
            raise Mistake(
                "nothing was forgotten: --yes is needed",
                hint="`crmtrail retention preview` shows what it would",
            )
        _render_aged(_stderr(), found)
        click.confirm("Forget this for good?", abort=True, err=True)
    _tell(context, app.privacy.retention.apply(by=app.user, anew=anew), applied=True)


def _tell(context: Context, found: "list[Aged]", *, applied: bool) -> None:
    from crmtrail.model import stamp

    shape = {
        "applied": applied,
        "rules": [
            {
                "rule": str(one.rule),
                "object": one.object,
                "limit": stamp(one.limit),
                "records": one.records,
                "versions": one.versions,
                "values": one.values,
                "states": one.states,
                "made": one.made,
                "quotes": one.quotes,
                "held": {str(hold): count for hold, count in one.held.items()},
                "entries": one.leaves,
            }
            for one in found
        ],
    }
    context.answer(shape, lambda out: _render_aged(out, found))


def _render_aged(out: "Console", found: "list[Aged]") -> None:
    from crmtrail.cli.look import clock

    columns = ("rule", "object", "before", "records", "versions", "values", "full states", "quotes")
    rows = [
        (
            one.rule,
            one.object,
            clock(one.limit),
            *(f"{n:,}" for n in (one.records, one.versions, one.values, one.states, one.quotes)),
            ", ".join(f"{count:,} by hold {hold}" for hold, count in one.held.items()),
        )
        for one in found
    ]
    out.print(table("", (*columns, "held"), rows))
