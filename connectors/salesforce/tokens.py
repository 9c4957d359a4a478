"""Where access tokens come from, and which host they are good for.

A provider is shared by all connectors of one identity in a process: they log in once between them,
and a rotated refresh token is known to all of them.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from connectors.salesforce.assertion import audience_of, signed, signing_key
from connectors.salesforce.hosts import home
from connectors.salesforce.login import SKEW, Endpoint, Granted, LoginRefused
from connectors.token_file import TokenFile
from crmtrail.auth_config import Auth, AuthConfig, ClientCredentialsAuth, JwtAuth, RefreshTokenAuth
from crmtrail.config import SourceConfig
from crmtrail.errors import Mistake
from crmtrail.ports import Clock
from crmtrail.sessions import Sessions

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """A session: its access token, and the origin (scheme and host) where it is good.

    ``begun``: by a login of this process, and not found in a file that another one left it in.
    """

    token: str = field(repr=False)
    origin: str
    begun: bool = True


@dataclass(slots=True)
class Shared:
    """What the connectors of one identity share; ``lock`` is held while one of them logs in.

    ``rotated`` is the newest refresh token, where the config's is used up and no file has it.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    grant: Grant | None = None
    rotated: str = field(default="", repr=False)


class Tokens(ABC):
    """Gives access tokens."""

    renewable: bool

    @abstractmethod
    def current(self) -> Grant:
        """Return the session, beginning one if there is none.

        Raises:
            CredentialsRefused: Salesforce refuses the credentials.
            Unavailable: there is no sound answer.
        """

    @abstractmethod
    def renew(self, refused: Grant) -> Grant:
        """Return a session other than the one that was refused; raises like `current`."""


class Bare(Tokens):
    """A bare access token, good until it expires."""

    renewable = False

    def __init__(self, token: str, origin: str) -> None:
        self._grant = Grant(token, origin)

    def current(self) -> Grant:
        """Return the session."""
        return self._grant

    def renew(self, refused: Grant) -> Grant:
        """Return what there is: there is no other."""
        return refused


class Login(Tokens):
    """Logs in, and does so again when a session has ended: one login at a time."""

    renewable = True

    def __init__(self, endpoint: Endpoint, shared: Shared) -> None:
        self._endpoint = endpoint
        self._shared = shared

    def current(self) -> Grant:
        """Return the session, beginning one if there is none."""
        shared = self._shared
        with shared.lock:
            if shared.grant is None:
                shared.grant = self._begun(None)
            return shared.grant

    def renew(self, refused: Grant) -> Grant:
        """Return a session other than the one refused; another thread may have begun it already."""
        shared = self._shared
        with shared.lock:
            if shared.grant is None or shared.grant is refused:
                shared.grant = None
                shared.grant = self._begun(refused)
            return shared.grant

    def _begun(self, refused: Grant | None) -> Grant:
        """Begin a session other than the one that was refused."""
        del refused
        granted = self._granted()
        return Grant(granted.access_token, granted.origin)

    @abstractmethod
    def _granted(self) -> Granted:
        """Log in."""


class Jwt(Login):
    """Logs in with a signed assertion (RFC 7523).

    It is good for minutes by Salesforce's clock. Where ours is off, it is signed by theirs.
    """

    def __init__(self, endpoint: Endpoint, shared: Shared, auth: JwtAuth, clock: Clock) -> None:
        super().__init__(endpoint, shared)
        self._auth = auth
        self._clock = clock
        self._key = signing_key(endpoint.source, auth)
        self._audience = audience_of(endpoint.base_url, auth.audience)
        self._ahead = timedelta()

    def _granted(self) -> Granted:
        try:
            return self._asserted()
        except LoginRefused as refused:
            if refused.skew is None or abs(refused.skew - self._ahead) < SKEW:
                raise
            self._ahead = refused.skew
        return self._asserted()

    def _asserted(self) -> Granted:
        auth, now = self._auth, self._clock.now() - self._ahead
        assertion = signed(self._key, auth.client_id, auth.username, self._audience, now)
        form = {"grant_type": _JWT_GRANT, "assertion": assertion}
        return self._endpoint.ask(form, method="jwt", secrets=(assertion,))


class ClientCredentials(Login):
    """Logs in as the app itself (RFC 6749, 4.4)."""

    def __init__(self, endpoint: Endpoint, shared: Shared, auth: ClientCredentialsAuth) -> None:
        super().__init__(endpoint, shared)
        self._basic = (auth.client_id, auth.client_secret.get_secret_value())

    def _granted(self) -> Granted:
        form = {"grant_type": "client_credentials"}
        return self._endpoint.ask(
            form, method="client_credentials", basic=self._basic, secrets=(self._basic[1],)
        )


