"""From the tree of a SOQL statement to SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmtrail.sandbox.salesforce.access_rules import narrowed
from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.filters import Filters, Sql, sort
from crmtrail.sandbox.salesforce.history_age import shown_since
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import Schema, SObject
from crmtrail.sandbox.salesforce.scope import Scope
from crmtrail.sandbox.salesforce.shape import Shape, shaped
from crmtrail.sandbox.salesforce.soql_tree import Call, Name, Order, Query, refuse
from crmtrail.sandbox.salesforce.visibility import View

FIELDS_LIMIT = 200
Selected = tuple[Field, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query of records: how to find the rows, how to read and shape them."""

    find: str
    values: list[Any]
    read: str
    shape: Shape
    children: list["ChildPlan"]
    long_texts: int
    chosen: tuple[Selected, ...]


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """A compiled child subquery; ``key_at`` is where the parent's id stands in a row."""

    name: str
    read: str
    values: list[Any]
    shape: Shape
    key_at: int
    limit: int | None
    offset: int


class Compiler:
    """Compiles statements of one user at one moment; ``all_rows`` includes deleted records."""

    def __init__(self, schema: Schema, view: View, now: datetime, *, all_rows: bool) -> None:
        self._schema = schema
        self._view = view
        self._now = now
        self._all_rows = all_rows

    def sobject(self, query: Query) -> SObject:
        """Return the object a statement asks for.

        Raises:
            Refusal: there is none of that name.
        """
        found = self._schema.get(query.source)
        if found is None or found.name in self._view.hidden:
            raise refuse(
                "INVALID_TYPE",
                query.text,
                query.at,
                f"sObject type '{query.source}' is not supported. If you are attempting to use a"
                " custom object, be sure to append the '__c' after the entity name. Please"
                " reference your WSDL or the describe call for the appropriate names.",
            )
        narrowed(found, query, all_files=self._view.all_files)
        return found

    def scope(self, query: Query, sobject: SObject, mark: str = "t") -> Scope:
        """Return the scope in which a statement's names are looked up."""
        return Scope(self._schema, self._view, sobject, query.text, alias=query.alias, mark=mark)

    def where(self, query: Query, scope: Scope) -> Sql:
        """Return the SQL condition of a statement, the recycle bin's included."""
        tests: list[str] = ["1"]
        values: list[Any] = []
        if query.where is not None:
            text, values = self._filters(scope).sql(query.where)
            tests = [f"({text})"]
        if scope.root.sobject.bin and not self._all_rows:
            tests.append(f"{scope.mark}0._deleted IS NULL")
        if since := shown_since(scope.root.sobject, self._now, all_rows=self._all_rows):
            tests.append(f'{scope.mark}0."CreatedDate" >= ?')
            values.append(since)
        return " AND ".join(tests), values

    def _filters(self, scope: Scope) -> Filters:
        def nested(query: Query) -> Sql:
            return self._nested(query, scope.mark + "s")

        return Filters(scope, self._now, nested)

    def _nested(self, query: Query, mark: str) -> Sql:
        scope = self.scope(query, self.sobject(query), mark)
        if len(query.select) != 1 or not isinstance(query.select[0], Name):
            raise Refusal("MALFORMED_QUERY", "A semi join sub-select must select one field")
        source, field, _ = scope.resolve(query.select[0])
        if field.type not in ("id", "reference"):
            raise refuse(
                "MALFORMED_QUERY", query.text, query.select[0].at,
                "Cannot use the selected field in a semi join sub-select: " + field.name,
            )  # fmt: skip
        where, values = self.where(query, scope)
        column = source.sql(field)
        text = f"SELECT {column} FROM {scope.tables} WHERE {where} AND {column} IS NOT NULL"
        return text, values

    def records(self, query: Query) -> Plan:
        """Compile a statement that returns records.

        Raises:
            Refusal: whatever is wrong with it.
        """
        scope = self.scope(query, self.sobject(query))
        chosen = list(self._chosen(query, scope))
        _no_duplicates(chosen)
        where, values = self.where(query, scope)
        order = self._order(query.order, scope)
        shape, columns = shaped(scope, chosen)
        children = [
            self._child(item, scope.root.sobject, number)
            for number, item in enumerate(query.select)
            if isinstance(item, Query)
        ]
        find = f"SELECT t0._row FROM {scope.tables} WHERE {where}{order}{paged(query)}"
        alive = " AND t0._deleted IS NULL" if not self._all_rows else ""
        read = (
            f"SELECT {columns.sql()}, t0._row FROM {scope.tables}"
            f" WHERE t0._row IN (SELECT value FROM json_each(?)){alive}"
        )
        long_texts = sum(field.long for field, _ in chosen)
        return Plan(find, values, read, shape, children, long_texts, tuple(chosen))

    def _child(self, query: Query, parent: SObject, number: int) -> ChildPlan:
        found = self._schema.child(parent.name, query.source)
        if found is None or found[0].name in self._view.hidden:
            raise refuse(
                "INVALID_TYPE",
                query.text,
                query.at,
                f"Didn't understand relationship '{query.source}' in FROM part of query call. If"
                " you are attempting to use a custom relationship, be sure to append the '__r'"
                " after the custom relationship name. Please reference your WSDL or the describe"
                " call for the appropriate names.",
            )
        child, field = found
        mark = f"c{number}_"
        scope = self.scope(query, child, mark)
        chosen = list(self._chosen(query, scope))
        _no_duplicates(chosen)
        where, values = self.where(query, scope)
        order = self._order(query.order, scope)
        shape, columns = shaped(scope, chosen)
        key = f'{mark}0."{field.name}"'
        key_at = columns.at(key)
        read = (
            f"SELECT {columns.sql()} FROM {scope.tables}"
            f" WHERE {key} IN (SELECT value FROM json_each(?)) AND {where}{order}"
        )
        name = field.children or query.source
        return ChildPlan(name, read, values, shape, key_at, query.limit, query.offset)

    def _chosen(self, query: Query, scope: Scope) -> Iterator[Selected]:
        for item in query.select:
            if isinstance(item, Query):
                continue
            if isinstance(item, Name):
                _, field, path = scope.resolve(item)
                yield field, path
            elif item.function == "FIELDS":
                yield from ((field, ()) for field in self._all_fields(query, item, scope))
            else:
                raise refuse(
                    "MALFORMED_QUERY", query.text, item.at,
                    f"unexpected function in a query of records: {item.function}",
                )  # fmt: skip

    def _all_fields(self, query: Query, call: Call, scope: Scope) -> Sequence[Field]:
        kind = call.arg.parts[0].upper() if call.arg else ""
        if kind not in ("ALL", "STANDARD", "CUSTOM"):
            raise refuse("MALFORMED_QUERY", query.text, call.at, "unexpected argument of FIELDS")
        if kind != "STANDARD" and (query.limit is None or query.limit > FIELDS_LIMIT):
            raise Refusal(
                "MALFORMED_QUERY",
                f"The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}",
            )
        return [
            field
            for field in self._view.fields(scope.root.sobject)
            if kind == "ALL" or field.custom == (kind == "CUSTOM")
        ]

    def _order(self, terms: tuple[Order, ...], scope: Scope) -> str:
        if not terms:
            return ""
        parts = []
        for term in terms:
            if isinstance(term.by, Call):
                raise refuse(
                    "MALFORMED_QUERY", scope.text, term.by.at, "unexpected function in ORDER BY"
                )
            source, field = sort(scope, term.by)
            parts.append(ordered(source.compared(field), term))
        return " ORDER BY " + ", ".join(parts)


def ordered(sql: str, term: Order) -> str:
    """Return one term of an SQL ORDER BY."""
    way = "DESC" if term.descending else "ASC"
    return f"{sql} {way} NULLS {'FIRST' if term.nulls_first else 'LAST'}"


def paged(query: Query) -> str:
    """Return the SQL LIMIT of a statement."""
    if query.limit is None and not query.offset:
        return ""
    return f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"


def _no_duplicates(chosen: list[Selected]) -> None:
    seen = set()
    for field, path in chosen:
        key = (path, field.name)
        if key in seen:
            raise Refusal("INVALID_FIELD", f"duplicate field selected: {'.'.join((*path, key[1]))}")
        seen.add(key)
