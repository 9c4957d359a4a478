"""HubSpot's token endpoint: what is sent there, and what each of its answers means.

Source: HubSpot's OAuth spec of 2026-03 and the error bodies that its community shows. The endpoint
of v1 ends on 2027-02-16 and is never used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec
import urllib3

from connectors.hubspot.refusals import TRANSIENT, retry_after
from connectors.hubspot.wire import pool_to, whole
from crmtrail.errors import CredentialsRefused, CrmtrailError, Mistake, Throttled, Unavailable

PATH: Final = "/oauth/2026-03/token"
_CONNECT_SECONDS = 10.0
_WORDS_MOST = 300


class LoginRefused(CredentialsRefused):
    """HubSpot refused the login itself, so that there is no session to ask anything with."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A login that went well. ``seconds`` is how long the access token is good, where told."""

    access_token: str = field(repr=False)
    seconds: float | None
    refresh_token: str | None = field(default=None, repr=False)


class _Answer(msgspec.Struct):
    """The endpoint's answer, of success or not; anything may be absent."""

    access_token: str | None = None
    refresh_token: str | None = None
    expires_in: float | str | None = None
    error: str | None = None
    error_description: str | None = None
    status: str | int | None = None
    message: str | None = None


class Introspected(msgspec.Struct, frozen=True):
    """Whom an access token stands for, as far as it is told; both ways to write it are read."""

    hub_id: str | int | None = None
    app_id: str | int | None = None
    user_id: str | int | None = None


_MENDS: Final[Mapping[str, str]] = {
    "BAD_REFRESH_TOKEN": "the refresh token is invalid, expired or revoked, or the app was "
    "uninstalled: install the app in the portal again, and give the new refresh token",
    "BAD_HUB": "the portal that the refresh token was made in is gone, or is another one: install "
    "the app in the portal again, and give the new refresh token",
    "BAD_CLIENT_ID": "client_id is no app of HubSpot: copy it from the app's Auth tab",
    "BAD_CLIENT_SECRET": "client_secret is wrong: copy it from the app's Auth tab",
    "BAD_AUTH_CODE": "that is the code of an install, which can be used once: exchange it for a "
    "refresh token, and give that one",
    "invalid_grant": "the refresh token is no longer good: install the app in the portal again, "
    "and give the new refresh token",
    "invalid_client": "client_id or client_secret is wrong: copy them from the app's Auth tab",
    "unauthorized_client": "client_id or client_secret is wrong: copy them from the app's Auth tab",
    "unsupported_grant_type": "the app does not allow refresh tokens: use one with OAuth switched "
    "on, or a private app with method: token",
}
"""How to mend each refusal, by HubSpot's ``status``, else by the ``error`` of OAuth."""


class Endpoint:
    """The token endpoint behind one base_url.

    Args:
        source: the source's name in the config.
        base_url: scheme and host.
        timeout: how long an answer may take, in seconds.
    """

    def __init__(self, source: str, base_url: str, timeout: float) -> None:
        self.source = source
        self.base_url = base_url
        self.calls = 0
        self._seconds = timeout

    def ask(self, form: Mapping[str, str], *, secrets: tuple[str, ...]) -> Granted:
        """Log in.

        Raises:
            LoginRefused: the endpoint refuses.
            Unavailable: there is no sound answer.
            Throttled: a pause is asked for.
            Mistake: there is no token endpoint at base_url.
        """
        status, headers, body = self._posted(PATH, form)
        answer = _read(body, _Answer) or _Answer()
        if status == HTTPStatus.OK and answer.access_token:
            return _granted(answer, answer.access_token)
        raise self._refusal(status, headers, answer, secrets)

    def introspected(self, form: Mapping[str, str]) -> Introspected:
        """Return whom a token stands for; nothing where HubSpot does not tell.

        Raises:
            Unavailable: there is no answer at all.
        """
        status, _, body = self._posted(f"{PATH}/introspect", form)
        told = _read(body, dict[str, Any]) if status == HTTPStatus.OK else None
        if not told:
            return Introspected()
        flat = {name.replace("Id", "_id"): value for name, value in told.items()}
        return Introspected(*(_id(flat.get(name)) for name in ("hub_id", "app_id", "user_id")))

    def _posted(self, path: str, form: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        self.calls += 1
        waits = urllib3.Timeout(connect=min(_CONNECT_SECONDS, self._seconds), read=self._seconds)
        with pool_to(self.base_url, timeout=waits) as pool:
            try:
                answer = pool.request(
                    "POST",
                    self.base_url + path,
                    fields=dict(form),
                    encode_multipart=False,
                    headers={"Accept": "application/json", "User-Agent": "crmtrail"},
                    redirect=False,
                    preload_content=False,
                )
                return answer.status, answer.headers, whole(answer, self._seconds)
            except urllib3.exceptions.HTTPError as error:  # its text may hold what was sent
                what = type(error).__name__
                raise Unavailable(
                    f"HubSpot cannot be logged in to ({what})",
                    hint=f"check base_url of {self.source}, the network and any proxy",
                ) from None

    def _refusal(
        self, status: int, headers: Mapping[str, str], answer: _Answer, secrets: tuple[str, ...]
    ) -> CrmtrailError:
        shown = f"HTTP {status}" + _told(answer, secrets)
        after = retry_after(headers)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(f"HubSpot asks for a pause before a login ({shown})", after=after)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRANSIENT:
            return Unavailable(f"HubSpot's login is not available ({shown})", after=after)
        if status == HTTPStatus.OK:
            return Unavailable("HubSpot's login answered no access token")
        nowhere = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
        if status < HTTPStatus.BAD_REQUEST or (status in nowhere and not answer.error):
            return Mistake(
                f"there is no HubSpot login at base_url of {self.source} ({shown})",
                hint="set it to https://api.hubapi.com",
            )
        return LoginRefused(f"HubSpot refused the login ({shown})", hint=_mend(answer))


def _granted(answer: _Answer, token: str) -> Granted:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Unavailable("HubSpot's login gave something that is no access token")
    return Granted(token, _seconds(answer.expires_in), answer.refresh_token)


def _seconds(told: float | str | None) -> float | None:
    try:
        seconds = float(told) if told is not None else 0.0
    except ValueError:
        return None
    return seconds if seconds > 0 else None


def _told(answer: _Answer, secrets: tuple[str, ...]) -> str:
    """Return HubSpot's words in one line, without what was sent to it."""
    parts = (answer.status, answer.error, answer.message or answer.error_description)
    words = " ".join(": ".join(str(part) for part in parts if part).split())
    for secret in filter(None, secrets):
        words = words.replace(secret, "[secret]")
    return f", {words[:_WORDS_MOST]}" if words else ""


def _mend(answer: _Answer) -> str:
    for code in (answer.status, answer.error):
        if mend := _MENDS.get(str(code)):
            return mend
    return "check client_id, client_secret and refresh_token of the app"


def _read(body: bytes, shape: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _id(told: object) -> str | None:
    return str(told) if isinstance(told, str | int) and not isinstance(told, bool) else None
