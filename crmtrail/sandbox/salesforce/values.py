"""Values on their way between JSON and the tables, and what Salesforce refuses of them."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.fields import NUMERIC, TEXTUAL, Field
from crmtrail.sandbox.salesforce.labels import label
from crmtrail.sandbox.salesforce.refusal import Refusal, unparsable

Stored = str | int | float | None

_MAIL = re.compile(r"[^@\s,;<>()\"]+@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,}\Z")
_INT_LIMIT = 2**31


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "VALUE_TRUE" if value else "VALUE_FALSE"
    names: dict[type, str] = {
        int: "VALUE_NUMBER_INT",
        float: "VALUE_NUMBER_FLOAT",
        str: "VALUE_STRING",
        list: "START_ARRAY",
        dict: "START_OBJECT",
    }
    return next((name for kind, name in names.items() if isinstance(value, kind)), "VALUE_NULL")


def _misfit(field: Field, value: object) -> Refusal:
    if isinstance(value, bool):
        shown = json.dumps(value)
    else:
        shown = {"START_ARRAY": "[", "START_OBJECT": "{"}.get(_kind(value), str(value))
    return unparsable(
        f"Cannot deserialize instance of {field.type} from {_kind(value)} value {shown}"
        " or request may be missing a required field at [line:1, column:1]"
    )


def from_json(field: Field, value: object) -> Stored:
    """Return a JSON value as the tables hold it; the check of its content is `check`'s.

    Raises:
        Refusal: the JSON type does not fit the field's type.
    """
    if value is None:
        return None
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise _misfit(field, value)
        return int(value)
    if field.type in NUMERIC:
        return _number(field, value)
    if not isinstance(value, str):
        raise _misfit(field, value)
    if field.type in ("date", "datetime"):
        return _time(field, value)
    if field.type == "base64":
        return _encoded(field, value)
    # Salesforce trims text at both ends and keeps no empty text.
    return value.strip() or None


def _encoded(field: Field, value: str) -> Stored:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        raise _misfit(field, value) from None
    return value or None


def _number(field: Field, value: object) -> Stored:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _misfit(field, value)
    if field.type == "int":
        if value != int(value):
            raise _misfit(field, value)
        return int(value)
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise _misfit(field, value)
    if exact.adjusted() > field.precision:
        return float(value)
    return float(exact.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP))


def _time(field: Field, value: str) -> Stored:
    if not value:
        return None
    try:
        if field.type == "date":
            return moments.parse_day(value).isoformat()
        return moments.stamp(moments.parse(value))
    except ValueError:
        raise _misfit(field, value) from None


def check(sobject: str, field: Field, value: Stored) -> Stored:
    """Return a value as Salesforce stores it, after looking at its content.

    Raises:
        Refusal: too long, too large, no e-mail address, not in a restricted picklist.
    """
    if value is None:
        return None
    if field.type in NUMERIC:
        return _in_range(sobject, field, float(value))
    if field.type not in TEXTUAL or not isinstance(value, str):
        return value
    if field.length and len(value) > field.length:
        raise Refusal(
            "STRING_TOO_LONG",
            f"{label(sobject, field)}: data value too large: {value} (max length={field.length})",
            [field.name],
        )
    return _CONTENT.get(field.type, _as_is)(sobject, field, value)


def _in_range(sobject: str, field: Field, value: float) -> Stored:
    limit = _INT_LIMIT if field.type == "int" else 10 ** (field.precision - field.scale)
    if abs(value) >= limit:
        raise Refusal(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{label(sobject, field)}: value outside of valid range on numeric field: {value}",
            [field.name],
        )
    return int(value) if field.type == "int" else value


def _as_is(_sobject: str, _field: Field, value: str) -> str:
    return value


def _mail(sobject: str, field: Field, value: str) -> str:
    if not _MAIL.match(value):
        raise Refusal(
            "INVALID_EMAIL_ADDRESS",
            f"{label(sobject, field)}: invalid email address: {value}",
            [field.name],
        )
    return value


def _bad_choice(sobject: str, field: Field, value: str) -> Refusal:
    return Refusal(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        f"{label(sobject, field)}: bad value for restricted picklist field: {value}",
        [field.name],
    )


def _choice(sobject: str, field: Field, value: str) -> str:
    known = next((item for item in field.values if item.lower() == value.lower()), None)
    if known is None and field.restricted:
        raise _bad_choice(sobject, field, value)
    return value if known is None else known


def _choices(sobject: str, field: Field, value: str) -> str:
    """Put the values of a multi-select picklist in the order of its definition."""
    chosen = dict.fromkeys(part.strip() for part in value.split(";") if part.strip())
    strange = [item for item in chosen if item not in field.values]
    if strange and field.restricted:
        raise _bad_choice(sobject, field, strange[0])
    return ";".join([item for item in field.values if item in chosen] + strange)


_CONTENT: Mapping[str, Callable[[str, Field, str], str]] = {
    "email": _mail,
    "picklist": _choice,
    "multipicklist": _choices,
}


def well_formed_id(sobject: str, field: Field, value: str) -> str:
    """Return an id in its 18-character form.

    Raises:
        Refusal: no well-formed id.
    """
    id_ = ids.normal(value)
    if id_ is None:
        name = label(sobject, field)
        raise Refusal("MALFORMED_ID", f"{name}: id value of incorrect type: {value}", [field.name])
    return id_


def to_json(field: Field, value: Any) -> Any:
    """Return a stored value as JSON shows it."""
    if value is None:
        return None
    if field.type == "boolean":
        return bool(value)
    if field.type == "anyType":
        return json.loads(value)
    if field.type == "base64":
        # No base64 starts with a bracket: such a value is told already.
        told = str(value).startswith("(")
        return value if told else f"({len(base64.b64decode(value))} bytes)"
    return value
