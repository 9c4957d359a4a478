"""What HubSpot checks before it writes property values, and how it says no."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crmtrail.sandbox.hubspot.object_types import PIPELINED, ObjectType
from crmtrail.sandbox.hubspot.options import LIFECYCLE
from crmtrail.sandbox.hubspot.people import People
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid
from crmtrail.sandbox.hubspot.schema import Property, Schema
from crmtrail.sandbox.hubspot.values import DAY, day, is_number, iso, parse_moment

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]{2,}")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One value the portal does not take."""

    code: str
    name: str
    message: str


@dataclass(slots=True)
class Checked:
    """Values ready to be written, what is wrong with them, and what was normalised."""

    values: dict[str, str] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def require(self) -> "Checked":
        """Return self when there is no flaw.

        Raises:
            Refusal: 400 with every flaw.
        """
        if self.flaws:
            raise refusal(self.flaws)
        return self


def refusal(flaws: list[Flaw]) -> Refusal:
    """Return the 400 for flaws: a JSON list inside the message, and errors for all but options."""
    listed = [
        {"isValid": False, "message": flaw.message, "error": flaw.code, "name": flaw.name}
        for flaw in flaws
    ]
    errors = [
        {"message": flaw.message, "code": flaw.code, "context": {"propertyName": [flaw.name]}}
        for flaw in flaws
        if flaw.code != "INVALID_OPTION"
    ]
    message = f"Property values were not valid: {json.dumps(listed, separators=(',', ':'))}"
    return Refusal(400, "VALIDATION_ERROR", message, errors=errors)


class Validator:
    """Checks values for writing against the portal's definitions."""

    def __init__(self, schema: Schema, people: People) -> None:
        self._schema = schema
        self._people = people

    def check(
        self, kind: ObjectType, given: object, version: str, *, current: Mapping[str, str]
    ) -> Checked:
        """Check the values of one record; ``current`` is what it holds now, empty for a new one.

        Raises:
            Refusal: 400, the values are no JSON object of texts.
        """
        if not isinstance(given, dict):
            raise invalid("Some required fields were not set: [properties]")
        checked = Checked()
        for name, raw in given.items():
            self._value(checked, kind, name, _text(name, raw), version, current)
        self._stage(checked, kind, current)
        return checked

    def _value(
        self,
        checked: Checked,
        kind: ObjectType,
        name: str,
        value: str,
        version: str,
        current: Mapping[str, str],
    ) -> None:
        definition = self._schema.live(kind.name, name)
        if definition is None:
            message = f'Property "{name}" does not exist'
            checked.flaws.append(Flaw("PROPERTY_DOESNT_EXIST", name, message))
        elif definition.read_only or definition.calculated:
            message = f'"{name}" is a read only property; its value cannot be set.'
            checked.flaws.append(Flaw("READ_ONLY_VALUE", name, message))
        elif value == "":
            checked.values[name] = ""
        else:
            self._typed(checked, definition, value, version, current)

    def _typed(
        self,
        checked: Checked,
        definition: Property,
        value: str,
        version: str,
        current: Mapping[str, str],
    ) -> None:
        name = definition.name
        found: str | Flaw
        if definition.doc["externalOptions"]:
            found = self._owner(name, value)
        elif definition.multiple:
            found = _several(definition, value, current.get(name, ""))
        elif definition.type in ("enumeration", "bool"):
            found = _option(definition, value)
        elif definition.type == "number":
            text = value.strip()
            message = f"{value} was not a valid number."
            found = text if is_number(text) else Flaw("INVALID_INTEGER", name, message)
        elif definition.type in ("date", "datetime"):
            found = _moment(checked, definition, value, version)
        elif name == "email" and not _EMAIL.fullmatch(value):
            found = Flaw("INVALID_EMAIL", name, f"Email address {value} is invalid")
        else:
            found = value.strip().lower() if name == "email" else value
        if isinstance(found, Flaw):
            checked.flaws.append(found)
        elif not (name == "lifecyclestage" and _backward(current.get(name, ""), found)):
            checked.values[name] = found

    def _owner(self, name: str, value: str) -> str | Flaw:
        if value in self._people.active_owners():
            return value
        return Flaw("INVALID_OWNER_ID", name, f"{value} was not a valid owner id.")

    def _stage(self, checked: Checked, kind: ObjectType, current: Mapping[str, str]) -> None:
        """A stage belongs to a pipeline: both must still fit after the write."""
        names = PIPELINED.get(kind.name)
        if names is None or not set(names) & set(checked.values):
            return
        pipeline, stage = ({**current, **checked.values}.get(name, "") for name in names)
        if not stage or not pipeline:
            return
        stages = self._schema.stages(kind.name)
        if stages.get(stage, {}).get("pipeline") != pipeline:
            allowed = [id_ for id_, each in stages.items() if each["pipeline"] == pipeline]
            message = f"{stage} was not one of the allowed options: {_listed(allowed)}"
            checked.flaws.append(Flaw("INVALID_OPTION", names[1], message))


def _text(name: str, raw: object) -> str:
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, (str, int, float)):
        return str(raw)
    raise invalid(f"Invalid input JSON: cannot read a value for property {name}; text is expected")


def _listed(allowed: list[str]) -> str:
    return "[" + ", ".join(allowed) + "]"


def _option(definition: Property, value: str) -> str | Flaw:
    if value in definition.values:
        return value
    allowed = [str(option["value"]) for option in definition.doc["options"]]
    message = f"{value} was not one of the allowed options: {_listed(allowed)}"
    return Flaw("INVALID_OPTION", definition.name, message)


def _several(definition: Property, value: str, current: str) -> str | Flaw:
    """Check a multiple choice; a leading semicolon adds to what is chosen already."""
    chosen = [part for part in value.split(";") if part]
    for part in chosen:
        if isinstance(found := _option(definition, part), Flaw):
            return found
    kept = [part for part in current.split(";") if part] if value.startswith(";") else []
    return ";".join(dict.fromkeys(kept + chosen))


def _moment(checked: Checked, definition: Property, value: str, version: str) -> str | Flaw:
    at = parse_moment(value)
    name = definition.name
    if at is None:
        return Flaw("INVALID_DATE", name, f"{value} was not a valid {definition.type}.")
    if definition.type == "datetime":
        return iso(at)
    if at % DAY and version != "2026-09":
        message = f"{value} is at {iso(at)}, not midnight UTC."
        return Flaw("INVALID_DATE", name, message)
    if at % DAY:
        context = {"propertyName": name, "rawValue": value, "normalizedValue": day(at)}
        warning = {"category": "PROPERTY_VALUE_NORMALIZED", "context": context}
        message = f"{value} was normalized to midnight UTC"
        checked.warnings.append(warning | {"message": message})
    return day(at)


def _backward(current: str, value: str) -> bool:
    """Whether a lifecycle stage would move back, which HubSpot ignores without a word."""
    if current not in LIFECYCLE or value not in LIFECYCLE:
        return False
    return LIFECYCLE.index(value) < LIFECYCLE.index(current)
