"""One job of the Bulk API 2.0 that updates records: opened, filled, closed, waited for, read.

Nothing is written before the job is closed (state UploadComplete). Once that may have arrived, the
job itself is asked what became of it; it is never closed or filled a second time.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from connectors.salesforce.answers import Refusal
from connectors.salesforce.ids import to18
from connectors.salesforce.ingest_csv import records
from connectors.salesforce.writer import Writer
from crmtrail.errors import (
    Ambiguous,
    CrmtrailError,
    Mistake,
    PersonNeeded,
    RetryLater,
    Unavailable,
)

T = TypeVar("T")

_TROUBLE: Final = (Ambiguous, RetryLater, PersonNeeded, Mistake)
_ENDED: Final = frozenset({"JobComplete", "Failed", "Aborted"})
_UNCLOSED: Final = "Open"
_LONGEST_PAUSE: Final = 20.0
_MOST_LOOKS: Final = 5
"""How often a look at the job is tried before it is given up."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How to wait for a job: with what sleep and clock, and for how many seconds at most."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    deadline: float = 1_800.0


class Job(msgspec.Struct, rename="camel"):
    """What Salesforce tells of a job."""

    id: str
    state: str
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a job's records, by id: written, refused and why, or not looked at."""

    written: frozenset[str]
    refused: Mapping[str, str]
    unprocessed: frozenset[str]
    message: str


class BulkUpdate:
    """Runs one job."""

    def __init__(self, writer: Writer, object_: str, pace: Pace) -> None:
        self._writer = writer
        self._client = writer.client
        self._object = object_
        self._pace = pace

    def run(self, table: bytes) -> Ended:
        """Update the records of a CSV table.

        Raises:
            Refusal: Salesforce takes no such job; nothing was written.
            RetryLater: nothing was written.
            PersonNeeded: nothing was written.
            Ambiguous: there is no word on what the job wrote.
        """
        job = self._opened()
        try:
            self._fill(job, table)
            closed = self._closed(job)
        except (RetryLater, PersonNeeded, Mistake):
            self._discard(job)
            raise
        return self._results(self._waited(closed))

    def _opened(self) -> Job:
        order = {
            "object": self._object,
            "operation": "update",
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        return self._client.send(
            "POST",
            "jobs/ingest",
            Job,
            msgspec.json.encode(order),
            headers=self._writer.headers,
            writing=False,
        )

    def _fill(self, job: Job, table: bytes) -> None:
        self._client.send(
            "PUT",
            f"{_path(job)}/batches",
            type(None),
            table,
            content_type="text/csv; charset=UTF-8",
            writing=False,
        )

    def _closed(self, job: Job) -> Job:
        """Close a job, so that it begins to write.

        Raises:
            RetryLater: it was not closed.
            Ambiguous: nobody knows.
        """
        try:
            return self._move(job, "UploadComplete")
        except Refusal as refusal:
            if refusal.status != _CONFLICT and refusal.code != "INVALIDJOBSTATE":
                raise
            found = self._look(job)
        except Ambiguous:
            found = self._look(job)
        if found.state != _UNCLOSED:
            return found
        return self._unclosed(job)

    def _unclosed(self, job: Job) -> Job:
        """End a job that was not closed when last looked at; what closes it may still come."""
        try:
            found = self._move(job, "Aborted")
        except _TROUBLE:
            found = self._look(job)
        if found.state == "Aborted":
            raise Unavailable("Salesforce lost the order to begin a bulk job; nothing was written")
        return found

    def _discard(self, job: Job) -> None:
        """Let a job go of which nothing was written; one left open ends by itself in a week."""
        try:
            self._move(job, "Aborted")
        except _TROUBLE:
            return

    def _move(self, job: Job, state: str) -> Job:
        body = msgspec.json.encode({"state": state})
        return self._client.send("PATCH", _path(job), Job, body, writing=True)

    def _waited(self, job: Job) -> Job:
        """Wait for the end of a job.

        Raises:
            Ambiguous: it did not end in time, nor when it was told to.
        """
        until = self._pace.monotonic() + self._pace.deadline
        pause = 1.0
        while job.state not in _ENDED:
            if self._pace.monotonic() >= until:
                return self._aborted(job)
            self._pace.sleep(pause)
            pause = min(pause * 1.6, _LONGEST_PAUSE)
            job = self._look(job)
        return job

    def _aborted(self, job: Job) -> Job:
        try:
            found = self._move(job, "Aborted")
        except _TROUBLE:
            found = self._look(job)
        for _ in range(_MOST_LOOKS):
            if found.state in _ENDED:
                return found
            self._pace.sleep(_LONGEST_PAUSE)
            found = self._look(job)
        raise Ambiguous(f"the bulk job {job.id} of Salesforce does not end", hint=_HINT)

    def _look(self, job: Job) -> Job:
        return self._patiently(job, lambda: self._client.get(_path(job), Job))

    def _results(self, job: Job) -> Ended:
        """Fetch what became of every record; a job that ended badly may have written some."""
        written = self._told(job, "successfulResults")
        failed = self._told(job, "failedResults")
        unprocessed = self._told(job, "unprocessedrecords")
        return Ended(
            written=frozenset(map(_id, written)),
            refused={_id(row): row.get("sf__Error", "") for row in failed},
            unprocessed=frozenset(map(_id, unprocessed)),
            message=job.error_message or f"the bulk job ended as {job.state}",
        )

    def _told(self, job: Job, name: str) -> Sequence[Mapping[str, str]]:
        def fetched() -> Sequence[Mapping[str, str]]:
            try:
                return list(records(self._client.text(f"{_path(job)}/{name}").body))
            except ValueError as error:
                raise Unavailable(f"Salesforce answered a result that is {error}") from None

        return self._patiently(job, fetched)

    def _patiently(self, job: Job, look: Callable[[], T]) -> T:
        """Look at a job that may have written; reading may be repeated.

        Raises:
            Ambiguous: there is no answer.
        """
        for left in reversed(range(_MOST_LOOKS)):
            try:
                return look()
            except RetryLater as error:
                pause = error.after or _LONGEST_PAUSE
                if not left or pause > self._pace.deadline:
                    raise _lost(job, error) from None
                self._pace.sleep(pause)
            except _TROUBLE as error:
                raise _lost(job, error) from None
        raise AssertionError("the last try returns or raises")


_CONFLICT: Final = 409
_HINT: Final = "the records are read back before anything else is written"


def _lost(job: Job, error: CrmtrailError) -> Ambiguous:
    return Ambiguous(f"no word on the bulk job {job.id}: {error}", hint=_HINT)


def _path(job: Job) -> str:
    return f"jobs/ingest/{job.id}"


def _id(row: Mapping[str, str]) -> str:
    """Return the record that a row of a result is about; results come in any order."""
    return to18(row.get("Id") or row.get("sf__Id") or "") or ""
