"""WHERE and HAVING: conditions of a SOQL statement as SQL with bound values."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.fields import NUMERIC, TEXTUAL, Field
from crmtrail.sandbox.salesforce.ranges import stretch
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.scope import Scope, Source
from crmtrail.sandbox.salesforce.soql_tree import (
    Call,
    Comparison,
    Condition,
    Literal,
    Logic,
    Name,
    Not,
    Query,
    refuse,
)

Sql = tuple[str, list[Any]]
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SPECIAL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_EQUALITY = ("=", "!=", "IN", "NOT IN")


def unescape(text: str, *, pattern: bool = False) -> str:
    """Return a string literal's text; in a LIKE pattern escaped wildcards stay escaped."""

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code.startswith("u") and len(code) > 1:
            return chr(int(code[1:], 16))
        if pattern and code in "%_\\":
            return "\\" + code
        return _SPECIAL.get(code, code)

    return _ESCAPE.sub(one, text)


class Filters:
    """Turns conditions into SQL in one scope.

    ``nested`` compiles the query of a semi-join; ``aggregate`` resolves a function in HAVING.
    """

    def __init__(
        self,
        scope: Scope,
        now: datetime,
        nested: Callable[[Query], Sql],
        aggregate: Callable[[Call], tuple[str, Field]] | None = None,
    ) -> None:
        self._scope = scope
        self._now = now
        self._nested = nested
        self._aggregate = aggregate

    def sql(self, condition: Condition) -> Sql:
        """Return SQL for a condition. SOQL knows no third truth value: null never equals.

        Raises:
            Refusal: unknown or unfilterable fields, operators or values that do not fit.
        """
        if isinstance(condition, Not):
            text, values = self.sql(condition.part)
            return f"NOT COALESCE(({text}), 0)", values
        if isinstance(condition, Logic):
            parts = [self.sql(part) for part in condition.parts]
            joined = f" {condition.op} ".join(f"({text})" for text, _ in parts)
            return joined, [value for _, values in parts for value in values]
        return self._comparison(condition)

    def _comparison(self, test: Comparison) -> Sql:
        if isinstance(test.left, Call):
            if self._aggregate is None:
                raise self._wrong(test, f"Aggregate function not allowed: {test.left.function}")
            column, field = self._aggregate(test.left)
            return self._plain(test, column, field)
        source, field, _ = self._scope.resolve(test.left)
        if not field.filterable:
            raise refuse(
                "INVALID_FIELD",
                self._scope.text,
                test.left.at,
                f"field '{field.name}' can not be filtered in a query call",
            )
        column = source.compared(field)
        if test.op in ("INCLUDES", "EXCLUDES"):
            return self._chosen(test, column, field)
        if isinstance(test.right, Query):
            return self._semi_join(test, column, field, test.right)
        if isinstance(test.right, tuple):
            return self._list(test, column, field, test.right)
        return self._plain(test, column, field)

    def _wrong(self, test: Comparison, detail: str, code: str = "MALFORMED_QUERY") -> Refusal:
        return refuse(code, self._scope.text, test.at, detail)

    def _plain(self, test: Comparison, column: str, field: Field) -> Sql:
        literal, op = test.right, test.op
        if not isinstance(literal, Literal):
            raise self._wrong(test, "unexpected list")
        if literal.kind == "null":
            if op not in _EQUALITY:
                raise self._wrong(test, f"invalid operator on null: {op}")
            return f"{column} IS {'NOT ' if op == '!=' else ''}NULL", []
        if literal.kind == "range":
            return self._within(test, column, field, literal)
        if op == "LIKE":
            if field.type not in TEXTUAL:
                raise self._wrong(
                    test, f"invalid operator on {field.type} field", "INVALID_QUERY_FILTER_OPERATOR"
                )
            self._value(field, literal)
            return f"{column} LIKE ? ESCAPE '\\'", [unescape(literal.text, pattern=True)]
        self._fits(test, field)
        sql = {"=": "=", "!=": "IS NOT"}.get(op, op)
        return f"{column} {sql} ?", [self._value(field, literal)]

    def _fits(self, test: Comparison, field: Field) -> None:
        limited = field.type in ("boolean", "id", "reference", "multipicklist")
        if limited and test.op not in _EQUALITY and field.type not in ("id", "reference"):
            raise self._wrong(
                test, f"invalid operator on {field.type} field", "INVALID_QUERY_FILTER_OPERATOR"
            )

    def _within(self, test: Comparison, column: str, field: Field, literal: Literal) -> Sql:
        found = stretch(literal.text, self._now.date())
        if found is None or field.type not in ("date", "datetime"):
            raise refuse(
                "MALFORMED_QUERY", self._scope.text, literal.at,
                f"unexpected token: '{literal.text}'",
            )  # fmt: skip
        low, high = (
            day.isoformat()
            if field.type == "date"
            else moments.stamp(datetime.combine(day, time(), UTC))
            for day in found
        )
        inside = f"{column} >= ? AND {column} < ?"
        tests: dict[str, Sql] = {
            "=": (inside, [low, high]),
            "!=": (f"NOT COALESCE(({inside}), 0)", [low, high]),
            "<": (f"{column} < ?", [low]),
            "<=": (f"{column} < ?", [high]),
            ">": (f"{column} >= ?", [high]),
            ">=": (f"{column} >= ?", [low]),
        }
        if test.op not in tests:
            raise self._wrong(test, f"invalid operator on {field.type} field")
        return tests[test.op]

    def _list(
        self, test: Comparison, column: str, field: Field, literals: tuple[Literal, ...]
    ) -> Sql:
        values = [self._value(field, item) for item in literals if item.kind != "null"]
        text = f"{column} IN ({','.join('?' * len(values))})"
        if len(values) < len(literals):
            text = f"{column} IS NULL OR {text}"
        if test.op == "NOT IN":
            text = f"NOT COALESCE(({text}), 0)"
        return text, values

    def _semi_join(self, test: Comparison, column: str, field: Field, query: Query) -> Sql:
        if field.type not in ("id", "reference"):
            raise self._wrong(test, f"The left operand of a semi join is no id: {field.name}")
        inner, values = self._nested(query)
        text = f"{column} IN ({inner})"
        return (f"NOT COALESCE(({text}), 0)" if test.op == "NOT IN" else text), values

    def _chosen(self, test: Comparison, column: str, field: Field) -> Sql:
        if field.type != "multipicklist" or not isinstance(test.right, tuple):
            raise self._wrong(
                test, f"invalid operator on {field.type} field", "INVALID_QUERY_FILTER_OPERATOR"
            )
        either, values = [], []
        for literal in test.right:
            wanted = str(self._value(field, literal)).split(";")
            every = f"instr(';'||lower({column})||';', ?) > 0"
            either.append("(" + " AND ".join([every] * len(wanted)) + ")")
            values += [f";{item.lower()};" for item in wanted]
        text = " OR ".join(either)
        return (f"NOT COALESCE(({text}), 0)" if test.op == "EXCLUDES" else text), values

    def _value(self, field: Field, literal: Literal) -> str | float:
        """Return a literal as the tables hold it."""
        if field.type in ("id", "reference") and literal.kind == "string":
            id_ = ids.normal(unescape(literal.text))
            if id_ is None:
                raise refuse(
                    "INVALID_QUERY_FILTER_OPERATOR",
                    self._scope.text,
                    literal.at,
                    f"invalid ID field: {literal.text}",
                )
            return id_
        wanted = _wanted(field)
        if literal.kind != wanted:
            quoted = "" if wanted == "string" else "not "
            raise refuse(
                "INVALID_FIELD",
                self._scope.text,
                literal.at,
                f"value of filter criterion for field '{field.name}' must be of type"
                f" {'string' if wanted == 'string' else field.type} and should {quoted}be"
                " enclosed in quotes",
            )
        if field.millis and literal.kind == "datetime":
            return self._exact(literal)
        return self._converted(literal)

    def _exact(self, literal: Literal) -> str:
        try:
            return moments.exact(literal.text)
        except ValueError as error:
            raise refuse("MALFORMED_QUERY", self._scope.text, literal.at, str(error)) from None

    def _converted(self, literal: Literal) -> str | float:
        if literal.kind == "string":
            return unescape(literal.text)
        if literal.kind == "number":
            return float(literal.text)
        if literal.kind == "boolean":
            return int(literal.text == "true")
        try:
            if literal.kind == "date":
                return moments.parse_day(literal.text).isoformat()
            return moments.stamp(moments.parse(literal.text))
        except ValueError as error:
            raise refuse("MALFORMED_QUERY", self._scope.text, literal.at, str(error)) from None


def _wanted(field: Field) -> str:
    if field.type in NUMERIC:
        return "number"
    return field.type if field.type in ("boolean", "date", "datetime") else "string"


def sort(scope: Scope, name: Name) -> tuple[Source, Field]:
    """Return where a term of ORDER BY leads.

    Raises:
        Refusal: an unknown or unsortable field.
    """
    source, field, _ = scope.resolve(name)
    if not field.sortable:
        raise refuse(
            "MALFORMED_QUERY",
            scope.text,
            name.at,
            f"field '{field.name}' can not be sorted in a query call",
        )
    return source, field
