"""Small reads of the key store, many a second.

A transaction of the engine costs several times what such a read does. So on SQLite they go
over one connection that is kept, each a transaction by itself.
"""

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from snapshot.database import DRIVER, reading, told


class Glance:
    """Reads over one engine. Threads may share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._raw: Any = None

    def rows(self, sql: str, *values: object) -> Sequence[Any]:
        """Return the rows of one statement, in a transaction of its own."""
        if self._engine.dialect.name != "sqlite":
            with reading(self._engine) as connection:
                return connection.exec_driver_sql(sql, values).all()
        try:
            with self._lock:
                if self._raw is None:
                    self._raw = self._engine.raw_connection()
                with closing(self._raw.cursor()) as cursor:
                    found: Sequence[Any] = cursor.execute(sql, values).fetchall()
                    return found
        except DRIVER.OperationalError as error:
            plain = told(error, Path(str(self._engine.url.database)))
            if plain is None:
                raise
            raise plain from error

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            if self._raw is not None:
                self._raw.close()
                self._raw = None
