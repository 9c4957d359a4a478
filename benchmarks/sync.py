"""Measure the first load of a CRM and an incremental sync, against the sandbox CRM.

    python benchmarks/sync.py [--size small|medium|large] [--markdown]

See README.md beside this file for what the figures mean.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from measuring import CRMS, MIB, Crm, Place

from crmtrail.clock import SystemClock
from crmtrail.sandbox.client import Sandbox
from snapshot.engine import open_store

Figures: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Sequence[tuple[str, ...]]

_CRMTRAIL: Final = [sys.executable, "-c", "from crmtrail.cli.main import main; main()"]
_ONE_IN: Final = 100
"""Of so many records, one is changed for the incremental sync."""

_BATCH: Final = 200
_NAMES: Final = {"salesforce": "Salesforce", "hubspot": "HubSpot"}
_APPS: Final = {"salesforce": "Marketing Sync", "hubspot": "Ledgerline Sync"}


def main() -> None:
    """Measure both CRMs and print the tables."""
    options = argparse.ArgumentParser(description="Measure first load and incremental sync.")
    options.add_argument("--size", choices=["small", "medium", "large"], default="large")
    options.add_argument("--markdown", action="store_true", help="print the whole of RESULTS.md")
    given = options.parse_args()
    with sandbox(given.size) as url, TemporaryDirectory(prefix="crmtrail-bench-") as folder:
        found = {name: measured(crm, url, Path(folder)) for name, crm in CRMS.items()}
    if given.markdown:
        print(f"# Results\n\n{circumstances('sync.py', given.size)}\n")
    for title, row in _TABLES.items():
        _show(title, [(label, *(tell(found[name]) for name in CRMS)) for label, tell in row])


@contextmanager
def sandbox(size: str) -> Iterator[str]:
    """Run a seeded sandbox in a process of its own; yield its address."""
    command = [*_CRMTRAIL, "--json", "sandbox", "--port", "0", "--size", size]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            told = server.stdout.readline() if server.stdout else ""
            yield json.loads(told)["hubspot"]["base_url"]
        finally:
            server.terminate()


def measured(crm: Crm, url: str, folder: Path) -> dict[str, Figures]:
    """Take every measurement of one CRM, one after the other."""
    control = Sandbox(url)
    tokens = control.people(crm.name)["tokens"]
    place = Place(crm.name, url, tokens, str(folder / f"{crm.name}.db"))
    found: dict[str, Figures] = {}
    found["compare"] = child("compare", replace(place, store=str(folder / f"{crm.name}-0.db")))
    found["first"] = child("load", place)
    changed = change(crm, control, place)
    found["later"] = child("load", place)
    if found["later"]["updated"] != changed:
        sys.exit(f"{changed} records were changed, {found['later']['updated']} were noticed")
    found["quiet"] = child("load", place)
    found["check"] = child("check", place)
    return found


def child(what: str, place: Place) -> dict[str, Any]:
    """Take one measurement in a fresh process."""
    script = Path(__file__).with_name("child.py")
    command = [sys.executable, str(script), what, json.dumps(asdict(place))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def change(crm: Crm, control: Sandbox, place: Place) -> int:
    """Let an app change one record in a hundred, of every object; return how many."""
    changed = 0
    with (
        closing(open_store(f"sqlite:///{place.store}", SystemClock())) as store,
        store.engine.connect() as connection,
    ):
        rows = connection.exec_driver_sql(
            "SELECT o.name, r.ext_id FROM record AS r JOIN object AS o USING (object_id)"
            " WHERE NOT r.deleted AND r.record_id % ? = 0",
            (_ONE_IN,),
        ).all()
    for object_, name in crm.fields.items():
        ids = [id_ for of, id_ in rows if of == object_]
        for start in range(0, len(ids), _BATCH):
            records = [
                {"id": id_, "fields": {name: f"Changed {start + no}"}}
                for no, id_ in enumerate(ids[start : start + _BATCH])
            ]
            by = {"kind": "app", "name": _APPS[crm.name]}
            control.act(crm.name, **{"as": by}, do="update", object=object_, records=records)
        changed += len(ids)
    return changed


def _speed(figures: Figures) -> str:
    return f"{figures['read'] / figures['seconds']:,.0f}"


def _calls(figures: Figures) -> str:
    fixed = figures["calls"] - figures["least"]
    return f"{figures['calls']:,} = {figures['least']:,} + {fixed:,}"


def _cpu_each(figures: Figures) -> str:
    return f"{figures['cpu'] / figures['read'] * 1e6:,.0f} µs"


def _mib(size: float) -> str:
    return f"{size / MIB:,.0f}"


def _residents(figures: Figures) -> str:
    return ", ".join(map(_mib, (figures["idle"], *figures["resident"])))


def _version_bytes(found: Mapping[str, Figures]) -> str:
    grown = found["later"]["bytes"] - found["first"]["bytes"]
    return f"{grown / found['later']['updated']:,.0f}"


def _pace(way: str, found: Figures, part: int) -> str:
    """Return milliseconds for 1,000 records, median of the turns."""
    records = found["records"] / found["blocks"]
    return f"{median(turn[part] for turn in found[way]) / records * 1e6:,.0f} ms"


def _ratio(way: str, found: Figures, part: int) -> str:
    """Return how much longer a sync takes than another way; median of the turns."""
    turns = zip(found["kept"], found[way], strict=True)
    return f"{median(kept[part] / other[part] for kept, other in turns):.2f}"


_TABLES: Final = {
    "First load": (
        ("records", lambda found: f"{found['first']['read']:,}"),
        ("seconds", lambda found: f"{found['first']['seconds']:,.1f}"),
        ("records/s, end to end", lambda found: _speed(found["first"])),
        ("CPU seconds of our process", lambda found: f"{found['first']['cpu']:,.1f}"),
        ("CPU a record", lambda found: _cpu_each(found["first"])),
        ("API calls = least pages + others", lambda found: _calls(found["first"])),
        ("resident MiB before, at 10, 50, 100 %", lambda found: _residents(found["first"])),
        ("peak resident MiB", lambda found: _mib(found["first"]["peak"])),
        ("bytes of the database a record",
         lambda found: f"{found['first']['bytes'] / found['first']['read']:,.0f}"),
    ),
    "Incremental sync of 1 %": (
        (
            "records changed; read",
            lambda found: f"{found['later']['updated']:,}; {found['later']['read']:,}",
        ),
        ("seconds", lambda found: f"{found['later']['seconds']:,.2f}"),
        ("CPU seconds of our process", lambda found: f"{found['later']['cpu']:,.2f}"),
        ("API calls = least + others", lambda found: _calls(found["later"])),
        ("peak resident MiB", lambda found: _mib(found["later"]["peak"])),
        ("bytes of the database a version", _version_bytes),
    ),
    "A poll when nothing changed": (
        ("seconds", lambda found: f"{found['quiet']['seconds']:,.2f}"),
        ("API calls", lambda found: f"{found['quiet']['calls']:,}"),
    ),
    "verify": (
        ("entries/s",
         lambda found: f"{found['check']['entries'] / found['check']['seconds']:,.0f}"),
    ),
    "Side by side, for 1,000 records: time, and CPU of our process": (
        ("fetched and decoded with the vendor's client",
         lambda found: f"{_pace('fetched', found['compare'], 0)}, "
                       f"{_pace('fetched', found['compare'], 1)}"),
        ("read with our connector",
         lambda found: f"{_pace('read', found['compare'], 0)}, "
                       f"{_pace('read', found['compare'], 1)}"),
        ("synced: stored, sealed, looked at",
         lambda found: f"{_pace('kept', found['compare'], 0)}, "
                       f"{_pace('kept', found['compare'], 1)}"),
        ("synced / fetched",
         lambda found: f"{_ratio('fetched', found['compare'], 0)}, "
                       f"{_ratio('fetched', found['compare'], 1)}"),
        ("synced / read",
         lambda found: f"{_ratio('read', found['compare'], 0)}, "
                       f"{_ratio('read', found['compare'], 1)}"),
    ),
}  # fmt: skip


def circumstances(script: str, size: str) -> str:
    """Say when and where a table was measured."""
    system = f"{platform.system()} {platform.machine()}"
    return (
        f"Printed by `python benchmarks/{script}`, size {size}, on"
        f" {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, {system},"
        f" {os.cpu_count()} CPUs, load {os.getloadavg()[2]:.1f} over the last 15 minutes."
    )


def _show(title: str, rows: Rows) -> None:
    """Print a Markdown table that can be read as it is."""
    header = ("", *(_NAMES[name] for name in CRMS))
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"## {title}\n")
    rule = ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:]))
    for first, *others in (header, rule, *rows):
        cells = [each.rjust(width) for each, width in zip(others, widths[1:], strict=True)]
        print(f"| {' | '.join((first.ljust(widths[0]), *cells))} |")
    print()


if __name__ == "__main__":
    main()
