"""First load and incremental sync against the sandbox CRM, beside a floor that stores nothing.

    python benchmarks/sync.py [--size medium|large] [--rounds N]

The sandbox runs in a process of its own; so does every measurement. The floor reads the same pages
over HTTP with the same connector and throws them away; what the store and detection add is the
ratio to it. Only ratios within one run are firm: the machine's other work moves the seconds.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from crmtrail.app import App, Target
from crmtrail.config import parse
from crmtrail.model import Mode
from crmtrail.sandbox.client import Sandbox

CRMTRAIL = [sys.executable, "-c", "from crmtrail.cli.main import main; main()"]
SAMPLES = (0.1, 0.5, 1.0)
"""At which share of a load the resident memory is looked at."""

CHANGED = 0.01
BATCH = 500


@dataclass(frozen=True)
class Crm:
    """One CRM of the sandbox: what is read, and how many records one request can bring."""

    name: str
    source: str
    objects: tuple[str, ...]
    page: int
    changes: tuple[int, ...]
    """Records for each request of an incremental sync: one entry a kind of request."""

    fields: Mapping[str, str]
    """The objects that are changed later, and the field."""

    key: str


CRMS = (
    Crm(
        "salesforce",
        "sf",
        ("Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Quote"),
        2000,
        (2000,),
        {"Contact": "Phone", "Account": "Phone"},
        "Id",
    ),
    Crm(
        "hubspot",
        "hs",
        ("contacts", "companies", "deals", "line_items", "products", "quotes"),
        100,
        (200, 50),
        {"contacts": "phone", "companies": "phone"},
        "id",
    ),
)


def main() -> None:
    """Measure everything and print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", choices=["small", "medium", "large"], default="large")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        print(json.dumps(measured(*given.child)))
        return
    with sandbox(given.size) as url, TemporaryDirectory(prefix="crmtrail-bench-") as folder:
        people = {crm.name: Sandbox(url).people(crm.name)["tokens"] for crm in CRMS}
        (Path(folder) / "tokens.json").write_text(json.dumps(people))
        for crm in CRMS:
            report(crm, url, Path(folder), given.rounds)


@contextmanager
def sandbox(size: str) -> Iterator[str]:
    """Run a seeded sandbox in a process of its own."""
    command = [*CRMTRAIL, "--json", "sandbox", "--port", "0", "--size", size]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            told = server.stdout.readline() if server.stdout else ""
            yield json.loads(told)["hubspot"]["base_url"]
        finally:
            server.terminate()


def report(crm: Crm, url: str, folder: Path, rounds: int) -> None:
    """Measure one CRM: floor and first load alternated, then an incremental sync."""
    floors, loads = [], []
    for number in range(rounds):
        floors.append(child(crm, "floor", url, folder / f"{crm.name}-floor.db"))
        loads.append(child(crm, "load", url, folder / f"{crm.name}-{number}.db"))
    store = folder / f"{crm.name}-{rounds - 1}.db"
    before = size_of(store)
    changed = change(crm, url)
    later = child(crm, "load", url, store)
    records = loads[-1]["records"]
    least = sum(ceil(n / crm.page) for n in loads[-1]["objects"].values())
    least_later = sum(
        ceil(n / each) for n in later["objects"].values() if n for each in crm.changes
    )
    print(f"\n{crm.name}: {records:,} records, {changed:,} of them changed later")
    table(
        ("", "records/s", "CPU s", "API calls", "least", "RSS at 10, 50, 100 % (MB)"),
        [
            ("floor: read, store nothing", *speeds(floors, least)),
            ("first load", *speeds(loads, least)),
            ("incremental", *speeds([later], least_later)),
        ],
    )
    wall = median(each["seconds"] for each in loads) / median(each["seconds"] for each in floors)
    cpu = median(each["cpu"] for each in loads) / median(each["cpu"] for each in floors)
    print(f"first load / floor: {wall:.2f} in time, {cpu:.2f} in CPU")
    print(f"store: {before / records:,.0f} B a record, "
          f"{(size_of(store) - before) / changed:,.0f} B a changed version")  # fmt: skip


