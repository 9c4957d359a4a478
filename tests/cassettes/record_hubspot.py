"""Record the HubSpot cassettes anew: ``PYTHONPATH=tests python tests/cassettes/record_hubspot.py``.

They are recorded against the sandbox through the real client, and shown under HubSpot's public
host name, so that replaying them proves what the client puts on that wire.
"""

from collections.abc import Sequence
from contextlib import closing

from support.hubspot_rig import hubspot_rig
from support.hubspot_story import CASSETTES, OBJECT, connector, recorder, tell
from support.sandbox_rig import WallClock


def record(api_version: str) -> None:
    """Write one cassette."""
    (CASSETTES / f"{api_version}.yaml").unlink(missing_ok=True)
    with hubspot_rig() as rig:
        rig.object = OBJECT

        def change(ids: Sequence[str]) -> None:
            rig.update([ids[0]], {"description": "Changed by a person"})
            rig.delete([ids[1]])

        def trouble(kind: str) -> None:
            rig.sandbox.fault(kind, crm="hubspot", retry_after=7)

        restorer = connector(
            rig.server.url, rig.people["tokens"]["restorer"], WallClock(), api_version
        )
        tape = recorder(rig.server.url)
        with closing(restorer), tape.use_cassette(f"{api_version}.yaml"):
            tell(restorer, change, trouble)


if __name__ == "__main__":
    for version in ("v3", "2026-03"):
        record(version)
