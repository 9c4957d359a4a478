"""The physical floor: slice a page, insert each record's raw bytes. It answers nothing else.

One SQLite table without a second index, WAL, ``synchronous=FULL``, one commit a page.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from lite import connected, size_of

_TABLE: Final = "CREATE TABLE raw (n INTEGER PRIMARY KEY, id TEXT NOT NULL, at TEXT, body BLOB)"


class _Answer(msgspec.Struct):
    records: list[msgspec.Raw]


class _Head(msgspec.Struct):
    Id: str
    SystemModstamp: str


class Store:
    """The floor. ``sync`` and ``recheck`` append: it knows no versions."""

    exact = True
    tells = False

    def __init__(self, folder: Path) -> None:
        path = folder / "floor.db"
        self._connection = connected(path, _TABLE)
        self._answer = msgspec.json.Decoder(_Answer)
        self._head = msgspec.json.Decoder(_Head)

    def load(self, pages: Iterable[bytes]) -> None:
        """Insert every record."""
        head = self._head.decode
        for page in pages:
            rows = []
            for raw in self._answer.decode(page).records:
                told = head(raw)
                rows.append((told.Id, told.SystemModstamp, bytes(raw)))
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO raw (id, at, body) VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Slice and look at nothing: the floor of reading."""
        for page in pages:
            for raw in self._answer.decode(page).records:
                self._head.decode(raw)

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Insert every changed record."""
        del number
        self.load(pages)

    def size(self) -> int:
        """Return the file's bytes."""
        return size_of(self._connection)

    def count(self) -> tuple[int, int]:
        """Return how many rows there are, twice: it tells no records from versions."""
        (found,) = self._connection.execute("SELECT count(*) FROM raw").fetchone()
        return found, found

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Return nothing: it cannot be asked."""
        del id_, sync
        return {}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
