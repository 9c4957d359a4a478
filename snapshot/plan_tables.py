"""The tables of plans, approvals and receipts; `snapshot.tables` tells the conventions."""

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from snapshot.columns import MARK_CLUSTERED, MARK_STRICT, WHOLE, digest_sized, json_object


class PlanRow(SQLModel, table=True):
    """A plan. INSERT-only.

    ``terms`` is JSON: selection, on_conflict, counts, api_calls, approvals_required, undoes.
    """

    __tablename__ = "plan"
    __table_args__ = (
        json_object("terms"),
        CheckConstraint("created <= expires", name="time_runs_forward"),
        MARK_STRICT,
    )
    id: str = Field(primary_key=True, sa_type=Text)
    digest: str = Field(sa_type=Text)
    author: str = Field(sa_type=Text)
    created: int = Field(sa_type=WHOLE)
    expires: int = Field(sa_type=WHOLE)
    source: str = Field(sa_type=Text)
    terms: str = Field(sa_type=Text)


class PlanStep(SQLModel, table=True):
    """One step of a plan, and how far it has come.

    ``record`` is the vendor's id. ``expect``, ``write`` and ``before`` are JSON objects of
    tokens (each value is the text of a token), ``left`` of reasons, ``fields`` of results by
    field. The store sets ``seen_version``, to the number of the record's version in which a
    sync saw our write. What a step is never changes; once settled, nor does how it ended.

    ``salt`` makes ``digest``, the SHA-256 of what the step is, one that cannot be guessed. When its
    record is erased, the values and the salt go, and the digest stays for the plan's.
    """

    __tablename__ = "plan_step"
    __table_args__ = (
        CheckConstraint(
            "action IN ('update','undelete','create','delete','associate',"
            "'skip','conflict','blocked')",
            name="action_known",
        ),
        CheckConstraint("state IN ('planned','sending','settled')", name="state_known"),
        CheckConstraint(
            "result IN ('restored','already','conflict','refused','failed')", name="result_known"
        ),
        CheckConstraint("(state = 'settled') = (result IS NOT NULL)", name="settled_has_result"),
        CheckConstraint("state <> 'sending' OR sent_at IS NOT NULL", name="sending_has_time"),
        digest_sized("digest"),
        json_object("expect"),
        json_object("write"),
        json_object("left"),
        json_object("before"),
        json_object("fields"),
        UniqueConstraint("plan_id", "step_id"),
        Index("plan_step_record", "source", "object", "record"),
        Index(
            "plan_step_awaited",
            "source",
            "object",
            "record",
            sqlite_where=text("state IN ('sending','settled') AND seen_version IS NULL"),
        ),
        MARK_CLUSTERED,
    )
    plan_id: str = Field(primary_key=True, foreign_key="plan.id", sa_type=Text)
    no: int = Field(primary_key=True, sa_type=WHOLE)
    step_id: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    object: str = Field(sa_type=Text)
    record: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    expect: str = Field(default="{}", sa_type=Text)
    write: str = Field(default="{}", sa_type=Text)
    left: str = Field(default="{}", sa_type=Text)
    reason: str = Field(default="", sa_type=Text)
    salt: str | None = Field(default=None, sa_type=Text)
    digest: bytes | None
    state: str = Field(default="planned", sa_type=Text)
    before: str = Field(default="{}", sa_type=Text)
    sent_at: int | None = Field(default=None, sa_type=WHOLE)
    settled_at: int | None = Field(default=None, sa_type=WHOLE)
    result: str | None = Field(default=None, sa_type=Text)
    detail: str = Field(default="", sa_type=Text)
    fields: str = Field(default="{}", sa_type=Text)
    seen_version: int | None = Field(default=None, sa_type=WHOLE)


class ApprovalRow(SQLModel, table=True):
    """One person's approval of one plan. INSERT-only."""

    __tablename__ = "approval"
    __table_args__ = (MARK_CLUSTERED,)
    plan_id: str = Field(primary_key=True, foreign_key="plan.id", sa_type=Text)
    approver: str = Field(primary_key=True, sa_type=Text)
    at: int = Field(sa_type=WHOLE)


class ReceiptRow(SQLModel, table=True):
    """What one apply did. ``outcomes`` is JSON, ``leaf`` its entry in the ledger. INSERT-only."""

    __tablename__ = "receipt"
    __table_args__ = (
        json_object("outcomes"),
        Index("receipt_newest", "plan_id", "receipt_id"),
        MARK_STRICT,
    )
    receipt_id: int = Field(primary_key=True, sa_type=WHOLE)
    plan_id: str = Field(foreign_key="plan.id", sa_type=Text)
    applied_at: int = Field(sa_type=WHOLE)
    applied_by: str = Field(sa_type=Text)
    planned: int = Field(sa_type=WHOLE)
    outcomes: str = Field(sa_type=Text)
    api_calls: int = Field(sa_type=WHOLE)
    leaf: int = Field(foreign_key="leaf.idx", sa_type=WHOLE)
