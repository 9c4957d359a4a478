"""The tables, described once.

Conventions:

* A moment is a whole number of microseconds since 1970 in UTC (`snapshot.times`).
* A document is JSON object text put together from exact tokens, keys sorted.
* Digests are 32 raw bytes, except a plan's, which is the hex text of `crmtrail.model.Plan`.
* History is INSERT-only: `snapshot.triggers` makes the database refuse anything else.
  ``record`` and ``position`` are caches that move with it.

The restore journal's tables are in `snapshot.plan_tables` and can be imported from here too. It is
their only writer, but for ``plan_step.seen_version``, which the store sets.
"""

from sqlalchemy import CheckConstraint, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from snapshot.columns import (
    MARK_CLUSTERED,
    MARK_STRICT,
    OPS,
    WHOLE,
    digest_sized,
    flag,
    json_object,
)
from snapshot.plan_tables import ApprovalRow, PlanRow, PlanStep, ReceiptRow

__all__ = [
    "ActorRow",
    "AnchorRow",
    "ApprovalRow",
    "ChangeRow",
    "FieldName",
    "GapRow",
    "IncidentRow",
    "Leaf",
    "LeaseRow",
    "Node",
    "Object",
    "OperationRow",
    "PlanRow",
    "PlanStep",
    "Position",
    "ReceiptRow",
    "Record",
    "SchemaVersion",
    "SyncRun",
    "VersionRow",
]

# --- names -----------------------------------------------------------------------------------


class Object(SQLModel, table=True):
    """One vendor object of one source."""

    __table_args__ = (UniqueConstraint("source", "name"), MARK_STRICT)
    object_id: int = Field(primary_key=True, sa_type=WHOLE)
    source: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)


class FieldName(SQLModel, table=True):
    """One field ever seen. Ids are never reused."""

    __tablename__ = "field"
    __table_args__ = (UniqueConstraint("object_id", "name"), MARK_STRICT)
    field_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    name: str = Field(sa_type=Text)


