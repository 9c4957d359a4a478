"""The frozen values that travel through every room.

Only the standard library is imported here. Two conventions hold everywhere:

* A field value is a **token**: the exact JSON text the vendor sent (``"null"``, ``'"Ada"'``,
  ``"1.10"``). Tokens are lossless: 18-digit currency, ``1.10`` and ``-0`` survive. Use
  `value_of` to read one and `token_of` to make one.
* A moment is an aware ``datetime`` in UTC. Constructors refuse naive ones.

A field that is **absent** from a mapping of tokens was not told by the vendor. Absent is never
blank; where a single value is needed, absent is ``None`` and blank is the token ``"null"``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

Token: TypeAlias = str
"""The exact JSON text of one field value."""

Tokens: TypeAlias = Mapping[str, Token]
"""Field name to token."""

_COUNTABLE = 4_300
_ENCODER = json.JSONEncoder(separators=(",", ":"))

NULL: Token = "null"
"""The token of an explicit blank, as JSON spells it."""

ERASED: Token = "erased"
"""Stands for a value that was there and is forgotten for good. No JSON text, so no CRM's value."""


def value_of(token: Token) -> Any:
    """Return the Python value of a token; numbers with a fraction come as ``Decimal``.

    A forgotten value reads ``[erased]``: where that matters, ask for `ERASED` first. Lists and
    objects that are nested past all reason come as their text.
    """
    if token == ERASED:
        return "[erased]"
    try:
        return json.loads(token, parse_float=Decimal, parse_int=_whole)
    except RecursionError:
        return token


def _whole(digits: str) -> int | Decimal:
    """Read a whole number; Python refuses to count to one of more than 4,300 digits."""
    return int(digits) if len(digits) <= _COUNTABLE else Decimal(digits)


def readable(text: str) -> str:
    """Return a text that UTF-8 can hold: U+FFFD for half a surrogate pair."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def token_of(value: object) -> Token:
    """Return the token of a plain value (None, bool, int, Decimal, str, list, dict)."""
    if isinstance(value, Decimal):
        return str(value)
    return _ENCODER.encode(value)


def utc(moment: datetime) -> datetime:
    """Return the moment in UTC.

    Raises:
        ValueError: the moment carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {moment.isoformat()}")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def stamp(moment: datetime) -> str:
    """Return RFC 3339 UTC text, with microseconds only where there are some."""
    return utc(moment).isoformat().replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read a vendor's or an admin's ISO 8601 stamp (``Z``, ``+0000`` and ``+00:00`` alike).

    Raises:
        ValueError: the text is no stamp or has no time zone.
    """
    return utc(datetime.fromisoformat(text))


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Which record: the source's name in the config, the vendor's object, the vendor's id."""

    source: str
    object: str
    id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.object}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Ref":
        """Read ``source:object:id``.

        Raises:
            ValueError: the text does not have three non-empty parts.
        """
        source, _, rest = text.partition(":")
        object_, _, id_ = rest.partition(":")
        if not (source and object_ and id_):
            raise ValueError(f"a record is written source:object:id, not {text!r}")
        return cls(source, object_, id_)


