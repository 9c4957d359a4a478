"""A HubSpot that gives out access tokens, and remembers what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from crmtrail.auth_config import RefreshTokenAuth
from crmtrail.config import SourceConfig
from support.scripted_http import Asked, Scripted, ScriptedServer

CLIENT = "c1e2-client"
SECRET = "s3cr3t-of-the-app"
REFRESH = "na1-refresh-0"
TOKEN_PATH = "/oauth/2026-03/token"
EXPIRED = Scripted(401, {"category": "EXPIRED_AUTHENTICATION", "message": "expired"})


@dataclass
class OAuthPortal:
    """``answers`` come first for what is no login; ``refusal`` meets each login."""

    seconds: object = 1_800
    rotates: bool = False
    refusal: Scripted | None = None
    logins: int = 0
    live: str = ""
    refresh: str = REFRESH
    forms: list[dict[str, str]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answer: Scripted = field(default_factory=lambda: Scripted(content={"results": []}))

    def __call__(self, asked: Asked) -> Scripted:
        if asked.target == TOKEN_PATH:
            return self._login(asked)
        if asked.target == f"{TOKEN_PATH}/introspect":
            self.forms.append(dict(parse_qsl(asked.body.decode())))
            return Scripted(content={"hub_id": 42, "app_id": 77, "user_id": 9, "active": True})
        self.asked.append(asked)
        if asked.headers["authorization"] != f"Bearer {self.live}":
            return EXPIRED
        return self.answer

    def expire(self) -> None:
        self.live = ""

    def _login(self, asked: Asked) -> Scripted:
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        form = dict(parse_qsl(asked.body.decode()))
        self.forms.append(form)
        if self.refusal is not None:
            return self.refusal
        if form["refresh_token"] != self.refresh:
            return refused("BAD_REFRESH_TOKEN", "refresh token is invalid, expired or revoked")
        self.logins += 1
        self.live = f"CMaccess{self.logins}"
        if self.rotates:
            self.refresh = f"na1-refresh-{self.logins}"
        told: dict[str, Any] = {"access_token": self.live, "refresh_token": self.refresh}
        return Scripted(content=told | {"expires_in": self.seconds})


def refused(status: str, words: str, error: str = "invalid_grant", code: int = 400) -> Scripted:
    body = {"status": status, "error": error, "error_description": words, "message": words}
    return Scripted(code, body)


def identity(**more: Any) -> RefreshTokenAuth:
    return RefreshTokenAuth(
        method="refresh_token",
        client_id=CLIENT,
        client_secret=SecretStr(SECRET),
        refresh_token=SecretStr(REFRESH),
        **more,
    )


def settings(url: str, auth: RefreshTokenAuth | None = None) -> SourceConfig:
    return SourceConfig(kind="hubspot", base_url=url, auth=auth or identity())


@contextmanager
def served(portal: OAuthPortal) -> Iterator[str]:
    with ScriptedServer(otherwise=portal) as server:
        yield server.url
