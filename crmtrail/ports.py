"""The protocols at which the rooms meet.

Each has a contract suite in tests/contract/ and two or more implementations.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from crmtrail.model import (
    Actor,
    Answer,
    ChangeSet,
    Checkpoint,
    Expectation,
    Finding,
    Gap,
    Identity,
    Incident,
    IncidentState,
    Lease,
    Loss,
    Mode,
    Op,
    Operation,
    Outcome,
    Page,
    Plan,
    Reading,
    Receipt,
    Ref,
    Removal,
    Result,
    Schema,
    Sighting,
    Step,
    Token,
    Tokens,
    Usage,
    Version,
    Write,
)


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the time, UTC."""
        ...


class Connector(Protocol):
    """One CRM account, seen through one identity.

    Each call of `page`, `read`, `schema`, `objects` and `identity` costs one API request as a
    rule, so that retries and the budget can be wrapped around it. Vendor words end here.

    Every method may raise: CredentialsRefused, PermissionMissing, Throttled, Unavailable,
    BudgetSpent, CursorLost (`page` only), Doubtful (`page` only), Ambiguous (`write` only).
    """

    source: str
    read_batch: int
    """How many ids one `read` may ask for."""
    write_batch: int
    """How many records one `write` may carry, and `undelete`, `recreate` and `remove`."""
    undeletes: bool
    """Whether the vendor takes records out of its recycle bin when asked to."""
    bulk_batch: int
    """How many records one `write` may carry where that costs far fewer requests; it then returns
    only after the vendor has worked through them. Equal to ``write_batch`` where there is none."""

    @property
    def calls(self) -> int:
        """How many API requests this connector has sent so far."""
        ...

    def identity(self) -> Identity:
        """Return whom the vendor takes us for."""
        ...

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, or those of a group of trail objects.

        A group is written ``@name`` in the config. Objects of a group that the account does not
        have are returned too: their `page` is empty and tells a gap.

        Raises:
            Mistake: the vendor has no such group.
        """
        ...

    def named(self, object_: str) -> str:
        """Return the one name under which an object is kept, whatever spelling was written.

        May cost a request for a custom object. What the vendor does not know is returned as it is.
        """
        ...

    def schema(self, object_: str) -> Schema:
        """Return the fields of one object as of now and remember them for `page` and `read`.

        Raises:
            Mistake: there is no such object, or the identity cannot see it.
        """
        ...

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects, one line for each that has such.

        May cost a request or two for each object: it is asked when an identity is checked.
        """
        ...

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of the first page of a run. Sends no request.

        ``position`` is the cursor kept with the last stored page. One in the middle of a run is
        resumed, so a crash repeats no page; mode FULL begins again.
        """
        ...

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page: one API request's worth, and the cursor of the next."""
        ...

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now, by the id asked for; at most ``read_batch`` ids.

        An id the vendor does not answer for is absent. ``trail`` asks for the vendor's field
        history too, where there is one (HubSpot then takes at most 50 ids: see ``read_batch``).
        """
        ...

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records of one object cost, in requests, if nothing goes wrong.

        First to read them with their trail, then to write them; for none, what it takes to get to
        know the object's trail. Sends no request.
        """
        ...

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values; at most ``write_batch`` records. One answer for each write, by key.

        The token ``null`` clears a field. Raises Throttled only if nothing was sent, and
        Ambiguous if the whole batch may or may not have landed.
        """
        ...

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take records out of the vendor's recycle bin; their fields are not set.

        Refused, with what to do instead, where the vendor cannot. Raises like `write`.
        """
        ...

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew; ``ref`` is what each was, `Answer.id` the id that it has now.

        Fields that can only be set by a second write are left to that. Raises like `write`.
        """
        ...

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records made by `recreate` of which the answer was lost; their ids by key.

        A key is absent where there is certainly no such record, and None where that cannot be
        told. ``since``: nothing was sent before, by the vendor's clock.
        """
        ...

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Move records to the vendor's recycle bin. Raises like `write`."""
        ...

    def usage(self) -> Usage:
        """Return the vendor's last word on our budget. Sends no request."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True)
class Scene:
    """What a notice needs to know beside the change sets of one page.

    ``operations`` are those of this source and object that may still grow.
    ``population`` counts the live records stored. ``expected`` is what was announced.
    """

    source: str
    object: str
    schema: Schema | None
    population: int
    operations: Sequence[Operation]
    expected: Sequence[Expectation] = ()


@dataclass(frozen=True, slots=True)
class Noticed:
    """What detection makes of one page.

    ``membership`` gives, for each change set in order, the id of its operation or None.
    ``operations`` are the new or grown ones, whole. ``findings`` may repeat earlier ones with
    larger numbers; rule and operation identify them.
    """

    membership: Sequence[str | None] = ()
    operations: Sequence[Operation] = ()
    findings: Sequence[Finding] = ()


Notice: TypeAlias = Callable[[Sequence[ChangeSet], Scene], Noticed]
"""Detection, as the store calls it inside the page's transaction. Pure."""


