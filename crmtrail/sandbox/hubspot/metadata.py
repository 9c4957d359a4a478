"""Definitions over the API: properties, groups, pipelines with stages and audit, schemas."""

import json
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import CUSTOM_TYPES, ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, not_found
from crmtrail.sandbox.hubspot.values import iso


def properties(portal: Portal, call: Call) -> Reply:
    """GET /properties/{type}: by default what is not archived and not sensitive."""
    kind = object_type(call.parts[0])
    archived = call.flag("archived")
    sensitivity = call.request.one("dataSensitivity") or "non_sensitive"
    results = [
        each.doc
        for each in portal.schema.properties(kind.name).values()
        if each.archived == archived and each.sensitivity == sensitivity
    ]
    return Reply.of(200, {"results": results})


def one_property(portal: Portal, call: Call) -> Reply:
    """GET /properties/{type}/{name}."""
    kind = object_type(call.parts[0])
    found = portal.schema.properties(kind.name).get(call.parts[1])
    if found is None or found.archived != call.flag("archived"):
        raise not_found()
    return Reply.of(200, found.doc)


def pipelines(portal: Portal, call: Call) -> Reply:
    """GET /pipelines/{type}."""
    return Reply.of(200, {"results": portal.schema.pipelines(object_type(call.parts[0]).name)})


def one_pipeline(portal: Portal, call: Call) -> Reply:
    """GET /pipelines/{type}/{id}."""
    return Reply.of(200, portal.schema.pipeline(object_type(call.parts[0]).name, call.parts[1]))


def stages(portal: Portal, call: Call) -> Reply:
    """GET /pipelines/{type}/{id}/stages."""
    found = portal.schema.pipeline(object_type(call.parts[0]).name, call.parts[1])
    return Reply.of(200, {"results": found["stages"]})


def one_stage(portal: Portal, call: Call) -> Reply:
    """GET /pipelines/{type}/{id}/stages/{stage}."""
    found = portal.schema.pipeline(object_type(call.parts[0]).name, call.parts[1])
    for stage in found["stages"]:
        if stage["id"] == call.parts[2]:
            return Reply.of(200, stage)
    raise not_found()


def audit(portal: Portal, call: Call) -> Reply:
    """GET /pipelines/{type}/{id}[/stages/{stage}]/audit: newest first."""
    name = object_type(call.parts[0]).name
    portal.schema.pipeline(name, call.parts[1])
    stage = call.parts[2] if len(call.parts) > 2 else None  # noqa: PLR2004 -- the stage's place
    rows = portal.world.db.execute(
        "SELECT * FROM hs_pipeline_audit WHERE object=? AND pipeline=?"
        " AND stage IS ? ORDER BY seq DESC",
        (name, call.parts[1], stage),
    )
    results: list[dict[str, Any]] = [
        {
            "identifier": row["stage"] or row["pipeline"],
            "action": row["action"],
            "portalId": portal.people.portal,
            "timestamp": iso(row["at"]),
            "fromUserId": row["user"],
            "message": None,
            "rawObject": json.loads(row["doc"]),
        }
        for row in rows
    ]
    return Reply.of(200, {"results": results})


def schemas(portal: Portal, _: Call) -> Reply:
    """GET /crm-object-schemas: the portal's own objects."""
    found = [_schema(portal, object_type(name)) for name in CUSTOM_TYPES]
    return Reply.of(200, {"results": found})


def one_schema(portal: Portal, call: Call) -> Reply:
    """GET /crm-object-schemas/{type}."""
    for name in CUSTOM_TYPES:
        kind = object_type(name)
        if call.parts[0].lower() in (kind.type_id, f"p_{name}", f"p{portal.people.portal}_{name}"):
            return Reply.of(200, _schema(portal, kind))
    raise Refusal(404, "OBJECT_NOT_FOUND", f"Unable to infer object type from: {call.parts[0]}")


def _schema(portal: Portal, kind: ObjectType) -> dict[str, Any]:
    label = kind.singular.replace("_", " ").capitalize()
    defined = portal.schema.properties(kind.name).values()
    at = min(str(each.doc["createdAt"]) for each in defined)
    return {
        "id": kind.type_id.removeprefix("2-"),
        "objectTypeId": kind.type_id,
        "fullyQualifiedName": f"p{portal.people.portal}_{kind.name}",
        "name": kind.name,
        "labels": {"singular": label, "plural": f"{label}s"},
        "primaryDisplayProperty": kind.defaults[0],
        "requiredProperties": [kind.defaults[0]],
        "searchableProperties": [kind.defaults[0]],
        "secondaryDisplayProperties": [],
        "metaType": "PORTAL_SPECIFIC",
        "allowsSensitiveProperties": False,
        "properties": [each.doc for each in defined if not each.archived],
        "associations": [],
        "archived": False,
        "createdAt": at,
        "updatedAt": at,
    }
