"""Bulk API 2.0 results: CSV in, the exact JSON texts out that REST would have told."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from connectors.salesforce.readings import Row
from crmtrail.model import Field

Encode = Callable[[str], msgspec.Raw]

NULL: Final = msgspec.Raw(b"null")
_FLAGS: Final = {"true": msgspec.Raw(b"true"), "false": msgspec.Raw(b"false")}
_NUMBERS: Final = frozenset({"currency", "double", "int", "long", "percent"})
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_BULK_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", re.ASCII)
_text = msgspec.json.Encoder().encode


def rows_of(
    head: Sequence[str], records: Sequence[Sequence[str]], fields: Mapping[str, Field]
) -> list[Row]:
    """Return records of results as rows.

    Empty is null; every other text is data, ``NA`` and ``null`` too (fact sheet, section 9.1).

    Args:
        head: the names of the columns.
        records: as many texts each.
        fields: the object's fields, for their types.
    """
    names = _spelled(head, fields)
    columns = (
        map(_Cells(encoder_of(name, fields.get(name))).__getitem__, values)
        for name, values in zip(names, zip(*records, strict=True), strict=bool(records))
    )
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


class _Cells(dict[str, msgspec.Raw]):
    """The JSON text of each text of one column. The same value stands in many rows of a page."""

    def __init__(self, encode: Encode) -> None:
        super().__init__({"": NULL})
        self._encode = encode

    def __missing__(self, value: str) -> msgspec.Raw:
        """Encode a text that was not met before."""
        made = self[value] = self._encode(value)
        return made


def _spelled(head: Sequence[str], fields: Mapping[str, Field]) -> Sequence[str]:
    """Return the names of the columns as the describe spells them."""
    known = {name.lower(): name for name in ("IsDeleted", *fields)}
    return [known.get(name.lower(), name) for name in head]


def encoder_of(name: str, field: Field | None) -> Encode:
    """Return how the values of a column become JSON, by the field's type."""
    kind = "" if field is None else field.vendor_type
    if name == "IsDeleted" or kind == "boolean":
        return _boolean
    if kind in _NUMBERS:
        return _number
    return _datetime if kind == "datetime" else _string


def _string(value: str) -> msgspec.Raw:
    return msgspec.Raw(_text(value))


def _boolean(value: str) -> msgspec.Raw:
    return _FLAGS.get(value.lower()) or _string(value)


def _number(value: str) -> msgspec.Raw:
    """Return a number with the digits it was told in; what is no number stays a text."""
    if _NUMBER.fullmatch(value):
        return msgspec.Raw(value.encode())
    try:
        number = Decimal(value)
    except InvalidOperation:
        return _string(value)
    return msgspec.Raw(str(number).encode()) if number.is_finite() else _string(value)


def _datetime(value: str) -> msgspec.Raw:
    """Spell a moment as REST does: Bulk says Z where REST says +0000."""
    found = _BULK_MOMENT.fullmatch(value)
    return _string(f"{found[1]}{found[2] or '.000'}+0000" if found else value)
