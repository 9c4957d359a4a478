"""A disk that is really full: a small file system in memory, or a limit on how long a file may be.

The first needs the right to mount; where that is missing the row says so and holds no case. The
second works for everybody, but the system then answers EFBIG where a full disk answers ENOSPC.
"""

import random
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.faults import victim
from support.faults.calls import asked_of, copied, is_told, resumed
from support.faults.judging import Held, judged
from support.faults.tally import Row
from support.faults.victim import Ended, Place

FAMILY = "disk full"
MOUNTED = "a file system of a few hundred KB, freed afterwards"
LIMITED = "a limit on the length of files, lifted afterwards"
_UNIT = 4096
_FULL = re.compile("is full|No space left on device")
_PLENTY = 64 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """So many bytes; ``mounted`` tells which of the two ways."""

    number: int
    size: int
    mounted: bool

    def __str__(self) -> str:
        return f"no. {self.number}: {self.size >> 10} KB"


def cases(count: int, needed: int, *, mounted: bool) -> list[Case]:
    """Return so many sizes between next to nothing and what the store needs at its largest."""
    rng = random.Random(f"disks/{mounted}")  # noqa: S311 -- repeatable, nothing here is secret
    return [
        Case(number, rng.randrange(2 * _UNIT, needed, _UNIT), mounted) for number in range(count)
    ]


def why_no_mount(folder: Path) -> str:
    """Return why no file system can be mounted here; nothing where one can."""
    try:
        with _mounted(folder / "probe", _PLENTY):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        return f"NOT RUN: no file system could be mounted ({told.strip()})"


@dataclass(frozen=True)
class Bench:
    """Where disks are filled, and what a store holds for which there was always room."""

    folder: Path
    like: Held

    def run(self, case: Case) -> Row:
        """Fill a disk and return what became of the sync."""
        place = Place(self.folder / f"disk-{case.mounted}-{case.number}")
        place.lay_out()
        if case.mounted:
            with _mounted(place.store, case.size) as grow:
                row = self._judged(place, case, victim.ended(place, victim.start(place)), grow)
        else:
            pid = victim.start(place, prepare=lambda: _limit(case.size))
            row = self._judged(place, case, victim.ended(place, pid), lambda: None)
        shutil.rmtree(place.folder)
        return row

    def _judged(
        self, place: Place, case: Case, ended: Ended, free_space: Callable[[], None]
    ) -> Row:
        row = Row(FAMILY, MOUNTED if case.mounted else LIMITED)
        problems = [] if ended == Ended(0, "") or is_told(ended) else [str(ended)]
        if case.mounted and ended.code and not _FULL.search(ended.err):
            problems.append(f"does not say that the disk is full: {ended.err}")
        found, held = judged(copied(place), asked_of(place), like=self.like)
        free_space()
        problems += [*found, *resumed(place, self.like, held)]
        row.add("had room" if ended.code == 0 else "stopped and said so", problems, str(case))
        return row


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@contextmanager
def _mounted(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """Mount a file system of a size in memory; give what makes it larger."""
    folder.mkdir(parents=True, exist_ok=True)
    _call("mount", "-t", "tmpfs", "-o", f"size={size}", "crmtrail-faults", str(folder))
    try:
        yield lambda: _call("mount", "-o", f"remount,size={_PLENTY}", str(folder))
    finally:
        _call("umount", str(folder))


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)
