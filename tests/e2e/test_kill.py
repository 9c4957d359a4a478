"""kill -9 at random moments of a sync and of a restore; then the same command again."""

from collections.abc import Iterator

import pytest
from support.kill_bench import SOURCES, KillBench, Usual, kill_bench
from support.killable import CommandLine
from support.watched_sandbox import Cue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 25
"""For each of the two CRMs."""


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("cli")) as made:
        yield made


@pytest.mark.parametrize("crm", SOURCES)
def test_a_killed_sync_loses_nothing_and_doubles_nothing(crm, cli, tmp_path, capsys):
    with kill_bench(crm, cli, tmp_path, "sync") as bench:
        first = bench.timed("sync")
        bench.office.work()
        later = bench.timed("sync")
        for number in range(2 * KILLS):
            if bench.kills.total() >= KILLS:
                break
            kill_a_sync(bench, first, later, number)
            found = bench.auditor.audit(bench.url, since=bench.since)
            assert not found, found
        bench.ask("sync", "--full")
        found = bench.auditor.audit(bench.url, since=bench.since, counts=True)
        assert not found, found
        assert bench.kills.total() >= KILLS
        with capsys.disabled():
            print(f"\n{told(bench)} of a sync of {crm}: 0 lost, 0 doubled")


def kill_a_sync(bench: KillBench, first: Usual, later: Usual, number: int) -> None:
    """Change something, kill the sync of it once or twice, and sync to the end."""
    usual, cues = later, ()
    if number % 4 == 3:
        bench.new_store()
        usual = first
    else:
        bench.office.rest()
        bench.office.work()
        if number % 4 == 0:
            cues = (edit_meanwhile(bench, usual),)
    for _ in range(bench.rng.choice((1, 1, 2))):
        moment = bench.rng.choice((bench.by_clock(usual), bench.by_request(usual.requests)))
        bench.kill(moment, "sync", cues=cues, from_shell=number == 1)
    bench.sync()
    if cues:
        bench.sync()  # the first one may have begun before the edit


def edit_meanwhile(bench: KillBench, usual: Usual) -> Cue:
    desk = bench.rng.choice(bench.office.kind.desks)
    at = bench.rng.randint(1, usual.requests)
    return Cue(at, "carried out", lambda: bench.office.edit(desk, 20))


def told(bench: KillBench) -> str:
    sorts = ", ".join(f"{count} {sort}" for sort, count in sorted(bench.kills.items()))
    return f"{bench.kills.total()} kills ({sorts})"
