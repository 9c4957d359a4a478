"""Copies of the store's file: made page by page while it is used, and checked in full."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy.exc import DatabaseError

from crmtrail.errors import NoStore, VerifyFailed
from crmtrail.ports import Verification
from snapshot.database import BUSY_MS, DRIVER, connect, told
from snapshot.verify import verify

Progress: TypeAlias = Callable[[int, int | None, str], None]

SIDECARS: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database that is in use, or was when the machine stopped."""

_PAGES: Final = 1_000
_RESTARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """A copy that was found whole: its size in bytes, and its ledger."""

    bytes: int
    entries: int
    root: str


class _RestartedError(Exception):
    """A copy had to begin again too often, because somebody kept writing."""


def copy_live(path: Path, to: Path, progress: Progress) -> None:
    """Copy a database that is in use, as it is at one moment, by SQLite's backup.

    In WAL mode nobody waits. Otherwise writers may go on between the steps, which begins the copy
    again; from the third time on they wait for one step that copies all.
    """
    with _explained(to), closing(_raw(path)) as source, closing(_raw(to)) as target:
        if source.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchall()  # pins the moment
        try:
            source.backup(target, pages=_PAGES, progress=_following(progress))
        except _RestartedError:
            source.backup(target, pages=-1)
        _fold(target)


def copy_still(path: Path, to: Path) -> None:
    """Copy a file that may be a database, without changing anything beside it.

    Raises:
        NoStore: it cannot be read.
    """
    try:
        if not any(Path(f"{path}{suffix}").exists() for suffix in SIDECARS):
            shutil.copyfile(path, to)
            return
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(DRIVER.connect(uri, uri=True)) as source, closing(_raw(to)) as target:
            source.backup(target)
            _fold(target)
    except (OSError, DRIVER.DatabaseError) as error:
        raise NoStore(f"{path} cannot be read: {error}", hint="check the path") from error


def checked(path: Path, told_as: Path) -> Checked:
    """Check a copy in full: SQLite's own structure, then every entry and the data under it.

    Raises:
        VerifyFailed: something is not as it was written.
    """
    require_sound(path, told_as)
    with _failing(told_as):
        found = _verified(path)
    if not found.ok:
        raise VerifyFailed(
            f"{told_as} was altered: {found.first_bad['kind']} {found.first_bad['index']}: "
            f"{found.first_bad['why']}",
        )
    fold(path)
    return Checked(path.stat().st_size, found.entries, found.root)


def require_sound(path: Path, told_as: Path) -> None:
    """See that SQLite finds a database whole, and every row where its references point.

    Raises:
        VerifyFailed: it does not.
    """
    with _failing(told_as), closing(_raw(path)) as raw:
        ((found,),) = raw.execute("PRAGMA integrity_check(1)").fetchall()
        stray = raw.execute("PRAGMA foreign_key_check").fetchone()
    if found != "ok":
        raise VerifyFailed(f"{told_as} is damaged: {found}")
    if stray is not None:
        raise VerifyFailed(f"{told_as} is damaged: a row of {stray[0]} hangs on nothing")


def fold(path: Path) -> None:
    """Make one file of a database that nobody uses: it needs nothing beside it."""
    with closing(_raw(path)) as raw:
        _fold(raw)


def _verified(path: Path) -> Verification:
    engine = connect(path)
    try:
        return verify(engine)
    finally:
        engine.dispose()


@contextmanager
def _failing(told_as: Path) -> Iterator[None]:
    """Turn what cannot even be read into a failed verification."""
    try:
        yield
    except (DRIVER.DatabaseError, DatabaseError) as error:
        said = getattr(error, "orig", error)
        raise VerifyFailed(f"{told_as} is damaged: {said}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise VerifyFailed(f"{told_as} was altered: {error}") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say of a full or broken disk what `snapshot.database` says of the store's."""
    try:
        yield
    except DRIVER.OperationalError as error:
        found = told(error, path)
        if found is None:
            raise
        raise found from error


def _raw(path: Path) -> Any:
    return DRIVER.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)


def _fold(raw: Any) -> None:
    raw.execute("PRAGMA journal_mode = DELETE").fetchall()


def _following(progress: Progress) -> Callable[[int, int, int], None]:
    """Tell how far a copy is; give up where it begins again and again."""
    left: list[int] = []
    restarts: list[int] = []

    def follow(_status: int, remaining: int, total: int) -> None:
        if left and remaining > left[-1]:
            restarts.append(remaining)
            if len(restarts) >= _RESTARTS:
                raise _RestartedError
        left[:] = [remaining]
        progress(total - remaining, total, "pages")

    return follow
