"""Polls before their time: few, and none missing."""

from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.hooks.early import Early
from scheduler.dispatch import Job, Priority

CONTACTS = Job("sync", "hs", "contacts")
DEALS = Job("sync", "hs", "deals")
START = datetime(2026, 11, 24, tzinfo=UTC)
DELAY = 10


class Desk:
    """A dispatcher whose time is turned by hand: jobs start when they are due, and end at once."""

    def __init__(self):
        self.time = START
        self.waiting = {}
        self.ran = []
        self.closed = False
        self.early = Early(self, self, timedelta(seconds=DELAY))

    def now(self):
        return self.time

    def submit(self, job, *, not_before=None, priority=Priority.POLL):
        if self.closed or job in self.waiting:
            return False
        self.waiting[job] = not_before or self.time
        return True

    def at(self, second):
        """Let time pass up to a second after the start."""
        end = START + timedelta(seconds=second)
        while due := [at for at in self.waiting.values() if at <= end]:
            self.time = max(self.time, min(due))
            for job in [job for job, at in self.waiting.items() if at <= self.time]:
                del self.waiting[job]
                self.early.begun(job)
                self.ran.append((job.object, (self.time - START).total_seconds()))
        self.time = end
        return self.ran


@pytest.fixture
def desk():
    return Desk()


def test_an_event_leads_to_one_poll_after_the_delay(desk):
    assert desk.early.ask([CONTACTS, DEALS]) == 2
    assert desk.at(9.9) == []
    assert desk.at(1_000) == [("contacts", 10), ("deals", 10)]


def test_duplicates_lead_to_no_further_polls_than_one(desk):
    assert [desk.early.ask([CONTACTS]) for _ in range(50)] == [1, *[0] * 49]
    assert desk.at(1_000) == [("contacts", 10), ("contacts", 20)]


def test_an_event_just_before_a_poll_gets_another_one_that_is_late_enough(desk):
    desk.early.ask([CONTACTS])
    desk.at(9)
    desk.early.ask([CONTACTS])
    assert desk.at(1_000) == [("contacts", 10), ("contacts", 20)]


def test_a_stream_of_events_is_polled_once_in_each_delay_and_once_at_its_end(desk):
    for second in range(0, 60, 2):
        desk.at(second)
        desk.early.ask([CONTACTS])
    times = [at for _, at in desk.at(1_000)]
    assert times == [10, 20, 30, 40, 50, 60, 70]


def test_a_regular_poll_that_waits_already_does_not_count_for_the_event(desk):
    desk.submit(CONTACTS, not_before=START + timedelta(seconds=1))
    assert desk.early.ask([CONTACTS]) == 0
    assert desk.at(1_000) == [("contacts", 1), ("contacts", 11)]


def test_whose_delay_is_over_goes_at_once(desk):
    desk.early.ask([CONTACTS], waited=True)
    assert desk.at(0) == [("contacts", 0)]


def test_a_closed_dispatcher_is_no_fault(desk):
    desk.closed = True
    assert desk.early.ask([CONTACTS]) == 0
    desk.early.begun(CONTACTS)
    assert desk.at(1_000) == []
