"""Print the API calls of Salesforce beside the fewest that could do the same work.

    python benchmarks/calls.py [--quick] [--write]

See README.md beside this file for what the figures mean.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from counting import NEVER, Spot
from measuring import CRMS, MIB
from sync import change, circumstances, sandbox

from crmtrail.model import Mode
from crmtrail.sandbox.client import Sandbox

_CRM: Final = CRMS["salesforce"]
_RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_TITLE: Final = "## API calls of Salesforce, beside the fewest possible"
_NOTE: Final = (
    "Others used the machine meanwhile: only calls and ratios are firm. Seconds of a Bulk job"
    " include the pauses between two looks at it."
)
_QUIET: Final = ("Account", "Contact", "Opportunity")
_ONE_IN: Final = 100
_ROWS: Final = 2_000
_COLLECTION: Final = 200
_QUERY_JOB: Final = 3
"""Make a query job, look at it once, fetch its results."""

_INGEST_JOB: Final = 7
"""Make, fill and close an ingest job, look at it once, fetch its three results."""


@dataclass(frozen=True)
class Case:
    """One row of the table. ``why`` says how the least comes about."""

    name: str
    records: int
    calls: int
    least: int
    why: str
    seconds: float
    peak: int

    def cells(self) -> tuple[str, ...]:
        """Return the row's text."""
        pace = f"{self.records / self.seconds:,.0f}" if self.records else "-"
        return (
            self.name,
            f"{self.records:,}",
            f"{self.calls:,}",
            f"{self.least:,}",
            f"{self.calls / self.least:.2f}",
            pace,
            f"{self.peak / MIB:,.0f}",
            self.why,
        )


@dataclass
class Bench:
    """The sandbox, and a store that grows from case to case."""

    control: Sandbox
    spot: Spot
    folder: Path

    def loads(self) -> list[Case]:
        """Load everything twice: through queries, and through Bulk."""
        bulk = replace(self.spot, store=str(self.folder / "bulk.db"), bulk_above=0)
        rest, jobs = worked("sync", self.spot), worked("sync", bulk)
        same(total(jobs["read"]), total(rest["read"]), "records were read by Bulk")
        least = sum(rest["pages"].values())
        return [
            case_of("first load, REST", rest, least, "a query a page of 2,000 rows (200 where an "
                  "object has two long texts)"),
            case_of("first load, Bulk", jobs, _QUERY_JOB * len(jobs["read"]), "a job an object: "
                  "make it, look once, one page of results"),
        ]  # fmt: skip

    def quiet(self) -> Case:
        """Poll when nothing changed."""
        spot = replace(self.spot, objects=_QUIET)
        why = "one query an object; less would not ask"
        return case_of("quiet poll of 3 objects", worked("sync", spot), len(_QUIET), why)

    def scattered(self) -> Case:
        """Poll after one record in a hundred changed, over all objects."""
        changed = change(_CRM, self.control, self.spot)
        found = worked("sync", self.spot)
        same(found["updated"], changed, "scattered edits were noticed")
        why = "a query a page of rows, at least one an object"
        least = sum(max(1, pages) for pages in found["pages"].values())
        return case_of("1 % changed, scattered edits", found, least, why)

    def mass(self, contacts: Sequence[str], most: int) -> Case:
        """Poll all objects after one mass update of contacts."""
        changed = contacts[:most]
        self.edit(changed, "Mass update")
        found = worked("sync", self.spot)
        same(found["updated"], len(changed), "records of the mass update were noticed")
        why = "a query a page of rows, at least one an object"
        least = sum(max(1, pages) for pages in found["pages"].values())
        return case_of("1 % changed, one mass update", found, least, why)

    def reconciled(self, bulk_above: int, how: str) -> Case:
        """See every record, by id and stamp."""
        spot = replace(self.spot, mode=Mode.RECONCILE, bulk_above=bulk_above)
        found = worked("sync", spot)
        ids = [ceil(records / _ROWS) for records in found["known"].values()]
        least = sum(min(one, _QUERY_JOB) for one in ids)
        why = "ids and stamps: pages of 2,000, or three calls of a Bulk job where that is less"
        seen = {"read": found["known"]}
        return case_of(f"reconcile, {how}", {**found, **seen}, least, why)

    def restored(self, ids: Sequence[str]) -> Case:
        """Spoil contacts, notice it, and put their titles back."""
        # Stamps are cut to the second: go back to before the one in which they are spoilt.
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        self.edit(ids, "Spoilt")
        spot = replace(self.spot, objects=("Contact",), at=at.isoformat())
        same(worked("sync", spot)["updated"], len(ids), "spoilt records were noticed")
        found = worked("restore", replace(spot, records=tuple(ids)))
        same(total(found["read"]), len(ids), "records were restored")
        reads = 2 * ceil(len(ids) / _ROWS)
        collections = ceil(len(ids) / _COLLECTION)
        writes = min(collections, _INGEST_JOB)
        way = "a collection for each 200" if collections <= _INGEST_JOB else "an ingest job"
        why = f"{reads} reads of 2,000 before and after, {writes} calls for {way}"
        return case_of(f"restore of {len(ids):,}", found, reads + writes, why)

    def edit(self, ids: Sequence[str], title: str) -> None:
        """Let an app set the title of contacts, all in one moment."""
        self.control.act(
            "salesforce", do="update", object="Contact",
            records=[{"id": id_, "fields": {"Title": title}} for id_ in ids],
            **{"as": {"kind": "app", "name": "Marketing Sync"}},
        )  # fmt: skip


