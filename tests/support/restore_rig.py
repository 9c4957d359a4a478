"""A CRM, a store, a journal, a planner and an applier on one clock."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crmtrail.config import BlankingConfig, RestoreConfig, RulesConfig
from crmtrail.detection.emptiness import is_blank
from crmtrail.detection.notice import noticing
from crmtrail.model import (
    NULL,
    Actor,
    Field,
    Loss,
    OnConflict,
    Operation,
    Outcome,
    Plan,
    Ref,
    Removal,
    Result,
    Token,
)
from crmtrail.ports import Journal, Store
from rollback.apply import Applied, Applier
from rollback.batches import Limits
from rollback.journal import SqlJournal
from rollback.memory import MemoryJournal
from rollback.planner import Planner
from rollback.run import Hooks
from rollback.selections import ByOperation, Selection
from snapshot.awaited import Sent
from snapshot.engine import open_store
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.memory_connector import MemoryConnector, Ticking
from support.restoring import SYNC, schema, text

FIELDS = schema(
    Field("Phone"),
    Field("Title"),
    Field("Score", computed=True, updateable=False),
    Field("Name", nillable=False),
    Field("Code", updateable=False),
)
RULES = RulesConfig(blanking=BlankingConfig(min_records=3))


class Rig:
    """Everything a restore needs; ``applier`` makes a new process, as it were."""

    def __init__(
        self, store: Store, journal: Journal, clock: Ticking, restore: RestoreConfig, **crm: Any
    ) -> None:
        self.store = store
        self.journal = journal
        self.clock = clock
        self.restore = restore
        self.crm = MemoryConnector(FIELDS, clock, **crm)
        self.notice = noticing(RULES)
        store.learn(FIELDS, clock.now())

    def sync(self) -> None:
        """Let the store see every record of the CRM."""
        found = [
            one
            for start in range(0, len(self.crm.things), self.crm.read_batch)
            for one in self.crm.read(
                "Contact",
                sorted(self.crm.things)[start : start + self.crm.read_batch],
                trail=True,
            ).values()
        ]
        self.store.absorb("sf", "Contact", found, notice=self.notice)

    def sync_merged(self, id_: str, *, into: str) -> None:
        """Let the store see that a record was merged into another."""
        now = self.clock.now()
        gone = Removal(Ref("sf", "Contact", id_), Loss.MERGED, now, now, SYNC, merged_into=into)
        self.store.absorb("sf", "Contact", [gone], notice=self.notice)

    def blanked(self, count: int, actor: Actor = SYNC) -> Operation:
        """Make records with phones, let an app blank them, and sync both."""
        for no in range(count):
            fields = {"Phone": text(f"555-{no}"), "Title": text("Dr"), "Name": text(f"N{no}")}
            self.crm.create(f"{no:03}", fields)
        self.sync()
        for no in range(count):
            self.crm.edit(f"{no:03}", {"Phone": NULL}, actor)
        self.sync()
        return self.store.operations(source="sf")[0]

    def plan(
        self,
        selection: Selection,
        *,
        author: str = "grace",
        on_conflict: OnConflict = OnConflict.KEEP,
    ) -> Plan:
        planner = Planner(
            store=self.store,
            journal=self.journal,
            clock=self.clock,
            restore=self.restore,
            blank=_blank,
            limits=lambda _source: Limits(
                self.crm.write_batch,
                self.crm.bulk_batch,
                self.crm.price,
                undeletes=self.crm.undeletes,
            ),
        )
        return planner.make(selection, author=author, on_conflict=on_conflict)

    def planned(self, count: int) -> Plan:
        """Blank some records and plan to undo it."""
        return self.plan(ByOperation(self.blanked(count).id))

    def apply(self, plan: Plan, *, hooks: Hooks | None = None, **more: Any) -> Applied:
        applier = Applier(
            store=self.store,
            journal=self.journal,
            connector=self.crm,
            clock=self.clock,
            restore=self.restore,
            notice=self.notice,
            **more,
        )
        return applier.apply(plan.id, by="grace", hooks=hooks or Hooks())

    def phones(self) -> list[Token]:
        return [self.crm.value(id_, "Phone") for id_ in sorted(self.crm.things)]


def _blank(token: Token | None, field: Field | None) -> bool:
    return is_blank(token, field, RULES.blanking.sentinels)


def contact(no: int) -> Ref:
    return Ref("sf", "Contact", f"{no:03}")


def outcomes(applied: Applied) -> dict[str, Outcome]:
    """Return how each record ended, by the vendor's id."""
    return {step.ref.id: outcome for step, outcome in applied.steps()}


def counted(counts: Mapping[Result, int]) -> dict[str, int]:
    """Return the results that occur, by name."""
    return {result.value: count for result, count in counts.items() if count}


def good(numbers: Sequence[int]) -> list[Token]:
    return [text(f"555-{no}") for no in numbers]


def memory_rig(restore: RestoreConfig | None = None, **crm: Any) -> Rig:
    """Return a rig that keeps everything in memory."""
    clock = Ticking()
    journal: MemoryJournal

    def awaited(refs: Sequence[Ref]) -> Mapping[Ref, Sequence[Sent]]:
        return journal.awaited(refs)

    store = MemoryStore(clock, MemoryLeases(clock), awaited)
    journal = MemoryJournal(store.seal)
    return Rig(store, journal, clock, restore or RestoreConfig(), **crm)


@contextmanager
def sql_rig(folder: Path, restore: RestoreConfig | None = None, **crm: Any) -> Iterator[Rig]:
    """Open a rig over a store and a journal in one SQLite file; check its ledger at the end."""
    clock = Ticking()
    store = open_store(f"sqlite:///{folder / 'crmtrail.db'}", clock)
    try:
        yield Rig(store, SqlJournal(store.engine), clock, restore or RestoreConfig(), **crm)
        verification = store.verify()
        assert verification.ok, verification.first_bad
    finally:
        store.close()