class ActorKind(StrEnum):
    """What sort of actor made a change."""

    USER = "user"
    APP = "app"
    IMPORT = "import"
    AUTOMATION = "automation"
    SYSTEM = "system"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changed something, and through what.

    ``via`` names the app, import or workflow where the vendor tells it. For kind ``unknown``,
    ``why`` says why the vendor does not tell.
    """

    kind: ActorKind
    id: str | None = None
    name: str | None = None
    via: str | None = None
    why: str | None = None

    def __str__(self) -> str:
        shown = self.name or self.id or (f"unknown ({self.why})" if self.why else "unknown")
        return f"{shown} via {self.via}" if self.via and self.via != self.name else shown


def unknown(why: str) -> Actor:
    """Return the actor the vendor does not name, with the reason."""
    return Actor(ActorKind.UNKNOWN, why=why)


class FieldType(StrEnum):
    """What a field holds, in words common to both vendors."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    MULTICHOICE = "multichoice"
    REFERENCE = "reference"
    ID = "id"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object as the vendor's metadata describes it for our token.

    ``computed`` is true for formulas, roll-ups and other values nobody writes. ``options`` lists
    the allowed values and is empty where any value goes. ``max_length`` counts characters.
    ``required`` is true where a record cannot be made without it. ``masked`` is true where a mask
    is read in place of the value. ``scale`` counts digits after the point. ``formula`` is the text
    of the formula, where the vendor tells it.
    """

    name: str
    type: FieldType = FieldType.TEXT
    label: str = ""
    vendor_type: str = ""
    updateable: bool = True
    createable: bool = True
    nillable: bool = True
    computed: bool = False
    unique: bool = False
    options: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    max_length: int | None = None
    required: bool = False
    masked: bool = False
    scale: int | None = None
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Dependent:
    """Records that a deletion reaches: those whose ``field`` names the deleted record.

    ``cascades``: they are deleted with it. ``restricts``: they keep it from being deleted.
    """

    object: str
    field: str
    cascades: bool = False
    restricts: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of one object at one time. ``dependents`` are what its deletion reaches."""

    source: str
    object: str
    fields: Mapping[str, Field]
    label: str = ""
    undeletable: bool = False
    dependents: tuple[Dependent, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the vendor's own field history: the field took this value then.

    ``old`` is the value before, where the vendor tells it; None: it does not.
    """

    field: str
    token: Token
    at: datetime
    actor: Actor
    old: Token | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A live record as the API gave it.

    Attributes:
        ref: which record.
        fields: content fields, exact tokens.
        stamps: bookkeeping fields of the vendor (modified stamps and the like): kept with each
            version, never a change by themselves.
        modified_at: the vendor's last-change stamp, whoever or whatever changed it.
        edited_at: the vendor's stamp of the last edit by ``actor``; where it has not moved since
            the last version, ``actor`` did not make the change.
        actor: who made the edit at ``edited_at``.
        created_at: the vendor's creation stamp, where told.
        creator: who created the record, where told.
        read_at: when the vendor answered, by the vendor's clock.
        trail: the vendor's own field history as far as it was asked for, in any order.
        trail_whole: whether the vendor keeps history of every field of ``fields``. False: of some
            only, so that a change which the trail does not explain is laid to ``actor``.
        trail_since: from when on the trail is complete; None: since the record was created.
        deleted: true where the vendor showed the content of a record in its recycle bin.
        undated: whether the vendor keeps no times of it; ``modified_at`` is then when it was read.
    """

    ref: Ref
    fields: Tokens
    modified_at: datetime
    read_at: datetime
    edited_at: datetime
    actor: Actor
    stamps: Tokens = field(default_factory=dict)
    created_at: datetime | None = None
    creator: Actor | None = None
    trail: tuple[Event, ...] = ()
    trail_whole: bool = True
    trail_since: datetime | None = None
    deleted: bool = False
    undated: bool = False


class Loss(StrEnum):
    """How a record left the live set.

    ``forgotten``: the vendor deleted the person for privacy, and a second source says so.
    """

    DELETED = "deleted"
    MERGED = "merged"
    PURGED = "purged"
    VANISHED = "vanished"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Removal:
    """The vendor says that a record is no longer live. Never made from mere absence.

    ``last`` is the record's content as it lies in the recycle bin, where the vendor shows it: what
    was edited shortly before the deletion. Fields that move there by themselves are left out.
    """

    ref: Ref
    loss: Loss
    read_at: datetime
    at: datetime | None
    actor: Actor
    merged_into: str | None = None
    restorable_until: datetime | None = None
    last: Reading | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """The vendor showed that a record is live, and its last-change stamp, but no content."""

    id: str
    modified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Gap:
    """What we know that we miss, between two moments.

    ``whole``: nothing of the object can be read. That ends once a later run is complete.
    """

    object: str
    since: datetime | None
    until: datetime | None
    why: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a sync: what was read, and the position from which to go on.

    ``cursor`` is the connector's own text; the store keeps it in the page's transaction.
    ``complete_to``, on the last page, is the horizon: everything before it has been read.
    ``watermark``, on the last page, is where the next poll starts reading.
    ``expected`` is the vendor's own count of live records, where this page learnt it.
    ``sightings`` are records that were seen without their content, at ``sighted_at`` by the
    vendor's clock: those that moved since they were stored are to be read. ``swept``, on the last
    page of a run that saw every live record, is the vendor's clock when it began: a stored record
    not seen since then is to be looked for. ``members`` are beginnings of ids: all live records
    whose id begins so are among the readings, so that a stored one that is not is to be looked for.
    ``pause`` is how many seconds to wait before the next page, while the vendor prepares it.
    """

    object: str
    cursor: str
    done: bool
    readings: Sequence[Reading] = ()
    removals: Sequence[Removal] = ()
    gaps: Sequence[Gap] = ()
    complete_to: datetime | None = None
    watermark: datetime | None = None
    expected: int | None = None
    sightings: Sequence[Sighting] = ()
    sighted_at: datetime | None = None
    swept: datetime | None = None
    members: Sequence[str] = ()
    pause: float = 0.0


class Mode(StrEnum):
    """How far a sync run reaches."""

    INCREMENTAL = "incremental"
    FULL = "full"
    RECONCILE = "reconcile"


class Op(StrEnum):
    """What a version did to its record; ``baseline`` is the first sight of an older record."""

    BASELINE = "baseline"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNDELETE = "undelete"
    MERGE = "merge"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one version: the tokens before and after; ``None`` is absent."""

    field: str
    old: Token | None
    new: Token | None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one write did to one record.

    ``at`` is valid time (the vendor's stamp), ``known_at`` our reading time. ``number`` is the
    record's version, counted from 1. ``operation`` is the id of the operation it was clustered
    into, once known. ``previous_operation`` is the operation of the version before.
    ``transaction`` names the plan of ours that made the write: for op ``restore``, and for an
    update that the CRM made along with it. ``since`` marks a coalesced stretch: when we had last
    seen the record, where the vendor keeps no history, so that more than one write may lie in
    between, and values may have come and gone.
    """

    ref: Ref
    op: Op
    number: int
    changes: tuple[Change, ...]
    actor: Actor
    at: datetime
    known_at: datetime
    operation: str | None = None
    previous_operation: str | None = None
    transaction: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One stored state of a record."""

    ref: Ref
    number: int
    op: Op
    fields: Tokens
    at: datetime
    known_at: datetime
    actor: Actor
    deleted: bool


@dataclass(frozen=True, slots=True)
class FieldTally:
    """How an operation treated one field.

    ``top`` holds the most frequent new tokens with lower bounds of their counts (Misra-Gries,
    so memory is bounded however many records there are).
    """

    field: str
    changed: int = 0
    blanked: int = 0
    top: tuple[tuple[Token, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """Change sets of one actor, app and burst.

    ``records`` counts distinct records, ``blanked`` those of them that lost a value.
    """

    id: str
    source: str
    object: str
    op: Op
    actor: Actor
    started: datetime
    ended: datetime
    records: int
    blanked: int = 0
    tallies: Mapping[str, FieldTally] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields it changed, sorted."""
        return tuple(sorted(self.tallies))


class Severity(StrEnum):
    """How much an incident matters."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's claim about one operation, explained in numbers."""

    rule: str
    operation: str
    severity: Severity
    title: str
    why: str
    records: int
    fields: tuple[str, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A mass change that somebody announced: what fits it makes no incident.

    What is empty or None may be anything. ``actor`` is the id of an actor, ``via`` the name of an
    app or import, case ignored. ``records`` is how many records it may touch. From ``since`` on,
    before ``until``, by the vendor's clock.
    """

    id: str
    since: datetime
    until: datetime
    why: str
    by: str
    source: str = ""
    object: str = ""
    actor: str = ""
    via: str = ""
    fields: tuple[str, ...] = ()
    records: int | None = None

    def names(self, operation: Operation) -> bool:
        """Whether it is about who does an operation, and where, at that time."""
        actor = operation.actor
        through = {name.casefold() for name in (actor.via, actor.name) if name}
        return (
            self.source in {"", operation.source}
            and self.object in {"", operation.object}
            and self.actor in {"", actor.id}
            and (not self.via or self.via.casefold() in through)
            and operation.ended >= self.since
            and operation.started < self.until
        )

    def exceeded(self, operation: Operation) -> str:
        """Say how an operation that it names goes beyond it; nothing where it fits."""
        if operation.started < self.since or operation.ended >= self.until:
            return "it reaches beyond the time announced"
        if self.records is not None and operation.records > self.records:
            return f"more than the {self.records:,} records announced"
        if self.fields and (other := sorted(set(operation.fields) - set(self.fields))):
            return f"not only the fields announced: {', '.join(other)}"
        return ""


class IncidentState(StrEnum):
    """Where an incident stands."""

    NEW = "new"
    ONGOING = "ongoing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """A finding a person should look at, with the operation it is about."""

    id: str
    state: IncidentState
    finding: Finding
    operation: Operation
    opened_at: datetime
    seen_at: datetime


class Action(StrEnum):
    """What a plan step does. The last three write nothing."""

    UPDATE = "update"
    UNDELETE = "undelete"
    CREATE = "create"
    DELETE = "delete"
    ASSOCIATE = "associate"
    SKIP = "skip"
    CONFLICT = "conflict"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Step:
    """One record of a plan: what must still be there, and what would be written.

    ``left`` names the fields that are left alone and says why, in plain words. ``salt`` is random
    text, so that nobody can guess a step from its digest; empty where the step was forgotten.
    """

    id: str
    ref: Ref
    action: Action
    expect: Tokens = field(default_factory=dict)
    write: Tokens = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    salt: str = ""


class OnConflict(StrEnum):
    """What to do with a field that somebody changed since."""

    KEEP = "keep"
    OVERWRITE = "overwrite"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written. Immutable: ``digest`` is the SHA-256 of its steps and terms."""

    id: str
    digest: str
    author: str
    created: datetime
    expires: datetime
    source: str
    selection: Mapping[str, Any]
    on_conflict: OnConflict
    counts: Mapping[Action, int]
    api_calls: int
    approvals_required: int = 0
    undoes: str | None = None


class Result(StrEnum):
    """How a step ended."""

    RESTORED = "restored"
    ALREADY = "already"
    CONFLICT = "conflict"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step ended, per step and per field, read back from the vendor."""

    step: str
    result: Result
    detail: str
    fields: Mapping[str, Result] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an apply did; ``planned`` always equals the sum of ``outcomes``."""

    plan: str
    applied_at: datetime
    applied_by: str
    planned: int
    outcomes: Mapping[Result, int]
    api_calls: int
    leaf: int


@dataclass(frozen=True, slots=True)
class Write:
    """Field values to set on one record; ``key`` names the step for idempotency.

    ``unmodified_since`` is the record's last-edit stamp as of the look before this write: a vendor
    that can compares it in the same transaction, and refuses where somebody was faster.
    """

    ref: Ref
    fields: Tokens
    key: str
    unmodified_since: datetime | None = None


class Verdict(StrEnum):
    """What the vendor said of one write."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


OVERTAKEN = "PRECONDITION_FAILED"
"""`Answer.code` of a write refused because the record moved after ``unmodified_since``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The vendor's word on one write. ``message`` is the vendor's, ``hint`` ours.

    ``id`` is the record's id after the write where that is news: of a record made anew.
    """

    key: str
    verdict: Verdict
    code: str = ""
    message: str = ""
    hint: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the vendor says of our API budget; ``None`` where it does not say."""

    used: int | None = None
    limit: int | None = None
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the vendor takes us for: the account (org or portal), and the user or app.

    ``server_time`` is the vendor's clock as of this answer, where it told. ``barred`` says what
    this way of logging in cannot do, whatever the user may, and how to mend it.
    """

    account: str
    user: str
    name: str = ""
    server_time: datetime | None = None
    barred: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one (source, object), valid only while ``fence`` is the newest."""

    source: str
    object: str
    holder: str
    fence: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head of the ledger: number of leaves and RFC 6962 root (hex)."""

    size: int
    root: str
    at: datetime
