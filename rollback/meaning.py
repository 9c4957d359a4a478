"""When a value in the CRM is the value meant, and words about it. Pure."""

from datetime import UTC, datetime

from crmtrail.model import NULL, Token
from snapshot.canonical import same

BLANK = frozenset((NULL, '""'))
"""The tokens of an empty field. Salesforce saves empty text as null (salesforce.md 4), HubSpot
clears with empty text and may tell either (hubspot.md 5): one and the same state of the field."""


def alike(one: Token | None, other: Token | None) -> bool:
    """Whether two tokens are told and leave the field in the same state."""
    if one is None or other is None:
        return False
    if one == other or (one in BLANK and other in BLANK):
        return True
    texts = one.startswith('"') + other.startswith('"')
    if texts == 1 or (texts and "\\" not in one and "\\" not in other):
        return False  # text and no text, or two texts spelled plainly: no need to decode them
    return same(one, other)


def spoken(at: datetime) -> str:
    """Return a time as people read it: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def sayable(words: str) -> str:
    """Return words that any database and terminal takes: lone surrogates become ``?``."""
    return words.encode("utf-8", "replace").decode("utf-8")
