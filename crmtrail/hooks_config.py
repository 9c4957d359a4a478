"""The part of the configuration that lets HubSpot tell us of changes at once."""

from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from crmtrail.written import SET_ASIDE, Lasting, is_loopback

_LAST_PORT: Final = 65_535


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host.strip("[]") or not port.isascii() or not port.isdigit():
        raise ValueError("is an address and a port, like 127.0.0.1:8766")
    if not 1 <= int(port) <= _LAST_PORT:
        raise ValueError(f"a port is a number from 1 to {_LAST_PORT}")
    return value


def _public_url(value: str) -> str:
    """Check the address as HubSpot knows it. What it signs is this, letter for letter."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("is the address that HubSpot sends to, like https://crm.acme.example/hs")
    if parts.username is not None:
        raise ValueError("holds no credentials; HubSpot signs what it sends")
    if parts.query or parts.fragment:
        raise ValueError("ends with its path: leave out ? and # and what follows")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http:// is accepted for loopback hosts only; use https://")
    return value.rstrip("/")


class WebhooksConfig(BaseModel):
    """Where webhooks of one HubSpot app come in.

    Attributes:
        listen: address and port that we listen on, without TLS.
        public_url: the address that HubSpot sends to; a reverse proxy leads it here.
        client_secret: the app's client secret, with which HubSpot signs.
        delay: how long after an event its object is polled, and the least time between two such
            polls. HubSpot's search finds a change only after some moments.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8766"
    public_url: Annotated[str, AfterValidator(_public_url)]
    client_secret: Annotated[SecretStr, Field(min_length=1)]
    delay: Lasting = timedelta(seconds=10)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def unset(self) -> str:
        """The environment variable that the secret is taken from, if that is not set."""
        found = SET_ASIDE.search(self.client_secret.get_secret_value())
        return found[1] if found else ""
