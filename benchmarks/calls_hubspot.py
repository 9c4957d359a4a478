"""Print the API calls of HubSpot beside the fewest that could do the same work.

    python benchmarks/calls_hubspot.py [--quick] [--write]

See README.md beside this file for what the figures mean.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from calls import Case, case_of, same, table, total, worked
from counting import Spot
from measuring import CRMS
from sync import circumstances, sandbox

from crmtrail.model import Mode
from crmtrail.sandbox.client import Sandbox

_CRM: Final = CRMS["hubspot"]
_RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_TITLE: Final = "## API calls of HubSpot, beside the fewest possible"
_NOTE: Final = "Others used the machine meanwhile: only calls and ratios are firm."
_WITH_HISTORY: Final = 50
_IDS: Final = 100
_HITS: Final = 200
_WRITES: Final = 100
_QUIET: Final = ("contacts", "companies", "deals")


@dataclass
class Bench:
    """The sandbox, and a store that grows from case to case."""

    control: Sandbox
    spot: Spot

    def load(self) -> Case:
        """Load everything with its whole history."""
        found = worked("sync", self.spot)
        least = _pages(found["read"], _WITH_HISTORY)
        return case_of("first load", found, least, "a page of 50 records with their history")

    def quiet(self) -> Case:
        """Poll when nothing changed."""
        found = worked("sync", replace(self.spot, objects=_QUIET))
        return case_of("quiet poll of 3 objects", found, len(_QUIET), "one search an object")

    def mass(self, ids: Sequence[str]) -> Case:
        """Poll after one mass update of contacts."""
        self.edit(ids, "Mass update")
        found = worked("sync", replace(self.spot, objects=("contacts",)))
        same(found["updated"], len(ids), "records of the mass update were noticed")
        least = ceil(len(ids) / _HITS) + ceil(len(ids) / _WITH_HISTORY)
        why = "searches of 200 ids, and 50 records with their history a read"
        return case_of("1 % changed, one mass update of contacts", found, least, why)

    def reconciled(self) -> Case:
        """See every record, by id and stamp."""
        found = worked("sync", replace(self.spot, mode=Mode.RECONCILE))
        least = _pages(found["known"], _IDS)
        seen = {"read": found["known"]}
        return case_of("reconcile", {**found, **seen}, least, "lists of 100 ids and stamps")

    def restored(self, ids: Sequence[str]) -> Case:
        """Spoil contacts, notice it, and put their titles back."""
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        self.edit(ids, "Spoilt")
        spot = replace(self.spot, objects=("contacts",), at=at.isoformat(), field="jobtitle")
        same(worked("sync", spot)["updated"], len(ids), "spoilt records were noticed")
        found = worked("restore", replace(spot, records=tuple(ids)))
        same(total(found["read"]), len(ids), "records were restored")
        reads, writes = 2 * ceil(len(ids) / _WITH_HISTORY), ceil(len(ids) / _WRITES)
        why = f"{reads} reads of 50 with history before and after, {writes} writes of 100"
        return case_of(f"restore of {len(ids):,}", found, reads + writes, why)

    def edit(self, ids: Sequence[str], title: str) -> None:
        """Let an app set the title of contacts, all in one moment."""
        records = [{"id": id_, "fields": {"jobtitle": title}} for id_ in ids]
        by = {"as": {"kind": "app", "name": "Ledgerline Sync"}}
        self.control.act("hubspot", do="update", object="contacts", records=records, **by)


def main() -> None:
    """Measure every case and print the table."""
    options = argparse.ArgumentParser(description="Count the API calls of HubSpot.")
    options.add_argument("--quick", action="store_true", help="10,000 records, not 100,000")
    options.add_argument("--write", action="store_true", help="write the table into RESULTS.md")
    given = options.parse_args()
    size = "medium" if given.quick else "large"
    with sandbox(size) as url, TemporaryDirectory(prefix="crmtrail-calls-") as folder:
        cases = measured(url, Path(folder), quick=given.quick)
    script = Path(__file__).name
    told = f"{_TITLE}\n\n{circumstances(script, size)} {_NOTE}\n\n{table(cases)}\n"
    print(told)
    if given.write:
        before, _, rest = _RESULTS.read_text(encoding="utf-8").partition(_TITLE)
        _, mark, after = rest.partition("\n## ")
        kept = f"{before.rstrip()}\n\n{told}"
        _RESULTS.write_text(kept + (mark + after if mark else ""), encoding="utf-8")


def measured(url: str, folder: Path, *, quick: bool) -> list[Case]:
    """Take every measurement, one after the other."""
    control = Sandbox(url)
    tokens = control.people("hubspot")["tokens"]
    spot = Spot("hubspot", url, tokens, str(folder / "hubspot.db"), objects=tuple(_CRM.fields))
    bench = Bench(control, spot)
    cases = [bench.load(), bench.quiet()]
    contacts = sorted(row["id"] for row in control.truth("hubspot", "contacts"))
    one_in_hundred = ceil(cases[0].records / 100)
    cases.append(bench.mass(contacts[:one_in_hundred]))
    cases.append(bench.reconciled())
    sizes = (200,) if quick else (500, 2_000)
    return [*cases, *(bench.restored(contacts[:size]) for size in sizes)]


def _pages(counts: Mapping[str, int], size: int) -> int:
    return sum(max(1, ceil(count / size)) for count in counts.values())


if __name__ == "__main__":
    main()
