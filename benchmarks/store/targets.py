"""The numbered targets, and what was measured for each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from heats import Figures, Heat

LEAF: Final = 32
"""Bytes of a leaf of the ledger."""

_KEYFRAMES: Final = 17
"""From this depth on, reading what a record was must not cost more than before."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured.

    Attributes:
        main: the heat of the full size.
        peers: the heat with other people's products.
        smaller: ours with a tenth of the records, where the full size is a million.
        told: answers of ours, by stage (ask, export, account).
    """

    main: Heat
    peers: Heat
    smaller: Heat | None = None
    told: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One target: a limit that the measured figure must not pass.

    Attributes:
        number: of the list in the README.
        text: what is asked.
        limit: the figure.
        least: whether the limit is the least allowed, else the most.
        figure: takes it from what was measured; raises Missing.
        size: the number of records it is meant for; 0 for any.
        unit: of the figure.
    """

    number: str
    text: str
    limit: float
    figure: Callable[[Measured], float]
    least: bool = False
    size: int = 0
    unit: str = ""

    def judged(self, found: Measured) -> tuple[str, str, str, str]:
        """Return the row: number and text, target, measured, met."""
        bound = f"{'at least' if self.least else 'at most'} {_shown(self.limit)}{self.unit}"
        try:
            figure = self.figure(found)
        except Missing as reason:
            return f"{self.number} {self.text}", bound, f"not measured: {reason}", "-"
        met = figure >= self.limit if self.least else figure <= self.limit
        told = "yes" if met else "NO"
        if self.size and found.main.world.size < self.size:
            told += f" (meant for {self.size:,})"
        return f"{self.number} {self.text}", bound, f"{_shown(figure)}{self.unit}", told


class Missing(Exception):
    """A figure was not measured; the message says why."""


def _shown(figure: float) -> str:
    if figure >= 1000:  # noqa: PLR2004 -- whole numbers from here on
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def _of(heat: Heat, figure: Callable[[str], float | None], name: str) -> float:
    found = figure(name)
    if found is None:
        raise Missing(f"{name}: {heat.missing.get(name, 'took no part')}")
    return found


def _load_floor(found: Measured) -> float:
    main = found.main
    return _of(main, main.load, "ours") / _of(main, main.load, "floor")


def _sync_nodiff(found: Measured) -> float:
    main = found.main
    return _of(main, main.sync, "ours") / _of(main, main.sync, "nodiff")


def _peer(figure: str, name: str) -> Callable[[Measured], float]:
    """Return how many times ours another product's cost is: ``load`` or ``sync``."""

    def ratio(found: Measured) -> float:
        cost = getattr(found.peers, figure)
        return _of(found.peers, cost, name) / _of(found.peers, cost, "ours")

    return ratio


def _growth(found: Measured) -> float:
    if found.smaller is None:
        raise Missing("needs --size 1000000")
    main, smaller = found.main, found.smaller
    return _of(main, main.sync, "ours") / _of(smaller, smaller.sync, "ours")


def _recheck(found: Measured) -> float:
    main = found.main
    return _of(main, main.load, "ours") / _of(main, main.recheck, "ours")


def _bytes_version(found: Measured) -> float:
    world = found.main.world
    versions = world.syncs * min(world.changed, world.size)
    return _of(found.main, found.main.version, "ours") / (world.token_bytes / versions + LEAF)


def _bytes_deep(found: Measured) -> float:
    world = found.main.world
    if not world.deep:
        raise Missing("no records are changed again and again")
    least = world.deep_token_bytes / (world.deep * world.depth) + LEAF
    return _of(found.main, found.main.deep_version, "ours") / least


def _bytes_dlt(found: Measured) -> float:
    heat = found.peers
    return _of(heat, heat.version, "ours") / _of(heat, heat.version, "dlt-sqlite")


def _bytes_baseline(found: Measured) -> float:
    world = found.main.world
    return _of(found.main, found.main.baseline, "ours") * world.size / world.loaded


def _sealed(name: str) -> Callable[[Measured], float]:
    def share(found: Measured) -> float:
        main = found.main
        sealed = _of(main, main.load, name) * main.world.size
        plain = _of(main, main.load, "ours") * main.world.size
        synced = main.world.syncs * min(main.world.changed, main.world.size)
        sealed += _of(main, main.sync, name) * synced
        plain += _of(main, main.sync, "ours") * synced
        return 100 * (sealed - plain) / sealed

    return share


def _told(stage: str, *path: str) -> Any:
    def figure(found: Measured) -> Any:
        told: Any = found.told.get(stage, {"missing": f"stage {stage} was not run"})
        for step in path:
            if "missing" in told:
                break
            told = told[step]
        if isinstance(told, dict):
            raise Missing(str(told.get("missing", "no figure")))
        return told

    return figure


