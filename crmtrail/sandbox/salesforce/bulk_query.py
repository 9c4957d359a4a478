"""Bulk API 2.0 query jobs: /jobs/query."""

import json
from collections.abc import Iterator
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import soql
from crmtrail.sandbox.salesforce.aggregates import is_aggregate
from crmtrail.sandbox.salesforce.bulk_jobs import (
    Job,
    Jobs,
    layout,
    listed,
    locator,
    offset,
    wrong_state,
)
from crmtrail.sandbox.salesforce.calls import Call, wrong_method
from crmtrail.sandbox.salesforce.compiling import Compiler, Plan
from crmtrail.sandbox.salesforce.csv_text import line, page
from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.quota import MAX_QUERY_JOBS
from crmtrail.sandbox.salesforce.refusal import Refusal, not_found, unparsable
from crmtrail.sandbox.salesforce.soql_tree import Call as Function
from crmtrail.sandbox.salesforce.soql_tree import Query
from crmtrail.sandbox.salesforce.visibility import View, Visibility

OLDEST, ORDERED = 47.0, 50.0
"""The version that brought query jobs, and the one since which columns keep their order."""
DEFAULT_ROWS = 50_000
NOT_IN_BULK = ("Attachment", "CaseStatus", "TaskStatus", "AcceptedEventRelation", "Document")
_KEYS = {"operation", "query", "contentType", "columnDelimiter", "lineEnding"}
_CHUNK = 2000
_BINARY, _COMPOUND = ("base64",), ("address", "location")


