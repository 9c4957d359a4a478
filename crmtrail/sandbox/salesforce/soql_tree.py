"""What a SOQL statement says, as plain values."""

from dataclasses import dataclass, field
from typing import Union

from crmtrail.sandbox.salesforce.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Name:
    """A field, perhaps reached over parents: ("Account", "Owner", "Name")."""

    parts: tuple[str, ...]
    at: int
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function: COUNT, SUM, FIELDS, toLabel... ``arg`` None is an empty pair of parentheses."""

    function: str
    arg: Name | None
    at: int
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; ``kind`` is string, number, boolean, null, date, datetime or range.

    A string keeps its backslashes: LIKE reads them otherwise than the rest does.
    """

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left op right``; the right side of IN, INCLUDES and their opposites is a tuple or query."""

    left: Name | Call
    op: str
    right: Union[Literal, tuple[Literal, ...], "Query"]
    at: int


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by AND or OR."""

    op: str
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    part: "Condition"


Condition = Comparison | Logic | Not


@dataclass(frozen=True, slots=True)
class Order:
    """One term of ORDER BY."""

    by: Name | Call
    descending: bool = False
    nulls_first: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT statement or a child subquery."""

    select: tuple[Union[Name, Call, "Query"], ...]
    source: str
    at: int
    alias: str | None = None
    where: Condition | None = None
    group: tuple[Name, ...] = ()
    having: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    text: str = field(default="", compare=False)


def refuse(code: str, text: str, at: int, detail: str) -> Refusal:
    """Make a refusal that points at a place of the statement, as Salesforce does."""
    before = text[:at]
    row = before.count("\n") + 1
    column = at - (before.rfind("\n") + 1) + 1
    start = max(0, before.rfind("\n") + 1, at - 40)
    shown = text[start : at + 40].split("\n", 1)[0]
    caret = " " * (at - start) + "^"
    return Refusal(code, f"\n{shown}\n{caret}\nERROR at Row:{row}:Column:{column}\n{detail}")
