"""The families of faults, and how many cases of each a share holds."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from support.faults import attacks, calls, disks, flips, injecting, locks, victim
from support.faults.judging import Held, reference
from support.faults.kills import restores, syncs
from support.faults.tally import Row
from support.faults.victim import Place
from support.faults.workers import shared_out
from support.kill_bench import SOURCES
from support.killable import CommandLine
from support.postgres_server import running

SHARES: Final = ("sample", "whole")


@dataclass(frozen=True)
class Ground:
    """What every family starts from: a folder, a store that nothing ever happened to, a share."""

    folder: Path
    whole: bytes
    like: Held
    sample: bool
    jobs: int

    def count(self, sample: int, whole: int) -> int:
        """Return how many cases this share holds."""
        return sample if self.sample else whole


def run(folder: Path, names: Sequence[str], *, share: str, jobs: int) -> list[Row]:
    """Run some families and return their rows."""
    victim.install(folder / "plugin")
    warm = Place(folder / "warm")
    victim.warm_up(warm)
    like = reference(warm)
    ground = Ground(folder, warm.file.read_bytes(), like, share == "sample", jobs)
    rows: list[Row] = []
    for name in names:
        began = time.monotonic()
        made = [replace(row, kind=name) for row in ALL[name](ground)]
        rows += made
        cases = sum(row.cases for row in made)
        sys.stderr.write(f"{name}: {cases:,} cases in {time.monotonic() - began:,.0f} s\n")
    return rows


def _calls(ground: Ground) -> list[Row]:
    try:
        bench = calls.Bench(ground.folder / "calls", ground.like)
    except injecting.Untraceable as error:
        return [Row(calls.FAMILY, "all", note=f"NOT RUN: {error}")]
    cases = bench.cases(twice=ground.count(4, 200))
    if ground.sample:
        cases = calls.sampled(cases, 24)
    return shared_out(cases, bench.run, ground.jobs)


def _locks(ground: Ground) -> list[Row]:
    cases = locks.cases(ground.count(4, 200), ground.count(1, 8) / 2)
    return shared_out(cases, locks.Bench(ground.folder, ground.like).run, ground.jobs)


def _disks(ground: Ground) -> list[Row]:
    needed = 2 * len(ground.whole)
    bench = disks.Bench(ground.folder, ground.like)
    count = ground.count(4, 100)
    rows = shared_out(disks.cases(count, needed, mounted=False), bench.run, ground.jobs)
    why = disks.why_no_mount(ground.folder)
    if why:
        return [*rows, Row(disks.FAMILY, disks.MOUNTED, note=why)]
    return rows + shared_out(disks.cases(count, needed, mounted=True), bench.run, ground.jobs)


def _flips(ground: Ground) -> list[Row]:
    bench = flips.Bench(ground.folder, ground.whole)
    return shared_out(bench.cases(ground.count(40, 5_000)), bench.run, ground.jobs)


def _attacks(ground: Ground) -> list[Row]:
    bench = attacks.Bench(ground.folder / "attacks")
    return shared_out(attacks.cases(ground.count(2, 100)), bench.run, 1)


def _kills(ground: Ground) -> list[Row]:
    kills = ground.count(5, 100)
    rows: list[Row] = []
    for crm in SOURCES:
        folder = ground.folder / "kills" / crm
        folder.mkdir(parents=True)
        with CommandLine(folder) as cli:
            rows.append(syncs(crm, cli, folder, kills))
            rows.append(restores(crm, cli, folder, kills)[0])
    return rows


def _servers(ground: Ground) -> list[Row]:
    from support.faults import servers  # noqa: PLC0415 -- its driver is an extra

    try:
        server = running()
    except pytest.skip.Exception as missing:
        return [Row(servers.FAMILY, "all", note=f"NOT RUN: {missing}")]
    bench = servers.Bench(ground.folder / "servers", server, ground.like)
    bench.warm_up()
    return shared_out(servers.cases(ground.count(4, 100), ground.count(1, 100)), bench.run, 1)


ALL: Final[Mapping[str, Callable[[Ground], list[Row]]]] = {
    "calls": _calls,
    "locks": _locks,
    "disks": _disks,
    "flips": _flips,
    "servers": _servers,
    "attacks": _attacks,
    "kills": _kills,
}
