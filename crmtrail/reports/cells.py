"""Cells of a table, made from tokens. Pure.

A cell is None for blank (and for absent: only JSON lines tell the two apart), a truth value, a
`Number` with its exact digits, or a text.
"""

import re
import unicodedata
from typing import Final, TypeAlias

from crmtrail.model import ERASED, NULL, Field, FieldType, Token, readable, value_of


class Number(str):
    """A number as the vendor wrote it, digit by digit."""

    __slots__ = ()


Cell: TypeAlias = str | bool | None
"""One cell; a `Number` is told from a text by its type."""

_NUMERIC: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_AMOUNTS: Final = frozenset({FieldType.NUMBER, FieldType.MONEY})
_TRUTHS: Final = {"true": True, "false": False}
_STARTERS: Final = frozenset("=+-@")
_CONTROLS: Final = frozenset("\t\r\n\0")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Unicode's categories of controls, formats and spaces, which some programs skip."""


def cell_of(token: Token | None, field: Field | None = None) -> Cell:
    """Return the cell of a token.

    HubSpot writes every value as a text, so the field's type tells which texts are numbers and
    truth values. Lists and objects stay JSON text. Half a surrogate pair, which no file can hold,
    becomes U+FFFD. A value that was forgotten for good reads ``[erased]``.
    """
    if token is None or token == NULL:
        return None
    if token in _TRUTHS:
        return _TRUTHS[token]
    if token == ERASED:
        return str(value_of(token))
    if token[0] in "[{":
        return readable(token)
    if token[0] != '"':
        return Number(token)
    text = value_of(token) if "\\" in token else token[1:-1]
    return _text_cell(text, None if field is None else field.type)


def _text_cell(text: str, type_: FieldType | None) -> Cell:
    if type_ in _AMOUNTS and _NUMERIC.fullmatch(text):
        return Number(text)
    if type_ is FieldType.BOOLEAN and text in _TRUTHS:
        return _TRUTHS[text]
    return readable(text)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with ``'`` in front where it could.

    It could where it begins with ``=``, ``+``, ``-`` or ``@``, in any width, even behind spaces
    and invisible characters, or with a tab, a line end or NUL
    (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    if not text or text[0].isalnum():
        return text
    if text[0] in _CONTROLS:
        return f"'{text}"
    for character in text:
        if unicodedata.category(character) not in _INVISIBLE:
            starts = unicodedata.normalize("NFKC", character) in _STARTERS
            return f"'{text}" if starts else text
    return text
