"""HubSpot. The entry point of the group ``crmtrail.connectors``."""

from connectors.hubspot.connector import HubSpotConnector
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.ports import Clock, Connector


def connect(source: str, settings: SourceConfig, auth: AuthConfig, clock: Clock) -> Connector:
    """Return a connector for one HubSpot account. Sends no request.

    Raises:
        Mistake: ``api_version`` is written wrongly.
    """
    return HubSpotConnector(source, settings, auth, clock)
