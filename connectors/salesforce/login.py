"""The token endpoint: what is sent there, and what each of its answers means.

Source: "OAuth 2.0 Error Codes", Salesforce help; error texts recorded in public clients.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
import requests

from connectors.salesforce.answers import http_date, one_line, retry_after
from connectors.salesforce.hosts import home
from connectors.salesforce.transport import Session, why
from crmtrail.errors import (
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    Mistake,
    RetryLater,
    Throttled,
    Unavailable,
)
from crmtrail.ports import Clock

_PATH = "/services/oauth2/token"
SKEW: Final = timedelta(seconds=60)
"""A clock that is off by less does not matter: an assertion is good for two minutes."""


class LoginRefused(CredentialsRefused):
    """Salesforce refused the login itself, so that there is no session to ask anything with.

    ``skew`` is how far our clock is ahead of Salesforce's, where that may be why.
    """

    def __init__(self, message: str, *, hint: str = "", skew: timedelta | None = None) -> None:
        super().__init__(message, hint=hint)
        self.skew = skew


class _Answer(msgspec.Struct):
    """The endpoint's answer, of success or not; anything may be absent."""

    access_token: str | None = None
    instance_url: str | None = None
    refresh_token: str | None = None
    error: str | None = None
    error_description: str | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """A login that went well."""

    access_token: str = field(repr=False)
    origin: str
    refresh_token: str | None = field(default=None, repr=False)


_SPENT: Final = (b"REQUEST_LIMIT_EXCEEDED", b"TotalRequests Limit exceeded")
_OFTEN: Final = b"login rate exceeded"
"""3,600 logins of one user in an hour are too many."""
_PAUSE: Final = frozenset({"rate_limit_exceeded", "slow_down"})

_MENDS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "invalid_grant",
        "hasn't approved",
        (
            "the user is not pre-authorised for the app: in its policies choose "
            "Admin approved users, and add the user's profile or a permission set"
        ),
    ),
    (
        "invalid_grant",
        "expired access/refresh token",
        (
            "the refresh token was revoked, used up or has expired: authorise the app again, "
            "or use method jwt"
        ),
    ),
    (
        "invalid_grant",
        "audience",
        (
            "set audience to https://login.salesforce.com, for a sandbox "
            "https://test.salesforce.com, or the My Domain"
        ),
    ),
    (
        "invalid_grant",
        "invalid assertion",
        "the app's certificate does not belong to this key, or this machine's clock is off",
    ),
    (
        "invalid_grant",
        "ip restricted",
        (
            "the user may not log in from this address: relax the IP restrictions of the app or of "
            "the user's profile"
        ),
    ),
    ("invalid_grant", "inactive", "the user is inactive or frozen in Salesforce"),
    ("invalid_grant", "not supported on this domain", "set base_url to the My Domain"),
    (
        "invalid_grant",
        "",
        "check what the config gives: the user must be active and allowed to use the app",
    ),
    ("invalid_client_id", "", "client_id is no consumer key of an app in this org"),
    ("invalid_client", "", "client_id or client_secret is wrong, or the app was deleted"),
    (
        "invalid_app_access",
        "",
        (
            "the user is not admin approved for the app: add the profile or a permission set "
            "to the app's policies"
        ),
    ),
    ("inactive_user", "", "the user is inactive in Salesforce"),
    ("inactive_org", "", "the org is locked, closed or suspended"),
    ("unsupported_grant_type", "", "switch this flow on in the app's OAuth settings"),
    ("unauthorized_client", "", "switch this flow on in the app's OAuth settings"),
    ("invalid_scope", "", "give the app the scope api; for refresh_token that one too"),
)
"""Error code, words in its description, how to mend it; the first that fits counts."""

_FLOWS: Final[Mapping[str, str]] = {
    "client_credentials": 'switch on "Enable Client Credentials Flow", and name a "Run As" user',
    "jwt": 'switch on "Enable JWT Bearer Flow", and upload the certificate',
    "refresh_token": "the app needs the scope refresh_token",
}


