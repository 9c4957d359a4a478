"""Contenders taking turns over the same pages, each time in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import postgres
from contender import ENTRANTS
from world import World, write

Figures: TypeAlias = Mapping[str, Any]

_CHILD: Final = str(Path(__file__).with_name("child.py"))
_PROBE: Final = (
    "import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in sys.argv[1:]))"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the heats are run.

    Attributes:
        folder: for worlds and stores; worlds are kept and used again.
        pythons: interpreters to look for a contender's packages in, in order.
        postgres: URL of a server where databases may be created, or nothing.
    """

    folder: Path
    pythons: Sequence[str] = (sys.executable,)
    postgres: str = ""

    def world(self, world: World) -> World:
        """Return a world, written where it is not there yet."""
        name = f"world-{world.size}-{world.syncs}-{world.changed}-{world.deep}-{world.depth}"
        folder = self.folder / name
        if not (folder / "world.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            say(f"writing {world.size:,} records and {world.syncs:,} syncs")
            return write(world_in(world, folder))
        return World.read(str(folder))


@dataclass(frozen=True, slots=True)
class Heat:
    """What every round of one heat gave, by contender. ``missing`` says why some took no part."""

    world: World
    rounds: Mapping[str, Sequence[Figures]] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def middle(self, name: str, *path: str) -> float | None:
        """Return the median over the rounds of one figure; None where it was not measured."""
        found = [_at(figures, path) for figures in self.rounds.get(name, ())]
        return median(found) if found else None

    def load(self, name: str, clock: str = "cpu") -> float | None:
        """Return microseconds a record of the first load."""
        return _scaled(self.middle(name, "load", clock), 1e6 / self.world.size)

    def recheck(self, name: str, clock: str = "cpu") -> float | None:
        """Return microseconds a record of reading all again, unchanged."""
        return _scaled(self.middle(name, "recheck", clock), 1e6 / self.world.size)

    def sync(self, name: str, clock: str = "cpu") -> float | None:
        """Return milliseconds for 1,000 changed records."""
        rounds = self.rounds.get(name, ())
        changed = self.world.syncs * min(self.world.changed, self.world.size)
        found = [sum(each[clock] for each in figures["syncs"]) for figures in rounds]
        return median(found) * 1e6 / changed if found else None

    def baseline(self, name: str) -> float | None:
        """Return bytes a record after the first load."""
        return _scaled(self._size(name, 0), 1 / self.world.size)

    def version(self, name: str) -> float | None:
        """Return bytes a version of the syncs."""
        before, after = self._size(name, 1), self._size(name, 2)
        versions = self.world.syncs * min(self.world.changed, self.world.size)
        return None if before is None or after is None else (after - before) / versions

    def deep_version(self, name: str) -> float | None:
        """Return bytes a version of records that have hundreds of them."""
        before, after = self._size(name, 2), self._size(name, 3)
        versions = self.world.deep * self.world.depth
        return (
            None if before is None or after is None or not versions else (after - before) / versions
        )

    def _size(self, name: str, moment: int) -> float | None:
        rounds = self.rounds.get(name, ())
        return median(figures["sizes"][moment] for figures in rounds) if rounds else None

    def wrong(self, name: str) -> str:
        """Return how many as-of answers were wrong, of how many; empty where none was."""
        figures = self.rounds[name][-1]
        if figures["wrong"]:
            return f"WRONG: {figures['wrong']} of {figures['asked']} ({figures['wrong_ones'][0]})"
        return ""


def race(place: Place, world: World, names: Sequence[str], rounds: int) -> Heat:
    """Let contenders fill a store of their own, in turn, so many rounds."""
    found: dict[str, list[Figures]] = {}
    missing: dict[str, str] = {}
    for number in range(rounds):
        for name in names:
            if name in missing:
                continue
            folder = place.folder / f"{name}-{world.size}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            say(f"{name}: {world.size:,} records, round {number + 1} of {rounds}")
            with _database(place, name) as url:
                figures = stage(place, world, name, "fill", url)
            if "missing" in figures:
                missing[name] = str(figures["missing"])
                say(f"{name} takes no part: {missing[name]}")
            else:
                found.setdefault(name, []).append(figures)
    return Heat(world, found, missing)


def stage(place: Place, world: World, name: str, what: str, url: str = "") -> Figures:
    """Run one stage of one contender in a process of its own; ``url`` names its database."""
    entrant = ENTRANTS[name]
    python = _python(tuple(place.pythons), entrant.needs)
    if python is None:
        return {"missing": f"not installed: {', '.join(entrant.needs)}"}
    job = {
        "contender": name,
        "stage": what,
        "world": world.folder,
        "folder": str(place.folder / f"{name}-{world.size}"),
        "url": url,
    }
    command = [python, _CHILD, json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        return {"missing": f"FAILED in stage {what}, see above"}
    told: Figures = json.loads(done.stdout.splitlines()[-1])
    return told


def world_in(world: World, folder: Path) -> World:
    """Return the same world in a folder."""
    return World(str(folder), world.size, world.syncs, world.changed, world.deep, world.depth)


def say(text: str) -> None:
    """Tell how far we are, on standard error."""
    sys.stderr.write(f"{text}\n")


def _database(place: Place, name: str) -> AbstractContextManager[str]:
    if name == "postgres" and place.postgres:
        return postgres.database(place.postgres)
    return nullcontext("")


@cache
def _python(pythons: tuple[str, ...], needs: tuple[str, ...]) -> str | None:
    """Return the first interpreter that has some packages."""
    for python in pythons:
        if python and os.access(python, os.X_OK):
            asked = subprocess.run([python, "-c", _PROBE, *needs], check=False)
            if not asked.returncode:
                return python
    return None


def _at(figures: Figures, path: Sequence[str]) -> float:
    found: Any = figures
    for step in path:
        found = found[step]
    return float(found)


def _scaled(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor
