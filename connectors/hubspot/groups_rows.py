"""Rows of HubSpot's lists of other things than records, and what their values say."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from string import punctuation
from typing import Any, Final
from urllib.parse import quote

import msgspec

from connectors.hubspot.shapes import Row, when
from crmtrail.model import Token, token_of

_SETS: Final = frozenset(
    {
        "fileIds",
        "mappedObjectTypeIds",
        "roleIds",
        "seatNames",
        "secondaryTeamIds",
        "secondaryUserIds",
        "teams",
        "userIds",
    }
)
"""Lists whose order means nothing; HubSpot promises none."""


def value_in(row: Row, name: str) -> Any:
    """Return a value; None where it is absent."""
    raw = row.get(name)
    return None if raw is None else msgspec.json.decode(raw)


def text_in(row: Row, name: str) -> str | None:
    """Return an id or a text; None where it is absent, blank, or neither."""
    value = value_in(row, name)
    return str(value) if isinstance(value, str | int) and value != "" else None


def moment_in(row: Row, name: str) -> datetime | None:
    """Return the moment of a stamp; None where there is none."""
    value = value_in(row, name)
    return when(value) if isinstance(value, str | int | float) else None


def part_of(row: Row, name: str) -> Row:
    """Return a nested object; empty where there is none."""
    raw = row.get(name)
    if raw is None or not bytes(raw).lstrip().startswith(b"{"):
        return {}
    return msgspec.json.decode(raw, type=Row)


def parts_of(row: Row, name: str) -> Sequence[Row]:
    """Return nested objects; none where there is no list of them."""
    raw = row.get(name)
    if raw is None or not bytes(raw).lstrip().startswith(b"["):
        return ()
    return msgspec.json.decode(raw, type=list[Row])


def tokens(row: Row, without: Iterable[str] = (), **ours: object) -> dict[str, Token]:
    """Return the exact tokens of a row; lists without order are put into one.

    Args:
        row: what HubSpot told.
        without: fields that are left out.
        ours: further values, which HubSpot tells by where they were found.
    """
    left = frozenset(without)
    told = {name: _token(name, raw) for name, raw in row.items() if name not in left}
    return {name: token_of(value) for name, value in ours.items()} | told


def digest_of(rows: Iterable[Row], after: str | None) -> str:
    """Return what tells one page of a list from another, whatever the order of its rows."""
    said = sorted(msgspec.json.encode(row) for row in rows)
    return blake2b(b"\n".join((*said, (after or "").encode())), digest_size=8).hexdigest()


def record_id(*parts: str) -> str:
    """Return the id of a record that HubSpot has no single id for: its parts joined by dots."""
    return quote(".".join(parts), safe=punctuation)


def picked(row: Row, names: Iterable[str]) -> Mapping[str, Token]:
    """Return the tokens of some fields, as far as they are there."""
    return {name: str(row[name], "utf-8") for name in names if name in row}


def _token(name: str, raw: msgspec.Raw) -> Token:
    text = str(raw, "utf-8")
    if name not in _SETS or not text.startswith("["):
        return text
    parts = sorted(str(one, "utf-8") for one in msgspec.json.decode(raw, type=list[msgspec.Raw]))
    return f"[{','.join(parts)}]"