def main() -> None:
    """Measure every case and print the table."""
    options = argparse.ArgumentParser(description="Count the API calls of Salesforce.")
    options.add_argument("--quick", action="store_true", help="10,000 records, not 100,000")
    options.add_argument("--write", action="store_true", help="write the table into RESULTS.md")
    given = options.parse_args()
    size = "medium" if given.quick else "large"
    with sandbox(size) as url, TemporaryDirectory(prefix="crmtrail-calls-") as folder:
        cases = measured(url, Path(folder), quick=given.quick)
    told = f"{_TITLE}\n\n{circumstances('calls.py', size)} {_NOTE}\n\n{table(cases)}\n"
    print(told)
    if given.write:
        kept = _RESULTS.read_text(encoding="utf-8").partition(_TITLE)[0].rstrip()
        _RESULTS.write_text(f"{kept}\n\n{told}", encoding="utf-8")


def measured(url: str, folder: Path, *, quick: bool) -> list[Case]:
    """Take every measurement, one after the other."""
    control = Sandbox(url)
    tokens = control.people("salesforce")["tokens"]
    spot = Spot("salesforce", url, tokens, str(folder / "rest.db"), objects=tuple(_CRM.fields))
    bench = Bench(control, spot, folder)
    cases = bench.loads()
    contacts = [row["Id"] for row in control.truth("salesforce", "Contact") if not row["deleted"]]
    one_in_hundred = ceil(sum(case.records for case in cases[:1]) / _ONE_IN)
    cases += [bench.quiet(), bench.mass(contacts, one_in_hundred), bench.scattered()]
    cases += [bench.reconciled(NEVER, "REST"), bench.reconciled(20_000, "as configured")]
    sizes = (200, 1_000, 2_100) if quick else (2_000, 3_000, 10_000)
    spans = pairwise(accumulate(sizes, initial=0))
    return cases + [bench.restored(contacts[start:end]) for start, end in spans]


def table(cases: Sequence[Case]) -> str:
    """Return the cases as a Markdown table that can be read as it is."""
    header = ("", "records", "calls", "least", "calls / least", "records/s", "peak MiB",
              "why no fewer")  # fmt: skip
    rows = [header, *(case.cells() for case in cases)]
    widths = [max(len(row[no]) for row in rows) for no in range(len(header))]
    ends = (0, len(header) - 1)
    rule = ["-" * w if no in ends else "-" * (w - 1) + ":" for no, w in enumerate(widths)]
    lines = [
        [cell.ljust(w) if no in ends else cell.rjust(w)
         for no, (cell, w) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def worked(what: str, spot: Spot) -> Mapping[str, Any]:
    """Do one piece of work in a fresh process and return its figures."""
    script = Path(__file__).with_name("counting.py")
    done = subprocess.run(
        [sys.executable, str(script), what],
        input=json.dumps(asdict(spot)), stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    figures: Mapping[str, Any] = json.loads(done.stdout)
    return figures


def case_of(name: str, found: Mapping[str, Any], least: int, why: str) -> Case:
    """Return the row of a piece of work."""
    return Case(
        name, total(found["read"]), found["calls"], least, why, found["seconds"], found["peak"]
    )


def total(of: Mapping[str, int]) -> int:
    """Return the sum over all objects."""
    return sum(of.values())


def same(found: int, expected: int, what: str) -> None:
    """End the benchmark where something else came out than was done."""
    if found != expected:
        sys.exit(f"{found:,} {what}, not {expected:,}")


if __name__ == "__main__":
    main()
