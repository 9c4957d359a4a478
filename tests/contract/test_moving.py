"""A store copied from one database to another: all of it, or nothing that passes for a store."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from crmtrail.errors import Locked, Mistake, NoStore, VerifyFailed
from crmtrail.model import Mode
from scheduler.lease import SqlLeases, this_process
from snapshot import moving
from snapshot.database import writing
from snapshot.engine import open_store
from snapshot.keys.memory import MemoryKeyring
from snapshot.keys.policy import Subjects
from snapshot.moving import copy_store
from snapshot.place import connect, place_of
from snapshot.soundness import looked_through
from snapshot.vault import Vault
from support.full_store import SECRET, dump, full_store
from support.postgres_server import fresh_database
from support.readings import T0, HandClock, at, ref
from support.store_rig import TTL

LATER = at(5_000)
KINDS = ("sqlite", "postgresql")


@pytest.fixture
def keys():
    return MemoryKeyring()


@pytest.fixture
def store(tmp_path, keys):
    with full_store(tmp_path, keys) as made:
        yield made


@contextmanager
def new_place(kind: str, folder: Path):
    """Give the URL of a database with nothing in it."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/{len(list(folder.iterdir()))}.db"
    else:
        with fresh_database() as url:
            yield url


@contextmanager
def moved(source, url, *, now=LATER):
    target = connect(place_of(url))
    try:
        yield copy_store(source, target, place_of(url), now=now), target
    finally:
        target.dispose()


def test_there_and_back_again_nothing_has_changed(store, tmp_path):
    before, head = dump(store.engine), store.checkpoint(LATER)
    assert {name for name, rows in before.items() if rows} >= {
        "version", "change", "keyframe", "codec", "leaf", "tile", "plan_step", "incident",
        "operation", "anchor", "succession", "subject_index", "identity", "gap", "lease",
    }  # fmt: skip
    source = store.engine
    with ExitStack() as stack:
        for kind in ("postgresql", "postgresql", "sqlite", "sqlite"):
            url = stack.enter_context(new_place(kind, tmp_path))
            made, source = stack.enter_context(moved(source, url))
            assert (made.entries, made.root) == (head.size, head.root)
            assert dump(source) == before
            assert made.rows == {name: len(rows) for name, rows in before.items()}
        assert looked_through(source, open_at(url).verify).ok


@contextmanager
def opened(url, keys=None):
    store = open_at(url, keys)
    try:
        yield store
    finally:
        store.close()


def open_at(url, keys=None):
    vault = Vault(keys, Subjects()) if keys else None
    return open_store(url, HandClock(LATER), create=False, vault=vault)


@pytest.mark.parametrize("kind", KINDS)
def test_the_copy_is_a_store_that_goes_on(store, keys, tmp_path, kind):
    with new_place(kind, tmp_path) as url:
        with moved(store.engine, url):
            pass
        with opened(url, keys) as copy:
            head = copy.version(ref("005"))
            assert SECRET in head.fields["Email"]
            assert head == store.version(ref("005"))
            first = copy.begin("sf", "Contact", Mode.FULL, T0)
            assert first == 3, "ids go on behind those that were copied"
            copy.finish(first, state="done", at=LATER, api_calls=0)
            assert copy.verify().ok


def test_what_is_sealed_is_copied_sealed(store, tmp_path):
    with moved(store.engine, f"sqlite:///{tmp_path}/copy.db"):
        pass
    assert SECRET.encode() not in (tmp_path / "copy.db").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_is_not_empty_is_refused_and_left_alone(store, tmp_path, kind):
    with new_place(kind, tmp_path) as url, moved(store.engine, url) as (_, target):
        before = dump(target)
        with pytest.raises(Mistake, match="is not empty"):
            copy_store(store.engine, target, place_of(url), now=LATER)
        assert dump(target) == before


def test_a_store_that_is_worked_on_is_refused_unless_it_is_a_backup(store, tmp_path):
    leases = SqlLeases(store.engine, HandClock(LATER))
    lease = leases.acquire("sf", "Contact", this_process(), TTL)
    url = f"sqlite:///{tmp_path}/copy.db"
    with pytest.raises(Locked, match="sf:Contact is being worked on"), moved(store.engine, url):
        pass
    with moved(store.engine, url, now=None) as (made, _):
        assert made.entries == store.checkpoint(LATER).size
    leases.release(lease)
    with moved(store.engine, f"sqlite:///{tmp_path}/other.db") as (made, _):
        assert made.entries == store.checkpoint(LATER).size


@pytest.mark.parametrize("kind", KINDS)
def test_an_altered_store_is_not_copied(store, tmp_path, kind):
    with writing(store.engine) as connection:
        connection.exec_driver_sql("UPDATE record SET deleted = 1 WHERE record_id = 3")
    with new_place(kind, tmp_path) as url:
        with pytest.raises(VerifyFailed, match="the store was altered"), moved(store.engine, url):
            pass
        left = connect(place_of(url))
        assert moving.is_free(left)
        left.dispose()
        with writing(store.engine) as connection:
            connection.exec_driver_sql("UPDATE record SET deleted = 0 WHERE record_id = 3")
        with moved(store.engine, url) as (made, _):
            assert made.entries == store.checkpoint(LATER).size


KILLED = """
import os, signal, sys
from snapshot import bulk, moving
from snapshot.place import connect, place_of
from support.full_store import LATER_FOR_KILLS
moment, source, target = sys.argv[1:]
def strike(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
insert = bulk.insert
def until(connection, table, columns, rows):
    insert(connection, table, columns, rows)
    if table == moment:
        strike()
bulk.insert = until
if moment == "verified":
    moving.verify = strike
moving.copy_store(
    connect(place_of(source)), connect(place_of(target)), place_of(target), now=LATER_FOR_KILLS
)
"""


@pytest.mark.parametrize("moment", ["change", "verified"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_in_the_middle_leaves_nothing_that_passes_for_a_store(store, tmp_path, kind, moment):
    source = f"sqlite:///{tmp_path}/crmtrail.db"
    with new_place(kind, tmp_path) as url:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, moment, source, url],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        words = "unfinished copy" if moment == "verified" else "no store at"
        if kind == "postgresql" or moment == "verified":
            with pytest.raises(NoStore, match=words), opened(url):
                pass
        with moved(store.engine, url) as (made, target):
            assert made.entries == store.checkpoint(LATER).size
            assert dump(target) == dump(store.engine)