def ignore(change_sets: Sequence[ChangeSet], scene: Scene) -> Noticed:
    """Notice nothing. For first loads and tests."""
    del scene
    return Noticed(membership=(None,) * len(change_sets))


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one page. ``changes`` counts field changes, ``read`` readings and removals.

    ``gaps`` are those that the store found itself: the vendor counts other than it holds.
    """

    read: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    changes: int = 0
    incidents: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def __add__(self, other: "Kept") -> "Kept":
        return Kept(
            self.read + other.read,
            self.created + other.created,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.changes + other.changes,
            tuple(dict.fromkeys((*self.incidents, *other.incidents))),
            (*self.gaps, *other.gaps),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one object of one source stands in the store.

    ``expected`` is the vendor's count of live records as of ``expected_at``. ``last_run`` is the
    state of the last run; ``interrupted`` where its process died or let its lease run out.
    """

    source: str
    object: str
    records: int
    deleted: int
    versions: int
    cursor: str | None
    watermark: datetime | None
    complete_to: datetime | None
    expected: int | None
    last_run: str | None
    last_finished: datetime | None
    gaps: tuple[Gap, ...] = ()
    expected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sweeps:
    """When the last finished runs began that saw every record, and that read all their content.

    ``first`` is when the first run of all began.
    """

    reconciled: datetime | None = None
    refreshed: datetime | None = None
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a vendor said of our budget, and when the run ended that heard it."""

    usage: Usage
    at: datetime


@dataclass(frozen=True, slots=True)
class Query:
    """Which changes to list; every condition that is set must hold. ``until`` is exclusive.

    ``since`` and ``until`` are valid time, ``known_since`` and ``known_until`` known time.

    Baselines are no changes: they are listed only where ``op`` asks for them.
    """

    source: str | None = None
    object: str | None = None
    record: Ref | None = None
    field: str | None = None
    actor: str | None = None
    """Id or name of the actor, case ignored."""
    via: str | None = None
    op: Op | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    known_since: datetime | None = None
    """Only what we learnt at or after this time; ``known_until`` likewise, exclusive."""
    known_until: datetime | None = None
    blanked: bool = False
    """Only values that became blank: there before and not blank, blank after."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: a field change, or a whole-record event with ``field`` None."""

    change_set: ChangeSet
    field: str | None
    old: Token | None
    new: Token | None


@dataclass(frozen=True, slots=True)
class Blame:
    """Who last set a field: ``at`` and ``actor`` of the version ``number`` that did."""

    field: str
    token: Token
    number: int
    at: datetime
    actor: Actor


@dataclass(frozen=True, slots=True)
class Difference:
    """How one record differs between two times."""

    ref: Ref
    op: Op
    """CREATE, UPDATE or DELETE."""
    changes: tuple[Any, ...] = ()
    """`crmtrail.model.Change`, for UPDATE."""


