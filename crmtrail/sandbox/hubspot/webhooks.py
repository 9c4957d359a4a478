"""Webhooks: subscriptions, the events waiting for them, and the sender."""

import base64
import hashlib
import hmac
import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

from crmtrail.sandbox.hubspot.events import Event
from crmtrail.sandbox.hubspot.object_types import ObjectType
from crmtrail.sandbox.hubspot.people import People
from crmtrail.sandbox.hubspot.switches import Switches
from crmtrail.sandbox.hubspot.values import millis
from crmtrail.sandbox.world import World

TABLES = """
CREATE TABLE IF NOT EXISTS hs_hook(
  id INTEGER PRIMARY KEY, app TEXT NOT NULL, target TEXT NOT NULL, secret TEXT NOT NULL,
  events TEXT NOT NULL, properties TEXT NOT NULL, active INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS hs_outbox(
  seq INTEGER PRIMARY KEY, hook INTEGER NOT NULL, due INTEGER NOT NULL, attempt INTEGER NOT NULL,
  doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS hs_outbox_due ON hs_outbox(due)
"""

NAMED = ("contacts", "companies", "deals", "tickets", "products", "line_items")
"""The objects whose events have names of their own; the others' are called ``object.*``."""
WHAT = (
    "creation", "deletion", "merge", "restore", "propertyChange", "associationChange",
    "privacyDeletion",
)  # fmt: skip
MOST = 100
"""The most events in one request."""
RETRIES = 10
_FIRST_WAIT = 60_000  # milliseconds; doubled each time, ten retries lie within 24 hours
_PATIENCE = 5.0  # seconds HubSpot waits for an answer
_FIRST_ID = 686_627
_FIRST_EVENT = 3_029_365_631


