"""A fresh PostgreSQL database for every round, on a server that the user names."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from os import getpid
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_NUMBERS: Final = count(1)


@contextmanager
def database(server: str) -> Iterator[str]:
    """Make a database of the benchmark's own; yield its URL and drop it afterwards.

    Args:
        server: URL of any database of the server, as somebody who may create databases.
    """
    import psycopg  # noqa: PLC0415 -- only who asks for PostgreSQL needs it
    from psycopg import sql  # noqa: PLC0415 -- as above

    name = f"crmtrail_bench_{getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)
