"""HubSpot's own client as the transport: one pool, no retries, no models, any API version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
from hubspot import HubSpot
from hubspot.discovery.discovery_base import DiscoveryBase

from connectors.hubspot.pacing import Pacer
from connectors.hubspot.quota import DETAILS_PATH, USAGE_PATH, Quota, number
from connectors.hubspot.refusals import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    broken,
    refusal,
)
from connectors.hubspot.tokens import Bare, Grant, Tokens
from connectors.hubspot.verbs import is_search, may_repeat
from connectors.hubspot.versions import Versions, versions
from connectors.hubspot.wire import proxy_for, whole
from crmtrail.errors import BudgetSpent, CrmtrailError, Mistake
from crmtrail.model import Usage, utc
from crmtrail.ports import Clock

_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer: its body, and the moment by HubSpot's clock."""

    status: int
    body: bytes
    at: datetime


class _Unsuccessful(Exception):
    """An answer other than 2xx, taken from whichever exception the client made of it."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class Transport:
    """Sends requests, counts them, and reads what the headers tell.

    Args:
        base_url: scheme and host.
        token: the bearer token, or where tokens come from.
        version: ``v3`` or a date-based version such as ``2026-03``, or the version of each family
            of APIs; empty means ``v3``.
        timeout: how long an answer may take.
        clock: used only where an answer carries no Date.
        pacer: keeps requests under the limits.
        quota: what is known of the daily quota.

    Raises:
        Mistake: the version is written wrongly.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str | Tokens,
        version: str | Versions,
        timeout: timedelta,
        clock: Clock,
        pacer: Pacer | None = None,
        quota: Quota | None = None,
    ) -> None:
        self.answers = 0
        self.versions = _versions(version)
        self.quota = quota or Quota()
        self._base_url = base_url
        self._tokens = Bare(token) if isinstance(token, str) else token
        self._seconds = timeout.total_seconds()
        self._timeout = (min(_CONNECT_SECONDS, self._seconds), self._seconds)
        self._clock = clock
        self._pacer = pacer or Pacer()
        self._calls = 0
        self._writing = False
        self._repeatable = True
        self._pool: Any = None
        self._heard: datetime | None = None
        proxy = proxy_for(base_url)
        by = {} if proxy is None else {"proxy": proxy.url, "proxy_headers": proxy.headers}
        # The client gets no token: each request is given the one that is good at its time.
        self.client = HubSpot(host=base_url, retry=False, api_factory=self._api, **by)

    def send(
        self, call: Callable[..., Any], *args: Any, write: bool = False, **kwargs: Any
    ) -> Reply:
        """Carry out one request through a method of the client's API objects.

        Args:
            call: the method.
            args: what it takes.
            write: whether the request changes something; it then goes to the version for writes.
            kwargs: what else it takes.

        Raises:
            CrmtrailError: of the kind that says what to do next.
        """
        self._writing, self._repeatable = write, True
        try:
            reply, headers = self._sent(call, *args, **kwargs)
        except _Unsuccessful as refused:
            self._note(refused.headers)
            raise self._error(refused, write=write) from None
        except urllib3.exceptions.HTTPError as error:
            raise broken(error, write=write) from None
        if not self._tokens.renewable and self.quota.worth_asking(headers, self.now()):
            self._ask_usage()
        return reply

    @property
    def calls(self) -> int:
        """How many requests were sent, those that log in included."""
        return self._calls + self._tokens.calls

    def now(self) -> datetime:
        """Return the time of HubSpot's last answer, by its clock."""
        return self._heard or self._clock.now()

    def usage(self) -> Usage:
        """Return the daily budget as it was told last."""
        return self.quota.usage(self.now())

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.clear()

    def _sent(
        self, call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> tuple[Reply, Mapping[str, str]]:
        answer = call(*args, _preload_content=False, _request_timeout=self._timeout, **kwargs)
        body = whole(answer, self._seconds)
        self._note(answer.headers)
        return Reply(answer.status, body, self.now()), answer.headers

    def _api(self, package: Any, name: str, config: dict[str, Any]) -> Any:
        """Make an API object of the client that shares our pool and goes by our rules."""
        api = DiscoveryBase._default_api_factory(package, name, config)  # noqa: SLF001 -- the documented api_factory hook has no public base to call
        client = api.api_client
        client.set_default_header("Accept-Encoding", "gzip")
        if self._pool is None:
            self._pool = client.rest_client.pool_manager
        client.rest_client.pool_manager = self._pool
        original = client.rest_client.request

        def request(method: str, url: str, **kwargs: Any) -> Any:
            path = url.removeprefix(self._base_url)
            self._repeatable = may_repeat(method, path)
            path = self.versions.rewritten(path, write=self._writing)
            return self._authorised(original, method, path, kwargs)

        client.rest_client.request = request
        return api

    def _authorised(
        self, original: Callable[..., Any], method: str, path: str, kwargs: Mapping[str, Any]
    ) -> Any:
        """Send a request; where its token has ended, send the same once more with a new one."""
        grant = self._tokens.current()
        try:
            return self._once(original, method, path, kwargs, grant)
        except _Unsuccessful as refused:
            if refused.status != UNAUTHORIZED or not self._tokens.renewable:
                raise
            self._note(refused.headers)
        return self._once(original, method, path, kwargs, self._tokens.renew(grant))

    def _once(
        self,
        original: Callable[..., Any],
        method: str,
        path: str,
        kwargs: Mapping[str, Any],
        grant: Grant,
    ) -> Any:
        self.quota.refuse_if_spent(self.now())
        self._pacer.wait(search=is_search(path))
        self._calls += 1
        # The client adds to the headers it is given.
        headers = {**(kwargs.get("headers") or {}), "Authorization": f"Bearer {grant.token}"}
        try:
            return original(method, self._base_url + path, **{**kwargs, "headers": headers})
        except urllib3.exceptions.HTTPError:
            raise
        except Exception as error:  # noqa: BLE001 -- each package of the client has its own, unrelated exception class
            raise _unsuccessful(error) from None

    def _error(self, answer: _Unsuccessful, *, write: bool) -> CrmtrailError:
        body = answer.body
        for secret in self._tokens.secrets():  # HubSpot may quote what it was sent
            body = body.replace(secret.encode(), b"[token]")
        again = self._repeatable
        error = refusal(answer.status, answer.headers, body, write=write, repeatable=again)
        if isinstance(error, BudgetSpent):
            self._ask_usage()
            return self.quota.spent(self.now(), error.after)
        return error

    def _ask_usage(self) -> None:
        """Ask how the day's quota stands, else for the time zone by which the day ends.

        A portal that does not tell them is no failure.
        """
        if not self.quota.asking():
            return
        self._writing = False
        for path in (USAGE_PATH, DETAILS_PATH):
            body = self._asked(path)
            if body is None or self.quota.learn(body):
                return

    def _asked(self, path: str) -> bytes | None:
        """Return what is told there; empty: not to us; None: nothing more will be now."""
        raw = self.client.crm.objects.basic_api.api_client.call_api
        json = {"Accept": "application/json"}
        try:
            reply, _ = self._sent(raw, path, "GET", {}, [], json, response_types_map={})
        except _Unsuccessful as refused:
            self._note(refused.headers)
            return b"" if refused.status in (FORBIDDEN, NOT_FOUND) else None
        except (CrmtrailError, urllib3.exceptions.HTTPError):
            return None
        return reply.body

    def _note(self, headers: Mapping[str, str]) -> None:
        self.answers += 1
        self.quota.note(headers)
        most = number(headers.get("X-HubSpot-RateLimit-Max"))
        interval = number(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"))
        if most and interval:
            left = number(headers.get("X-HubSpot-RateLimit-Remaining"))
            self._pacer.learn(most, interval / 1000, left)
        self._heard = _date(headers.get("Date", ""))


def _versions(told: str | Versions) -> Versions:
    if isinstance(told, Versions):
        return told
    try:
        return versions(told, {}, "")
    except ValueError as error:
        raise Mistake(str(error), hint="write v3 or a date-based version such as 2026-03") from None


def _unsuccessful(error: Exception) -> Exception:
    """Read an answer out of the client's exception, by its shape: each package has its own."""
    status = getattr(error, "status", None)
    if not isinstance(status, int):
        return error
    if status == 0:  # how the client tells a failed TLS handshake: nothing was sent
        return urllib3.exceptions.NewConnectionError(None, "TLS")  # type: ignore[arg-type]
    body = getattr(error, "body", None) or b""
    return _Unsuccessful(
        status,
        urllib3.HTTPHeaderDict(getattr(error, "headers", None) or ()),
        body.encode() if isinstance(body, str) else bytes(body),
    )


def _date(text: str) -> datetime | None:
    try:
        return utc(parsedate_to_datetime(text))
    except ValueError:
        return None
