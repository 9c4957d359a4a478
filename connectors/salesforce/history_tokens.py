"""Values of Salesforce's field history as the record itself would spell them. Pure.

OldValue and NewValue are of any type (fact sheet 11.2): which JSON type they have depends on
DataType, and need not be the one in which the record carries the field.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from connectors.salesforce.ids import is_sound, to18
from crmtrail.model import NULL, Field, FieldType, Token, token_of

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?)?")
_NUMBERS = frozenset({FieldType.NUMBER, FieldType.MONEY})
_TRUTHS = {"true": "true", "1": "true", "false": "false", "0": "false"}
_SHORT_ID = 15


def recorded(field: Field, told: Token) -> Token | None:
    """Return the token that the record would carry; None where what is told is no such value."""
    if told == NULL:
        return NULL
    text = _text(told)
    if field.type in _NUMBERS:
        return told if text is None else _number(text)
    if field.type is FieldType.BOOLEAN:
        return _TRUTHS.get((told if text is None else text).lower())
    convert = _CONVERTS.get(field.type)
    if convert is None or text is None:
        return told
    return convert(text)


def is_id(told: Token) -> bool:
    """Whether a value is an id of 18 characters that hangs together, and so no name."""
    text = _text(told)
    return text is not None and len(text) > _SHORT_ID and is_sound(text)


def _text(told: Token) -> str | None:
    return msgspec.json.decode(told, type=str) if told.startswith('"') else None


def _number(text: str) -> Token | None:
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return str(number) if number.is_finite() and "E" not in str(number) else None


def _day(text: str) -> Token | None:
    found = _DAY.fullmatch(text)
    return token_of(found[1]) if found else None


def _moment(text: str) -> Token | None:
    """Return a moment in the spelling of records: milliseconds, an offset without colon."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return token_of(at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000")


def _reference(text: str) -> Token | None:
    full = to18(text)
    return token_of(full) if full and is_sound(full) else None


_CONVERTS: Mapping[FieldType, Callable[[str], Token | None]] = {
    FieldType.DATE: _day,
    FieldType.DATETIME: _moment,
    FieldType.REFERENCE: _reference,
}
