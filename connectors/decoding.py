"""Read a vendor's JSON into a shape, keeping every digit; one odd text must not stop a sync."""

import re
from typing import TypeVar

import msgspec

Shape = TypeVar("Shape")

_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|\\."
)


def decoded(body: bytes, shape: type[Shape]) -> Shape:
    """Return a body as a shape.

    Half an emoji, cut off by some length limit, is no valid text. It becomes U+FFFD, as does a
    byte that is no UTF-8; all else, and every number, stays as it was sent.

    Raises:
        ValueError: the body is no JSON, or not of the shape.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode("utf-8", "replace").encode()
        whole = _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)
        return msgspec.json.decode(whole, type=shape)
