"""The tables, as Markdown that can be read as it is."""

import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from contender import ENTRANTS
from heats import Heat
from targets import Measured, judged

_PACKAGES: Final = (
    "sqlalchemy", "sqlmodel", "msgspec", "pysqlite3", "zstandard", "xxhash", "cryptography",
    "psycopg", "dlt", "duckdb", "pyarrow", "django", "django-simple-history",
    "sqlalchemy-continuum",
)  # fmt: skip
_QUESTIONS: Final = {
    "timeline": "timeline of a record (versions)",
    "asof": "a record as of a time (fields)",
    "asof_deep": "the same at full depth (fields)",
    "by_actor": "one person's changes of 10 days (lines)",
    "by_field": "one field's changes of 10 days (lines)",
    "blanks": "one field's blanks of 10 days (lines)",
    "proof": "inclusion proof of a version (bytes)",
}
_ASK: Final = (
    "from importlib import metadata as m; import sys\n"
    "for n in sys.argv[1:]:\n"
    "    try: print(n, m.version(n))\n"
    "    except m.PackageNotFoundError: pass"
)


def whole(found: Measured, command: str, pythons: Sequence[str]) -> str:
    """Return the page for RESULTS.md."""
    return "\n".join(("# The store, measured\n", *_circumstances(command, pythons), *shown(found)))


def shown(found: Measured) -> Iterator[str]:
    """Yield the lines of all tables."""
    world = found.main.world
    yield f"## {world.size:,} records, then {world.syncs} syncs of {world.changed:,} changes\n"
    yield from _contenders(found.main, "floor")
    peers = found.peers
    if peers.rounds or peers.missing:
        yield (
            f"## Other people's products: {peers.world.size:,} records, then"
            f" {peers.world.syncs} syncs of {peers.world.changed:,} changes\n"
        )
        yield "With fewer records, because some are slow; the ratios are a record or version.\n"
        yield from _contenders(peers, "ours")
    if "ask" in found.told:
        yield from _questions(found)
    yield "## Targets\n"
    yield from table(("", "target", "measured", "met"), list(judged(found)))


def _contenders(heat: Heat, base: str) -> Iterator[str]:
    header = (
        "", "load: CPU µs a record", f"/ {base}", "wall µs", "sync: CPU ms for 1,000", f"/ {base}",
        "wall ms", "re-check: CPU µs", "B a record", "B a version", "peak MiB",
    )  # fmt: skip
    rows, wrong = [], []
    for name, entrant in ENTRANTS.items():
        if name in heat.missing:
            rows.append((entrant.label, heat.missing[name].upper(), *(["-"] * (len(header) - 2))))
        elif name in heat.rounds:
            rows.append((entrant.label, *_figures(heat, name, base)))
            if heat.wrong(name):
                wrong.append(f"**{entrant.label} answered wrong and is not ranked**: "
                             f"{heat.wrong(name)}\n")  # fmt: skip
    yield from table(header, rows)
    yield from wrong
    asked = {n: r[-1]["asked"] for n, r in heat.rounds.items() if r[-1]["asked"]}
    if asked:
        yield f"As-of answers held against the truth: {max(asked.values())} of each.\n"


def _questions(found: Measured) -> Iterator[str]:
    yield "## crmtrail asked, milliseconds\n"
    rows = []
    for name, text in _QUESTIONS.items():
        told = found.told["ask"].get(name, {"missing": "not asked"})
        if "missing" in told:
            rows.append((text, told["missing"], *(["-"] * 4)))
            continue
        times = (_number(told[each], 3) for each in ("p50", "p95", "wall_p50", "wall_p95"))
        rows.append((text, *times, _number(told["each"], 1)))
    header = ("", "CPU, median", "p95", "wall, median", "p95", "answer's mean size")
    yield from table(header, rows)


def _figures(heat: Heat, name: str, base: str) -> Sequence[str]:
    if heat.wrong(name):
        return ("wrong",) * 10
    return (
        _number(heat.load(name), 1),
        _ratio(heat.load(name), heat.load(base)),
        _number(heat.load(name, "wall"), 1),
        _number(heat.sync(name), 1),
        _ratio(heat.sync(name), heat.sync(base)),
        _number(heat.sync(name, "wall"), 1),
        _number(heat.recheck(name), 1),
        _number(heat.baseline(name), 0),
        _number(heat.version(name), 0),
        _number((heat.middle(name, "peak") or 0) / 1024 / 1024, 0),
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, columns aligned, and a blank line."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:]))
    for first, *others in (header, rule, *rows):
        cells = [each.rjust(width) for each, width in zip(others, widths[1:], strict=True)]
        yield f"| {' | '.join((first.ljust(widths[0]), *cells))} |"
    yield ""


def _number(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:,.{digits}f}"


def _ratio(figure: float | None, base: float | None) -> str:
    return "-" if figure is None or not base else f"{figure / base:.2f}"


def _circumstances(command: str, pythons: Sequence[str]) -> Iterator[str]:
    system = f"{platform.system()} {platform.machine()}"
    yield (
        f"Printed by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC,"
        f" Python {platform.python_version()}, {system} ({_processor()}), {os.cpu_count()} CPUs,"
        f" load {os.getloadavg()[2]:.1f} over the last 15 minutes.\n"
    )
    yield f"Packages: {', '.join(_packages(pythons))}.\n"
    yield "Only ratios within one table are firm: the machine's other work moves the times.\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _packages(pythons: Sequence[str]) -> list[str]:
    found = {name: _version(name) for name in _PACKAGES}
    for python in pythons:
        asked = subprocess.run(
            [python, "-c", _ASK, *(n for n, version in found.items() if not version)],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        found |= dict(line.split() for line in asked.stdout.splitlines())
    return [f"{name} {version}" for name, version in found.items() if version]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
