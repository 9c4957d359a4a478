"""The world: one SQLite database with both CRMs, the journal of the truth and the request log."""

import json
import random
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmtrail.sandbox.clock import Clock
from crmtrail.sandbox.faults import Faults

SIZES = {"tiny": 200, "small": 2_000, "medium": 20_000, "large": 200_000}
"""Records over both CRMs, by the name of the size."""

_TABLES = """
CREATE TABLE IF NOT EXISTS world(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal(
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, crm TEXT NOT NULL, object TEXT NOT NULL,
  record TEXT NOT NULL, op TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
  actor TEXT NOT NULL, request INTEGER);
CREATE INDEX IF NOT EXISTS journal_record ON journal(crm, object, record);
CREATE TABLE IF NOT EXISTS request(
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, crm TEXT NOT NULL, method TEXT NOT NULL,
  target TEXT NOT NULL, identity TEXT, status INTEGER, fault TEXT, body TEXT);
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts inside a CRM: ``kind`` is user, app, import, workflow or system."""

    kind: str
    id: str
    name: str


class World:
    """State shared by both CRMs. Hold ``lock`` while touching it; the server does.

    With a ``path`` the world persists: the same file gives the same world again.
    """

    def __init__(self, path: str = ":memory:", *, seed: int = 1) -> None:
        self.lock = threading.RLock()
        self.clock = Clock()
        self.faults = Faults()
        self.seed = seed
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=MEMORY")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.executescript(_TABLES)
        self._request = 0
        self.features: frozenset[str] = frozenset((self.recall("features") or "").split())

    def close(self) -> None:
        """Close the database; the world is of no use afterwards."""
        self.db.close()

    def random(self, purpose: str) -> random.Random:
        """Return a generator that depends only on the seed and the purpose."""
        return random.Random(f"{self.seed}/{purpose}")

    def empty(self) -> None:
        """Drop every table, so that the CRMs can be created anew."""
        names = self.db.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (name,) in names:
            self.db.execute(f'DROP TABLE "{name}"')
        self.db.executescript(_TABLES)
        self.faults.clear()

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact of the world itself."""
        self.db.execute("INSERT OR REPLACE INTO world VALUES (?, ?)", (key, value))

    def recall(self, key: str) -> str | None:
        """Return a fact kept by `remember`."""
        row = self.db.execute("SELECT value FROM world WHERE key=?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def journal(
        self,
        crm: str,
        object_: str,
        record: str,
        op: str,
        change: tuple[Mapping[str, Any], Mapping[str, Any]],
        actor: Actor,
        at: datetime | None = None,
    ) -> None:
        """Write down what truly happened: the fields touched, before and after."""
        before, after = change
        self.db.execute(
            "INSERT INTO journal(at, crm, object, record, op, before, after, actor, request)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (
                (at or self.clock.now()).isoformat(),
                crm,
                object_,
                record,
                op,
                json.dumps(before),
                json.dumps(after),
                json.dumps({"kind": actor.kind, "id": actor.id, "name": actor.name}),
                self._request or None,
            ),
        )

    def journalled(
        self, *, crm: str = "", since: int = 0, record: str = ""
    ) -> list[dict[str, Any]]:
        """Return journal entries after ``since``, oldest first."""
        rows = self.db.execute(
            "SELECT * FROM journal WHERE seq > ? AND (? = '' OR crm = ?)"
            " AND (? = '' OR record = ?) ORDER BY seq",
            (since, crm, crm, record, record),
        )
        return [
            dict(row) | {name: json.loads(row[name]) for name in ("before", "after", "actor")}
            for row in rows
        ]

    def begin_request(self, crm: str, method: str, target: str, body: str | None) -> int:
        """Log a request before it is carried out and return its number."""
        cursor = self.db.execute(
            "INSERT INTO request(at, crm, method, target, body) VALUES (?,?,?,?,?)",
            (self.clock.now().isoformat(), crm, method, target, body),
        )
        self._request = int(cursor.lastrowid or 0)
        return self._request

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Journal what happens inside as nobody's request: it happens by itself."""
        with self.under(0):
            yield

    @contextmanager
    def under(self, number: int) -> Iterator[None]:
        """Journal what happens inside as the doing of an earlier request."""
        before, self._request = self._request, number
        try:
            yield
        finally:
            self._request = before

    @property
    def request_number(self) -> int:
        """The number of the request under way; 0 if there is none."""
        return self._request

    def end_request(self, number: int, status: int | None, fault: str | None) -> None:
        """Note how a request ended; status None means that no answer was sent."""
        self.db.execute("UPDATE request SET status=?, fault=? WHERE seq=?", (status, fault, number))
        self._request = 0

    def identify(self, identity: str) -> None:
        """Note whose token the request under way carries."""
        self.db.execute("UPDATE request SET identity=? WHERE seq=?", (identity, self._request))

    def requests(self, *, crm: str = "", since: int = 0) -> list[dict[str, Any]]:
        """Return logged requests after ``since``, oldest first."""
        rows = self.db.execute(
            "SELECT * FROM request WHERE seq > ? AND (? = '' OR crm = ?) ORDER BY seq",
            (since, crm, crm),
        )
        return [dict(row) for row in rows]
