"""The OAuth endpoints: how clients get tokens, and what they are refused for."""

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.salesforce.calls import Session
from crmtrail.sandbox.salesforce.sessions import INSTANCE, ORG, ROLES, Sessions
from crmtrail.sandbox.salesforce.tables import Tables

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LOGINS = ("https://login.salesforce.com", "https://test.salesforce.com", INSTANCE)
_LONGEST = 300
"""Seconds an assertion may still be good for."""
_KEY_BITS = 2048


class _Denied(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class Grants:
    """Answers /services/oauth2/."""

    def __init__(
        self, tables: Tables, sessions: Sessions, logged: Callable[[str, str], None] | None = None
    ) -> None:
        self._logged = logged
        self._tables = tables
        self._sessions = sessions

    def clients(self) -> dict[str, dict[str, str]]:
        """Return what each role needs for any of the ways to log in."""
        return {
            role: {
                "client_id": f"3MVG9.crmtrail.{role}",
                "client_secret": f"secret-of-the-{role}",
                "refresh_token": self._tables.setting(f"refresh_{role}", f"5Aep861.{role}"),
                "username": self._username(role),
                "private_key": self._key(role),
            }
            for role in ROLES
        }

    def _username(self, role: str) -> str:
        users = self._tables.schema.objects["User"]
        row = self._tables.row(users, self._sessions.role(role))
        return str((row or {})["Username"])

    def _key(self, role: str) -> str:
        """Return the private key whose public half is registered for a role's client."""
        known = self._tables.setting(f"key_{role}")
        if not known:
            known = _fresh_key(role)
            self._tables.set(f"key_{role}", known)
        return known

    def answer(self, request: Request) -> Reply:
        """Answer /services/oauth2/token, userinfo and revoke."""
        name = request.path.rsplit("/", 1)[-1]
        if name == "userinfo":
            return self._userinfo(self._sessions.bearer(request))
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        if name == "revoke":
            self._tables.db.execute("DELETE FROM sf_session WHERE token = ?", (form.get("token"),))
            return Reply(200)
        if name != "token":
            return Reply(404)
        try:
            granted = self._granted(request, form)
            if self._logged is not None:
                user = self._sessions.find(granted["access_token"]).user
                self._logged(user, form["grant_type"])
            return Reply.of(200, granted)
        except _Denied as denied:
            told = {"error": denied.error, "error_description": denied.description}
            return Reply.of(denied.status, told)

    def _granted(self, request: Request, form: dict[str, str]) -> dict[str, Any]:
        grant = form.get("grant_type")
        if grant == _JWT:
            return self._token(self._asserted(request, form.get("assertion", "")))
        if grant not in ("client_credentials", "refresh_token"):
            raise _Denied("unsupported_grant_type", "grant type not supported")
        role = self._authenticated(request, form)
        if grant == "client_credentials":
            return self._token(self._sessions.role(role))
        return self._refreshed(role, form.get("refresh_token", ""))

    def _authenticated(self, request: Request, form: dict[str, str]) -> str:
        """Return the role of the client whose id and secret a request bears."""
        basic = _basic(request)
        name, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        for role, client in self.clients().items():
            if client["client_id"] == name and client["client_secret"] == secret:
                return role
        raise _Denied("invalid_client", "invalid client credentials", 401 if basic else 400)

    def _refreshed(self, role: str, token: str) -> dict[str, Any]:
        known = self._tables.setting(f"refresh_{role}", f"5Aep861.{role}")
        if token != known:
            raise _Denied("invalid_grant", "expired access/refresh token")
        user = self._sessions.role(role)
        if self._tables.setting("rotate_refresh_tokens") != "1":
            return self._token(user)
        # The old refresh token is spent, and the session it opened is over.
        (number,) = self._tables.take("refresh_token")
        fresh = f"5Aep861.{role}.{number}"
        self._tables.set(f"refresh_{role}", fresh)
        self._sessions.end(user)
        return self._token(user) | {"refresh_token": fresh}

    def _asserted(self, request: Request, assertion: str) -> str:
        """Return the user whom a signed assertion names."""
        try:
            claimed = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise _Denied("invalid_grant", "invalid assertion") from None
        clients = self.clients()
        role = next((r for r in ROLES if clients[r]["client_id"] == claimed.get("iss")), None)
        if role is None:
            raise _Denied("invalid_client_id", "client identifier invalid")
        self._signed(assertion, clients[role]["private_key"])
        now = self._tables.world.clock.now().timestamp()
        expires = claimed.get("exp")
        if not isinstance(expires, int | float) or expires - now > _LONGEST:
            raise _Denied("invalid_grant", "invalid assertion")
        if expires <= now:
            raise _Denied("invalid_grant", "expired authorization code")
        # A client led to the loopback server takes its address for the org's own domain.
        here = f"http://{request.headers.get('host', '')}"
        if str(claimed.get("aud", "")).rstrip("/") not in (*_LOGINS, here):
            raise _Denied("invalid_grant", "audience is invalid")
        user = self._named(claimed.get("sub"))
        if user is None or user != self._sessions.role(role):
            raise _Denied("invalid_grant", "user hasn't approved this consumer")
        return user

    def _signed(self, assertion: str, private: str) -> None:
        key = serialization.load_pem_private_key(private.encode(), None)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            # The signature alone: the claims are judged by the world's clock.
            jwt.PyJWS().decode(assertion, public, algorithms=["RS256"])
        except jwt.InvalidTokenError:
            raise _Denied("invalid_grant", "invalid assertion") from None

    def _named(self, username: object) -> str | None:
        row = self._tables.db.execute(
            'SELECT "Id" FROM "sf_User" WHERE "Username" = ? AND "IsActive" = 1',
            (str(username),),
        ).fetchone()
        return None if row is None else str(row[0])

    def _token(self, user: str) -> dict[str, Any]:
        issued = int(self._tables.world.clock.now().timestamp() * 1000)
        return {
            "access_token": self._sessions.open(user),
            "signature": "c2FuZGJveA==",
            "scope": "api id",
            "instance_url": self._tables.setting("instance_url", INSTANCE),
            "id": f"https://login.salesforce.com/id/{ORG}/{user}",
            "token_type": "Bearer",
            "issued_at": str(issued),
        }

    def _userinfo(self, session: Session) -> Reply:
        row = self._tables.row(self._tables.schema.objects["User"], session.user) or {}
        return Reply.of(
            200,
            {
                "sub": f"https://login.salesforce.com/id/{ORG}/{session.user}",
                "user_id": session.user,
                "organization_id": ORG,
                "preferred_username": row.get("Username"),
                "name": session.name,
                "email": row.get("Email"),
                "active": True,
                "user_type": "STANDARD",
                "language": "en_US",
                "locale": "en_US",
                "zoneinfo": "UTC",
            },
        )


@cache
def _fresh_key(_role: str) -> str:
    # Making a key takes a tenth of a second; the sandboxes of one process share it.
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
