"""Control verbs that change definitions: properties and pipelines."""

from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.hubspot.links import default_types
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.values import iso
from crmtrail.sandbox.world import Actor

Order = Mapping[str, Any]
_CHANGEABLE = ("label", "description", "options", "archived", "hidden", "dataSensitivity")


def _property(portal: Portal, order: Order, actor: Actor) -> dict[str, Any]:
    """Change a property definition, or make a custom one: ``name`` and ``change``.

    ``options`` may be plain values.
    """
    kind = object_type(str(order["object"]))
    change = dict(order["change"])
    if strange := set(change) - {*_CHANGEABLE, "type", "fieldType"}:
        raise ValueError(f"cannot change {sorted(strange)} of a property")
    now = iso(portal.store.now())
    old = portal.schema.properties(kind.name).get(str(order["name"]))
    doc = dict(old.doc) if old else fresh(str(order["name"]), now, actor)
    if "options" in change:
        change["options"] = [_option(n, each) for n, each in enumerate(change["options"])]
    doc |= change | {"updatedAt": now, "updatedUserId": actor.id}
    if doc["archived"]:
        doc["archivedAt"] = now
    else:
        doc.pop("archivedAt", None)
    portal.schema.put_property(kind.name, doc)
    return {"ids": [doc["name"]]}


def fresh(name: str, now: str, actor: Actor) -> dict[str, Any]:
    """Return the definition of a plain custom text property, not yet written."""
    return {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "type": "string",
        "fieldType": "text",
        "description": "",
        "groupName": "accountcare",
        "options": [],
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": False,
        "formField": True,
        "dataSensitivity": "non_sensitive",
        "modificationMetadata": {
            "archivable": True,
            "readOnlyDefinition": False,
            "readOnlyOptions": False,
            "readOnlyValue": False,
        },
        "createdAt": now,
        "createdUserId": actor.id,
        "archived": False,
    }


def _option(order: int, given: object) -> dict[str, Any]:
    if isinstance(given, dict):
        return {"displayOrder": order, "hidden": False} | given
    value = str(given)
    return {"label": value.capitalize(), "value": value, "displayOrder": order, "hidden": False}


def _pipeline(portal: Portal, order: Order, actor: Actor) -> dict[str, Any]:
    """Change a pipeline, or one of its stages: ``pipeline``, ``stage`` if any, and ``change``."""
    kind = object_type(str(order["object"]))
    now = iso(portal.store.now())
    doc = dict(portal.schema.pipeline(kind.name, str(order["pipeline"])))
    change = dict(order["change"]) | {"updatedAt": now}
    if "stage" in order:
        if order["stage"] not in [stage["id"] for stage in doc["stages"]]:
            raise ValueError(f"no stage {order['stage']!r} in pipeline {doc['id']}")
        stages = [
            stage | change if stage["id"] == order["stage"] else stage for stage in doc["stages"]
        ]
        change = {"stages": sorted(stages, key=lambda each: each["displayOrder"])}
    user = int(actor.id) if actor.kind == "user" else None
    stage = str(order.get("stage", ""))
    portal.schema.put_pipeline(kind.name, doc | change, action="UPDATE", user=user, stage=stage)
    return {"ids": [doc["id"]]}


def unlabelled(kind: ObjectType, to: ObjectType) -> int:
    """Return the type id of the plain association between two objects.

    Raises:
        ValueError: they cannot be associated.
    """
    found = default_types(kind.name, to.name)
    if found is None:
        raise ValueError(f"{kind.name} and {to.name} cannot be associated")
    return found[0]


def _label(portal: Portal, order: Order, _: Actor) -> dict[str, Any]:
    """Make an association label between ``object`` and ``to``: ``label``, ``inverse`` if any.

    Its ids there and back are returned.
    """
    from_, to = object_type(str(order["object"])), object_type(str(order["to"]))
    types = portal.writer.links.types
    made = types.define(from_.name, to.name, str(order["label"]), order.get("inverse"))
    return {"ids": [str(id_) for id_ in made]}


def _link_limit(portal: Portal, order: Order, _: Actor) -> dict[str, Any]:
    """Limit how many ``to`` a record of ``object`` may have: ``most``, or None for no limit."""
    from_, to = object_type(str(order["object"])), object_type(str(order["to"]))
    portal.writer.links.types.set_limit(from_.name, to.name, order.get("most"))
    return {"ids": []}


VERBS: dict[str, Callable[[Portal, Order, Actor], dict[str, Any]]] = {
    "property": _property,
    "pipeline": _pipeline,
    "label": _label,
    "link_limit": _link_limit,
}
