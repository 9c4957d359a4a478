"""SOQL that counts and groups rather than returning records."""

import sqlite3
from datetime import datetime
from typing import Any

from crmtrail.sandbox.salesforce.compiling import Compiler, ordered, paged
from crmtrail.sandbox.salesforce.fields import NUMERIC, Field
from crmtrail.sandbox.salesforce.filters import Filters, Sql
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.soql_tree import Call, Name, Order, Query, refuse
from crmtrail.sandbox.salesforce.values import to_json

_MAX_GROUPS = 2000
_NUMBER = Field("expr", "double")
_FUNCTIONS = ("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX")


def is_count(query: Query) -> bool:
    """Whether a statement is SELECT COUNT() FROM ..."""
    first = query.select[0]
    return isinstance(first, Call) and first.function == "COUNT" and first.arg is None


def is_aggregate(query: Query) -> bool:
    """Whether a statement groups or uses an aggregate function."""
    return bool(query.group) or any(
        isinstance(item, Call) and item.function in _FUNCTIONS for item in query.select
    )


class Aggregates:
    """Answers counting and grouping statements."""

    def __init__(self, compiler: Compiler, query: Query, now: datetime) -> None:
        self._compiler = compiler
        self._query = query
        self._now = now
        self._scope = compiler.scope(query, compiler.sobject(query))

    def count(self, db: sqlite3.Connection) -> int:
        """Return what COUNT() counts.

        Raises:
            Refusal: something else is selected, too.
        """
        if len(self._query.select) > 1 or self._query.group:
            raise Refusal("MALFORMED_QUERY", "COUNT() must be the only element in the SELECT list")
        where, values = self._compiler.where(self._query, self._scope)
        sql = f"SELECT 1 FROM {self._scope.tables} WHERE {where}{paged(self._query)}"
        (found,) = db.execute(f"SELECT COUNT(*) FROM ({sql})", values).fetchone()
        return int(found)

    def rows(self, db: sqlite3.Connection) -> list[dict[str, Any]]:
        """Return one record per group.

        Raises:
            Refusal: a field that is neither grouped nor aggregated, or too many groups.
        """
        outputs = self._outputs()
        where, values = self._compiler.where(self._query, self._scope)
        group = [self._grouped(name) for name in self._query.group]
        tail, more = self._tail(group)
        listed = ", ".join(sql for _, sql, _ in outputs)
        sql = f"SELECT {listed} FROM {self._scope.tables} WHERE {where}{tail}"
        found = db.execute(sql, values + more).fetchall()
        if len(found) > _MAX_GROUPS:
            raise Refusal(
                "EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT"
            )
        head: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        return [
            head
            | {
                name: to_json(field, value)
                for (name, _, field), value in zip(outputs, row, strict=True)
            }
            for row in found
        ]

    def _tail(self, group: list[str]) -> Sql:
        sql = ""
        values: list[Any] = []
        if group:
            sql = " GROUP BY " + ", ".join(group)
        if self._query.having is not None:
            text, values = Filters(self._scope, self._now, self._no_query, self._call).sql(
                self._query.having
            )
            sql += f" HAVING {text}"
        if self._query.order:
            terms = [ordered(self._term(term), term) for term in self._query.order]
            sql += " ORDER BY " + ", ".join(terms)
        return sql + paged(self._query), values

    def _no_query(self, query: Query) -> Sql:
        raise refuse("MALFORMED_QUERY", query.text, query.at, "no subquery in HAVING")

    def _term(self, term: Order) -> str:
        by = term.by
        return self._call(by)[0] if isinstance(by, Call) else self._grouped(by)

    def _outputs(self) -> list[tuple[str, str, Field]]:
        grouped = {self._scope.resolve(name)[1:] for name in self._query.group}
        made = []
        unnamed = 0
        for item in self._query.select:
            if isinstance(item, Name):
                source, field, path = self._scope.resolve(item)
                if (field, path) not in grouped:
                    raise refuse(
                        "MALFORMED_QUERY", self._query.text, item.at,
                        "Field must be grouped or aggregated: " + ".".join(item.parts),
                    )  # fmt: skip
                made.append((item.alias or field.name, source.sql(field), field))
            elif isinstance(item, Call):
                sql, field = self._call(item)
                made.append((item.alias or f"expr{unnamed}", sql, field))
                unnamed += item.alias is None
            else:
                raise Refusal("MALFORMED_QUERY", "subqueries cannot be grouped")
        return made

    def _grouped(self, name: Name) -> str:
        source, field, _ = self._scope.resolve(name)
        if not field.sortable:
            raise refuse(
                "MALFORMED_QUERY", self._query.text, name.at,
                f"field '{field.name}' can not be grouped in a query call",
            )  # fmt: skip
        return source.compared(field)

    def _call(self, call: Call) -> tuple[str, Field]:
        if call.function not in _FUNCTIONS or call.arg is None:
            raise refuse(
                "MALFORMED_QUERY", self._query.text, call.at,
                f"unexpected function: {call.function}",
            )  # fmt: skip
        source, field, _ = self._scope.resolve(call.arg)
        adds = call.function in ("SUM", "AVG")
        if not field.aggregatable or (adds and field.type not in NUMERIC):
            raise refuse(
                "MALFORMED_QUERY",
                self._query.text,
                call.at,
                f"field {field.name} does not support aggregate operator {call.function}",
            )
        kept = field if call.function in ("MIN", "MAX") else _NUMBER
        column = source.sql(field)
        if call.function == "COUNT_DISTINCT":
            return f"COUNT(DISTINCT {column})", kept
        return f"{call.function}({column})", kept
