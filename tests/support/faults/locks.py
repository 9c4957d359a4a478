"""Another process holds the store's write lock while a sync wants it.

A victim waits at a page until the lock is taken, and then wants it. One that is patient, as
crmtrail is for 30 seconds, gets it when it is given back; one that is made impatient gives up and
says so.
"""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from snapshot import database
from support.faults import victim
from support.faults.calls import asked_of, resumed
from support.faults.judging import Held, judged
from support.faults.story import all_pages
from support.faults.tally import Row
from support.faults.victim import Ended, Place

FAMILY = "another process writes the store"
LOCKED = 11
PATIENCE_MS = 200


@dataclass(frozen=True, slots=True)
class Case:
    """The lock is held from a page on, for some seconds, or (None) until the victim has ended."""

    number: int
    page: tuple[str, str]
    seconds: float | None
    end: str

    def __str__(self) -> str:
        long = "to the end" if self.seconds is None else f"{self.seconds:.2f} s"
        return f"no. {self.number}: {long} from {' '.join(self.page)}, then {self.end}"


def cases(count: int, longest: float) -> list[Case]:
    """Return so many cases; the lock is held up to ``longest`` seconds."""
    rng = random.Random("locks")  # noqa: S311 -- repeatable, nothing here is secret
    return [
        Case(
            number,
            rng.choice(all_pages()),
            rng.uniform(0.01, longest) if number % 2 else None,
            rng.choice(("COMMIT", "ROLLBACK")),
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Bench:
    """Where stores are locked, and what one that never was holds."""

    folder: Path
    like: Held

    def run(self, case: Case) -> Row:
        """Lock a store and return what became of the sync."""
        place = Place(self.folder / f"lock-{case.number}")
        place.lay_out()
        ended = _locked_out(place, case)
        if case.seconds is None:
            row = Row(FAMILY, f"for longer than its patience, here {PATIENCE_MS} ms")
            right = ended.code == LOCKED and "another process has been writing" in ended.err
        else:
            row = Row(FAMILY, "for a while")
            right = ended == Ended(0, "")
        found, held = judged(place, asked_of(place), like=self.like)
        problems = [*([] if right else [str(ended)]), *found]
        problems += resumed(place, self.like, held)
        row.add("waited" if ended.code == 0 else "stopped and said so", problems, str(case))
        shutil.rmtree(place.folder)
        return row


def _locked_out(place: Place, case: Case) -> Ended:
    def lose_patience() -> None:
        if case.seconds is None:
            vars(database)["BUSY_MS"] = PATIENCE_MS  # in a process of its own

    with ExitStack() as held:
        with victim.paused(place, case.page, prepare=lose_patience) as pid:
            held.enter_context(holding(place.file, case.end))
        if case.seconds is None:
            return victim.ended(place, pid)
        time.sleep(case.seconds)  # this is the fault: nothing is waited for
    return victim.ended(place, pid)


@contextmanager
def holding(path: Path, end: str) -> Iterator[None]:
    """Hold the write lock, with something written, and end it so."""
    with closing(database.DRIVER.connect(str(path), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE held (a)")
        connection.execute("DROP TABLE held")
        yield
        connection.execute(end)
