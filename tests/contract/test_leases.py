"""What every kind of lease promises."""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest

from scheduler.lease import SqlLeases, still_runs, this_process
from snapshot.database import connect, reading
from snapshot.engine import open_store
from snapshot.memory_leases import MemoryLeases
from snapshot.moments import store_time
from support.readings import HandClock
from support.store_rig import ServerHandClock, postgres_store

TTL = timedelta(minutes=2)
A_LITTLE = 30.0
NEAR = timedelta(seconds=20)
"""How long a slow machine may take between two questions to a server."""


@contextmanager
def sql_leases(folder, clock, alive):
    store = open_store(f"sqlite:///{folder}/crmtrail.db", clock)
    yield SqlLeases(store.engine, clock, alive)
    store.close()


@contextmanager
def server_leases(_folder, clock, alive):
    with postgres_store(clock) as store:
        clock.engine = store.engine
        yield SqlLeases(store.engine, clock, alive)


@contextmanager
def memory_leases(_folder, clock, alive):
    yield MemoryLeases(clock, alive)


@pytest.fixture
def clock():
    return ServerHandClock()


def in_a_ttl(moment, clock):
    """Whether a moment is a TTL from now, by the clock that the leases go by."""
    if clock.engine is None:
        return moment == clock.now() + TTL
    with reading(clock.engine) as connection:
        return abs(store_time(connection, clock.now()) + TTL - moment) < NEAR


@pytest.fixture
def dead():
    return set()


@pytest.fixture(params=[sql_leases, server_leases, memory_leases])
def leases(request, tmp_path, clock, dead):
    with request.param(tmp_path, clock, lambda holder: holder not in dead) as made:
        yield made


def test_one_holder_at_a_time(leases, clock):
    first = leases.acquire("sf", "Contact", "a", TTL)
    assert (first.source, first.object, first.holder) == ("sf", "Contact", "a")
    assert in_a_ttl(first.expires_at, clock)
    assert leases.acquire("sf", "Contact", "b", TTL) is None
    assert leases.acquire("sf", "Contact", "a", TTL) is None


def test_objects_and_sources_are_leased_apart(leases):
    keys = [("sf", "Contact"), ("sf", "Account"), ("hs", "Contact")]
    assert all(leases.acquire(*key, "a", TTL) for key in keys)


def test_an_expired_lease_can_be_taken_and_the_fence_grows(leases, clock):
    first = leases.acquire("sf", "Contact", "a", TTL)
    clock.move(TTL.total_seconds() - A_LITTLE)
    assert leases.acquire("sf", "Contact", "b", TTL) is None
    clock.move(2 * A_LITTLE)
    second = leases.acquire("sf", "Contact", "b", TTL)
    assert second.fence > first.fence
    assert leases.renew(first, TTL) is None


def test_renewing_extends(leases, clock):
    lease = leases.acquire("sf", "Contact", "a", TTL)
    clock.move(100)
    renewed = leases.renew(lease, TTL)
    assert renewed.fence == lease.fence
    assert in_a_ttl(renewed.expires_at, clock)
    clock.move(100)
    assert leases.acquire("sf", "Contact", "b", TTL) is None


def test_one_that_overslept_may_renew_if_nobody_took_over(leases, clock):
    lease = leases.acquire("sf", "Contact", "a", TTL)
    clock.move(TTL.total_seconds() * 3)
    assert leases.renew(lease, TTL).fence == lease.fence
    assert leases.acquire("sf", "Contact", "b", TTL) is None


def test_a_lease_given_back_is_free_and_cannot_be_renewed(leases):
    first = leases.acquire("sf", "Contact", "a", TTL)
    leases.release(first)
    assert leases.renew(first, TTL) is None
    second = leases.acquire("sf", "Contact", "b", TTL)
    assert second.fence > first.fence


def test_nobody_gives_back_what_another_holds(leases, clock):
    first = leases.acquire("sf", "Contact", "a", TTL)
    clock.move(TTL.total_seconds() + A_LITTLE)
    second = leases.acquire("sf", "Contact", "b", TTL)
    leases.release(first)
    assert leases.renew(second, TTL) is not None
    assert leases.acquire("sf", "Contact", "c", TTL) is None


def test_what_a_dead_process_held_is_taken_at_once(leases, dead):
    first = leases.acquire("sf", "Contact", "a", TTL)
    dead.add("a")
    second = leases.acquire("sf", "Contact", "b", TTL)
    assert second.fence > first.fence
    assert leases.renew(first, TTL) is None


def test_fences_only_grow(leases, clock):
    fences = []
    for _ in range(5):
        lease = leases.acquire("sf", "Contact", "a", TTL)
        fences.append(lease.fence)
        leases.release(lease)
    assert fences == sorted(set(fences))


# --- real processes ------------------------------------------------------------------------------

HOLDING = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from scheduler.lease import SqlLeases, this_process
from snapshot.database import connect

class Clock:
    def now(self):
        return datetime.now(UTC)

leases = SqlLeases(connect(Path(sys.argv[1])), Clock())
lease = leases.acquire("sf", "Contact", this_process(), timedelta(hours=1))
print(lease.fence, lease.holder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holding(tmp_path):
    """Another process that holds a lease until it is told to end."""
    path = tmp_path / "crmtrail.db"
    open_store(f"sqlite:///{path}", HandClock()).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        fence, holder = process.stdout.readline().split()
        yield path, process, int(fence), holder
        process.kill()


def test_a_killed_runner_is_succeeded_at_once(holding):
    path, process, fence, holder = holding
    engine = connect(path)
    leases = SqlLeases(engine, HandClock())
    assert still_runs(holder)
    assert leases.acquire("sf", "Contact", this_process(), TTL) is None

    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert not still_runs(holder)
    lease = leases.acquire("sf", "Contact", this_process(), TTL)
    assert lease.fence == fence + 1
    engine.dispose()


def test_a_stopped_runner_is_respected(holding):
    path, process, _, holder = holding
    os.kill(process.pid, signal.SIGSTOP)
    engine = connect(path)
    assert still_runs(holder)
    assert SqlLeases(engine, HandClock()).acquire("sf", "Contact", "b", TTL) is None
    engine.dispose()
    os.kill(process.pid, signal.SIGCONT)


def test_this_process_runs():
    holder = this_process()
    assert still_runs(holder)
    host, pid, start = holder.rsplit(":", 2)
    assert int(pid) == os.getpid()
    assert not still_runs(f"{host}:{pid}:{int(start) + 1}")  # the id was given to another process


@pytest.mark.parametrize("holder", ["elsewhere:1:1", "nonsense", "", "a:b:c", ":::"])
def test_in_doubt_a_holder_runs(holder):
    assert still_runs(holder)


def _take(path, barrier, taken):
    engine = connect(path)
    barrier.wait()
    lease = SqlLeases(engine, HandClock(), lambda _: True).acquire("sf", "Contact", "x", TTL)
    taken.put(None if lease is None else lease.fence)
    engine.dispose()


def test_of_many_at_once_one_wins(tmp_path):
    path = tmp_path / "crmtrail.db"
    open_store(f"sqlite:///{path}", HandClock()).close()
    context = multiprocessing.get_context("fork")
    barrier, taken = context.Barrier(4), context.Queue()
    runners = [context.Process(target=_take, args=(path, barrier, taken)) for _ in range(4)]
    for runner in runners:
        runner.start()
    found = [taken.get(timeout=60) for _ in runners]
    for runner in runners:
        runner.join()
    assert sorted(found, key=str) == [1, None, None, None]
