"""Rules an admin sets on writes: required properties, and validation of single properties.

Only the API of 2026-09 enforces what is required (v3 and 2026-03 do not).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import not_found
from crmtrail.sandbox.hubspot.validate import Checked, Flaw
from crmtrail.sandbox.hubspot.values import number
from crmtrail.sandbox.world import World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_rule(
  seq INTEGER PRIMARY KEY, object TEXT NOT NULL, sort TEXT NOT NULL, doc TEXT NOT NULL)
"""

ENFORCED = ("2026-09",)
"""The API versions whose writes obey the rules."""

_TESTS: dict[str, Callable[[str, str], bool]] = {
    "MIN_LENGTH": lambda value, bound: len(value) >= int(bound),
    "MAX_LENGTH": lambda value, bound: len(value) <= int(bound),
    "MIN_NUMBER": lambda value, bound: (number(value) or 0.0) >= float(bound),
    "MAX_NUMBER": lambda value, bound: (number(value) or 0.0) <= float(bound),
    "REGEX": lambda value, bound: re.fullmatch(bound, value) is not None,
    "ALPHANUMERIC": lambda value, _: value.isalnum(),
}
"""The validation rules the sandbox enforces; HubSpot has more."""
RULE_TYPES = tuple(_TESTS)


def create(world: World) -> None:
    """Create the table."""
    world.db.execute(TABLE)


def _of(portal: Portal, kind: ObjectType, sort: str) -> Iterator[dict[str, Any]]:
    rows = portal.world.db.execute(
        "SELECT doc FROM hs_rule WHERE object=? AND sort=? ORDER BY seq", (kind.name, sort)
    )
    return (json.loads(doc) for (doc,) in rows)


def put(portal: Portal, kind: ObjectType, sort: str, doc: Mapping[str, Any]) -> None:
    """Add a rule: ``sort`` is required or validation."""
    portal.world.db.execute(
        "INSERT INTO hs_rule(object, sort, doc) VALUES (?,?,?)",
        (kind.name, sort, json.dumps(doc)),
    )


def clear(portal: Portal, kind: ObjectType, sort: str) -> None:
    """Drop all rules of one sort of an object."""
    portal.world.db.execute("DELETE FROM hs_rule WHERE object=? AND sort=?", (kind.name, sort))


def enforce(
    portal: Portal,
    call: Call,
    kind: ObjectType,
    checked: Checked,
    current: Mapping[str, str] | None,
) -> None:
    """Add the flaws of a write that breaks a rule; ``current`` is None for a new record."""
    if call.version not in ENFORCED:
        return
    after = {**(current or {}), **checked.values}
    for rule in _of(portal, kind, "required"):
        checked.flaws += _missing(rule, checked.values, after, new=current is None)
    for rule in _of(portal, kind, "validation"):
        value = checked.values.get(rule["name"], "")
        if value and not all(_TESTS[rule["ruleType"]](value, each) for each in rule["arguments"]):
            message = f"{value} breaks the validation rule {rule['ruleType']} of {rule['name']}"
            checked.flaws.append(Flaw("INVALID_PROPERTY_VALUE", rule["name"], message))


def _missing(
    rule: Mapping[str, Any], written: Mapping[str, str], after: Mapping[str, str], *, new: bool
) -> list[Flaw]:
    when: Mapping[str, str] = rule.get("when") or {}
    touched = bool({*when, *rule["properties"]} & set(written))
    if not new and not (when and touched):
        return []
    if any(after.get(name, "") != value for name, value in when.items()):
        return []
    code = "MISSING_CONDITIONAL_REQUIRED_PROPERTY" if when else "MISSING_REQUIRED_PROPERTY"
    return [
        Flaw(code, name, f'Property "{name}" is required.')
        for name in rule["properties"]
        if not after.get(name)
    ]


def _shown(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ruleType": rule["ruleType"],
        "ruleArguments": [str(each) for each in rule["arguments"]],
        "shouldApplyNormalization": False,
    }


def validations(portal: Portal, call: Call) -> Reply:
    """GET /property-validations/{type}: rules by property."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in _of(portal, object_type(call.parts[0]), "validation"):
        found.setdefault(rule["name"], []).append(_shown(rule))
    results = [
        {"propertyName": name, "propertyValidationRules": rules} for name, rules in found.items()
    ]
    return Reply.of(200, {"results": results})


def validations_of(portal: Portal, call: Call) -> Reply:
    """GET /property-validations/{type}/{property}."""
    kind = object_type(call.parts[0])
    if portal.schema.live(kind.name, call.parts[1]) is None:
        raise not_found()
    rules = [
        _shown(rule) for rule in _of(portal, kind, "validation") if rule["name"] == call.parts[1]
    ]
    return Reply.of(200, {"results": rules})


def validation_of_type(portal: Portal, call: Call) -> Reply:
    """GET /property-validations/{type}/{property}/rule-type/{ruleType}."""
    for rule in _of(portal, object_type(call.parts[0]), "validation"):
        if (rule["name"], rule["ruleType"]) == call.parts[1:3]:
            return Reply.of(200, _shown(rule))
    raise not_found()
