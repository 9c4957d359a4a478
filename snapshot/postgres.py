"""A PostgreSQL database as SQLAlchemy sees it: what a session promises, when it locks.

Statements are ours, written once for SQLite: `snapshot.translating` turns them. Transactions mean
what they mean on SQLite (`snapshot.database`): one that writes takes the store's one write lock
first, an advisory lock that ends with it, and so needs no more than READ COMMITTED; one that
reads sees one state (REPEATABLE READ) and locks nobody out.

Values are put into the statements by psycopg on our side (`psycopg.ClientCursor`): what then
comes to the server has types to infer from, and nothing is prepared that a pooler could lose.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, Text, create_engine, event
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles

from crmtrail.errors import Mistake, NoStore
from snapshot.database import AS_WRITTEN, BUSY_MS, READS, TURN, WRITES
from snapshot.place import StoreServer
from snapshot.server_errors import discreet, told
from snapshot.translating import translated, translated_condition

try:
    import psycopg
    from psycopg.abc import Buffer
    from psycopg.adapt import Loader
except ImportError:  # pragma: no cover -- the tests have it
    raise Mistake(
        "store.url names a PostgreSQL server, and its driver is not installed",
        hint="install crmtrail with its extra: crmtrail[postgres]",
    ) from None

OLDEST: Final = 15
"""The oldest PostgreSQL that we support (and test with)."""

WRITE_LOCK: Final = 0x63726D747261696C
"""The key of the store's one write lock, an advisory lock of its database ("crmtrail")."""

_PATIENCE: Final = 10
"""Seconds to wait for a server to answer, unless the URL says otherwise."""

_SETTINGS: Final = {
    "connect_timeout": _PATIENCE,
    "application_name": "crmtrail",
    "client_encoding": "utf8",
}
_DURABLE: Final = ("on", "remote_apply")


def connect(place: StoreServer) -> Engine:
    """Return the engine over a database. Nothing is opened yet.

    Whatever goes wrong below becomes one of our errors, as `snapshot.server_errors.told` says.
    """
    # What psycopg logs when a server dies comes as our error; alone it would go to standard error.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    url, name = place.url, str(place)
    settings = {key: value for key, value in _SETTINGS.items() if key not in url.query}
    engine = create_engine(
        url,
        connect_args={**settings, "cursor_factory": psycopg.ClientCursor},
        pool_pre_ping=True,  # a server that was started anew is no failure
        hide_parameters=True,  # values are personal; they reach no message
    )
    event.listen(engine, "connect", partial(_prepare, name))
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _translate, retval=True)
    event.listen(engine, "handle_error", partial(_explain, name, url.password))
    return engine


@contextmanager
def spoken(
    connection: Connection, statement: str, *, binds_there: bool = False
) -> Iterator[psycopg.Cursor[Any]]:
    """Give a cursor of psycopg in the transaction of a connection, with SQLAlchemy's errors.

    Args:
        connection: of an engine of `connect`.
        statement: what is going to be run, for errors.
        binds_there: whether the server puts values into statements, which takes arrays in binary.
    """
    raw: Any = connection.connection.dbapi_connection
    try:
        with psycopg.Cursor(raw) if binds_there else raw.cursor() as cursor:
            yield cursor
    except psycopg.Error as error:
        url = connection.engine.url
        found = told(error, str(StoreServer(url)), password=url.password)
        raise (found or _as_sqlalchemy(connection, statement, error)) from None


def _as_sqlalchemy(connection: Connection, statement: str, error: psycopg.Error) -> BaseException:
    """Return the error that SQLAlchemy raises, without the row that the server quotes."""
    error.args = (discreet(error),)
    return DBAPIError.instance(
        statement, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
    )


def _prepare(name: str, connection: Any, _record: object) -> None:
    """Check the server, and set what holds for a session as long as it lives."""
    connection.adapters.register_loader("numeric", _NumberLoader)
    if connection.info.server_version < OLDEST * 10_000:
        raise NoStore(
            f"the server of {name} is PostgreSQL {connection.info.server_version // 10_000}",
            hint=f"crmtrail needs PostgreSQL {OLDEST} or later",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise NoStore(
            f"the database of {name} is encoded in {encoding}",
            hint="make it with: createdb --encoding UTF8 --template template0",
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit')")
        if cursor.fetchone()[0] not in _DURABLE:
            cursor.execute("SET synchronous_commit = on")
    connection.commit()


def _begin(connection: Connection) -> None:
    turn = connection.get_execution_options().get(TURN, WRITES)
    raw: Any = connection.connection.dbapi_connection
    levels = psycopg.IsolationLevel
    raw.isolation_level = levels.READ_COMMITTED if turn == WRITES else levels.REPEATABLE_READ
    raw.read_only = turn == READS
    if turn == WRITES:
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {BUSY_MS}; SELECT pg_advisory_xact_lock({WRITE_LOCK})",
            execution_options={AS_WRITTEN: True},
        )


def _translate(
    _connection: Connection,
    _cursor: object,
    statement: str,
    parameters: Any,
    context: Any,
    _many: bool,  # noqa: FBT001 -- the event's own signature
) -> tuple[str, Any]:
    """Translate statements of ours; those that SQLAlchemy wrote are PostgreSQL's already."""
    if context.compiled is not None:
        return (translated_condition(statement) if context.isddl else statement), parameters
    if context.execution_options.get(AS_WRITTEN):
        return statement, parameters
    return translated(statement), parameters


def _explain(name: str, password: str | None, context: ExceptionContext) -> None:
    """Raise our error for what the server, the network or libpq says; show no values in others."""
    error = context.original_exception
    found = told(error, name, password=password, opening=context.connection is None)
    if found is not None:
        raise found from None
    if isinstance(error, psycopg.Error) and context.connection is not None:
        raise _as_sqlalchemy(context.connection, context.statement or "", error) from None


class _NumberLoader(Loader):
    """Reads numbers as SQLite gives them: whole ones, such as sums, as int, else as float."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


@compiles(Text, "postgresql")
def _text(_type: Text, _compiler: PGTypeCompiler, **_more: Any) -> str:
    """Say how a column of text is made: texts are compared byte by byte, as SQLite does."""
    return 'TEXT COLLATE "C"'
