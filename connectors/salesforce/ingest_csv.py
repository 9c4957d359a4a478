"""The CSV of the Bulk API 2.0: what goes into a cell, and what comes out of a result. Pure.

An empty cell means that the field is left alone, ``#N/A`` that it is cleared (Bulk API 2.0
Developer Guide, "Valid CSV Record Rows"). So records of different fields share one table: a field
that a record does not set is an empty cell. A text that cannot be told by this goes another way.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from crmtrail.model import Token, moment, value_of

CLEARED: Final = "#N/A"

MOST_BYTES: Final = 100_000_000
"""Most bytes of one job's data before it is encoded (Bulk API 2.0 limits)."""

_LONGEST_VALUE: Final = 32_000
_LONGEST_RECORD: Final = 400_000
_MOST_FIELDS: Final = 5_000
_MOST_DIGITS: Final = 60
_QUOTED: Final = frozenset(',"\r\n')


def cell(token: Token, vendor_type: str) -> str | None:
    """Return the text of a cell; None where no cell can tell the value.

    Raises:
        ValueError: the token is no JSON text.
    """
    value = value_of(token)
    if value is None or value == "":
        return CLEARED  # Salesforce keeps no empty texts
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return _number(token, Decimal(value))
    if not isinstance(value, str):
        return None
    return _moment(value) if vendor_type == "datetime" else _text(value)


def _number(token: Token, value: Decimal) -> str | None:
    """Return a number as it is spelled, without an exponent."""
    if "e" not in token.lower():
        return token.strip()
    plain = abs(value.adjusted()) < _MOST_DIGITS
    return format(value, "f") if plain else None


def _moment(text: str) -> str | None:
    try:
        at = moment(text)
    except ValueError:
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _text(text: str) -> str | None:
    if text == CLEARED or len(text) > _LONGEST_VALUE or "\0" in text:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


def fits(cells: Mapping[str, str]) -> bool:
    """Whether a record is small enough for the Bulk API."""
    size = sum(len(text) + 3 for text in cells.values())
    return size <= _LONGEST_RECORD and len(cells) < _MOST_FIELDS


def tables(
    columns: Sequence[str], rows: Sequence[tuple[str, Mapping[str, str]]], most: int = MOST_BYTES
) -> Iterator[tuple[Sequence[str], bytes]]:
    """Yield tables of at most ``most`` bytes, each with the ids in it, in order.

    Args:
        columns: the fields, without Id.
        rows: id and cells of each record; a column without a cell stays empty.
        most: how many bytes a table may have.
    """
    head = _line(["Id", *columns])
    lines, ids, size = [head], list[str](), len(head)
    for id_, cells in rows:
        line = _line([id_, *(cells.get(name, "") for name in columns)])
        if ids and size + len(line) > most:
            yield ids, b"".join(lines)
            lines, ids, size = [head], [], len(head)
        lines.append(line)
        ids.append(id_)
        size += len(line)
    if ids:
        yield ids, b"".join(lines)


def _line(cells: Sequence[str]) -> bytes:
    return (",".join(map(_spelled, cells)) + "\n").encode()


def _spelled(text: str) -> str:
    # White space is part of a value; quotes keep it from anybody's trimming.
    if _QUOTED.isdisjoint(text) and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def records(body: bytes) -> Iterator[Mapping[str, str]]:
    """Yield the records of a result, by column.

    Raises:
        ValueError: it is no table.
    """
    text = io.StringIO(body.decode("utf-8-sig"), newline="")
    try:
        yield from csv.DictReader(text, restval="", strict=True)
    except csv.Error as error:
        raise ValueError(f"no CSV: {error}") from None
