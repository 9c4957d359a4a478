"""What counts as nothing: the ways in which a sync or an import writes a value away."""

import json
from collections.abc import Collection

from crmtrail.model import Change, Field, FieldType, Token

_DATES = {FieldType.DATE, FieldType.DATETIME}
_LONGEST_SENTINEL = 40


def emptiness(token: Token | None, field: Field | None, sentinels: Collection[str]) -> str | None:
    """Say in which way a token holds nothing, or None where it holds something.

    Answers ``null``, ``empty``, ``whitespace``, ``sentinel``, ``epoch`` (a date of 1970-01-01)
    or ``zero`` (money). An absent token is unknown, not nothing. ``sentinels`` are lower case.
    """
    if token is None:
        return None
    if token == "null":  # noqa: S105 -- JSON's null, no secret
        return "null"
    if token.startswith('"'):
        return _of_text(token, field, sentinels)
    if field is not None and field.type is FieldType.MONEY and _is_zero(token):
        return "zero"
    return None


def _of_text(token: Token, field: Field | None, sentinels: Collection[str]) -> str | None:
    if len(token) > _LONGEST_SENTINEL and not token[1:_LONGEST_SENTINEL].isspace():
        return None
    text = json.loads(token)
    plain = text.strip().lower()
    if not plain:
        return "whitespace" if text else "empty"
    if plain in sentinels:
        return "sentinel"
    kind = None if field is None else field.type
    if kind in _DATES and plain.startswith("1970-01-01"):
        return "epoch"
    if kind is FieldType.MONEY and _is_zero(plain):
        return "zero"
    return None


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:
        return False


def is_blank(token: Token | None, field: Field | None, sentinels: Collection[str]) -> bool:
    """Whether a token is told and holds nothing."""
    return emptiness(token, field, sentinels) is not None


def blanks(change: Change, field: Field | None, sentinels: Collection[str]) -> bool:
    """Whether a change turned something into nothing."""
    return (
        change.old is not None
        and is_blank(change.new, field, sentinels)
        and not is_blank(change.old, field, sentinels)
    )
