"""Random lives of a portal against its own journal: nothing lost, nothing invented, authors right.

Each life is 40 steps: edits, floods of one millisecond, creations, deletions, merges, deletions
for privacy, a lagging index, faults, polls; and a portal whose unsettled habits are drawn by lot.
CI lives a few of them; ``PORTAL_LIVES=300`` lives as many as are asked for.
"""

import os
from collections.abc import Iterator

import pytest

from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.hubspot.wire import HubSpotWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.portal_life import BEGINNING, PortalLife
from support.sandbox_rig import WallClock

LIVES = int(os.environ.get("PORTAL_LIVES", "3"))
FIRST = int(os.environ.get("PORTAL_FIRST_LIFE", "0"))
STEPS = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    world = World()
    with Server(world, [HubSpotWire(world)]) as running:
        yield running
    world.db.close()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LIVES))
def test_a_life_is_known_as_it_was(server: Server, seed: int) -> None:
    sandbox = Sandbox(server.url)
    sandbox.freeze(BEGINNING)  # the life before this one may have ended later
    sandbox.reset(seed=1 + seed % 5, size="tiny")
    clock = WallClock()
    leases = MemoryLeases(clock)
    life = PortalLife(sandbox, MemoryStore(clock, leases), leases, seed)
    try:
        life.begin()
        for _ in range(STEPS):
            life.step()
        life.end()
        wrong = list(life.faults())
    finally:
        life.close()
    assert not wrong, "\n".join([*wrong[:20], "", *life.log])
