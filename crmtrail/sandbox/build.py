"""Put a sandbox CRM together: the world, both wires, the server."""

from collections.abc import Sequence

from crmtrail.sandbox.hubspot.wire import HubSpotWire
from crmtrail.sandbox.salesforce.wire import SalesforceWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World


def build(
    *,
    port: int = 0,
    seed: int = 1,
    size: str = "small",
    path: str = ":memory:",
    features: Sequence[str] = (),
) -> Server:
    """Return a server, not yet started, over a world seeded unless the file already holds one."""
    world = World(path, seed=seed)
    server = Server(world, [SalesforceWire(world), HubSpotWire(world)], port=port)
    if world.recall("seeded") is None:
        server.control.reset(seed=seed, size=size, features=features)
    return server
