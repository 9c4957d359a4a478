"""Property definitions and pipelines of the portal, kept in the world's database."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crmtrail.sandbox.hubspot import definitions, options
from crmtrail.sandbox.hubspot.object_types import OBJECT_TYPES
from crmtrail.sandbox.hubspot.refusal import Refusal
from crmtrail.sandbox.hubspot.values import DAY, iso, millis
from crmtrail.sandbox.world import World

TABLES = """
CREATE TABLE IF NOT EXISTS hs_property(
  object TEXT NOT NULL, name TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY(object, name));
CREATE TABLE IF NOT EXISTS hs_pipeline(
  object TEXT NOT NULL, id TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY(object, id));
CREATE TABLE IF NOT EXISTS hs_pipeline_audit(
  seq INTEGER PRIMARY KEY, object TEXT NOT NULL, pipeline TEXT NOT NULL, stage TEXT,
  action TEXT NOT NULL, at INTEGER NOT NULL, user INTEGER, doc TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Property:
    """One property definition."""

    name: str
    doc: dict[str, Any] = field(hash=False)

    @property
    def type(self) -> str:
        """One of string, number, bool, date, datetime, enumeration."""
        return str(self.doc["type"])

    @cached_property
    def values(self) -> frozenset[str]:
        """The internal values of the options."""
        return frozenset(option["value"] for option in self.doc["options"])

    @property
    def multiple(self) -> bool:
        """Whether a value may hold several options, joined by semicolons."""
        return self.type == "enumeration" and self.doc["fieldType"] == "checkbox"

    @property
    def read_only(self) -> bool:
        """Whether the API refuses to write it."""
        return bool(self.doc["modificationMetadata"]["readOnlyValue"])

    @property
    def calculated(self) -> bool:
        """Whether HubSpot computes it."""
        return bool(self.doc["calculated"])

    @property
    def archived(self) -> bool:
        """Whether the definition is archived; its values are then out of reach."""
        return bool(self.doc["archived"])

    @property
    def sensitivity(self) -> str:
        """One of non_sensitive, sensitive, highly_sensitive."""
        return str(self.doc["dataSensitivity"])


def _document(row: tuple[str, str, str, str, str, list[str]], at: int) -> dict[str, Any]:
    name, label, type_, field_type, group, flags = row
    chosen = next((flag[1:] for flag in flags if flag.startswith("=")), None)
    calculated, custom, archived = "calc" in flags, "custom" in flags, "archived" in flags
    doc: dict[str, Any] = {
        "name": name,
        "label": label,
        "type": type_,
        "fieldType": field_type,
        "description": "",
        "groupName": group,
        "options": options.options(chosen) if chosen else [],
        "displayOrder": -1,
        "calculated": calculated,
        "externalOptions": "owner" in flags,
        "hasUniqueValue": "unique" in flags,
        "hidden": False,
        "hubspotDefined": not custom,
        "formField": not (calculated or "ro" in flags),
        "dataSensitivity": "sensitive" if "sensitive" in flags else "non_sensitive",
        "modificationMetadata": {
            "archivable": custom,
            "readOnlyDefinition": not custom,
            "readOnlyOptions": not custom,
            "readOnlyValue": calculated or "ro" in flags,
        },
        "createdAt": iso(at - 700 * DAY),
        "updatedAt": iso(at - 600 * DAY),
        "archived": archived,
    }
    if "owner" in flags:
        doc["referencedObjectType"] = "OWNER"
    if archived:
        doc["archivedAt"] = iso(at - 30 * DAY)
    return doc


def _stage(order: int, stage: tuple[str, str, str], at: str, object_: str) -> dict[str, Any]:
    id_, label, mark = stage
    if object_ == "deals":
        metadata = {"isClosed": str(mark in ("1.0", "0.0")).lower(), "probability": mark}
    else:
        metadata = {"isClosed": str(mark == "CLOSED").lower(), "ticketState": mark}
    return {
        "id": id_,
        "label": label,
        "displayOrder": order,
        "metadata": metadata,
        "archived": False,
        "createdAt": at,
        "updatedAt": at,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    }


class Schema:
    """The portal's definitions. Reads are cached until the next write."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._properties: dict[str, dict[str, Property]] = {}
        self._pipelines: dict[str, list[dict[str, Any]]] = {}

    def reread(self) -> None:
        """Forget what was read: a write was taken back."""
        self._properties.clear()
        self._pipelines.clear()

    def create(self) -> None:
        """Create the tables and the definitions of a fresh portal."""
        self.reread()
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)
        at = millis(self._world.clock.now())
        for kind in OBJECT_TYPES:
            for row in definitions.rows(kind.name):
                self.put_property(kind.name, _document(row, at))
        self._seed_pipelines(iso(at - 700 * DAY))

    def _seed_pipelines(self, at: str) -> None:
        pipelines = (
            ("deals", "default", "Sales Pipeline", options.STAGES),
            ("deals", "1043000", "Renewals", options.RENEWALS),
            ("tickets", "0", "Support Pipeline", options.TICKET_STAGES),
        )
        for order, (object_, id_, label, stages) in enumerate(pipelines):
            doc = {
                "id": id_,
                "label": label,
                "displayOrder": order,
                "archived": False,
                "createdAt": at,
                "updatedAt": at,
                "stages": [_stage(n, stage, at, object_) for n, stage in enumerate(stages)],
            }
            self.put_pipeline(object_, doc, action="CREATE", user=None)

    def properties(self, object_: str) -> dict[str, Property]:
        """Return all definitions of an object, archived ones included, by name."""
        if object_ not in self._properties:
            rows = self._world.db.execute(
                "SELECT name, doc FROM hs_property WHERE object=? ORDER BY rowid", (object_,)
            )
            self._properties[object_] = {
                name: Property(name, json.loads(doc)) for name, doc in rows
            }
        return self._properties[object_]

    def live(self, object_: str, name: str) -> Property | None:
        """Return a definition that is not archived, or None."""
        found = self.properties(object_).get(name)
        return None if found is None or found.archived else found

    def put_property(self, object_: str, doc: dict[str, Any]) -> None:
        """Write one definition."""
        self._world.db.execute(
            "INSERT INTO hs_property(object, name, doc) VALUES (?,?,?)"
            " ON CONFLICT(object, name) DO UPDATE SET doc=excluded.doc",
            (object_, doc["name"], json.dumps(doc)),
        )
        self._properties.pop(object_, None)

    def pipelines(self, object_: str) -> list[dict[str, Any]]:
        """Return the pipelines of an object with their stages, in display order."""
        if object_ not in self._pipelines:
            rows = self._world.db.execute("SELECT doc FROM hs_pipeline WHERE object=?", (object_,))
            found = [json.loads(doc) for (doc,) in rows]
            self._pipelines[object_] = sorted(found, key=lambda each: each["displayOrder"])
        return self._pipelines[object_]

    def pipeline(self, object_: str, id_: str) -> dict[str, Any]:
        """Return one pipeline.

        Raises:
            Refusal: 404, no such pipeline.
        """
        for found in self.pipelines(object_):
            if found["id"] == id_:
                return found
        raise Refusal(404, "OBJECT_NOT_FOUND", f"Pipeline {id_} does not exist.")

    def put_pipeline(
        self, object_: str, doc: dict[str, Any], *, action: str, user: int | None, stage: str = ""
    ) -> None:
        """Write one pipeline and its audit entry, and one for the stage that was changed."""
        self._world.db.execute(
            "INSERT OR REPLACE INTO hs_pipeline VALUES (?,?,?)",
            (object_, doc["id"], json.dumps(doc)),
        )
        changed: list[tuple[str | None, dict[str, Any]]] = [(None, doc)]
        changed += [(each["id"], each) for each in doc["stages"] if each["id"] == stage]
        at = millis(self._world.clock.now())
        self._world.db.executemany(
            "INSERT INTO hs_pipeline_audit(object, pipeline, stage, action, at, user, doc)"
            " VALUES (?,?,?,?,?,?,?)",
            [
                (object_, doc["id"], id_, action, at, user, json.dumps(each))
                for id_, each in changed
            ],
        )
        self._pipelines.pop(object_, None)

    def stages(self, object_: str) -> dict[str, dict[str, Any]]:
        """Return every stage of an object's pipelines by id, each with its pipeline's id."""
        return {
            stage["id"]: stage | {"pipeline": pipeline["id"]}
            for pipeline in self.pipelines(object_)
            for stage in pipeline["stages"]
        }
