"""Control verbs of an admin: what tokens may do, and which rules bind the writes of 2026-09."""

from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.hubspot import rules
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.portal import Portal

Order = Mapping[str, Any]


def _scopes(portal: Portal, order: Order) -> dict[str, Any]:
    """Give and take scopes of an app, named by role, name or id."""
    key = str(order["app"])
    for app in portal.people.apps():
        if key in (app["role"], app["name"], app["id"]):
            held = portal.people.scopes(app["id"])
            take = set(map(str, order.get("take", ())))
            if take - held:
                raise ValueError(f"{key} has no scope {min(take - held)}; it has {sorted(held)}")
            portal.people.set_scopes(app["id"], (held - take) | set(order.get("give", ())))
            return {"ids": [app["id"]]}
    known = ", ".join(app["role"] for app in portal.people.apps())
    raise ValueError(f"no app {key!r}; known are {known}")


def _orphan(portal: Portal, order: Order) -> dict[str, Any]:
    """Let the maker of an app leave; ``app: null`` brings him back."""
    key = order["app"]
    found = [app["id"] for app in portal.people.apps() if key in (app["role"], app["id"])]
    if key is not None and not found:
        raise ValueError(f"no app {key!r}")
    portal.switches.orphaned = found[0] if found else ""
    return {"ids": found}


def _require(portal: Portal, order: Order) -> dict[str, Any]:
    """Make properties required, on creation or ``when`` others have a value."""
    kind = object_type(str(order["object"]))
    if order.get("clear"):
        rules.clear(portal, kind, "required")
        return {"ids": []}
    when = dict(order.get("when") or {})
    for name in (*order["properties"], *when):
        _known(portal, kind.name, str(name))
    doc = {"properties": list(order["properties"]), "when": when}
    rules.put(portal, kind, "required", doc)
    return {"ids": list(order["properties"])}


def _validation(portal: Portal, order: Order) -> dict[str, Any]:
    """Add a validation rule to a property."""
    kind = object_type(str(order["object"]))
    if order.get("clear"):
        rules.clear(portal, kind, "validation")
        return {"ids": []}
    name, rule = str(order["name"]), str(order["rule"])
    _known(portal, kind.name, name)
    if rule not in rules.RULE_TYPES:
        raise ValueError(f"unknown rule {rule!r}; known are {', '.join(rules.RULE_TYPES)}")
    arguments = [str(each) for each in order.get("arguments", [""])]
    rules.put(portal, kind, "validation", {"name": name, "ruleType": rule, "arguments": arguments})
    return {"ids": [name]}


def _known(portal: Portal, object_: str, name: str) -> None:
    if portal.schema.live(object_, name) is None:
        raise ValueError(f"{object_} have no property {name!r}")


VERBS: dict[str, Callable[[Portal, Order], dict[str, Any]]] = {
    "scopes": _scopes,
    "orphan": _orphan,
    "require": _require,
    "validation": _validation,
}
