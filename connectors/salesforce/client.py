"""One HTTP session with one Salesforce org: simple-salesforce as transport, without its traps.

The library's measured defects are kept out by construction: it is given a bare session id, so it
never logs in again by itself and never replays a request without its headers; base URLs are set,
so that loopback HTTP works; every request has a timeout; bodies are handed on as bytes, so that
numbers keep their exact text; limits and the vendor's clock are read from every answer.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from requests.auth import AuthBase
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from connectors.decoding import decoded
from connectors.salesforce.answers import Answer, http_date, understand, usage
from crmtrail.config import SourceConfig
from crmtrail.errors import Ambiguous, CrmtrailError, Unavailable
from crmtrail.model import Usage
from crmtrail.ports import Clock

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


class Rows(msgspec.Struct, rename="camel"):
    """A query's answer; the values of each record are the exact JSON text."""

    records: list[dict[str, msgspec.Raw]]
    done: bool = True
    total_size: int = -1
    next_records_url: str | None = None

    @property
    def last(self) -> bool:
        """Whether Salesforce says that no more rows follow; ``done`` may be left out."""
        return self.done and not self.next_records_url


class _Bearer(AuthBase):
    """The access token. As ``auth`` of the session it also keeps ``~/.netrc`` from replacing it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """A session in which every request has a timeout and no redirect is followed."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = (min(_CONNECT_SECONDS, timeout), timeout)

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send a request with the session's timeout."""
        options = {"timeout": self._timeout, **options, "allow_redirects": False}
        return super().request(*args, **options)


class _Rest(Salesforce):
    """simple-salesforce's REST calls, giving bodies as bytes."""

    def parse_result_to_json(self, result: requests.Response) -> bytes:
        """Return the body as it came; the library would turn 1.10 into 1.1."""
        return result.content


