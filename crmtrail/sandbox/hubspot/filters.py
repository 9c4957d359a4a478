"""Search filters as SQL conditions over the index."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crmtrail.sandbox.hubspot.definitions_activities import UNFILTERED
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.refusal import invalid
from crmtrail.sandbox.hubspot.schema import Property, Schema
from crmtrail.sandbox.hubspot.values import day, is_number, iso, parse_moment

OPERATORS = (
    "LT", "LTE", "GT", "GTE", "EQ", "NEQ", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY",
    "NOT_HAS_PROPERTY", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
)  # fmt: skip
GROUPS, FILTERS, ALL_FILTERS = 5, 6, 18
"""The most groups, filters in one group, and filters over all groups."""

_ORDER = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_NEVER = "0"


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL and the values bound in it."""

    sql: str
    bound: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """How a property is found and compared in the index."""

    sql: str
    type: str
    multiple: bool = False


ID = Column("id", "number")
"""Record ids, compared as numbers."""
ID_AS_TEXT = Column("CAST(id AS TEXT)", "text")
"""Record ids, compared letter by letter: nobody outside HubSpot knows which it is."""


def column(schema: Schema, kind: ObjectType, name: str, ids: Column = ID) -> Column | None:
    """Return where a property is in the index; None when the object has no such property."""
    if name == "hs_object_id":
        return ids
    if name == kind.stamp:
        return Column("modified", "stamp")
    definition = schema.live(kind.name, name)
    if definition is None or definition.sensitivity != "non_sensitive":
        return None
    if name == kind.handle:
        return Column("handle", "string")
    return _in_document(definition)


def _in_document(definition: Property) -> Column:
    path = f"json_extract(doc, '$.\"{definition.name}\"')"
    if definition.type == "number":
        return Column(f"CAST({path} AS REAL)", "number")
    if definition.type == "string":
        return Column(f"lower({path})", "string")
    return Column(path, definition.type, definition.multiple)


def where(schema: Schema, kind: ObjectType, groups: object, ids: Column = ID) -> Condition:
    """Return the condition of all filter groups: any group, all of its filters.

    Raises:
        Refusal: 400, too many or malformed.
    """
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise invalid("Invalid input JSON: filterGroups must be a list of objects")
    lists = [group.get("filters") or [] for group in groups]
    if len(lists) > GROUPS:
        raise invalid(f"Too many filter groups: at most {GROUPS} are allowed")
    if any(len(filters) > FILTERS for filters in lists):
        raise invalid(f"Too many filters in a group: at most {FILTERS} are allowed")
    if sum(map(len, lists)) > ALL_FILTERS:
        raise invalid(f"Too many filters: at most {ALL_FILTERS} are allowed in all groups")
    alternatives = [
        _all_of([condition(schema, kind, each, ids) for each in some]) for some in lists
    ]
    if not alternatives:
        return Condition("1")
    sql = " OR ".join(f"({each.sql})" for each in alternatives)
    return Condition(sql, tuple(value for each in alternatives for value in each.bound))


def _all_of(conditions: Sequence[Condition]) -> Condition:
    if not conditions:
        return Condition("1")
    sql = " AND ".join(f"({each.sql})" for each in conditions)
    return Condition(sql, tuple(value for each in conditions for value in each.bound))


def condition(
    schema: Schema, kind: ObjectType, given: dict[str, Any], ids: Column = ID
) -> Condition:
    """Return one filter as a condition.

    An undefined property holds nothing: filtering contacts by ``hs_lastmodifieddate`` finds none.

    Raises:
        Refusal: 400, an unknown operator or missing values.
    """
    name, operator = given.get("propertyName"), given.get("operator")
    if not isinstance(name, str) or operator not in OPERATORS:
        raise invalid(f"Invalid input JSON: operator {operator} is not one of {OPERATORS}")
    if name in UNFILTERED:
        raise invalid(f"Property {name} cannot be searched")
    if name.startswith("associations."):
        return _associated(kind, name.removeprefix("associations."), operator, given)
    return _filter(column(schema, kind, name, ids), operator, name, given)


