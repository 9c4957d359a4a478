import threading
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.dispatch import Job, Priority, ThreadDispatcher

CONTACTS = Job("sync", "sf", "Contact")
ACCOUNTS = Job("sync", "sf", "Account")
DEALS = Job("sync", "hs", "deals")


class Wall:
    def now(self):
        return datetime.now(UTC)


class Desk:
    """Work that waits for the test's word before it ends."""

    def __init__(self):
        self.started = []
        self.gate = threading.Semaphore(0)
        self.changed = threading.Condition()

    def work(self, job):
        with self.changed:
            self.started.append(job)
            self.changed.notify_all()
        self.gate.acquire()
        if job.object == "broken":
            raise RuntimeError("this job fails")

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.started) >= count, timeout=10)


@pytest.fixture
def desk():
    return Desk()


def dispatcher(desk, workers=1):
    return ThreadDispatcher(desk.work, Wall(), workers=workers)


def closed(made, desk):
    desk.gate.release(100)
    made.close()


def test_a_job_that_waits_already_is_not_queued_again(desk):
    made = dispatcher(desk)
    assert made.submit(CONTACTS)
    assert not made.submit(CONTACTS)
    made.start()
    desk.wait_for(1)
    assert made.submit(CONTACTS), "one that runs may be asked for once more"
    assert not made.submit(CONTACTS)
    desk.gate.release(2)
    desk.wait_for(2)
    closed(made, desk)
    assert desk.started == [CONTACTS, CONTACTS]


def test_a_job_never_runs_twice_at_the_same_time(desk):
    made = dispatcher(desk, workers=3)
    made.start()
    made.submit(CONTACTS)
    desk.wait_for(1)
    made.submit(CONTACTS)
    made.submit(DEALS)
    desk.wait_for(2)
    assert desk.started == [CONTACTS, DEALS]
    desk.gate.release(2)
    desk.wait_for(3)
    closed(made, desk)


def test_restores_go_before_polls(desk):
    made = dispatcher(desk)
    made.submit(CONTACTS)
    made.submit(ACCOUNTS, priority=Priority.RECONCILE)
    made.submit(DEALS, priority=Priority.RESTORE)
    made.start()
    desk.gate.release(3)
    desk.wait_for(3)
    closed(made, desk)
    assert desk.started == [DEALS, CONTACTS, ACCOUNTS]


def test_a_job_waits_for_its_time(desk):
    made = dispatcher(desk)
    made.submit(CONTACTS, not_before=datetime.now(UTC) + timedelta(seconds=0.3))
    made.submit(DEALS)
    made.start()
    desk.gate.release(2)
    desk.wait_for(2)
    closed(made, desk)
    assert desk.started == [DEALS, CONTACTS]


def test_a_worker_outlives_a_job_that_fails(desk):
    made = dispatcher(desk)
    made.submit(Job("sync", "sf", "broken"))
    made.submit(CONTACTS)
    made.start()
    desk.gate.release(2)
    desk.wait_for(2)
    closed(made, desk)


def test_closing_ends_the_job_under_way_and_takes_no_more(desk):
    made = dispatcher(desk)
    made.submit(CONTACTS)
    made.submit(DEALS)
    made.start()
    desk.wait_for(1)
    closer = threading.Thread(target=made.close)
    closer.start()
    desk.gate.release(1)
    closer.join(timeout=10)
    assert not closer.is_alive()
    assert desk.started == [CONTACTS]
    assert not made.submit(ACCOUNTS)
