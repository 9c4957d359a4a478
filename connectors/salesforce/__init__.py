"""The Salesforce connector."""

import re

from connectors.salesforce.connector import Salesforce
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import Mistake
from crmtrail.ports import Clock, Connector

__all__ = ["connect"]

DEFAULT_VERSION = "62.0"
_VERSION = re.compile(r"v?(\d{2,3})(?:\.0)?")
_OLDEST = 60


def connect(source: str, settings: SourceConfig, auth: AuthConfig, clock: Clock) -> Connector:
    """Return a connector for one org. Sends no request.

    Raises:
        Mistake: the API version, token or client id cannot be right.
    """
    token = auth.token.get_secret_value().strip()
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise Mistake(
            f"{source}: the access token is empty or holds characters that no token has",
            hint="check the environment variable that the config takes it from",
        )
    if not settings.client_id.isascii() or not settings.client_id.isprintable():
        raise Mistake(f"{source}: client_id may hold plain ASCII text only")
    return Salesforce(source, settings, token, _version(source, settings.api_version), clock)


def _version(source: str, told: str) -> str:
    match = _VERSION.fullmatch(told or DEFAULT_VERSION)
    if match is None or int(match[1]) < _OLDEST:
        raise Mistake(
            f"{source}: api_version {told!r} is none that crmtrail speaks",
            hint=f'write it like "{DEFAULT_VERSION}"; {_OLDEST}.0 is the oldest',
        )
    return f"{match[1]}.0"
