"""The only place that wires the rooms together. The command line and the web call this."""

import getpass
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from inspect import signature
from typing import TYPE_CHECKING, Final, Self

from crmtrail.accounts import Accounts
from crmtrail.clock import SystemClock
from crmtrail.config import Config, SourceConfig
from crmtrail.detection.notice import noticing
from crmtrail.errors import Mistake
from crmtrail.model import Checkpoint, IncidentState, Mode, OnConflict, Plan
from crmtrail.opening import Stores
from crmtrail.ports import Clock, Connector, Standing, Told, Verification
from crmtrail.sessions import Sessions
from crmtrail.targets import Target, auth_of, settings_of, targets_of
from rollback import audit
from rollback.journal import SqlJournal
from scheduler.lease import SqlLeases, this_process
from scheduler.runner import Progress, Run, Runner
from snapshot.place import StorePlace
from snapshot.soundness import looked_through
from snapshot.store import SqlStore

if TYPE_CHECKING:
    # Dear to import, and most commands only read the store: imported where they are used.
    from crmtrail.ledger import Ledger
    from crmtrail.privacy import Privacy
    from crmtrail.restoring import Restoring
    from rollback.apply import Applied
    from rollback.run import Progress as ApplyProgress
    from rollback.selections import Selection
    from scheduler.budget import Budget
    from scheduler.dispatch import Job

_BURSTS: Final[Mapping[str, Sequence[tuple[int, float]]]] = {
    # Calls within seconds. Fact sheet of HubSpot, section 6: 190 calls in ten seconds for an app,
    # less a fifth.
    "hubspot": ((150, 10),),
    "salesforce": (),
}


@dataclass(frozen=True, slots=True)
class Status:
    """Where everything stands. ``budget`` is each vendor's last word that a run heard."""

    sources: Mapping[str, Sequence[Standing]]
    budget: Mapping[str, Told | None]
    ledger: Checkpoint
    open_incidents: int


