"""Copy a key store, and put a copy back without bringing destroyed keys to life.

A copy is a SQLite file. Its keys stay wrapped; the key-encryption key is not in it. For as long as
a copy is kept, a key that was destroyed since can be had from it. So it says when it was made, and
ought to be deleted after `KEPT_DAYS`.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail import landing
from crmtrail.errors import Mistake, NoStore, VerifyFailed
from snapshot.copying import fold
from snapshot.database import DRIVER, reading, writing
from snapshot.keys.keyring import Keyring
from snapshot.keys.tables import FORMAT, KEK, METADATA, RING, SUBJECT_KEY
from snapshot.place import StoreFile, connect
from snapshot.times import at_micros, micros

KEPT_DAYS: Final = 30
"""How long a copy of keys is kept: so much later an erasure is final."""

APPLICATION_ID: Final = 0x63726B63
"""Marks a copy in the header of its SQLite file, so that it is known without being opened."""

_MAGIC: Final = b"SQLite format 3\0"
_ID_AT: Final = 68
"""Where SQLite keeps the application id (https://sqlite.org/fileformat2.html, section 1.3)."""
_HEADER: Final = 100
_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a key store. ``keys`` counts those that were not destroyed."""

    path: Path
    made_at: datetime
    keys: int


def backup_keys(
    ring: Keyring,
    to: Path,
    at: datetime,
    progress: Callable[[int, int | None, str], None] = lambda *_: None,
) -> Backup:
    """Copy a key store as it is at one moment, wrapped as it is. It may be used meanwhile.

    Args:
        ring: the key store.
        to: the file to be made, for its owner alone.
        at: when that is.
        progress: is told how many rows were copied.

    Raises:
        Mistake: there is a file already, or no folder for it.
    """
    landing.check(to)
    with landing.beside(to) as part:
        keys = _copied(ring, part, at, progress)
        with closing(DRIVER.connect(part, isolation_level=None)) as raw:
            raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        fold(part)
        landing.land(part, to)
    return Backup(to, at, keys)


def expired(path: Path, now: datetime, days: int = KEPT_DAYS) -> bool:
    """Return whether a copy is older than it should be.

    Raises:
        Mistake: the file is no copy of a key store.
    """
    with opened_copy(path) as raw:
        return made_at(raw) < now - timedelta(days=days)


def copies_in(folder: Path) -> Iterator[Path]:
    """Yield the copies of key stores in a folder, as far as it can be read."""
    try:
        files = sorted(one for one in folder.iterdir() if one.is_file())
    except OSError:
        return
    yield from (one for one in files if _is_copy(one))


def made_at(raw: Any) -> datetime:
    """Return when an open copy was made."""
    ((copied,),) = raw.execute("SELECT copied_at FROM ring").fetchall()
    return at_micros(int(copied))


@contextmanager
def opened_copy(path: Path) -> Iterator[Any]:
    """Open a copy for reading; nothing beside it is made.

    Raises:
        Mistake: it is something else.
        NoStore: it is not there, cannot be read, or is of a newer crmtrail.
        VerifyFailed: it is damaged.
    """
    if not path.is_file():
        raise NoStore(f"there is no copy of a key store at {path}", hint="check the path")
    if not _is_copy(path):
        raise Mistake(f"{path} is no copy made by `crmtrail key --backup`")
    try:
        with closing(DRIVER.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as raw:
            ((form,),) = raw.execute("SELECT format FROM ring").fetchall()
            if form > FORMAT:
                raise NoStore(f"{path} is of a newer crmtrail", hint="upgrade crmtrail")
            yield raw
    except DRIVER.DatabaseError as error:
        raise VerifyFailed(f"{path} is damaged: {error}") from error


def _copied(
    ring: Keyring,
    part: Path,
    at: datetime,
    progress: Callable[[int, int | None, str], None],
) -> int:
    """Fill an empty file with a key store's rows; return how many keys are in it."""
    engine = connect(StoreFile(part))
    try:
        with reading(ring.engine) as source, writing(engine) as target:
            METADATA.create_all(target)
            for table in (RING, KEK):
                _insert(target, table.name, source.exec_driver_sql(_all(table.name)).all())
            target.exec_driver_sql("UPDATE ring SET copied_at = ?", (micros(at),))
            done, keys = 0, -1  # the index key is nobody's
            for rows in _batches(source):
                _insert(target, SUBJECT_KEY.name, rows)
                done += len(rows)
                keys += sum(row.wrapped is not None for row in rows)
                progress(done, None, "keys")
    finally:
        engine.dispose()
    return keys


def _batches(source: Connection) -> Iterator[Any]:
    sql = f"{_all(SUBJECT_KEY.name)} WHERE key_id > ? ORDER BY key_id LIMIT ?"
    after = -1
    while rows := source.exec_driver_sql(sql, (after, _BATCH)).all():
        yield rows
        after = rows[-1].key_id


def _columns(table: str) -> list[str]:
    return [column.name for column in METADATA.tables[table].columns]


def _all(table: str) -> str:
    return f"SELECT {', '.join(_columns(table))} FROM {table}"  # noqa: S608 -- names of our own tables


def _insert(target: Connection, table: str, rows: Any) -> None:
    names = _columns(table)
    holes = ", ".join("?" * len(names))
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({holes})"  # noqa: S608 -- as above
    target.exec_driver_sql(sql, [tuple(row) for row in rows])


def _is_copy(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except OSError:
        return False
    mark = APPLICATION_ID.to_bytes(4, "big")
    return header.startswith(_MAGIC) and header[_ID_AT : _ID_AT + len(mark)] == mark
