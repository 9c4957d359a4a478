"""Salesforce ids: 15 case-sensitive characters, or 18 with three that keep the case."""

import re

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_FULL = 18
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def to18(id_: str) -> str | None:
    """Return an id in its 18-character form; None where the text is no Salesforce id."""
    if not _ID.fullmatch(id_):
        return None
    if len(id_) == _FULL:
        return id_
    chunks = (id_[start : start + 5] for start in (0, 5, 10))
    return id_ + "".join(
        _LETTERS[sum(char.isupper() << bit for bit, char in enumerate(chunk))] for chunk in chunks
    )


def is_sound(id_: str) -> bool:
    """Whether the last three of 18 characters are the ones that belong to the first 15."""
    return to18(id_[:15]) == id_
