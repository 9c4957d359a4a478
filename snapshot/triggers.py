"""What the database itself refuses: changing history.

The migrations run the same statements; a test holds the two equal. They guard against our own
mistakes; against somebody with the file there is the ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlmodel import SQLModel

INSERT_ONLY: Final = (
    "approval",
    "codec",
    "field",
    "forgotten",
    "gap",
    "hold",
    "hold_release",
    "identity",
    "leaf",
    "object",
    "plan",
    "receipt",
    "schema_version",
    "succession",
)
"""Tables whose rows never change and never go."""

FORGETFUL: Final[Mapping[str, Sequence[str]]] = {
    "actor": ("key", "name", "salt"),
    "change": ("old", "new"),
    "keyframe": ("doc", "kept"),
    "version": ("payload", "kept"),
}
"""Tables whose rows never go, and of which only these values can: while the door is open."""

DIGESTS: Final[Mapping[str, Sequence[str]]] = {
    "keyframe": ("doc_gone", "kept_gone"),
    "version": ("payload_gone", "kept_gone"),
}
"""What a forgotten value leaves behind, once and for all."""

STEP_TERMS: Final = (
    "plan_id, no, step_id, source, object, record, action, expect, write, left, reason"
    ", salt, digest"
)
STEP_END: Final = "state, before, sent_at, settled_at, result, detail, fields"

GONE_REASON: Final = "the record was erased: what is forgotten is never restored"
"""What is left of why a step is as it is."""

BLANKS: Final[Mapping[str, str]] = {
    "expect": "{}",
    "write": "{}",
    "left": "{}",
    "before": "{}",
    "reason": GONE_REASON,
    "detail": "",
}
"""What the texts of a step become, while the door is open, when its record is erased."""

FORGOTTEN_STEP: Final = ("salt",)
"""What goes with them."""


def statements(table: str) -> Iterator[str]:
    """Yield the CREATE TRIGGER statements of one table; none for most."""
    if table in INSERT_ONLY:
        yield _refusal(table, "update", "UPDATE", "rows are never changed")
        yield _refusal(table, "delete", "DELETE", "rows are never removed")
    if table in FORGETFUL:
        yield _refusal(table, "delete", "DELETE", "rows are never removed")
        forgetting = _beyond(table, FORGETFUL[table], DIGESTS.get(table, ()))
        yield _refusal(table, "update", "UPDATE", "rows are never changed", f"WHEN {forgetting} ")
    if table == "tile":
        yield _refusal(table, "delete", "DELETE", "rows are never removed")
        grown = (
            "WHEN OLD.level <> NEW.level OR OLD.idx <> NEW.idx"
            " OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes "
        )
        yield _refusal(table, "update", "UPDATE", "hashes are only ever added", grown)
    if table == "erasure":
        yield _refusal(table, "delete", "DELETE", "rows are never removed")
        again = "WHEN OLD.leaf <> NEW.leaf OR OLD.at <> NEW.at OR OLD.finished IS NOT NULL "
        yield _refusal(table, "update", "UPDATE", "an erasure ends once", again)
    if table == "plan_step":
        yield from _of_steps(_beyond(table, FORGOTTEN_STEP, (), BLANKS))


def _of_steps(beyond: str) -> Iterator[str]:
    table = "plan_step"
    yield _refusal(
        table,
        "terms",
        f"UPDATE OF {STEP_TERMS}",
        "what a step does never changes",
        f"WHEN {beyond} ",
    )
    yield _refusal(
        table,
        "settled",
        f"UPDATE OF {STEP_END}",
        "a settled step never changes",
        f"WHEN OLD.state = 'settled' AND ({beyond}) ",
    )
    yield _refusal(table, "delete", "DELETE", "rows are never removed")


def _beyond(
    table: str,
    values: Sequence[str],
    digests: Sequence[str],
    blanks: Mapping[str, str] | None = None,
) -> str:
    """Return the condition under which an update is more than forgetting through the open door.

    Args:
        table: whose rows are updated.
        values: what may become NULL.
        digests: what may be set, once.
        blanks: what may become a fixed text.
    """
    texts = blanks or {}
    others = [
        column.name
        for column in SQLModel.metadata.tables[table].columns
        if column.name not in {*values, *digests, *texts}
    ]
    conditions = [
        "NOT EXISTS (SELECT 1 FROM door)",
        *(f'OLD."{name}" IS NOT NEW."{name}"' for name in others),
        *(f'(NEW."{n}" IS NOT NULL AND NEW."{n}" IS NOT OLD."{n}")' for n in values),
        *(f'(OLD."{n}" IS NOT NULL AND NEW."{n}" IS NOT OLD."{n}")' for n in digests),
        *(
            f'(NEW."{n}" IS NOT \'{text}\' AND NEW."{n}" IS NOT OLD."{n}")'
            for n, text in texts.items()
        ),
    ]
    return " OR ".join(conditions)


def _refusal(table: str, suffix: str, occasion: str, why: str, condition: str = "") -> str:
    return (
        f"CREATE TRIGGER {table}_never_{suffix} BEFORE {occasion} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
    )
