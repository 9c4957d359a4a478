"""HubSpot's own client as the transport: one pool, no retries, no models, any API version."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import urllib3
from hubspot import HubSpot
from hubspot.discovery.discovery_base import DiscoveryBase

from connectors.hubspot.pacing import Pacer
from connectors.hubspot.refusals import broken, refusal
from crmtrail.errors import BudgetSpent, CrmtrailError, Mistake
from crmtrail.model import Usage, utc
from crmtrail.ports import Clock

_VERSION = re.compile(r"v3|\d{4}-\d{2}")
_CONNECT_SECONDS = 10.0

# The client knows only v3 and v4 paths. Date-based versions live at other ones; users exist
# under 2026-03 only.
_RULES = (
    (re.compile(r"^/crm/v[34]/objects/"), "/crm/objects/{v}/"),
    (re.compile(r"^/crm/v3/properties/"), "/crm/properties/{v}/"),
    (re.compile(r"^/crm/v3/owners/?$"), "/crm/owners/{v}"),
    (re.compile(r"^/crm/v3/imports/?$"), "/crm/imports/{v}"),
    (re.compile(r"^/crm-object-schemas/v3/schemas"), "/crm-object-schemas/{v}/schemas"),
    (re.compile(r"^/account-info/v3/"), "/account-info/{v}/"),
    (re.compile(r"^/settings/v3/users/?"), "/settings/users/2026-03/"),
)


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


def rewritten(path: str, version: str) -> str:
    """Return a path of the client for another API version; ``v3`` leaves it alone."""
    if version == "v3":
        return path
    for pattern, replacement in _RULES:
        if pattern.search(path):
            return pattern.sub(replacement.replace("{v}", version), path, count=1)
    return path


class Transport:
    """Sends requests, counts them, and reads what the headers tell.

    Args:
        base_url: scheme and host.
        token: the bearer token.
        version: ``v3`` or a date-based version such as ``2026-03``; empty means ``v3``.
        timeout: how long an answer may take.
        clock: used only where an answer carries no Date.

    Raises:
        Mistake: the version is written wrongly.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        version: str,
        timeout: timedelta,
        clock: Clock,
        pacer: Pacer | None = None,
    ) -> None:
        if version and not _VERSION.fullmatch(version):
            raise Mistake(
                f"api_version {version!r} is not a HubSpot version",
                hint="write v3 or a date-based version such as 2026-03",
            )
        self.calls = 0
        self.answers = 0
        self.zone: str | None = None
        self._base_url = base_url
        self._token = token
        self._version = version or "v3"
        self._timeout = (_CONNECT_SECONDS, timeout.total_seconds())
        self._clock = clock
        self._pacer = pacer or Pacer()
        self._used: int | None = None
        self._limit: int | None = None
        self._pool: Any = None
        self._heard: datetime | None = None
        self.client = HubSpot(access_token=token, host=base_url, retry=False, api_factory=self._api)

    def send(
        self, call: Callable[..., Any], *args: Any, write: bool = False, **kwargs: Any
    ) -> Reply:
        """Carry out one request through a method of the client's API objects.

        Raises:
            CrmtrailError: of the kind that says what to do next.
        """
        search = getattr(call, "__name__", "") == "do_search"
        self._pacer.wait(search=search)
        self.calls += 1
        try:
            answer = call(*args, _preload_content=False, _request_timeout=self._timeout, **kwargs)
            body = bytes(answer.data)
        except _Unsuccessful as refused:
            self._note(refused.headers)
            raise self._error(refused, write=write) from None
        except urllib3.exceptions.HTTPError as error:
            raise broken(error, write=write) from None
        self._note(answer.headers)
        return Reply(answer.status, body, self.now())

    def now(self) -> datetime:
        """Return the time of HubSpot's last answer, by its clock."""
        return self._heard or self._clock.now()

    def learn_zone(self, name: str | None) -> None:
        """Note the time zone by which the day of the account ends; an unknown one tells nothing."""
        try:
            self.zone = ZoneInfo(name).key if name else None
        except (ZoneInfoNotFoundError, ValueError):
            self.zone = None

    def usage(self) -> Usage:
        """Return the daily budget as the last answer told it."""
        return Usage(self._used, self._limit, self._midnight())

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.clear()

    def _api(self, package: Any, name: str, config: dict[str, Any]) -> Any:
        """Make an API object of the client that shares our pool and rewrites paths."""
        api = DiscoveryBase._default_api_factory(package, name, config)  # noqa: SLF001 -- the documented api_factory hook has no public base to call
        client = api.api_client
        client.set_default_header("Accept-Encoding", "gzip")
        if self._pool is None:
            self._pool = client.rest_client.pool_manager
        client.rest_client.pool_manager = self._pool
        original = client.rest_client.request

        def request(method: str, url: str, **kwargs: Any) -> Any:
            path = rewritten(url.removeprefix(self._base_url), self._version)
            try:
                return original(method, self._base_url + path, **kwargs)
            except urllib3.exceptions.HTTPError:
                raise
            except Exception as error:  # noqa: BLE001 -- each package of the client has its own, unrelated exception class
                raise _unsuccessful(error) from None

        client.rest_client.request = request
        return api

    def _error(self, answer: _Unsuccessful, *, write: bool) -> CrmtrailError:
        error = refusal(answer.status, answer.headers, answer.body, write=write)
        if self._token in str(error):  # HubSpot may quote what it was sent
            error.args = (str(error).replace(self._token, "[token]"),)
        if isinstance(error, BudgetSpent) and error.after is None and (end := self._midnight()):
            error.after = max(0.0, (end - self.now()).total_seconds())
        return error

    def _note(self, headers: Mapping[str, str]) -> None:
        self.answers += 1
        limit = _number(headers.get("X-HubSpot-RateLimit-Daily"))
        left = _number(headers.get("X-HubSpot-RateLimit-Daily-Remaining"))
        if limit is not None and left is not None:
            self._limit, self._used = limit, max(0, limit - left)
        most = _number(headers.get("X-HubSpot-RateLimit-Max"))
        interval = _number(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"))
        if most and interval:
            self._pacer.learn(most, interval / 1000)
        self._heard = _date(headers.get("Date", ""))

    def _midnight(self) -> datetime | None:
        """Return the next midnight of the account, where its time zone is known."""
        if self.zone is None:
            return None
        local = self.now().astimezone(ZoneInfo(self.zone))
        day = (local + timedelta(days=1)).date()
        return datetime(day.year, day.month, day.day, tzinfo=local.tzinfo).astimezone(UTC)


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


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
