"""The HubSpot connector keeps the contract of the port, in every generation of the API."""

from collections.abc import Iterator

import pytest

from support.connector_rig import Rig
from support.connector_suite import ConnectorSuite
from support.hubspot_rig import hubspot_rig


class TestHubSpot(ConnectorSuite):
    @pytest.fixture(params=["v3", "2026-03"])
    def rig(self, request: pytest.FixtureRequest) -> Iterator[Rig]:
        with hubspot_rig(request.param) as rig:
            yield rig


class TestHubSpotByOAuth(ConnectorSuite):
    """The same through an OAuth app, whose answers tell no daily quota."""

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with hubspot_rig("2026-09", oauth=True) as rig:
            yield rig
