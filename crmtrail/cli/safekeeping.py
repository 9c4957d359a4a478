"""Keep the store itself safe: backup, restore-store, store migrate-to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmtrail.cli.context import Context, command

if TYPE_CHECKING:
    from rich.console import Console

    from crmtrail.app import App
    from snapshot.age import Lock, Opener
    from snapshot.backup import Placed

_FILE = click.Path(path_type=Path)


def _passphrase(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option(
        "--passphrase-env", metavar="NAME", help="Take the passphrase from this variable."
    )(function)
    return click.option(
        "--passphrase-file", type=_FILE, help="Take the passphrase from the first line of a file."
    )(function)


@command("backup", short_help="Copy the store while it is used, and check the copy.")
@click.argument("to", type=_FILE)
@click.option("--encrypt", is_flag=True, help="Encrypt the copy with age.")
@click.option("--recipient", "recipients", multiple=True, help="To whom: age1..., or an SSH key.")
@_passphrase
def backup(
    context: Context,
    to: Path,
    *,
    encrypt: bool,
    recipients: tuple[str, ...],
    passphrase_file: Path | None,
    passphrase_env: str | None,
) -> None:
    """Write a copy of the store to the file TO, as it is at one moment.

    Syncs and restores may go on meanwhile. The copy is a SQLite file, of a store on a server too.
    It is checked in full before it is kept: every entry of the ledger and the data under it. Only
    its owner can read it. The keys to personal data are not in it: crmtrail key --backup.

    With --encrypt, to recipients or under a passphrase, any program for age opens it.
    """
    from snapshot.backup import back_up

    app = context.app
    wanted = encrypt or recipients or passphrase_file or passphrase_env
    lock = _lock(recipients, passphrase_file, passphrase_env) if wanted else None
    note = _signed(app)
    with context.progress("Copying") as tell:
        done = back_up(
            app.store, to, by=app.user, clock=app.clock, note=note, lock=lock, progress=tell
        )
    sealed = app.config.keys.seal != "none"

    def render(out: "Console") -> None:
        how = "" if lock is None else ", encrypted with age"
        out.print(f"{done.bytes:,} bytes to {done.path}{how}", markup=False)
        out.print(f"{done.entries:,} entries, all as they were written. Root {done.root}")
        if sealed:
            out.print("The keys to personal data are not in it: crmtrail key --backup TO")

    more = {"encrypted": None if lock is None else "age", "keys_included": False, "note": note}
    context.answer(_shape(done) | more, render)


def _lock(recipients: tuple[str, ...], file: Path | None, variable: str | None) -> "Lock":
    from snapshot.age import lock_of

    return lock_of(recipients, _secret(file, variable))


def _secret(file: Path | None, variable: str | None) -> str:
    """Return a passphrase, or nothing where none is named.

    Raises:
        Mistake: it is named twice, or is not there.
    """
    from crmtrail.errors import Mistake
    from snapshot.secret_file import read_private

    if file is not None and variable is not None:
        raise Mistake("--passphrase-file and --passphrase-env: one of them")
    if file is not None:
        lines = read_private(file, "the passphrase file").decode(errors="replace").splitlines()
        found = lines[0].strip() if lines else ""
    elif variable is not None:
        found = os.environ.get(variable, "")
    else:
        return ""
    if not found:
        raise Mistake(f"there is no passphrase in {file or variable}")
    return found


def _signed(app: "App") -> str:
    """Return a signed checkpoint of now; nothing where the signing key cannot be used."""
    from crmtrail.errors import Mistake

    try:
        return app.ledger.evidence.checkpoint()[1]
    except Mistake:  # a lost signing key is no reason to have no backup
        return ""


@command("restore-store", short_help="Put a backup in the store's place.")
@click.argument("backup", metavar="FROM", type=_FILE)
@click.option("--force", is_flag=True, help="Replace the store there is; it is kept beside.")
@click.option("--identity", type=_FILE, help="The age identity that opens an encrypted backup.")
@_passphrase
def restore_store(
    context: Context,
    backup: Path,
    *,
    force: bool,
    identity: Path | None,
    passphrase_file: Path | None,
    passphrase_env: str | None,
) -> None:
    """Check the backup FROM in full, then put it where store.url points.

    Stop `crmtrail serve` first. With --force a store that is there is replaced, and kept beside
    the new one with the ending .before-restore; a database of a server has to be empty. Whom the
    backup brings back although they were erased since is erased again.
    """
    from crmtrail.safekeeping import bring_back

    opener = _opener(identity, passphrase_file, passphrase_env)
    done = bring_back(context.app, backup, force=force, opener=opener)
    placed = done.placed
    if done.erased is None:
        context.say(f"warning: erasures were not replayed: {done.why}")
        context.say(f"hint: {done.hint or 'mend that'}; then run `crmtrail restore-store` again")

    def render(out: "Console") -> None:
        out.print(f"{backup} is now the store {placed.path}", markup=False)
        out.print(f"{placed.entries:,} entries, all as they were written. Root {placed.root}")
        if placed.before is not None:
            out.print(f"what was there is kept as {placed.before}", markup=False)
        if done.erased:
            out.print(f"{done.erased:,} records were erased again.")

    context.answer(_shape(placed) | {"erased_again": done.erased, "why": done.why}, render)


def _opener(identity: Path | None, file: Path | None, variable: str | None) -> "Opener | None":
    from crmtrail.errors import Mistake
    from snapshot.age import opener_of

    passphrase = _secret(file, variable)
    if identity is None and not passphrase:
        return None
    if identity is not None and passphrase:
        raise Mistake("--identity and a passphrase: one of them")
    return opener_of(identity, passphrase)


@command("migrate-to", short_help="Copy the store to another database, and verify the copy.")
@click.argument("url")
@click.option("--wait", is_flag=True, help="Wait for syncs and restores to end.")
def migrate_to(context: Context, url: str, *, wait: bool) -> None:
    """Copy the store to URL: sqlite:///new.db, or postgresql://user@host/database.

    The place has to be empty. Everything is copied as it is, sealed values too, and verified;
    until then the copy is no store. The config is not changed: what to write there is printed.
    Nobody can write the store meanwhile. It stays as it is.
    """
    from crmtrail.safekeeping import migrate

    with context.progress("Copying") as tell:
        done = migrate(
            context.app,
            url,
            wait=wait,
            waiting=lambda why: context.say(f"waiting: {why}"),
            progress=tell,
        )
    made = done.made

    def render(out: "Console") -> None:
        out.print(f"{made.rows['record']:,} records to {done.place}", markup=False)
        out.print(f"{made.entries:,} entries, all as they were written. Root {made.root}")
        out.print("Now write in the config (CRMTRAIL_STORE__URL overrides it):")
        for key, value in done.config.items():
            out.print(f"  {key}: {value}", markup=False)
        out.print(f"Then run crmtrail verify, and leave {done.before} alone until you are sure.")
        out.print("Delete it then: it holds what may have to be erased later.")

    shape = {
        "from": str(done.before),
        "to": str(done.place),
        "entries": made.entries,
        "root": made.root,
        "rows": made.rows,
        "config": done.config,
    }
    context.answer(shape, render)


store = click.Group(
    "store",
    help="Care of the store as a whole.",
    short_help="Move the store.",
    commands=[migrate_to],
)


def _shape(done: "Placed") -> dict[str, object]:
    return {
        "path": str(done.path),
        "bytes": done.bytes,
        "entries": done.entries,
        "root": done.root,
        "before": None if done.before is None else str(done.before),
    }
