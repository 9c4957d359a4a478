"""A run that sees every live record: what moved is read, what is missing is looked for."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from crmtrail.model import ActorKind, Field, Gap, Mode, Op, Page, Ref, Sighting
from crmtrail.ports import ignore
from scheduler.runner import Runner
from scheduler.sweep import FEW
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.memory_connector import MemoryConnector, Ticking
from support.restoring import SYNC, US, schema

SCHEMA = schema(Field("Phone"))
OBJECT = SCHEMA.object
PEOPLE = 60


class Sweeping:
    """The CRM, with a sweep that sights records by hundreds, and what happens before its end."""

    def __init__(self, inner: MemoryConnector, clock: Ticking, page: int = 25) -> None:
        self.inner = inner
        self.clock = clock
        self.size = page
        self.unshown: set[str] = set()
        self.asked: list[str] = []
        self.pauses: list[float] = []
        self.broken: Exception | None = None
        self.members: tuple[str, ...] = ()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def start(self, object_, position, mode):
        if mode is Mode.RECONCILE:
            return "sweep:"
        return self.inner.start(object_, position, mode)

    def page(self, object_, cursor):
        if not cursor.startswith("sweep:"):
            return replace(self.inner.page(object_, cursor), members=self.members)
        began, _, after = cursor.removeprefix("sweep:").partition("|")
        now = self.clock.now()
        began = began or now.isoformat()
        live = sorted(
            id_
            for id_, thing in self.inner.things.items()
            if not thing.deleted and id_ not in self.unshown and id_ > after
        )
        shown = live[: self.size]
        done = len(live) <= self.size
        swept = type(now).fromisoformat(began)
        return Page(
            object_,
            self.inner.start(object_, None, Mode.FULL) if done else f"sweep:{began}|{shown[-1]}",
            done=done,
            sightings=[Sighting(id_, self.inner.things[id_].modified_at) for id_ in shown],
            sighted_at=now,
            swept=swept if done else None,
            complete_to=now if done else None,
            watermark=now if done else None,
            pause=self.pauses.pop(0) if self.pauses else 0.0,
        )

    def read(self, object_, ids, *, trail=False):
        self.asked += ids
        if self.broken is not None:
            error, self.broken = self.broken, None
            raise error
        return self.inner.read(object_, ids, trail=trail)


@dataclass
class Office:
    clock: Ticking = field(default_factory=Ticking)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leases = MemoryLeases(self.clock)
        self.store = MemoryStore(self.clock, self.leases)
        self.people = MemoryConnector(SCHEMA, self.clock)
        self.crm = Sweeping(self.people, self.clock)
        for number in range(PEOPLE):
            self.people.create(f"003{number:04}", {"Phone": f'"{number}"'}, SYNC)
        assert self.run(Mode.INCREMENTAL).kept.created == PEOPLE
        self.clock.move(timedelta(hours=1))

    def run(self, mode=Mode.RECONCILE, **more):
        runner = Runner(
            self.store,
            self.leases,
            self.clock,
            ignore,
            holder="here:1:1",
            ttl=timedelta(minutes=1),
            sleep=self.slept.append,
        )
        return runner.run(self.crm, OBJECT, mode, **more)

    def last(self, id_):
        return self.store.timeline(Ref(SCHEMA.source, OBJECT, id_))[-1]


@pytest.fixture
def office():
    return Office()


def test_a_sweep_that_finds_nothing_new_reads_nothing(office):
    run = office.run()
    assert (run.state, run.kept.updated, run.kept.deleted) == ("done", 0, 0)
    assert office.crm.asked == []


def test_what_moved_is_read_and_stored(office):
    office.people.edit("0030007", {"Phone": '"new"'}, US)
    run = office.run()
    assert office.crm.asked == ["0030007"]
    assert (run.kept.updated, office.last("0030007").actor) == (1, US)


def test_what_is_missing_and_not_answered_for_has_vanished(office):
    office.people.things.pop("0030007")
    run = office.run()
    assert office.crm.asked == ["0030007"]
    assert run.kept.deleted == 1
    gone = office.last("0030007")
    assert (gone.op, gone.actor.kind) == (Op.DELETE, ActorKind.UNKNOWN)
    assert office.store.version(gone.ref).deleted
    assert run.complete_to == office.store.standing(SCHEMA.source, OBJECT).complete_to


def test_what_is_missing_and_answered_for_is_alive(office):
    office.crm.unshown.add("0030007")
    run = office.run()
    assert (office.crm.asked, run.kept.deleted) == (["0030007"], 0)


def test_what_lies_in_the_bin_is_told_by_the_bin(office):
    office.people.delete("0030007", US)
    assert office.run().kept.deleted == 1
    assert office.last("0030007").actor == US


def test_a_sudden_absence_of_most_records_is_a_question(office):
    for number in range(PEOPLE - 10):
        office.people.things.pop(f"003{number:04}")
    run = office.run()
    assert run.state == "stopped"
    assert "no trace of 50 of 60 records" in run.failure.message
    assert "--accept-loss" in run.failure.hint
    assert office.store.standing(SCHEMA.source, OBJECT).records == PEOPLE

    office.people.edit("0030059", {"Phone": '"new"'}, US)
    assert office.run(Mode.INCREMENTAL).kept.updated == 1, "polls go on meanwhile"
    believed = office.run(accept_loss=True)
    assert (believed.state, believed.kept.deleted) == ("done", PEOPLE - 10)


def test_an_absence_that_was_none_is_forgotten_by_the_next_sweep(office):
    office.crm.unshown = {f"003{number:04}" for number in range(PEOPLE - 10)}
    assert office.run().state == "stopped"
    office.crm.unshown.clear()
    office.clock.move(timedelta(minutes=5))
    run = office.run()
    assert (run.state, run.kept.deleted, office.crm.asked) == ("done", 0, [])


def test_a_few_missing_records_are_no_question(office):
    for number in range(PEOPLE - FEW, PEOPLE):
        office.people.things.pop(f"003{number:04}")
    assert office.run().kept.deleted == FEW


def test_a_failure_while_looking_loses_nothing(office):
    office.people.things.pop("0030007")
    office.crm.broken = ConnectionError("down")
    with pytest.raises(ConnectionError):
        office.run()
    assert office.store.standing(SCHEMA.source, OBJECT).records == PEOPLE
    assert office.run().kept.deleted == 1


def test_a_pause_is_kept_in_steps_and_a_stop_ends_it(office):
    office.crm.pauses = [2.5]
    assert office.run().state == "done"
    assert office.slept == [1.0, 1.0, 0.5]

    office.slept.clear()
    office.crm.pauses = [30.0]
    run = office.run(stopping=lambda: len(office.slept) >= 2)
    assert (run.state, len(office.slept)) == ("stopped", 2)


def test_gaps_of_the_last_page_are_kept_once(office):
    page = office.crm.page
    gap = Gap(OBJECT, None, None, "told twice")

    def with_gap(object_, cursor):
        found = page(object_, cursor)
        return replace(found, gaps=(gap,)) if found.done else found

    office.crm.page = with_gap
    assert office.run().gaps == (gap,)


def test_a_member_that_a_whole_set_lacks_is_asked_for(office):
    office.people.edit("0030007", {"Phone": '"new"'}, US)
    office.people.things.pop("0030008")
    office.crm.members = ("003000",)
    run = office.run(Mode.INCREMENTAL)
    assert office.crm.asked == [f"003000{n}" for n in range(10) if n != 7]
    assert (run.kept.updated, run.kept.deleted) == (1, 0), "no answer is no deletion"
