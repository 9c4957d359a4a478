"""SQLite for the contenders that write SQL themselves: the same build and settings as crmtrail."""

import sqlite3
from pathlib import Path
from typing import Any, Final

try:
    from pysqlite3 import dbapi2 as _bundled
except ImportError:
    _bundled = None

sqlite: Final[Any] = sqlite3 if _bundled is None else _bundled


def connected(path: Path, *statements: str) -> Any:
    """Open a file (WAL, FULL, 64 MiB cache), with some tables made where it is new."""
    is_new = not path.exists()
    connection = sqlite.connect(str(path), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    if is_new:
        for statement in statements:
            connection.execute(statement)
    return connection


def size_of(connection: Any) -> int:
    """Return the bytes of a database as a reader sees it, its log included."""
    (pages,), (each,) = (
        connection.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size")
    )
    return int(pages * each)


def written_size(path: Path) -> int:
    """As `size_of`, of a database that others have open."""
    connection = sqlite.connect(str(path), isolation_level=None)
    try:
        return size_of(connection)
    finally:
        connection.close()
