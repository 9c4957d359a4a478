"""A sync of one CRM with a stopwatch beside it."""

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Final

from connectors.hubspot.client import LIST_LIMIT, SEARCH_LIMIT
from connectors.hubspot.lookup import READ_BATCH
from connectors.salesforce import soql
from crmtrail.app import App, Target
from crmtrail.clock import SystemClock
from crmtrail.config import Config, parse
from crmtrail.model import FieldType, Mode, Schema
from scheduler.runner import Run
from snapshot.engine import open_store

MIB: Final = 1024 * 1024
_LONG_TEXT: Final = 255
"""Salesforce answers 200 rows at most where two fields are longer (SOQL and SOSL Reference)."""


@dataclass(frozen=True)
class Crm:
    """One CRM of the sandbox: what is synced, which field changes later, how far blocks reach.

    Attributes:
        name: what the sandbox calls it.
        source: what the config calls it.
        fields: each object, and the field that somebody changes for the incremental sync.
        sample: the object for the side-by-side comparison.
        block: how many pages are read before it is another way's turn.
        blocks: how many turns each way has. HubSpot's stay within one ten-second allowance, so
            that nobody waits for it.
    """

    name: str
    source: str
    fields: Mapping[str, str]
    sample: str
    block: int
    blocks: int


CRMS: Final = {
    crm.name: crm
    for crm in (
        Crm(
            name="salesforce",
            source="sf",
            fields={
                "Account": "Site",
                "Contact": "Title",
                "Lead": "Title",
                "Opportunity": "NextStep",
                "OpportunityLineItem": "Description",
                "Quote": "Description",
                "QuoteLineItem": "Description",
            },
            sample="Contact",
            block=2,
            blocks=8,
        ),
        Crm(
            name="hubspot",
            source="hs",
            fields={
                "contacts": "jobtitle",
                "companies": "city",
                "deals": "hs_next_step",
                "line_items": "description",
                "quotes": "hs_title",
            },
            sample="contacts",
            block=10,
            blocks=7,
        ),
    )
}


@dataclass(frozen=True)
class Place:
    """Where a measurement takes place; travels as JSON."""

    crm: str
    url: str
    tokens: Mapping[str, str]
    store: str

    def config(self) -> Config:
        """Return the configuration that a user would write for it."""
        crm = CRMS[self.crm]
        return parse(
            f"user: benchmark\n"
            f"store: {{url: 'sqlite:///{self.store}'}}\n"
            f"sources: {{{crm.source}: {{kind: {crm.name}, base_url: '{self.url}',"
            f" auth: {{token: '{self.tokens['observer']}'}},"
            f" objects: [{', '.join(crm.fields)}]}}}}\n",
            {},
        )


@dataclass
class Spent:
    """Seconds and CPU seconds that passed inside `spending`."""

    seconds: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Add what passes inside."""
        began, cpu = time.perf_counter(), _cpu()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began
            self.cpu += _cpu() - cpu


@dataclass
class Memory:
    """Resident memory beside the number of records read so far, once a page."""

    before: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)

    def note(self, run: Run) -> None:
        """Take a sample."""
        self.seen.append((self.before + run.kept.read, _resident()))

    def at(self, share: float) -> int:
        """Return the bytes when that share of all records had been read."""
        wanted = share * self.seen[-1][0]
        return next(resident for read, resident in self.seen if read >= wanted)


def load(place: Place) -> dict[str, Any]:
    """Sync every object once, until it is complete."""
    crm = CRMS[place.crm]
    spent, memory = Spent(), Memory()
    runs: dict[str, Run] = {}
    with warm_app(place) as app:
        idle = _resident()
        for name in crm.fields:
            say(f"{crm.name}: {name}")
            target = Target(crm.source, name)
            with spent.spending():
                run = app.sync(target, Mode.INCREMENTAL, progress=memory.note)
            if run.failure is not None:
                sys.exit(f"{crm.source}:{name}: {run.failure.message}")
            runs[name] = run
            memory.before += run.kept.read
        pages = {
            name: _least(app.store.schema(crm.source, name), run, first=run.kept.created > 0)
            for name, run in runs.items()
        }
    return {
        "read": sum(run.kept.read for run in runs.values()),
        "created": sum(run.kept.created for run in runs.values()),
        "updated": sum(run.kept.updated for run in runs.values()),
        "calls": sum(run.api_calls for run in runs.values()),
        "least": sum(pages.values()),
        "seconds": spent.seconds,
        "cpu": spent.cpu,
        "idle": idle,
        "resident": [memory.at(share) for share in (0.1, 0.5, 1.0)] if memory.before else [],
        "peak": peak(),
        "bytes": Path(place.store).stat().st_size,
    }


def check(place: Place) -> dict[str, Any]:
    """Recompute the ledger and the data under it."""
    spent = Spent()
    with warm_app(place) as app, spent.spending():
        found = app.store.verify()
    if not found.ok:
        sys.exit(f"{place.crm}: the store does not verify: {found.first_bad}")
    return {"entries": found.entries, "seconds": spent.seconds}


@contextmanager
def warm_app(place: Place) -> Iterator[App]:
    """Give the program with its store open and everything imported that it needs."""
    open_store(f"sqlite:///{place.store}", SystemClock()).close()
    with App(place.config()) as app:
        app.connector(CRMS[place.crm].source)
        yield app


def _least(schema: Schema | None, run: Run, *, first: bool) -> int:
    """Return the fewest requests that can bring what a run brought, beside the fixed ones."""
    records = run.kept.read
    if run.source == CRMS["hubspot"].source:
        if first:
            return ceil(records / LIST_LIMIT)
        return ceil(records / SEARCH_LIMIT) + ceil(records / READ_BATCH)
    return least_pages(schema, records)


def least_pages(schema: Schema | None, records: int) -> int:
    """Return the fewest queries that bring so many records of Salesforce with their content."""
    fields = schema.fields.values() if schema else ()
    long = [
        one
        for one in fields
        if one.type is FieldType.TEXT
        and one.vendor_type == "textarea"
        and (one.max_length or 0) > _LONG_TEXT
    ]
    return ceil(records / (soql.PAGE if len(long) < 2 else soql.PAGE // 10))  # noqa: PLR2004 -- see _LONG_TEXT


def peak() -> int:
    """Return the most memory this process ever held, in bytes (Linux).

    Not ``ru_maxrss``: that begins with what the process held that started this one.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    (told,) = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    return int(told) * 1024


def _resident() -> int:
    """Return this process's resident memory in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(text: str) -> None:
    """Tell how far we are, on standard error."""
    sys.stderr.write(f"{text}\n")
