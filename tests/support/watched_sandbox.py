"""A sandbox CRM that calls somebody when a chosen request comes in."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from crmtrail.sandbox.http import Reply, Request, Wire
from crmtrail.sandbox.hubspot.wire import HubSpotWire
from crmtrail.sandbox.salesforce.wire import SalesforceWire
from crmtrail.sandbox.server import Server
from crmtrail.sandbox.world import World

When: TypeAlias = Literal[
    "lost",  # the CRM never gets the request
    "arrived",  # the CRM has it, and carries it out afterwards
    "carried out",  # the CRM did it, the answer is not sent yet
]

WRITES = {
    "salesforce": re.compile(r"^PATCH .*/composite/sobjects"),
    "hubspot": re.compile(r"^POST .*/batch/update"),
}
"""The requests by which crmtrail writes records, as ``METHOD target``."""

ANY = re.compile("")


@dataclass
class Cue:
    """Calls ``action`` once, at the ``number``-th matching request, counted from 1."""

    number: int
    when: When
    action: Callable[[], None]
    matching: re.Pattern[str] = ANY
    _seen: int = 0

    def strikes(self, request: Request) -> bool:
        if self.matching.search(f"{request.method} {request.target}"):
            self._seen += 1
            return self._seen == self.number
        return False


class WatchedServer(Server):
    """A sandbox server with cues. They are called outside the world's lock."""

    def __init__(self, world: World, wires: list[Wire]) -> None:
        super().__init__(world, wires)
        self._watch = threading.Condition()
        self._cues: tuple[Cue, ...] = ()
        self._busy = 0
        self.seen = 0

    @contextmanager
    def watching(self, *cues: Cue) -> Iterator[None]:
        """Count the CRM requests from here on, and call the cues while inside.

        On leaving, every request that came in has been dealt with.
        """
        with self._watch:
            self._cues, self.seen = cues, 0
        try:
            yield
        finally:
            with self._watch:
                self._watch.wait_for(lambda: not self._busy)
                self._cues = ()

    def answer(self, request: Request) -> tuple[Reply | None, float]:
        if request.path.startswith("/_sandbox/"):
            return super().answer(request)
        with self._watch:
            self._busy += 1
            self.seen += 1
            due = [cue for cue in self._cues if cue.strikes(request)]
        try:
            return self._answer(request, due)
        finally:
            with self._watch:
                self._busy -= 1
                self._watch.notify_all()

    def _answer(self, request: Request, due: list[Cue]) -> tuple[Reply | None, float]:
        for cue in due:
            if cue.when != "carried out":
                cue.action()
        if any(cue.when == "lost" for cue in due):
            return None, 0.0
        answered = super().answer(request)
        for cue in due:
            if cue.when == "carried out":
                cue.action()
        return answered


@dataclass(frozen=True)
class Watched:
    """One CRM of a running watched sandbox."""

    server: WatchedServer
    wire: Wire
    tokens: dict[str, str] = field(repr=False)


@contextmanager
def watched_sandbox(crm: str, records: int, *, seed: int = 1) -> Iterator[Watched]:
    """Run one CRM with about so many records on a free port."""
    world = World(seed=seed)
    wire: Wire = SalesforceWire(world) if crm == "salesforce" else HubSpotWire(world)
    world.db.execute("BEGIN")
    wire.create()
    wire.seed(records)
    world.db.execute("COMMIT")
    try:
        with WatchedServer(world, [wire]) as server:
            yield Watched(server, wire, wire.people()["tokens"])
    finally:
        world.close()
