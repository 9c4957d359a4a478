"""The store on SQL: runs, pages, and the front of everything that can be asked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, event

from crmtrail.model import (
    ChangeSet,
    Checkpoint,
    Expectation,
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
    Sighting,
    Usage,
    Version,
    utc,
)
from crmtrail.ports import (
    Blame,
    Clock,
    Deed,
    Difference,
    Entry,
    Head,
    Kept,
    Line,
    Notice,
    Query,
    Standing,
    Sweeps,
    Told,
    Verification,
)
from snapshot import (
    announced,
    compare,
    deeds,
    demands,
    history,
    leaves,
    lines,
    logbook,
    noticed,
    records,
    runs,
    schemas,
    sweeping,
)
from snapshot.database import reading, writing
from snapshot.incidents import MOVE, moved
from snapshot.keeping import absorb_found
from snapshot.names import object_id
from snapshot.pages import advance, place_of, uncollected
from snapshot.shelf import Shelf
from snapshot.vault import Vault
from snapshot.verify import verify


class SqlStore:
    """`crmtrail.ports.Store` over one database.

    ``engine`` is for the restore journal and the leases, which live in the same database; a
    transaction of it (``snapshot.database.writing``) holds the write lock from its start.
    """

    def __init__(self, engine: Engine, clock: Clock, vault: Vault | None = None) -> None:
        self.engine = engine
        self.shelf = Shelf(vault or Vault())
        self._clock = clock
        event.listen(engine, "rollback", self._rolled_back)

    def _rolled_back(self, _connection: Connection) -> None:
        self.shelf.forget()

    # --- a run -------------------------------------------------------------------------------

    def begin(self, source: str, object_: str, mode: Mode, at: datetime) -> int:
        """Open a sync run and return its number."""
        with writing(self.engine) as connection:
            return runs.begin(connection, object_id(connection, source, object_), mode, at)

    def learn(self, schema: Schema, at: datetime) -> bool:
        """Keep a schema; return whether it differs from the one before (or is the first)."""
        with writing(self.engine) as connection:
            return schemas.learn(connection, schema, at)

    def keep(self, page: Page, *, source: str, run: int, lease: Lease, notice: Notice) -> Kept:
        """Store one page in one transaction: versions, changes, findings, leaves, the cursor.

        A crash before the commit leaves the cursor where it was, and the page is read again.

        Raises:
            LeaseLost: the fence is not the newest; nothing was stored.
        """
        with uncollected(), writing(self.engine) as connection:
            place = place_of(connection, source, page.object, run)
            advance(connection, place, page, lease)
            kept = absorb_found(
                connection,
                self.shelf,
                place,
                (*page.readings, *page.removals),
                notice=notice,
                now=self._clock.now(),
            )
            demands.note(connection, place.object_id, page.removals)
            if page.sighted_at is not None:
                sweeping.look_again(connection, place.object_id, page.sightings, page.sighted_at)
            runs.keep_gaps(connection, place.object_id, run, page.gaps)
            runs.count(connection, run, kept)
            if page.expected is not None:
                runs.counted(connection, run, page.expected, self._clock.now())
            differs = (
                runs.compare(connection, place.object_id, place.object, run) if page.done else None
            )
        return kept if differs is None else replace(kept, gaps=(differs,))

    def unread(self, source: str, object_: str, sightings: Sequence[Sighting]) -> Sequence[str]:
        """Return the ids of records that were sighted and are not stored as they are now."""
        with reading(self.engine) as connection:
            found = self.shelf.object_id(connection, source, object_)
            if found is None:
                return [one.id for one in sightings]
            return sweeping.unread(connection, found, sightings)

    def unseen(
        self, source: str, object_: str, since: datetime, *, after: str = "", limit: int
    ) -> Sequence[str]:
        """Return the ids of live records not seen since a moment, in order, after one."""
        with reading(self.engine) as connection:
            found = self.shelf.object_id(connection, source, object_)
            return [] if found is None else sweeping.unseen(connection, found, since, after, limit)

    def others(
        self, source: str, object_: str, members: Sequence[str], present: Sequence[str]
    ) -> Sequence[str]:
        """Return the ids of live records that begin like one of ``members`` and are not present."""
        with reading(self.engine) as connection:
            found = self.shelf.object_id(connection, source, object_)
            return [] if found is None else sweeping.others(connection, found, members, present)

    def linking(self, source: str, object_: str, ids: Collection[str]) -> Sequence[str]:
        """Return the ids of an object's records that name one of some others: see the port."""
        with reading(self.engine) as connection:
            found = self.shelf.object_id(connection, source, object_)
            return [] if found is None else sweeping.linking(connection, found, ids)

    def count_unseen(self, source: str, object_: str, since: datetime) -> int:
        """Return how many live records were not seen since a moment."""
        with reading(self.engine) as connection:
            found = self.shelf.object_id(connection, source, object_)
            return 0 if found is None else sweeping.count_unseen(connection, found, since)

    def sweeps(self, source: str, object_: str) -> Sweeps:
        """Return when all records of an object were last seen, and when read."""
        with reading(self.engine) as connection:
            found = self.shelf.object_id(connection, source, object_)
            return Sweeps() if found is None else sweeping.sweeps(connection, found)

    def absorb(
        self,
        source: str,
        object_: str,
        found: Sequence[Reading | Removal],
        *,
        notice: Notice,
    ) -> Kept:
        """Store readings taken outside a run (preflight, read-back); moves no cursor."""
        with writing(self.engine) as connection:
            place = place_of(connection, source, object_, None)
            now = self._clock.now()
            kept = absorb_found(connection, self.shelf, place, found, notice=notice, now=now)
            gone = [one for one in found if isinstance(one, Removal)]
            demands.note(connection, place.object_id, gone)
        return kept

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
        with writing(self.engine) as connection:
            entry = runs.finish(
                connection, run, state=state, at=at, calls=api_calls, detail=detail, usage=usage
            )
            leaves.seal(connection, "run", entry, at)

    # --- what is known -----------------------------------------------------------------------

    def standing(self, source: str, object_: str) -> Standing:
        """Return where an object stands; zeros where nothing was ever stored."""
        with reading(self.engine) as connection:
            return runs.standing(connection, source, object_, self._clock.now())

    def standings(self) -> Sequence[Standing]:
        """Return every (source, object) ever synced."""
        with reading(self.engine) as connection:
            return runs.standings(connection, self._clock.now())

    def usage(self, source: str) -> Told | None:
        """Return the last word on a source's budget; None where its vendor never said any."""
        with reading(self.engine) as connection:
            return runs.usage(connection, source)

    def schema(self, source: str, object_: str) -> Schema | None:
        """Return the newest schema kept."""
        with reading(self.engine) as connection:
            return schemas.schema_of(connection, source, object_)

    def expect(self, expected: Expectation) -> None:
        """Note and seal what was announced."""
        with writing(self.engine) as connection:
            entry = announced.expect_entry(expected)
            leaves.seal(connection, announced.EXPECT, entry, self._clock.now())

    def expectations(self) -> Sequence[Expectation]:
        """Return what was announced and not withdrawn, oldest first."""
        with reading(self.engine) as connection:
            return announced.announced(connection)

    def withdraw(self, id_: str, *, why: str, by: str) -> None:
        """End what was announced; seal who and why.

        Raises:
            Unfound: there is no such announcement, or it was withdrawn.
        """
        with writing(self.engine) as connection:
            announced.find(announced.announced(connection), id_)
            entry = announced.withdraw_entry(id_, why, by)
            leaves.seal(connection, announced.WITHDRAW, entry, self._clock.now())

    def heirs(self, refs: Sequence[Ref]) -> Mapping[Ref, Ref]:
        """Return, for those of some records that were made anew, what they are now."""
        with reading(self.engine) as connection:
            return lines.heirs(connection, refs)

    def heads(self, refs: Sequence[Ref]) -> Mapping[Ref, Head]:
        """Return the newest stored state of each record that is known."""
        with reading(self.engine) as connection:
            return history.heads(connection, self.shelf, refs)

    def version(
        self, ref: Ref, at: datetime | None = None, *, known: datetime | None = None
    ) -> Version | None:
        """Return the record at a valid time (None: now); None before anything is known.

        With ``known``, only what was known by then counts.
        """
        with reading(self.engine) as connection:
            return history.version(connection, self.shelf, ref, at, known)

    def records(
        self,
        source: str,
        object_: str,
        at: datetime | None = None,
        *,
        known: datetime | None = None,
        size: int | None = None,
    ) -> Iterator[Version]:
        """Stream the records of an object at a valid time (None: now), by id, deleted ones too.

        With ``known``, only what was known by then counts; and only the first ``size`` entries of
        the ledger do (None: those there at the start).
        """
        return records.records(self.engine, self.shelf, source, object_, at, known, size)

    def timeline(self, ref: Ref, field_name: str | None = None) -> Sequence[ChangeSet]:
        """Return a record's versions, oldest first, of those that touched a field."""
        with reading(self.engine) as connection:
            return history.timeline(connection, self.shelf, ref, field_name)

    def blame(self, ref: Ref) -> Sequence[Blame]:
        """Return who set each current field value, sorted by field name."""
        with reading(self.engine) as connection:
            return history.blame(connection, self.shelf, ref)

    def log(
        self, query: Query, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Entry], str | None]:
        """Return log entries, newest known first, and the cursor of the next page, if any.

        Raises:
            Mistake: the cursor is none of ours, or the limit is below 1.
        """
        with reading(self.engine) as connection:
            return logbook.log(connection, self.shelf, query, limit=limit, cursor=cursor)

    def diff(
        self,
        source: str,
        object_: str,
        since: datetime,
        until: datetime,
        *,
        known: datetime | None = None,
    ) -> Iterator[Difference]:
        """Stream how the records of an object differ between two valid times, by record."""
        span = compare.Span.of(since, until, known)
        return compare.diff(self.engine, self.shelf, source, object_, span)

    def difference(
        self, ref: Ref, since: datetime, until: datetime, *, known: datetime | None = None
    ) -> Difference | None:
        """Return how one record differs between two valid times; None where it does not."""
        with reading(self.engine) as connection:
            span = compare.Span.of(since, until, known)
            return compare.difference(connection, self.shelf, ref, span)

    def line_of(self, ref: Ref) -> Line:
        """Return the records that are one line with a record; itself alone where it is one."""
        with reading(self.engine) as connection:
            return lines.line_of(connection, ref)

    def succeed(self, old: Ref, new: Ref, at: datetime) -> None:
        """Note that a record was made anew as another, and seal that.

        Raises:
            Unfound: one of them is not in the store.
            Mistake: they are one and the same.
        """
        with writing(self.engine) as connection:
            lines.succeed(connection, old, new, at)

    # --- noticed -----------------------------------------------------------------------------

    def operations(
        self, *, source: str | None = None, since: datetime | None = None, limit: int = 100
    ) -> Sequence[Operation]:
        """Return operations, newest first."""
        with reading(self.engine) as connection:
            return noticed.operations_of(connection, source=source, since=since, limit=limit)

    def operation(self, id_: str) -> Operation:
        """Return one operation.

        Raises:
            Unfound: there is none of this id.
        """
        with reading(self.engine) as connection:
            return noticed.operation_of(connection, id_)

    def members(self, operation: str) -> Iterator[ChangeSet]:
        """Stream an operation's change sets, ordered by record and version."""
        return history.members(self.engine, self.shelf, operation)

    def incidents(self, states: Sequence[IncidentState] = ()) -> Sequence[Incident]:
        """Return incidents of the given states (none given: all), newest first."""
        with reading(self.engine) as connection:
            return noticed.incidents_of(connection, states)

    def incident(self, id_: str) -> Incident:
        """Return one incident.

        Raises:
            Unfound: there is none of this id.
        """
        with reading(self.engine) as connection:
            return noticed.incident_of(connection, id_)

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

        Raises:
            Unfound: there is none of this id.
        """
        with writing(self.engine) as connection:
            before = noticed.incident_of(connection, incident).state
            if before is not state:
                noticed.move_incident(connection, incident, state)
                entry = moved(incident, before, state, by=by, why=why)
                leaves.seal(connection, MOVE, entry, at)

    # --- the ledger --------------------------------------------------------------------------

    def seal(self, kind: str, entry: Mapping[str, Any], at: datetime) -> int:
        """Append an action of crmtrail itself to the ledger and return its leaf index."""
        with writing(self.engine) as connection:
            return leaves.seal(connection, kind, entry, at)

    def deeds(
        self,
        kinds: Sequence[str] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Deed], str | None]:
        """Return actions of crmtrail itself, newest first, and the cursor of the next page.

        Raises:
            Mistake: the cursor is none of ours, or the limit is below 1.
        """
        with reading(self.engine) as connection:
            span = deeds.Span(since, until)
            return deeds.deeds(connection, kinds, span, limit=limit, cursor=cursor)

    def checkpoint(self, at: datetime) -> Checkpoint:
        """Return the tree head."""
        with reading(self.engine) as connection:
            size = leaves.size_of(connection)
            return Checkpoint(size, leaves.frontier_of(connection, size).root().hex(), utc(at))

    def verify(self) -> Verification:
        """Recompute every leaf, the root and the data under them."""
        return verify(self.engine)

    def close(self) -> None:
        """Close the store."""
        self.engine.dispose()
