"""HubSpot. The entry point of the group ``crmtrail.connectors``."""

from connectors.hubspot.connector import HubSpotConnector
from crmtrail.config import Auth, AuthConfig, SourceConfig
from crmtrail.errors import Mistake
from crmtrail.ports import Clock, Connector


def connect(source: str, settings: SourceConfig, auth: Auth, clock: Clock) -> Connector:
    """Return a connector for one HubSpot account. Sends no request.

    Raises:
        Mistake: ``api_version`` is written wrongly, or the method of auth is another than token.
    """
    if not isinstance(auth, AuthConfig):
        raise Mistake(
            f"{source}: HubSpot takes method: token only",
            hint="make a private app in HubSpot, and give its token",
        )
    return HubSpotConnector(source, settings, auth, clock)