def signature(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Return the v3 signature: base64 of HMAC-SHA256 over method, URI, body and timestamp."""
    signed = method.encode() + uri.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class Batch:
    """Events on their way to one target."""

    rows: tuple[int, ...]
    target: str
    body: bytes
    headers: dict[str, str]
    attempt: int
    twice: bool


class Webhooks:
    """The subscriptions of one portal and what waits to be sent to them."""

    def __init__(self, world: World, people: People, switches: Switches) -> None:
        self._world = world
        self._people = people
        self._switches = switches

    def create(self) -> None:
        """Create the tables."""
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)

    def subscribe(
        self, app: str, target: str, secret: str, events: list[str], properties: list[str]
    ) -> int:
        """Send events of these names to a URL from now on and return the subscription's id."""
        made = self._world.db.execute(
            "INSERT INTO hs_hook(id, app, target, secret, events, properties, active)"
            " VALUES ((SELECT coalesce(max(id) + 1, ?) FROM hs_hook),?,?,?,?,?,1)",
            (_FIRST_ID, app, target, secret, json.dumps(events), json.dumps(properties)),
        )
        return int(made.lastrowid or 0)

    def switch(self, id_: int, *, active: bool) -> bool:
        """Pause a subscription or let it go on; False: there is none of this id."""
        found = self._world.db.execute("UPDATE hs_hook SET active=? WHERE id=?", (active, id_))
        return found.rowcount > 0

    def waiting(self) -> int:
        """Return how many events have not been taken by their target yet."""
        return int(self._world.db.execute("SELECT count(*) FROM hs_outbox").fetchone()[0])

    def hear(self, event: Event) -> None:
        """Put an event into the outbox of everybody who subscribed to it."""
        hooks = self._world.db.execute("SELECT * FROM hs_hook WHERE active").fetchall()
        for hook in hooks:
            wanted = json.loads(hook["events"])
            for name in names(event.kind, event.what):
                if name in wanted:
                    self._put(hook, name, event)
                    break

    def _put(self, hook: Any, name: str, event: Event) -> None:
        only = json.loads(hook["properties"])
        due = millis(self._world.clock.now()) + round(self._switches.webhook_delay * 1000)
        for more in _parts(event, only):
            number = int(self._world.recall("hubspot/events") or 0) + 1
            self._world.remember("hubspot/events", str(number))
            doc = {
                "eventId": _FIRST_EVENT + number,
                "subscriptionId": hook["id"],
                "portalId": self._people.portal,
                "appId": int(hook["app"]),
                "occurredAt": event.at,
                "subscriptionType": name,
                "objectId": event.id,
                "changeSource": event.origin.type,
                "sourceId": event.origin.id,
                **more,
            }
            if name.startswith("object."):
                doc |= {"objectTypeId": event.kind.type_id, "isSensitive": False}
            self._world.db.execute(
                "INSERT INTO hs_outbox(hook, due, attempt, doc) VALUES (?,?,0,?)",
                (hook["id"], due, json.dumps(doc)),
            )

    def next_batch(self) -> Batch | None:
        """Return events that are due, of one subscription and one attempt; None: there are none."""
        now = millis(self._world.clock.now())
        first = self._world.db.execute(
            "SELECT hook, attempt FROM hs_outbox WHERE due <= ? ORDER BY due, seq", (now,)
        ).fetchone()
        if first is None:
            return None
        rows = self._world.db.execute(
            "SELECT seq, doc FROM hs_outbox WHERE due <= ? AND hook=? AND attempt=? ORDER BY seq",
            (now, *first),
        ).fetchall()
        if self._switches.webhook_shuffle:
            self._world.random(f"webhooks/{now}/{rows[0]['seq']}").shuffle(rows)
        hook = self._world.db.execute("SELECT * FROM hs_hook WHERE id=?", (first[0],)).fetchone()
        return self._batch(hook, rows[:MOST], first[1], str(now))

    def _batch(self, hook: Any, rows: list[Any], attempt: int, now: str) -> Batch:
        events = [json.loads(row["doc"]) | {"attemptNumber": attempt} for row in rows]
        body = json.dumps(events, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": signature(hook["secret"], "POST", hook["target"], body, now),
            "X-HubSpot-Request-Timestamp": now,
        }
        numbers = tuple(int(row["seq"]) for row in rows)
        twice = self._switches.webhook_duplicates
        return Batch(numbers, hook["target"], body, headers, attempt, twice)

    def settle(self, batch: Batch, *, taken: bool) -> None:
        """Strike out what was taken or given up; the rest is due again later."""
        marks = ",".join("?" * len(batch.rows))
        if taken or batch.attempt >= RETRIES:
            self._world.db.execute(f"DELETE FROM hs_outbox WHERE seq IN ({marks})", batch.rows)
            return
        due = millis(self._world.clock.now()) + _FIRST_WAIT * 2**batch.attempt
        self._world.db.execute(
            f"UPDATE hs_outbox SET attempt=?, due=? WHERE seq IN ({marks})",
            (batch.attempt + 1, due, *batch.rows),
        )


def names(kind: ObjectType, what: str) -> tuple[str, ...]:
    """Return the names an event goes by, the object's own first."""
    own = (f"{kind.singular}.{what}",) if kind.name in NAMED else ()
    return own if what == "privacyDeletion" else (*own, f"object.{what}")


def _parts(event: Event, only: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what each webhook event says besides; one write is one event for each property."""
    if event.what != "propertyChange":
        yield dict(event.more)
        return
    for name, value in event.changes.items():
        if not only or name in only:
            yield {"propertyName": name, "propertyValue": value or ""}


class Sender:
    """Sends what is due, in a thread of its own that ends when nothing is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._idle = threading.Event()
        self._idle.set()

    def kick(self, webhooks: Webhooks) -> None:
        """Start sending unless that is under way. The caller holds the world's lock."""
        if self._idle.is_set() and webhooks.next_batch() is not None:
            self._idle.clear()
            threading.Thread(target=self._run, args=(webhooks,), daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is under way. The caller must not hold the world's lock."""
        return self._idle.wait(seconds)

    def _run(self, webhooks: Webhooks) -> None:
        try:
            while batch := self._next(webhooks):
                taken = _post(batch) and (not batch.twice or _post(batch))
                with self._world.lock:
                    webhooks.settle(batch, taken=taken)
        except sqlite3.ProgrammingError:
            # The world was closed while events were under way: nobody is left to send them.
            self._idle.set()

    def _next(self, webhooks: Webhooks) -> Batch | None:
        with self._world.lock:
            batch = webhooks.next_batch()
            if batch is None:
                self._idle.set()
            return batch


def _post(batch: Batch) -> bool:
    """Post events and return whether the target took them: an answer from 200 to 299."""
    request = Request(batch.target, batch.body, batch.headers, method="POST")  # noqa: S310 -- the target is checked when it is subscribed
    try:
        with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 -- as above
            return 200 <= int(answer.status) < 300  # noqa: PLR2004 -- success in HTTP
    except (OSError, HTTPException):
        return False
