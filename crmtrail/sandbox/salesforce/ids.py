"""Salesforce record ids: 15 case-sensitive characters plus three that check them."""

import re

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}([0-9A-Z]{3})?\Z")
_SHORT, _LONG, _CHUNK, _PREFIX = 15, 18, 5, 3
_POD = "5g0"
_COUNTER_DIGITS = 9


def to18(short: str) -> str:
    """Return the 18-character form of a 15-character id.

    Each of three chunks of five characters gives one check character: its bits, lowest first,
    say which characters of the chunk are upper case.
    """
    return short + "".join(
        _CHECK[sum(c.isupper() << n for n, c in enumerate(short[k : k + _CHUNK]))]
        for k in range(0, _SHORT, _CHUNK)
    )


def normal(value: object) -> str | None:
    """Return an id in its 18-character form, or None if it is no well-formed id.

    An 18-character id counts as well formed only if its check characters are right.
    """
    if not isinstance(value, str) or not _SHAPE.match(value):
        return None
    long = to18(value[:_SHORT])
    return long if len(value) == _SHORT or value == long else None


def prefix(id_: str) -> str:
    """Return the key prefix, which names the object."""
    return id_[:_PREFIX]


def numbered(key_prefix: str, number: int) -> str:
    """Return the id with this number among the ids of one key prefix."""
    digits = ""
    for _ in range(_COUNTER_DIGITS):
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return to18(key_prefix + _POD + digits)