class BulkQuery:
    """Answers for query jobs and carries them out."""

    def __init__(self, jobs: Jobs, visibility: Visibility) -> None:
        self._jobs = jobs
        self._tables = jobs.tables
        self._visibility = visibility

    def answer(self, call: Call) -> Reply:
        """Answer for /jobs/query and what lies below."""
        rest = call.parts[2:]
        if float(call.version) < OLDEST:
            raise not_found()
        if not rest:
            if call.method == "POST":
                return Reply.of(200, self._open(call).shown())
            if call.method == "GET":
                return self._list(call)
            raise wrong_method(call, "GET", "POST")
        job = self._jobs.find(call, "query", rest[0])
        if rest[1:] == ("results",):
            call.must_be("GET")
            return self._results(call, job)
        if rest[1:]:
            raise not_found()
        return self._one(call, job)

    def _one(self, call: Call, job: Job) -> Reply:
        if call.method == "GET":
            if not job.over:
                self.move(job, self._jobs.advance(job))
            return Reply.of(200, job.shown())
        if call.method == "PATCH":
            return self._abort(call, job)
        if call.method == "DELETE":
            self._jobs.delete(job)
            return Reply(204)
        raise wrong_method(call, "GET", "PATCH", "DELETE")

    def _open(self, call: Call) -> Job:
        order = call.members()
        if strange := set(order) - _KEYS:
            raise unparsable(f"Unrecognized field(s): {', '.join(sorted(strange))}")
        operation, text = order.get("operation"), order.get("query")
        if operation not in ("query", "queryAll"):
            raise Refusal("INVALIDJOB", f"Unsupported operation: {operation}")
        if not isinstance(text, str) or not text.strip():
            raise Refusal("INVALIDJOB", "A query is required")
        looks = layout(order)
        if len(self._jobs.lately("query")) >= self._jobs.number("most_query_jobs", MAX_QUERY_JOBS):
            raise Refusal("LIMIT_EXCEEDED", "The limit of query jobs in 24 hours is reached")
        query = soql.parse(text)
        object_ = query.source
        if not self._tables.setting("bulk_late"):
            object_ = self._compiled(query, call.view, operation)[1]
        told = {"operation": operation, "object": object_, **looks}
        own = {
            "query": text, "polls": self._jobs.number("polls", 1), "version": float(call.version),
        }  # fmt: skip
        return self._jobs.open(call, "query", told, own)

    def _compiled(self, query: Query, view: View, operation: str) -> tuple[Plan, str]:
        """Return the plan and the object of a statement.

        Raises:
            Refusal: no statement, or none for the Bulk API.
        """
        told = self._tables.setting("bulk_unsupported")
        barred = {name.lower() for name in [*NOT_IN_BULK, *json.loads(told or "[]")]}
        if query.source.lower() in barred:
            raise Refusal(
                "INVALIDENTITY", f"Entity '{query.source}' is not supported by the Bulk API."
            )
        if any(isinstance(item, Query) for item in query.select) or is_aggregate(query):
            raise _refused("Aggregate Relationships not supported in Bulk Query")
        if query.offset:
            raise _refused("OFFSET not supported in Bulk Query")
        _no_unbounded(query)
        compiler = Compiler(
            self._tables.schema, view, self._jobs.now(), all_rows=operation == "queryAll"
        )
        plan = compiler.records(query)
        for field, _ in plan.chosen:
            if field.type in _COMPOUND:
                raise _refused("Selecting compound data not supported in Bulk Query")
            if field.type in _BINARY:
                raise _refused("Selecting binary data not supported in Bulk Query")
        return plan, compiler.sobject(query).name

    def move(self, job: Job, state: str) -> None:
        """Let a job come into a state; the rows are those of the moment it starts to run."""
        if state != "UploadComplete" and job.state == "UploadComplete":
            job.state = "InProgress"
            self._run(job)
        if state == "JobComplete" and job.state == "InProgress":
            job.state = job.own.pop("outcome")
            job.told["numberRecordsProcessed"] = job.own["rows"]
            job.told["totalProcessingTime"] = 100 + job.own["rows"]
        self._jobs.keep(job)

    def _run(self, job: Job) -> None:
        job.told |= {
            "jobType": "V2Query", "numberRecordsProcessed": 0, "retries": 0,
            "totalProcessingTime": 0,
        }  # fmt: skip
        job.own |= {"outcome": "JobComplete", "rows": 0}
        failing = self._jobs.number("fail_query", 0)
        if failing:
            self._tables.set("bulk_fail_query", str(failing - 1))
            job.own["outcome"] = "Failed"
            return
        owner = self._jobs.owner(job)
        view = self._visibility.view(owner.user, reads_only=owner.reads_only)
        try:
            query = soql.parse(job.own["query"])
            plan, _ = self._compiled(query, view, job.told["operation"])
        except Refusal as refusal:
            job.own["outcome"] = "Failed"
            job.told["errorMessage"] = str(refusal)
            return
        chosen = plan.chosen
        if job.own["version"] < ORDERED:
            chosen = tuple(sorted(chosen, key=lambda item: (*item[1], item[0].name)))
        job.own["columns"] = [".".join((*path, field.name)) for field, path in chosen]
        job.own["rows"] = self._keep_rows(job, plan, chosen)

    def _keep_rows(
        self, job: Job, plan: Plan, chosen: tuple[tuple[Field, tuple[str, ...]], ...]
    ) -> int:
        cursor = self._tables.db.cursor()
        cursor.row_factory = None
        numbers = [row[0] for row in cursor.execute(plan.find, plan.values)]

        def lines() -> Iterator[str]:
            for at in range(0, len(numbers), _CHUNK):
                part = numbers[at : at + _CHUNK]
                found = {row[-1]: row for row in cursor.execute(plan.read, (json.dumps(part),))}
                for number in part:
                    record = plan.shape.build(found[number], "")
                    yield line((_cell(record, *item) for item in chosen), job.delimiter)

        self._jobs.add_lines(job, "rows", lines())
        return len(numbers)

    def _results(self, call: Call, job: Job) -> Reply:
        if float(call.version) != job.told["apiVersion"]:
            raise Refusal(
                "VERSION_CONFLICT",
                f"Results must be fetched with the job's API version {job.told['apiVersion']}",
                status=409,
            )
        if job.state != "JobComplete":
            raise wrong_state(job, "read: it has no results")
        rows = job.own["rows"]
        start = offset(call.request.one("locator"), rows)
        most = min(_most(call), self._jobs.number("page_rows", DEFAULT_ROWS * 20))
        lines = self._jobs.lines(job, "rows", start, most)
        ended = start + len(lines) >= rows
        headers = {
            "Content-Type": "text/csv",
            "Sforce-Locator": "null" if ended else locator(start + len(lines)),
            "Sforce-NumberOfRecords": str(len(lines)),
        }
        return Reply(200, page(job.own["columns"], lines, job.delimiter, job.ending), headers)

    def _abort(self, call: Call, job: Job) -> Reply:
        if call.members().get("state") != "Aborted":
            raise Refusal("INVALIDJOBSTATE", "A query job can only be set to Aborted")
        if job.over:
            raise wrong_state(job, "aborted")
        job.state = "Aborted"
        self._jobs.keep(job)
        return Reply.of(200, job.shown())

    def _list(self, call: Call) -> Reply:
        return listed(call, self._jobs.listed(call, "query"), "query")


def _refused(message: str) -> Refusal:
    return Refusal("API_ERROR", message)


def _no_unbounded(query: Query) -> None:
    for item in query.select:
        if isinstance(item, Function) and item.function == "FIELDS":
            kind = item.arg.parts[0].upper() if item.arg else ""
            if kind != "STANDARD":
                raise Refusal(
                    "MALFORMED_QUERY",
                    "The SOQL FIELDS function is not supported with an unbounded set of fields"
                    " in this API.",
                )


def _cell(record: Any, field: Field, path: tuple[str, ...]) -> str:
    """Return a value as text: null is empty, a moment ends in Z."""
    for step in path:
        record = record and record[step]
    value = None if record is None else record[field.name]
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("+0000", "Z") if field.type == "datetime" else value
    return json.dumps(value, ensure_ascii=False)


def _most(call: Call) -> int:
    asked = call.request.one("maxRecords")
    if asked is None:
        return DEFAULT_ROWS
    if not asked.isdigit() or int(asked) < 1:
        raise Refusal("INVALID_INPUT", f"maxRecords is no positive number: {asked}")
    return int(asked)
