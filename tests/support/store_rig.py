"""The two stores, each with its leases and a way to have sent plan steps, for one suite."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from sqlalchemy import Engine

from crmtrail.model import (
    ChangeSet,
    FieldTally,
    Finding,
    Lease,
    Mode,
    Op,
    Operation,
    Ref,
    Severity,
    value_of,
)
from crmtrail.ports import Kept, Leases, Notice, Noticed, Scene, Store, ignore
from scheduler.lease import SqlLeases
from snapshot.awaited import Sent
from snapshot.database import writing
from snapshot.engine import open_store
from snapshot.making import create_all
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from snapshot.place import connect as connect_to
from snapshot.place import place_of
from snapshot.store import SqlStore
from snapshot.times import micros
from support.postgres_server import fresh_database, running
from support.readings import OBJECT, SOURCE, T0, HandClock, at, page, ref

TTL = timedelta(minutes=2)


class Steps(Protocol):
    """Plan steps of ours, as a store learns of them."""

    def send(
        self, plan: str, no: int, ref: Ref, write: Mapping[str, str], *, sent: float, state: str
    ) -> None: ...

    def seen(self, plan: str, no: int) -> int | None: ...


class StoreRig:
    """A store under test with a lease held on one object."""

    def __init__(self, store: Store, leases: Leases, clock: HandClock, steps: Steps) -> None:
        self.store = store
        self.leases = leases
        self.clock = clock
        self.steps = steps
        self.lease = self.take()
        self.run = store.begin(SOURCE, OBJECT, Mode.INCREMENTAL, T0)

    def take(self, object_: str = OBJECT) -> Lease:
        lease = self.leases.acquire(SOURCE, object_, "here:1:1", TTL)
        assert lease is not None
        return lease

    def keep(self, *found, notice: Notice = ignore, **more) -> Kept:
        """Keep one page of readings and removals."""
        return self.store.keep(
            page(*found, **more), source=SOURCE, run=self.run, lease=self.lease, notice=notice
        )

    def send(
        self,
        ref: Ref,
        write: Mapping[str, str],
        *,
        sent: float,
        state: str = "sending",
        plan: str = "p1",
        no: int = 1,
    ) -> None:
        """Have sent a plan step that writes some tokens."""
        self.steps.send(plan, no, ref, write, sent=sent, state=state)

    def seen(self, plan: str = "p1", no: int = 1) -> int | None:
        return self.steps.seen(plan, no)


class MemorySteps:
    def __init__(self) -> None:
        self._sent: dict[Ref, list[Sent]] = {}
        self.store: MemoryStore | None = None

    def awaited(self, refs: Sequence[Ref]) -> Mapping[Ref, Sequence[Sent]]:
        return {ref: self._sent[ref] for ref in refs if ref in self._sent}

    def send(
        self, plan: str, no: int, ref: Ref, write: Mapping[str, str], *, sent: float, state: str
    ) -> None:
        if state != "planned":
            self._sent.setdefault(ref, []).append(Sent(plan, no, write, at(sent)))

    def seen(self, plan: str, no: int) -> int | None:
        assert self.store is not None
        return self.store.seen.get((plan, no))


class SqlSteps:
    """Writes the journal's tables directly: what the store has to understand is the tables."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def send(
        self, plan: str, no: int, ref: Ref, write: Mapping[str, str], *, sent: float, state: str
    ) -> None:
        moment = None if state == "planned" else micros(at(sent))
        result = "restored" if state == "settled" else None
        with writing(self._store.engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO plan VALUES (?, 'd', 'ana', 0, 1, ?, '{}') ON CONFLICT DO NOTHING",
                (plan, ref.source),
            )
            connection.exec_driver_sql(
                "INSERT INTO plan_step (plan_id, no, step_id, source, object, record, action,"
                ' expect, write, "left", reason, state, before, sent_at, result, detail, fields)'
                " VALUES (?, ?, ?, ?, ?, ?, 'update', '{}', ?, '{}', '', ?, '{}', ?, ?, '', '{}')",
                (
                    plan,
                    no,
                    f"step-{no}",
                    ref.source,
                    ref.object,
                    ref.id,
                    json.dumps(write),
                    state,
                    moment,
                    result,
                ),
            )

    def seen(self, plan: str, no: int) -> int | None:
        with writing(self._store.engine) as connection:
            return connection.exec_driver_sql(
                "SELECT seen_version FROM plan_step WHERE plan_id = ? AND no = ?", (plan, no)
            ).scalar_one()