@dataclass(frozen=True, slots=True)
class Succession:
    """One record that went on as another: ``merged`` into it, or ``recreated`` as it by us."""

    record: Ref
    heir: Ref
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """All records that are one line, oldest first, and how each went on."""

    records: tuple[Ref, ...]
    links: tuple[Succession, ...] = ()

    def before(self, ref: Ref) -> tuple[Ref, ...]:
        """Return the records that a record goes on from, oldest first."""
        found = {ref}
        while more := {one.record for one in self.links if one.heir in found} - found:
            found |= more
        return tuple(one for one in self.records if one in found and one != ref)

    def after(self, ref: Ref) -> tuple[Succession, ...]:
        """Return how a record went on, step by step; nothing where it did not."""
        steps: list[Succession] = []
        reached = [ref]
        for here in reached:
            for link in self.links:
                if link.record == here:
                    steps.append(link)
                    if link.heir not in reached:
                        reached.append(link.heir)
        return tuple(steps)


@dataclass(frozen=True, slots=True)
class Deed:
    """One action of crmtrail itself, as it lies in the ledger under ``index``."""

    index: int
    kind: str
    at: datetime
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Departure:
    """How a stored record left the live set, as far as the vendor told it, and when."""

    loss: Loss
    at: datetime
    actor: Actor
    merged_into: str | None = None
    restorable_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A record as last stored, as far as a plan needs it. ``erased_at``: it is never restored."""

    ref: Ref
    number: int
    fields: Tokens
    deleted: bool
    known_at: datetime
    erased_at: datetime | None = None
    departure: Departure | None = None
    """How it left, where it is deleted."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing the ledger and the data under it gave."""

    ok: bool
    entries: int
    root: str
    checked: int
    first_bad: Mapping[str, Any] = field(default_factory=dict)