class ActorRow(SQLModel, table=True):
    """One actor as a version names it. ``key`` is the compact JSON of the five other columns."""

    __tablename__ = "actor"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('user','app','import','automation','system','unknown')", name="kind_known"
        ),
        MARK_STRICT,
    )
    actor_id: int = Field(primary_key=True, sa_type=WHOLE)
    key: str = Field(unique=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    ext_id: str | None = Field(default=None, sa_type=Text)
    name: str | None = Field(default=None, sa_type=Text)
    via: str | None = Field(default=None, sa_type=Text)
    why: str | None = Field(default=None, sa_type=Text)


class SchemaVersion(SQLModel, table=True):
    """The fields of one object from a time on. ``document`` is JSON."""

    __tablename__ = "schema_version"
    __table_args__ = (
        Index("schema_version_newest", "object_id", "schema_id"),
        json_object("document"),
        MARK_STRICT,
    )
    schema_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    at: int = Field(sa_type=WHOLE)
    document: str = Field(sa_type=Text)


# --- history ---------------------------------------------------------------------------------


class Record(SQLModel, table=True):
    """A record as it is now: the only mutable part of history, and it can be rebuilt.

    ``history_to`` is the newest entry of the vendor's field history that is folded in.
    """

    __table_args__ = (
        UniqueConstraint("object_id", "ext_id"),
        flag("deleted"),
        digest_sized("digest"),
        CheckConstraint("number > 0", name="number_from_one"),
        MARK_STRICT,
    )
    record_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    ext_id: str = Field(sa_type=Text)
    number: int = Field(sa_type=WHOLE)
    deleted: int = Field(sa_type=Integer)
    modified_at: int = Field(sa_type=WHOLE)
    edited_at: int = Field(sa_type=WHOLE)
    known_at: int = Field(sa_type=WHOLE)
    history_to: int | None = Field(default=None, sa_type=WHOLE)
    operation_id: str | None = Field(default=None, sa_type=Text)
    digest: bytes
    stamps: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class VersionRow(SQLModel, table=True):
    """What one write did to one record. INSERT-only.

    ``version_id`` is the index of the version's leaf in the ledger, so that order is the
    ledger's. ``plan_id`` is `ChangeSet.transaction`; ``digest`` is of the document after it.
    """

    __tablename__ = "version"
    __table_args__ = (
        UniqueConstraint("record_id", "number"),
        CheckConstraint(f"op IN ({OPS})", name="op_known"),
        CheckConstraint("number > 0", name="number_from_one"),
        flag("deleted"),
        digest_sized("digest"),
        Index("version_valid", "object_id", "at", "record_id"),
        Index("version_acts", "version_id", sqlite_where=text("op <> 'baseline'")),
        Index("version_actor", "actor_id", "version_id", sqlite_where=text("op <> 'baseline'")),
        Index(
            "version_operation",
            "operation_id",
            "record_id",
            "number",
            sqlite_where=text("operation_id IS NOT NULL"),
        ),
        MARK_STRICT,
    )
    version_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    record_id: int = Field(foreign_key="record.record_id", sa_type=WHOLE)
    number: int = Field(sa_type=WHOLE)
    op: str = Field(sa_type=Text)
    deleted: int = Field(sa_type=Integer)
    actor_id: int = Field(foreign_key="actor.actor_id", sa_type=WHOLE)
    at: int = Field(sa_type=WHOLE)
    known_at: int = Field(sa_type=WHOLE)
    run_id: int | None = Field(default=None, foreign_key="sync_run.run_id", sa_type=WHOLE)
    operation_id: str | None = Field(
        default=None, foreign_key="operation.operation_id", sa_type=Text
    )
    plan_id: str | None = Field(default=None, foreign_key="plan.id", sa_type=Text)
    digest: bytes
    stamps: str = Field(sa_type=Text)


class ChangeRow(SQLModel, table=True):
    """One field of one version: exact tokens, SQL NULL where the field was absent. INSERT-only."""

    __tablename__ = "change"
    __table_args__ = (
        CheckConstraint("old IS NOT new", name="something_changed"),
        Index("change_field", "field_id", "version_id"),
        MARK_CLUSTERED,
    )
    version_id: int = Field(primary_key=True, foreign_key="version.version_id", sa_type=WHOLE)
    field_id: int = Field(primary_key=True, foreign_key="field.field_id", sa_type=WHOLE)
    old: str | None = Field(default=None, sa_type=Text)
    new: str | None = Field(default=None, sa_type=Text)


# --- runs ------------------------------------------------------------------------------------


class SyncRun(SQLModel, table=True):
    """One run of one object, and what the vendor said meanwhile.

    ``expected`` is the vendor's count of live records, ``held`` the store's at the end of the run,
    where the two could be compared. ``used``, ``quota`` and ``resets_at`` tell our API budget.
    """

    __tablename__ = "sync_run"
    __table_args__ = (
        CheckConstraint("mode IN ('incremental','full','reconcile')", name="mode_known"),
        CheckConstraint(
            "state IN ('running','done','failed','stopped','locked')", name="state_known"
        ),
        CheckConstraint("(state = 'running') = (finished IS NULL)", name="closed_once_finished"),
        Index("sync_run_newest", "object_id", "run_id"),
        Index("sync_run_counted", "object_id", "run_id", sqlite_where=text("expected IS NOT NULL")),
        Index(
            "sync_run_billed",
            "object_id",
            "run_id",
            sqlite_where=text("coalesce(used, quota) IS NOT NULL"),
        ),
        MARK_STRICT,
    )
    run_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    mode: str = Field(sa_type=Text)
    state: str = Field(default="running", sa_type=Text)
    started: int = Field(sa_type=WHOLE)
    finished: int | None = Field(default=None, sa_type=WHOLE)
    api_calls: int = Field(default=0, sa_type=WHOLE)
    read: int = Field(default=0, sa_type=WHOLE)
    created: int = Field(default=0, sa_type=WHOLE)
    updated: int = Field(default=0, sa_type=WHOLE)
    deleted: int = Field(default=0, sa_type=WHOLE)
    changes: int = Field(default=0, sa_type=WHOLE)
    detail: str = Field(default="", sa_type=Text)
    expected: int | None = Field(default=None, sa_type=WHOLE)
    expected_at: int | None = Field(default=None, sa_type=WHOLE)
    held: int | None = Field(default=None, sa_type=WHOLE)
    used: int | None = Field(default=None, sa_type=WHOLE)
    quota: int | None = Field(default=None, sa_type=WHOLE)
    resets_at: int | None = Field(default=None, sa_type=WHOLE)


class Position(SQLModel, table=True):
    """Where an object stands; moves in the page's transaction only.

    ``live``, ``dead`` and ``versions`` count what is stored. ``fence`` is the newest fence
    that kept a page.
    """

    __table_args__ = (
        CheckConstraint("live >= 0 AND dead >= 0 AND versions >= 0", name="counts_natural"),
        MARK_STRICT,
    )
    object_id: int = Field(primary_key=True, foreign_key="object.object_id", sa_type=WHOLE)
    cursor: str | None = Field(default=None, sa_type=Text)
    watermark: int | None = Field(default=None, sa_type=WHOLE)
    complete_to: int | None = Field(default=None, sa_type=WHOLE)
    expected: int | None = Field(default=None, sa_type=WHOLE)
    fence: int = Field(default=0, sa_type=WHOLE)
    live: int = Field(default=0, sa_type=WHOLE)
    dead: int = Field(default=0, sa_type=WHOLE)
    versions: int = Field(default=0, sa_type=WHOLE)


class LeaseRow(SQLModel, table=True):
    """Who may run an object. ``fence`` only grows."""

    __tablename__ = "lease"
    __table_args__ = (CheckConstraint("fence >= 0", name="fence_natural"), MARK_CLUSTERED)
    source: str = Field(primary_key=True, sa_type=Text)
    object: str = Field(primary_key=True, sa_type=Text)
    holder: str = Field(sa_type=Text)
    fence: int = Field(sa_type=WHOLE)
    expires_at: int = Field(sa_type=WHOLE)


class GapRow(SQLModel, table=True):
    """What we know that we miss. INSERT-only."""

    __tablename__ = "gap"
    __table_args__ = (Index("gap_object", "object_id", "gap_id"), MARK_STRICT)
    gap_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    run_id: int | None = Field(default=None, foreign_key="sync_run.run_id", sa_type=WHOLE)
    since: int | None = Field(default=None, sa_type=WHOLE)
    until: int | None = Field(default=None, sa_type=WHOLE)
    why: str = Field(sa_type=Text)


# --- noticed ---------------------------------------------------------------------------------


class OperationRow(SQLModel, table=True):
    """What is known of an operation: a cache, its members are ``version.operation_id``."""

    __tablename__ = "operation"
    __table_args__ = (
        CheckConstraint(f"op IN ({OPS})", name="op_known"),
        CheckConstraint("started <= ended", name="time_runs_forward"),
        json_object("tallies"),
        Index("operation_recent", "object_id", "ended"),
        Index("operation_started", "started"),
        MARK_STRICT,
    )
    operation_id: str = Field(primary_key=True, sa_type=Text)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    op: str = Field(sa_type=Text)
    actor_id: int = Field(foreign_key="actor.actor_id", sa_type=WHOLE)
    started: int = Field(sa_type=WHOLE)
    ended: int = Field(sa_type=WHOLE)
    records: int = Field(sa_type=WHOLE)
    blanked: int = Field(sa_type=WHOLE)
    tallies: str = Field(sa_type=Text)


class IncidentRow(SQLModel, table=True):
    """A finding with a state. ``fields`` and ``evidence`` are JSON."""

    __tablename__ = "incident"
    __table_args__ = (
        UniqueConstraint("rule", "operation_id"),
        CheckConstraint("state IN ('new','ongoing','resolved')", name="state_known"),
        CheckConstraint("severity IN ('low','medium','high','critical')", name="severity_known"),
        json_object("fields"),
        json_object("evidence"),
        Index("incident_opened", "opened_at", "incident_id"),
        MARK_STRICT,
    )
    incident_id: str = Field(primary_key=True, sa_type=Text)
    rule: str = Field(sa_type=Text)
    operation_id: str = Field(foreign_key="operation.operation_id", sa_type=Text)
    state: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    why: str = Field(sa_type=Text)
    records: int = Field(sa_type=WHOLE)
    fields: str = Field(sa_type=Text)
    evidence: str = Field(sa_type=Text)
    opened_at: int = Field(sa_type=WHOLE)
    seen_at: int = Field(sa_type=WHOLE)


# --- the ledger ------------------------------------------------------------------------------


class Leaf(SQLModel, table=True):
    """One entry of the ledger: the very bytes that are hashed. INSERT-only."""

    __table_args__ = (CheckConstraint("idx >= 0", name="idx_natural"), MARK_STRICT)
    idx: int = Field(primary_key=True, sa_type=WHOLE)
    kind: str = Field(sa_type=Text)
    entry: bytes


class Node(SQLModel, table=True):
    """The root of one full subtree: ``2**level`` leaves from ``idx * 2**level``. INSERT-only."""

    __table_args__ = (
        digest_sized("hash"),
        CheckConstraint("level > 0 AND idx >= 0", name="place_natural"),
        MARK_CLUSTERED,
    )
    level: int = Field(primary_key=True, sa_type=WHOLE)
    idx: int = Field(primary_key=True, sa_type=WHOLE)
    hash: bytes


class AnchorRow(SQLModel, table=True):
    """How a place outside the store stands, by its name: what it took last, why it refused last.

    A cache for `status`: what was anchored is proven by the place, not by this row.
    """

    __tablename__ = "anchor"
    __table_args__ = (
        CheckConstraint("(size IS NULL) = (note IS NULL)", name="size_with_note"),
        CheckConstraint("(size IS NULL) = (anchored_at IS NULL)", name="size_with_time"),
        CheckConstraint("size >= 0", name="size_natural"),
        MARK_CLUSTERED,
    )
    name: str = Field(primary_key=True, sa_type=Text)
    size: int | None = Field(default=None, sa_type=WHOLE)
    note: str | None = Field(default=None, sa_type=Text)
    anchored_at: int | None = Field(default=None, sa_type=WHOLE)
    failed_at: int | None = Field(default=None, sa_type=WHOLE)
    failure: str = Field(default="", sa_type=Text)
