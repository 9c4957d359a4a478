"""The only place that wires the rooms together. The command line and the web call this."""

import getpass
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from typing import Final, Self

import structlog

from connectors.budget import Budgeted
from connectors.retrying import Retrying
from crmtrail.clock import SystemClock
from crmtrail.config import Config, SourceConfig
from crmtrail.detection.emptiness import is_blank
from crmtrail.detection.notice import noticing
from crmtrail.errors import LeaseLost, Locked, Mistake, PlanUnfit, RetryLater
from crmtrail.ledger import AnchoringAtRest, Ledger
from crmtrail.model import (
    Checkpoint,
    Field,
    IncidentState,
    Mode,
    OnConflict,
    Plan,
    Result,
    Schema,
    Token,
    Usage,
)
from crmtrail.ports import Clock, Connector, Standing, Verification
from rollback import audit
from rollback.apply import Applied, Applier
from rollback.batches import Limits
from rollback.journal import SqlJournal
from rollback.planner import Planner, Selection
from rollback.run import Hooks
from rollback.run import Progress as ApplyProgress
from scheduler.budget import Budget, Burst
from scheduler.dispatch import Job
from scheduler.jobs import Cadence, Service
from scheduler.lease import SqlLeases, this_process
from scheduler.runner import Progress, Run, Runner
from snapshot.database import sqlite_path
from snapshot.engine import open_store
from snapshot.store import SqlStore

