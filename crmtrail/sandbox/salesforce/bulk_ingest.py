"""Bulk API 2.0 ingest jobs: /jobs/ingest."""

import json
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce.bulk_jobs import DONE, Job, Jobs, layout, listed, wrong_state
from crmtrail.sandbox.salesforce.bulk_rows import BulkRows, Columns
from crmtrail.sandbox.salesforce.calls import Call, wrong_method
from crmtrail.sandbox.salesforce.csv_text import BadCsv, page, parse
from crmtrail.sandbox.salesforce.quota import MAX_BATCHES
from crmtrail.sandbox.salesforce.refusal import Refusal, not_found, unparsable

OLDEST = 41.0
MAX_UPLOAD = 100_000_000
BATCH_ROWS = 10_000
MAX_COLUMNS, MAX_CELL, MAX_ROW = 5000, 131_072, 400_000
OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
_KEYS = {
    "object", "operation", "contentType", "columnDelimiter", "lineEnding",
    "externalIdFieldName", "assignmentRuleId",
}  # fmt: skip
_PARTS = {
    "successfulresults": ("successful", ("sf__Id", "sf__Created")),
    "failedresults": ("failed", ("sf__Id", "sf__Error")),
    "unprocessedrecords": ("unprocessed", ()),
}


class BulkIngest:
    """Answers for ingest jobs and carries them out."""

    def __init__(self, jobs: Jobs, rows: BulkRows) -> None:
        self._jobs = jobs
        self._tables = jobs.tables
        self._rows = rows

    def answer(self, call: Call) -> Reply:
        """Answer for /jobs/ingest and what lies below."""
        rest = call.parts[2:]
        if float(call.version) < OLDEST:
            raise not_found()
        if not rest:
            if call.method == "POST":
                return Reply.of(200, self._open(call).shown())
            if call.method == "GET":
                return listed(call, self._jobs.listed(call, "ingest"), "ingest")
            raise wrong_method(call, "GET", "POST")
        job = self._jobs.find(call, "ingest", rest[0])
        if rest[1:] == ("batches",):
            return self._upload(call, job)
        if len(rest) == len(("job", "part")) and rest[1].lower() in _PARTS:
            return self._results(call, job, *_PARTS[rest[1].lower()])
        if rest[1:]:
            raise not_found()
        return self._one(call, job)

    def _one(self, call: Call, job: Job) -> Reply:
        if call.method == "GET":
            if job.state in ("UploadComplete", "InProgress"):
                self.move(job, self._jobs.advance(job))
            return Reply.of(200, job.shown())
        if call.method == "PATCH":
            return self._set_state(call, job)
        if call.method == "DELETE":
            self._jobs.delete(job)
            return Reply(204)
        raise wrong_method(call, "GET", "PATCH", "DELETE")

    def _open(self, call: Call) -> Job:
        order = call.members()
        if strange := set(order) - _KEYS:
            raise unparsable(f"Unrecognized field(s): {', '.join(sorted(strange))}")
        operation = order.get("operation")
        if operation not in OPERATIONS:
            raise Refusal("INVALIDJOB", f"Unsupported operation: {operation}")
        if operation == "hardDelete" and not self._tables.setting("bulk_hard_delete"):
            raise Refusal(
                "FEATURENOTENABLED", "hardDelete operation requires special user profile permission"
            )
        sobject = self._tables.schema.get(str(order.get("object")))
        if sobject is None:
            raise Refusal("INVALIDENTITY", f"Unable to find object: {order.get('object')}")
        if self._used() >= self._jobs.number("most_batches", MAX_BATCHES):
            raise Refusal("LIMIT_EXCEEDED", "The limit of batches in 24 hours is reached")
        told: dict[str, Any] = {"operation": operation, "object": sobject.name, **layout(order)}
        key = order.get("externalIdFieldName")
        if (operation == "upsert") != isinstance(key, str):
            raise Refusal("INVALIDJOB", "externalIdFieldName goes with upsert and with it alone")
        if isinstance(key, str):
            field = call.view.field(sobject, key)
            if field is None or not (field.external or field.type == "id"):
                raise Refusal("INVALIDJOB", f"No external id field {key} on {sobject.name}")
            told["externalIdFieldName"] = field.name
        own = {
            "polls": self._jobs.number("polls", 1), "rows": 0, "batches": 0,
            "assigning": bool(order.get("assignmentRuleId")), "version": call.version,
        }  # fmt: skip
        job = self._jobs.open(call, "ingest", told, own)
        place = f"services/data/v{call.version}/jobs/ingest/{job.id}/batches"
        job.told["contentUrl"] = place
        self._jobs.keep(job)
        return job

    def _used(self) -> int:
        return sum(job.own["batches"] for job in self._jobs.lately("ingest"))

    def _upload(self, call: Call, job: Job) -> Reply:
        call.must_be("PUT")
        kind = call.request.headers.get("content-type", "").lower()
        if not kind.startswith("text/csv"):
            raise Refusal(
                "UNSUPPORTED_MEDIA_TYPE", f"Content type {kind} is not supported.", status=415
            )
        if job.state != "Open":
            raise wrong_state(job, "filled")
        if job.own["batches"]:
            raise Refusal(
                "INVALIDBATCH",
                f"Found multiple contents for job: <{job.id}>, please do only one 'PUT' on a"
                " given Job.",
            )
        if len(call.request.body) > self._jobs.number("most_upload", MAX_UPLOAD):
            raise Refusal("EXCEEDED_MAX_SIZE_REQUEST", "The upload is larger than 100 MB")
        try:
            text = call.request.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Refusal("INVALIDBATCH", "The upload is not UTF-8") from None
        size = self._jobs.number("batch_rows", BATCH_ROWS)
        job.own["batches"] = 1 + text.count("\n") // max(1, size)
        self._jobs.add_lines(job, "upload", [text])
        self._jobs.keep(job)
        return Reply(201)

    def _set_state(self, call: Call, job: Job) -> Reply:
        state = call.members().get("state")
        if state not in ("UploadComplete", "Aborted"):
            raise Refusal("INVALIDJOBSTATE", f"A job cannot be set to {state}")
        if job.over or (state == "UploadComplete" and job.state != "Open"):
            raise wrong_state(job, f"set to {state}")
        if state == "UploadComplete" and not job.own["batches"]:
            raise Refusal("INVALIDJOBSTATE", "The job has no data")
        job.own["ready"] = self._jobs.now().timestamp()
        job.own["request"] = self._tables.world.request_number
        if state == "Aborted":
            if job.own["batches"] and "columns" not in job.own:
                self._start(job)
            self._leave_rest(job)
        job.state = state
        self._jobs.keep(job)
        return Reply.of(200, job.shown())

    def move(self, job: Job, state: str) -> None:
        """Let a job come into a state: half of its rows are written when it starts to run."""
        with self._tables.world.under(job.own["request"]):
            if state != "UploadComplete" and job.state == "UploadComplete":
                job.state = "InProgress"
                failing = self._tables.setting("bulk_fail_ingest_after")
                if failing:
                    job.own["stop"] = int(failing)
                    self._tables.set("bulk_fail_ingest_after", "")
                self._start(job)
                self._process(job, job.own["rows"] // 2)
            if state in DONE and job.state == "InProgress":
                self._process(job, job.own["rows"])
                self._leave_rest(job)
                job.state = job.own["outcome"]
        self._jobs.keep(job)

    def _start(self, job: Job) -> None:
        """Read the upload; a mistake in its form fails the job."""
        job.told |= {
            "jobType": "V2Ingest", "numberRecordsProcessed": 0, "numberRecordsFailed": 0,
            "retries": 0, "totalProcessingTime": 0, "apiActiveProcessingTime": 0,
            "apexProcessingTime": 0,
        }  # fmt: skip
        job.own |= {"outcome": "JobComplete", "at": 0, "columns": []}
        (text,) = self._jobs.lines(job, "upload")
        try:
            header, *rows = parse(text, job.delimiter, job.ending)
            _sized(header, rows)
        except (BadCsv, ValueError) as error:
            self._fail(job, f"ClientInputError : {error}")
            return
        job.own |= {"columns": header, "rows": len(rows)}
        self._jobs.add_lines(job, "input", (json.dumps(row) for row in rows))
        try:
            self._rows.columns(job)
        except BadCsv as error:
            self._fail(job, f"InvalidBatch : {error}")

    def _fail(self, job: Job, message: str) -> None:
        job.own |= {"outcome": "Failed", "failed": True}
        job.told["errorMessage"] = message

    def _process(self, job: Job, end: int) -> None:
        """Write rows up to a number; stop where the job is to fail."""
        if job.own.get("failed"):
            return
        stop = job.own.get("stop", end)
        start, last = job.own["at"], min(end, stop)
        if last > start:
            rows = [
                json.loads(told) for told in self._jobs.lines(job, "input", start, last - start)
            ]
            columns: Columns = self._rows.columns(job)
            self._rows.write(job, columns, start, rows)
            job.own["at"] = last
            job.told["numberRecordsProcessed"] = last
            job.told["totalProcessingTime"] = 10 * last
        if stop <= end and "stop" in job.own:
            self._fail(job, "InternalServerError : Max retries exceeded")

    def _leave_rest(self, job: Job) -> None:
        """Put the rows that were not looked at among the unprocessed ones."""
        if "at" not in job.own:
            return
        rest = self._jobs.lines(job, "input", job.own["at"])
        self._rows.keep_lines(job, "unprocessed", [json.loads(told) for told in rest])

    def _results(self, call: Call, job: Job, part: str, own: tuple[str, ...]) -> Reply:
        call.must_be("GET")
        if not job.over:
            raise wrong_state(job, "read: it has no results")
        lines = self._jobs.lines(job, part)
        # No order is promised, so none is kept.
        self._tables.world.random(f"salesforce/job/{job.id}/{part}").shuffle(lines)
        header = [*own, *job.own.get("columns", [])]
        body = page(header, lines, job.delimiter, job.ending)
        return Reply(200, body, {"Content-Type": "text/csv"})


def _sized(header: list[str], rows: list[list[str]]) -> None:
    if len(header) > MAX_COLUMNS:
        raise BadCsv(f"more than {MAX_COLUMNS} columns")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise BadCsv(f"row {number} has {len(row)} columns, the header has {len(header)}")
        if sum(map(len, row)) > MAX_ROW or any(len(cell) > MAX_CELL for cell in row):
            raise BadCsv(f"row {number} is too long")
