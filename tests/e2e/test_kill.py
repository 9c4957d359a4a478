"""kill -9 at random moments of a sync and of a restore; then the same command again."""

import sys
from collections.abc import Iterator

import pytest

from support.kill_bench import SOURCES, KillBench, Usual, kill_bench
from support.killable import CommandLine
from support.mishap import Mishap
from support.watched_sandbox import WRITES, Cue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 25
"""For each of the two CRMs."""

SEVERAL_PAGES = {"salesforce": 3_700, "hubspot": 1_200}
"""Records enough for several pages of contacts."""

A_FEW_HUNDRED = 1_000

LATER = 20 * 60
"""Seconds; more than the overlap with which polls read back."""


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("cli")) as made:
        yield made


@pytest.mark.parametrize("crm", SOURCES)
def test_a_killed_sync_loses_nothing_and_doubles_nothing(crm, cli, tmp_path, capsys):
    with kill_bench(crm, cli, tmp_path, records=SEVERAL_PAGES[crm], seed="sync") as bench:
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
            sys.stdout.write(f"\n{told(bench)} of a sync of {crm}: 0 lost, 0 doubled\n")


def kill_a_sync(bench: KillBench, first: Usual, later: Usual, number: int) -> None:
    """Change something, kill the sync of it once or twice, and sync to the end."""
    usual = later
    cues: tuple[Cue, ...] = ()
    if number % 3 == 2:
        bench.new_store()
        usual = first
    else:
        bench.office.rest()
        bench.office.work()
        if number % 2:  # too late for the next poll to read it once more in its overlap
            bench.watched.server.world.clock.turn(LATER)
        if number % 3 == 0:
            cues = (edit_meanwhile(bench, usual),)
    if number == 1:
        bench.kill(bench.by_request(usual.requests), "sync", from_shell=True)
    for _ in range(bench.rng.randint(1, 2)):
        moment = bench.rng.choice((bench.by_clock(usual), bench.by_request(usual.requests)))
        bench.kill(moment, "sync", cues=cues)
    bench.sync()
    if cues:
        bench.sync()  # the first one may have begun before the edit


def edit_meanwhile(bench: KillBench, usual: Usual) -> Cue:
    desk = bench.rng.choice(bench.office.kind.desks)
    at = bench.rng.randint(1, usual.requests)
    return Cue(at, "carried out", lambda: bench.office.edit(desk, 20))


def told(bench: KillBench) -> str:
    sorts = ", ".join(f"{count} {sort}" for sort, count in sorted(bench.kills.items()) if count)
    return f"{bench.kills.total()} kills ({sorts})"


APPLIED = (0, 3)
"""Exit codes of an apply that went through: all restored, or some left to colleagues."""


@pytest.mark.parametrize("crm", SOURCES)
def test_a_killed_restore_writes_each_record_once(crm, cli, tmp_path, capsys):
    with kill_bench(crm, cli, tmp_path, records=A_FEW_HUNDRED, seed="apply") as bench:
        bench.sync()
        mishap = Mishap.strike(bench)
        usual = bench.timed("apply", mishap.plan, "--yes")
        plans = 0
        for number in range(2 * KILLS):
            if bench.kills.total() >= KILLS:
                break
            kill_a_restore(bench, usual, number)
            plans += 1
        bench.sync()
        # Salesforce keeps no history: what came and went between two polls cannot be known.
        found = bench.auditor.audit(bench.url, since=bench.since if crm == "hubspot" else None)
        assert not found, found
        assert bench.kills.total() >= KILLS
        with capsys.disabled():
            what = f"{plans} restores on {crm}: 0 written twice, 0 overwritten"
            sys.stdout.write(f"\n{told(bench)} of {what}\n")


def kill_a_restore(bench: KillBench, usual: Usual, number: int) -> None:
    """Kill the apply of one plan two to four times, and apply it to its end."""
    mishap = Mishap.strike(bench)
    command = ("apply", mishap.plan, "--yes")
    for attempt in range(bench.rng.randint(2, 4)):
        cues: tuple[Cue, ...] = ()
        if bench.rng.random() < 0.3:
            cues = (Cue(1, "carried out", mishap.interfere, WRITES[mishap.crm]),)
        moments = (
            bench.by_clock(usual),
            bench.by_request(usual.requests),
            bench.by_request(2, WRITES[mishap.crm]),
        )
        shell = number == 1 and attempt == 0
        moment = moments[2] if shell else bench.rng.choice(moments)
        bench.kill(moment, *command, cues=cues, from_shell=shell)
        if bench.rng.random() < 0.4:
            mishap.interfere()
        if bench.rng.random() < 0.2:
            bench.sync()
    answer = bench.ask(*command, codes=APPLIED)
    problems = list(mishap.problems(answer))
    assert not problems, problems
