"""The first tables: history, ledger, runs, what was noticed, plans."""

from typing import Any, Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE: Final = BigInteger().with_variant(Integer(), "sqlite")
FLAG: Final = Integer()
TEXT: Final = Text()
BYTES: Final = LargeBinary()
STRICT: Final = {"sqlite_strict": True}
CLUSTERED: Final = {"sqlite_strict": True, "sqlite_with_rowid": False}

OPS: Final = "'baseline','create','update','delete','undelete','merge','restore'"

_HISTORY: Final = ("actor", "change", "field", "gap", "leaf", "node", "object", "version")
INSERT_ONLY: Final = (*_HISTORY, "approval", "plan", "receipt", "schema_version")


def upgrade() -> None:
    """Make all tables, then what guards them."""
    _names()
    _ledger()
    _plans()
    _steps()
    _runs()
    _noticed()
    _records()
    _versions()
    for table in INSERT_ONLY:
        _refuse(table, "update", "UPDATE", "rows are never changed")
        _refuse(table, "delete", "DELETE", "rows are never removed")
    _refuse(
        "plan_step",
        "terms",
        "UPDATE OF plan_id, no, step_id, source, object, record, action, expect, write, left,"
        " reason",
        "what a step does never changes",
    )
    _refuse(
        "plan_step",
        "settled",
        "UPDATE OF state, before, sent_at, settled_at, result, detail, fields",
        "a settled step never changes",
        "WHEN OLD.state = 'settled' ",
    )
    _refuse("plan_step", "delete", "DELETE", "rows are never removed")


def _need(kind: TypeEngine[Any], *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


def _may(kind: TypeEngine[Any], *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=True) for name in names]


def _json(column: str) -> CheckConstraint:
    return CheckConstraint(f'json_valid("{column}")', name=f"{column}_is_json")


def _refuse(table: str, suffix: str, occasion: str, why: str, condition: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER {table}_never_{suffix} BEFORE {occasion} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
    )


