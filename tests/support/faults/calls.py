"""Every system call of a sync that changes or reads the store: killed before it, or made to fail.

First one run is watched, undisturbed. Then each of its calls is broken once for each fault that
fits its kind. After each break the store is judged as it lies there, the same command is run again
to its end, and the store is judged once more.
"""

import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.faults import victim
from support.faults.injecting import Fault, Occurrence, injected, traced
from support.faults.judging import Held, judged
from support.faults.tally import Row
from support.faults.victim import Ended, Place

FAMILY = "system call of a sync"
TWICE = "system call of a sync, then one of the sync after it"

KILL, EIO, ENOSPC = Fault("KILL"), Fault("EIO"), Fault("ENOSPC")
FULL = Fault("ENOSPC", lasts=True)

FAULTS: Mapping[str, Sequence[Fault]] = {"pwrite64": (KILL, ENOSPC, EIO, FULL), "pread64": (EIO,)}
"""By call; every other one is killed, or fails once in both ways."""

KILLED = -9
MISSED = "met another file"
TOLD = {1, 2, 10}
"""Exit codes of a bad disk: told (1), it cannot be opened (10), no key can be written (2)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call to be broken; ``again`` seeds the choice of a second one, of the run after it."""

    occurrence: Occurrence
    fault: Fault
    again: int | None = None

    def __str__(self) -> str:
        twice = "" if self.again is None else f" and again ({self.again})"
        one = self.occurrence
        return f"{self.fault} at {one.call} no. {one.number} of {one.file}{twice}"

    @property
    def row(self) -> tuple[str, str]:
        family = FAMILY if self.again is None else TWICE
        return family, f"{self.occurrence.call}: {self.fault}"


class Bench:
    """A folder to break stores in, what an undisturbed one holds, and the calls that it takes.

    Raises:
        Untraceable: no call can be broken here.
    """

    def __init__(self, folder: Path, like: Held) -> None:
        self._folder = folder
        self._like = like
        place = self._place("undisturbed")
        self.calls, ended = traced(place)
        if ended != Ended(0, ""):
            raise RuntimeError(f"a traced sync failed: {ended}")

    def cases(self, twice: int = 0) -> list[Case]:
        """Return every case there is, and so many with a second fault."""
        once = [
            Case(one, fault)
            for one in self.calls
            for fault in FAULTS.get(one.call, (KILL, ENOSPC, EIO))
        ]
        rng = random.Random("twice")  # noqa: S311 -- repeatable, nothing here is secret
        kills = [case for case in once if case.fault is KILL]
        again = [Case(rng.choice(kills).occurrence, KILL, number) for number in range(twice)]
        return once + again

    def run(self, case: Case) -> Row:
        """Break one call and return what followed."""
        row = Row(*case.row)
        place = self._place(str(abs(hash(case))))
        ended, struck = injected(place, case.occurrence, case.fault)
        problems = list(_ending(case, ended, place)) if struck else []
        if case.again is not None:
            self._again(place, case.again)
        problems += self._judge(place)
        row.add(_outcome(ended) if struck else MISSED, problems, str(case))
        shutil.rmtree(place.folder)
        return row

    def _again(self, place: Place, seed: int) -> None:
        """Kill the run that finds the broken store, too, at a call drawn from its own ones."""
        spare = Place(place.folder / "spare")
        shutil.copytree(place.store, spare.store)
        spare.lay_out()
        calls, _ = traced(spare)
        if calls:
            injected(place, random.Random(seed).choice(calls[: len(calls) // 2 + 1]), KILL)  # noqa: S311 -- as above

    def _judge(self, place: Place) -> Iterator[str]:
        asked = asked_of(place)
        found, held = judged(copied(place), asked, like=self._like)
        yield from (f"as it lay there: {one}" for one in found)
        yield from resumed(place, self._like, held)

    def _place(self, name: str) -> Place:
        place = Place(self._folder / name)
        shutil.rmtree(place.folder, ignore_errors=True)
        place.lay_out()
        return place


def sampled(cases: Sequence[Case], count: int) -> list[Case]:
    """Return so many cases, the same ones each time, from every kind of call and fault alike."""
    rng = random.Random("sample")  # noqa: S311 -- repeatable, nothing here is secret
    kinds: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.row, []).append(case)
    share = max(2, count // len(kinds))
    picked = [one for kind in kinds.values() for one in rng.sample(kind, min(share, len(kind)))]
    rest = [one for one in cases if one.fault is KILL and one not in picked]
    return picked + rng.sample(rest, max(0, min(count - len(picked), len(rest))))


def copied(place: Place) -> Place:
    """Return a copy of a place as it lies there, to be looked at: to open a store mends it."""
    copy = Place(place.folder / "copy")
    shutil.copytree(place.store, copy.store)
    copy.lay_out()
    return copy


def asked_of(place: Place) -> dict[str, str]:
    """Return the last page that was asked for of each object."""
    told = place.asked.read_text() if place.asked.exists() else ""
    return dict(line.split(" ") for line in told.splitlines())


def resumed(place: Place, like: Held, held: Held | None) -> Iterator[str]:
    """Run the same command again, undisturbed, and yield what is wrong then."""
    again = victim.ended(place, victim.start(place))
    if again != Ended(0, ""):
        yield f"run again: {again}"
    found, _ = judged(place, asked_of(place), whole=True, like=like, grown_from=held)
    yield from (f"run again: {one}" for one in found)


def is_told(ended: Ended) -> bool:
    """Return whether a failure was told in clear lines, with a fitting exit code."""
    lines = ended.err.splitlines()
    clear = all(line.startswith(("error: ", "hint: ")) for line in lines)
    unexpected = any(line.startswith("error: unexpected") for line in lines)
    return ended.code in TOLD and bool(lines) and clear and not unexpected


def _ending(case: Case, ended: Ended, place: Place) -> Iterator[str]:
    if case.fault.kind == "KILL":
        if ended.code != KILLED:
            yield f"was not killed: {ended}"
    elif ended.code == 0:
        if ended.err:
            yield f"said {ended.err!r}, but ended well"
        found, _ = judged(place, asked_of(place), whole=True)
        yield from (f"ended well, but {one}" for one in found)
    elif not is_told(ended):
        yield f"was not told in one clear line: {ended}"


def _outcome(ended: Ended) -> str:
    if ended.code == KILLED:
        return "killed"
    return "got over it" if ended.code == 0 else "stopped and said so"
