"""What the tables' columns and conditions are made of."""

from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Integer, text

WHOLE: Final = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit integers on every database; SQLite calls them INTEGER."""

MARK_STRICT: Final = {"sqlite_strict": True}
"""SQLite then refuses a value of the wrong type."""
MARK_CLUSTERED: Final = {"sqlite_strict": True, "sqlite_with_rowid": False}
"""Rows live in the primary key's own tree."""


def only_where(condition: str) -> dict[str, Any]:
    """Return the options of an index over the rows that meet a condition."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


ACTS: Final = only_where("op <> 'baseline'")
"""Only versions that did something: a first sight is none."""

OPS: Final = "'baseline','create','update','delete','undelete','merge','restore'"


def json_object(column: str) -> CheckConstraint:
    """Return the condition that a column holds JSON."""
    return CheckConstraint(f'json_valid("{column}")', name=f"{column}_is_json")


def digest_sized(column: str) -> CheckConstraint:
    """Return the condition that a column holds 32 bytes."""
    return CheckConstraint(f"length({column}) = 32", name=f"{column}_is_sha256")


def flag(column: str) -> CheckConstraint:
    """Return the condition that a column is 0 or 1."""
    return CheckConstraint(f"{column} IN (0, 1)", name=f"{column}_is_flag")