class Endpoint:
    """The token endpoint of one org."""

    def __init__(self, source: str, base_url: str, timeout: float, clock: Clock) -> None:
        self.source = source
        self.base_url = base_url
        self._timeout = timeout
        self._clock = clock

    def ask(
        self,
        form: Mapping[str, str],
        *,
        method: str,
        basic: tuple[str, str] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> Granted:
        """Log in.

        Raises:
            LoginRefused: the endpoint refuses, or names a host that no token is sent to.
            Unavailable: there is no sound answer.
            Throttled: a pause is asked for.
            Mistake: there is no token endpoint at base_url.
        """
        response = self._posted(form, basic)
        try:
            answer = msgspec.json.decode(response.content, type=_Answer)
        except msgspec.MsgspecError:
            answer = _Answer()
        if response.status_code == HTTPStatus.OK and answer.access_token:
            return self._granted(answer, answer.access_token)
        raise self._refusal(response, answer, method, secrets)

    def _posted(self, form: Mapping[str, str], basic: tuple[str, str] | None) -> requests.Response:
        with Session(self._timeout) as session:
            session.trust_env = urlsplit(self.base_url).scheme == "https"
            session.headers["User-Agent"] = "crmtrail"
            session.headers["Accept"] = "application/json"
            # Any callable keeps ~/.netrc from putting in credentials of its own.
            auth = requests.auth.HTTPBasicAuth(*basic) if basic else _as_it_is
            try:
                return session.post(self.base_url + _PATH, data=dict(form), auth=auth)
            except requests.RequestException as error:
                raise Unavailable(f"Salesforce cannot be logged in to: {why(error)}") from None

    def _granted(self, answer: _Answer, token: str) -> Granted:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Unavailable("Salesforce's login gave something that is no access token")
        origin = home(self.base_url, answer.instance_url)
        if origin is None:
            host = urlsplit(one_line(answer.instance_url or "")).hostname or "no host at all"
            raise LoginRefused(
                f"the login names {host} as the org's address, which is none of Salesforce's",
                hint=f"no token is sent there; check base_url of {self.source}",
            )
        return Granted(token, origin, answer.refresh_token)

    def _refusal(
        self, response: requests.Response, answer: _Answer, method: str, secrets: tuple[str, ...]
    ) -> CrmtrailError:
        status = response.status_code
        words = ": ".join(part for part in (answer.error, answer.error_description) if part)
        for secret in filter(None, secrets):
            words = words.replace(secret, "[secret]")
        shown = f"HTTP {status}" + (f", {one_line(words)}" if words else "")
        if waiting := self._waiting(response, shown, answer.error or ""):
            return waiting
        if HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST:
            return Mistake(
                f"Salesforce's login answered no token ({shown})",
                hint=f"set base_url of {self.source} to the org's own My Domain address",
            )
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED) and not answer.error:
            return Mistake(
                f"there is no Salesforce login at base_url of {self.source} ({shown})",
                hint="set it to the org's own My Domain address",
            )
        skew = self._skew(response) if method == "jwt" else None
        off = ""
        if skew is not None:
            off = f"; this machine's clock is {skew.total_seconds():+.0f} s off Salesforce's"
        return LoginRefused(
            f"Salesforce refused the login ({shown}){off}", hint=_mend(answer, method), skew=skew
        )

    def _waiting(self, response: requests.Response, shown: str, error: str) -> RetryLater | None:
        status = response.status_code
        now = http_date(response.headers.get("Date")) or self._clock.now()
        after = retry_after(response.headers.get("Retry-After"), now)
        if any(words in response.content for words in _SPENT):
            return BudgetSpent(
                f"Salesforce has no API calls left for a login ({shown})",
                hint="the limit counts a rolling 24 hours over all apps; the run resumes by itself",
                after=after,
            )
        often = _OFTEN in response.content.lower()
        if status == HTTPStatus.TOO_MANY_REQUESTS or error in _PAUSE or often:
            return Throttled(f"Salesforce asks for a pause before a login ({shown})", after=after)
        odd = status in (HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.REQUEST_TIMEOUT, 420)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or odd:
            return Unavailable(f"Salesforce's login is not available ({shown})", after=after)
        return None

    def _skew(self, response: requests.Response) -> timedelta | None:
        """Return how far our clock is ahead; None where that is no matter, or is not told."""
        theirs = http_date(response.headers.get("Date"))
        if theirs is None:
            return None
        skew = self._clock.now() - theirs
        return skew if abs(skew) >= SKEW else None


def _mend(answer: _Answer, method: str) -> str:
    told = re.sub(r"\s+", " ", (answer.error_description or "").lower())
    for code, words, mend in _MENDS:
        if answer.error == code and words in told:
            flow = _FLOWS.get(method, "")
            of_flow = code in ("unsupported_grant_type", "unauthorized_client")
            return f"{mend}: {flow}" if of_flow and flow else mend
    return f"check the app in Salesforce; for method {method}: {_FLOWS.get(method, '')}"


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
