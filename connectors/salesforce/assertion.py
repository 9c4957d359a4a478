"""The signed assertion of the JWT bearer flow: who logs in, signed with the app's key.

Source: "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration", Salesforce help; RFC 7523.
"""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crmtrail.auth_config import JwtAuth
from crmtrail.errors import Mistake
from crmtrail.written import is_loopback

LASTS: Final = timedelta(minutes=2)
"""Salesforce takes three minutes at most, by its own clock; a minute is left for ours."""

_HINT = "make one with `openssl req -x509 -newkey rsa:2048 -nodes -keyout sf.key -out sf.crt`"


def signing_key(source: str, auth: JwtAuth) -> RSAPrivateKey:
    """Read the private key.

    Raises:
        Mistake: there is no such file, or it holds no RSA private key that can be used.
    """
    where = f"{source}: the private key"
    if auth.private_key is not None:
        text = auth.private_key.get_secret_value().replace("\\n", "\n").strip().encode()
    else:
        where = f"{source}: the key file {auth.key_file}"
        try:
            text = auth.key_file.read_bytes() if auth.key_file else b""
        except OSError as error:
            raise Mistake(f"{where} cannot be read: {error.strerror}", hint=_HINT) from None
    return _loaded(where, text)


def _loaded(where: str, text: bytes) -> RSAPrivateKey:
    if b"CERTIFICATE" in text or b"PUBLIC KEY" in text:
        raise Mistake(
            f"{where} is the public half; crmtrail signs with the private one",
            hint="the certificate belongs to the app in Salesforce, the .key file here",
        )
    try:
        key = load_pem_private_key(text, password=None)
    except TypeError:
        raise Mistake(
            f"{where} has a pass phrase", hint="take it off: openssl rsa -in sf.key -out plain.key"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise Mistake(f"{where} is no PEM private key", hint=_HINT) from None
    if not isinstance(key, RSAPrivateKey):
        raise Mistake(f"{where} is no RSA key; Salesforce takes RS256 only", hint=_HINT)
    return key


def audience_of(base_url: str, told: str) -> str:
    """Return whom the assertion is for: what the config says, else the login host of the org.

    ``sandbox`` My Domains (``acme--dev.sandbox.my.salesforce.com``) belong to test.salesforce.com.
    """
    if told:
        return told
    host = urlsplit(base_url).hostname or ""
    if ".sandbox." in host or host == "test.salesforce.com":
        return "https://test.salesforce.com"
    if is_loopback(host) or host.endswith((".salesforce.com", ".force.com")):
        return "https://login.salesforce.com"
    return base_url


def signed(key: RSAPrivateKey, client_id: str, username: str, audience: str, now: datetime) -> str:
    """Return the assertion."""
    claims = {
        "iss": client_id.strip(),
        "sub": username.strip(),
        "aud": audience,
        "exp": int((now + LASTS).timestamp()),
    }
    return jwt.encode(claims, key, algorithm="RS256")