def speeds(runs: Sequence[Mapping[str, Any]], least: int) -> tuple[str, ...]:
    """Return the cells of a row; medians over the rounds."""
    last = runs[-1]
    return (
        f"{median(run['records'] / run['seconds'] for run in runs):,.0f}",
        f"{median(run['cpu'] for run in runs):.1f}",
        f"{last['calls']:,}",
        f"{least:,}",
        ", ".join(f"{rss:,.0f}" for rss in last["rss"]),
    )


def child(crm: Crm, what: str, url: str, store: Path) -> dict[str, Any]:
    """Measure in a fresh process, so that memory and CPU are its own."""
    print(f"{crm.name}: {what} ...", file=sys.stderr)
    command = [sys.executable, __file__, "--child", crm.name, what, url, str(store)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def measured(name: str, what: str, url: str, store: str) -> dict[str, Any]:
    """Do one run in this process and return its figures."""
    crm = next(each for each in CRMS if each.name == name)
    tokens = json.loads((Path(store).parent / "tokens.json").read_text())[name]
    config = parse(
        f"store: {{url: 'sqlite:///{store}'}}\n"
        f"sources: {{{crm.source}: {{kind: {name}, base_url: '{url}',"
        f" auth: {{method: token, token: '{tokens['observer']}'}}, "
        f"objects: [{', '.join(crm.objects)}]}}}}\n",
        {},
    )
    seen: list[tuple[int, float]] = []
    with App(config) as app:
        connector = app.connector(crm.source)
        before, began, cpu = connector.calls, time.monotonic(), cpu_seconds()
        objects = {
            object_: floor(app, crm, object_, seen)
            if what == "floor"
            else load(app, Target(crm.source, object_), seen)
            for object_ in crm.objects
        }
        records = sum(objects.values())
        return {
            "records": records,
            "objects": objects,
            "seconds": time.monotonic() - began,
            "cpu": cpu_seconds() - cpu,
            "calls": connector.calls - before,
            "rss": [at(seen, share * records) for share in SAMPLES],
        }


def load(app: App, target: Target, seen: list[tuple[int, float]]) -> int:
    """Sync one object for good, and return how many records it read."""
    before = seen[-1][0] if seen else 0
    run = app.sync(
        target,
        Mode.INCREMENTAL,
        progress=lambda run: seen.append((before + run.kept.read, resident())),
    )
    if run.failure is not None:
        sys.exit(run.failure.message)
    return run.kept.read


def floor(app: App, crm: Crm, object_: str, seen: list[tuple[int, float]]) -> int:
    """Read what a first load reads, and keep nothing of it."""
    before = seen[-1][0] if seen else 0
    connector = app.connector(crm.source)
    connector.schema(object_)
    cursor = connector.start(object_, None, Mode.INCREMENTAL)
    records = 0
    while True:
        page = connector.page(object_, cursor)
        records += len(page.readings)
        seen.append((before + records, resident()))
        if page.done:
            return records
        cursor = page.cursor


def change(crm: Crm, url: str) -> int:
    """Let an app change one record in a hundred, spread over all of them."""
    control = Sandbox(url)
    user = {"kind": "user", "id": control.people(crm.name)["users"][0]["id"]}
    changed = 0
    for object_, field in crm.fields.items():
        ids = [str(each[crm.key]) for each in control.truth(crm.name, object_)]
        hit = ids[:: round(1 / CHANGED)]
        for start in range(0, len(hit), BATCH):
            records = [
                {"id": id_, "fields": {field: f"+44 20 7946 {start + n:04}"}}
                for n, id_ in enumerate(hit[start : start + BATCH])
            ]
            control.act(crm.name, **{"as": user}, do="update", object=object_, records=records)
        changed += len(hit)
    return changed


def at(seen: Sequence[tuple[int, float]], records: float) -> float:
    """Return the resident memory when so many records had been read."""
    return next((rss for read, rss in seen if read >= records), seen[-1][1])


def resident() -> float:
    """Return this process's resident memory in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds() -> float:
    """Return the CPU seconds this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def size_of(store: Path) -> int:
    """Return the bytes of a store with its write-ahead log."""
    return sum(part.stat().st_size for part in store.parent.glob(store.name + "*"))


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
