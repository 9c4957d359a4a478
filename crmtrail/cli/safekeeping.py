"""Keep the store itself safe: backup, restore-store."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmtrail.cli.context import Context, command

if TYPE_CHECKING:
    from rich.console import Console

    from snapshot.backup import Placed


@command("backup", short_help="Copy the store while it is used, and check the copy.")
@click.argument("to", type=click.Path(path_type=Path))
def backup(context: Context, to: Path) -> None:
    """Write a copy of the store to the file TO, as it is at one moment.

    Syncs and restores may go on meanwhile. The copy is checked in full before it is kept: every
    entry of the ledger and the data under it. It is not encrypted. Only its owner can read it.
    """
    from snapshot.backup import back_up

    app = context.app
    with context.progress("Copying") as tell:
        done = back_up(app.store, to, by=app.user, clock=app.clock, progress=tell)

    def render(out: "Console") -> None:
        out.print(f"{done.bytes:,} bytes to {done.path}", markup=False)
        out.print(f"{done.entries:,} entries, all as they were written. Root {done.root}")

    context.answer(_shape(done), render)


@command("restore-store", short_help="Put a backup in the store's place.")
@click.argument("backup", metavar="FROM", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the store there is; it is kept beside.")
def restore_store(context: Context, backup: Path, *, force: bool) -> None:
    """Check the backup FROM in full, then put it where store.url points.

    Stop `crmtrail serve` first. With --force a store that is there is replaced, and kept beside
    the new one with the ending .before-restore.
    """
    from snapshot.backup import restore
    from snapshot.database import sqlite_path

    app = context.app
    path = sqlite_path(app.config.store.url)
    done = restore(path, backup, by=app.user, clock=app.clock, force=force)

    def render(out: "Console") -> None:
        out.print(f"{backup} is now the store {done.path}", markup=False)
        out.print(f"{done.entries:,} entries, all as they were written. Root {done.root}")
        if done.before is not None:
            out.print(f"what was there is kept as {done.before}", markup=False)

    context.answer(_shape(done), render)


def _shape(done: "Placed") -> dict[str, object]:
    return {
        "path": str(done.path),
        "bytes": done.bytes,
        "entries": done.entries,
        "root": done.root,
        "before": None if done.before is None else str(done.before),
    }
