"""Property definitions written over the API: create, change, archive, and batches."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.definition_acts import fresh
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, not_found
from crmtrail.sandbox.hubspot.schema import Property
from crmtrail.sandbox.hubspot.values import iso

_TYPES = ("string", "number", "bool", "date", "datetime", "enumeration", "phone_number")
_NEEDED = ("name", "label", "type", "fieldType", "groupName")
_GIVEN = (
    *_NEEDED, "description", "options", "displayOrder", "hidden", "formField", "hasUniqueValue",
    "dataSensitivity", "externalOptions", "calculationFormula", "referencedObjectType",
)  # fmt: skip
_MOST = 100


def create(portal: Portal, call: Call) -> Reply:
    """POST /properties/{type}: the name of an archived property brings that one back."""
    return Reply.of(201, _make(portal, call, object_type(call.parts[0]), call.body()))


def _make(portal: Portal, call: Call, kind: ObjectType, body: dict[str, Any]) -> dict[str, Any]:
    if missing := [name for name in _NEEDED if not body.get(name)]:
        raise invalid(f"Some required fields were not set: [{', '.join(missing)}]")
    if body["type"] not in _TYPES:
        raise invalid(f"type must be one of {list(_TYPES)}, but was {body['type']}")
    name = str(body["name"])
    old = portal.schema.properties(kind.name).get(name)
    if old is not None and not old.archived:
        message = f"A property named '{name}' already exists."
        raise Refusal(409, "OBJECT_ALREADY_EXISTS", message)
    if old is not None and old.type != body["type"]:
        raise invalid(f"The archived property '{name}' is of type {old.type}")
    now = iso(portal.store.now())
    doc = dict(old.doc) if old else fresh(name, now, call.app.actor)
    doc |= {key: body[key] for key in _GIVEN if key in body}
    doc |= {"archived": False, "updatedAt": now, "updatedUserId": call.app.id}
    doc.pop("archivedAt", None)
    if doc["type"] == "bool" and not doc["options"]:
        doc["options"] = [
            {"label": word.capitalize(), "value": word, "displayOrder": order, "hidden": False}
            for order, word in enumerate(("true", "false"))
        ]
    portal.schema.put_property(kind.name, doc)
    return doc


def _own(portal: Portal, kind: ObjectType, name: str) -> Property:
    found = portal.schema.live(kind.name, name)
    if found is None:
        raise not_found()
    return found


def update(portal: Portal, call: Call) -> Reply:
    """PATCH /properties/{type}/{name}."""
    kind = object_type(call.parts[0])
    found, body = _own(portal, kind, call.parts[1]), call.body()
    limits = found.doc["modificationMetadata"]
    touched = set(body) & set(_GIVEN)
    if limits["readOnlyOptions"] and "options" in touched:
        raise invalid(f"The options of '{found.name}' cannot be changed")
    if limits["readOnlyDefinition"] and touched - {"options"}:
        raise invalid(f"The property '{found.name}' is defined by HubSpot and cannot be changed")
    changed = {key: body[key] for key in touched - {"name"}}
    stamp = {"updatedAt": iso(portal.store.now()), "updatedUserId": call.app.id}
    portal.schema.put_property(kind.name, found.doc | changed | stamp)
    return Reply.of(200, found.doc | changed | stamp)


def archive(portal: Portal, call: Call) -> Reply:
    """DELETE /properties/{type}/{name}."""
    _put_away(portal, call, object_type(call.parts[0]), call.parts[1])
    return Reply(204)


def _put_away(portal: Portal, call: Call, kind: ObjectType, name: str) -> None:
    found = _own(portal, kind, name)
    if not found.doc["modificationMetadata"]["archivable"]:
        raise invalid(f"The property '{name}' cannot be archived")
    now = iso(portal.store.now())
    gone = {"archived": True, "archivedAt": now, "updatedAt": now, "updatedUserId": call.app.id}
    portal.schema.put_property(kind.name, found.doc | gone)


def batch_read(portal: Portal, call: Call) -> Reply:
    """POST /properties/{type}/batch/read, by name."""
    kind = object_type(call.parts[0])
    body = call.body()
    archived, sensitivity = bool(body.get("archived")), body.get("dataSensitivity")
    known = portal.schema.properties(kind.name)
    names = [str(given.get("name", "")) for given in call.inputs(_MOST)]
    found = [
        known[name].doc
        for name in names
        if name in known
        and known[name].archived == archived
        and known[name].sensitivity == (sensitivity or "non_sensitive")
    ]
    missing = sorted(set(names) - {doc["name"] for doc in found})
    return _complete(portal, found, missing)


def _complete(portal: Portal, found: list[Any], missing: list[str], status: int = 200) -> Reply:
    now = iso(portal.store.now())
    body: dict[str, Any] = {"status": "COMPLETE", "results": found}
    if missing:
        error = {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": "Could not get some properties, they may be deleted or not exist.",
            "context": {"name": missing},
        }
        status, body = 207, body | {"numErrors": 1, "errors": [error]}
    return Reply.of(status, body | {"startedAt": now, "completedAt": now})


def batch_create(portal: Portal, call: Call) -> Reply:
    """POST /properties/{type}/batch/create: one bad definition fails all."""
    kind = object_type(call.parts[0])
    found = [_make(portal, call, kind, given) for given in call.inputs(_MOST)]
    return _complete(portal, found, [], 201)


def batch_archive(portal: Portal, call: Call) -> Reply:
    """POST /properties/{type}/batch/archive."""
    kind = object_type(call.parts[0])
    for given in call.inputs(_MOST):
        _put_away(portal, call, kind, str(given.get("name", "")))
    return Reply(204)
