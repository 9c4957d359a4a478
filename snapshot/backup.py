"""Back the store up while it is used, and put a backup in its place.

A backup is a SQLite file, whatever the store is: so it can be looked into, checked by an auditor's
program, and put back into a store of either kind. The keys to what is sealed are not in it.
"""

import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from crmtrail import landing
from crmtrail.errors import Locked, Mistake, NoStore, VerifyFailed
from crmtrail.ports import Clock
from snapshot.age import Lock, Opener, decrypt, encrypt, is_encrypted
from snapshot.copying import (
    SIDECARS,
    Checked,
    Progress,
    checked,
    copy_live,
    copy_still,
    fold,
    require_sound,
)
from snapshot.database import DRIVER, reading
from snapshot.engine import open_file
from snapshot.leaves import frontier_of, size_of
from snapshot.moving import copy_store, is_free
from snapshot.place import StoreFile, StoreServer, connect, opening
from snapshot.store import SqlStore

_KEPT: Final = ".before-restore"
_OURS_ONLY: Final = 0o600
_PATIENCE: Final = 3.0
"""Seconds to wait for whoever still has the store open."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A copy in its place. ``before`` is where the store it replaced is kept."""

    path: Path | StoreServer
    bytes: int
    entries: int
    root: str
    before: Path | None = None


def back_up(
    store: SqlStore,
    to: Path,
    *,
    by: str,
    clock: Clock,
    note: str = "",
    lock: Lock | None = None,
    progress: Progress = lambda *_: None,
) -> Placed:
    """Copy the store as it is at one moment into a SQLite file, and check the copy in full.

    Syncs and restores may go on meanwhile. That it is made is sealed first, so that the copy holds
    the entry: it says what the ledger was just before, and is signed where ``note`` is given.

    Args:
        store: the store, in a file or on a server.
        to: the file to be made, for its owner alone.
        by: who wants it.
        clock: where the time comes from.
        note: a signed checkpoint of just now.
        lock: what the copy is encrypted to; None leaves it readable.
        progress: is told how far it is.

    Raises:
        Mistake: there is a file already, or no folder for it.
        VerifyFailed: the copy is not whole, so the store is not; no copy was kept.
    """
    landing.check(to)
    head = store.checkpoint(clock.now())
    entry = {"by": by, "to": to.name, "entries": head.size, "root": head.root, "note": note}
    store.seal("backup", entry, clock.now())
    with landing.beside(to) as part:
        made = _copied(store, part, to, progress)
        _compare(store, made)
        if lock is None:
            landing.land(part, to)
        else:
            _land_encrypted(lock, part, made, to)
    return Placed(to, to.stat().st_size, made.entries, made.root)


def _copied(store: SqlStore, part: Path, to: Path, progress: Progress) -> Checked:
    """Copy a store into an empty file."""
    if store.engine.dialect.name == "sqlite":
        copy_live(Path(str(store.engine.url.database)), part, progress)
        return checked(part, told_as=to)
    engine = connect(StoreFile(part))
    try:
        copy_store(store.engine, engine, StoreFile(to), progress=progress)
    finally:
        engine.dispose()
    return checked(part, told_as=to)


def _land_encrypted(lock: Lock, part: Path, made: Checked, to: Path) -> None:
    """Encrypt a copy, open the result again, and see that it is the same store."""
    with landing.beside(to) as sealed, landing.beside(to) as opened:
        opener = encrypt(lock, part, sealed)
        decrypt(opener, sealed, opened)
        if checked(opened, told_as=to) != made:
            raise VerifyFailed("the encrypted copy is not what was encrypted; it was not kept")
        landing.land(sealed, to)


