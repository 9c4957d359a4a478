"""Values of HubSpot's properties as tokens. Pure."""

import json

import msgspec

from crmtrail.model import NULL, Token, token_of


def token(raw: msgspec.Raw) -> Token:
    """Return the token of a property's JSON text.

    HubSpot knows one kind of blank: it takes "" to clear and answers null, so both are ``null``
    here. Text is spelled in one way whatever escapes the answer used.
    """
    text = bytes(raw)
    if text in (b"null", b'""'):
        return NULL
    if text.isascii() and b"\\" not in text:
        return text.decode("ascii")
    spelled = text.decode("utf-8")
    return token_of(json.loads(spelled)) if spelled.startswith('"') else spelled


def plain(raw: msgspec.Raw | None) -> str | None:
    """Return the text of a property, None where blank or absent."""
    if raw is None or (spelled := token(raw)) == NULL:
        return None
    return str(json.loads(spelled)) if spelled.startswith('"') else spelled
