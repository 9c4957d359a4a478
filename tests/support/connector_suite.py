"""The contract of `crmtrail.ports.Connector`, as tests any connector must pass.

Use it so::

    class TestAcme(ConnectorSuite):
        @pytest.fixture
        def rig(self) -> Iterator[Rig]:
            with acme_rig() as rig:
                yield rig
"""

from support.connector_reads import Identifying, Loading, Losing, Polling, Resuming
from support.connector_writes import Failing, Writing


class ConnectorSuite(Identifying, Loading, Polling, Resuming, Losing, Writing, Failing):
    """Everything a connector has to show."""
