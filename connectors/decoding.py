"""Read a vendor's JSON into a shape, keeping every digit; one odd text must not stop a sync."""

import re
from codecs import BOM_UTF8
from typing import TypeVar

import msgspec

Shape = TypeVar("Shape")

_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ODD = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|([\x00-\x1f])"
    rb"|\\."
)
_NAMES = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")(\s*+:)?', re.DOTALL)
_UNFIT = re.compile(rb"(\\u00(?:00|1[fF]))|\\.")
"""NUL, which no database takes in a name, and the mark of the store's own names."""


def decoded(body: bytes, shape: type[Shape]) -> Shape:
    r"""Return a body as a shape; every piece of it is valid UTF-8.

    Half an emoji, cut off by some length limit, is no valid text. It becomes U+FFFD, as does a
    byte that is no UTF-8, and NUL or U+001F in a name; a control character that was sent bare gets
    its escape, and a byte order mark goes. All else, and every number, stays as it was sent. Of a
    name that an object tells twice, the last value counts, as with nearly every reader of JSON.

    Raises:
        ValueError: the body is no JSON, or not of the shape, or nested more deeply than any record.
    """
    if b"\\u0000" in body or b"\\u001f" in body or b"\\u001F" in body:
        body = _NAMES.sub(_named, body)
    try:
        # Pieces that are not read now are only skipped: nobody else looks at their bytes.
        if not body.isascii():
            body.decode()
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError:
        raise
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _mended(body, shape)


def _mended(body: bytes, shape: type[Shape]) -> Shape:
    text = body.removeprefix(BOM_UTF8).decode("utf-8", "replace").encode()
    try:
        return msgspec.json.decode(_TEXTS.sub(_plain, text), type=shape)
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None


def _plain(found: re.Match[bytes]) -> bytes:
    """Return a text of JSON, made valid."""
    return _ODD.sub(_character, found[0])


def _character(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return rb"\ufffd"
    return b"\\u%04x" % ord(found[2]) if found[2] else found[0]


def _named(found: re.Match[bytes]) -> bytes:
    """Return a text of JSON; a name without what no name can have."""
    if not found[2]:
        return found[0]
    fit = _UNFIT.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], found[1])
    return fit + found[2]
