"""Runs and positions as the store in memory keeps them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crmtrail.model import Gap, Mode, Schema, Usage, stamp
from crmtrail.ports import Kept
from snapshot.counts import settled, shortfall


@dataclass(slots=True)
class Run:
    """One run of one object, and what the vendor said meanwhile."""

    object: tuple[str, str]
    mode: Mode
    started: datetime
    state: str = "running"
    finished: datetime | None = None
    kept: Kept = field(default_factory=Kept)
    expected: tuple[int, datetime] | None = None
    held: int | None = None
    usage: Usage | None = None


@dataclass(slots=True)
class Place:
    """Where one object of one source stands."""

    cursor: str | None = None
    watermark: datetime | None = None
    complete_to: datetime | None = None
    expected: int | None = None
    fence: int = 0
    gaps: list[tuple[Gap, datetime]] = field(default_factory=list)
    """What is missed, and when the run began that told so."""
    schema: Schema | None = None

    def gaps_now(self) -> tuple[Gap, ...]:
        """Return what is missed: that nothing can be read ends with a complete run."""
        upto = self.complete_to
        return tuple(
            gap for gap, told in self.gaps if not gap.whole or upto is None or upto <= told
        )


def run_entry(number: int, closed: Run, api_calls: int) -> dict[str, object]:
    """Return what of a finished run is sealed."""
    entry: dict[str, object] = {
        "run": number,
        "source": closed.object[0],
        "object": closed.object[1],
        "mode": closed.mode.value,
        "state": closed.state,
        "started": stamp(closed.started),
        "api_calls": api_calls,
        "read": closed.kept.read,
        "created": closed.kept.created,
        "updated": closed.kept.updated,
        "deleted": closed.kept.deleted,
        "changes": closed.kept.changes,
    }
    if closed.held is None or closed.expected is None:
        return entry
    return entry | {"expected": closed.expected[0], "held": closed.held}


def compare(this: Run, runs: Sequence[Run], held: int, moves: Sequence[datetime]) -> Gap | None:
    """Compare the vendor's count with the live records held, at the end of a run.

    Args:
        this: the run, of which the comparison is noted.
        runs: all runs, oldest first; one that was stopped passes its count on.
        held: how many live records are stored.
        moves: when records came or went.
    """
    counted = _counted(this, [run for run in runs if run.object == this.object])
    if counted is None or counted.expected is None:
        return None
    expected, at = counted.expected
    if not settled(expected, held, sum(moved >= counted.started for moved in moves)):
        return None
    this.expected, this.held = counted.expected, held
    return shortfall(this.object[1], expected, held, at)


def _counted(this: Run, runs: Sequence[Run]) -> Run | None:
    """Return the run whose count this one ends."""
    for run in reversed(runs):
        if run is not this and run.state == "done":
            return None
        if run.expected is not None:
            return run
    return None


def shortfalls(runs: Sequence[Run]) -> Iterator[Gap]:
    """Yield what the newest comparison of counts found."""
    for run in reversed(runs):
        if run.held is not None and run.expected is not None:
            found = shortfall(run.object[1], run.expected[0], run.held, run.expected[1])
            if found is not None:
                yield found
            return
