"""Short words for the tables of the first migrations."""

from typing import Any, Final

import sqlalchemy as sa

STRICT: Final[dict[str, Any]] = {"sqlite_strict": True}
CLUSTERED: Final[dict[str, Any]] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def whole(name: str, *, null: bool = False) -> sa.Column[int]:
    """Return a column of 64-bit integers; SQLite calls them INTEGER."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=null)


def small(name: str, *, null: bool = False) -> sa.Column[int]:
    """Return a column of small integers."""
    return sa.Column(name, sa.Integer(), nullable=null)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    """Return a column of texts."""
    return sa.Column(name, sa.Text(), nullable=null)


def blob(name: str, *, null: bool = False) -> sa.Column[bytes]:
    """Return a column of bytes."""
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def check(name: str, condition: str) -> sa.CheckConstraint:
    """Return a condition that every row meets."""
    return sa.CheckConstraint(condition, name=name)


def key(*columns: str) -> sa.PrimaryKeyConstraint:
    """Return the primary key."""
    return sa.PrimaryKeyConstraint(*columns)


def unique(*columns: str) -> sa.UniqueConstraint:
    """Return columns whose values together occur once."""
    return sa.UniqueConstraint(*columns)


def refers(column: str, target: str) -> sa.ForeignKeyConstraint:
    """Return what a column refers to."""
    return sa.ForeignKeyConstraint([column], [target])


def only_where(condition: str) -> dict[str, Any]:
    """Return the options of an index over the rows that meet a condition."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
