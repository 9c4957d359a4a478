"""kill -9 at random moments of a real sync and a real restore against the sandbox CRM.

The command line runs in processes of its own; the CRM's journal is the judge. After every kill the
same command is run again, to its end.
"""

from collections.abc import Iterator
from pathlib import Path

from support.faults.tally import Row
from support.kill_bench import KillBench, Usual, kill_bench
from support.killable import CommandLine
from support.mishap import Mishap
from support.watched_sandbox import WRITES, Cue

SYNC = "kill -9 of crmtrail sync, at any time"
RESTORE = "kill -9 of crmtrail apply, at any time"

SEVERAL_PAGES = {"salesforce": 3_700, "hubspot": 1_200}
"""Records enough for several pages of contacts."""

A_FEW_HUNDRED = 1_000

ROUNDS = 3
"""At least so many, however few kills are asked for: each sort of round comes once."""

LATER = 20 * 60
"""Seconds; more than the overlap with which polls read back."""

APPLIED = (0, 3)
"""Exit codes of an apply that went through: all restored, or some left to colleagues."""


def syncs(crm: str, cli: CommandLine, folder: Path, kills: int) -> Row:
    """Kill syncs of one CRM so many times; stop at the first violation."""
    row = Row(SYNC, crm)
    with kill_bench(crm, cli, folder, records=SEVERAL_PAGES[crm], seed="sync") as bench:
        first = bench.timed("sync")
        bench.office.work()
        later = bench.timed("sync")
        for number in range(ROUNDS + 2 * kills):
            if row.violations or (number >= ROUNDS and bench.kills.total() >= kills):
                break
            _kill_a_sync(bench, first, later, number)
            row.violations += _audited(bench)
        bench.ask("sync", "--full")
        row.violations += _audited(bench, counts=True)
        _count(row, bench)
    return row


def _audited(bench: KillBench, *, counts: bool = False) -> Iterator[str]:
    found = bench.auditor.audit(bench.url, since=bench.since, counts=counts)
    yield from (f"lost: {one}" for one in found.lost)
    yield from (f"doubled: {one}" for one in found.doubled)


def _count(row: Row, bench: KillBench) -> None:
    row.outcomes += bench.kills
    row.cases = bench.kills.total()


def _kill_a_sync(bench: KillBench, first: Usual, later: Usual, number: int) -> None:
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
            cues = (_edit_meanwhile(bench, usual),)
    if number == 1:
        bench.kill(bench.by_request(usual.requests), "sync", from_shell=True)
    for _ in range(bench.rng.randint(1, 2)):
        moment = bench.rng.choice((bench.by_clock(usual), bench.by_request(usual.requests)))
        bench.kill(moment, "sync", cues=cues)
    bench.sync()
    if cues:
        bench.sync()  # the first one may have begun before the edit


def _edit_meanwhile(bench: KillBench, usual: Usual) -> Cue:
    desk = bench.rng.choice(bench.office.kind.desks)
    at = bench.rng.randint(1, usual.requests)
    return Cue(at, "carried out", lambda: bench.office.edit(desk, 20))


def restores(crm: str, cli: CommandLine, folder: Path, kills: int) -> tuple[Row, int]:
    """Kill applies of plans so many times; return what followed, and how many plans it took."""
    row, plans = Row(RESTORE, crm), 0
    with kill_bench(crm, cli, folder, records=A_FEW_HUNDRED, seed="apply") as bench:
        bench.sync()
        mishap = Mishap.strike(bench)
        usual = bench.timed("apply", mishap.plan, "--yes")
        for number in range(ROUNDS + 2 * kills):
            if row.violations or bench.kills.total() >= kills:
                break
            row.violations += _kill_a_restore(bench, usual, number)
            plans += 1
        bench.sync()
        # Salesforce keeps no history: what came and went between two polls cannot be known.
        found = bench.auditor.audit(bench.url, since=bench.since if crm == "hubspot" else None)
        row.violations += [*found.lost, *found.doubled]
        _count(row, bench)
    return row, plans


def _kill_a_restore(bench: KillBench, usual: Usual, number: int) -> list[str]:
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
    return list(mishap.problems(answer))
