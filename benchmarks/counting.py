"""Count the requests of one piece of work in this process, beside its time and memory.

    python benchmarks/counting.py sync|restore PLACE

PLACE is a `Spot` as JSON; the figures are printed as JSON.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from measuring import CRMS, Place, Spent, least_pages, peak, say, warm_app

from crmtrail.app import App, Target
from crmtrail.config import Config, parse
from crmtrail.model import Mode, OnConflict, Ref, Result
from rollback.selections import ByRecords

NEVER: Final = 10**9
"""`bulk_above` with which nothing is read in bulk."""


@dataclass(frozen=True)
class Spot(Place):
    """A place with what is to be done there.

    Attributes:
        objects: what is synced.
        mode: how far the sync reaches.
        bulk_above: from so many records on a whole load goes by Bulk.
        records: the contacts to restore.
        at: the moment to which they are restored, ISO 8601.
        field: the field that is restored.
    """

    objects: tuple[str, ...] = ()
    mode: str = Mode.INCREMENTAL
    bulk_above: int = NEVER
    records: tuple[str, ...] = ()
    at: str = ""
    field: str = "Title"

    @property
    def source(self) -> str:
        """What the config calls the CRM."""
        return CRMS[self.crm].source

    def config(self) -> Config:
        """Return the configuration that a user would write for it."""
        auth, restore = self.tokens["observer"], self.tokens["restorer"]
        return parse(
            f"user: benchmark\n"
            f"store: {{url: 'sqlite:///{self.store}'}}\n"
            f"sources: {{{self.source}: {{kind: {self.crm}, base_url: '{self.url}',"
            f" auth: {{token: '{auth}'}}, restore_auth: {{token: '{restore}'}},"
            f" bulk_above: {self.bulk_above}, objects: [{', '.join(self.objects)}]}}}}\n",
            {},
        )


def sync(spot: Spot) -> dict[str, Any]:
    """Sync every object once; count calls and records by object."""
    spent = Spent()
    calls: dict[str, int] = {}
    read: dict[str, int] = {}
    pages: dict[str, int] = {}
    updated = 0
    with warm_app(spot) as app:
        for name in spot.objects:
            say(f"{spot.mode}: {name}")
            with spent.spending():
                run = app.sync(Target(spot.source, name), Mode(spot.mode))
            if run.failure is not None:
                sys.exit(f"{name}: {run.failure.message}")
            calls[name], read[name] = run.api_calls, run.kept.read
            updated += run.kept.updated
            pages[name] = least_pages(app.store.schema(spot.source, name), run.kept.read)
        known = {name: app.store.standing(spot.source, name).records for name in spot.objects}
    return _figures(
        spent, sum(calls.values()), updated=updated, read=read, pages=pages, known=known
    )


def restore(spot: Spot) -> dict[str, Any]:
    """Plan a restore of contacts' titles, and apply it."""
    spent = Spent()
    (object_,) = spot.objects
    records = tuple(Ref(spot.source, object_, id_) for id_ in spot.records)
    with warm_app(spot) as app:
        before = _calls(app, spot.source)
        selection = ByRecords(records, datetime.fromisoformat(spot.at), (spot.field,))
        with spent.spending():
            plan = app.plan(selection, OnConflict.KEEP)
            applied = app.apply(plan.id, canary=0)
        if applied.receipt is None:
            sys.exit("the restore was stopped before its end")
        restored = applied.receipt.outcomes.get(Result.RESTORED, 0)
        calls = _calls(app, spot.source) - before
    return _figures(spent, calls, read={object_: restored}, told=plan.api_calls)


def _calls(app: App, source: str) -> int:
    return app.connector(source).calls + app.connector(source, restoring=True).calls


def _figures(spent: Spent, calls: int, **more: Any) -> dict[str, Any]:
    return {"calls": calls, "seconds": spent.seconds, "cpu": spent.cpu, "peak": peak(), **more}


_WORKS: Final[Mapping[str, Any]] = {"sync": sync, "restore": restore}


def main() -> None:
    """Take the work's name and place from the command line and standard input."""
    (what,) = sys.argv[1:]
    told = json.load(sys.stdin)
    lists = {key: tuple(told[key]) for key in ("objects", "records")}
    sys.stdout.write(json.dumps(_WORKS[what](Spot(**told | lists))))


if __name__ == "__main__":
    main()
