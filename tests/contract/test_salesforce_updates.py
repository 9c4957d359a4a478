"""What only the list of updates tells: changes committed late, behind the back of a poll."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from crmtrail.model import Mode
from crmtrail.ports import ignore
from scheduler.runner import Run, Runner
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.salesforce_rig import SalesforceRig, salesforce_rig
from support.sandbox_rig import WallClock

MINUTE = 60


@dataclass
class Desk:
    org: SalesforceRig
    store: MemoryStore
    leases: MemoryLeases

    def sync(self, mode: Mode = Mode.INCREMENTAL, *, stop_after: int = 1_000) -> Run:
        """Sync with a new process, which stops after so many pages."""
        pages = iter(range(stop_after))
        runner = Runner(
            self.store,
            self.leases,
            WallClock(),
            ignore,
            holder="here:1:1",
            ttl=timedelta(minutes=1),
        )
        with closing(self.org.connect_as("observer", history_months=0)) as connector:
            return runner.run(
                connector,
                self.org.object,
                mode,
                stopping=lambda: next(pages, None) == stop_after - 1,
            )

    def held(self) -> dict[str, str]:
        return {
            one.ref.id: one.fields[self.org.text_field]
            for one in self.store.records("sf", self.org.object)
            if not one.deleted
        }

    def true(self) -> dict[str, str]:
        return {id_: fields[self.org.text_field] for id_, fields in self.org.truth().items()}

    def asked(self) -> int:
        """Return how often the list of updates was asked for."""
        requests = self.org.sandbox.requests(crm="salesforce")
        return sum("/updated/" in one["target"] for one in requests)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with salesforce_rig() as org:
        leases = MemoryLeases(WallClock())
        desk = Desk(org, MemoryStore(WallClock(), leases), leases)
        assert desk.sync().state == "done"
        org.turn(120 * MINUTE)
        yield desk


def committed_late(desk: Desk, seconds: float) -> str:
    """Let a change bear the stamp of now and become visible so much later."""
    id_ = min(desk.true())
    order = {"do": "update", "object": desk.org.object, "commit_delay": seconds}
    desk.org.act(**order, ids=[id_], fields={desk.org.text_field: "late"})
    return id_


def moved(desk: Desk, count: int) -> None:
    desk.org.update(sorted(desk.true())[-count:], {desk.org.other_field: "moved"})


def test_a_commit_between_the_pages_of_an_interrupted_poll_is_only_in_the_updates(
    desk: Desk,
) -> None:
    id_ = committed_late(desk, 45 * MINUTE)
    desk.org.turn(20 * MINUTE)
    desk.org.create(desk.org.many)
    desk.org.turn(10 * MINUTE)
    assert desk.sync(stop_after=2).state == "stopped"
    # The first pages went by its stamp. By the time the poll goes on it is committed: the oldest
    # transaction still open is younger, so that no later poll looks back so far.
    desk.org.turn(20 * MINUTE)
    assert desk.held()[id_] != '"late"'
    assert desk.sync().state == "done"
    assert desk.held()[id_] == '"late"'
    assert desk.held() == desk.true()
    assert desk.asked() == 1


def test_a_quiet_poll_does_not_ask_for_the_updates(desk: Desk) -> None:
    moved(desk, 3)
    assert desk.sync().state == "done"
    assert desk.asked() == 0


def test_a_reconcile_asks_for_them_once(desk: Desk) -> None:
    assert desk.sync(Mode.RECONCILE).state == "done"
    assert desk.asked() == 1
    assert desk.held() == desk.true()


def test_a_transaction_that_stays_open_is_waited_for(desk: Desk) -> None:
    id_ = committed_late(desk, 50 * MINUTE)
    for _ in range(3):
        desk.org.turn(20 * MINUTE)
        assert desk.sync().state == "done"
    assert desk.held()[id_] == '"late"'


def test_an_org_that_refuses_them_is_polled_without(desk: Desk) -> None:
    desk.org.act(do="cap_ids", most=0)
    moved(desk, 2)
    assert desk.sync(Mode.RECONCILE).state == "done"
    assert desk.held() == desk.true()
