"""The way back, wired: plans, approvals, applies, and what they make of incidents."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from crmtrail.accounts import account_of, agreed
from crmtrail.config import Config
from crmtrail.detection.emptiness import is_blank
from crmtrail.errors import LeaseLost, Locked, PlanUnfit, RetryLater
from crmtrail.model import (
    Field,
    IncidentState,
    OnConflict,
    Plan,
    Result,
    Schema,
    Token,
)
from crmtrail.ports import Clock, Connector, Notice, Store
from rollback import life
from rollback.apply import Applied, Applier
from rollback.batches import Limits
from rollback.consent import is_consent
from rollback.journal import SqlJournal
from rollback.plan import Rules
from rollback.planner import Planner
from rollback.run import Ending, Hooks
from rollback.selections import Selection
from scheduler.lease import SqlLeases, this_process

_CRMS: Final = {"hubspot": "HubSpot", "salesforce": "Salesforce"}

_NAMES: Final = 3
"""Requests for the names of people that an apply meets: before the write, after it, once more."""


def _lies_in_a_bin(object_: str) -> bool:
    """Whether an object holds records; pairs of HubSpot objects hold associations."""
    from connectors.hubspot.object_names import ends_of  # noqa: PLC0415 -- it loads HubSpot's client

    return ends_of(object_) is None


@dataclass(frozen=True, slots=True)
class Restoring:
    """Plans and applies over one configuration.

    Attributes:
        config: the configuration.
        clock: the time.
        user: who acts.
        store: what is known of the records.
        journal: the plans and receipts.
        leases: keep two restores of a source apart.
        notice: detection, for the changes that reading brings to light.
        reading: opens the connector of a source that reads.
        writing: opens the connector of a source that may write.
    """

    config: Config
    clock: Clock
    user: str
    store: Store
    journal: SqlJournal
    leases: SqlLeases
    notice: Notice
    reading: Callable[[str], Connector]
    writing: Callable[[str], Connector]

    def plan(self, selection: Selection, on_conflict: OnConflict, *, consent: bool = False) -> Plan:
        """Make and file a plan; see `rollback.planner.Planner.make` for what it raises.

        ``consent``: put back, too, what people agreed to.
        """
        planner = Planner(
            store=self.store,
            journal=self.journal,
            clock=self.clock,
            restore=self.config.restore,
            blank=self._blank,
            limits=self._limits,
            schema=self._writable,
        )
        rules = self._rules(planner.source(selection), consent=consent)
        return planner.make(selection, author=self.user, on_conflict=on_conflict, rules=rules)

    def _rules(self, source: str, *, consent: bool) -> Rules:
        settings = self.config.sources.get(source)
        if settings is None:
            return Rules(with_consent=consent)
        crm, is_ours = _CRMS[settings.kind], partial(is_consent, settings.kind)
        return Rules(crm, is_ours, with_consent=consent, binned=_lies_in_a_bin)

    def _blank(self, token: Token | None, field: Field | None) -> bool:
        return is_blank(token, field, self.config.rules.blanking.sentinels)

    def _limits(self, source: str) -> Limits:
        connector = self.writing(source)
        accounts = int(self.config.sources[source].restore_auth is not None)
        return Limits(
            connector.write_batch,
            connector.bulk_batch,
            connector.price,
            identities=1 + accounts,
            names=_NAMES,
            undeletes=connector.undeletes,
        )

    def _writable(self, source: str, object_: str) -> Schema | None:
        """Return the fields as the identity that writes sees them; costs one request.

        Where the CRM is out of reach, the plan rests on what the last sync learnt; the vendor
        then says at the latest on the write what it refuses.
        """
        try:
            return self.writing(source).schema(object_)
        except RetryLater:
            return self.store.schema(source, object_)

    def state(self, plan: Plan) -> life.State:
        """Return where a plan stands in its life."""
        undone = life.undoings(self.journal)
        return life.state_of(self.journal, plan, self.clock.now(), undone)

    def approve(self, plan_id: str) -> None:
        """Approve a plan in the user's name.

        Raises:
            Unfound: there is no such plan.
            PlanUnfit: the user made it: nobody approves their own plan. Or it is applied, undone
                or expired: there is nothing to approve any more.
        """
        plan = self.journal.plan(plan_id)
        undone = life.undoings(self.journal)
        match life.state_of(self.journal, plan, self.clock.now(), undone):
            case life.State.UNDONE:
                raise life.undone(plan, undone[plan.id])
            case life.State.EXPIRED:
                raise life.expired(plan)
            case life.State.APPLIED:
                raise PlanUnfit(f"plan {plan_id} is applied already: nothing is left to approve")
        if plan.author.casefold() == self.user.casefold():
            raise PlanUnfit(
                f"{self.user} made plan {plan_id}, and nobody approves their own plan",
                hint=f"somebody else runs `crmtrail approve {plan_id}` under their own name",
            )
        self.journal.approve(plan_id, self.user, self.clock.now())

    def apply(self, plan_id: str, *, canary: int | None, hooks: Hooks) -> Applied:
        """Apply a plan, or go on with it; see `crmtrail.app.App.apply`."""
        plan = self.journal.plan(plan_id)
        restore = self.config.restore
        if canary is not None:
            restore = restore.model_copy(update={"canary": canary})
        ttl = self.config.scheduler.lease
        lease = self.leases.acquire(plan.source, "(restore)", this_process(), ttl)
        if lease is None:
            raise Locked(f"another restore of {plan.source} is running", hint="wait for its end")

        def beat() -> None:
            nonlocal lease
            lease = None if lease is None else self.leases.renew(lease, ttl)
            if lease is None:
                raise LeaseLost(f"another process took over the restore of {plan.source}")

        restored = self.journal.tally(plan_id)[Result.RESTORED]
        try:
            applier = Applier(
                store=self.store,
                journal=self.journal,
                connector=self.writing(plan.source),
                clock=self.clock,
                restore=restore,
                notice=self.notice,
                account=self._account(plan.source),
            )
            own = Hooks(progress=hooks.progress, stopping=hooks.stopping, heartbeat=beat)
            applied = applier.apply(plan_id, by=self.user, hooks=own)
        finally:
            if lease is not None:
                self.leases.release(lease)
            if self.journal.tally(plan_id)[Result.RESTORED] > restored:
                self._reopen(plan)
        self._resolve(applied)
        return applied

    def _account(self, source: str) -> str | None:
        """Return the account that a restore has to go to.

        It is the one that the history was read from. Where another identity writes, the one that
        reads must be of the same org or portal too, or a restore would write into a stranger's.
        """
        told = ""
        if self.config.sources[source].restore_auth is not None:
            told = self.reading(source).identity().account
        return agreed(source, account_of(self.store, source), told)

    def _incident(self, plan: Plan) -> tuple[str | None, bool]:
        """Return the incident that a plan is about, and whether the plan puts it right.

        An undo is about the incident of the plan it undoes, and makes it wrong again.
        """
        rights = True
        while plan.undoes is not None:
            plan, rights = self.journal.plan(plan.undoes), not rights
        incident = plan.selection.get("incident")
        return (None if incident is None else str(incident)), rights

    def _reopen(self, plan: Plan) -> None:
        """Open the incident again whose bad values an undo has put back, if only some."""
        incident, rights = self._incident(plan)
        if incident is not None and not rights:
            self.store.mark(incident, IncidentState.ONGOING, self.clock.now())

    def _resolve(self, applied: Applied) -> None:
        """Close the incident that a plan was made from, if nothing of it is left.

        What somebody else changed since, and what a plan keeps on purpose, is not left over.
        A plan that has asked what to do with conflicts has not been answered.
        """
        incident, rights = self._incident(applied.plan)
        if incident is None or not rights or applied.receipt is None:
            return
        left = {Result.REFUSED, Result.FAILED}
        if applied.plan.on_conflict is OnConflict.ASK or applied.ending is Ending.CHECKED:
            left |= {Result.CONFLICT}
        if not any(applied.receipt.outcomes.get(result, 0) for result in left):
            self.store.mark(incident, IncidentState.RESOLVED, self.clock.now())
