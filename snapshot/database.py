"""One SQLite file as SQLAlchemy sees it: which driver, which pragmas, when it locks.

Every transaction of the engine takes the store's one write lock at once, so that no transaction
finds out at its end that it cannot write: BEGIN IMMEDIATE here, and `snapshot.postgres` holds to
the same. `reading` gives one that only reads, `writing` one that writes, on either database.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DatabaseError

from crmtrail.errors import CrmtrailError, Damaged, Locked, Mistake, NoStore, StopAll

try:
    import pysqlite3.dbapi2 as _bundled
except ImportError:
    _bundled = None

DRIVER: Final[ModuleType] = sqlite3 if _bundled is None else _bundled
"""The bundled SQLite where it installs, else the standard library's."""

WAL_SAFE: Final = (3, 51, 3)
"""Earlier versions from 3.7.0 on can corrupt a WAL database (the WAL-reset bug)."""

BUSY_MS: Final = 30_000

TURN: Final = "crmtrail_turn"
"""The execution option that says what transactions are for: `WRITES` unless set."""
WRITES: Final = "writes"
SCRATCHES: Final = "scratches"
"""Reads, and keeps notes in temporary tables."""
READS: Final = "reads"

AS_WRITTEN: Final = "crmtrail_as_written"
"""The execution option of a statement that is not to be translated: it is one database's own."""

WRITE_A_URL: Final = "write sqlite:///crmtrail.db, or postgresql://user@host/database"


def sqlite_path(url: str) -> Path:
    """Return the file that a store URL names; `snapshot.place` knows the servers too.

    Raises:
        Mistake: the URL is none of ours, or names a server.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Mistake("store.url is not a database URL", hint=WRITE_A_URL) from None
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        raise Mistake(
            "store.url names a PostgreSQL server: the store is no file",
            hint="use PostgreSQL's own tools on it",
        )
    if parsed.drivername != "sqlite":
        raise Mistake(
            f"store.url: {parsed.drivername} is not a kind of store that crmtrail knows",
            hint=WRITE_A_URL,
        )
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise Mistake(
            "store.url has to name a file and nothing else", hint="write sqlite:///crmtrail.db"
        )
    return Path(parsed.database)


def connect(path: Path) -> Engine:
    """Return the engine over one file. Nothing is opened yet.

    A file that cannot be written is opened for reading only. Whatever goes wrong below then
    becomes one of our errors, as `told` says.
    """
    writable = is_writable(path)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=DRIVER,
        hide_parameters=True,  # errors would show values of the CRM
        creator=partial(_open, path, writable=writable),
    )
    event.listen(engine, "connect", _prepare if writable else _prepare_reading)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", partial(_explain, path))
    return engine


def is_writable(path: Path) -> bool:
    """Return whether a store can be written: its file, and the folder for what lies beside it.

    A file that is not there yet counts as writable; opening it says why it cannot be made.
    """
    return not path.exists() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def told(error: BaseException, path: Path) -> CrmtrailError | None:
    """Return what SQLite says of the disk or of others, in plain words; None for all else."""
    said = str(error)
    return _of_disk(said, path) or _of_access(said, path)


def _of_disk(said: str, path: Path) -> CrmtrailError | None:
    if "database or disk is full" in said:
        return StopAll(
            f"the disk of the store {path} is full",
            hint="free space and run again: nothing kept is lost",
        )
    if "disk I/O error" in said:
        return StopAll(
            f"the disk of the store {path} failed: {said}",
            hint="check the disk, then run `crmtrail verify`",
        )
    if "database disk image is malformed" in said or "Could not decode to UTF-8" in said:
        return Damaged(  # what SQLite says of a text would show it
            f"the store {path} is damaged: a part of it cannot be read",
            hint="check the disk and run `crmtrail verify`; where that fails, go back to a backup",
        )
    return None


def _of_access(said: str, path: Path) -> CrmtrailError | None:
    if "readonly database" in said:
        return StopAll(
            f"the store {path} can only be read", hint="check its permissions and its file system"
        )
    if "unable to open database file" in said:
        return NoStore(
            f"the store {path} cannot be opened",
            hint="check store.url, the folder and its permissions",
        )
    if "database is locked" in said or "database table is locked" in said:
        return Locked(
            f"another process has been writing the store {path} for {BUSY_MS // 1000} seconds",
            hint="wait for its end, then run again",
        )
    return None


def sqlite_version() -> str:
    """Return the version of the SQLite in use."""
    return str(DRIVER.sqlite_version)


def journal_mode() -> str:
    """Return the journal mode that is safe with the SQLite in use: ``WAL`` or ``TRUNCATE``."""
    return "WAL" if tuple(DRIVER.sqlite_version_info) >= WAL_SAFE else "TRUNCATE"


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run one transaction that writes: all of it is kept, or nothing."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run one transaction that only reads, and sees one state of the store."""
    with engine.connect() as connection:
        connection.execution_options(**{TURN: READS})
        with connection.begin():
            yield connection


