"""Tokens, their users, and where the org lives."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.http import Request
from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.calls import Session
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.tables import Tables

INSTANCE = "https://acme.my.salesforce.com"
ORG = ids.numbered("00D", 1)
TOKEN_LENGTH = 80
JWT_DOTS = 2
"""Dots in a token that is a JSON Web Token; an opaque one has fewer or more."""
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
ROLES = ("observer", "restorer")


def no_session() -> Refusal:
    """Make the refusal for a missing, wrong or ended token."""
    return Refusal("INVALID_SESSION_ID", "Session expired or invalid", status=401)


class Sessions:
    """Who is logged in."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.verbs: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
            "move_instance": self._move,
            "token_format": lambda order: self._switch("jwt_tokens", order["jwt"]),
            "rotate_refresh_tokens": lambda order: self._switch(
                "rotate_refresh_tokens", order.get("on", True)
            ),
        }

    def _switch(self, setting: str, on: object) -> list[str]:
        self._tables.set(setting, "1" if on else "0")
        return []

    def _move(self, order: Mapping[str, Any]) -> list[str]:
        """Let the org live at another URL; with ``leave`` the old one knows no session."""
        url = str(order["url"]).rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url must start with http:// or https://, not {url!r}")
        self._tables.set("instance_url", url)
        if order.get("leave"):
            self._tables.set("only_host", url.partition("//")[2])
            self.end()
        return []

    def open(self, user: str) -> str:
        """Start a session and return its opaque token."""
        (number,) = self._tables.take("session")
        choose = self._tables.world.random(f"salesforce/token/{number}").choice
        token = f"{ORG[:15]}!AQ" + "".join(choose(_ALPHABET) for _ in range(TOKEN_LENGTH))
        if self._tables.setting("jwt_tokens") == "1":
            head = _encoded({"typ": "JWT", "alg": "RS256", "kid": "sandbox"})
            body = _encoded({"sub": f"uid:{user}", "jti": number, "scp": "api id"})
            token = f"{head}.{body}.{token[-TOKEN_LENGTH:]}"
        self._tables.db.execute("INSERT INTO sf_session VALUES (?, ?)", (token, user))
        return token

    def end(self, user: str | None = None) -> None:
        """End every session, or those of one user."""
        self._tables.db.execute("DELETE FROM sf_session WHERE ? IS NULL OR user = ?", (user, user))

    def find(self, token: str) -> Session:
        """Return the session of a token.

        Raises:
            Refusal: there is none, or its user is no longer active.
        """
        row = self._tables.db.execute(
            'SELECT u."Id", u."Name", u."IsActive", p."Name", u."UserType" FROM sf_session s'
            ' JOIN "sf_User" u ON u."Id" = s.user JOIN "sf_Profile" p ON p."Id" = u."ProfileId"'
            " WHERE s.token = ?",
            (token,),
        ).fetchone()
        if row is None or not row[2]:
            raise no_session()
        kind = "app" if "Integration" in row[3] else "user"
        self._tables.world.identify(row[1])
        return Session(token, row[0], row[1], kind, "Read Only" in row[3])

    def bearer(self, request: Request) -> Session:
        """Return the session of a request's Authorization header.

        Raises:
            Refusal: no bearer token, or a wrong one.
        """
        only = self._tables.setting("only_host")
        if only and request.headers.get("host", "") != only:
            raise no_session()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme not in ("Bearer", "OAuth"):
            raise no_session()
        return self.find(token.strip())

    def role(self, role: str) -> str:
        """Return the user id of the observer or the restorer."""
        return self._tables.setting(f"user_{role}")


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
