"""The tables, described once.

Conventions:

* A moment is a whole number of microseconds since 1970 in UTC (`snapshot.times`).
* Digests are 32 raw bytes, except a plan's, which is the hex text of `crmtrail.model.Plan`.
* History is INSERT-only: `snapshot.triggers` makes the database refuse anything else. Values
  can be forgotten through a guarded door; that they were there, when and by whom stays.
  ``record`` and ``position`` are caches that move with it.

The restore journal's tables are in `snapshot.plan_tables` and can be imported from here too. It is
their only writer, but for ``plan_step.seen_version``, which the store sets.
"""

from sqlalchemy import CheckConstraint, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from snapshot.columns import (
    ACTS,
    MARK_CLUSTERED,
    MARK_STRICT,
    OPS,
    WHOLE,
    digest_sized,
    flag,
    json_object,
    only_where,
)
from snapshot.plan_tables import ApprovalRow, PlanRow, PlanStep, ReceiptRow

__all__ = [
    "ActorRow",
    "AlertRow",
    "AnchorRow",
    "ApprovalRow",
    "ChangeRow",
    "Codec",
    "DemandRow",
    "Door",
    "Erasure",
    "FieldName",
    "Forgotten",
    "GapRow",
    "HoldRelease",
    "HoldRow",
    "Identity",
    "IncidentRow",
    "Keyframe",
    "Leaf",
    "LeaseRow",
    "Object",
    "OperationRow",
    "PlanRow",
    "PlanStep",
    "Position",
    "ReceiptRow",
    "Record",
    "RetentionMark",
    "SchemaVersion",
    "SubjectIndex",
    "Succession",
    "SyncRun",
    "Tile",
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
    """One actor as a version names it. ``key`` is the compact JSON of kind, id, name, via and why.

    Entries name the actor by kind and id, and commit to the rest by ``digest``: the SHA-256 of
    salt and key. An erasure takes key, name and salt away and leaves the digest.
    """

    __tablename__ = "actor"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('user','app','import','automation','system','unknown')", name="kind_known"
        ),
        CheckConstraint("(key IS NULL) = (salt IS NULL)", name="key_with_salt"),
        digest_sized("digest"),
        Index("actor_who", "kind", "ext_id"),
        MARK_STRICT,
    )
    actor_id: int = Field(primary_key=True, sa_type=WHOLE)
    key: str | None = Field(unique=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    ext_id: str | None = Field(default=None, sa_type=Text)
    name: str | None = Field(default=None, sa_type=Text)
    via: str | None = Field(default=None, sa_type=Text)
    why: str | None = Field(default=None, sa_type=Text)
    salt: bytes | None
    digest: bytes


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
    """A record as it is now: the only mutable part of history, and a cache that can be rebuilt.

    ``keyframe`` is the newest version that holds the record in full, and ``since`` counts the
    versions after it. ``seen`` is the fingerprint of the last reading: an equal one says the same.
    ``key_id`` names the key that the record is sealed with. ``history_to`` is the newest entry of
    the vendor's field history that is folded in. ``sound`` is a checksum of what no entry of the
    ledger tells (`snapshot.heads`), so that a damaged row is noticed.
    """

    __table_args__ = (
        UniqueConstraint("object_id", "ext_id"),
        flag("deleted"),
        CheckConstraint("number > 0 AND since >= 0", name="number_from_one"),
        Index("record_key", "key_id", **only_where("key_id IS NOT NULL")),
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
    keyframe: int = Field(sa_type=WHOLE)
    since: int = Field(sa_type=Integer)
    key_id: int | None = Field(default=None, sa_type=WHOLE)
    erased_at: int | None = Field(default=None, sa_type=WHOLE)
    seen: bytes | None
    sound: bytes


class VersionRow(SQLModel, table=True):
    """What one write did to one record. INSERT-only, but for what is forgotten.

    ``version_id`` is the index of the version's leaf in the ledger, so that order is the
    ledger's. ``since`` is when the record was last seen before, where more than one write may lie
    in between. ``plan_id`` is `ChangeSet.transaction`, ``note`` JSON of what a removal told.

    A sealed record's values are in ``payload``, under its own key; those that the law wants kept
    are in ``kept``, under the object's. What was forgotten leaves its SHA-256.
    """

    __tablename__ = "version"
    __table_args__ = (
        UniqueConstraint("record_id", "number"),
        CheckConstraint(f"op IN ({OPS})", name="op_known"),
        CheckConstraint("number > 0", name="number_from_one"),
        flag("deleted"),
        digest_sized("payload_gone"),
        digest_sized("kept_gone"),
        Index("version_gone", "version_id", **only_where("payload_gone IS NOT NULL")),
        Index("version_kept_gone", "version_id", **only_where("kept_gone IS NOT NULL")),
        Index("version_acts", "object_id", "version_id", **ACTS),
        Index("version_valid", "object_id", "at", **ACTS),
        Index("version_actor", "actor_id", "version_id", **ACTS),
        Index("version_merged", "object_id", "record_id", "at", **only_where("op = 'merge'")),
        Index(
            "version_operation",
            "operation_id",
            "record_id",
            "number",
            **only_where("operation_id IS NOT NULL"),
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
    since: int | None = Field(default=None, sa_type=WHOLE)
    run_id: int | None = Field(default=None, foreign_key="sync_run.run_id", sa_type=WHOLE)
    operation_id: str | None = Field(
        default=None, foreign_key="operation.operation_id", sa_type=Text
    )
    plan_id: str | None = Field(default=None, foreign_key="plan.id", sa_type=Text)
    note: str | None = Field(default=None, sa_type=Text)
    payload: bytes | None
    payload_gone: bytes | None
    kept: bytes | None
    kept_gone: bytes | None


class ChangeRow(SQLModel, table=True):
    """One field of one version. INSERT-only, but for what is forgotten.

    ``kind`` adds up: 1 the field was there before, 2 it is there after, 4 its values are in the
    version's ``kept``, 8 it was blank before, 16 it is blank after. ``old`` and ``new`` are exact
    tokens, SQL NULL where the field was absent, and where the values are sealed in the version or
    forgotten.
    """

    __tablename__ = "change"
    __table_args__ = (
        CheckConstraint("kind BETWEEN 1 AND 31", name="kind_known"),
        Index("change_field", "field_id", "version_id"),
        Index(
            "change_blank",
            "field_id",
            "version_id",
            **only_where("kind >= 16"),
        ),
        MARK_CLUSTERED,
    )
    version_id: int = Field(primary_key=True, foreign_key="version.version_id", sa_type=WHOLE)
    field_id: int = Field(primary_key=True, foreign_key="field.field_id", sa_type=WHOLE)
    kind: int = Field(sa_type=Integer)
    old: str | None = Field(default=None, sa_type=Text)
    new: str | None = Field(default=None, sa_type=Text)


class Keyframe(SQLModel, table=True):
    """A record in full after one version. INSERT-only, but for what is forgotten.

    ``doc`` is its tokens in the order of their field ids, compressed with a codec (0: without a
    dictionary), and sealed where ``sealed`` says so; ``kept`` as in versions. One that retention
    made in the place of older ones is committed to by that action's entry, ``leaf``; all others
    by the entry of their version.
    """

    __table_args__ = (
        flag("sealed"),
        digest_sized("doc_gone"),
        digest_sized("kept_gone"),
        CheckConstraint("(doc IS NULL) = (doc_gone IS NOT NULL)", name="gone_with_digest"),
        Index("keyframe_made", "leaf", **only_where("leaf IS NOT NULL")),
        MARK_STRICT,
    )
    version_id: int = Field(primary_key=True, foreign_key="version.version_id", sa_type=WHOLE)
    codec_id: int = Field(sa_type=WHOLE)
    sealed: int = Field(sa_type=Integer)
    doc: bytes | None
    doc_gone: bytes | None
    kept: bytes | None
    kept_gone: bytes | None
    leaf: int | None = Field(default=None, sa_type=WHOLE)


class Codec(SQLModel, table=True):
    """What the tokens of an object are compressed with: such as many records share. INSERT-only."""

    __table_args__ = (MARK_STRICT,)
    codec_id: int = Field(primary_key=True, sa_type=WHOLE)
    object_id: int = Field(foreign_key="object.object_id", sa_type=WHOLE)
    dictionary: bytes


class Succession(SQLModel, table=True):
    """One record that went on as another: merged into it, or made anew by us. INSERT-only."""

    __table_args__ = (
        CheckConstraint("kind IN ('merged','recreated')", name="kind_known"),
        Index("succession_heir", "heir_id"),
        MARK_CLUSTERED,
    )
    record_id: int = Field(primary_key=True, foreign_key="record.record_id", sa_type=WHOLE)
    heir_id: int = Field(primary_key=True, foreign_key="record.record_id", sa_type=WHOLE)
    kind: str = Field(sa_type=Text)
    at: int = Field(sa_type=WHOLE)


class SubjectIndex(SQLModel, table=True):
    """Under which e-mail addresses a record was ever seen: blind, by a key of the key store."""

    __tablename__ = "subject_index"
    __table_args__ = (Index("subject_index_record", "record_id"), MARK_CLUSTERED)
    blind: bytes = Field(primary_key=True)
    record_id: int = Field(primary_key=True, foreign_key="record.record_id", sa_type=WHOLE)


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
        Index("sync_run_counted", "object_id", "run_id", **only_where("expected IS NOT NULL")),
        Index(
            "sync_run_billed",
            "object_id",
            "run_id",
            **only_where("coalesce(used, quota) IS NOT NULL"),
        ),
        Index("sync_run_swept", "object_id", "run_id", **only_where("mode <> 'incremental'")),
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
    that kept a page. ``key_id`` names the key that the object's records share.
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
    key_id: int | None = Field(default=None, sa_type=WHOLE)


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
    whole: int | None = Field(default=None, sa_type=Integer)


# --- noticed ---------------------------------------------------------------------------------


class OperationRow(SQLModel, table=True):
    """What is known of an operation: a cache, its members are ``version.operation_id``.

    ``sound`` is a checksum of the rest, so that a damaged row is noticed.
    """

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
    sound: bytes


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
    """One action of crmtrail itself: the very bytes that are hashed. INSERT-only.

    The entries of versions are written anew from their rows whenever they are needed.
    """

    __table_args__ = (
        CheckConstraint("idx >= 0", name="idx_natural"),
        Index("leaf_kind", "kind", "idx"),
        MARK_STRICT,
    )
    idx: int = Field(primary_key=True, sa_type=WHOLE)
    kind: str = Field(sa_type=Text)
    entry: bytes


class Tile(SQLModel, table=True):
    """Up to 256 hashes of the tree, 32 bytes each: those of level ``8 * level``. Only grows."""

    __table_args__ = (
        CheckConstraint("level >= 0 AND idx >= 0", name="place_natural"),
        CheckConstraint("length(hashes) % 32 = 0", name="hashes_whole"),
        CheckConstraint("length(hashes) BETWEEN 32 AND 8192", name="hashes_fit"),
        MARK_CLUSTERED,
    )
    level: int = Field(primary_key=True, sa_type=WHOLE)
    idx: int = Field(primary_key=True, sa_type=WHOLE)
    hashes: bytes


class Door(SQLModel, table=True):
    """Open while a row is in it: only then may values be forgotten, and only values."""

    __table_args__ = (MARK_STRICT,)
    why: str = Field(primary_key=True, sa_type=Text)


class Forgotten(SQLModel, table=True):
    """What one action forgot of one version: the entry ``leaf`` commits to these rows. INSERT-only.

    ``what`` adds up: 1 ``payload`` or the values in ``change``, 2 ``kept``, 4 the keyframe's
    ``doc``, 8 its ``kept``.
    """

    __table_args__ = (
        CheckConstraint("what BETWEEN 1 AND 15", name="what_known"),
        Index("forgotten_by", "leaf", "version_id"),
        MARK_CLUSTERED,
    )
    version_id: int = Field(primary_key=True, foreign_key="version.version_id", sa_type=WHOLE)
    leaf: int = Field(primary_key=True, sa_type=WHOLE)
    what: int = Field(sa_type=Integer)


class Erasure(SQLModel, table=True):
    """One erasure, by its entry. It is finished once the keys are destroyed, too."""

    __table_args__ = (
        Index("erasure_begun", "leaf", **only_where("finished IS NULL")),
        MARK_STRICT,
    )
    leaf: int = Field(primary_key=True, sa_type=WHOLE)
    at: int = Field(sa_type=WHOLE)
    finished: int | None = Field(default=None, sa_type=WHOLE)


class DemandRow(SQLModel, table=True):
    """A record whose person the vendor deleted for privacy, at a time of the vendor's clock.

    It waits for its erasure here as long as the record is not marked as erased.
    """

    __tablename__ = "demand"
    __table_args__ = (MARK_CLUSTERED,)
    record_id: int = Field(primary_key=True, foreign_key="record.record_id", sa_type=WHOLE)
    at: int = Field(sa_type=WHOLE)


class HoldRow(SQLModel, table=True):
    """A reason to keep what an erasure or retention would forget. INSERT-only.

    It is on a person, found by an address (``blind``), or on an object or a record of it. Every
    row is what its entry ``leaf`` says.
    """

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("(blind IS NULL) = (object_id IS NOT NULL)", name="on_one_thing"),
        CheckConstraint("record IS NULL OR object_id IS NOT NULL", name="record_of_object"),
        digest_sized("blind"),
        MARK_STRICT,
    )
    hold_id: int = Field(primary_key=True, sa_type=WHOLE)
    blind: bytes | None
    object_id: int | None = Field(default=None, foreign_key="object.object_id", sa_type=WHOLE)
    record: str | None = Field(default=None, sa_type=Text)
    why: str = Field(sa_type=Text)
    by: str = Field(sa_type=Text)
    at: int = Field(sa_type=WHOLE)
    until: int | None = Field(default=None, sa_type=WHOLE)
    leaf: int = Field(foreign_key="leaf.idx", sa_type=WHOLE)


class HoldRelease(SQLModel, table=True):
    """The end of a hold. INSERT-only."""

    __tablename__ = "hold_release"
    __table_args__ = (MARK_STRICT,)
    hold_id: int = Field(primary_key=True, foreign_key="hold.hold_id", sa_type=WHOLE)
    why: str = Field(sa_type=Text)
    by: str = Field(sa_type=Text)
    at: int = Field(sa_type=WHOLE)
    leaf: int = Field(foreign_key="leaf.idx", sa_type=WHOLE)


class RetentionMark(SQLModel, table=True):
    """How far a rule of retention was applied to an object: a cache, without which it starts over.

    ``upto`` is the time that was the limit, ``size`` how many entries the ledger had.
    """

    __tablename__ = "retention_mark"
    __table_args__ = (MARK_CLUSTERED,)
    object_id: int = Field(primary_key=True, foreign_key="object.object_id", sa_type=WHOLE)
    rule: str = Field(primary_key=True, sa_type=Text)
    upto: int = Field(sa_type=WHOLE)
    size: int = Field(sa_type=WHOLE)


class Identity(SQLModel, table=True):
    """Which store this is; the key store knows its id. INSERT-only."""

    __table_args__ = (MARK_STRICT,)
    store_id: str = Field(primary_key=True, sa_type=Text)


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


class AlertRow(SQLModel, table=True):
    """How an incident stands at a channel: what the last message showed, and whether one waits.

    Where ``incident_id`` is empty, the row is the channel's own: ``due`` is when it began,
    ``sent_at`` when its last digest went out. What was delivered is in the ledger too.
    """

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint("(state IS NULL) = (messages = 0)", name="seen_when_told"),
        CheckConstraint("(state IS NULL) = (severity IS NULL)", name="seen_whole"),
        CheckConstraint("(state IS NULL) = (records IS NULL)", name="seen_counted"),
        CheckConstraint("attempts >= 0", name="attempts_natural"),
        CheckConstraint("waiting IN (0, 1)", name="waiting_flag"),
        MARK_CLUSTERED,
    )
    channel: str = Field(primary_key=True, sa_type=Text)
    incident_id: str = Field(primary_key=True, sa_type=Text)
    messages: int = Field(sa_type=WHOLE)
    state: str | None = Field(default=None, sa_type=Text)
    severity: str | None = Field(default=None, sa_type=Text)
    records: int | None = Field(default=None, sa_type=WHOLE)
    waiting: int = Field(sa_type=WHOLE)
    what: str = Field(sa_type=Text)
    attempts: int = Field(sa_type=WHOLE)
    due: int = Field(sa_type=WHOLE)
    sent_at: int | None = Field(default=None, sa_type=WHOLE)
    failure: str = Field(default="", sa_type=Text)
