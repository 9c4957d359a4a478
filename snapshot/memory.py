"""The store in memory: the port's second implementation, for tests and rehearsals.

It keeps every state of every record in full and answers by walking through them. What a page
means (`snapshot.diff`, `snapshot.absorbing`) is the same code; how it is remembered is not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from crmtrail.errors import LeaseLost, Mistake, Unfound
from crmtrail.model import (
    ChangeSet,
    Expectation,
    Gap,
    Incident,
    IncidentState,
    Lease,
    Mode,
    Operation,
    Page,
    Reading,
    Ref,
    Removal,
    Schema,
    Usage,
    utc,
)
from crmtrail.ports import (
    Clock,
    Kept,
    Notice,
    Noticed,
    Scene,
    Standing,
    Sweeps,
    Told,
)
from snapshot import announced
from snapshot.absorbing import Batch, may_grow
from snapshot.awaited import Sent
from snapshot.counts import COMING_AND_GOING
from snapshot.incidents import (
    FINDING,
    MOVE,
    finding_entry,
    incident_id,
    moved,
    opened,
    seen_again,
)
from snapshot.memory_leases import MemoryLeases
from snapshot.memory_runs import Place, Run, compare, run_entry, shortfalls
from snapshot.memory_sweeps import MemorySweeps
from snapshot.schemas import SCHEMA, document_of, schema_entry

Awaited: TypeAlias = Callable[[Sequence[Ref]], Mapping[Ref, Sequence[Sent]]]
"""Tells which of our own steps were sent for some records."""


def _nothing_sent(_refs: Sequence[Ref]) -> Mapping[Ref, Sequence[Sent]]:
    return {}


class MemoryStore(MemorySweeps):
    """`crmtrail.ports.Store` in memory. It forgets with the process.

    ``seen`` tells, of our own steps by plan and number, in which version each showed up.

    Args:
        clock: where the time comes from.
        leases: whose fences a page is checked against.
        awaited: our own steps that were sent for some records.
    """

    def __init__(
        self, clock: Clock, leases: MemoryLeases, awaited: Awaited = _nothing_sent
    ) -> None:
        super().__init__()
        self._clock = clock
        self._leases = leases
        self._awaited = awaited
        self.seen: dict[tuple[str, int], int] = {}
        self._objects: dict[tuple[str, str], Place] = {}
        self._runs: list[Run] = []
        self._operations: dict[str, Operation] = {}
        self._incidents: dict[str, Incident] = {}

    # --- a run -------------------------------------------------------------------------------

    def begin(self, source: str, object_: str, mode: Mode, at: datetime) -> int:
        """Open a sync run and return its number."""
        self._object(source, object_)
        self._runs.append(Run((source, object_), mode, utc(at)))
        return len(self._runs)

    def learn(self, schema: Schema, at: datetime) -> bool:
        """Keep a schema; return whether it differs from the one before (or is the first)."""
        where = self._object(schema.source, schema.object)
        differs = where.schema != schema
        where.schema = schema
        if differs:
            entry = schema_entry(schema.source, schema.object, document_of(schema))
            self.seal(SCHEMA, entry, at)
        return differs

    def keep(self, page: Page, *, source: str, run: int, lease: Lease, notice: Notice) -> Kept:
        """Store one page, or nothing of it.

        Raises:
            LeaseLost: the fence is not the newest; nothing was stored.
        """
        key = (source, page.object)
        where = self._object(*key)
        if not 0 < run <= len(self._runs) or self._runs[run - 1].object != key:
            raise Unfound(f"there is no run {run} of this object")
        if (lease.source, lease.object) != key or not (
            where.fence <= lease.fence == self._leases.fence(*key)
        ):
            raise LeaseLost(
                f"another runner took over {source}:{page.object}; nothing of this page was kept"
            )
        started = self._runs[run - 1].started
        kept = self._absorb(key, (*page.readings, *page.removals), notice, started=started)
        self.look_again(source, page)
        where.fence = lease.fence
        where.cursor = page.cursor
        where.watermark = page.watermark or where.watermark
        where.complete_to = page.complete_to or where.complete_to
        where.expected = where.expected if page.expected is None else page.expected
        shown = where.gaps_now()
        where.gaps.extend((gap, started) for gap in page.gaps if gap not in shown)
        this = self._runs[run - 1]
        this.kept += kept
        if page.expected is not None:
            this.expected = (page.expected, self._clock.now())
        differs = self._compare(this) if page.done else None
        return kept if differs is None else replace(kept, gaps=(differs,))

    def _compare(self, this: Run) -> Gap | None:
        """Compare the vendor's count with what is stored; see `snapshot.runs.compare`."""
        moves = [
            draft.change_set.at
            for ref, record in self._records.items()
            if (ref.source, ref.object) == this.object
            for draft in record.drafts
            if draft.change_set.op in COMING_AND_GOING
        ]
        return compare(this, self._runs, self.standing(*this.object).records, moves)

    def _horizon(self, key: tuple[str, str]) -> datetime | None:
        """Return from when a record is new: records may be stamped by another clock."""
        where = self._object(*key)
        if where.complete_to is None or where.watermark is None:
            return where.complete_to
        return min(where.complete_to, where.watermark)

    def sweeps(self, source: str, object_: str) -> Sweeps:
        """Return when all records of an object were last seen, and when read."""
        runs = [r for r in self._runs if r.object == (source, object_)]
        done = [r for r in runs if r.state in {"done", "stopped"}]
        seen = [r.started for r in done if r.mode is not Mode.INCREMENTAL]
        read = [r.started for r in done if r.mode is Mode.FULL]
        return Sweeps(
            seen[-1] if seen else None,
            read[-1] if read else None,
            runs[0].started if runs else None,
        )

    def absorb(
        self,
        source: str,
        object_: str,
        found: Sequence[Reading | Removal],
        *,
        notice: Notice,
    ) -> Kept:
        """Store readings taken outside a run (preflight, read-back); moves no cursor."""
        self._object(source, object_)
        return self._absorb((source, object_), found, notice, started=None)

    def finish(
        self,
        run: int,
        *,
        state: str,
        at: datetime,
        api_calls: int,
        detail: str = "",
        usage: Usage | None = None,
    ) -> None:
        """Close a sync run (state ``done``, ``failed``, ``stopped`` or ``locked``) and seal it."""
        del detail
        if state not in {"done", "failed", "stopped", "locked"}:
            raise Mistake(f"a run does not end {state}")
        if not 0 < run <= len(self._runs) or self._runs[run - 1].finished is not None:
            raise Unfound(f"there is no open run {run}")
        closed = self._runs[run - 1]
        closed.state, closed.finished, closed.usage = state, utc(at), usage
        self.seal("run", run_entry(run, closed, api_calls), at)

    def _object(self, source: str, object_: str) -> Place:
        return self._objects.setdefault((source, object_), Place())

    def _absorb(
        self,
        key: tuple[str, str],
        found: Sequence[Reading | Removal],
        notice: Notice,
        *,
        started: datetime | None,
    ) -> Kept:
        refs = list(dict.fromkeys(one.ref for one in found))
        stored = {ref.id: self._records[ref].past for ref in refs if ref in self._records}
        sent = {
            ref.id: [step for step in steps if (step.plan, step.no) not in self.seen]
            for ref, steps in self._awaited(refs).items()
        }
        horizon = self._horizon(key)
        read_back = started is None
        batch = Batch.of(found, stored, horizon=horizon, sent=sent, read_back=read_back)

        def look(change_sets: Sequence[ChangeSet]) -> Noticed:
            return notice(change_sets, self._scene(key, change_sets, batch.newcomers()))

        noticed = batch.notice(look)
        self._operations.update((each.id, each) for each in noticed.operations)
        incidents = list(self._note(noticed, started))
        self._write(key, batch)
        for id_ in incidents:
            incident = self._incidents[id_]
            self.seal(FINDING, finding_entry(incident), incident.seen_at)
        return batch.kept(incidents)

    def expect(self, expected: Expectation) -> None:
        """Note and seal what was announced."""
        entry = announced.expect_entry(expected)
        self._announced.append((announced.EXPECT, entry))
        self.seal(announced.EXPECT, entry, self._clock.now())

    def withdraw(self, id_: str, *, why: str, by: str) -> None:
        """End what was announced; seal who and why.

        Raises:
            Unfound: there is no such announcement, or it was withdrawn.
        """
        announced.find(self.expectations(), id_)
        entry = announced.withdraw_entry(id_, why, by)
        self._announced.append((announced.WITHDRAW, entry))
        self.seal(announced.WITHDRAW, entry, self._clock.now())

    def _scene(
        self, key: tuple[str, str], change_sets: Sequence[ChangeSet], newcomers: int
    ) -> Scene:
        source, object_ = key
        near = [
            each
            for each in self._operations.values()
            if (each.source, each.object) == key and may_grow(each, change_sets)
        ]
        return Scene(
            source=source,
            object=object_,
            schema=self._objects[key].schema,
            population=self.standing(source, object_).records + newcomers,
            operations=sorted(near, key=lambda each: (each.started, each.id)),
            expected=self.expectations(),
        )

    def _note(self, noticed: Noticed, started: datetime | None) -> Iterator[str]:
        now = self._clock.now()
        by_key = {(i.finding.rule, i.finding.operation): i for i in self._incidents.values()}
        for finding in noticed.findings:
            before = by_key.get((finding.rule, finding.operation))
            if before is None:
                id_ = incident_id(finding.rule, finding.operation, self._incidents.__contains__)
                after = opened(id_, finding, self._operations[finding.operation], now)
            else:
                after = seen_again(before, finding, now, run_started=started)
            if after is not before:
                self._incidents[after.id] = after
                yield after.id

    def _write(self, key: tuple[str, str], batch: Batch) -> None:
        for id_, touched in batch.records.items():
            if touched.past is not None:
                self.remember(Ref(*key, id_), touched.past, touched.drafts)
        self.seen.update(batch.seen)

    # --- what is known -----------------------------------------------------------------------

    def standing(self, source: str, object_: str) -> Standing:
        """Return where an object stands; zeros where nothing was ever stored."""
        where = self._objects.get((source, object_), Place())
        records = [
            r for ref, r in self._records.items() if (ref.source, ref.object) == (source, object_)
        ]
        runs = [run for run in self._runs if run.object == (source, object_)]
        closed = [run.finished for run in runs if run.finished is not None]
        deleted = sum(record.past.deleted for record in records)
        told = [run.expected[1] for run in runs if run.expected is not None]
        last = runs[-1].state if runs else None
        if last == "running" and not self._leases.held(source, object_):
            last = "interrupted"
        return Standing(
            source=source,
            object=object_,
            records=len(records) - deleted,
            deleted=deleted,
            versions=sum(len(record.drafts) for record in records),
            cursor=where.cursor,
            watermark=where.watermark,
            complete_to=where.complete_to,
            expected=where.expected,
            last_run=last,
            last_finished=closed[-1] if closed else None,
            gaps=(*where.gaps_now(), *shortfalls(runs)),
            expected_at=told[-1] if told else None,
        )

    def standings(self) -> Sequence[Standing]:
        """Return every (source, object) ever synced."""
        return [self.standing(*key) for key in sorted(self._objects)]

    def usage(self, source: str) -> Told | None:
        """Return the last word on a source's budget; None where its vendor never said any."""
        told = [
            Told(run.usage, run.finished)
            for run in self._runs
            if run.object[0] == source and run.usage is not None and run.finished is not None
            if (run.usage.used, run.usage.limit) != (None, None)
        ]
        return max(told, key=lambda each: each.at, default=None)

    def schema(self, source: str, object_: str) -> Schema | None:
        """Return the newest schema kept."""
        return self._objects.get((source, object_), Place()).schema

    # --- noticed -----------------------------------------------------------------------------

    def operations(
        self, *, source: str | None = None, since: datetime | None = None, limit: int = 100
    ) -> Sequence[Operation]:
        """Return operations, newest first."""
        found = [
            each
            for each in self._operations.values()
            if source in {None, each.source} and (since is None or each.ended >= since)
        ]
        found.sort(key=lambda each: each.id)
        return sorted(found, key=lambda each: each.started, reverse=True)[:limit]

    def operation(self, id_: str) -> Operation:
        """Return one operation."""
        if id_ not in self._operations:
            raise Unfound(f"there is no operation {id_}", hint="crmtrail operations lists them")
        return self._operations[id_]

    def members(self, operation: str) -> Iterator[ChangeSet]:
        """Stream an operation's change sets: records as first stored, versions in order."""
        self.operation(operation)
        return (
            draft.change_set
            for record in self._records.values()
            for draft in record.drafts
            if draft.change_set.operation == operation
        )

    def incidents(self, states: Sequence[IncidentState] = ()) -> Sequence[Incident]:
        """Return incidents of the given states (none given: all), newest first."""
        found = [self.incident(id_) for id_ in sorted(self._incidents)]
        wanted = [each for each in found if not states or each.state in states]
        return sorted(wanted, key=lambda each: each.opened_at, reverse=True)

    def incident(self, id_: str) -> Incident:
        """Return one incident."""
        if id_ not in self._incidents:
            raise Unfound(f"there is no incident {id_}", hint="crmtrail incidents lists them")
        found = self._incidents[id_]
        return replace(found, operation=self._operations[found.finding.operation])

    def mark(
        self,
        incident: str,
        state: IncidentState,
        at: datetime,
        *,
        by: str = "",
        why: str = "",
    ) -> None:
        """Move an incident to a state and seal that, with who and why.

        One already there is left alone.
        """
        before = self.incident(incident)
        if before.state is not state:
            self._incidents[incident] = replace(before, state=state)
            entry = moved(incident, before.state, state, by=by, why=why)
            self.seal(MOVE, entry, at)

    def close(self) -> None:
        """Close the store."""
