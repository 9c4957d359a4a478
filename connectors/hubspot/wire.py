"""What lies beneath each request: bodies that have to be here in time, and the proxy to go by."""

import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

_CHUNK = 65_536
_SLOWEST = 16_384.0
"""Bytes a second: a body that comes more slowly than this, after the timeout, is given up."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the headers that log in to it."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def whole(answer: Any, seconds: float) -> bytes:
    """Return a body whole, decoded.

    A timeout of urllib3 holds for each piece only: one byte now and then would never end.

    Raises:
        urllib3.exceptions.HTTPError: it broke off, came too slowly, or was not encoded as it said.
    """
    if not isinstance(answer, urllib3.BaseHTTPResponse):
        return bytes(answer.read())  # played back from a tape
    try:
        body = b"".join(_pieces(answer, seconds))
    except BaseException:
        answer.close()
        raise
    answer.release_conn()
    return body


def _pieces(answer: urllib3.BaseHTTPResponse, seconds: float) -> Iterator[bytes]:
    begun, size = time.monotonic(), 0
    while piece := answer.read1(_CHUNK, decode_content=True):
        yield piece
        size += len(piece)
        if time.monotonic() - begun > seconds + size / _SLOWEST:
            raise urllib3.exceptions.TimeoutError("the body came too slowly")


def proxy_for(base_url: str) -> Proxy | None:
    """Return the proxy that the environment names for an address.

    Plain HTTP is loopback only (the config sees to that): no proxy belongs in between.
    """
    parts = urlsplit(base_url)
    if parts.scheme != "https" or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    told = urllib.request.getproxies().get("https")
    if not told:
        return None
    url = urllib3.util.parse_url(told if "://" in told else f"http://{told}")
    auth = unquote(url.auth) if url.auth else None
    headers = urllib3.make_headers(proxy_basic_auth=auth) if auth else {}
    return Proxy(url._replace(auth=None).url, dict(headers))


def pool_to(base_url: str, **options: Any) -> urllib3.PoolManager:
    """Return connections to an address, by way of the environment's proxy; nothing is repeated."""
    proxy = proxy_for(base_url)
    if proxy is None:
        return urllib3.PoolManager(retries=False, **options)
    return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, retries=False, **options)
