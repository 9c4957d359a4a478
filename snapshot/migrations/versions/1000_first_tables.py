"""Names, runs, plans, and what was noticed."""

from alembic import op

from snapshot.migrations.words import (
    CLUSTERED,
    STRICT,
    blob,
    check,
    key,
    only_where,
    refers,
    text,
    unique,
    whole,
)

revision = "1000"
down_revision = None


def upgrade() -> None:
    """Make the tables that history refers to."""
    op.create_table(
        "actor",
        whole("actor_id"),
        text("key", null=True),
        text("kind"),
        text("ext_id", null=True),
        text("name", null=True),
        text("via", null=True),
        text("why", null=True),
        blob("salt", null=True),
        blob("digest"),
        check("kind_known", "kind IN ('user','app','import','automation','system','unknown')"),
        check("key_with_salt", "(key IS NULL) = (salt IS NULL)"),
        check("digest_is_sha256", "length(digest) = 32"),
        key("actor_id"),
        unique("key"),
        **STRICT,
    )
    op.create_index("actor_who", "actor", ["kind", "ext_id"])
    op.create_table(
        "anchor",
        text("name"),
        whole("size", null=True),
        text("note", null=True),
        whole("anchored_at", null=True),
        whole("failed_at", null=True),
        text("failure"),
        check("size_with_time", "(size IS NULL) = (anchored_at IS NULL)"),
        check("size_with_note", "(size IS NULL) = (note IS NULL)"),
        check("size_natural", "size >= 0"),
        key("name"),
        **CLUSTERED,
    )
    op.create_table("door", text("why"), key("why"), **STRICT)
    op.create_table(
        "erasure", whole("leaf"), whole("at"), whole("finished", null=True), key("leaf"), **STRICT
    )
    op.create_index("erasure_begun", "erasure", ["leaf"], **only_where("finished IS NULL"))
    op.create_table("identity", text("store_id"), key("store_id"), **STRICT)
    op.create_table(
        "leaf",
        whole("idx"),
        text("kind"),
        blob("entry"),
        check("idx_natural", "idx >= 0"),
        key("idx"),
        **STRICT,
    )
    op.create_index("leaf_kind", "leaf", ["kind", "idx"])
    op.create_table(
        "lease",
        text("source"),
        text("object"),
        text("holder"),
        whole("fence"),
        whole("expires_at"),
        check("fence_natural", "fence >= 0"),
        key("source", "object"),
        **CLUSTERED,
    )
    op.create_table(
        "object",
        whole("object_id"),
        text("source"),
        text("name"),
        key("object_id"),
        unique("source", "name"),
        **STRICT,
    )
    op.create_table(
        "plan",
        text("id"),
        text("digest"),
        text("author"),
        whole("created"),
        whole("expires"),
        text("source"),
        text("terms"),
        check("time_runs_forward", "created <= expires"),
        check("terms_is_json", 'json_valid("terms")'),
        key("id"),
        **STRICT,
    )
    op.create_table(
        "tile",
        whole("level"),
        whole("idx"),
        blob("hashes"),
        check("hashes_whole", "length(hashes) % 32 = 0"),
        check("hashes_fit", "length(hashes) BETWEEN 32 AND 8192"),
        check("place_natural", "level >= 0 AND idx >= 0"),
        key("level", "idx"),
        **CLUSTERED,
    )
    op.create_table(
        "approval",
        text("plan_id"),
        text("approver"),
        whole("at"),
        refers("plan_id", "plan.id"),
        key("plan_id", "approver"),
        **CLUSTERED,
    )
    op.create_table(
        "codec",
        whole("codec_id"),
        whole("object_id"),
        blob("dictionary"),
        refers("object_id", "object.object_id"),
        key("codec_id"),
        **STRICT,
    )
    op.create_table(
        "field",
        whole("field_id"),
        whole("object_id"),
        text("name"),
        refers("object_id", "object.object_id"),
        key("field_id"),
        unique("object_id", "name"),
        **STRICT,
    )
    op.create_table(
        "hold",
        whole("hold_id"),
        blob("blind", null=True),
        whole("object_id", null=True),
        text("record", null=True),
        text("why"),
        text("by"),
        whole("at"),
        whole("until", null=True),
        whole("leaf"),
        check("on_one_thing", "(blind IS NULL) = (object_id IS NOT NULL)"),
        check("blind_is_sha256", "length(blind) = 32"),
        check("record_of_object", "record IS NULL OR object_id IS NOT NULL"),
        refers("leaf", "leaf.idx"),
        refers("object_id", "object.object_id"),
        key("hold_id"),
        **STRICT,
    )
    op.create_table(
        "operation",
        text("operation_id"),
        whole("object_id"),
        text("op"),
        whole("actor_id"),
        whole("started"),
        whole("ended"),
        whole("records"),
        whole("blanked"),
        text("tallies"),
        blob("sound"),
        check(
            "op_known", "op IN ('baseline','create','update','delete','undelete','merge','restore')"
        ),
        check("tallies_is_json", 'json_valid("tallies")'),
        check("time_runs_forward", "started <= ended"),
        refers("actor_id", "actor.actor_id"),
        refers("object_id", "object.object_id"),
        key("operation_id"),
        **STRICT,
    )
    op.create_index("operation_recent", "operation", ["object_id", "ended"])
    op.create_index("operation_started", "operation", ["started"])
    op.create_table(
        "plan_step",
        text("plan_id"),
        whole("no"),
        text("step_id"),
        text("source"),
        text("object"),
        text("record"),
        text("action"),
        text("expect"),
        text("write"),
        text("left"),
        text("reason"),
        text("salt", null=True),
        blob("digest", null=True),
        text("state"),
        text("before"),
        whole("sent_at", null=True),
        whole("settled_at", null=True),
        text("result", null=True),
        text("detail"),
        text("fields"),
        whole("seen_version", null=True),
        check("settled_has_result", "(state = 'settled') = (result IS NOT NULL)"),
        check(
            "action_known",
            "action IN ('update','undelete','create','delete','associate',"
            "'skip','conflict','blocked')",
        ),
        check("result_known", "result IN ('restored','already','conflict','refused','failed')"),
        check("sending_has_time", "state <> 'sending' OR sent_at IS NOT NULL"),
        check("state_known", "state IN ('planned','sending','settled')"),
        check("before_is_json", 'json_valid("before")'),
        check("expect_is_json", 'json_valid("expect")'),
        check("fields_is_json", 'json_valid("fields")'),
        check("left_is_json", 'json_valid("left")'),
        check("write_is_json", 'json_valid("write")'),
        check("digest_is_sha256", "length(digest) = 32"),
        refers("plan_id", "plan.id"),
        key("plan_id", "no"),
        unique("plan_id", "step_id"),
        **CLUSTERED,
    )
    op.create_index(
        "plan_step_awaited",
        "plan_step",
        ["source", "object", "record"],
        **only_where("state IN ('sending','settled') AND seen_version IS NULL"),
    )
    op.create_index("plan_step_record", "plan_step", ["source", "object", "record"])
    op.create_table(
        "position",
        whole("object_id"),
        text("cursor", null=True),
        whole("watermark", null=True),
        whole("complete_to", null=True),
        whole("expected", null=True),
        whole("fence"),
        whole("live"),
        whole("dead"),
        whole("versions"),
        whole("key_id", null=True),
        check("counts_natural", "live >= 0 AND dead >= 0 AND versions >= 0"),
        refers("object_id", "object.object_id"),
        key("object_id"),
        **STRICT,
    )
    op.create_table(
        "receipt",
        whole("receipt_id"),
        text("plan_id"),
        whole("applied_at"),
        text("applied_by"),
        whole("planned"),
        text("outcomes"),
        whole("api_calls"),
        whole("leaf"),
        check("outcomes_is_json", 'json_valid("outcomes")'),
        refers("leaf", "leaf.idx"),
        refers("plan_id", "plan.id"),
        key("receipt_id"),
        **STRICT,
    )
    op.create_index("receipt_newest", "receipt", ["plan_id", "receipt_id"])