_BURSTS: Final[Mapping[str, Sequence[Burst]]] = {
    # Fact sheet of HubSpot, section 6: 190 calls in ten seconds for an app, less a fifth.
    "hubspot": (Burst(calls=150, seconds=10),),
    "salesforce": (),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One object of one source."""

    source: str
    object: str


@dataclass(frozen=True, slots=True)
class Status:
    """Where everything stands. ``budget`` is the vendors' word, as far as it was asked for."""

    sources: Mapping[str, Sequence[Standing]]
    budget: Mapping[str, Usage]
    ledger: Checkpoint
    open_incidents: int


class App:
    """crmtrail over one configuration. Use as a context manager.

    Stores and connectors are opened on demand, one for each thread that asks.
    """

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self._notice = noticing(config.rules)
        self._budget = Budget(
            {name: _BURSTS[source.kind] for name, source in config.sources.items()}
        )
        self._lock = threading.Lock()
        self._stores: dict[int, SqlStore] = {}
        self._connectors: dict[tuple[int, str, bool], Connector] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every store and connector."""
        with self._lock:
            for connector in self._connectors.values():
                connector.close()
            for store in self._stores.values():
                store.close()
            self._connectors.clear()
            self._stores.clear()

    @property
    def user(self) -> str:
        """Who acts: the config's user, else the login name."""
        return self.config.user or getpass.getuser()

    def has_store(self) -> bool:
        """Whether anything was ever stored.

        Raises:
            Mistake: store.url is none of ours.
        """
        return sqlite_path(self.config.store.url).exists()

    @property
    def store(self) -> SqlStore:
        """The store, which must exist.

        Raises:
            NoStore: nothing was ever synced, or a newer crmtrail wrote it.
        """
        return self._open(create=False)

    @property
    def journal(self) -> SqlJournal:
        """The plans and receipts."""
        return SqlJournal(self.store.engine)

    def verify(self) -> Verification:
        """Recompute the ledger and the data under it: records, plans, approvals, receipts."""
        told = self.store.verify()
        bad = audit.first_bad(self.store.engine) if told.ok else None
        return told if bad is None else replace(told, ok=False, first_bad=bad)

    @property
    def ledger(self) -> Ledger:
        """Checkpoints, proofs and anchors."""
        return Ledger(self.config, self.store, self.clock)

    def _open(self, *, create: bool) -> SqlStore:
        thread = threading.get_ident()
        with self._lock:
            if thread not in self._stores:
                url = self.config.store.url
                self._stores[thread] = open_store(url, self.clock, create=create)
            return self._stores[thread]

    def connector(self, source: str, *, restoring: bool = False) -> Connector:
        """Return the connector of a source: retries and the budget round the vendor's.

        With ``restoring`` it carries the identity that may write.

        Raises:
            Mistake: there is no such source.
        """
        settings = self._settings(source)
        key = (threading.get_ident(), source, restoring)
        with self._lock:
            if key not in self._connectors:
                self._connectors[key] = self._connect(source, settings, restoring=restoring)
            return self._connectors[key]

    def _settings(self, source: str) -> SourceConfig:
        if source not in self.config.sources:
            known = ", ".join(self.config.sources) or "none"
            raise Mistake(f"there is no source {source!r}", hint=f"the config has: {known}")
        return self.config.sources[source]

    def _connect(self, source: str, settings: SourceConfig, *, restoring: bool) -> Connector:
        (entry,) = entry_points(group="crmtrail.connectors", name=settings.kind)
        auth = settings.restore_auth if restoring and settings.restore_auth else settings.auth
        connector: Connector = entry.load()(source, settings, auth, self.clock)
        budgeted = Budgeted(connector, self._budget.take, self.config.budget, restoring=restoring)
        return Retrying(budgeted, self.config.retry)

    # --- syncing -----------------------------------------------------------------------------

    def target(self, text: str) -> tuple[str, str]:
        """Read ``source:object``.

        Raises:
            Mistake: it is written otherwise, or the source is not in the config.
        """
        source, _, object_ = text.partition(":")
        if not source or not object_ or ":" in object_:
            raise Mistake(f"{text!r} is no object", hint="write source:object, like sf:Contact")
        self._settings(source)
        return source, object_

    def targets(self, names: Sequence[str]) -> list[Target]:
        """Return what to sync: the targets named, or all of the config."""
        if not self.config.sources:
            raise Mistake("the config has no sources", hint="add one; see config.example.yaml")
        found: list[Target] = []
        for name in names or tuple(self.config.sources):
            source, _, object_ = name.partition(":")
            objects = [object_] if object_ else self._objects(source)
            found += [Target(source, one) for one in objects]
        return list(dict.fromkeys(found))

    def _objects(self, source: str) -> Sequence[str]:
        settings = self._settings(source)
        if settings.objects != "*":
            return settings.objects
        left_out = set(settings.exclude)
        return [one for one in self.connector(source).objects() if one not in left_out]

    def sync(
        self,
        target: Target,
        mode: Mode,
        *,
        stopping: Callable[[], bool] = lambda: False,
        progress: Progress = lambda _: None,
    ) -> Run:
        """Sync one object now. Errors become the result.

        Raises:
            Mistake: the source is not in the config.
            NoStore: the store cannot be opened.
        """
        store = self._open(create=True)
        runner = Runner(
            store,
            SqlLeases(store.engine, self.clock),
            self.clock,
            self._notice,
            holder=this_process(),
            ttl=self.config.scheduler.lease,
        )
        connector = self.connector(target.source)
        return runner.run(connector, target.object, mode, stopping=stopping, progress=progress)

    def serve(self, stopping: threading.Event) -> None:
        """Poll every object at its cadence until ``stopping`` is set."""
        self._open(create=True)
        default = self.config.scheduler.every
        cadences = [
            Cadence(one.source, one.object, self.config.sources[one.source].every or default)
            for one in self.targets(())
        ]
        with AnchoringAtRest(lambda: self.ledger) as resting:
            work = partial(self._work, stopping=stopping, synced=resting.touch)
            Service(cadences, work, self.config.scheduler, self.clock, stopping).run()

    def _work(self, job: Job, *, stopping: threading.Event, synced: Callable[[], None]) -> None:
        log = structlog.get_logger().bind(source=job.source, object=job.object)
        target = Target(job.source, job.object)
        run = self.sync(target, Mode.INCREMENTAL, stopping=stopping.is_set)
        synced()
        told = log.bind(
            state=run.state,
            read=run.kept.read,
            changes=run.kept.changes,
            api_calls=run.api_calls,
            incidents=list(run.kept.incidents),
        )
        if run.failure is None:
            told.info("synced")
        else:
            told.warning("sync ended early", why=run.failure.message)

    def status(self) -> Status:
        """Return where everything stands. Sends no request."""
        store = self.store
        by_source: dict[str, list[Standing]] = {name: [] for name in self.config.sources}
        for standing in store.standings():
            by_source.setdefault(standing.source, []).append(standing)
        return Status(
            by_source,
            {name: self.connector(name).usage() for name in self.config.sources},
            store.checkpoint(self.clock.now()),
            len(store.incidents((IncidentState.NEW, IncidentState.ONGOING))),
        )

    # --- restoring ---------------------------------------------------------------------------

    def plan(self, selection: Selection, on_conflict: OnConflict) -> Plan:
        """Make and file a plan; see `rollback.planner.Planner.make` for what it raises."""
        planner = Planner(
            store=self.store,
            journal=self.journal,
            clock=self.clock,
            restore=self.config.restore,
            blank=self._blank,
            limits=self._limits,
            schema=self._writable,
        )
        return planner.make(selection, author=self.user, on_conflict=on_conflict)

    def _blank(self, token: Token | None, field: Field | None) -> bool:
        return is_blank(token, field, self.config.rules.blanking.sentinels)

    def _limits(self, source: str) -> Limits:
        connector = self.connector(source, restoring=True)
        return Limits(connector.read_batch, connector.write_batch)

    def _writable(self, source: str, object_: str) -> Schema | None:
        """Return the fields as the identity that writes sees them; costs one request.

        Where the CRM is out of reach, the plan rests on what the last sync learnt; the vendor
        then says at the latest on the write what it refuses.
        """
        try:
            return self.connector(source, restoring=True).schema(object_)
        except RetryLater:
            return self.store.schema(source, object_)

    def approve(self, plan_id: str) -> None:
        """Approve a plan in the user's name.

        Raises:
            Unfound: there is no such plan.
            PlanUnfit: the user made it: nobody approves their own plan.
        """
        plan = self.journal.plan(plan_id)
        if plan.author.casefold() == self.user.casefold():
            raise PlanUnfit(
                f"{self.user} made plan {plan_id}, and nobody approves their own plan",
                hint="somebody else runs `crmtrail approve`; CRMTRAIL_USER says who",
            )
        self.journal.approve(plan_id, self.user, self.clock.now())

    def apply(
        self,
        plan_id: str,
        *,
        canary: int | None = None,
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[ApplyProgress], None] = lambda _: None,
    ) -> Applied:
        """Apply a plan, or go on with it; see `rollback.apply.Applier.apply` for what it raises.

        One restore runs at a time for each source. An incident whose plan ended without anything
        left over is resolved.

        Raises:
            Locked: another restore of this source is running.
        """
        plan = self.journal.plan(plan_id)
        restore = self.config.restore
        if canary is not None:
            restore = restore.model_copy(update={"canary": canary})
        leases = SqlLeases(self.store.engine, self.clock)
        ttl = self.config.scheduler.lease
        lease = leases.acquire(plan.source, "(restore)", this_process(), ttl)
        if lease is None:
            raise Locked(f"another restore of {plan.source} is running", hint="wait for its end")

        def beat() -> None:
            nonlocal lease
            lease = None if lease is None else leases.renew(lease, ttl)
            if lease is None:
                raise LeaseLost(f"another process took over the restore of {plan.source}")

        applier = Applier(
            store=self.store,
            journal=self.journal,
            connector=self.connector(plan.source, restoring=True),
            clock=self.clock,
            restore=restore,
            notice=self._notice,
            account=self._account(plan.source),
        )
        try:
            applied = applier.apply(
                plan_id,
                by=self.user,
                hooks=Hooks(progress=progress, stopping=stopping, heartbeat=beat),
            )
        finally:
            if lease is not None:
                leases.release(lease)
        self._resolve(applied)
        return applied

    def _account(self, source: str) -> str | None:
        """Return the account that the reading identity opens, where another one writes.

        Both must be of the same org or portal, or a restore would write into a stranger's.
        """
        if self._settings(source).restore_auth is None:
            return None
        return self.connector(source).identity().account or None

    def _resolve(self, applied: Applied) -> None:
        """Close the incident that a plan was made from, if nothing of it is left."""
        incident = applied.plan.selection.get("incident")
        if incident is None or applied.receipt is None:
            return
        outcomes = applied.receipt.outcomes
        open_ends = (Result.CONFLICT, Result.REFUSED, Result.FAILED)
        if not any(outcomes.get(result, 0) for result in open_ends):
            self.store.mark(str(incident), IncidentState.RESOLVED, self.clock.now())