def _per(stage: str, what: str, clock: str, count: str, scale: float) -> Callable[..., float]:
    time, number = (
        _told(stage, *filter(None, (what, clock))),
        _told(stage, *filter(None, (what, count))),
    )

    def figure(found: Measured) -> float:
        seconds, many = time(found), number(found)
        if not many:
            raise Missing("nothing was found")
        return float(seconds / many * scale)

    return figure


def _verify_rate(found: Measured) -> float:
    return 1e6 / _per("ask", "verify", "cpu", "entries", 1e6)(found)


def _flat(found: Measured) -> float:
    """Cost of the last syncs of the same records against those just beyond a keyframe."""
    rounds = found.main.rounds.get("ours", ())
    deep = [figures["deep"] for figures in rounds if len(figures["deep"]) > 2 * _KEYFRAMES]
    if not deep:
        raise Missing("needs more syncs of the same records")
    early = fmean(each["cpu"] for one in deep for each in one[_KEYFRAMES : 2 * _KEYFRAMES])
    return fmean(each["cpu"] for one in deep for each in one[-_KEYFRAMES:]) / early


_MILLION: Final = 1_000_000
_MIB: Final = 1024 * 1024

TARGETS: Final = (
    Target("1a", "first load / floor, CPU", 2.0, _load_floor),
    Target("1b", "first load: dlt scd2 to DuckDB / ours, CPU", 7, _peer("load", "dlt"), least=True),
    Target("1c", "first load: django-simple-history / ours, CPU", 15, _peer("load", "django"),
           least=True),
    Target("2a", "sync / zstd copies without diff, CPU", 1.5, _sync_nodiff),
    Target("2b", "sync: dlt scd2 to DuckDB / ours, CPU", 10, _peer("sync", "dlt"), least=True),
    Target("2c", "sync at 1,000,000 / at 100,000 records, CPU", 1.25, _growth, size=_MILLION),
    Target("2d", "unchanged re-check / first load, records a CPU second", 2, _recheck, least=True),
    Target("3a", "bytes a version / (changed values + leaf)", 2.2, _bytes_version),
    Target("3b", "bytes a version / dlt scd2 to SQLite", 0.2, _bytes_dlt),
    Target("3c", "bytes a first version / its JSON", 0.22, _bytes_baseline),
    Target("3d", "bytes a version of much-changed records / least, as 3a", 2.2, _bytes_deep),
    Target("4a", "ledger's share of CPU, load", 10, lambda f: 100 * _told("account", "load")(f),
           unit=" %"),
    Target("4b", "ledger's share of CPU, syncs", 10, lambda f: 100 * _told("account", "sync")(f),
           unit=" %"),
    Target("4c", "verify, entries a CPU second", 100_000, _verify_rate, least=True),
    Target("4d", "inclusion proof, p95 of CPU", 1, _told("ask", "proof", "p95"), size=_MILLION,
           unit=" ms"),
    Target("4e", "inclusion proof, path", 1024, _told("ask", "proof", "each"), size=_MILLION,
           unit=" B"),
    Target("5a", "encryption's share of CPU, everything sealed", 25, _sealed("ours-sealed"),
           unit=" %"),
    Target("5b", "encryption's share of CPU, a key per person", 25, _sealed("ours-subjects"),
           unit=" %"),
    Target("6a", "timeline, p95 of CPU", 0.2, _told("ask", "timeline", "p95"), size=_MILLION,
           unit=" ms"),
    Target("6b", "as-of, p95 of CPU", 0.2, _told("ask", "asof", "p95"), size=_MILLION, unit=" ms"),
    Target("6c", "one person's changes of 10 days, 100 lines, p95 of CPU", 10,
           _told("ask", "by_actor", "p95"), size=_MILLION, unit=" ms"),
    Target("6d", "one field's changes of 10 days, 100 lines, p95 of CPU", 10,
           _told("ask", "by_field", "p95"), size=_MILLION, unit=" ms"),
    Target("6e", "one field's blanks of 10 days, 100 lines, p95 of CPU", 10,
           _told("ask", "blanks", "p95"), size=_MILLION, unit=" ms"),
    Target("6f", "diff of 10 days, a field change, CPU", 2,
           _per("ask", "diff", "cpu", "changes", 1e6), size=_MILLION, unit=" µs"),
    Target("6g", "export, a record, CPU", 4, _per("export", "", "cpu", "records", 1e6),
           size=_MILLION, unit=" µs"),
    Target("6h", "export, peak resident", 200,
           lambda f: _told("export", "peak")(f) / _MIB, size=_MILLION, unit=" MiB"),
    Target("7a", "as-of at depth 200, p95 of CPU", 0.3, _told("ask", "asof_deep", "p95"),
           unit=" ms"),
    Target("7b", "sync at full depth / just beyond a keyframe", 1.25, _flat),
)  # fmt: skip


def judged(found: Measured) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for every target, whether it was measured or not."""
    for target in TARGETS:
        yield target.judged(found)
