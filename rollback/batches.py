"""Cut steps into batches, and say what they will cost. Pure.

A batch holds steps of one object, because a vendor's batch does. The first steps of a run are the
canary: they are written and read back before anything else is sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from crmtrail.model import Action, Step
from rollback.select import LIVES


class _HasStep(Protocol):
    @property
    def step(self) -> Step: ...


Item = TypeVar("Item", bound=_HasStep)

WRITING: Final = LIVES | {Action.UPDATE}
"""Actions that write to the CRM."""

BULK_FROM: Final = 2_000
"""From so many updates of a plan on a bulk request is worth its overhead (salesforce.md 9.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many records one write of a source may carry, and what requests cost.

    ``bulk`` is how many one bulk write may carry. ``price`` gives the requests that read and write
    so many records, see `crmtrail.ports.Connector.price`. ``identities`` is how many identities an
    apply asks who they are: one, or two where another one writes than reads. ``names`` is how many
    requests the names behind ids may take. ``undeletes``: see `crmtrail.ports.Connector`.
    """

    write: int
    bulk: int
    price: Callable[[int], tuple[int, int]]
    identities: int = 1
    names: int = 0
    undeletes: bool = False


def written(counts: Mapping[Action, int]) -> int:
    """Return how many steps of a plan write."""
    return sum(counts.get(action, 0) for action in WRITING)


def write_size(updates: int, *, write: int, bulk: int) -> int:
    """Return how many records to write at once in a plan of so many updates."""
    return bulk if updates > BULK_FROM and bulk > write else write


def batches(items: Iterable[Item], *, canary: int, size: int) -> Iterator[tuple[Item, ...]]:
    """Cut a stream into batches of one object and action: the canary, then ``size`` at most."""
    batch: list[Item] = []
    spare = canary
    for item in items:
        limit = min(size, spare) if spare else size
        if batch and (len(batch) >= limit or _sort(batch[0].step) != _sort(item.step)):
            yield tuple(batch)
            spare = max(spare - len(batch), 0)
            batch = []
        batch.append(item)
    if batch:
        yield tuple(batch)


def _sort(step: Step) -> tuple[str, Action]:
    """Return what one batch has in common."""
    return step.ref.object, step.action


class Forecast:
    """Counts a plan's API requests while its steps stream by, assuming that none goes wrong.

    A batch costs its reads, its write and its read-backs; each object costs one look at its fields
    and one at its history, and the run one look at who each identity is, and the names of the
    people met.
    """

    def __init__(self, limits: Limits, *, canary: int) -> None:
        self._limits = limits
        self._canary = canary
        self._objects: dict[str, int] = {}
        self._lives: dict[tuple[str, Action], int] = {}

    def add(self, step: Step) -> None:
        """Take in the next step, in the order of the plan."""
        if step.action is Action.UPDATE:
            self._objects[step.ref.object] = self._objects.get(step.ref.object, 0) + 1
        elif step.action in LIVES:
            self._lives[_sort(step)] = self._lives.get(_sort(step), 0) + 1

    def calls(self) -> int:
        """Return how many requests an apply will take."""
        spare, total = self._canary, 0
        limits = self._limits
        most = write_size(sum(self._objects.values()), write=limits.write, bulk=limits.bulk)
        for steps in self._objects.values():
            left = steps
            while left:
                size = min(left, most, spare or left)
                reads, writes = limits.price(size)
                total += 2 * reads + writes
                left -= size
                spare = max(spare - size, 0)
        for steps in self._lives.values():
            requests = -(-steps // limits.write)
            total += requests + 2 * limits.price(steps)[0]
        if not total:
            return 0
        looks = len({*self._objects, *(name for name, _ in self._lives)})
        looks *= 1 + limits.price(0)[0]
        return total + looks + limits.identities + limits.names
