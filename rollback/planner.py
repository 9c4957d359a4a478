"""Make plans: select, decide and file them, a record at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from secrets import token_hex
from typing import Final

from crmtrail.config import RestoreConfig
from crmtrail.errors import Mistake, PlanUnfit
from crmtrail.model import Action, OnConflict, Plan, Ref, Schema, Step, Version
from crmtrail.ports import Blame, Clock, Head, Journal, StepState, Store
from rollback import select
from rollback.associating import associated, ends_of, joins
from rollback.batches import Forecast, Limits, written
from rollback.consent import TERM as CONSENT_TERM
from rollback.digest import Digest, step_line, step_of
from rollback.meaning import spoken
from rollback.order import ranks
from rollback.plan import USUAL, Rules, disputed, draft, hopeless
from rollback.reviving import Means, depart, revive, touched_since
from rollback.select import Blank, Selected
from rollback.selections import (
    ByIncident,
    ByObject,
    ByOperation,
    ByRecords,
    ByUndo,
    Selection,
)
from rollback.spool import Spool

_ROWS: Final = 500
"""How many records are looked up in the store at once."""

WHOLE_RECORDS: Final = frozenset({"mass_delete", "mass_merge", "mass_create"})
"""Rules that are about whole records, not about fields."""

_TICK: Final = timedelta(microseconds=1)

_AHEAD: Final = timedelta(days=1)
"""How far a vendor's clock may go before ours: what it stamped by then is the newest there is."""

_SALT: Final = 16
"""Bytes of a step's salt."""


