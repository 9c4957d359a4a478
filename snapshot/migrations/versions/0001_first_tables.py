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

INSERT_ONLY: Final = (
    "actor",
    "approval",
    "change",
    "field",
    "gap",
    "leaf",
    "node",
    "object",
    "plan",
    "receipt",
    "schema_version",
    "version",
)


def upgrade() -> None:
    """Make all tables, then what guards them."""
    _names()
    _ledger()
    _plans()
    _steps()
    _runs()
    _positions()
    _operations()
    _incidents()
    _records()
    _versions()
    _changes()
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


def _need(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _may(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _refuse(table: str, suffix: str, occasion: str, why: str, condition: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER {table}_never_{suffix} BEFORE {occasion} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
    )


def _names() -> None:
    op.create_table(
        "object",
        _need("object_id", WHOLE),
        _need("source", TEXT),
        _need("name", TEXT),
        PrimaryKeyConstraint("object_id"),
        UniqueConstraint("source", "name"),
        **STRICT,
    )
    op.create_table(
        "field",
        _need("field_id", WHOLE),
        _need("object_id", WHOLE),
        _need("name", TEXT),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("field_id"),
        UniqueConstraint("object_id", "name"),
        **STRICT,
    )
    op.create_table(
        "actor",
        _need("actor_id", WHOLE),
        _need("key", TEXT),
        _need("kind", TEXT),
        _may("ext_id", TEXT),
        _may("name", TEXT),
        _may("via", TEXT),
        _may("why", TEXT),
        CheckConstraint(
            "kind IN ('user','app','import','automation','system','unknown')", name="kind_known"
        ),
        PrimaryKeyConstraint("actor_id"),
        UniqueConstraint("key"),
        **STRICT,
    )
    op.create_table(
        "schema_version",
        _need("schema_id", WHOLE),
        _need("object_id", WHOLE),
        _need("at", WHOLE),
        _need("document", TEXT),
        CheckConstraint('json_valid("document")', name="document_is_json"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("schema_id"),
        **STRICT,
    )
    op.create_index("schema_version_newest", "schema_version", ["object_id", "schema_id"])


def _ledger() -> None:
    op.create_table(
        "leaf",
        _need("idx", WHOLE),
        _need("kind", TEXT),
        _need("entry", BYTES),
        CheckConstraint("idx >= 0", name="idx_natural"),
        PrimaryKeyConstraint("idx"),
        **STRICT,
    )
    op.create_table(
        "node",
        _need("level", WHOLE),
        _need("idx", WHOLE),
        _need("hash", BYTES),
        CheckConstraint("length(hash) = 32", name="hash_is_sha256"),
        CheckConstraint("level > 0 AND idx >= 0", name="place_natural"),
        PrimaryKeyConstraint("level", "idx"),
        **CLUSTERED,
    )


def _plans() -> None:
    op.create_table(
        "plan",
        _need("id", TEXT),
        _need("digest", TEXT),
        _need("author", TEXT),
        _need("created", WHOLE),
        _need("expires", WHOLE),
        _need("source", TEXT),
        _need("terms", TEXT),
        CheckConstraint("created <= expires", name="time_runs_forward"),
        CheckConstraint('json_valid("terms")', name="terms_is_json"),
        PrimaryKeyConstraint("id"),
        **STRICT,
    )
    op.create_table(
        "approval",
        _need("plan_id", TEXT),
        _need("approver", TEXT),
        _need("at", WHOLE),
        ForeignKeyConstraint(["plan_id"], ["plan.id"]),
        PrimaryKeyConstraint("plan_id", "approver"),
        **CLUSTERED,
    )
    op.create_table(
        "receipt",
        _need("receipt_id", WHOLE),
        _need("plan_id", TEXT),
        _need("applied_at", WHOLE),
        _need("applied_by", TEXT),
        _need("planned", WHOLE),
        _need("outcomes", TEXT),
        _need("api_calls", WHOLE),
        _need("leaf", WHOLE),
        CheckConstraint('json_valid("outcomes")', name="outcomes_is_json"),
        ForeignKeyConstraint(["leaf"], ["leaf.idx"]),
        ForeignKeyConstraint(["plan_id"], ["plan.id"]),
        PrimaryKeyConstraint("receipt_id"),
        **STRICT,
    )
    op.create_index("receipt_newest", "receipt", ["plan_id", "receipt_id"])


def _steps() -> None:
    op.create_table(
        "plan_step",
        _need("plan_id", TEXT),
        _need("no", WHOLE),
        _need("step_id", TEXT),
        _need("source", TEXT),
        _need("object", TEXT),
        _need("record", TEXT),
        _need("action", TEXT),
        _need("expect", TEXT),
        _need("write", TEXT),
        _need("left", TEXT),
        _need("reason", TEXT),
        _need("state", TEXT),
        _need("before", TEXT),
        _may("sent_at", WHOLE),
        _may("settled_at", WHOLE),
        _may("result", TEXT),
        _need("detail", TEXT),
        _need("fields", TEXT),
        _may("seen_version", WHOLE),
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
        CheckConstraint('json_valid("before")', name="before_is_json"),
        CheckConstraint('json_valid("expect")', name="expect_is_json"),
        CheckConstraint('json_valid("fields")', name="fields_is_json"),
        CheckConstraint('json_valid("left")', name="left_is_json"),
        CheckConstraint('json_valid("write")', name="write_is_json"),
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
        _need("run_id", WHOLE),
        _need("object_id", WHOLE),
        _need("mode", TEXT),
        _need("state", TEXT),
        _need("started", WHOLE),
        _may("finished", WHOLE),
        _need("api_calls", WHOLE),
        _need("read", WHOLE),
        _need("created", WHOLE),
        _need("updated", WHOLE),
        _need("deleted", WHOLE),
        _need("changes", WHOLE),
        _need("detail", TEXT),
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
        _need("gap_id", WHOLE),
        _need("object_id", WHOLE),
        _may("run_id", WHOLE),
        _may("since", WHOLE),
        _may("until", WHOLE),
        _need("why", TEXT),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        ForeignKeyConstraint(["run_id"], ["sync_run.run_id"]),
        PrimaryKeyConstraint("gap_id"),
        **STRICT,
    )
    op.create_index("gap_object", "gap", ["object_id", "gap_id"])


def _positions() -> None:
    op.create_table(
        "position",
        _need("object_id", WHOLE),
        _may("cursor", TEXT),
        _may("watermark", WHOLE),
        _may("complete_to", WHOLE),
        _may("expected", WHOLE),
        _need("fence", WHOLE),
        _need("live", WHOLE),
        _need("dead", WHOLE),
        _need("versions", WHOLE),
        CheckConstraint("live >= 0 AND dead >= 0 AND versions >= 0", name="counts_natural"),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("object_id"),
        **STRICT,
    )
    op.create_table(
        "lease",
        _need("source", TEXT),
        _need("object", TEXT),
        _need("holder", TEXT),
        _need("fence", WHOLE),
        _need("expires_at", WHOLE),
        CheckConstraint("fence >= 0", name="fence_natural"),
        PrimaryKeyConstraint("source", "object"),
        **CLUSTERED,
    )


def _operations() -> None:
    op.create_table(
        "operation",
        _need("operation_id", TEXT),
        _need("object_id", WHOLE),
        _need("op", TEXT),
        _need("actor_id", WHOLE),
        _need("started", WHOLE),
        _need("ended", WHOLE),
        _need("records", WHOLE),
        _need("blanked", WHOLE),
        _need("tallies", TEXT),
        CheckConstraint(f"op IN ({OPS})", name="op_known"),
        CheckConstraint('json_valid("tallies")', name="tallies_is_json"),
        CheckConstraint("started <= ended", name="time_runs_forward"),
        ForeignKeyConstraint(["actor_id"], ["actor.actor_id"]),
        ForeignKeyConstraint(["object_id"], ["object.object_id"]),
        PrimaryKeyConstraint("operation_id"),
        **STRICT,
    )
    op.create_index("operation_recent", "operation", ["object_id", "ended"])
    op.create_index("operation_started", "operation", ["started"])


def _incidents() -> None:
    op.create_table(
        "incident",
        _need("incident_id", TEXT),
        _need("rule", TEXT),
        _need("operation_id", TEXT),
        _need("state", TEXT),
        _need("severity", TEXT),
        _need("title", TEXT),
        _need("why", TEXT),
        _need("records", WHOLE),
        _need("fields", TEXT),
        _need("evidence", TEXT),
        _need("opened_at", WHOLE),
        _need("seen_at", WHOLE),
        CheckConstraint("severity IN ('low','medium','high','critical')", name="severity_known"),
        CheckConstraint("state IN ('new','ongoing','resolved')", name="state_known"),
        CheckConstraint('json_valid("evidence")', name="evidence_is_json"),
        CheckConstraint('json_valid("fields")', name="fields_is_json"),
        ForeignKeyConstraint(["operation_id"], ["operation.operation_id"]),
        PrimaryKeyConstraint("incident_id"),
        UniqueConstraint("rule", "operation_id"),
        **STRICT,
    )
    op.create_index("incident_opened", "incident", ["opened_at", "incident_id"])


def _records() -> None:
    op.create_table(
        "record",
        _need("record_id", WHOLE),
        _need("object_id", WHOLE),
        _need("ext_id", TEXT),
        _need("number", WHOLE),
        _need("deleted", FLAG),
        _need("modified_at", WHOLE),
        _need("edited_at", WHOLE),
        _need("known_at", WHOLE),
        _may("history_to", WHOLE),
        _may("operation_id", TEXT),
        _need("digest", BYTES),
        _need("stamps", TEXT),
        _need("document", TEXT),
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
        _need("version_id", WHOLE),
        _need("object_id", WHOLE),
        _need("record_id", WHOLE),
        _need("number", WHOLE),
        _need("op", TEXT),
        _need("deleted", FLAG),
        _need("actor_id", WHOLE),
        _need("at", WHOLE),
        _need("known_at", WHOLE),
        _may("run_id", WHOLE),
        _may("operation_id", TEXT),
        _may("plan_id", TEXT),
        _need("digest", BYTES),
        _need("stamps", TEXT),
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


def _changes() -> None:
    op.create_table(
        "change",
        _need("version_id", WHOLE),
        _need("field_id", WHOLE),
        _may("old", TEXT),
        _may("new", TEXT),
        CheckConstraint("old IS NOT new", name="something_changed"),
        ForeignKeyConstraint(["field_id"], ["field.field_id"]),
        ForeignKeyConstraint(["version_id"], ["version.version_id"]),
        PrimaryKeyConstraint("version_id", "field_id"),
        **CLUSTERED,
    )
    op.create_index("change_field", "change", ["field_id", "version_id"])