def restore(
    path: Path,
    source: Path,
    *,
    by: str,
    clock: Clock,
    force: bool = False,
    opener: Opener | None = None,
) -> Placed:
    """Put a backup in the store's place; what was there is kept beside it.

    The backup is copied and the copy checked in full before anything is moved. It is brought up
    to this version, and gets an entry in its ledger that says where it came from.

    Args:
        path: the store's file, whether there or not.
        source: the backup, of a store of either kind; it is not changed.
        by: who restores.
        clock: where the time comes from.
        force: whether a store that is there may be replaced.
        opener: what an encrypted backup is opened with.

    Raises:
        Mistake: there is a store and ``force`` is not given, or the backup does not open.
        NoStore: the backup is not there, no store, or of a newer crmtrail.
        VerifyFailed: the backup is damaged or was altered.
        Locked: somebody uses the store.
    """
    path = path.resolve()
    _require_file(source)
    if path.exists() and not force:
        raise Mistake(
            f"there is a store at {path}",
            hint=f"--force replaces it and keeps it as {path.name}{_KEPT}",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with landing.beside(path) as part:
        _taken(source, part, opener)
        made = _opened(part, source, by, clock)
        before = _set_aside(path, part)
        landing.land(part, path, force=True)
    return Placed(path, made.bytes, made.entries, made.root, before)


def restore_to_server(
    place: StoreServer, source: Path, *, by: str, clock: Clock, opener: Opener | None = None
) -> Placed:
    """Put a backup into an empty database of a server; see `restore`.

    Raises:
        Mistake: the database is not empty, or the backup does not open.
    """
    _require_file(source)
    target = connect(place)
    try:
        with opening(place):
            if not is_free(target):
                raise Mistake(
                    f"there is a store at {place}, or something else",
                    hint="make a new database with createdb, and name it in store.url",
                )
        with TemporaryDirectory(prefix="crmtrail-") as folder:
            part = Path(folder, "store.db")
            part.touch(_OURS_ONLY)
            _taken(source, part, opener)
            made = _opened(part, source, by, clock)
            old = connect(StoreFile(part))
            try:
                copy_store(old, target, place)
            finally:
                old.dispose()
    finally:
        target.dispose()
    return Placed(place, made.bytes, made.entries, made.root)


def _require_file(source: Path) -> None:
    if not source.is_file():
        raise NoStore(f"there is no backup at {source}", hint="check the path")


def _taken(source: Path, part: Path, opener: Opener | None) -> None:
    """Copy a backup to where it can be worked on, decrypted."""
    if not is_encrypted(source):
        copy_still(source, part)
        return
    if opener is None:
        raise Mistake(
            f"{source} is encrypted",
            hint="--identity FILE for a backup made with --recipient, else --passphrase-file FILE",
        )
    decrypt(opener, source, part)


def _opened(part: Path, source: Path, by: str, clock: Clock) -> Checked:
    """Bring a copied backup up to date, check it in full, and note in it what it is."""
    _require_store(part, source)
    require_sound(part, told_as=source)
    open_file(part, clock, told_as=source).close()
    found = checked(part, told_as=source)
    store = open_file(part, clock, told_as=source)
    try:
        store.seal("restore-store", {"by": by, "from": source.name} | _ledger(found), clock.now())
    finally:
        store.close()
    fold(part)
    return replace(found, bytes=part.stat().st_size)


def _require_store(part: Path, source: Path) -> None:
    """See that a file is a store before it is searched for damage.

    Raises:
        NoStore: it is something else.
        VerifyFailed: it is a database in pieces.
    """
    try:
        with closing(DRIVER.connect(part)) as raw:
            names = raw.execute("SELECT name FROM sqlite_master WHERE name = 'leaf'").fetchall()
    except DRIVER.DatabaseError as error:
        if "malformed" in str(error):
            raise VerifyFailed(f"{source} is damaged: {error}") from error
        raise NoStore(f"{source} is no crmtrail store: {error}", hint="check the path") from error
    if not names:
        raise NoStore(f"{source} is no crmtrail store", hint="check the path")


def _set_aside(path: Path, part: Path) -> Path | None:
    """Keep the store that is there under another name, so that its place is never empty.

    Raises:
        Locked: somebody has it open.
    """
    if not path.exists():
        return None
    _close_for_good(path)
    before, count = path.with_name(path.name + _KEPT), 1
    while before.exists():
        count += 1
        before = path.with_name(f"{path.name}{_KEPT}-{count}")
    for suffix in SIDECARS:  # of a store too damaged to open; they must not meet the new one
        if (left := Path(f"{path}{suffix}")).exists():
            left.rename(f"{before}{suffix}")
    shutil.copymode(path, part)
    try:
        before.hardlink_to(path)
    except OSError:  # a file system without hard links
        path.rename(before)
    return before


def _close_for_good(path: Path) -> None:
    """Fold a store into one file, which only works where nobody else has it open."""
    try:
        with closing(DRIVER.connect(path, isolation_level=None, timeout=_PATIENCE)) as raw:
            raw.execute("PRAGMA journal_mode = DELETE").fetchall()
            raw.execute("BEGIN EXCLUSIVE")
            raw.execute("ROLLBACK")
    except DRIVER.OperationalError as error:
        if "locked" in str(error):
            raise Locked(
                f"the store {path} is in use", hint="stop crmtrail serve and every sync first"
            ) from error
    except DRIVER.DatabaseError:
        return  # damaged: a reason to restore, none to refuse


def _compare(store: SqlStore, made: Checked) -> None:
    """See that the copy's ledger is the beginning of the store's own."""
    with reading(store.engine) as connection:
        size = size_of(connection)
        root = frontier_of(connection, made.entries).root().hex() if made.entries <= size else ""
    if root != made.root:
        raise VerifyFailed("the copy does not hold the store's ledger; no backup was kept")


def _ledger(made: Checked) -> dict[str, object]:
    return {"entries": made.entries, "root": made.root}