def _names() -> None:
    op.create_table(
        "object",
        *_need(WHOLE, "object_id"),
        *_need(TEXT, "source", "name"),
        PrimaryKeyConstraint("object_id"),
        UniqueConstraint("source", "name"),
        **STRICT,
    )
    op.create_table(
        "field",
        *_need(WHOLE, "field_id", "object_id"),
        *_need(TEXT, "name"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("field_id"),
        UniqueConstraint("object_id", "name"),
        **STRICT,
    )
    op.create_table(
        "actor",
        *_need(WHOLE, "actor_id"),
        *_need(TEXT, "key", "kind"),
        *_may(TEXT, "ext_id", "name", "via", "why"),
        CheckConstraint(
            "kind IN ('user','app','import','automation','system','unknown')", name="kind_known"
        ),
        PrimaryKeyConstraint("actor_id"),
        UniqueConstraint("key"),
        **STRICT,
    )
    op.create_table(
        "schema_version",
        *_need(WHOLE, "schema_id", "object_id", "at"),
        *_need(TEXT, "document"),
        _json("document"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("schema_id"),
        **STRICT,
    )
    op.create_index("schema_version_newest", "schema_version", ["object_id", "schema_id"])


def _ledger() -> None:
    op.create_table(
        "leaf",
        *_need(WHOLE, "idx"),
        *_need(TEXT, "kind"),
        *_need(BYTES, "entry"),
        CheckConstraint("idx >= 0", name="idx_natural"),
        PrimaryKeyConstraint("idx"),
        **STRICT,
    )
    op.create_table(
        "node",
        *_need(WHOLE, "level", "idx"),
        *_need(BYTES, "hash"),
        CheckConstraint("length(hash) = 32", name="hash_is_sha256"),
        CheckConstraint("level > 0 AND idx >= 0", name="place_natural"),
        PrimaryKeyConstraint("level", "idx"),
        **CLUSTERED,
    )


def _plans() -> None:
    op.create_table(
        "plan",
        *_need(TEXT, "id", "digest", "author"),
        *_need(WHOLE, "created", "expires"),
        *_need(TEXT, "source", "terms"),
        CheckConstraint("created <= expires", name="time_runs_forward"),
        _json("terms"),
        PrimaryKeyConstraint("id"),
        **STRICT,
    )
    op.create_table(
        "approval",
        *_need(TEXT, "plan_id", "approver"),
        *_need(WHOLE, "at"),
        ForeignKeyConstraint(["plan_id"], ["plan.id"]),
        PrimaryKeyConstraint("plan_id", "approver"),
        **CLUSTERED,
    )
    op.create_table(
        "receipt",
        *_need(WHOLE, "receipt_id"),
        *_need(TEXT, "plan_id"),
        *_need(WHOLE, "applied_at"),
        *_need(TEXT, "applied_by"),
        *_need(WHOLE, "planned"),
        *_need(TEXT, "outcomes"),
        *_need(WHOLE, "api_calls", "leaf"),
        _json("outcomes"),
        ForeignKeyConstraint(["leaf"], ["leaf.idx"]),
        ForeignKeyConstraint(["plan_id"], ["plan.id"]),
        PrimaryKeyConstraint("receipt_id"),
        **STRICT,
    )
    op.create_index("receipt_newest", "receipt", ["plan_id", "receipt_id"])


def _steps() -> None:
    op.create_table(
        "plan_step",
        *_need(TEXT, "plan_id"),
        *_need(WHOLE, "no"),
        *_need(
            TEXT,
            "step_id",
            "source",
            "object",
            "record",
            "action",
            "expect",
            "write",
            "left",
            "reason",
            "state",
            "before",
        ),
        *_may(WHOLE, "sent_at", "settled_at"),
        *_may(TEXT, "result"),
        *_need(TEXT, "detail", "fields"),
        *_may(WHOLE, "seen_version"),
        CheckConstraint("(state = 'settled') = (result IS NOT NULL)", name="settled_has_result"),
        CheckConstraint(
            "action IN ('update','undelete','create','delete','associate',"
            "'skip','conflict','blocked')",
            name="action_known",
        ),
        CheckConstraint(
            "result IN ('restored','already','conflict','refused','failed')", name="result_known"
        ),
        CheckConstraint("state <> 'sending' OR sent_at IS NOT NULL", name="sending_has_time"),
        CheckConstraint("state IN ('planned','sending','settled')", name="state_known"),
        _json("before"),
        _json("expect"),
        _json("fields"),
        _json("left"),
        _json("write"),
        ForeignKeyConstraint(["plan_id"], ["plan.id"]),
        PrimaryKeyConstraint("plan_id", "no"),
        UniqueConstraint("plan_id", "step_id"),
        **CLUSTERED,
    )
    op.create_index(
        "plan_step_awaited",
        "plan_step",
        ["source", "object", "record"],
        sqlite_where=text("state IN ('sending','settled') AND seen_version IS NULL"),
    )


def _runs() -> None:
    op.create_table(
        "sync_run",
        *_need(WHOLE, "run_id", "object_id"),
        *_need(TEXT, "mode", "state"),
        *_need(WHOLE, "started"),
        *_may(WHOLE, "finished"),
        *_need(WHOLE, "api_calls", "read", "created", "updated", "deleted", "changes"),
        *_need(TEXT, "detail"),
        CheckConstraint("(state = 'running') = (finished IS NULL)", name="closed_once_finished"),
        CheckConstraint("mode IN ('incremental','full','reconcile')", name="mode_known"),
        CheckConstraint(
            "state IN ('running','done','failed','stopped','locked')", name="state_known"
        ),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("run_id"),
        **STRICT,
    )
    op.create_index("sync_run_newest", "sync_run", ["object_id", "run_id"])
    op.create_table(
        "gap",
        *_need(WHOLE, "gap_id", "object_id"),
        *_may(WHOLE, "run_id", "since", "until"),
        *_need(TEXT, "why"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        ForeignKeyConstraint(["run_id"], ["sync_run.run_id"]),
        PrimaryKeyConstraint("gap_id"),
        **STRICT,
    )
    op.create_index("gap_object", "gap", ["object_id", "gap_id"])
    op.create_table(
        "position",
        *_need(WHOLE, "object_id"),
        *_may(TEXT, "cursor"),
        *_may(WHOLE, "watermark", "complete_to", "expected"),
        *_need(WHOLE, "fence", "live", "dead", "versions"),
        CheckConstraint("live >= 0 AND dead >= 0 AND versions >= 0", name="counts_natural"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("object_id"),
        **STRICT,
    )
    op.create_table(
        "lease",
        *_need(TEXT, "source", "object", "holder"),
        *_need(WHOLE, "fence", "expires_at"),
        CheckConstraint("fence >= 0", name="fence_natural"),
        PrimaryKeyConstraint("source", "object"),
        **CLUSTERED,
    )


def _noticed() -> None:
    op.create_table(
        "operation",
        *_need(TEXT, "operation_id"),
        *_need(WHOLE, "object_id"),
        *_need(TEXT, "op"),
        *_need(WHOLE, "actor_id", "started", "ended", "records", "blanked"),
        *_need(TEXT, "tallies"),
        CheckConstraint(f"op IN ({OPS})", name="op_known"),
        _json("tallies"),
        CheckConstraint("started <= ended", name="time_runs_forward"),
        ForeignKeyConstraint(["actor_id"], ["actor.actor_id"]),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("operation_id"),
        **STRICT,
    )
    op.create_index("operation_recent", "operation", ["object_id", "ended"])
    op.create_index("operation_started", "operation", ["started"])
    op.create_table(
        "incident",
        *_need(TEXT, "incident_id", "rule", "operation_id", "state", "severity", "title", "why"),
        *_need(WHOLE, "records"),
        *_need(TEXT, "fields", "evidence"),
        *_need(WHOLE, "opened_at", "seen_at"),
        CheckConstraint("severity IN ('low','medium','high','critical')", name="severity_known"),
        CheckConstraint("state IN ('new','ongoing','resolved')", name="state_known"),
        _json("evidence"),
        _json("fields"),
        ForeignKeyConstraint(["operation_id"], ["operation.operation_id"]),
        PrimaryKeyConstraint("incident_id"),
        UniqueConstraint("rule", "operation_id"),
        **STRICT,
    )
    op.create_index("incident_opened", "incident", ["opened_at", "incident_id"])


def _records() -> None:
    op.create_table(
        "record",
        *_need(WHOLE, "record_id", "object_id"),
        *_need(TEXT, "ext_id"),
        *_need(WHOLE, "number"),
        *_need(FLAG, "deleted"),
        *_need(WHOLE, "modified_at", "edited_at", "known_at"),
        *_may(WHOLE, "history_to"),
        *_may(TEXT, "operation_id"),
        *_need(BYTES, "digest"),
        *_need(TEXT, "stamps", "document"),
        CheckConstraint("deleted IN (0, 1)", name="deleted_is_flag"),
        CheckConstraint("length(digest) = 32", name="digest_is_sha256"),
        CheckConstraint("number > 0", name="number_from_one"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("record_id"),
        UniqueConstraint("object_id", "ext_id"),
        **STRICT,
    )


def _versions() -> None:
    op.create_table(
        "version",
        *_need(WHOLE, "version_id", "object_id", "record_id", "number"),
        *_need(TEXT, "op"),
        *_need(FLAG, "deleted"),
        *_need(WHOLE, "actor_id", "at", "known_at"),
        *_may(WHOLE, "run_id"),
        *_may(TEXT, "operation_id", "plan_id"),
        *_need(BYTES, "digest"),
        *_need(TEXT, "stamps"),
        CheckConstraint(f"op IN ({OPS})", name="op_known"),
        CheckConstraint("deleted IN (0, 1)", name="deleted_is_flag"),
        CheckConstraint("length(digest) = 32", name="digest_is_sha256"),
        CheckConstraint("number > 0", name="number_from_one"),
        ForeignKeyConstraint(["actor_id"], ["actor.actor_id"]),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        ForeignKeyConstraint(["operation_id"], ["operation.operation_id"]),
        ForeignKeyConstraint(["plan_id"], ["plan.id"]),
        ForeignKeyConstraint(["record_id"], ["record.record_id"]),
        ForeignKeyConstraint(["run_id"], ["sync_run.run_id"]),
        PrimaryKeyConstraint("version_id"),
        UniqueConstraint("record_id", "number"),
        **STRICT,
    )
    op.create_index(
        "version_acts", "version", ["version_id"], sqlite_where=text("op <> 'baseline'")
    )
    op.create_index(
        "version_actor",
        "version",
        ["actor_id", "version_id"],
        sqlite_where=text("op <> 'baseline'"),
    )
    op.create_index(
        "version_operation",
        "version",
        ["operation_id", "record_id", "number"],
        sqlite_where=text("operation_id IS NOT NULL"),
    )
    op.create_index("version_valid", "version", ["object_id", "at", "record_id"])
    op.create_table(
        "change",
        *_need(WHOLE, "version_id", "field_id"),
        *_may(TEXT, "old", "new"),
        CheckConstraint("old IS NOT new", name="something_changed"),
        ForeignKeyConstraint(["field_id"], ["field.field_id"]),
        ForeignKeyConstraint(["version_id"], ["version.version_id"]),
        PrimaryKeyConstraint("version_id", "field_id"),
        **CLUSTERED,
    )
    op.create_index("change_field", "change", ["field_id", "version_id"])
