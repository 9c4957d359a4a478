"""Whom crmtrail tells of incidents, and whether it got through."""

from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command, table

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.alerts.delivery import Sent


@command("alerts", short_help="Whom incidents are told, and whether it got through.")
@click.option("--test", "trial", metavar="CHANNEL", help="Send a test message to this channel.")
def alerts(context: Context, trial: str | None) -> None:
    """List the channels of the config with their last message and what waits after a failure.

    With --test a message is sent to one channel, which says that it is a test.
    """
    from crmtrail.alerts.delivery import try_channel

    app = context.app
    if trial is not None:
        try_channel(app.config.alerts, trial)
        context.answer({"sent": trial}, lambda out: out.print(f"Sent a test to {trial}"))
        return
    shape = channels_shape(context)

    def render(out: "Console") -> None:
        if not shape:
            out.print("Nobody is told: the config has no alerts; config.example.yaml shows how")
            return
        rows = [
            (one["channel"], one["from"], one["sent_at"] or "never", one["waiting"], one["failure"])
            for one in shape
        ]
        out.print(table("", ("channel", "from", "last message", "waiting", "failure"), rows))

    context.answer({"channels": shape}, render)


def channels_shape(context: Context) -> list[dict[str, Any]]:
    """Return every channel of the config and how it stands."""
    from crmtrail import shapes
    from crmtrail.alerts.delivery import Alerts

    channels = context.app.config.alerts
    known = {}
    if channels and context.app.has_store():
        known = {one.channel: one for one in Alerts.of(context.app).standings()}
    return [
        {
            "channel": one.to,
            "from": one.from_,
            "sent_at": shapes.time(known[one.to].sent_at) if one.to in known else None,
            "waiting": known[one.to].waiting if one.to in known else 0,
            "failure": known[one.to].failure if one.to in known else "",
        }
        for one in channels
    ]


def alert_after_sync(context: Context) -> list[dict[str, Any]]:
    """Send what is due, tell what failed, and return what was tried."""
    from crmtrail.alerts.delivery import Alerts

    if not context.app.config.alerts or not context.app.has_store():
        return []
    sent = Alerts.of(context.app).deliver()
    for one in sent:
        if not one.ok:
            click.echo(f"warning: not alerted: {one.channel}: {one.why}", err=True)
    return [_shape(one) for one in sent]


def _shape(one: "Sent") -> dict[str, Any]:
    return {
        "channel": one.channel,
        "incidents": list(one.incidents),
        "ok": one.ok,
        "why": one.why,
    }
