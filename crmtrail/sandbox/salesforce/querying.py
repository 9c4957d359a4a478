"""The resources query, queryAll and their following pages."""

import json
from array import array
from collections.abc import Callable
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import soql
from crmtrail.sandbox.salesforce.aggregates import Aggregates, is_aggregate, is_count
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.compiling import ChildPlan, Compiler, Plan
from crmtrail.sandbox.salesforce.cursors import Cursor, Cursors
from crmtrail.sandbox.salesforce.orders import Order
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.tables import Tables

PAGE = 2000
LEAST_PAGE = 200
_LONG_TEXTS = 2
_TIMEOUT_STATUS = 400


class Querying:
    """Answers SOQL."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.cursors = Cursors()
        self.verbs: dict[str, Callable[[Order], list[str]]] = {
            "shrink_pages": self._shrink,
            "query_timeout": self._be_slow,
        }

    def _shrink(self, order: Order) -> list[str]:
        rows = int(order["rows"])
        if rows < 0:
            raise ValueError("rows must be a whole number; 0 ends it")
        self._tables.set("page_rows", str(rows))
        return []

    def _be_slow(self, order: Order) -> list[str]:
        status = int(order.get("status", _TIMEOUT_STATUS))
        self._tables.set("query_timeouts", f"{int(order.get('times', 1))}/{status}")
        return []

    def _in_time(self) -> None:
        """Refuse a query while the org is ordered to be too slow for it."""
        left, _, status = self._tables.setting("query_timeouts", "0/0").partition("/")
        if int(left) > 0:
            self._tables.set("query_timeouts", f"{int(left) - 1}/{status}")
            raise Refusal(
                "QUERY_TIMEOUT", "Your query request was running for too long.", status=int(status)
            )

    def _shrunk(self, size: int) -> int:
        """Return how many rows a page may hold: the server may always send fewer."""
        return min(size, int(self._tables.setting("page_rows", "0")) or size)

    def answer(self, call: Call) -> Reply:
        """Answer query, queryAll or query/{locator}."""
        call.must_be("GET")
        self._in_time()
        if len(call.parts) > 1:
            return Reply.of(200, self._more(call, call.parts[1]))
        text = call.request.one("q")
        if text is None:
            raise Refusal("MALFORMED_QUERY", "A query string has to be specified")
        return Reply.of(200, self._query(call, text, all_rows=call.parts[0] == "queryAll"))

    def _query(self, call: Call, text: str, *, all_rows: bool) -> dict[str, Any]:
        query = soql.parse(text)
        now = self._tables.world.clock.now()
        compiler = Compiler(self._tables.schema, call.view, now, all_rows=all_rows)
        if is_count(query):
            total = Aggregates(compiler, query, now).count(self._tables.db)
            return {"totalSize": total, "done": True, "records": []}
        if is_aggregate(query):
            rows = Aggregates(compiler, query, now).rows(self._tables.db)
            return {"totalSize": len(rows), "done": True, "records": rows}
        plan = compiler.records(query)
        found = self._tables.db.execute(plan.find, plan.values)
        rows_found = array("q", (row[0] for row in found))
        size = self._page_size(call, plan)
        first = self._shrunk(size)
        cursor = Cursor(
            call.session.token,
            call.session.user,
            now,
            rows_found,
            size,
            lambda rows, base: self._read(plan, rows, base),
        )
        locator = self.cursors.keep(cursor) if len(rows_found) > first else ""
        return self._page(call, locator, cursor, 0)

    def _more(self, call: Call, text: str) -> dict[str, Any]:
        now = self._tables.world.clock.now()
        locator, cursor, offset = self.cursors.find(text, call.session.token, now)
        return self._page(call, locator, cursor, offset)

    def _page(self, call: Call, locator: str, cursor: Cursor, offset: int) -> dict[str, Any]:
        end = offset + self._shrunk(cursor.page)
        records = cursor.read(cursor.rows[offset:end], call.base)
        answer: dict[str, Any] = {
            "totalSize": len(cursor.rows),
            "done": end >= len(cursor.rows),
            "records": records,
        }
        if not answer["done"]:
            answer["nextRecordsUrl"] = f"{call.base}/query/{locator}-{end}"
        return answer

    def _page_size(self, call: Call, plan: Plan) -> int:
        asked = call.option("sforce-query-options", "batchSize")
        size = PAGE
        if asked is not None:
            if not asked.isdigit():
                raise Refusal("INVALID_BATCH_SIZE", f"Batch size is no number: {asked}")
            size = max(LEAST_PAGE, min(PAGE, int(asked)))
        return min(size, LEAST_PAGE) if plan.long_texts >= _LONG_TEXTS else size

    def _read(self, plan: Plan, rows: "array[int]", base: str) -> list[dict[str, Any]]:
        cursor = self._tables.db.cursor()
        cursor.row_factory = None
        by_row = {row[-1]: row for row in cursor.execute(plan.read, (json.dumps(rows.tolist()),))}
        # Rows deleted since the query are gone from the page; the total stays as it was.
        found = [by_row[number] for number in rows if number in by_row]
        records = [plan.shape.build(row, base) for row in found]
        kept = [record for record in records if record is not None]
        for child in plan.children:
            self._attach(child, [row[plan.shape.id_at] for row in found], kept, base)
        return kept

    def _attach(
        self, plan: ChildPlan, parents: list[str], records: list[dict[str, Any]], base: str
    ) -> None:
        cursor = self._tables.db.cursor()
        cursor.row_factory = None
        grouped: dict[str, list[dict[str, Any]]] = {parent: [] for parent in parents}
        for row in cursor.execute(plan.read, (json.dumps(parents), *plan.values)):
            record = plan.shape.build(row, base)
            if record is not None:
                grouped[row[plan.key_at]].append(record)
        end = None if plan.limit is None else plan.offset + plan.limit
        for parent, record in zip(parents, records, strict=True):
            mine = grouped[parent][plan.offset : end]
            record[plan.name] = (
                {"totalSize": len(mine), "done": True, "records": mine} if mine else None
            )
