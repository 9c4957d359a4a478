"""Where access tokens come from.

A provider is shared by all connectors of one identity in a process: they log in once between them,
and a new refresh token is known to all of them.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from connectors.hubspot.login import Endpoint, Granted, Introspected
from connectors.token_file import TokenFile
from crmtrail.auth_config import Auth, AuthConfig, RefreshTokenAuth
from crmtrail.config import SourceConfig
from crmtrail.errors import Mistake, RetryLater
from crmtrail.sessions import Sessions

_EARLY_SECONDS = 60.0
"""How long before its end an access token is renewed, so that none ends on its way."""
_EARLY_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """An access token; ``until`` is when it is renewed, in seconds of the monotonic clock."""

    token: str = field(repr=False)
    until: float | None = None


@dataclass(slots=True)
class Shared:
    """What the connectors of one identity share; ``lock`` is held while one of them logs in.

    ``rotated`` is the newest refresh token, where HubSpot gave another and no file has it.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    grant: Grant | None = None
    rotated: str = field(default="", repr=False)


class Tokens(ABC):
    """Gives access tokens."""

    renewable: bool

    @property
    def calls(self) -> int:
        """How many requests it has taken to get them."""
        return 0

    @abstractmethod
    def current(self) -> Grant:
        """Return a token that is good now, logging in where there is none.

        Raises:
            CredentialsRefused: HubSpot refuses the credentials.
            RetryLater: there is no sound answer.
        """

    @abstractmethod
    def renew(self, refused: Grant) -> Grant:
        """Return another token than the one that was refused; raises like `current`."""

    @abstractmethod
    def introspected(self) -> Introspected:
        """Return whom the token stands for, as far as HubSpot tells it."""

    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """Return what must not be shown to anybody."""


class Bare(Tokens):
    """The token of a private app, or a service key: good until somebody rotates it."""

    renewable = False

    def __init__(self, token: str) -> None:
        self._grant = Grant(token)

    def current(self) -> Grant:
        """Return the token."""
        return self._grant

    def renew(self, refused: Grant) -> Grant:
        """Return what there is: there is no other."""
        return refused

    def introspected(self) -> Introspected:
        """Return nothing: only tokens of OAuth can be looked at there."""
        return Introspected()

    def secrets(self) -> tuple[str, ...]:
        """Return the token."""
        return (self._grant.token,)


class Refreshing(Tokens):
    """Logs in with a refresh token, again before each access token ends: one login at a time."""

    renewable = True

    def __init__(
        self,
        endpoint: Endpoint,
        shared: Shared,
        auth: RefreshTokenAuth,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._shared = shared
        secret = auth.client_secret.get_secret_value().strip() if auth.client_secret else ""
        self._client = {"client_id": auth.client_id.strip(), "client_secret": secret}
        self._refresh = auth.refresh_token.get_secret_value().strip()
        told = (endpoint.base_url, auth.client_id.strip(), self._refresh)
        path = auth.refresh_token_file
        self._file = TokenFile(endpoint.source, path, told) if path else None
        self._monotonic = monotonic

    @property
    def calls(self) -> int:
        """How many requests it has taken to get them."""
        return self._endpoint.calls

    def current(self) -> Grant:
        """Return a token that is good now, logging in where there is none."""
        shared = self._shared
        with shared.lock:
            grant = shared.grant
            if grant is None or (grant.until is not None and self._monotonic() >= grant.until):
                shared.grant = grant = self._granted()
            return grant

    def renew(self, refused: Grant) -> Grant:
        """Return another than the refused one; another thread may have asked for it already."""
        shared = self._shared
        with shared.lock:
            if shared.grant is None or shared.grant is refused:
                shared.grant = None
                shared.grant = self._granted()
            return shared.grant

    def introspected(self) -> Introspected:
        """Return whom the token stands for; nothing where HubSpot does not tell it now."""
        form = {"token": self.current().token, "token_type_hint": "access_token", **self._client}
        try:
            return self._endpoint.introspected(form)
        except RetryLater:
            return Introspected()

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens and the secret of the app."""
        grant = self._shared.grant
        told = (self._client["client_secret"], self._refresh, self._shared.rotated)
        return tuple(filter(None, (*told, grant.token if grant else "")))

    def _granted(self) -> Grant:
        begun = self._monotonic()
        granted = self._asked() if self._file is None else self._asked_with(self._file)
        if granted.seconds is None:
            return Grant(granted.access_token)
        early = min(_EARLY_SECONDS, granted.seconds * _EARLY_SHARE)
        return Grant(granted.access_token, begun + granted.seconds - early)

    def _asked(self) -> Granted:
        newest = self._shared.rotated or self._refresh
        granted = self._ask(newest)
        if granted.refresh_token and granted.refresh_token != newest:
            self._shared.rotated = granted.refresh_token
            self._warn("set refresh_token_file, or install the app again should the old one fail")
        return granted

    def _asked_with(self, file: TokenFile) -> Granted:
        """Log in with the newest of all processes, and keep what is new before it is used."""
        with file.held():
            kept = file.read()
            known = kept.refresh_token if kept else self._refresh
            granted = self._ask(self._shared.rotated or known)
            fresh = granted.refresh_token or self._shared.rotated or known
            if fresh == known:
                return granted
            try:
                file.write(fresh, "", self._endpoint.base_url)
                self._shared.rotated = ""
            except OSError as error:
                self._shared.rotated = fresh
                self._warn(f"mend the file for it while this process runs ({error.strerror})")
        return granted

    def _ask(self, newest: str) -> Granted:
        form = {"grant_type": "refresh_token", **self._client, "refresh_token": newest}
        return self._endpoint.ask(form, secrets=(newest, self._client["client_secret"]))

    def _warn(self, mend: str) -> None:
        structlog.get_logger().warning(
            "refresh token replaced",
            source=self._endpoint.source,
            meaning=f"HubSpot gave a new refresh token, known to this process only: {mend}",
        )


def tokens_for(source: str, settings: SourceConfig, auth: Auth, sessions: Sessions) -> Tokens:
    """Return where the tokens of an identity come from. Sends no request.

    Those with the same ``sessions`` log in once between them.

    Raises:
        Mistake: the method is none of HubSpot's, or a secret cannot be right.
    """
    if isinstance(auth, AuthConfig):
        token = auth.token.get_secret_value().strip()
        _refuse_odd(source, "token", token)
        return Bare(token)
    if not isinstance(auth, RefreshTokenAuth):
        raise Mistake(
            f"{source}: HubSpot takes method token or refresh_token, not {auth.method}",
            hint="give a private app's token, a service key, or an OAuth app's refresh token",
        )
    secret = auth.client_secret.get_secret_value() if auth.client_secret else ""
    _refuse_odd(source, "client_id", auth.client_id.strip())
    _refuse_odd(source, "client_secret", secret.strip())
    _refuse_odd(source, "refresh_token", auth.refresh_token.get_secret_value().strip())
    endpoint = Endpoint(source, settings.base_url, settings.timeout.total_seconds())
    shared = sessions.of(("hubspot", source, settings.base_url, auth), Shared)
    return Refreshing(endpoint, shared, auth)


def _refuse_odd(source: str, what: str, text: str) -> None:
    if text and text.isascii() and text.isprintable() and " " not in text:
        return
    raise Mistake(
        f"{source}: the {what} is empty or holds characters that no such text has",
        hint="check the environment variable that the config takes it from",
    )
