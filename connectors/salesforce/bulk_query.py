"""Bulk API 2.0 query jobs: made, looked at, read page by page, thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import NoneType
from typing import Final

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.bulk_csv import rows_of
from connectors.salesforce.client import Client
from connectors.salesforce.readings import Row
from connectors.salesforce.schema import Known
from crmtrail.errors import CursorLost, PermissionMissing, RetryLater

ROWS: Final = 10_000
"""Rows of one page of results: what one transaction stores, and memory holds."""

LOOKS: Final = (2.0, 3.0, 5.0, 8.0, 15.0, 30.0)
"""Seconds between one look at a job and the next."""

_NO_MORE: Final = ("", "null")


class State(StrEnum):
    """How far a job is, for us."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class _Job(msgspec.Struct, rename="camel"):
    id: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of results, and the locator of the next; empty after the last."""

    rows: Sequence[Row]
    following: str


class Jobs:
    """The query jobs of one org."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def make(self, known: Known, fields: Sequence[str], after: str) -> str | None:
        """Make a job over every record after an id, and return its id.

        Returns:
            The id; None where Bulk does not serve this object, or not us.
        """
        order = {
            "operation": "queryAll" if known.keeps_bin else "query",
            "query": soql.every(known.schema.object, fields, after),
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        try:
            return self._client.ask("jobs/query", _Job, msgspec.json.encode(order)).id
        except (Refusal, PermissionMissing):
            return None

    def look(self, job: str) -> State:
        """Return how far a job is; one that is gone has failed."""
        try:
            state = self._client.get(f"jobs/query/{job}", _Job).state
        except Refusal as refusal:
            if refusal.is_absence:
                return State.FAILED
            raise
        if state in ("UploadComplete", "InProgress"):
            return State.WAITING
        return State.DONE if state == "JobComplete" else State.FAILED

    def results(self, known: Known, job: str, locator: str) -> Results | None:
        """Return a page of results; a page can be had again.

        Returns:
            The page; None where the job or its place is gone, or is of another API version.
        """
        params = {"maxRecords": str(ROWS)} | ({"locator": locator} if locator else {})
        try:
            answer = self._client.text(f"jobs/query/{job}/results", params)
        except CursorLost:
            return None
        except Refusal as refusal:
            # A job answers only in the API version that made it (409): the config was changed.
            if refusal.is_absence or refusal.status == HTTPStatus.CONFLICT:
                return None
            raise
        told = answer.headers.get("Sforce-NumberOfRecords", "")
        count = int(told) if told.isdigit() else None
        following = answer.headers.get("Sforce-Locator", "")
        rows = rows_of(answer.body, known.schema.fields, count)
        return Results(rows, "" if following in _NO_MORE else following)

    def drop(self, job: str) -> None:
        """Throw a job away that is read. One that stays is thrown away after seven days."""
        try:
            self._client.send("DELETE", f"jobs/query/{job}", NoneType, writing=False)
        except (Refusal, PermissionMissing, RetryLater):
            return
