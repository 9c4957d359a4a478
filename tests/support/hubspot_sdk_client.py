"""The official hubspot-sdk, unmodified, at a portal under test."""

from collections.abc import Iterator
from contextlib import contextmanager

from hubspot_sdk import HubSpot

from support.hubspot_portal import PortalUnderTest


@contextmanager
def sdk_client(portal: PortalUnderTest) -> Iterator[HubSpot]:
    """Give the client, which refuses answers that do not fit its models and tries nothing twice."""
    with HubSpot(
        access_token=portal.token,
        base_url=portal.server.url,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client
