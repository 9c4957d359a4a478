"""The trail objects of a sandbox portal, synced into a store in memory as the CLI does it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any

from connectors.hubspot import connect
from crmtrail.config import SourceConfig
from crmtrail.model import Mode, Op, Ref, value_of
from crmtrail.ports import Clock, Entry, Query, ignore
from scheduler.runner import Run, Runner
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.hubspot_portal import PortalUnderTest, portal_under_test

SOURCE = "hs"


class WorldClock:
    """The portal's own time."""

    def __init__(self, portal: PortalUnderTest) -> None:
        self._clock = portal.world.clock

    def now(self) -> datetime:
        return self._clock.now()


class Trails:
    """A portal, a store, and syncs of trail objects by a process of their own each."""

    def __init__(self, portal: PortalUnderTest, role: str = "observer") -> None:
        self.portal = portal
        self.clock: Clock = WorldClock(portal)
        self._leases = MemoryLeases(self.clock)
        self.store = MemoryStore(self.clock, self._leases)
        self.role = role
        self.version = ""

    def sync(
        self, *objects: str, mode: Mode = Mode.INCREMENTAL, stopping: bool = False
    ) -> Sequence[Run]:
        """Sync objects by a new connector, and let a minute pass.

        Args:
            objects: which.
            mode: how far the runs reach.
            stopping: whether each run stops after its first page.
        """
        with self.connected() as connector:
            runner = Runner(
                self.store,
                self._leases,
                self.clock,
                ignore,
                holder="t",
                ttl=timedelta(minutes=5),
            )
            runs = [runner.run(connector, one, mode, stopping=lambda: stopping) for one in objects]
        self.pass_time(60)
        return runs

    @contextmanager
    def connected(self) -> Iterator[Any]:
        token = self.portal.people["tokens"][self.role]
        settings = SourceConfig.model_validate(
            {
                "kind": "hubspot",
                "base_url": self.portal.server.url,
                "auth": {"token": token},
                "api_version": self.version,
            }
        )
        with closing(connect(SOURCE, settings, settings.auth, self.clock)) as connector:
            yield connector

    def pass_time(self, seconds: float) -> None:
        with self.portal.world.lock:
            self.portal.world.clock.turn(seconds)

    def act(self, verb: str, by: str = "Maya Lindqvist", **order: Any) -> Sequence[str]:
        """Let a user act, and let a second pass."""
        done = self.portal.act(verb, by={"kind": "user", "name": by}, **order)
        self.pass_time(1)
        return [str(one) for one in done["ids"]]

    def fields(self, object_: str, id_: str) -> dict[str, Any]:
        found = self.store.version(Ref(SOURCE, object_, id_))
        assert found is not None, f"{object_} {id_} is not stored"
        return {name: value_of(token) for name, token in found.fields.items()}

    def live(self, object_: str) -> set[str]:
        return {one.ref.id for one in self.store.records(SOURCE, object_) if not one.deleted}

    def kinds(self, object_: str) -> set[str]:
        """Return the objects that the live definitions belong to."""
        return {id_.split(".")[0] for id_ in self.live(object_)}

    def log(self, object_: str, op: Op | None = None) -> Sequence[Entry]:
        """Return all changes, oldest known first."""
        found, _ = self.store.log(Query(source=SOURCE, object=object_, op=op), limit=1_000)
        return list(reversed(found))


@contextmanager
def trails(**more: Any) -> Iterator[Trails]:
    with portal_under_test(**more) as portal:
        portal.act("limits", burst=1_000_000)  # nobody waits for the next ten seconds
        yield Trails(portal)