class Store(Protocol):
    """The memory. All methods are safe to call from one thread at a time.

    Raises NoStore where the store is missing or newer than this version.
    """

    # --- a run -------------------------------------------------------------------------------
    def begin(self, source: str, object_: str, mode: Mode, at: datetime) -> int:
        """Open a sync run and return its number."""
        ...

    def learn(self, schema: Schema, at: datetime) -> bool:
        """Keep a schema; return whether it differs from the one before (or is the first)."""
        ...

    def keep(self, page: Page, *, source: str, run: int, lease: Lease, notice: Notice) -> Kept:
        """Store one page in one transaction: versions, changes, findings, leaves, the cursor.

        Keeping a page twice keeps it once. A reading older than what is stored is ignored. The
        last page of a run that learnt the vendor's count compares it with what is stored.

        Raises:
            LeaseLost: the fence is not the newest; nothing was stored.
        """
        ...

    def unread(self, source: str, object_: str, sightings: Sequence[Sighting]) -> Sequence[str]:
        """Return the ids of records that were sighted and are not stored as they are now."""
        ...

    def unseen(
        self, source: str, object_: str, since: datetime, *, after: str = "", limit: int
    ) -> Sequence[str]:
        """Return the ids of live records not seen since a moment, in order, later than ``after``.

        ``since`` is by the vendor's clock.
        """
        ...

    def others(
        self, source: str, object_: str, members: Sequence[str], present: Sequence[str]
    ) -> Sequence[str]:
        """Return the ids of live records that begin like one of ``members`` and are not present."""
        ...

    def linking(self, source: str, object_: str, ids: Collection[str]) -> Sequence[str]:
        """Return the ids of an object's records that name one of some others: ``A-B`` names both.

        Records that are gone are among them.
        """
        ...

    def count_unseen(self, source: str, object_: str, since: datetime) -> int:
        """Return how many live records were not seen since a moment by the vendor's clock."""
        ...

    def sweeps(self, source: str, object_: str) -> Sweeps:
        """Return when all records of an object were last seen, and when read."""
        ...

    def absorb(
        self,
        source: str,
        object_: str,
        found: Sequence[Reading | Removal],
        *,
        notice: Notice,
    ) -> Kept:
        """Store readings taken outside a run (preflight, read-back); moves no cursor."""
        ...

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
        """Close a sync run (state ``done``, ``failed``, ``stopped`` or ``locked``) and seal it.

        ``usage`` is the vendor's last word on our budget.
        """
        ...

    # --- what is known -----------------------------------------------------------------------
    def standing(self, source: str, object_: str) -> Standing:
        """Return where an object stands; zeros where nothing was ever stored."""
        ...

    def standings(self) -> Sequence[Standing]:
        """Return every (source, object) ever synced."""
        ...

    def usage(self, source: str) -> Told | None:
        """Return the last word on a source's budget; None where its vendor never said any."""
        ...

    def schema(self, source: str, object_: str) -> Schema | None:
        """Return the newest schema kept."""
        ...

    def expect(self, expected: Expectation) -> None:
        """Note and seal what was announced."""
        ...

    def expectations(self) -> Sequence[Expectation]:
        """Return what was announced and not withdrawn, oldest first."""
        ...

    def withdraw(self, id_: str, *, why: str, by: str) -> None:
        """End what was announced; seal who and why.

        Raises:
            Unfound: there is no such announcement, or it was withdrawn.
        """
        ...

    def heirs(self, refs: Sequence[Ref]) -> Mapping[Ref, Ref]:
        """Return, for those of some records that were made anew, what they are now."""
        ...

    def heads(self, refs: Sequence[Ref]) -> Mapping[Ref, Head]:
        """Return the newest stored state of each record that is known."""
        ...

    def version(
        self, ref: Ref, at: datetime | None = None, *, known: datetime | None = None
    ) -> Version | None:
        """Return the record at a valid time (None: now); None before anything is known.

        With ``known``, only what was known by then counts: what we would have answered then.
        """
        ...

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

        With ``known``, only what was known by then counts. And only the first ``size`` entries of
        the ledger do (None: those there at the start), so that a sync meanwhile changes nothing,
        and the same question gives the same answer again.
        """
        ...

    def timeline(self, ref: Ref, field_name: str | None = None) -> Sequence[ChangeSet]:
        """Return a record's versions, oldest first, of those that touched a field."""
        ...

    def blame(self, ref: Ref) -> Sequence[Blame]:
        """Return who set each current field value, sorted by field name."""
        ...

    def log(
        self, query: Query, *, limit: int, cursor: str | None = None
    ) -> tuple[Sequence[Entry], str | None]:
        """Return log entries, newest known first, and the cursor of the next page, if any."""
        ...

    def diff(
        self,
        source: str,
        object_: str,
        since: datetime,
        until: datetime,
        *,
        known: datetime | None = None,
    ) -> Iterator[Difference]:
        """Stream how the records of an object differ between two valid times.

        With ``known``, only what was known by then counts.
        """
        ...

    def difference(
        self, ref: Ref, since: datetime, until: datetime, *, known: datetime | None = None
    ) -> Difference | None:
        """Return how one record differs between two valid times; None where it does not."""
        ...

    def line_of(self, ref: Ref) -> Line:
        """Return the records that are one line with a record; itself alone where it is one."""
        ...

    def succeed(self, old: Ref, new: Ref, at: datetime) -> None:
        """Note that a record was made anew as another, and seal that; merges are noted by `keep`.

        Raises:
            Unfound: one of them is not in the store.
            Mistake: they are one and the same.
        """
        ...

    # --- noticed -----------------------------------------------------------------------------
    def operations(
        self, *, source: str | None = None, since: datetime | None = None, limit: int = 100
    ) -> Sequence[Operation]:
        """Return operations that went on at or after ``since``, newest first."""
        ...

    def operation(self, id_: str) -> Operation:
        """Return one operation.

        Raises:
            Unfound: there is none of this id.
        """
        ...

    def members(self, operation: str) -> Iterator[ChangeSet]:
        """Stream an operation's change sets, ordered by record and version."""
        ...

    def incidents(self, states: Sequence[IncidentState] = ()) -> Sequence[Incident]:
        """Return incidents of the given states (none given: all), newest first."""
        ...

    def incident(self, id_: str) -> Incident:
        """Return one incident.

        Raises:
            Unfound: there is none of this id.
        """
        ...

    def mark(
        self,
        incident: str,
        state: IncidentState,
        at: datetime,
        *,
        by: str = "",
        why: str = "",
    ) -> None:
        """Move an incident to a state and seal that, with who did it and why, if told."""
        ...

    # --- the ledger --------------------------------------------------------------------------
    def seal(self, kind: str, entry: Mapping[str, Any], at: datetime) -> int:
        """Append an action of crmtrail itself to the ledger and return its leaf index."""
        ...

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

        Args:
            kinds: only these kinds; none given: all.
            since: only at or after this time.
            until: only before this time.
            limit: at most so many.
            cursor: where the last page ended.

        Raises:
            Mistake: the cursor is none of ours, or the limit is below 1.
        """
        ...

    def checkpoint(self, at: datetime) -> Checkpoint:
        """Return the tree head."""
        ...

    def verify(self) -> Verification:
        """Recompute every leaf, the root and the data under them."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