def read_only(engine: Engine) -> Engine:
    """Return the same engine, whose transactions take no write lock and see one state each.

    They may make temporary tables, which those of `reading` may not.
    """
    return engine.execution_options(**{TURN: SCRATCHES})


def fetch(
    connection: Connection, statement: str, values: Sequence[Any] = ()
) -> Sequence[Sequence[Any]]:
    """Return the rows of a SELECT: what `Connection.exec_driver_sql` gives, in a fifth of the time.

    For questions about few rows, where SQLAlchemy's own work would be most of it. Where somebody
    listens to statements, to translate or to watch them, or where one fails, it goes the whole way.
    """
    if not connection.dispatch.before_cursor_execute:
        raw: Any = connection.connection.dbapi_connection
        try:
            rows: Sequence[Sequence[Any]] = raw.execute(statement, values).fetchall()
        except DRIVER.Error:
            pass  # once more, so that the error is told as any other
        else:
            return rows
    return connection.exec_driver_sql(statement, tuple(values)).all()


@contextmanager
def explained(store: Path | str) -> Iterator[None]:
    """Turn what a database says of an unusable store into one clear line.

    Args:
        store: its file, or another name of it that may be shown.

    Raises:
        NoStore: it is no database, or cannot be opened.
    """
    try:
        yield
    except (DatabaseError, UnicodeDecodeError) as error:
        # Of several lines only the first is SQLite's own; bytes that are no text are none.
        told = error.orig if isinstance(error, DatabaseError) else "it is damaged"
        said = str(told).partition("\n")[0]
        raise NoStore(
            f"the store {store} cannot be opened: {said}",
            hint="check store.url and the permissions",
        ) from error


def _open(path: Path, *, writable: bool) -> Any:
    """Connect as SQLAlchemy would, but a store that cannot be written for reading only.

    Where nobody can write the folder, nobody writes the file: ``immutable`` then spares SQLite the
    files that it would make beside it. Not where some are there, for they hold newer pages.
    """
    settings: dict[str, Any] = {
        "isolation_level": None,
        "timeout": BUSY_MS / 1000,
        # One thread at a time, but the main thread closes what the workers opened.
        "check_same_thread": False,
    }
    if writable:
        return DRIVER.connect(str(path), **settings)
    alone = not os.access(path.parent, os.W_OK) and not _has_log(path)
    mode = "mode=ro&immutable=1" if alone else "mode=ro"
    return DRIVER.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, **settings)


def _has_log(path: Path) -> bool:
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0


def _explain(path: Path, context: ExceptionContext) -> None:
    found = told(context.original_exception, path)
    if found is not None:
        raise found from context.original_exception


def _prepare_reading(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.execute("PRAGMA cache_size = -65536")  # 64 MiB
    finally:
        cursor.close()


def _prepare(connection: Any, _record: object) -> None:
    """Set what holds for a connection as long as it lives."""
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.execute(f"PRAGMA journal_mode = {journal_mode()}")
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute("PRAGMA recursive_triggers = ON")  # REPLACE then fires DELETE triggers
        cursor.execute("PRAGMA cache_size = -65536")  # 64 MiB
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(TURN, WRITES) == WRITES:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # takes no lock, so that nothing can be wrong with it: not worth SQLAlchemy's detour
        raw: Any = connection.connection.dbapi_connection
        raw.execute("BEGIN")
