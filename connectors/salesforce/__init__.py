"""The Salesforce connector."""

import re

from connectors.salesforce.connector import Salesforce
from connectors.salesforce.tokens import tokens_for
from crmtrail.config import Auth, SourceConfig
from crmtrail.errors import Mistake
from crmtrail.ports import Clock, Connector
from crmtrail.sessions import Sessions

__all__ = ["connect"]

DEFAULT_VERSION = "62.0"
_VERSION = re.compile(r"v?(\d{2,3})(?:\.0)?")
_OLDEST = 60


def connect(
    source: str,
    settings: SourceConfig,
    auth: Auth,
    clock: Clock,
    sessions: Sessions | None = None,
) -> Connector:
    """Return a connector for one org. Sends no request.

    Those with the same ``sessions`` log in once between them.

    Raises:
        Mistake: the API version, a credential or the client id cannot be right.
    """
    if not settings.client_id.isascii() or not settings.client_id.isprintable():
        raise Mistake(f"{source}: client_id may hold plain ASCII text only")
    tokens = tokens_for(source, settings, auth, clock, sessions)
    return Salesforce(source, settings, tokens, _version(source, settings.api_version), clock)


def _version(source: str, told: str) -> str:
    match = _VERSION.fullmatch(told or DEFAULT_VERSION)
    if match is None or int(match[1]) < _OLDEST:
        raise Mistake(
            f"{source}: api_version {told!r} is none that crmtrail speaks",
            hint=f'write it like "{DEFAULT_VERSION}"; {_OLDEST}.0 is the oldest',
        )
    return f"{match[1]}.0"
