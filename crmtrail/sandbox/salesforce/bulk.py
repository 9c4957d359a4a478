"""The Bulk API 2.0: /jobs/query and /jobs/ingest."""

import json
from collections.abc import Callable
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce.bulk_ingest import BulkIngest
from crmtrail.sandbox.salesforce.bulk_jobs import Jobs
from crmtrail.sandbox.salesforce.bulk_query import BulkQuery
from crmtrail.sandbox.salesforce.bulk_rows import BulkRows
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.orders import Order
from crmtrail.sandbox.salesforce.refusal import not_found
from crmtrail.sandbox.salesforce.visibility import Visibility

_NUMBERS = {
    "polls",
    "page_rows",
    "fail_query",
    "most_query_jobs",
    "fail_ingest_after",
    "batch_rows",
    "most_batches",
    "most_upload",
}
_SWITCHES = {"late", "contend", "hard_delete"}


class Bulk:
    """Answers for jobs and lets time carry them out."""

    def __init__(self, editing: Editing, visibility: Visibility) -> None:
        self._tables = editing.tables
        self._jobs = Jobs(editing.tables)
        self._query = BulkQuery(self._jobs, visibility)
        rows = BulkRows(self._jobs, editing, visibility)
        self._ingest = BulkIngest(self._jobs, rows)
        self.verbs: dict[str, Callable[[Order], list[str]]] = {"bulk": self._order}

    def answer(self, call: Call) -> Reply:
        """Answer for /jobs and what lies below."""
        kind = call.parts[1] if len(call.parts) > 1 else ""
        if kind == "query":
            return self._query.answer(call)
        if kind == "ingest":
            return self._ingest.answer(call)
        raise not_found()

    def settle(self) -> None:
        """Carry out what nobody has polled for long, and forget what is old."""
        for job in self._jobs.waiting():
            worker = self._query if job.kind == "query" else self._ingest
            worker.move(job, "JobComplete")
        self._jobs.forget_old()

    def _order(self, order: Order) -> list[str]:
        """Set how the Bulk API behaves from now on; see docs/sandbox.md.

        Raises:
            ValueError: an unknown key or a value of the wrong type.
        """
        given: dict[str, Any] = {
            name: value for name, value in order.items() if name not in ("do", "crm", "as")
        }
        known = _NUMBERS | _SWITCHES | {"unsupported"}
        if not given or set(given) - known:
            raise ValueError(f"bulk wants some of {', '.join(sorted(known))}")
        for name, value in given.items():
            if name in _NUMBERS and (type(value) is not int or value < 0):
                raise ValueError(f"bulk: {name} must be a whole number from 0 up")
            if name in _NUMBERS:
                self._tables.set(f"bulk_{name}", str(value))
            elif name in _SWITCHES:
                self._tables.set(f"bulk_{name}", "1" if value else "")
            else:
                self._tables.set("bulk_unsupported", json.dumps([str(item) for item in value]))
        return []
