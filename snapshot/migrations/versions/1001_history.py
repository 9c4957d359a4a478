"""Records and their history; then what the database refuses, and the views."""

from alembic import op

from snapshot.making import guard_all, view_all
from snapshot.migrations.words import (
    CLUSTERED,
    STRICT,
    blob,
    check,
    key,
    only_where,
    refers,
    small,
    text,
    unique,
    whole,
)

revision = "1001"
down_revision = "1000"


def upgrade() -> None:
    """Make the tables of history, the guards of all tables, and the views."""
    op.create_table(
        "record",
        whole("record_id"),
        whole("object_id"),
        text("ext_id"),
        whole("number"),
        small("deleted"),
        whole("modified_at"),
        whole("edited_at"),
        whole("known_at"),
        whole("history_to", null=True),
        text("operation_id", null=True),
        whole("keyframe"),
        small("since"),
        whole("key_id", null=True),
        whole("erased_at", null=True),
        blob("seen", null=True),
        blob("sound"),
        check("deleted_is_flag", "deleted IN (0, 1)"),
        check("number_from_one", "number > 0 AND since >= 0"),
        refers("object_id", "object.object_id"),
        key("record_id"),
        unique("object_id", "ext_id"),
        **STRICT,
    )
    op.create_index("record_key", "record", ["key_id"], **only_where("key_id IS NOT NULL"))
    op.create_table(
        "retention_mark",
        whole("object_id"),
        text("rule"),
        whole("upto"),
        whole("size"),
        refers("object_id", "object.object_id"),
        key("object_id", "rule"),
        **CLUSTERED,
    )
    op.create_table(
        "schema_version",
        whole("schema_id"),
        whole("object_id"),
        whole("at"),
        text("document"),
        check("document_is_json", 'json_valid("document")'),
        refers("object_id", "object.object_id"),
        key("schema_id"),
        **STRICT,
    )
    op.create_index("schema_version_newest", "schema_version", ["object_id", "schema_id"])
    op.create_table(
        "sync_run",
        whole("run_id"),
        whole("object_id"),
        text("mode"),
        text("state"),
        whole("started"),
        whole("finished", null=True),
        whole("api_calls"),
        whole("read"),
        whole("created"),
        whole("updated"),
        whole("deleted"),
        whole("changes"),
        text("detail"),
        whole("expected", null=True),
        whole("expected_at", null=True),
        whole("held", null=True),
        whole("used", null=True),
        whole("quota", null=True),
        whole("resets_at", null=True),
        check("closed_once_finished", "(state = 'running') = (finished IS NULL)"),
        check("mode_known", "mode IN ('incremental','full','reconcile')"),
        check("state_known", "state IN ('running','done','failed','stopped','locked')"),
        refers("object_id", "object.object_id"),
        key("run_id"),
        **STRICT,
    )
    op.create_index(
        "sync_run_billed",
        "sync_run",
        ["object_id", "run_id"],
        **only_where("coalesce(used, quota) IS NOT NULL"),
    )
    op.create_index(
        "sync_run_counted",
        "sync_run",
        ["object_id", "run_id"],
        **only_where("expected IS NOT NULL"),
    )
    op.create_index("sync_run_newest", "sync_run", ["object_id", "run_id"])
    op.create_table(
        "gap",
        whole("gap_id"),
        whole("object_id"),
        whole("run_id", null=True),
        whole("since", null=True),
        whole("until", null=True),
        text("why"),
        refers("object_id", "object.object_id"),
        refers("run_id", "sync_run.run_id"),
        key("gap_id"),
        **STRICT,
    )
    op.create_index("gap_object", "gap", ["object_id", "gap_id"])
    op.create_table(
        "hold_release",
        whole("hold_id"),
        text("why"),
        text("by"),
        whole("at"),
        whole("leaf"),
        refers("hold_id", "hold.hold_id"),
        refers("leaf", "leaf.idx"),
        key("hold_id"),
        **STRICT,
    )
    op.create_table(
        "incident",
        text("incident_id"),
        text("rule"),
        text("operation_id"),
        text("state"),
        text("severity"),
        text("title"),
        text("why"),
        whole("records"),
        text("fields"),
        text("evidence"),
        whole("opened_at"),
        whole("seen_at"),
        check("severity_known", "severity IN ('low','medium','high','critical')"),
        check("state_known", "state IN ('new','ongoing','resolved')"),
        check("evidence_is_json", 'json_valid("evidence")'),
        check("fields_is_json", 'json_valid("fields")'),
        refers("operation_id", "operation.operation_id"),
        key("incident_id"),
        unique("rule", "operation_id"),
        **STRICT,
    )
    op.create_index("incident_opened", "incident", ["opened_at", "incident_id"])
    op.create_table(
        "subject_index",
        blob("blind"),
        whole("record_id"),
        refers("record_id", "record.record_id"),
        key("blind", "record_id"),
        **CLUSTERED,
    )
    op.create_index("subject_index_record", "subject_index", ["record_id"])
    op.create_table(
        "succession",
        whole("record_id"),
        whole("heir_id"),
        text("kind"),
        whole("at"),
        check("kind_known", "kind IN ('merged','recreated')"),
        refers("heir_id", "record.record_id"),
        refers("record_id", "record.record_id"),
        key("record_id", "heir_id"),
        **CLUSTERED,
    )
    op.create_index("succession_heir", "succession", ["heir_id"])
    op.create_table(
        "version",
        whole("version_id"),
        whole("object_id"),
        whole("record_id"),
        whole("number"),
        text("op"),
        small("deleted"),
        whole("actor_id"),
        whole("at"),
        whole("known_at"),
        whole("since", null=True),
        whole("run_id", null=True),
        text("operation_id", null=True),
        text("plan_id", null=True),
        text("note", null=True),
        blob("payload", null=True),
        blob("payload_gone", null=True),
        blob("kept", null=True),
        blob("kept_gone", null=True),
        check(
            "op_known", "op IN ('baseline','create','update','delete','undelete','merge','restore')"
        ),
        check("deleted_is_flag", "deleted IN (0, 1)"),
        check("kept_gone_is_sha256", "length(kept_gone) = 32"),
        check("payload_gone_is_sha256", "length(payload_gone) = 32"),
        check("number_from_one", "number > 0"),
        refers("actor_id", "actor.actor_id"),
        refers("object_id", "object.object_id"),
        refers("operation_id", "operation.operation_id"),
        refers("plan_id", "plan.id"),
        refers("record_id", "record.record_id"),
        refers("run_id", "sync_run.run_id"),
        key("version_id"),
        unique("record_id", "number"),
        **STRICT,
    )
    op.create_index(
        "version_actor", "version", ["actor_id", "version_id"], **only_where("op <> 'baseline'")
    )
    op.create_index(
        "version_acts", "version", ["object_id", "version_id"], **only_where("op <> 'baseline'")
    )
    op.create_index(
        "version_gone", "version", ["version_id"], **only_where("payload_gone IS NOT NULL")
    )
    op.create_index(
        "version_kept_gone", "version", ["version_id"], **only_where("kept_gone IS NOT NULL")
    )
    op.create_index(
        "version_merged", "version", ["object_id", "record_id", "at"], **only_where("op = 'merge'")
    )
    op.create_index(
        "version_operation",
        "version",
        ["operation_id", "record_id", "number"],
        **only_where("operation_id IS NOT NULL"),
    )
    op.create_index(
        "version_valid", "version", ["object_id", "at"], **only_where("op <> 'baseline'")
    )
    op.create_table(
        "change",
        whole("version_id"),
        whole("field_id"),
        small("kind"),
        text("old", null=True),
        text("new", null=True),
        check("kind_known", "kind BETWEEN 1 AND 31"),
        refers("field_id", "field.field_id"),
        refers("version_id", "version.version_id"),
        key("version_id", "field_id"),
        **CLUSTERED,
    )
    op.create_index(
        "change_blank", "change", ["field_id", "version_id"], **only_where("kind >= 16")
    )
    op.create_index("change_field", "change", ["field_id", "version_id"])
    op.create_table(
        "forgotten",
        whole("version_id"),
        whole("leaf"),
        small("what"),
        check("what_known", "what BETWEEN 1 AND 15"),
        refers("version_id", "version.version_id"),
        key("version_id", "leaf"),
        **CLUSTERED,
    )
    op.create_index("forgotten_by", "forgotten", ["leaf", "version_id"])
    op.create_table(
        "keyframe",
        whole("version_id"),
        whole("codec_id"),
        small("sealed"),
        blob("doc", null=True),
        blob("doc_gone", null=True),
        blob("kept", null=True),
        blob("kept_gone", null=True),
        whole("leaf", null=True),
        check("gone_with_digest", "(doc IS NULL) = (doc_gone IS NOT NULL)"),
        check("doc_gone_is_sha256", "length(doc_gone) = 32"),
        check("kept_gone_is_sha256", "length(kept_gone) = 32"),
        check("sealed_is_flag", "sealed IN (0, 1)"),
        refers("version_id", "version.version_id"),
        key("version_id"),
        **STRICT,
    )
    op.create_index("keyframe_made", "keyframe", ["leaf"], **only_where("leaf IS NOT NULL"))
    guard_all(op.get_bind())
    view_all(op.get_bind())
