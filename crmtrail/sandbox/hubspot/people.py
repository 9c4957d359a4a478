"""Users, owners, apps and tokens of the portal."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crmtrail.sandbox.hubspot.values import DAY, iso, millis
from crmtrail.sandbox.world import Actor, World

TABLES = """
CREATE TABLE IF NOT EXISTS hs_user(
  id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, email TEXT NOT NULL, first TEXT NOT NULL,
  last TEXT NOT NULL, team TEXT NOT NULL, admin INTEGER NOT NULL, archived INTEGER NOT NULL,
  created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS hs_app(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, token TEXT NOT NULL,
  scopes TEXT NOT NULL)
"""

TEAMS = {"178588": "Sales West", "178589": "Sales East", "178590": "Operations"}

_READ = (
    "account-info.security.read", "crm.import", "crm.objects.companies.read",
    "crm.objects.contacts.read", "crm.objects.deals.read", "crm.objects.line_items.read",
    "crm.objects.owners.read", "crm.objects.products.read", "crm.objects.quotes.read",
    "communication_preferences.read", "communication_preferences.statuses.batch.read",
    "crm.lists.read", "crm.objects.custom.read",
    "crm.objects.leads.read", "crm.schemas.companies.read", "crm.schemas.contacts.read",
    "crm.schemas.custom.read", "crm.schemas.deals.read",
    "settings.users.read", "settings.users.teams.read", "tickets",
)  # fmt: skip
_WRITE = (
    "crm.objects.companies.write", "crm.objects.contacts.write", "crm.objects.deals.write",
    "crm.objects.line_items.write", "crm.objects.products.write", "crm.objects.quotes.write",
    "communication_preferences.read_write", "communication_preferences.statuses.batch.write",
    "crm.lists.write", "crm.objects.custom.write",
    "crm.objects.leads.write", "crm.schemas.companies.write", "crm.schemas.contacts.write",
    "crm.schemas.custom.write", "crm.schemas.deals.write",
)  # fmt: skip
_APPS = (
    ("3217786", "CRM Observer", "observer", _READ),
    ("3217790", "CRM Restorer", "restorer", _READ + _WRITE),
    ("2880144", "Ledgerline Sync", "sync", _READ + _WRITE),
    ("2911573", "Formfill Enrichment", "enrichment", _READ + _WRITE),
)
_USERS = (
    ("Maya", "Lindqvist", "178590", True, False),
    ("Tobias", "Okafor", "178588", False, False),
    ("Priya", "Raman", "178588", False, False),
    ("Jonas", "Albrecht", "178589", False, False),
    ("Elena", "Moretti", "178589", False, False),
    ("Samuel", "Whitaker", "178588", False, False),
    ("Aisha", "Benali", "178590", False, False),
    ("Derek", "Haugen", "178589", False, True),
)


@dataclass(frozen=True, slots=True)
class App:
    """An app: the identity behind a token, which is a private app's or one of OAuth."""

    id: str
    name: str
    scopes: frozenset[str]
    oauth: bool = False

    @property
    def actor(self) -> Actor:
        """The app as an actor."""
        return Actor("app", self.id, self.name)


class People:
    """Who there is in the portal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._apps: dict[str, App] = {}
        self._active: frozenset[str] | None = None

    def create(self) -> None:
        """Create the tables, the users and the apps, deterministically from the seed."""
        self._apps.clear()
        self._active = None
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)
        rng = self._world.random("hubspot/people")
        at = millis(self._world.clock.now()) - 700 * DAY
        for number, (first, last, team, admin, gone) in enumerate(_USERS):
            email = f"{first}.{last}@fernhill-supply.example".lower()
            ids = (9_586_500 + number * 17, 64_492_900 + number * 23)
            row = (*ids, email, first, last, team, admin, gone, at + number * 9 * DAY)
            self._world.db.execute("INSERT INTO hs_user VALUES (?,?,?,?,?,?,?,?,?)", row)
        for id_, name, role, scopes in _APPS:
            token = f"pat-na1-{UUID(int=rng.getrandbits(128), version=4)}"
            row_ = (id_, name, role, token, json.dumps(scopes))
            self._world.db.execute("INSERT INTO hs_app VALUES (?,?,?,?,?)", row_)
        self._world.remember("hubspot/portal", str(rng.randrange(40_000_000, 49_000_000)))

    @property
    def portal(self) -> int:
        """The portal id."""
        return int(self._world.recall("hubspot/portal") or 0)

    def app_of(self, token: str) -> App | None:
        """Return the app behind a token."""
        if token not in self._apps:
            row = self._world.db.execute(
                "SELECT id, name, scopes FROM hs_app WHERE token=?", (token,)
            ).fetchone()
            if row is None:
                return None
            self._apps[token] = App(row["id"], row["name"], frozenset(json.loads(row["scopes"])))
        return self._apps[token]

    def apps(self) -> list[dict[str, Any]]:
        """Return all apps as ``{id, name, role, token}``."""
        rows = self._world.db.execute("SELECT id, name, role, token FROM hs_app ORDER BY rowid")
        return [dict(row) for row in rows]

    def set_user(self, id_: int, name: str, value: object) -> None:
        """Set ``admin``, ``team`` or ``archived`` of a user."""
        self._world.db.execute(f"UPDATE hs_user SET {name}=? WHERE id=?", (value, id_))
        self._active = None

    def add_user(self, first: str, last: str, team: str) -> int:
        """Add a user and return the id."""
        last_id, owner = self._world.db.execute(
            "SELECT max(id), max(owner) FROM hs_user"
        ).fetchone()
        email = f"{first}.{last}@fernhill-supply.example".lower()
        now = millis(self._world.clock.now())
        row = (last_id + 17, owner + 23, email, first, last, team, False, False, now)
        self._world.db.execute("INSERT INTO hs_user VALUES (?,?,?,?,?,?,?,?,?)", row)
        self._active = None
        return int(last_id) + 17

    def set_scopes(self, id_: str, scopes: Iterable[str]) -> None:
        """Set what the token of an app may do."""
        self._world.db.execute(
            "UPDATE hs_app SET scopes=? WHERE id=?", (json.dumps(sorted(scopes)), id_)
        )
        self._apps.clear()

    def scopes(self, id_: str) -> set[str]:
        """Return what the token of an app may do."""
        row = self._world.db.execute("SELECT scopes FROM hs_app WHERE id=?", (id_,)).fetchone()
        return set() if row is None else set(json.loads(row[0]))

    def users(self) -> list[dict[str, Any]]:
        """Return all users, those who left included, as rows of the user table."""
        return [dict(row) for row in self._world.db.execute("SELECT * FROM hs_user ORDER BY id")]

    def active_owners(self) -> frozenset[str]:
        """Return the ids of owners that records may be given to."""
        if self._active is None:
            self._active = frozenset(
                str(user["owner"]) for user in self.users() if not user["archived"]
            )
        return self._active

    def user(self, key: str) -> Actor | None:
        """Return a user by id, e-mail, owner id or full name."""
        for user in self.users():
            name = f"{user['first']} {user['last']}"
            keys = (str(user["id"]), str(user["owner"]), user["email"], name.lower())
            if key.lower() in keys:
                return Actor("user", str(user["id"]), name)
        return None

    def owner(self, user: dict[str, Any]) -> dict[str, Any]:
        """Return a user as the owners API shows it; a user who left has no ``userId``."""
        shown = {
            "id": str(user["owner"]),
            "email": user["email"],
            "type": "PERSON",
            "firstName": user["first"],
            "lastName": user["last"],
            "userId": None if user["archived"] else user["id"],
            "userIdIncludingInactive": user["id"],
            "createdAt": iso(user["created"]),
            "updatedAt": iso(user["created"]),
            "archived": bool(user["archived"]),
            "teams": [{"id": user["team"], "name": TEAMS[user["team"]], "primary": True}],
        }
        return {key: value for key, value in shown.items() if value is not None}
