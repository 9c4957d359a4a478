"""HubSpot's records, histories and losses, from the portal through the connector into the store."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from crmtrail.model import ActorKind, ChangeSet, Loss, Mode, Op, Ref
from crmtrail.ports import Connector, ignore
from scheduler.runner import Run, Runner
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.connector_rig import drive
from support.hubspot_rig import HubSpotRig, hubspot_rig
from support.sandbox_rig import WallClock

HOUR, DAY = 3600, 86_400


@dataclass
class Desk:
    """One portal, one store, and a connector that stays open, as under `crmtrail serve`."""

    rig: HubSpotRig
    store: MemoryStore
    leases: MemoryLeases
    connector: Connector
    between: list[Callable[[], object]] = field(default_factory=list)

    def sync(self, mode: Mode = Mode.INCREMENTAL, **wishes: Any) -> Run:
        """Run once; what waits in ``between`` happens after one page each."""
        runner = Runner(
            self.store,
            self.leases,
            WallClock(),
            ignore,
            holder="here:1:1",
            ttl=timedelta(hours=9),
        )

        def progress(_: Run) -> None:
            if self.between:
                self.between.pop(0)()

        return runner.run(self.connector, self.rig.object, mode, progress=progress, **wishes)

    def act(self, verb: str, *ids: str, **more: Any) -> list[str]:
        order = {"object": self.rig.object, "as": {"kind": "user", "id": self.rig.user.id}} | more
        records = [{"id": id_} for id_ in ids]
        done = self.rig.sandbox.act("hubspot", do=verb, records=records, **order)
        return [str(id_) for id_ in done["ids"]]

    def story(self, id_: str) -> list[ChangeSet]:
        return list(self.store.timeline(Ref(self.rig.source, self.rig.object, id_)))

    def values(self, id_: str) -> list[tuple[str | None, str | None, str | None]]:
        """Return every change of the text field: old, new, who."""
        return [
            (change.old, change.new, made.actor.id)
            for made in self.story(id_)
            for change in made.changes
            if change.field == self.rig.text_field
        ]

    def position(self) -> str:
        cursor = self.store.standing(self.rig.source, self.rig.object).cursor
        assert cursor is not None
        return cursor

    def requests(self, part: str = "/objects/") -> list[str]:
        return [
            one["target"]
            for one in self.rig.sandbox.requests(crm="hubspot")
            if part in one["target"]
        ]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with hubspot_rig() as rig, closing(rig.connect()) as connector:
        rig.sandbox.act("hubspot", do="limits", burst=1_000_000)
        leases = MemoryLeases(WallClock())
        yield Desk(rig, MemoryStore(WallClock(), leases), leases, connector)


def edited(desk: Desk, id_: str) -> None:
    for number, by in enumerate((desk.rig.user, desk.rig.app)):
        desk.rig.turn(DAY)
        desk.rig.update([id_], {desk.rig.text_field: f"value {number}"}, by=by)
    desk.rig.turn(DAY)


def test_a_first_load_imports_who_changed_what_before_it(desk: Desk) -> None:
    (id_,) = desk.rig.create(1)
    edited(desk, id_)
    assert desk.sync().state == "done"
    assert desk.values(id_) == [
        ("null", '"value 0"', desk.rig.user.id),
        ('"value 0"', '"value 1"', desk.rig.app.id),
    ]
    assert desk.story(id_)[0].op is Op.BASELINE


def test_a_second_load_repeats_no_history(desk: Desk) -> None:
    (id_,) = desk.rig.create(1)
    edited(desk, id_)
    desk.sync()
    before = desk.story(id_)
    with closing(desk.rig.connect()) as other:
        desk.connector = other
        assert desk.sync(Mode.FULL).kept.changes == 0
    assert desk.story(id_) == before


def test_a_sweep_of_a_quiet_portal_reads_no_content(desk: Desk) -> None:
    desk.sync()
    desk.rig.turn(HOUR)
    desk.sync()
    before = len(desk.requests())
    run = desk.sync(Mode.RECONCILE)
    assert (run.state, run.kept.changes) == ("done", 0)
    asked = desk.requests()[before:]
    live = len(desk.rig.truth())
    assert len(asked) == 1 + -(-live // 100) + 1, "the count, ids by hundreds, the bin"


def test_a_sweep_finds_what_no_poll_was_told(desk: Desk) -> None:
    stays, purged, forgotten, kept, lost, binned = desk.rig.create(6)
    desk.sync()
    desk.rig.turn(HOUR)
    desk.act("purge", purged)
    desk.act("gdpr_delete", forgotten)
    (survivor,) = desk.act("merge", kept, lost)
    desk.rig.delete([binned])
    run = desk.sync(Mode.RECONCILE)
    assert run.state == "done", run.failure
    last = {id_: desk.story(id_)[-1] for id_ in (purged, forgotten, lost, binned)}
    assert {id_: made.op for id_, made in last.items()} == {
        purged: Op.DELETE,
        forgotten: Op.DELETE,
        lost: Op.MERGE,
        binned: Op.DELETE,
    }
    assert last[forgotten].actor.id == desk.rig.user.id
    assert last[purged].actor.kind is ActorKind.UNKNOWN
    assert last[lost].actor.id == desk.rig.user.id
    assert [made.op for made in desk.story(stays)] == [Op.BASELINE]
    assert desk.story(survivor)


def test_what_the_bin_purged_is_no_second_loss(desk: Desk) -> None:
    (id_,) = desk.rig.create(1)
    desk.sync()
    desk.rig.delete([id_])
    desk.sync()
    before = desk.story(id_)
    desk.rig.turn(91 * DAY)
    assert not desk.sync().gaps
    assert desk.sync(Mode.RECONCILE).state == "done"
    assert desk.story(id_) == before


def test_what_was_deleted_for_privacy_out_of_the_bin_is_told_by_a_sweep(desk: Desk) -> None:
    (id_,) = desk.rig.create(1)
    desk.sync()
    desk.rig.delete([id_])
    desk.sync()
    desk.act("gdpr_delete", id_)
    with closing(desk.rig.connect()) as other:
        pages = drive(desk.rig, other, desk.position(), Mode.RECONCILE).pages
    told = {one.ref.id: one for page in pages for one in page.removals}
    assert told[id_].loss is Loss.FORGOTTEN
    assert told[id_].actor.id == desk.rig.user.id


def test_most_records_without_a_trace_are_a_question(desk: Desk) -> None:
    made = desk.rig.create(300)
    desk.sync()
    desk.rig.turn(HOUR)
    for start in range(0, 300, 100):
        desk.act("purge", *made[start : start + 100])
    run = desk.sync(Mode.RECONCILE)
    assert run.state == "stopped"
    assert run.failure is not None
    assert "no trace of 300" in run.failure.message
    assert desk.story(made[0])[-1].op is Op.BASELINE
    assert desk.sync(Mode.RECONCILE, accept_loss=True).state == "done"
    assert desk.story(made[0])[-1].op is Op.DELETE


def test_what_comes_and_goes_during_a_sweep_is_neither_lost_nor_gone(desk: Desk) -> None:
    made = list(desk.rig.create(250))
    desk.sync()
    desk.rig.turn(HOUR)
    new: list[str] = []
    desk.between = [
        lambda: new.extend(desk.rig.create(2)),
        lambda: desk.rig.delete([made[240]]),
        lambda: desk.rig.update([made[0], made[249]], {desk.rig.text_field: "meanwhile"}),
    ]
    run = desk.sync(Mode.RECONCILE)
    assert run.state == "done", run.failure
    assert not run.gaps
    desk.rig.turn(60)
    desk.sync()
    vanished = [id_ for id_ in made if desk.story(id_)[-1].op is Op.DELETE]
    assert vanished == [made[240]]
    assert {desk.story(id_)[0].op for id_ in new} == {Op.CREATE}
    for id_ in (made[0], made[249]):
        assert desk.values(id_) == [("null", '"meanwhile"', desk.rig.user.id)]


def test_a_change_that_no_poll_saw_keeps_its_author(desk: Desk) -> None:
    (id_,) = desk.rig.create(1)
    desk.sync()
    # The index shows the change only when no poll reads back so far any more.
    desk.rig.sandbox.act("hubspot", do="index_lag", seconds=10 * HOUR)
    desk.rig.turn(HOUR)
    desk.rig.update([id_], {desk.rig.text_field: "unseen"}, by=desk.rig.app)
    desk.rig.turn(HOUR)
    assert desk.sync().kept.changes == 0
    assert desk.sync(Mode.RECONCILE).state == "done"
    assert desk.values(id_) == [("null", '"unseen"', desk.rig.app.id)]


def test_the_edit_before_an_archiving_is_not_lost(desk: Desk) -> None:
    (id_,) = desk.rig.create(1)
    desk.sync()
    desk.rig.turn(HOUR)
    desk.rig.update([id_], {desk.rig.text_field: "last words"}, by=desk.rig.app)
    desk.rig.delete([id_])
    desk.sync()
    assert desk.values(id_) == [("null", '"last words"', desk.rig.app.id)]
    assert [made.op for made in desk.story(id_)] == [Op.BASELINE, Op.UPDATE, Op.DELETE]