def _filter(found: Column | None, operator: str, name: str, given: dict[str, Any]) -> Condition:
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        has = found.sql + " IS NOT NULL" if found else _NEVER
        return Condition(has if operator == "HAS_PROPERTY" else f"NOT ({has})")
    if operator in ("IN", "NOT_IN"):
        return _choice(found, operator, _values(given, name))
    value = _required(given, "value", name)
    high = _required(given, "highValue", name) if operator == "BETWEEN" else value
    if found is None:
        return Condition("1" if operator in ("NEQ", "NOT_CONTAINS_TOKEN") else _NEVER)
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        sql = f"hs_has_token({found.sql}, ?)"
        return Condition(sql if operator == "CONTAINS_TOKEN" else f"NOT {sql}", (value,))
    return _compare(found, operator, _bound(found, value, name), _bound(found, high, name))


def _compare(found: Column, operator: str, low: object, high: object) -> Condition:
    if operator in _ORDER:
        return Condition(f"{found.sql} {_ORDER[operator]} ?", (low,))
    if operator == "BETWEEN":
        return Condition(f"{found.sql} BETWEEN ? AND ?", (low, high))
    return _equal(found, operator, low)


def _equal(found: Column, operator: str, value: object) -> Condition:
    if found.multiple:
        sql = f"instr(';' || {found.sql} || ';', ';' || ? || ';') > 0"
    else:
        sql = f"{found.sql} = ?"
    if operator == "EQ":
        return Condition(sql, (value,))
    return Condition(f"{found.sql} IS NULL OR NOT ({sql})", (value,))


def _choice(found: Column | None, operator: str, values: list[str]) -> Condition:
    if found is None:
        return Condition(_NEVER if operator == "IN" else "1")
    if found.type == "string":
        # The index is lower case; values are compared as they come, so capitals never match.
        bound: tuple[Any, ...] = tuple(values)
    else:
        bound = tuple(_bound(found, value, "values") for value in values)
    sql = f"{found.sql} IN ({','.join('?' * len(bound))})"
    if operator == "IN":
        return Condition(sql, bound)
    return Condition(f"{found.sql} IS NULL OR NOT ({sql})", bound)


def _associated(kind: ObjectType, alias: str, operator: object, given: dict[str, Any]) -> Condition:
    to = object_type(alias)
    if operator not in ("EQ", "IN"):
        raise invalid(f"Operator {operator} is not supported for associations")
    values = _values(given, alias) if operator == "IN" else [_required(given, "value", alias)]
    marks = ",".join("?" * len(values))
    sql = f"id IN (SELECT to_id FROM hs_link WHERE object=? AND to_object=? AND id IN ({marks}))"
    return Condition(sql, (to.name, kind.name, *(int(v) if v.isdigit() else -1 for v in values)))


def _values(given: dict[str, Any], name: str) -> list[str]:
    values = given.get("values")
    if not isinstance(values, list) or not values:
        raise invalid(f"values are required for operator {given['operator']} on {name}")
    return [str(value) for value in values]


def _required(given: dict[str, Any], key: str, name: str) -> str:
    value = given.get(key)
    if value is None or value == "":
        raise invalid(f"{key} is required for operator {given['operator']} on {name}")
    return str(value)


def _bound(found: Column, value: str, name: str) -> float | int | str:
    """Return a filter value in the terms of its column.

    Raises:
        Refusal: 400, the value does not fit the property's type.
    """
    if found.type == "number":
        if not is_number(value):
            raise invalid(f"{value} is not a valid number for {name}")
        return int(value) if re.fullmatch(r"-?\d+", value) else float(value)
    if found.type in ("stamp", "date", "datetime"):
        at = parse_moment(value)
        if at is None:
            raise invalid(f"{value} is not a valid date for {name}")
        return at if found.type == "stamp" else day(at) if found.type == "date" else iso(at)
    return value.lower() if found.type == "string" else value


def has_token(text: str | None, pattern: str) -> int:
    """Whether a text holds a token, ``*`` standing for any letters; several must stand in a row."""
    if not text:
        return 0
    words = [
        "".join("\\w*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", word))
        for word in re.findall(r"[\w*]+", pattern.lower())
    ]
    if not words:
        return 0
    found = re.search(r"(?<!\w)" + r"\W+".join(words) + r"(?!\w)", text.lower())
    return int(found is not None)
