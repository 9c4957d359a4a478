"""HubSpot's signature of webhooks, version 3. Pure.

Base64 of HMAC-SHA256 under the app's client secret, over method, address, body and timestamp;
HubSpot: "Validating requests from HubSpot". What is older than five minutes is refused there, what
is dated ahead as much is refused here too: HubSpot's own helper lets that pass.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

SKEW: Final = timedelta(minutes=5)
"""How far a timestamp may be from now, on either side."""

_LONGEST: Final = 16
"""So many digits hold any time in milliseconds."""

_MILLISECOND: Final = timedelta(milliseconds=1)
_DECODED: Final = {
    # HubSpot's documentation has these decoded before the address is signed. Not confirmed by a
    # recorded request, so both ways of writing pass.
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it came: the timestamp and the signature are those of its headers."""

    method: str
    uris: Sequence[str]
    timestamp: str
    signature: str


def seen_uris(public_url: str, path: str, query: str) -> tuple[str, ...]:
    """Return how HubSpot may have written the address of a request.

    The host is that of the configuration: what the request says of it is anybody's word.

    Args:
        public_url: the address that HubSpot sends to, without a slash at its end.
        path: the path as it was asked for; a proxy may have cut off that of the public address.
        query: what follows the question mark, without it.
    """
    base = urlsplit(public_url).path
    if path == base or path.startswith(f"{base}/"):
        whole = public_url.removesuffix(base) + path
    else:
        whole = public_url + ("" if path == "/" else path)
    if query:
        whole += f"?{query}"
    decoded = whole
    for code, letter in _DECODED.items():
        decoded = decoded.replace(code, letter).replace(code.lower(), letter)
    return tuple(dict.fromkeys((whole, decoded)))


def signature_of(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Return the signature of a request. The timestamp is milliseconds since 1970, as text."""
    signed = method.encode() + uri.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def headers_fault(signed: Signed, now: datetime) -> str:
    """Return what is wrong with a request before its body is read, or nothing."""
    if not signed.signature or not signed.timestamp:
        return "the request is not signed"
    stamp = signed.timestamp
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > _LONGEST:
        return "the timestamp is not a number of milliseconds"
    if abs(int(stamp) * _MILLISECOND - now.timestamp() * timedelta(seconds=1)) > SKEW:
        return "the timestamp is more than five minutes from now"
    return ""


def signature_fault(signed: Signed, body: bytes, secret: str) -> str:
    """Return that the signature is wrong, or nothing. Takes the same time however wrong it is."""
    given = signed.signature.encode()
    right = [
        hmac.compare_digest(
            signature_of(secret, signed.method, uri, body, signed.timestamp).encode(), given
        )
        for uri in signed.uris
    ]
    return "" if any(right) else "the signature is wrong"
