"""Where a store is: a SQLite file on this machine, or a database of a PostgreSQL server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from crmtrail.errors import Mistake
from snapshot import database
from snapshot.database import WRITE_A_URL, explained

_SERVER_DRIVER: Final = "postgresql+psycopg"
_SERVER_NAMES: Final = frozenset({"postgres", "postgresql", _SERVER_DRIVER})
_WRITE_A_SERVER: Final = "write postgresql://user@host/database"

_TABLES: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
    " ESCAPE '\\'",
    "postgresql": "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()",
}


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A store in a file. ``str`` names it in messages."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class StoreServer:
    """A store in a database of a PostgreSQL server. ``str`` names it without its password.

    A password is better left out of the URL: libpq takes it from ``PGPASSWORD`` or ``~/.pgpass``.
    """

    url: URL

    def __str__(self) -> str:
        user, host, port = self.url.username, self.url.host, self.url.port
        return str(URL.create("postgresql", user, None, host, port, self.url.database))

    def __repr__(self) -> str:
        return f"StoreServer({self})"


StorePlace: TypeAlias = StoreFile | StoreServer


def place_of(url: str) -> StorePlace:
    """Return where a store URL points.

    Raises:
        Mistake: the URL is none of ours. It is never repeated: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise Mistake("store.url is not a database URL", hint=WRITE_A_URL) from None
    if parsed.get_backend_name() not in {"postgres", "postgresql"}:
        return StoreFile(database.sqlite_path(url))
    if parsed.drivername not in _SERVER_NAMES:
        raise Mistake(
            f"store.url: crmtrail speaks to PostgreSQL by psycopg, not {parsed.drivername}",
            hint=_WRITE_A_SERVER,
        )
    if not parsed.database:
        raise Mistake("store.url has to name a database of the server", hint=_WRITE_A_SERVER)
    return StoreServer(parsed.set(drivername=_SERVER_DRIVER))


def connect(place: StorePlace) -> Engine:
    """Return the engine over a store's place. Nothing is opened yet.

    Raises:
        Mistake: it is a server, and its driver is not installed.
    """
    if isinstance(place, StoreFile):
        return database.connect(place.path)
    # Loaded only here: most stores are files.
    from snapshot.postgres import connect as connect_server  # noqa: PLC0415 -- see above

    return connect_server(place)


@contextmanager
def opening(place: StorePlace) -> Iterator[None]:
    """Turn what a database says of a store that cannot be used into one clear line.

    Raises:
        NoStore: it cannot be opened.
    """
    with explained(str(place)):
        yield


def is_writable(place: StorePlace) -> bool:
    """Return whether a store can be written, as far as that shows before it is opened."""
    return not isinstance(place, StoreFile) or database.is_writable(place.path)


def table_names(connection: Connection) -> frozenset[str]:
    """Return the names of all tables in the database of a store."""
    names = connection.exec_driver_sql(
        _TABLES[connection.dialect.name], execution_options={database.AS_WRITTEN: True}
    )
    return frozenset(names.scalars())