@cache
def fresh_store() -> bytes:
    """Return the file of an empty store: migrations are run once, not for every test."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "crmtrail.db")
        open_store(f"sqlite:///{path}", HandClock()).close()
        return path.read_bytes()


@contextmanager
def sql_rig(folder: Path) -> Iterator[StoreRig]:
    clock = HandClock()
    (folder / "crmtrail.db").write_bytes(fresh_store())
    store = open_store(f"sqlite:///{folder}/crmtrail.db", clock)
    try:
        yield StoreRig(store, SqlLeases(store.engine, clock), clock, SqlSteps(store))
    finally:
        store.close()


@contextmanager
def memory_rig(_folder: Path) -> Iterator[StoreRig]:
    clock, steps = HandClock(), MemorySteps()
    leases = MemoryLeases(clock)
    store = MemoryStore(clock, leases, steps.awaited)
    steps.store = store
    yield StoreRig(store, leases, clock, steps)


class ServerHandClock(HandClock):
    """A hand clock for a store on a server, whose leases go by the server's clock.

    Moving it makes all leases older instead, which comes to the same. Without an engine it is
    a hand clock and no more.
    """

    engine: Engine | None = None

    def move(self, seconds: float) -> None:
        super().move(seconds)
        if self.engine is None:
            return
        with writing(self.engine) as connection:
            connection.exec_driver_sql(
                "UPDATE lease SET expires_at = expires_at - ? WHERE holder <> ''",
                (int(seconds * 1_000_000),),
            )


@cache
def fresh_server_store() -> str:
    """Return the name of a database with an empty store, to make others from."""
    name = "empty_store"
    running().run(f"CREATE DATABASE {name}")
    engine = connect_to(place_of(running().url(name)))
    with writing(engine) as connection:
        create_all(connection)
    engine.dispose()
    return name


@contextmanager
def postgres_store(clock: HandClock) -> Iterator[SqlStore]:
    """Give an empty store on a server."""
    with fresh_database(fresh_server_store()) as url:
        store = SqlStore(connect_to(place_of(url)), clock)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def postgres_rig(_folder: Path) -> Iterator[StoreRig]:
    clock = ServerHandClock()
    with postgres_store(clock) as store:
        clock.engine = store.engine
        yield StoreRig(store, SqlLeases(store.engine, clock), clock, SqlSteps(store))


RIGS: Mapping[str, Callable] = {
    "sqlite": sql_rig,
    "memory": memory_rig,
    "postgres": postgres_rig,
}


class Watching:
    """A detection that notes what it was shown, and places all of a page in one operation."""

    def __init__(self, operation: str = "op-1", rule: str | None = None) -> None:
        self._operation = operation
        self._rule = rule
        self.scenes: list[Scene] = []
        self.shown: list[ChangeSet] = []

    def __call__(self, change_sets: Sequence[ChangeSet], scene: Scene) -> Noticed:
        self.scenes.append(scene)
        self.shown.extend(change_sets)
        mine = [made for made in self.shown if made.op is change_sets[0].op]
        moments = [made.at for made in mine]
        operation = Operation(
            id=self._operation,
            source=scene.source,
            object=scene.object,
            op=mine[0].op,
            actor=mine[0].actor,
            started=min(moments),
            ended=max(moments),
            records=len({made.ref for made in mine}),
            tallies={"Phone": FieldTally("Phone", len(mine), 1, (('""', 1),))},
        )
        return Noticed(
            membership=[self._operation] * len(change_sets),
            operations=[operation],
            findings=[self._finding(operation)] if self._rule else [],
        )

    def _finding(self, operation: Operation) -> Finding:
        return Finding(
            rule=str(self._rule),
            operation=operation.id,
            severity=Severity.HIGH,
            title="Phone blanked",
            why=f"{operation.records} records",
            records=operation.records,
            fields=("Phone",),
            evidence={"records": operation.records},
        )


@contextmanager
def proven_rig(name: str, folder: Path) -> Iterator[StoreRig]:
    """Give a store, and afterwards hold its ledger against the data, whatever a test did."""
    with RIGS[name](folder) as rig:
        yield rig
        told = rig.store.verify()
        assert told.ok, told.first_bad


def ops(rig: StoreRig, id_: str = "003A") -> list[Op]:
    """Return what the versions of a record did, oldest first."""
    return [made.op for made in rig.store.timeline(ref(id_))]


def fields(rig: StoreRig, id_: str = "003A", when: float | None = None) -> dict | None:
    """Return a record's plain values at a time; None before it is known."""
    version = rig.store.version(ref(id_), None if when is None else at(when))
    return None if version is None else {k: value_of(v) for k, v in version.fields.items()}
