"""The Salesforce connector keeps the contract of the port."""

from collections.abc import Iterator

import pytest

from support.connector_rig import Rig
from support.connector_suite import ConnectorSuite
from support.salesforce_rig import salesforce_rig


class TestSalesforce(ConnectorSuite):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with salesforce_rig() as rig:
            yield rig
