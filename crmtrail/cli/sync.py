"""Sync and see where things stand: sync, status."""

import signal
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.alerting import alert_after_sync, channels_shape
from crmtrail.cli.context import Context, command, table
from crmtrail.cli.evidence import sink_shape, tell_unanchored
from crmtrail.cli.look import clock, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from crmtrail.cli.context import Tell
    from crmtrail.model import Mode
    from crmtrail.ports import Told
    from crmtrail.targets import Target
    from scheduler.runner import Failure, Run
    from snapshot.anchored import Anchorage, Place


@command("sync", short_help="One run now.")
@click.argument("targets", nargs=-1, metavar="[SOURCE[:OBJECT]]...")
@click.option("--full", is_flag=True, help="Read every record again.")
@click.option("--reconcile", is_flag=True, help="See every record again and compare the counts.")
@click.option(
    "--accept-loss", is_flag=True, help="Believe a sweep that says that most records are gone."
)
def sync(
    context: Context, targets: tuple[str, ...], *, full: bool, reconcile: bool, accept_loss: bool
) -> int:
    """Sync everything in the config, or only the targets named. Ctrl-C stops after the page.

    Where a source refuses the token, or twice in a row cannot be reached, its other objects are
    not tried.

    At the end the checkpoint is sent to the anchors, if there are any. One that does not take it
    is told, and changes nothing of the sync.
    """
    from crmtrail.errors import Mistake
    from crmtrail.model import Mode

    if full and reconcile:
        raise Mistake("--full and --reconcile cannot go together")
    mode = Mode.FULL if full else Mode.RECONCILE if reconcile else Mode.INCREMENTAL
    runs: list[Run] = []
    tried = _Tried()
    with stop_on_signals() as stopping:
        for target in context.app.targets(targets):
            if stopping.is_set():
                break
            work = partial(context.app.sync, stopping=stopping.is_set, accept_loss=accept_loss)
            runs.append(_synced(context, target, mode, work, tried))
        stopped = stopping.is_set()
        alerted = alert_after_sync(context)
        sent = context.app.ledger.anchor_after_sync() if context.app.has_store() else ()
    tell_unanchored(context, sent)
    anchors = [sink_shape(one) for one in sent]
    shape = {
        "event": "result",
        "stopped": stopped,
        "runs": [_shape(context, run) for run in runs],
        "anchors": anchors,
        "alerts": alerted,
    }
    context.answer(shape, lambda out: _render(context, out, runs))
    if stopped:
        context.say("stopped; the next sync goes on from here")
        return 130
    return next((run.failure.exit_code for run in runs if run.failure is not None), 0)


_SILENCES = 2
"""After so many objects in a row of which a source gave no answer it is given up."""


@dataclass(slots=True)
class _Tried:
    """Which sources were given up, and why; and of how many objects in a row one was silent."""

    given_up: "dict[str, Failure]" = field(default_factory=dict)
    silent: Counter[str] = field(default_factory=Counter)


def _synced(
    context: Context,
    target: "Target",
    mode: "Mode",
    work: "Callable[..., Run]",
    tried: _Tried,
) -> "Run":
    """Sync one object; a failure of the whole source is told once and kept."""
    from crmtrail.errors import CredentialsRefused

    if target.source in tried.given_up:
        return _untried(target, mode, tried.given_up[target.source])
    run = _opened(context, target, mode)
    if run.failure is None:
        with context.progress(f"{target.source}:{target.object}") as tell:
            run = work(target, mode, progress=telling(tell))
        refused = run.failure is not None and run.failure.exit_code == CredentialsRefused.exit_code
    else:
        refused = True
    silent = run.failure is not None and run.failure.unreachable
    tried.silent[target.source] = tried.silent[target.source] + 1 if silent else 0
    if run.failure is not None:
        whole = refused or tried.silent[target.source] >= _SILENCES
        if whole:
            tried.given_up[target.source] = run.failure
        whom = target.source if whole else f"{run.source}:{run.object}"
        click.echo(f"error: {whom}: {run.failure.message}", err=True)
        if run.failure.hint:
            click.echo(f"hint: {run.failure.hint}", err=True)
    return run


def _opened(context: Context, target: "Target", mode: "Mode") -> "Run":
    """Open the connector of a source; the run that it returns has failed where it cannot be."""
    from crmtrail.errors import Mistake
    from scheduler.runner import Failure, Run

    try:
        context.app.connector(target.source)
    except Mistake as error:
        return _untried(target, mode, Failure(str(error), error.hint, error.exit_code))
    return Run(target.source, target.object, mode, "running")


def _untried(target: "Target", mode: "Mode", failure: "Failure") -> "Run":
    from scheduler.runner import Run

    return Run(target.source, target.object, mode, "failed", failure=failure)


def telling(tell: "Tell") -> "Callable[[Run], None]":
    """Return what moves a bar as a run goes on."""
    return lambda run: tell(run.kept.read, None, f"{run.kept.changes:,} changes")


@contextmanager
def stop_on_signals() -> "Iterator[threading.Event]":
    """Give an event that SIGINT and SIGTERM set; work stops at the next safe point."""
    stopping = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _shape(context: Context, run: "Run") -> dict[str, Any]:
    from crmtrail import shapes

    failure = run.failure
    watermark, complete_to = _known(context, run)
    return {
        "source": run.source,
        "object": run.object,
        "mode": run.mode,
        "state": run.state,
        "read": run.kept.read,
        "created": run.kept.created,
        "updated": run.kept.updated,
        "deleted": run.kept.deleted,
        "changes": run.kept.changes,
        "api_calls": run.api_calls,
        "watermark": shapes.time(watermark),
        "complete_to": shapes.time(complete_to),
        "gaps": [shapes.gap(gap) for gap in run.gaps],
        "incidents": list(run.kept.incidents),
        "error": None
        if failure is None
        else {"message": failure.message, "hint": failure.hint, "exit_code": failure.exit_code},
    }


