"""How much of the store's CPU goes to the ledger: the functions that make it, timed where called.

No profiler: that would make every small function dearer. A few functions are wrapped with a
stopwatch each; one is called once a page, two once a version. What the stopwatch itself
costs is measured first and taken off.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any, Final

from contender import Contender, NotHere
from stopwatch import Spent
from world import World

LEDGER: Final = (
    ("snapshot.scribe", "Scribe._entry"),
    ("snapshot.scribe", "leaf_hash"),
    ("snapshot.scribe", "grow"),
)
"""Module and function, as the module that calls it names it."""

_TRIALS: Final = 20_000


def account(contender: Contender, world: World) -> dict[str, Any]:
    """Fill a store and return the ledger's share of CPU, for the first load and for the syncs."""
    watch = _Watch()
    load, syncs = Spent(), Spent()
    try:
        with watch.over(LEDGER):
            with load.running():
                contender.load(load.pages(world.pages("load")))
            loaded = watch.taken()
            for number, file in enumerate(world.pages("sync"), start=1):
                with syncs.running():
                    contender.sync(number, syncs.pages([file]))
            synced = watch.taken()
    except NotHere as reason:
        return {"missing": str(reason)}
    return {
        "load": loaded.inside / (load.cpu - loaded.around),
        "sync": synced.inside / (syncs.cpu - synced.around),
        "calls": [loaded.calls, synced.calls],
    }


@dataclass(frozen=True, slots=True)
class _Taken:
    """CPU seconds inside watched functions, those that watching cost, and the number of calls."""

    inside: float
    around: float
    calls: int


class _Watch:
    """A stopwatch that can be put over functions, and knows what it costs itself."""

    def __init__(self) -> None:
        self._inside = 0.0
        self._calls = 0
        self._cost_inside = self._cost = 0.0
        watched = self._watched(_nothing)
        began = time.thread_time()
        for _ in range(_TRIALS):
            watched()
        whole = time.thread_time() - began
        began = time.thread_time()
        for _ in range(_TRIALS):
            _nothing()
        plain = time.thread_time() - began
        self._cost_inside = (self._inside - plain) / _TRIALS
        self._cost = (whole - plain) / _TRIALS
        self.taken()

    def taken(self) -> _Taken:
        """Return what passed since the last time, and begin again."""
        calls = self._calls
        found = _Taken(self._inside - calls * self._cost_inside, calls * self._cost, calls)
        self._inside, self._calls = 0.0, 0
        return found

    @contextmanager
    def over(self, functions: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Watch some functions, by module and name.

        Raises:
            NotHere: a module no longer has that function.
        """
        kept: list[tuple[Any, str, Callable[..., Any]]] = []
        try:
            for module_name, name in functions:
                *path, last = name.split(".")
                place = reduce(_part, path, import_module(module_name))
                plain = _part(place, last)
                if plain is None:
                    raise NotHere(f"{module_name} has no {name}, see accounting.py")
                kept.append((place, last, plain))
                setattr(place, last, self._watched(plain))
            yield
        finally:
            for place, name, plain in kept:
                setattr(place, name, plain)

    def _watched(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        clock = time.thread_time

        def call(*arguments: Any, **named: Any) -> Any:
            began = clock()
            try:
                return plain(*arguments, **named)
            finally:
                self._inside += clock() - began
                self._calls += 1

        return call


def _part(place: Any, name: str) -> Any:
    """Return what something is called inside a module or class; None where it has no such."""
    return getattr(place, name, None)


def _nothing() -> None:
    """Take no time but that of a call."""
