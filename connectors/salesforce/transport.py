"""What every request to Salesforce goes through: timeouts, no redirects, bodies read in time."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from simple_salesforce.api import Salesforce
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from crmtrail.config import SourceConfig

_CONNECT_SECONDS = 10.0
_CHUNK = 65_536
_SLOWEST = 16_384.0
"""Bytes a second: a body that comes more slowly than this, after the timeout, is given up."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


class TooMuch(requests.RequestException):
    """A body is larger than its reader takes."""


@dataclass(frozen=True, slots=True)
class Text:
    """A body read whole, with the headers that came before it."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that comes in pieces, with the headers that came before it.

    Iterating ``chunks`` raises Unavailable where the body breaks off.
    """

    chunks: Iterator[bytes]
    headers: Mapping[str, str]


class Bearer(AuthBase):
    """The access token. As ``auth`` of the session it also keeps ``~/.netrc`` from replacing it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header that carries the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Session(requests.Session):
    """A session in which every request has a timeout, for its body too, and follows no redirect."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self.timeout = timeout

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send a request with the session's timeout."""
        waits = (min(_CONNECT_SECONDS, self.timeout), self.timeout)
        options = {"timeout": waits, **options, "allow_redirects": False}
        return super().request(*args, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a prepared request; its body is read at once unless ``stream`` is set."""
        streamed = bool(options.pop("stream", False))
        response = super().send(request, stream=True, **options)
        if not streamed:
            response.raw = BytesIO(whole(response, self.timeout))
        return response


class Rest(Salesforce):
    """simple-salesforce's REST calls against any address, giving bodies as bytes."""

    def __init__(self, origin: str, token: str, version: str, session: Session) -> None:
        # A bare session id: the library never logs in by itself, and never replays anything.
        super().__init__(session_id=token, instance_url=origin, session=session, version=version)
        self.origin = origin
        del self.headers["X-PrettyPrint"]
        self.base_url = f"{origin}/services/data/v{version}/"
        self.oauth2_url = f"{origin}/services/oauth2/"

    def parse_result_to_json(self, result: requests.Response) -> bytes:
        """Return the body as it came; the library would turn 1.10 into 1.1."""
        return result.content


def session_for(settings: SourceConfig) -> Session:
    """Return a session that names us to the org; it carries no token yet."""
    session = Session(settings.timeout.total_seconds())
    session.headers["User-Agent"] = "crmtrail"
    session.headers["Accept"] = "application/json"
    session.headers["Accept-Encoding"] = "gzip"
    # Names us in the org's own API usage log and in the origin of change events.
    session.headers["Sforce-Call-Options"] = f"client={settings.client_id}"
    session.headers["Sforce-Query-Options"] = "batchSize=2000"
    # Plain HTTP is loopback only (the config sees to that): no proxy belongs in between.
    session.trust_env = urlsplit(settings.base_url).scheme == "https"
    return session


def pieces(response: requests.Response, timeout: float) -> Iterator[bytes]:
    """Yield the decoded body as it arrives.

    Raises:
        requests.RequestException: it broke off, came too slowly, or was not encoded as it said.
    """
    spent, size = 0.0, 0
    try:
        while True:
            begun = time.monotonic()
            piece = _piece(response)
            spent += time.monotonic() - begun
            size += len(piece)
            if not piece:
                return
            if spent > timeout + size / _SLOWEST:
                raise requests.ReadTimeout("the body came too slowly")
            yield piece
    finally:
        response.close()


def whole(response: requests.Response, timeout: float, most: int | None = None) -> bytes:
    """Return a body whole.

    Raises:
        TooMuch: it is larger than ``most`` bytes.
        requests.RequestException: see `pieces`.
    """
    body = bytearray()
    for piece in pieces(response, timeout):
        body += piece
        if most is not None and len(body) > most:
            raise TooMuch(f"the body is larger than {most} bytes")
    return bytes(body)


def _piece(response: requests.Response) -> bytes:
    """Return what of a body has arrived; `requests` would wait until its chunk is full."""
    raw = response.raw
    try:
        if isinstance(raw, BaseHTTPResponse):
            return raw.read1(_CHUNK, decode_content=True)
        return bytes(raw.read(_CHUNK))  # played back from a tape
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from None
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from None
    except (ProtocolError, HTTPError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None
    except OSError as error:
        raise requests.ConnectionError(error) from None


def never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that nothing can have been carried out."""
    untrusted = isinstance(error, requests.exceptions.SSLError) and _UNTRUSTED in str(error)
    refused = isinstance(_reason(error), NewConnectionError)
    return refused or untrusted or isinstance(error, requests.ConnectTimeout)


def why(error: requests.RequestException) -> str:
    """Say in plain words what kept an answer from coming; addresses and headers stay out."""
    if isinstance(_reason(error), NameResolutionError):
        return "its host name is unknown"
    if isinstance(_reason(error), NewConnectionError):
        return "it refuses connections"
    if isinstance(error, requests.exceptions.SSLError) and _UNTRUSTED in str(error):
        return "its certificate is not trusted"
    return next((told for kind, told in _WORDS if isinstance(error, kind)), "the connection broke")


_WORDS: Final[Sequence[tuple[type[requests.RequestException], str]]] = (
    (requests.Timeout, "it took longer than the source's timeout"),
    (TooMuch, "the answer is larger than crmtrail takes at once"),
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.exceptions.ProxyError, "the proxy does not let us through"),
)


def _reason(error: requests.RequestException) -> object:
    """Return what urllib3 gave as the reason, beneath requests' own words."""
    return getattr(error.args[0], "reason", None) if error.args else None