def _known(context: Context, run: "Run") -> "tuple[datetime | None, datetime | None]":
    """Return how far an object is known, by this run or by an earlier one."""
    if (run.watermark and run.complete_to) or not context.app.has_store():
        return run.watermark, run.complete_to
    before = context.app.store.standing(run.source, run.object)
    return run.watermark or before.watermark, run.complete_to or before.complete_to


def _render(context: Context, out: "Console", runs: "Sequence[Run]") -> None:
    rows = [
        (
            f"{run.source}:{run.object}",
            run.state,
            f"{run.kept.read:,}",
            f"{run.kept.created:,}",
            f"{run.kept.updated:,}",
            f"{run.kept.deleted:,}",
            f"{run.kept.changes:,}",
            run.api_calls,
            clock(_known(context, run)[1]),
        )
        for run in runs
    ]
    names = ("object", "state", "read", "new", "updated", "deleted", "changes", "calls", "complete")
    out.print(table("", names, rows))
    for run in runs:
        for gap in run.gaps:
            out.print(f"gap in {run.source}:{run.object}: {gap.why}", markup=False)
        for incident in run.kept.incidents:
            title = context.app.store.incident(incident).finding.title
            out.print(f"noticed: {title}: crmtrail incident {incident}", markup=False)


@command("status", short_help="Freshness, gaps, budget.")
def status(context: Context) -> None:
    """Show how fresh and how complete each object is, and what is not known."""
    from crmtrail import shapes

    app = context.app
    found = app.status()
    now = app.clock.now()
    anchorage = app.ledger.anchorage()
    waiting = app.privacy.waiting()
    alerts = channels_shape(context)
    shape = {
        "sources": [
            {
                "name": source,
                "objects": [shapes.standing(one, now) for one in standings],
            }
            for source, standings in found.sources.items()
        ],
        "budget": {
            source: {
                "used": None if told is None else told.usage.used,
                "limit": None if told is None else told.usage.limit,
                "resets_at": None if told is None else shapes.time(told.usage.resets_at),
                "told_at": None if told is None else shapes.time(told.at),
            }
            for source, told in found.budget.items()
        },
        "ledger": {
            "size": found.ledger.size,
            "root": found.ledger.root,
            "unanchored": anchorage.unanchored,
            "unanchored_s": _age(anchorage.oldest, now),
            "anchors": [_place(place) for place in anchorage.places],
        },
        "incidents": found.open_incidents,
        "alerts": alerts,
        "erasures_waiting": [
            {"record": str(one.ref), "at": shapes.time(one.at)} for one in waiting
        ],
    }

    def render(out: "Console") -> None:
        rows = [
            (
                f"{source}:{one.object}",
                f"{one.records:,}",
                f"{one.versions:,}",
                clock(one.complete_to) or "never",
                one.last_run or "never",
                "; ".join(missing(gap) for gap in one.gaps),
            )
            for source, standings in found.sources.items()
            for one in standings
        ]
        names = ("object", "records", "versions", "complete to", "last run", "gaps")
        out.print(table("", names, rows))
        out.print(f"{found.open_incidents} open incidents; ledger of {found.ledger.size:,} entries")
        for source, told in found.budget.items():
            out.print(f"{source}: {_budget(told)}", markup=False)
        out.print(_told(anchorage, now), markup=False)
        for each in (one for one in alerts if one["waiting"]):
            words = f"alerts to {each['channel']} not delivered: {each['waiting']}"
            out.print(f"{words}: {each['failure']}", markup=False)
        for one in waiting:
            gone = f"{one.ref}: the CRM deleted this person for privacy; still stored here"
            out.print(f"{gone}: crmtrail erase {one.ref}", markup=False)

    context.answer(shape, render)


def _budget(told: "Told | None") -> str:
    """Return in words what the vendor said last of our API budget."""
    if told is None:
        return "the CRM has not told the API budget yet"
    used = "?" if told.usage.used is None else f"{told.usage.used:,}"
    limit = "?" if told.usage.limit is None else f"{told.usage.limit:,}"
    resets = f", starts afresh at {clock(told.usage.resets_at)}" if told.usage.resets_at else ""
    return f"{used} of {limit} API calls used as of {clock(told.at)}{resets}"


def _age(since: "datetime | None", now: "datetime") -> float | None:
    return None if since is None else (now - since).total_seconds()


def _place(place: "Place") -> dict[str, Any]:
    from crmtrail import shapes

    return {
        "name": place.name,
        "size": place.size,
        "anchored_at": shapes.time(place.anchored_at),
        "failed_at": shapes.time(place.failed_at),
        "failure": place.failure,
    }


def _told(anchorage: "Anchorage", now: "datetime") -> str:
    """Return in words how much of the ledger no place outside knows."""
    lines = ["every entry is anchored"]
    if anchorage.unanchored:
        age = _age(anchorage.oldest, now)
        since = "" if age is None else f", the oldest for {max(0, int(age // 60)):,} minutes"
        lines = [f"unanchored: {anchorage.unanchored:,} entries{since}"]
    lines += [
        f"{one.name} failed at {clock(one.failed_at)}: {one.failure}"
        for one in anchorage.places
        if one.failure
    ]
    return "\n".join(lines)
