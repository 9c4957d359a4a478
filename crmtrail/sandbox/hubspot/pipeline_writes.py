"""Pipelines and their stages written over the API; archived ones come back by a PATCH."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import PIPELINED, ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, not_found
from crmtrail.sandbox.hubspot.values import iso

Doc = dict[str, Any]
_CHANGEABLE = ("label", "displayOrder", "metadata", "archived")


def _kind(call: Call) -> ObjectType:
    kind = object_type(call.parts[0])
    if kind.name not in PIPELINED:
        raise invalid(f"{kind.label} has no pipelines")
    return kind


def _new_id(portal: Portal) -> str:
    number = int(portal.world.recall("hubspot/pipelines") or 0) + 1
    portal.world.remember("hubspot/pipelines", str(number))
    return str(2_087_000 + number * 13)


def _stage(portal: Portal, given: Doc, order: int) -> Doc:
    if not given.get("label"):
        raise invalid("Some required fields were not set: [label]")
    now = iso(portal.store.now())
    return {
        "id": str(given.get("stageId") or _new_id(portal)),
        "label": given["label"],
        "displayOrder": int(given.get("displayOrder", order)),
        "metadata": {key: str(value) for key, value in (given.get("metadata") or {}).items()},
        "archived": False,
        "createdAt": now,
        "updatedAt": now,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    }


def _keep(portal: Portal, kind: ObjectType, doc: Doc, action: str, stage: str = "") -> None:
    """Write a pipeline and let the enumerations of pipeline and stage follow."""
    doc["stages"].sort(key=lambda each: each["displayOrder"])
    portal.schema.put_pipeline(kind.name, doc, action=action, user=None, stage=stage)
    living = [each for each in portal.schema.pipelines(kind.name) if not each["archived"]]
    stages = [each for one in living for each in one["stages"] if not each["archived"]]
    for name, found in zip(PIPELINED[kind.name], (living, stages), strict=True):
        options = [
            {"label": each["label"], "value": each["id"], "displayOrder": n, "hidden": False}
            for n, each in enumerate(found)
        ]
        definition = portal.schema.properties(kind.name)[name]
        portal.schema.put_property(kind.name, definition.doc | {"options": options})


def create(portal: Portal, call: Call) -> Reply:
    """POST /pipelines/{type}."""
    kind, body = _kind(call), call.body()
    given = body.get("stages")
    if not body.get("label") or not isinstance(given, list):
        raise invalid("Some required fields were not set: [label, stages]")
    if body["label"] in [each["label"] for each in portal.schema.pipelines(kind.name)]:
        raise Refusal(409, "CONFLICT", f"A pipeline named '{body['label']}' already exists.")
    now = iso(portal.store.now())
    doc = {
        "id": str(body.get("pipelineId") or _new_id(portal)),
        "label": body["label"],
        "displayOrder": int(body.get("displayOrder", 0)),
        "archived": False,
        "createdAt": now,
        "updatedAt": now,
        "stages": [_stage(portal, each, order) for order, each in enumerate(given)],
    }
    _keep(portal, kind, doc, "CREATE")
    return Reply.of(201, doc)


def update(portal: Portal, call: Call) -> Reply:
    """PATCH /pipelines/{type}/{id}: label, order, and ``archived: false`` to bring it back."""
    kind, body = _kind(call), call.body()
    found = portal.schema.pipeline(kind.name, call.parts[1])
    changed = {key: body[key] for key in _CHANGEABLE if key in body and key != "metadata"}
    doc = found | changed | {"updatedAt": iso(portal.store.now())}
    _keep(portal, kind, doc, "UPDATE")
    return Reply.of(200, doc)


def replace(portal: Portal, call: Call) -> Reply:
    """PUT /pipelines/{type}/{id}: label, order and the whole list of stages."""
    kind, body = _kind(call), call.body()
    found = portal.schema.pipeline(kind.name, call.parts[1])
    given = body.get("stages")
    if not body.get("label") or not isinstance(given, list):
        raise invalid("Some required fields were not set: [label, stages]")
    old = {each["id"]: each for each in found["stages"]}
    stages = [_stage(portal, each, order) for order, each in enumerate(given)]
    for stage in stages:
        if stage["id"] in old:
            stage["createdAt"] = old[stage["id"]]["createdAt"]
    changed = {"label": body["label"], "displayOrder": int(body.get("displayOrder", 0))}
    doc = found | changed | {"stages": stages, "updatedAt": iso(portal.store.now())}
    _keep(portal, kind, doc, "UPDATE")
    return Reply.of(200, doc)


def archive(portal: Portal, call: Call) -> Reply:
    """DELETE /pipelines/{type}/{id}; on request only if no record is in it."""
    kind = _kind(call)
    found = portal.schema.pipeline(kind.name, call.parts[1])
    _refuse_used(portal, call, kind, 0, [found["id"]])
    _keep(portal, kind, found | {"archived": True, "updatedAt": iso(portal.store.now())}, "DELETE")
    return Reply(204)


def _refuse_used(
    portal: Portal, call: Call, kind: ObjectType, place: int, values: list[str]
) -> None:
    if not call.flag("validateReferencesBeforeDelete"):
        return
    name = PIPELINED[kind.name][place]
    marks = ",".join("?" * len(values))
    used = portal.world.db.execute(
        "SELECT id FROM hs_record WHERE object=? AND archived IS NULL"
        f" AND json_extract(doc, '$.\"{name}\"') IN ({marks}) LIMIT 1",
        (kind.name, *values),
    ).fetchone()
    if used is not None:
        raise invalid(f"{name} {values[0]} is still used by {kind.label} {used[0]}")


def create_stage(portal: Portal, call: Call) -> Reply:
    """POST /pipelines/{type}/{id}/stages."""
    kind = _kind(call)
    found = portal.schema.pipeline(kind.name, call.parts[1])
    made = _stage(portal, call.body(), len(found["stages"]))
    _keep(portal, kind, found | {"stages": [*found["stages"], made]}, "UPDATE", made["id"])
    return Reply.of(201, made)


def update_stage(portal: Portal, call: Call) -> Reply:
    """PATCH /pipelines/{type}/{id}/stages/{stage}."""
    body = call.body()
    changed = {key: body[key] for key in _CHANGEABLE if key in body}
    return Reply.of(200, _change_stage(portal, call, changed, "UPDATE"))


def replace_stage(portal: Portal, call: Call) -> Reply:
    """PUT /pipelines/{type}/{id}/stages/{stage}: all of its fields."""
    body = call.body()
    if missing := [key for key in ("label", "displayOrder", "metadata") if key not in body]:
        raise invalid(f"Some required fields were not set: [{', '.join(missing)}]")
    changed = {key: body[key] for key in ("label", "displayOrder", "metadata")}
    return Reply.of(200, _change_stage(portal, call, changed, "UPDATE"))


def archive_stage(portal: Portal, call: Call) -> Reply:
    """DELETE /pipelines/{type}/{id}/stages/{stage}."""
    _refuse_used(portal, call, _kind(call), 1, [call.parts[2]])
    _change_stage(portal, call, {"archived": True}, "DELETE")
    return Reply(204)


def _change_stage(portal: Portal, call: Call, changed: Doc, action: str) -> Doc:
    kind = _kind(call)
    found = portal.schema.pipeline(kind.name, call.parts[1])
    old = next((each for each in found["stages"] if each["id"] == call.parts[2]), None)
    if old is None:
        raise not_found()
    new: Doc = old | changed | {"updatedAt": iso(portal.store.now())}
    stages = [new if each["id"] == new["id"] else each for each in found["stages"]]
    _keep(portal, kind, found | {"stages": stages}, action, new["id"])
    return new
