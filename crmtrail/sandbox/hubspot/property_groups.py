"""Groups of properties: those that properties name, and those made over the API."""

import json
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, not_found
from crmtrail.sandbox.world import World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_property_group(
  object TEXT NOT NULL, name TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY(object, name))
"""
_LABELS = {
    "accountcare": "Account care",
    "webanalytics": "Web analytics history",
    "emailinformation": "Email information",
}
_CHANGEABLE = ("label", "displayOrder")


def create_table(world: World) -> None:
    """Create the table."""
    world.db.execute(TABLE)


def _all(portal: Portal, kind: ObjectType) -> dict[str, dict[str, Any]]:
    """Return every group by name, in order; groups that properties name come first."""
    named = (each.doc["groupName"] for each in portal.schema.properties(kind.name).values())
    label = kind.singular.replace("_", " ").capitalize() + " information"
    found = {
        str(name): {
            "name": str(name),
            "label": _LABELS.get(name, label),
            "displayOrder": order,
            "archived": False,
        }
        for order, name in enumerate(dict.fromkeys(named))
    }
    rows = portal.world.db.execute(
        "SELECT name, doc FROM hs_property_group WHERE object=? ORDER BY rowid", (kind.name,)
    )
    return found | {name: json.loads(doc) for name, doc in rows}


def _keep(portal: Portal, kind: ObjectType, doc: dict[str, Any]) -> None:
    portal.world.db.execute(
        "INSERT INTO hs_property_group VALUES (?,?,?)"
        " ON CONFLICT(object, name) DO UPDATE SET doc=excluded.doc",
        (kind.name, doc["name"], json.dumps(doc)),
    )


def _living(portal: Portal, kind: ObjectType, name: str) -> dict[str, Any]:
    found = _all(portal, kind).get(name)
    if found is None or found["archived"]:
        raise not_found()
    return found


def listed(portal: Portal, call: Call) -> Reply:
    """GET /properties/{type}/groups."""
    found = _all(portal, object_type(call.parts[0])).values()
    return Reply.of(200, {"results": [each for each in found if not each["archived"]]})


def one(portal: Portal, call: Call) -> Reply:
    """GET /properties/{type}/groups/{name}."""
    return Reply.of(200, _living(portal, object_type(call.parts[0]), call.parts[1]))


def create(portal: Portal, call: Call) -> Reply:
    """POST /properties/{type}/groups."""
    kind, body = object_type(call.parts[0]), call.body()
    if not body.get("name") or not body.get("label"):
        raise invalid("Some required fields were not set: [name, label]")
    name = str(body["name"])
    held = _all(portal, kind)
    if name in held and not held[name]["archived"]:
        message = f"A property group named '{name}' already exists."
        raise Refusal(409, "OBJECT_ALREADY_EXISTS", message)
    doc = {
        "name": name,
        "label": str(body["label"]),
        "displayOrder": int(body.get("displayOrder", -1)),
        "archived": False,
    }
    _keep(portal, kind, doc)
    return Reply.of(201, doc)


def update(portal: Portal, call: Call) -> Reply:
    """PATCH /properties/{type}/groups/{name}."""
    kind, body = object_type(call.parts[0]), call.body()
    doc = _living(portal, kind, call.parts[1])
    doc |= {key: body[key] for key in _CHANGEABLE if key in body}
    _keep(portal, kind, doc)
    return Reply.of(200, doc)


def archive(portal: Portal, call: Call) -> Reply:
    """DELETE /properties/{type}/groups/{name}: only an empty one can go."""
    kind = object_type(call.parts[0])
    doc = _living(portal, kind, call.parts[1])
    for each in portal.schema.properties(kind.name).values():
        if each.doc["groupName"] == doc["name"] and not each.archived:
            raise invalid(f"Group '{doc['name']}' still holds the property '{each.name}'")
    _keep(portal, kind, doc | {"archived": True})
    return Reply(204)
