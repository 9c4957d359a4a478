"""The webhooks journal: subscriptions, and pages of events that last three days."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crmtrail.sandbox.hubspot.events import Event
from crmtrail.sandbox.hubspot.people import People
from crmtrail.sandbox.hubspot.values import DAY, iso, millis
from crmtrail.sandbox.world import World

TABLES = """
CREATE TABLE IF NOT EXISTS hs_feed(
  id INTEGER PRIMARY KEY, app TEXT NOT NULL, doc TEXT NOT NULL, removed INTEGER);
CREATE TABLE IF NOT EXISTS hs_feed_event(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, at INTEGER NOT NULL,
  doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hs_feed_page(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, at INTEGER NOT NULL,
  offset TEXT NOT NULL UNIQUE, body TEXT NOT NULL)
"""

KEPT = 3 * DAY
"""How long a page can be read, in milliseconds of the world's clock."""
MOST_EVENTS = 10_000
MOST_BYTES = 5_000_000

ACTIONS = {
    "creation": "CREATE",
    "propertyChange": "UPDATE",
    "deletion": "DELETE",
    "merge": "MERGE",
    "restore": "RESTORE",
    "privacyDeletion": "GDPR_DELETE",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the journal: its offset and the file it is read from."""

    seq: int
    offset: str
    body: str


class Feed:
    """The journal of one portal, a separate one for each app that subscribed."""

    def __init__(self, world: World, people: People) -> None:
        self._world = world
        self._people = people

    def create(self) -> None:
        """Create the tables."""
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)

    def now(self) -> int:
        """Return the world's time in epoch milliseconds."""
        return millis(self._world.clock.now())

    def subscribe(self, app: str, doc: dict[str, Any]) -> dict[str, Any]:
        """Add a subscription and return it as the API shows it."""
        now = iso(self.now())
        made = self._world.db.execute(
            "INSERT INTO hs_feed(app, doc) VALUES (?,?)",
            (app, json.dumps(doc | {"createdAt": now, "updatedAt": now})),
        )
        return self.subscriptions(app, int(made.lastrowid or 0))[0]

    def subscriptions(self, app: str, id_: int | None = None) -> list[dict[str, Any]]:
        """Return the subscriptions of an app, or the one with an id."""
        rows = self._world.db.execute(
            "SELECT id, doc FROM hs_feed WHERE app=? AND removed IS NULL AND (? IS NULL OR id=?)"
            " ORDER BY id",
            (app, id_, id_),
        )
        number = int(app) if app.isdigit() else 0
        return [{"id": id_, "appId": number} | json.loads(doc) for id_, doc in rows]

    def unsubscribe(self, app: str, id_: int | None = None) -> int:
        """Remove one subscription of an app, or all; return how many that were."""
        done = self._world.db.execute(
            "UPDATE hs_feed SET removed=? WHERE app=? AND removed IS NULL AND (? IS NULL OR id=?)",
            (self.now(), app, id_, id_),
        )
        return done.rowcount

    def hear(self, event: Event) -> None:
        """Write an event down for every app that subscribed to it, once for each app."""
        told: set[str] = set()
        rows = self._world.db.execute("SELECT app, doc FROM hs_feed WHERE removed IS NULL")
        for app, text in rows.fetchall():
            doc = json.loads(text)
            if app not in told and (shown := _told(event, doc)) is not None:
                told.add(app)
                head = {"portalId": self._people.portal, "occurredAt": iso(event.at)}
                self._world.db.execute(
                    "INSERT INTO hs_feed_event(app, at, doc) VALUES (?,?,?)",
                    (app, event.at, json.dumps(head | shown)),
                )

    def pages(self, app: str, after: int = 0, count: int = 1) -> list[Page]:
        """Return up to so many pages behind one, oldest first, those lost to time left out."""
        self._publish(app)
        rows = self._world.db.execute(
            "SELECT seq, offset, body FROM hs_feed_page WHERE app=? AND seq > ? ORDER BY seq"
            " LIMIT ?",
            (app, after, count),
        )
        return [Page(*row) for row in rows]

    def latest(self, app: str, count: int = 1) -> list[Page]:
        """Return the newest pages, oldest of them first."""
        self._publish(app)
        rows = self._world.db.execute(
            "SELECT seq, offset, body FROM hs_feed_page WHERE app=? ORDER BY seq DESC LIMIT ?",
            (app, count),
        )
        return [Page(*row) for row in rows][::-1]

    def page(self, offset: str, app: str | None = None) -> Page | None:
        """Return the page of an offset; None when it never was or is older than three days."""
        self._expire()
        row = self._world.db.execute(
            "SELECT seq, offset, body FROM hs_feed_page WHERE offset=? AND (? IS NULL OR app=?)",
            (offset, app, app),
        ).fetchone()
        return None if row is None else Page(*row)

    def _expire(self) -> None:
        horizon = self.now() - KEPT
        for table in ("hs_feed_event", "hs_feed_page"):
            self._world.db.execute(f"DELETE FROM {table} WHERE at < ?", (horizon,))

    def _publish(self, app: str) -> None:
        """Put the events since the last page into new pages."""
        self._expire()
        while True:
            rows = self._world.db.execute(
                "SELECT seq, at, doc FROM hs_feed_event WHERE app=? ORDER BY seq LIMIT ?",
                (app, MOST_EVENTS),
            ).fetchall()
            if not rows:
                return
            size = 0
            taken = 0
            for row in rows:
                size += len(row["doc"].encode())
                if taken and size > MOST_BYTES:
                    break
                taken += 1
            self._write(app, rows[:taken])

    def _write(self, app: str, rows: list[Any]) -> None:
        last = rows[-1]["seq"]
        at = max(row["at"] for row in rows)
        offset = str(UUID(int=self._world.random(f"feed/{app}/{last}").getrandbits(128), version=4))
        events = [json.loads(row["doc"]) for row in rows]
        body = {"offset": offset, "publishedAt": iso(at), "journalEvents": events}
        self._world.db.execute(
            "INSERT INTO hs_feed_page(app, at, offset, body) VALUES (?,?,?,?)",
            (app, at, offset, json.dumps(body, separators=(",", ":"))),
        )
        self._world.db.execute("DELETE FROM hs_feed_event WHERE app=? AND seq <= ?", (app, last))


def _told(event: Event, doc: dict[str, Any]) -> dict[str, Any] | None:
    """Return an event as a subscription shows it, or None when it is not subscribed to.

    Only the shape of object events is known from a live journal; those of associations and
    deletions for privacy are made after it.
    """
    sort = _SPECIAL.get(event.what, "OBJECT")
    action = ACTIONS.get(event.what, "")
    if event.what == "associationChange":
        action = "ASSOCIATION_REMOVED" if event.more["associationRemoved"] else "ASSOCIATION_ADDED"
    if not _wanted(event, doc, sort, action):
        return None
    shown = {
        "type": _TYPES[sort],
        "action": action,
        "objectTypeId": event.kind.type_id,
        "objectId": event.id,
        **event.more,
    }
    if sort != "OBJECT":
        return shown
    only = doc.get("properties")
    changes = {
        name: value or "" for name, value in event.changes.items() if not only or name in only
    }
    if event.what == "propertyChange" and not changes:
        return None
    return shown | {"propertyChanges": changes}


def _wanted(event: Event, doc: dict[str, Any], sort: str, action: str) -> bool:
    ids, to = doc.get("objectIds"), doc.get("associatedObjectTypeIds")
    return (
        doc["objectTypeId"] == event.kind.type_id
        and doc["subscriptionType"] == sort
        and action in doc["actions"]
        and (not ids or event.id in ids)
        and (not to or event.more["toObjectTypeId"] in to)
    )


_SPECIAL = {
    "associationChange": "ASSOCIATION",
    "privacyDeletion": "GDPR_PRIVACY_DELETION",
}
_TYPES = {
    "OBJECT": "crmObject",
    "ASSOCIATION": "association",
    "GDPR_PRIVACY_DELETION": "gdprPrivacyDeletion",
}
