"""Prove that nothing was altered: verify, checkpoint."""

from typing import TYPE_CHECKING

from crmtrail.cli.context import Context, command
from crmtrail.cli.look import clock

if TYPE_CHECKING:
    from rich.console import Console


@command("verify", short_help="Recompute the ledger and the data under it.")
def verify(context: Context) -> int:
    """Recompute every entry of the ledger, its root, and the data under it."""
    from crmtrail.errors import VerifyFailed

    found = context.app.store.verify()
    shape = {
        "ok": found.ok,
        "entries": found.entries,
        "root": found.root,
        "checked": found.checked,
        "first_bad": dict(found.first_bad),
    }

    def render(out: "Console") -> None:
        if found.ok:
            out.print(f"All {found.entries:,} entries are as they were written. Root {found.root}")
            return
        out.print("ALTERED. The first bad entry:")
        for name, value in found.first_bad.items():
            out.print(f"  {name}: {value}", markup=False)

    context.answer(shape, render)
    return 0 if found.ok else VerifyFailed.exit_code


@command("checkpoint", short_help="Print the tree head.")
def checkpoint(context: Context) -> None:
    """Print the size and the root of the ledger, to be kept somewhere else."""
    app = context.app
    head = app.store.checkpoint(app.clock.now())
    note = f"crmtrail\n{head.size}\n{head.root}\n"

    def render(out: "Console") -> None:
        out.print(note, end="")
        out.print(f"as of {clock(head.at)}")

    context.answer({"size": head.size, "root": head.root, "note": note}, render)
