"""The list of imports."""

from typing import Any

from crmtrail.sandbox.hubspot.object_types import ObjectType
from crmtrail.sandbox.hubspot.values import iso, millis
from crmtrail.sandbox.world import Actor, World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_import(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, created INTEGER NOT NULL,
  made INTEGER NOT NULL, changed INTEGER NOT NULL, state TEXT NOT NULL, moved INTEGER NOT NULL)
"""


STATES = ("STARTED", "PROCESSING", "DONE", "FAILED", "CANCELED", "DEFERRED", "REVERTED")


class Imports:
    """Imports that ran in the portal."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self) -> None:
        """Create the table."""
        self._world.db.execute(TABLE)

    def actor(self, key: str) -> Actor | None:
        """Return an import by id or file name, the newest of that name."""
        row = self._world.db.execute(
            "SELECT id, name FROM hs_import WHERE id=? OR name=? ORDER BY created DESC", (key, key)
        ).fetchone()
        return None if row is None else Actor("import", row["id"], row["name"])

    def note(self, name: str, kind: ObjectType, *, made: int, changed: int, at: int) -> Actor:
        """Register an import that ran and return it as an actor."""
        count = self._world.db.execute("SELECT count(*) FROM hs_import").fetchone()[0]
        id_ = str(35_795_473 + count * 61)
        self._world.db.execute(
            "INSERT INTO hs_import VALUES (?,?,?,?,?,?,'DONE',?)",
            (id_, name, kind.type_id, at, made, changed, at),
        )
        return Actor("import", id_, name)

    def set_state(self, key: str, state: str) -> str:
        """Set the state of an import, by id or file name, and return its id.

        Raises:
            ValueError: there is no such import, or no such state.
        """
        found = self.actor(key)
        if found is None:
            raise ValueError(f"no import {key!r}")
        if state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}")
        self._world.db.execute(
            "UPDATE hs_import SET state=?, moved=? WHERE id=?",
            (state, millis(self._world.clock.now()), found.id),
        )
        return found.id

    def all(self) -> list[dict[str, Any]]:
        """Return all imports as the API lists them, newest first."""
        rows = self._world.db.execute("SELECT * FROM hs_import ORDER BY created DESC, id DESC")
        return [
            {
                "id": row["id"],
                "state": row["state"],
                "importName": row["name"],
                "importSource": "CRM_UI",
                "optOutImport": False,
                "mappedObjectTypeIds": [row["type"]],
                "metadata": {
                    "objectLists": [],
                    "counters": {
                        "CREATED_OBJECTS": row["made"],
                        "UPDATED_OBJECTS": row["changed"],
                        "TOTAL_ROWS": row["made"] + row["changed"],
                    },
                    "fileIds": [row["id"]],
                },
                "createdAt": iso(row["created"]),
                "updatedAt": iso(row["moved"]),
            }
            for row in rows
        ]
