from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from crmtrail.errors import CredentialsRefused, CursorLost, Mistake, Unavailable
from crmtrail.model import Field, Gap, Mode, Page, Usage
from crmtrail.ports import ignore
from scheduler.runner import Runner
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.memory_connector import MemoryConnector, Ticking
from support.restoring import SYNC, T0, schema

TTL = timedelta(minutes=1)
SCHEMA = schema(Field("Phone"))
OBJECT = SCHEMA.object
PEOPLE = 250


@dataclass
class Office:
    clock: Ticking
    leases: MemoryLeases
    store: MemoryStore
    crm: MemoryConnector

    def runner(self, holder="here:1:1"):
        return Runner(self.store, self.leases, self.clock, ignore, holder=holder, ttl=TTL)

    def run(self, mode=Mode.INCREMENTAL, crm=None, **more):
        return self.runner().run(crm or self.crm, OBJECT, mode, **more)

    @property
    def standing(self):
        return self.store.standing(SCHEMA.source, OBJECT)


class Stubborn:
    """A connector whose pages fail on demand; everything else is the CRM's."""

    def __init__(self, inner, errors):
        self.inner = inner
        self.errors = errors
        self.starts = []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def start(self, object_, position, mode):
        self.starts.append((position, mode))
        return self.inner.start(object_, position, mode)

    def page(self, object_, cursor):
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return self.inner.page(object_, cursor)


@pytest.fixture
def office():
    clock = Ticking()
    leases = MemoryLeases(clock)
    crm = MemoryConnector(SCHEMA, clock)
    for number in range(PEOPLE):
        crm.create(f"003{number:04}", {"Phone": f'"{number}"'}, SYNC)
    return Office(clock, leases, MemoryStore(clock, leases), crm)


def test_a_run_reads_every_page_and_tells_what_it_did(office):
    told = []
    run = office.run(progress=told.append)
    assert (run.state, run.kept.read, run.kept.created) == ("done", PEOPLE, PEOPLE)
    assert run.complete_to == office.standing.complete_to
    assert run.api_calls == office.crm.calls
    assert [one.kept.read for one in told] == [100, 200, PEOPLE]
    assert office.standing.last_run == "done"


def test_a_stopped_run_keeps_its_pages_and_the_next_one_goes_on(office):
    first = office.run(stopping=lambda: True)
    assert (first.state, first.kept.read) == ("stopped", 100)
    second = office.run()
    assert (second.state, second.kept.read) == ("done", PEOPLE - 100)
    assert office.standing.records == PEOPLE


def test_a_failure_keeps_what_was_read_and_is_told_with_its_exit_code(office):
    refused = CredentialsRefused("the token has expired", hint="make a new one")
    run = office.run(crm=Stubborn(office.crm, [None, refused]))
    assert (run.state, run.kept.read) == ("failed", 100)
    assert run.failure is not None
    assert (run.failure.message, run.failure.exit_code) == ("the token has expired", 12)
    assert office.standing.last_run == "failed"
    assert office.run().state == "done"
    assert office.standing.records == PEOPLE


def test_a_lost_cursor_reads_everything_again_once(office):
    crm = Stubborn(office.crm, [None, CursorLost("the locator died")])
    run = office.run(crm=crm)
    assert run.state == "done"
    assert crm.starts[-1] == (None, Mode.FULL)
    assert office.standing.records == PEOPLE
    assert office.standing.versions == PEOPLE, "what was read before is not stored twice"
    again = office.run(crm=Stubborn(office.crm, [CursorLost("again"), CursorLost("and again")]))
    assert again.state == "failed"


def test_an_object_that_another_runner_holds_is_left_alone(office):
    lease = office.leases.acquire(SCHEMA.source, OBJECT, "elsewhere:9:9", TTL)
    assert lease is not None
    run = office.run()
    assert (run.state, run.failure.exit_code) == ("locked", 11)
    assert office.crm.calls == 0
    office.leases.release(lease)
    assert office.run().state == "done"


class Sleeper(Stubborn):
    """Falls asleep beyond its lease while another runner takes over, then delivers its page."""

    def __init__(self, inner, office):
        super().__init__(inner, [])
        self.office = office

    def page(self, object_, cursor):
        found = super().page(object_, cursor)
        self.office.clock.move(2 * TTL)
        assert self.office.leases.acquire(SCHEMA.source, OBJECT, "elsewhere:9:9", TTL)
        return found


def test_a_runner_that_lost_its_lease_stores_nothing(office):
    run = office.run(crm=Sleeper(office.crm, office))
    assert (run.state, run.failure.exit_code) == ("failed", 11)
    assert office.standing.records == 0
    assert office.standing.cursor is None


class Holey(Stubborn):
    def page(self, object_, cursor) -> Page:
        found = super().page(object_, cursor)
        gap = Gap(OBJECT, None, T0, "the vendor no longer tells deletions before that day")
        return replace(found, gaps=(gap,)) if found.done else found


def test_gaps_are_told_and_kept(office):
    run = office.run(crm=Holey(office.crm, []))
    assert [gap.why for gap in run.gaps] == [gap.why for gap in office.standing.gaps]
    assert len(run.gaps) == 1


def test_an_unexpected_error_closes_the_run_and_is_not_swallowed(office):
    with pytest.raises(ZeroDivisionError):
        office.run(crm=Stubborn(office.crm, [ZeroDivisionError()]))
    assert office.standing.last_run == "failed"
    assert office.run(crm=Stubborn(office.crm, [Unavailable("down")])).state == "failed"
    assert office.run().state == "done"


class Counting(Stubborn):
    """Tells with its last page how many records are live, and what it thinks of our budget."""

    def __init__(self, inner, count):
        super().__init__(inner, [])
        self.count = count

    def page(self, object_, cursor):
        found = super().page(object_, cursor)
        return replace(found, expected=self.count) if found.done else found

    def usage(self):
        return Usage(18, 15_000)


def test_a_count_that_differs_is_a_gap_of_the_run_and_of_the_store(office):
    office.run()
    run = office.run(Mode.RECONCILE, crm=Counting(office.crm, PEOPLE - 1))
    assert run.state == "done"
    [gap] = run.gaps
    assert gap.why.startswith("the CRM counts 249 live records, the store holds 250: 1 was not")
    assert office.standing.gaps == run.gaps
    assert office.run(Mode.RECONCILE, crm=Counting(office.crm, PEOPLE)).gaps == ()
    assert office.standing.gaps == ()


def test_the_last_word_on_the_budget_is_kept(office):
    office.run(crm=Counting(office.crm, PEOPLE))
    assert office.store.usage(SCHEMA.source).usage == Usage(18, 15_000)


class Forgetful(Stubborn):
    """Knows no object at all."""

    def schema(self, object_):
        raise Mistake(f"there is no object {object_}", hint="check the spelling")


def test_an_object_that_the_vendor_does_not_know_leaves_nothing(office):
    run = office.run(crm=Forgetful(office.crm, []))
    assert (run.state, run.failure.exit_code) == ("failed", 2)
    assert office.store.standings() == []
    office.run()
    again = office.run(crm=Forgetful(office.crm, []))
    assert again.state == office.standing.last_run == "failed"
    assert office.standing.records == PEOPLE
