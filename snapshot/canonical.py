"""Documents put together from exact tokens, and when two tokens mean the same. Pure.

A document is one JSON object: field names sorted by code point, no spaces, each value the
vendor's own token. Its digest is the SHA-256 of its UTF-8 bytes. Nothing is re-canonicalised:
what is hashed is what is stored.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final

import msgspec

from crmtrail.model import Token, Tokens

_SLICE: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]', re.DOTALL)
"""Strings as a whole, and what gives JSON its structure."""
_SETTLED: Final = frozenset('"ntf')
"""How strings, null, true and false begin: each means only itself."""


def _pairs(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice, so the meaning is open")
    return found


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, object_pairs_hook=_pairs)


def document_of(tokens: Tokens) -> str:
    """Return the document of some tokens."""
    return _writer(tuple(tokens))(tokens)


def tokens_of(document: str) -> dict[str, Token]:
    """Return the exact tokens of a document.

    Raises:
        ValueError: the text is no JSON object.
    """
    try:
        return {name: str(raw, "utf-8") for name, raw in _SLICE.decode(document).items()}
    except (msgspec.MsgspecError, RecursionError):
        # It also refuses half a surrogate pair and deep nesting, which a CRM may well hold.
        return _sliced(document)


def digest_of(document: str) -> bytes:
    """Return the SHA-256 of a document."""
    return sha256(document.encode()).digest()


def same(one: Token | None, other: Token | None) -> bool:
    r"""Return whether two tokens mean the same value; absent equals only absent.

    ``1.0`` and ``1.00`` do, ``"é"`` and ``"\u00e9"`` do, and objects whatever the order of their
    keys. ``1`` and ``true`` do not, nor ``null`` and ``""``.
    """
    if one == other:
        return True
    if one is None or other is None or _plainly_different(one, other):
        return False
    try:
        return _alike(_meaning(one), _meaning(other))
    except (ValueError, ArithmeticError, RecursionError):
        return False  # not comparable by meaning, and the texts differ


def _sliced(document: str) -> dict[str, Token]:
    """Cut a document at the commas and colons outside all brackets; looks into no value."""
    tokens: dict[str, Token] = {}
    depth, start, name = 0, 1, None
    for mark in _MARKS.finditer(document):
        text = mark[0]
        if text in "}]":
            depth -= 1
        if depth == 1 and text == ":":
            name, start = json.loads(document[start : mark.start()]), mark.end()
        elif name is not None and ((depth == 1 and text == ",") or depth == 0):
            tokens[name], name, start = document[start : mark.start()], None, mark.end()
        if text in "{[":
            depth += 1
    if depth or not document.startswith("{") or not all(tokens.values()) or name is not None:
        raise ValueError(f"not a document: {document[:40]}")
    return tokens


@lru_cache(maxsize=4096)
def _writer(names: tuple[str, ...]) -> Callable[[Tokens], str]:
    """Return a function that writes documents of just these fields; pages repeat few shapes."""
    ordered = sorted(names)
    shape = ",".join(json.dumps(name).replace("%", "%%") + ":%s" for name in ordered)
    if len(ordered) > 1:
        pick = itemgetter(*ordered)
        return lambda tokens: f"{{{shape}}}" % pick(tokens)
    if ordered:
        only = ordered[0]
        return lambda tokens: f"{{{shape}}}" % (tokens[only],)
    return lambda _tokens: "{}"


def _plainly_different(one: Token, other: Token) -> bool:
    """Return whether the texts alone, which are not equal, settle it; most changes are such."""
    first, second = one[:1], other[:1]
    if first == second == '"':
        return "\\" not in one and "\\" not in other
    return first in _SETTLED or second in _SETTLED


def _meaning(token: Token) -> Any:
    return _DECODER.decode(token)


def _alike(one: Any, other: Any) -> bool:
    """Compare decoded JSON; unlike Python, truth is no number."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)
