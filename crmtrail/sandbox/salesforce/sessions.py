"""Tokens, their users, and the endpoints that hand tokens out."""

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qs

from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.calls import Session
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.tables import Tables

INSTANCE = "https://acme.my.salesforce.com"
ORG = ids.numbered("00D", 1)
TOKEN_LENGTH = 80
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ROLES = ("observer", "restorer")


def no_session() -> Refusal:
    """Make the refusal for a missing, wrong or ended token."""
    return Refusal("INVALID_SESSION_ID", "Session expired or invalid", status=401)


class Sessions:
    """Who is logged in."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def open(self, user: str) -> str:
        """Start a session and return its opaque token."""
        (number,) = self._tables.take("session")
        choose = self._tables.world.random(f"salesforce/token/{number}").choice
        token = f"{ORG[:15]}!AQ" + "".join(choose(_ALPHABET) for _ in range(TOKEN_LENGTH))
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
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme not in ("Bearer", "OAuth"):
            raise no_session()
        return self.find(token.strip())

    def role(self, role: str) -> str:
        """Return the user id of the observer or the restorer."""
        return self._tables.setting(f"user_{role}")

    def clients(self) -> dict[str, dict[str, str]]:
        """Return the client id, secret and refresh token of each role."""
        return {
            role: {
                "client_id": f"3MVG9.crmtrail.{role}",
                "client_secret": f"secret-of-the-{role}",
                "refresh_token": f"5Aep861.{role}",
            }
            for role in ROLES
        }

    def oauth(self, request: Request) -> Reply:
        """Answer /services/oauth2/token, userinfo and revoke."""
        name = request.path.rsplit("/", 1)[-1]
        if name == "userinfo":
            return self._userinfo(self.bearer(request))
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        if name == "revoke":
            self._tables.db.execute("DELETE FROM sf_session WHERE token = ?", (form.get("token"),))
            return Reply(200)
        if name != "token":
            return Reply(404)
        user = self._granted(request, form)
        if user is None:
            told = {"error": "invalid_grant", "error_description": "authentication failure"}
            return Reply.of(400, told)
        return Reply.of(200, self._token(user))

    def _token(self, user: str) -> dict[str, Any]:
        issued = int(self._tables.world.clock.now().timestamp() * 1000)
        return {
            "access_token": self.open(user),
            "signature": "c2FuZGJveA==",
            "scope": "api id",
            "instance_url": INSTANCE,
            "id": f"https://login.salesforce.com/id/{ORG}/{user}",
            "token_type": "Bearer",
            "issued_at": str(issued),
        }

    def _granted(self, request: Request, form: dict[str, str]) -> str | None:
        """Return the user whom a grant lets in."""
        grant = form.get("grant_type")
        if grant == _JWT:
            return self._named(_subject(form.get("assertion", "")))
        for role, client in self.clients().items():
            pair = (client["client_id"], client["client_secret"])
            if pair not in (_basic(request), (form.get("client_id"), form.get("client_secret"))):
                continue
            if grant == "client_credentials":
                return self.role(role)
            if grant == "refresh_token" and form.get("refresh_token") == client["refresh_token"]:
                return self.role(role)
        return None

    def _named(self, username: str | None) -> str | None:
        row = self._tables.db.execute(
            'SELECT "Id" FROM "sf_User" WHERE "Username" = ? AND "IsActive" = 1', (username,)
        ).fetchone()
        return None if row is None else str(row[0])

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


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret


def _subject(assertion: str) -> str | None:
    """Return whom a JWT names; the sandbox trusts every signature."""
    parts = assertion.split(".")
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        subject = json.loads(base64.urlsafe_b64decode(padded))["sub"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return str(subject)
