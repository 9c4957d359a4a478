"""Run for years: serve, worker."""

import threading
from collections import Counter
from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command
from crmtrail.cli.sync import stop_on_signals

if TYPE_CHECKING:
    from rich.console import Console

    from scheduler.runner import Run


@command("serve", short_help="Poll everything at its cadence, until SIGTERM.")
@click.option(
    "--only",
    type=click.Choice(["scheduler"]),
    help="Run only this part.",
)
def serve(context: Context, only: str | None) -> None:
    """Run the scheduler: every object of the config is polled at its cadence.

    Where the config has webhooks, they bring polls forward; --only scheduler leaves them out.
    """
    _serve(context, hooks=only is None)


@command("worker", short_help="The scheduler only, for several machines.")
def worker(context: Context) -> None:
    """Run the scheduler only."""
    _serve(context, hooks=False)


def _serve(context: Context, *, hooks: bool) -> None:
    import structlog

    from crmtrail.logs import configure

    configure(verbose=context.verbose, quiet=context.quiet)
    app = context.app
    structlog.get_logger().info("crmtrail starts", sources=sorted(app.config.sources))
    runs: Counter[str] = Counter()
    changes = 0
    counting = threading.Lock()

    def count(run: "Run") -> None:
        nonlocal changes
        with counting:
            runs[run.state] += 1
            changes += run.kept.changes

    with stop_on_signals() as stopping:
        app.serve(stopping, count, hooks=hooks)

    def render(out: "Console") -> None:
        del out  # The log has told it all, on standard error.

    shape = {"event": "stopped", "runs": dict(sorted(runs.items())), "changes": changes}
    context.answer(shape, render)
