"""HubSpot. The entry point of the group ``crmtrail.connectors``."""

from connectors.hubspot.connector import HubSpotConnector
from crmtrail.config import Auth, SourceConfig
from crmtrail.ports import Clock, Connector
from crmtrail.sessions import Sessions


def connect(
    source: str,
    settings: SourceConfig,
    auth: Auth,
    clock: Clock,
    sessions: Sessions | None = None,
) -> Connector:
    """Return a connector for one HubSpot account. Sends no request.

    Those with the same ``sessions`` log in once between them, and keep HubSpot's limits together.

    Raises:
        Mistake: a version is written wrongly, the method of auth is none of HubSpot's, or a secret
            cannot be right.
    """
    return HubSpotConnector(source, settings, auth, clock, sessions or Sessions())
