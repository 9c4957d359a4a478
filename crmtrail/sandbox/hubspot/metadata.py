"""Definitions over the API: properties, groups, pipelines with stages and audit, schemas."""

import json
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, not_found
from crmtrail.sandbox.hubspot.values import iso

_GROUP_LABELS = {
    "accountcare": "Account care",
    "webanalytics": "Web analytics history",
    "emailinformation": "Email information",
}


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


def groups(portal: Portal, call: Call) -> Reply:
    """GET /properties/{type}/groups."""
    kind = object_type(call.parts[0])
    found = dict.fromkeys(
        str(each.doc["groupName"]) for each in portal.schema.properties(kind.name).values()
    )
    label = kind.singular.replace("_", " ").capitalize() + " information"
    results = [
        {
            "name": name,
            "label": _GROUP_LABELS.get(name, label),
            "displayOrder": order,
            "archived": False,
        }
        for order, name in enumerate(found)
    ]
    return Reply.of(200, {"results": results})


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


def property_validations(_: Portal, call: Call) -> Reply:
    """GET /property-validations/{type}: the portal has no rules of its own."""
    object_type(call.parts[0])
    return Reply.of(200, {"results": []})


def schemas(_: Portal, __: Call) -> Reply:
    """GET /crm-object-schemas: the portal has no custom objects."""
    return Reply.of(200, {"results": []})


def one_schema(_: Portal, call: Call) -> Reply:
    """GET /crm-object-schemas/{type}."""
    raise Refusal(404, "OBJECT_NOT_FOUND", f"Unable to infer object type from: {call.parts[0]}")