class Leases(Protocol):
    """Who may run what. The fence, checked in the page's transaction, is the guarantee."""

    def acquire(self, source: str, object_: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take the lease if it is free, expired, or held by a dead process of this host."""
        ...

    def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        """Extend a lease still ours; None where somebody took over."""
        ...

    def release(self, lease: Lease) -> None:
        """Give a lease back, if it is still ours."""
        ...


class StepState:
    """States of a plan step in the journal, in order."""

    PLANNED = "planned"
    SENDING = "sending"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Journalled:
    """A step with its state. ``before`` holds the tokens read just before our write.

    ``at`` is when it was sent, or, once settled, when it was settled. ``gone`` is the digest that
    the step had, where it was forgotten since.
    """

    step: Step
    state: str
    before: Tokens = field(default_factory=dict)
    outcome: Outcome | None = None
    at: datetime | None = None
    gone: bytes | None = None


class Journal(Protocol):
    """Plans, approvals, intents and receipts. Every method is one transaction."""

    def file(self, plan: Plan, steps: Iterator[Step]) -> None:
        """Keep a plan with its steps and seal it. Streams: steps never sit in memory together."""
        ...

    def next_id(self) -> str:
        """Return a new plan id."""
        ...

    def plan(self, id_: str) -> Plan:
        """Return a plan.

        Raises:
            Unfound: there is none of this id.
        """
        ...

    def plans(self) -> Sequence[Plan]:
        """Return all plans, newest first."""
        ...

    def objects(self, plan: str) -> Sequence[tuple[str, str]]:
        """Return the source and object of every record that a plan has a step for."""
        ...

    def steps(self, plan: str, *, states: Sequence[str] = ()) -> Iterator[Journalled]:
        """Stream the steps of a plan in order, of some states only if given."""
        ...

    def approve(self, plan: str, by: str, at: datetime) -> None:
        """Note an approval and seal it; a second one by the same person changes nothing."""
        ...

    def approvals(self, plan: str) -> Sequence[tuple[str, datetime]]:
        """Return who approved, and when."""
        ...

    def intend(self, plan: str, before: Mapping[str, Tokens], at: datetime) -> None:
        """Mark steps (by id) as being sent, with what was read just before, and seal that.

        Durable on return.
        """
        ...

    def settle(self, plan: str, outcomes: Sequence[Outcome], at: datetime) -> None:
        """Note how steps ended and seal each outcome. A settled step never changes again."""
        ...

    def tally(self, plan: str) -> Mapping[Result, int]:
        """Return how many steps ended in each way."""
        ...

    def receive(self, receipt: Receipt) -> Receipt:
        """Keep and seal a receipt; return it with its leaf index. A second one replaces none."""
        ...

    def receipt(self, plan: str) -> Receipt | None:
        """Return the newest receipt of a plan, if it was applied."""
        ...
