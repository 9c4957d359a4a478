"""The security log: what was done to users, imports, and privacy deletions."""

from typing import Any

from crmtrail.sandbox.hubspot.events import Event
from crmtrail.sandbox.hubspot.people import People
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import invalid
from crmtrail.sandbox.hubspot.values import iso, millis
from crmtrail.sandbox.world import World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_security(
  seq INTEGER PRIMARY KEY, type TEXT NOT NULL, acting TEXT, user INTEGER, object TEXT,
  at INTEGER NOT NULL)
"""


class Security:
    """Events of the security log."""

    def __init__(self, world: World, people: People) -> None:
        self._world = world
        self._people = people

    def create(self) -> None:
        """Create the table."""
        self._world.db.execute(TABLE)

    def note(self, type_: str, *, by: int | None, about: str) -> str:
        """Keep an event and return its id; ``by`` is the user who acted, None for an app."""
        users = {user["id"]: user["email"] for user in self._people.users()}
        user = int(about) if about.isdigit() and int(about) in users else by
        row = (type_, users.get(by), user, about, millis(self._world.clock.now()))
        added = self._world.db.execute(
            "INSERT INTO hs_security(type, acting, user, object, at) VALUES (?,?,?,?,?)", row
        )
        return str(7_000_000 + int(added.lastrowid or 0))

    def hear(self, event: Event) -> None:
        """Keep what happens to a record if it is a privacy deletion."""
        if event.what == "privacyDeletion":
            self.note("GDPR_DELETE", by=event.origin.user, about=str(event.id))

    def all(self) -> list[dict[str, Any]]:
        """Return all events as the API shows them, newest first."""
        rows = self._world.db.execute("SELECT * FROM hs_security ORDER BY at DESC, seq DESC")
        return [_shown(dict(row)) for row in rows]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "id": str(7_000_000 + row["seq"]),
        "createdAt": iso(row["at"]),
        "type": row["type"],
        "userId": row["user"],
        "actingUser": row["acting"],
        "objectId": row["object"],
        "ipAddress": "203.0.113.9",
        "location": "denver, united states",
        "countryCode": "us",
        "regionCode": "co",
    }
    return {key: value for key, value in shown.items() if value is not None}


def bound(call: Call, name: str) -> int | None:
    """Return a moment of the query in epoch milliseconds.

    Raises:
        Refusal: 400, it is no number.
    """
    text = call.request.one(name)
    if not text:
        return None
    if not text.isdigit():
        raise invalid(f"{name} must be a number of milliseconds, but was {text}")
    return int(text)


def events(portal: Portal, call: Call) -> list[dict[str, Any]]:
    """Return the events that a call asks for, newest first."""
    since, until = bound(call, "fromTimestamp"), bound(call, "toTimestamp")
    user = call.request.one("userId")
    return [
        event
        for event in Security(portal.world, portal.people).all()
        if (since is None or event["createdAt"] >= iso(since))
        and (until is None or event["createdAt"] <= iso(until))
        and user in (None, "", str(event.get("userId")))
    ]