class App:
    """crmtrail over one configuration. Use as a context manager.

    Stores and connectors are opened on demand, one for each thread that asks.
    """

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self._notice = noticing(config.rules_beside_anchors())
        self._budget: Budget | None = None
        self._lock = threading.Lock()
        self._config_noted = False
        self._stores = Stores(config, self.clock)
        self._connectors: dict[tuple[int, str, bool], Connector] = {}
        self._sessions = Sessions()
        self._accounts = Accounts(self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every store and connector."""
        with self._lock:
            for connector in self._connectors.values():
                connector.close()
            self._connectors.clear()
        self._stores.close()

    @property
    def user(self) -> str:
        """Who acts: the config's user, else the login name."""
        return self.config.user or getpass.getuser()

    def has_store(self) -> bool:
        """Whether anything was ever stored; see `crmtrail.opening.Stores.exist`."""
        return self._stores.exist()

    @property
    def store_place(self) -> StorePlace:
        """Where the store is, whether it is there or not."""
        return self._stores.place

    @property
    def store(self) -> SqlStore:
        """The store, which must exist.

        Raises:
            NoStore: nothing was ever synced, or a newer crmtrail wrote it.
        """
        return self._stores.open(create=False)

    def note_config(self) -> None:
        """Seal with which configuration the work begins, if it is another than the last one."""
        from crmtrail.config_trail import note_config

        with self._lock:
            if not self._config_noted:
                note_config(self.store, self.config, self.user, self.clock.now())
                self._config_noted = True

    @property
    def journal(self) -> SqlJournal:
        """The plans and receipts."""
        return SqlJournal(self.store.engine)

    def verify(self) -> Verification:
        """Recompute the ledger and the data under it, and look through the database itself.

        Records, plans, approvals and receipts are held against the ledger.
        """
        return looked_through(self.store.engine, self._verified)

    def _verified(self) -> Verification:
        told = self.store.verify()
        bad = audit.first_bad(self.store.engine) if told.ok else None
        return told if bad is None else replace(told, ok=False, first_bad=bad)

    @property
    def privacy(self) -> "Privacy":
        """Erasures, holds, retention."""
        from crmtrail.privacy import Privacy

        return Privacy(self.config, self.store, self.clock, self.ledger)

    @property
    def ledger(self) -> "Ledger":
        """Checkpoints, proofs and anchors."""
        from crmtrail.ledger import Ledger

        return Ledger(self.config, self.store, self.clock, self.connector)

    def connector(self, source: str, *, restoring: bool = False) -> Connector:
        """Return the connector of a source: retries and the budget round the vendor's.

        With ``restoring`` it carries the identity that may write.

        Raises:
            Mistake: there is no such source, or the variable with its token is not set.
        """
        settings = settings_of(self.config.sources, source)
        key = (threading.get_ident(), source, restoring)
        with self._lock:
            if key not in self._connectors:
                self._connectors[key] = self._connect(source, settings, restoring=restoring)
            return self._connectors[key]

    def _connect(self, source: str, settings: SourceConfig, *, restoring: bool) -> Connector:
        from connectors.budget import Budgeted
        from connectors.retrying import Retrying

        (entry,) = entry_points(group="crmtrail.connectors", name=settings.kind)
        auth = auth_of(source, settings, restoring=restoring)
        connect = entry.load()
        shared = {"sessions": self._sessions} if "sessions" in signature(connect).parameters else {}
        connector: Connector = connect(source, settings, auth, self.clock, **shared)
        take = self._bursts().take
        budgeted = Budgeted(connector, take, self.config.budget, restoring=restoring)
        return Retrying(budgeted, self.config.retry)

    def _bursts(self) -> "Budget":
        """Return the one budget of this process; the lock is held."""
        from scheduler.budget import Budget, Burst

        if self._budget is None:
            self._budget = Budget(
                {
                    name: [Burst(calls, seconds) for calls, seconds in _BURSTS[source.kind]]
                    for name, source in self.config.sources.items()
                }
            )
        return self._budget

    # --- syncing -----------------------------------------------------------------------------

    def target(self, text: str) -> tuple[str, str]:
        """Read ``source:object``.

        Raises:
            Mistake: it is written otherwise, or the source is not in the config.
        """
        source, _, object_ = text.partition(":")
        if not source or not object_ or ":" in object_:
            raise Mistake(f"{text!r} is no object", hint="write source:object, like sf:Contact")
        settings_of(self.config.sources, source)
        return source, object_

    def targets(self, names: Sequence[str]) -> list[Target]:
        """Return what to sync: the targets named, or all of the config.

        Raises:
            Mistake: the config has no sources or not these, or there is no such group.
        """
        return targets_of(self.config.sources, names, self.connector)

    def sync(
        self,
        target: Target,
        mode: Mode,
        *,
        stopping: Callable[[], bool] = lambda: False,
        progress: Progress = lambda _: None,
        accept_loss: bool = False,
    ) -> Run:
        """Sync one object now. Errors become the result; see `scheduler.runner.Runner.run`.

        Raises:
            Mistake: the source is not in the config.
            NoStore: the store cannot be opened.
        """
        store = self._stores.open(create=True)
        self.note_config()
        runner = Runner(
            store,
            SqlLeases(store.engine, self.clock),
            self.clock,
            self._notice,
            holder=this_process(),
            ttl=self.config.scheduler.lease,
        )
        connector = self.connector(target.source)
        run = runner.run(
            connector,
            target.object,
            mode,
            stopping=stopping,
            progress=progress,
            accept_loss=accept_loss,
        )
        if run.state == "done":
            self._accounts.note(store, connector)
        self.privacy.follow_vendor(target.source, by=self.user)
        return run

    def serve(
        self,
        stopping: threading.Event,
        finished: Callable[[Run], None] = lambda _: None,
        *,
        hooks: bool = True,
    ) -> None:
        """Poll every object at its cadence until ``stopping`` is set.

        ``finished`` is given every run at its end, in the thread that ran it. ``hooks``: whether
        webhooks are received, where the config has any.

        Raises:
            Mistake: the config has no sources, the variable with a token is not set, or webhooks
                cannot be listened for.
        """
        from crmtrail.alerts.delivery import tell_at_rest
        from crmtrail.hooks.service import Hooks, Means, webhooks_of
        from crmtrail.ledger import AnchoringAtRest
        from crmtrail.retention import Daily
        from scheduler.jobs import Cadence, Service

        for name, settings in self.config.sources.items():
            auth_of(name, settings, restoring=False)
        listened = webhooks_of(self.config.sources) if hooks else {}
        self._stores.open(create=True)
        self.note_config()
        default = self.config.scheduler.every
        cadences = [
            Cadence(one.source, one.object, self.config.sources[one.source].every or default)
            for one in self.targets(())
        ]
        aging = Daily(lambda: self.privacy.retention.apply(by=self.user, anew=False), self.clock)
        with AnchoringAtRest(lambda: self.ledger, first=lambda: tell_at_rest(self)) as resting:

            def synced(run: Run) -> None:
                resting.touch()
                aging.touch()
                finished(run)

            work = partial(self._work, stopping=stopping, synced=synced)
            means = Means(
                self.clock, stopping.is_set, lambda: self.store, self.connector, self._sessions
            )
            received = Hooks(listened, work, means)
            scheduler = self.config.scheduler
            service = Service(cadences, received.work, scheduler, self.clock, stopping)
            kept = [(one.source, one.object) for one in cadences]
            with received.listening(service.dispatcher, kept):
                service.run()

    def _work(
        self, job: "Job", *, stopping: threading.Event, synced: Callable[[Run], None]
    ) -> None:
        from crmtrail.logs import tell_run

        target = Target(job.source, job.object)
        run = self.sync(target, self._due(target), stopping=stopping.is_set)
        synced(run)
        tell_run(run)

    def _due(self, target: Target) -> Mode:
        from scheduler.due import mode_due

        settings = settings_of(self.config.sources, target.source)
        sweeps = self.store.sweeps(target.source, target.object)
        now = self.clock.now()
        return mode_due(sweeps, now, reconcile=settings.reconcile, refresh=settings.refresh)

    def status(self) -> Status:
        """Return where everything stands. Sends no request."""
        store = self.store
        by_source: dict[str, list[Standing]] = {name: [] for name in self.config.sources}
        for standing in store.standings():
            by_source.setdefault(standing.source, []).append(standing)
        return Status(
            by_source,
            {name: store.usage(name) for name in self.config.sources},
            store.checkpoint(self.clock.now()),
            len(store.incidents((IncidentState.NEW, IncidentState.ONGOING))),
        )

    # --- restoring ---------------------------------------------------------------------------

    @property
    def restoring(self) -> "Restoring":
        """Plans and applies."""
        from crmtrail.restoring import Restoring

        return Restoring(
            config=self.config,
            clock=self.clock,
            user=self.user,
            store=self.store,
            journal=self.journal,
            leases=SqlLeases(self.store.engine, self.clock),
            notice=self._notice,
            reading=self.connector,
            writing=partial(self.connector, restoring=True),
        )

    def plan(
        self, selection: "Selection", on_conflict: OnConflict, *, consent: bool = False
    ) -> Plan:
        """Make and file a plan; see `crmtrail.restoring.Restoring.plan`."""
        return self.restoring.plan(selection, on_conflict, consent=consent)

    def approve(self, plan_id: str) -> None:
        """Approve a plan in the user's name; see `crmtrail.restoring.Restoring.approve`."""
        self.restoring.approve(plan_id)

    def apply(
        self,
        plan_id: str,
        *,
        canary: int | None = None,
        stopping: Callable[[], bool] = lambda: False,
        progress: "Callable[[ApplyProgress], None]" = lambda _: None,
    ) -> "Applied":
        """Apply a plan, or go on with it; see `rollback.apply.Applier.apply` for what it raises.

        One restore runs at a time for each source. An incident whose plan ended without anything
        left over is resolved; an undo opens it again.

        Raises:
            Locked: another restore of this source is running.
        """
        from rollback.run import Hooks

        self.note_config()
        hooks = Hooks(progress=progress, stopping=stopping)
        return self.restoring.apply(plan_id, canary=canary, hooks=hooks)

    def resolve(self, incident: str, why: str) -> None:
        """Close an incident by hand; who and why is sealed.

        Raises:
            Unfound: there is none of this id.
            Mistake: it is resolved already.
        """
        if self.store.incident(incident).state is IncidentState.RESOLVED:
            raise Mistake(f"incident {incident} is resolved already")
        now = self.clock.now()
        self.store.mark(incident, IncidentState.RESOLVED, now, by=self.user, why=why)