class RefreshToken(Login):
    """Logs in with a refresh token, and takes a new one from the answer where it is rotated.

    With a file the newest one is there before its session is used, and other processes share both.
    """

    def __init__(self, endpoint: Endpoint, shared: Shared, auth: RefreshTokenAuth) -> None:
        super().__init__(endpoint, shared)
        secret = auth.client_secret.get_secret_value() if auth.client_secret else ""
        self._fixed: Mapping[str, str] = {"client_id": auth.client_id} | (
            {"client_secret": secret} if secret else {}
        )
        self._refresh = auth.refresh_token.get_secret_value().strip()
        told = (endpoint.base_url, auth.client_id, self._refresh)
        path = auth.refresh_token_file
        self._file = TokenFile(endpoint.source, path, told) if path else None

    def _begun(self, refused: Grant | None) -> Grant:
        if self._file is None:
            return super()._begun(refused)
        with self._file.held():
            return self._found(self._file, refused) or self._kept(self._file)

    def _found(self, file: TokenFile, refused: Grant | None) -> Grant | None:
        """Return the session that another process has begun."""
        kept = file.read()
        if kept is None or not kept.access_token or self._shared.rotated:
            return None
        if refused is not None and refused.token == kept.access_token:
            return None
        origin = home(self._endpoint.base_url, kept.origin)
        return None if origin is None else Grant(kept.access_token, origin, begun=False)

    def _kept(self, file: TokenFile) -> Grant:
        """Log in, and keep what is new before it is used."""
        kept = file.read()
        newest = self._shared.rotated or (kept.refresh_token if kept else self._refresh)
        granted = self._asked(newest)
        fresh = granted.refresh_token or newest
        if fresh == newest and not self._shared.rotated and not (kept and kept.access_token):
            return Grant(granted.access_token, granted.origin)
        try:
            file.write(fresh, granted.access_token, granted.origin)
            self._shared.rotated = ""
        except OSError as error:
            self._shared.rotated = fresh
            self._warn(f"the file for it cannot be written ({error.strerror}): mend that while "
                       "this process runs")  # fmt: skip
        return Grant(granted.access_token, granted.origin)

    def _granted(self) -> Granted:
        newest = self._shared.rotated or self._refresh
        granted = self._asked(newest)
        if granted.refresh_token and granted.refresh_token != newest:
            self._shared.rotated = granted.refresh_token
            self._warn("set refresh_token_file, switch rotation off in the app, or use method jwt")
        return granted

    def _asked(self, newest: str) -> Granted:
        form = {"grant_type": "refresh_token", **self._fixed, "refresh_token": newest}
        secrets = (newest, self._fixed.get("client_secret", ""))
        return self._endpoint.ask(form, method="refresh_token", secrets=secrets)

    def _warn(self, mend: str) -> None:
        structlog.get_logger().warning(
            "refresh token rotated",
            source=self._endpoint.source,
            meaning="the refresh token that was used is used up, and the new one is known to this "
            f"process only: {mend}",
        )


def tokens_for(
    source: str,
    settings: SourceConfig,
    auth: Auth,
    clock: Clock,
    sessions: Sessions | None = None,
) -> Tokens:
    """Return where the tokens of an identity come from. Sends no request.

    Those with the same ``sessions`` log in once between them.

    Raises:
        Mistake: a secret cannot be right.
    """
    if isinstance(auth, AuthConfig):
        token = auth.token.get_secret_value().strip()
        _refuse_odd(source, "access token", token)
        return Bare(token, settings.base_url)
    for key in ("client_id", "client_secret", "refresh_token", "username"):
        value = getattr(auth, key, None)
        if value is not None:
            text = value if isinstance(value, str) else value.get_secret_value()
            _refuse_odd(source, key, text.strip())
    timeout = settings.timeout.total_seconds()
    endpoint = Endpoint(source, settings.base_url, timeout, clock)
    identity = ("salesforce", source, settings.base_url, auth)
    shared = (sessions or Sessions()).of(identity, Shared)
    if isinstance(auth, JwtAuth):
        return Jwt(endpoint, shared, auth, clock)
    if isinstance(auth, ClientCredentialsAuth):
        return ClientCredentials(endpoint, shared, auth)
    return RefreshToken(endpoint, shared, auth)


def _refuse_odd(source: str, what: str, text: str) -> None:
    if text and text.isascii() and text.isprintable() and " " not in text:
        return
    raise Mistake(
        f"{source}: the {what} is empty or holds characters that no such text has",
        hint="check the environment variable that the config takes it from",
    )