class Client:
    """Sends requests to one org with one identity.

    Attributes:
        calls: how many requests went out.
        usage: the vendor's last word on our API budget.
        asked_at: the vendor's clock when the newest answered request was sent, never too late.
        told_at: the vendor's clock when it answered.
        heard: whether there was an answer yet; until then the two clocks are our own.
    """

    def __init__(
        self, source: str, settings: SourceConfig, token: str, version: str, clock: Clock
    ) -> None:
        self.source = source
        self.calls = 0
        self.heard = False
        self.usage = Usage()
        self._token = token
        self._clock = clock
        self.asked_at = self.told_at = clock.now()
        self._headers: Mapping[str, str] = {}
        self._session = _session(settings, token)
        self._session.hooks["response"].append(self._hear)
        self._rest = _Rest(
            session_id=token,
            instance_url=settings.base_url,
            session=self._session,
            version=version,
        )
        del self._rest.headers["X-PrettyPrint"]
        self._rest.base_url = f"{settings.base_url}/services/data/v{version}/"
        self._rest.oauth2_url = f"{settings.base_url}/services/oauth2/"

    @property
    def base_url(self) -> str:
        """The address under which all resources of this API version lie."""
        return self._rest.base_url

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str, shape: type[T], params: Mapping[str, str] | None = None) -> T:
        """Get a resource under the version's address, decoded into ``shape``."""
        return self._call(shape, lambda: self._rest.restful(path, params=dict(params or {})))

    def query(self, soql: str, *, deleted: bool = True) -> Rows:
        """Run a query; ``deleted`` includes the recycle bin (queryAll)."""
        return self._call(Rows, lambda: self._rest.query(soql, include_deleted=deleted))

    def ask(self, path: str, shape: type[T], body: bytes) -> T:
        """Post a request that only reads."""
        return self._call(shape, lambda: self._rest.restful(path, method="POST", data=body))

    def who(self, shape: type[T]) -> T:
        """Ask the OAuth userinfo endpoint whom the token stands for."""
        return self._call(shape, lambda: self._rest.oauth2("userinfo"))

    def write(self, path: str, shape: type[T], body: bytes, headers: Mapping[str, str]) -> T:
        """Send a writing PATCH.

        Raises:
            Unavailable: nothing was sent.
            Ambiguous: it was sent, and there is no word on what became of it.
        """
        return self._call(
            shape,
            lambda: self._rest.restful(path, method="PATCH", data=body, headers=dict(headers)),
            writing=True,
        )

    def _call(self, shape: type[T], send: Any, *, writing: bool = False) -> T:
        self.calls += 1
        self._headers = {}
        try:
            body = send()
        except SalesforceError as error:
            raise self._understood(error, writing=writing) from None
        except requests.RequestException as error:
            raise self._lost(error, writing=writing) from None
        try:
            return decoded(body or b"", shape)
        except ValueError:
            raise self._nonsense(writing=writing) from None

    def _hear(self, response: requests.Response, **_: object) -> None:
        """Note what every answer tells beside its body, errors included."""
        self.heard = True
        self._headers = response.headers
        self.usage = usage(response.headers) or self.usage
        self.told_at = http_date(response.headers.get("Date")) or self._clock.now()
        # Date is cut to the second and made after the query ran: step back by both.
        asked = self.told_at - response.elapsed - timedelta(seconds=1)
        self.asked_at = asked.replace(microsecond=0)

    def _understood(self, error: SalesforceError, *, writing: bool) -> CrmtrailError:
        content: Any = error.content  # parsed JSON or text, whatever its annotation says
        if isinstance(content, str):
            content = content.replace(self._token, "[token]")
        answer = Answer(self.source, error.status, content, self._headers, self.told_at)
        found = understand(answer, writing=writing)
        found.args = (str(found).replace(self._token, "[token]"),)
        return found

    def _lost(self, error: requests.RequestException, *, writing: bool) -> CrmtrailError:
        why = _why(error)
        if _never_sent(error):
            self.calls -= 1
            return Unavailable(f"Salesforce cannot be reached: {why}")
        if writing:
            return Ambiguous(
                f"no word from Salesforce on a write: {why}",
                hint="the records are read back before anything else is written",
            )
        return Unavailable(f"Salesforce did not answer: {why}")

    def _nonsense(self, *, writing: bool) -> CrmtrailError:
        text = "Salesforce answered something that is not what it documents"
        return Ambiguous(text) if writing else Unavailable(text)


def _session(settings: SourceConfig, token: str) -> _Session:
    session = _Session(settings.timeout.total_seconds())
    session.auth = _Bearer(token)
    session.headers["User-Agent"] = "crmtrail"
    session.headers["Accept"] = "application/json"
    session.headers["Accept-Encoding"] = "gzip"
    # Names us in the org's own API usage log and in the origin of change events.
    session.headers["Sforce-Call-Options"] = f"client={settings.client_id}"
    session.headers["Sforce-Query-Options"] = "batchSize=2000"
    # Plain HTTP is loopback only (the config sees to that): no proxy belongs in between.
    session.trust_env = urlsplit(settings.base_url).scheme == "https"
    return session


def _reason(error: requests.RequestException) -> object:
    """Return what urllib3 gave as the reason, beneath requests' own words."""
    return getattr(error.args[0], "reason", None) if error.args else None


def _never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that nothing can have been carried out."""
    untrusted = isinstance(error, requests.exceptions.SSLError) and _UNTRUSTED in str(error)
    refused = isinstance(_reason(error), NewConnectionError)
    return refused or untrusted or isinstance(error, requests.ConnectTimeout)


def _why(error: requests.RequestException) -> str:
    """Say in plain words what kept an answer from coming; addresses and headers stay out."""
    if isinstance(_reason(error), NameResolutionError):
        return "its host name is unknown"
    if isinstance(_reason(error), NewConnectionError):
        return "it refuses connections"
    if isinstance(error, requests.Timeout):
        return "it took longer than the source's timeout"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted" if _UNTRUSTED in str(error) else "TLS failed"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    return "the connection broke"


def vendor_time(moment: datetime) -> str:
    """Return a moment as a SOQL literal: UTC with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