class Planner:
    """Makes plans and files them in the journal. Sends nothing to a CRM.

    Args:
        store: what is known of the records.
        journal: where plans are kept.
        clock: the time.
        restore: expiry, four eyes and canary.
        blank: detection's test of a blank value, with its sentinels bound.
        limits: how many records one request of a source may read and write (its connector's
            ``read_batch`` and ``write_batch``).
        schema: the fields of an object as the identity that will write may touch them; by
            default the store's, which are those of the identity that reads.
    """

    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        clock: Clock,
        restore: RestoreConfig,
        blank: Blank,
        limits: Callable[[str], Limits],
        schema: Callable[[str, str], Schema | None] | None = None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._restore = restore
        self._blank = blank
        self._limits = limits
        self._schema = schema or store.schema

    def make(
        self,
        selection: Selection,
        *,
        author: str,
        on_conflict: OnConflict = OnConflict.KEEP,
        rules: Rules = USUAL,
    ) -> Plan:
        """Draft a plan, file it and return it.

        Args:
            selection: what is to be put back.
            author: who makes it.
            on_conflict: what to do with fields that somebody changed since.
            rules: what it keeps to. A plan that puts consent back needs the approval of a second
                person. What undoes a plan made for consent is made for it too.

        Raises:
            Unfound: there is no such incident, operation or plan.
            Mistake: the selection makes no sense; the message says why.
            PlanUnfit: the plan to undo was interrupted and not finished.
        """
        source = self.source(selection)
        created = self._clock.now()
        consents = rules.with_consent or self._undoes_consent(selection)
        rules = replace(rules, with_consent=consents, now=created)
        terms = Plan(
            id=self._journal.next_id(),
            digest="",
            author=author,
            created=created,
            expires=created + self._restore.expires,
            source=source,
            selection=selection.terms() | ({CONSENT_TERM: True} if consents else {}),
            on_conflict=on_conflict,
            counts={},
            api_calls=0,
            undoes=selection.plan if isinstance(selection, ByUndo) else None,
        )
        spool = Spool()
        try:
            steps = self._steps(self._rows(selection), terms, rules, self._before(selection))
            plan = self._drafted(terms, steps, spool, rules)
            self._journal.file(plan, (step_of(line) for line in spool))
        finally:
            spool.close()
        return plan

    def _undoes_consent(self, selection: Selection) -> bool:
        undone = selection.plan if isinstance(selection, ByUndo) else None
        return undone is not None and CONSENT_TERM in self._journal.plan(undone).selection

    def source(self, selection: Selection) -> str:
        """Return the source that a selection is about.

        Raises:
            Unfound: there is no such incident, operation or plan.
            Mistake: no record is named, or records of several sources, or an object that was
                never synced.
        """
        match selection:
            case ByIncident(incident):
                return self._store.incident(incident).operation.source
            case ByOperation(operation):
                return self._store.operation(operation).source
            case ByUndo(plan):
                return self._journal.plan(plan).source
            case ByObject(source, object_):
                self._stored(source, object_)
                return source
            case ByRecords(records):
                return _one_source(records)

    def _before(self, selection: Selection) -> datetime | None:
        """Return when all was as it is to be again; None where that is no one time."""
        match selection:
            case ByIncident(incident):
                return self._store.incident(incident).operation.started - _TICK
            case ByOperation(operation):
                return self._store.operation(operation).started - _TICK
            case ByUndo():
                return None
        return selection.at

    def _drafted(self, terms: Plan, steps: Iterator[Step], spool: Spool, rules: Rules) -> Plan:
        """Put every step into the spool and return the plan that they make."""
        digest = Digest()
        forecast = Forecast(self._limits(terms.source), canary=self._restore.canary)
        counts = dict.fromkeys(Action, 0)
        consents = 0
        for number, drafted in enumerate(steps, start=1):
            step = replace(drafted, id=str(number), salt=token_hex(_SALT))
            spool.add(digest.add(step))
            forecast.add(step)
            counts[step.action] += 1
            consents += any(rules.consent(step.ref.object, name) for name in step.write)
        limit = self._restore.four_eyes_above
        plan = replace(
            terms,
            counts=counts,
            api_calls=forecast.calls(),
            approvals_required=int(consents > 0 or (limit is not None and written(counts) > limit)),
        )
        return replace(plan, digest=digest.close(plan))

    def _steps(
        self, rows: Iterator[Selected], terms: Plan, rules: Rules, before: datetime | None
    ) -> Iterator[Step]:
        """Yield the steps; what is written to records that come back first goes last."""
        schemas: dict[tuple[str, str], Schema | None] = {}
        undeletes = self._limits(terms.source).undeletes
        later = Spool()
        anew: dict[str, set[str]] = {}
        try:
            while chunk := tuple(islice(rows, _ROWS)):
                for row, head, means in self._met(chunk, schemas, rules, undeletes=undeletes):
                    for step in self._drafts(row, head, means, terms.on_conflict):
                        if step.action is Action.CREATE:
                            anew.setdefault(step.ref.object, set()).add(step.ref.id)
                        if step.action is Action.UPDATE and head is not None and head.deleted:
                            later.add(step_line(step))
                        else:
                            yield step
            yield from map(step_of, later)
            yield from self._associations(terms.source, anew, before)
        finally:
            later.close()

    def _associations(
        self, source: str, anew: Mapping[str, set[str]], at: datetime | None
    ) -> Iterator[Step]:
        """Yield a step for each association that records which are made anew had at a time."""
        if not anew or at is None:
            return
        for standing in self._store.standings():
            schema = self._store.schema(source, standing.object)
            if standing.source != source or standing.object in anew or schema is None:
                continue
            ends = ends_of(schema)
            ids = {id_ for name in ends for id_ in anew.get(name, ())}
            for id_ in self._store.linking(source, standing.object, ids) if ids else ():
                ref = Ref(source, standing.object, id_)
                then = self._store.version(ref, at)
                if then is not None and not then.deleted and joins(then, schema, anew):
                    yield associated(ref, then, schema)

    def _met(
        self,
        chunk: Sequence[Selected],
        schemas: dict[tuple[str, str], Schema | None],
        rules: Rules,
        *,
        undeletes: bool,
    ) -> Iterator[tuple[Selected, Head | None, Means]]:
        """Yield rows with what is known of their records; those made anew as what they are now."""
        heads = self._store.heads([row.ref for row in chunk])
        dead = [ref for ref, head in heads.items() if head.deleted]
        heirs = self._store.heirs(dead) if dead else {}
        heads = {**heads, **self._store.heads(list(heirs.values()))} if heirs else heads
        now = self._clock.now()
        for row in chunk:
            heir = heirs.get(row.ref)
            live = heir is not None and heir in heads and not heads[heir].deleted
            ref = row.ref if heir is None or (live and row.revive) else heir
            key = (ref.source, ref.object)
            if key not in schemas:
                schemas[key] = self._schema(*key)
            made = heir if live and row.revive else None
            touched = touched_since(self._store.timeline(ref), row.goes_since) if row.goes else None
            head = heads.get(ref)
            gone = None if head is None else head.departure
            means = Means(undeletes, now, rules, schemas[key], gone, made, touched)
            yield replace(row, ref=ref), head, means

    def _drafts(
        self, row: Selected, head: Head | None, means: Means, on_conflict: OnConflict
    ) -> Iterator[Step]:
        if head is None or hopeless(row, head) or not (row.revive or row.goes):
            since = self._since(row, head)
            yield draft("", row, head, means.schema, on_conflict, since, means.rules)
        elif row.goes:
            yield depart(row, head, means, on_conflict)
        elif head.deleted:
            yield from revive(row, head, means)
        else:
            live = replace(row, note=row.note or "it is live")
            since = self._since(row, head)
            yield draft("", live, head, means.schema, on_conflict, since, means.rules)

    def _since(self, row: Selected, head: Head | None) -> Mapping[str, Blame]:
        if not disputed(row, head):
            return {}
        return {blame.field: blame for blame in self._store.blame(row.ref)}

    def _rows(self, selection: Selection) -> Iterator[Selected]:
        match selection:
            case ByIncident(id_):
                return self._of_incident(id_)
            case ByOperation(operation):
                return select.of_operation(self._store.members(operation))
            case ByUndo(plan):
                return self._of_undo(plan)
            case ByObject():
                return self._of_object(selection)
            case ByRecords():
                return self._of_records(selection)

    def _of_incident(self, id_: str) -> Iterator[Selected]:
        incident = self._store.incident(id_)
        operation = incident.operation
        if incident.finding.rule in WHOLE_RECORDS:
            return select.of_operation(self._store.members(operation.id))
        schema = self._store.schema(operation.source, operation.object)
        return select.of_incident(
            self._store.members(operation.id),
            rule=incident.finding.rule,
            names=incident.finding.fields,
            fields={} if schema is None else schema.fields,
            blank=self._blank,
        )

    def _of_undo(self, plan: str) -> Iterator[Selected]:
        if next(self._journal.steps(plan, states=(StepState.SENDING,)), None) is not None:
            raise PlanUnfit(
                f"plan {plan} was interrupted while it was applied",
                hint=f"finish it with `crmtrail apply {plan}`, then undo it",
            )
        steps = self._journal.steps(plan, states=(StepState.SETTLED,))
        rows = select.of_undo(steps, plan)
        first = next(rows, None)
        if first is None:
            raise Mistake(f"plan {plan} has written nothing that could be undone")
        return _prefixed(first, rows)

    def _of_object(self, selection: ByObject) -> Iterator[Selected]:
        now = self._past(selection.at) + _AHEAD
        found = self._store.diff(selection.source, selection.object, selection.at, now)
        return map(
            partial(self._as_then, at=selection.at), select.of_differences(found, selection.at)
        )

    def _as_then(self, row: Selected, *, at: datetime) -> Selected:
        """Return a row with the fields that its deleted record had at a time."""
        then = self._store.version(row.ref, at) if row.revive else None
        return row if then is None else replace(row, revived=then.fields)

    def _of_records(self, selection: ByRecords) -> Iterator[Selected]:
        self._past(selection.at)
        refs = set(selection.records)
        rank = ranks({ref.object for ref in refs}, partial(self._named, next(iter(refs)).source))
        for ref in sorted(refs, key=lambda one: (rank[one.object], one)):
            then = self._store.version(ref, selection.at)
            now = self._store.version(ref)
            for name in selection.fields:
                self._known(ref, name, then, now)
            yield select.as_of(
                ref, selection.at, then=then, now=now, names=sorted(set(selection.fields))
            )

    def _named(self, source: str, object_: str) -> set[str]:
        """Return the objects that the fields of one name."""
        schema = self._store.schema(source, object_)
        fields = () if schema is None else schema.fields.values()
        return {name for one in fields for name in one.references}

    def _known(self, ref: Ref, name: str, then: Version | None, now: Version | None) -> None:
        """Refuse a field that the object does not have and the record had at neither time."""
        schema = self._store.schema(ref.source, ref.object)
        told = [version.fields for version in (then, now) if version is not None]
        if schema is None or name in schema.fields or any(name in fields for fields in told):
            return
        raise Mistake(
            f"{ref.object} has no field {name}",
            hint=f"`crmtrail show {ref}` lists the fields of the record",
        )

    def _stored(self, source: str, object_: str) -> None:
        """Refuse an object that nothing was ever stored of."""
        if self._store.schema(source, object_) or self._store.standing(source, object_).records:
            return
        known = sorted({f"{one.source}:{one.object}" for one in self._store.standings()})
        raise Mistake(
            f"there is no object {source}:{object_} in the store",
            hint=f"it has: {', '.join(known) or 'nothing yet'}",
        )

    def _past(self, at: datetime) -> datetime:
        now = self._clock.now()
        if at > now:
            raise Mistake(f"{spoken(at)} is in the future: values can only be put back to a past")
        return now


def _one_source(records: Sequence[Ref]) -> str:
    sources = sorted({ref.source for ref in records})
    if not sources:
        raise Mistake("name at least one record to put back")
    if len(sources) > 1:
        raise Mistake(
            f"one plan is for one source, not for {' and '.join(sources)}",
            hint="make a plan for each source",
        )
    return sources[0]


def _prefixed(first: Selected, rest: Iterator[Selected]) -> Iterator[Selected]:
    yield first
    yield from rest
