"""A runner that is killed in the middle: nothing is lost, nothing is there twice."""

import multiprocessing
import os
import signal
from datetime import timedelta

import pytest

from crmtrail.model import Mode
from crmtrail.ports import ignore
from scheduler.lease import SqlLeases, this_process
from snapshot.engine import open_store
from support.readings import OBJECT, SOURCE, T0, HandClock, page, reading, ref

PAGES = 24
EACH = 5
TTL = timedelta(hours=1)


def ids_of(no):
    return [f"003{no:03}{n}" for n in range(EACH)]


def run(folder, progress):
    """Keep pages from where the store stands until all are kept, telling of each."""
    clock = HandClock()
    store = open_store(f"sqlite:///{folder}/crmtrail.db", clock)
    lease = SqlLeases(store.engine, clock).acquire(SOURCE, OBJECT, this_process(), TTL)
    number = store.begin(SOURCE, OBJECT, Mode.FULL, T0)
    start = int(store.standing(SOURCE, OBJECT).cursor or 0)
    for no in range(start, PAGES):
        found = [reading(id_, {"No": no}, modified=no) for id_ in ids_of(no)]
        again = [reading(id_, {"No": no}, modified=no) for id_ in ids_of(max(no - 1, 0))]
        store.keep(
            page(*found, *again, cursor=str(no + 1)),
            source=SOURCE,
            run=number,
            lease=lease,
            notice=ignore,
        )
        progress.send(no)
    store.finish(number, state="done", at=T0, api_calls=PAGES)
    store.close()
    progress.send(None)


@pytest.mark.parametrize("step", [2, 5])
def test_killed_runs_add_up_to_one(tmp_path, step):
    context = multiprocessing.get_context("fork")
    kills, told = 0, []
    while not told or told[-1] is not None:
        mine, theirs = context.Pipe(duplex=False)
        runner = context.Process(target=run, args=(tmp_path, theirs))
        runner.start()
        theirs.close()
        for _ in range(step):
            told.append(mine.recv())
            if told[-1] is None:
                break
        else:
            os.kill(runner.pid, signal.SIGKILL)
            kills += 1
        runner.join()
        mine.close()

    # A runner goes on while its killer wakes up, so how many kills fit in is a matter of luck.
    assert kills
    store = open_store(f"sqlite:///{tmp_path}/crmtrail.db", HandClock())
    told = store.verify()
    standing = store.standing(SOURCE, OBJECT)
    assert told.ok, told.first_bad
    assert standing.records == PAGES * EACH
    assert standing.cursor == str(PAGES)
    for no in range(PAGES):
        for id_ in ids_of(no):
            made = store.timeline(ref(id_))
            expected = min(no + 1, PAGES - 1)
            assert [each.number for each in made] == list(range(1, len(made) + 1))
            assert len(made) == (1 if no == PAGES - 1 else 2)
            assert store.version(ref(id_)).fields == {"No": str(expected)}
    store.close()
