"""Care of the keys that personal data is sealed with: rotate, backup, restore."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crmtrail.cli.context import Context

if TYPE_CHECKING:
    from rich.console import Console

    from snapshot.keys.keyring import Keyring


def rotate(context: Context) -> None:
    """Wrap every key under a new key-encryption key, or go on with that after a kill."""
    from snapshot.keys.rotating import rotate_kek

    with _opened(context) as ring, context.progress("Wrapping") as tell:
        done = rotate_kek(ring, context.app.clock.now(), tell)
        place = ring.source.told
    _seal(context, "rotate-kek", {"keys": done.keys})

    def render(out: "Console") -> None:
        begun = "The rotation begun earlier is done" if done.resumed else "Done"
        out.print(f"{begun}: {done.keys:,} keys wrapped anew.", markup=False)
        out.print(f"The key-encryption key is in {place}. Keep a copy of it.", markup=False)
        if done.to_do:
            out.print(f"Left to you: {done.to_do}.", markup=False)

    shape = {"rotated": done.keys, "resumed": done.resumed, "place": place, "to_do": done.to_do}
    context.answer(shape, render)


def backup(context: Context, to: Path) -> None:
    """Copy the key store, wrapped as it is."""
    from datetime import timedelta

    from crmtrail.model import stamp
    from snapshot.keys.copying import KEPT_DAYS, backup_keys

    with _opened(context) as ring, context.progress("Copying") as tell:
        made = backup_keys(ring, to, context.app.clock.now(), tell)
    _seal(context, "backup-keys", {"keys": made.keys})
    until = made.made_at + timedelta(days=KEPT_DAYS)

    def render(out: "Console") -> None:
        out.print(f"{made.keys:,} keys copied to {to}. The KEK is not in it.", markup=False)
        out.print(f"Delete it by {until:%Y-%m-%d}: who is erased meanwhile is still in it.")

    shape = {"keys": made.keys, "path": str(to), "delete_by": stamp(until)}
    context.answer(shape, render)


def restore(context: Context, source: Path) -> None:
    """Add the keys of a copy to the key store, but for those whose destruction the store knows."""
    from crmtrail.model import stamp
    from snapshot.database import reading
    from snapshot.keys.opening import key_place, source_of
    from snapshot.keys.restoring import named_keys, restore_keys

    app = context.app
    config = app.config
    place = key_place(config.keys, config.store.url)
    with reading(app.store.engine) as connection:
        named = named_keys(connection)
    kek = source_of(config.keys, place, os.environ)
    done = restore_keys(source, place, kek, app.clock, named)
    _seal(context, "restore-keys", {"keys": done.added, "left_out": done.left_out})

    def render(out: "Console") -> None:
        made = f"made on {done.made_at:%Y-%m-%d}"
        out.print(f"{done.added:,} keys added from {source}, {made}.", markup=False)
        out.print(f"{done.left_out:,} keys of erased records were left out.")

    shape = {"added": done.added, "left_out": done.left_out, "made_at": stamp(done.made_at)}
    context.answer(shape, render)


@contextmanager
def _opened(context: Context) -> "Iterator[Keyring]":
    from snapshot.keys.opening import open_keys

    config = context.app.config
    ring = open_keys(config.keys, config.store.url, os.environ, context.app.clock, create=False)
    try:
        yield ring
    finally:
        ring.close()


def _seal(context: Context, kind: str, told: dict[str, object]) -> None:
    """Note in the ledger who did it."""
    app = context.app
    app.store.seal(kind, {"by": app.user, **told}, app.clock.now())
