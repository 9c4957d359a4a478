"""A Salesforce org that judges logins: it checks signatures, Basic auth and refresh tokens.

Sessions end when `expire` is called; requests with an ended session get the 401 of the day.
"""

import base64
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from support.scripted_http import Asked, Scripted

ENDED = Scripted(
    401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CONSUMER, SECRET, USER, REFRESH = "3MVG9.key", "s3cr:et", "bot@acme.example", "5Aep.first"
AUDIENCES = {"https://login.salesforce.com", "https://test.salesforce.com"}


def refused(error: str, why: str = "") -> Scripted:
    return Scripted(400, {"error": error} | ({"error_description": why} if why else {}))


@dataclass
class LoginOrg:
    """``instance`` is named by each login; ``now`` is its clock, where expiry is to be judged."""

    instance: str = "https://acme.my.salesforce.com"
    rotates: bool = False
    gives_jwt: bool = False
    now: datetime | None = None
    ended: Scripted = ENDED
    refusal: Scripted | None = None
    logins: int = 0
    live: str = ""
    refresh: str = REFRESH
    forms: list[dict[str, str]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answer: Scripted = field(default_factory=lambda: Scripted(content={}))

    def expire(self) -> None:
        self.live = ""

    def __call__(self, asked: Asked) -> Scripted:
        if asked.target == "/services/oauth2/token":
            answer = self._log_in(asked)
            return (
                replace(answer, date=format_datetime(self.now, usegmt=True)) if self.now else answer
            )
        self.asked.append(asked)
        given = asked.headers.get("authorization", "")
        inside = self.live.encode() in asked.body if self.live else False
        alive = self.live and (given == f"Bearer {self.live}" or inside)
        return self.answer if alive else self.ended

    def _log_in(self, asked: Asked) -> Scripted:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        self.forms.append(form)
        self.logins += 1
        if self.refusal is not None:
            return self.refusal
        if fault := self._fault(form, asked.headers.get("authorization", "")):
            return fault
        kind = "eyJ0.eyJz" if self.gives_jwt else "00Dxx0000001gPL!AR8A"
        self.live = f"{kind}.{self.logins}"
        told: dict[str, Any] = {"access_token": self.live, "instance_url": self.instance}
        told |= {"id": "https://login.salesforce.com/id/00D/005", "token_type": "Bearer"}
        if self.rotates and form["grant_type"] == "refresh_token":
            self.refresh = f"5Aep.rotated.{self.logins}"
            told["refresh_token"] = self.refresh
        return Scripted(content=told)

    def _fault(self, form: dict[str, str], authorization: str) -> Scripted | None:
        kind = form["grant_type"]
        if kind.endswith("jwt-bearer"):
            claims = jwt.decode(
                form["assertion"],
                KEY.public_key(),
                algorithms=["RS256"],
                audience=list(AUDIENCES),
                options={"verify_exp": False},
            )
            if self.now and not 0 < claims["exp"] - self.now.timestamp() <= 300:
                return refused("invalid_grant", "expired authorization code")
            if (claims["iss"], claims["sub"]) == (CONSUMER, USER) and type(claims["exp"]) is int:
                return None
            return refused("invalid_grant", "user hasn't approved this consumer")
        if kind == "client_credentials":
            wanted = base64.b64encode(f"{CONSUMER}:{SECRET}".encode()).decode()
            return None if authorization == f"Basic {wanted}" else refused("invalid_client")
        if kind == "refresh_token" and form["refresh_token"] == self.refresh:
            return None if form["client_id"] == CONSUMER else refused("invalid_client_id")
        return refused("invalid_grant", "expired access/refresh token")
