"""The validation rules that an admin set for properties, checked before values are sent.

Only the API of 2026-09 and later enforces what admins set, so only then are they asked for: one
request for each object. Of HubSpot's rules those are checked here that leave no room for reading
them otherwise; HubSpot decides on the others.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from connectors.decoding import decoded
from connectors.hubspot.client import Client
from connectors.hubspot.fitness import Flaw
from connectors.hubspot.object_names import STANDARD
from connectors.hubspot.refusals import Absent, Refusal
from crmtrail.errors import PermissionMissing, Unavailable

ENFORCED_FROM: Final = "2026-09"
"""The first version whose writes obey the rules (HubSpot's developer changelog)."""

_TYPE_IDS: Final = {one.name: one.type_id for one in STANDARD}


class Rule(msgspec.Struct, rename="camel", frozen=True):
    """One rule of a property."""

    rule_type: str
    rule_arguments: list[str] = []


class _Rules(msgspec.Struct, rename="camel", frozen=True):
    property_name: str
    property_validation_rules: list[Rule] = []


Kept = Mapping[str, Sequence[Rule]]
"""The rules of an object, by property."""


def _length(text: str, bound: str) -> int:
    return len(text) - int(bound)


def _size(text: str, bound: str) -> Decimal:
    return Decimal(text) - Decimal(bound)


_KEEPS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "MIN_LENGTH": lambda text, bound: _length(text, bound) >= 0,
    "MAX_LENGTH": lambda text, bound: _length(text, bound) <= 0,
    "MIN_NUMBER": lambda text, bound: _size(text, bound) >= 0,
    "MAX_NUMBER": lambda text, bound: _size(text, bound) <= 0,
}


def breaches(values: Mapping[str, str], rules: Kept) -> list[Flaw]:
    """Return which values break a rule. Blanks are not judged, nor rules that cannot be read."""
    found = []
    for name, text in values.items():
        broken = [rule for rule in rules.get(name, ()) if text and not _kept(text, rule)]
        for rule in broken[:1]:
            bound = ", ".join(rule.rule_arguments)
            message = f"{name}: an admin's rule refuses the value ({rule.rule_type} {bound})"
            found.append(Flaw("VALUE_OUT_OF_RULE", name, message))
    return found


def _kept(text: str, rule: Rule) -> bool:
    test = _KEEPS.get(rule.rule_type)
    if test is None or len(rule.rule_arguments) != 1:
        return True
    try:
        return test(text, rule.rule_arguments[0])
    except (ValueError, InvalidOperation):
        return True


class AdminRules:
    """The rules of a portal, remembered for each object."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, Kept] = {}

    def of(self, object_: str) -> Kept:
        """Return the rules that a write would obey; none where they cannot be read."""
        written = self._client.transport.versions.of("objects", write=True)
        if written < ENFORCED_FROM or not written[0].isdigit():
            return {}
        if object_ not in self._known:
            try:
                self._known[object_] = self._asked(object_)
            except Unavailable:
                return {}
        return self._known[object_]

    def _asked(self, object_: str) -> Kept:
        path = f"/crm/v3/property-validations/{_TYPE_IDS.get(object_, object_)}"
        found: dict[str, Sequence[Rule]] = {}
        try:
            rows = self._client.rows(path).content.results
        except (PermissionMissing, Absent, Refusal):
            return {}
        for row in rows:
            with suppress(ValueError):  # what is not understood is left to HubSpot
                one = decoded(msgspec.json.encode(row), _Rules)
                found[one.property_name] = one.property_validation_rules
        return found
