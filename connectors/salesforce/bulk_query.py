"""Bulk API 2.0 query jobs: made, looked at, read part by part, thrown away.

What Salesforce calls a page of results is much larger than what one transaction stores. It is asked
for once, stays open, and is read as far as one transaction takes. Only a process that died in
between asks for it again, and skips what it has read.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from types import NoneType
from typing import Final

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.bulk_csv import rows_of
from connectors.salesforce.client import Client
from connectors.salesforce.history_reading import NONE_AHEAD, Ahead
from connectors.salesforce.ids import to18
from connectors.salesforce.readings import Row
from connectors.salesforce.schema import Known
from connectors.salesforce.sheet import Sheet, Unreadable
from crmtrail.errors import CursorLost, PermissionMissing, RetryLater, Unavailable

ROWS: Final = 2_000
"""Rows of one part: what one transaction stores, and memory holds; as many as a page of REST."""

AHEAD: Final = 10_000
"""Rows that are taken in at once, as they came, so that their history can be asked for together."""

ASKED: Final = 50_000
"""Rows of one page of results, which costs a request."""

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
class Place:
    """A place in the results of a job.

    ``locator`` is Salesforce's name for a page, empty for the first; ``skip`` are the bytes of it
    that are read, in which there were so many ``rows``.
    """

    locator: str = ""
    skip: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Results:
    """A part of the results, and the place of the next; None after the last.

    ``ahead`` are the records that were taken in together with these.
    """

    rows: Sequence[Row]
    following: Place | None
    ahead: Ahead = NONE_AHEAD


@dataclass(frozen=True, slots=True)
class _Part:
    """Records as JSON, which takes a fifth of the memory, and the place after them."""

    records: Sequence[bytes]
    place: Place


@dataclass(slots=True)
class _Opened:
    """A page of results that is being read.

    ``parts`` are taken in and still to tell; ``ended``: nothing comes after them.
    """

    job: str
    place: Place
    sheet: Sheet
    headers: Mapping[str, str]
    stack: ExitStack
    parts: list[_Part] = field(default_factory=list)
    ahead: Ahead = NONE_AHEAD
    ended: bool = False


class Jobs:
    """The query jobs of one org."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._opened: _Opened | None = None

    def close(self) -> None:
        """Close the page of results that is being read, if there is one."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.stack.close()

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

    def results(self, known: Known, job: str, place: Place) -> Results | None:
        """Return the next part of the results; a part can be had again.

        Returns:
            The part; None where the job or its place is gone, or is of another API version.

        Raises:
            Unavailable: it is no CSV, or rows are missing.
        """
        try:
            opened = self._at(job, place)
            if opened is None:
                return None
            part = _next(opened)
        except Unreadable:
            self.close()
            raise Unavailable("Salesforce answered CSV that cannot be read") from None
        except BaseException:
            self.close()
            raise
        records = [msgspec.json.decode(one, type=list[str]) for one in part.records]
        rows = rows_of(opened.sheet.head, records, known.schema.fields)
        opened.place = part.place
        if opened.parts or not opened.ended:
            return Results(rows, part.place, opened.ahead)
        self.close()
        _count(opened.headers, part.place.rows)
        locator = opened.headers.get("Sforce-Locator", "")
        return Results(rows, None if locator in _NO_MORE else Place(locator), opened.ahead)

    def _at(self, job: str, place: Place) -> _Opened | None:
        """Return a page of results, opened at a place; None where there is none."""
        opened = self._opened
        if opened is not None and (opened.job, opened.place) == (job, place):
            return opened
        self.close()
        params = {"maxRecords": str(ASKED)}
        if place.locator:
            params["locator"] = place.locator
        try:
            with ExitStack() as stack:
                path = f"jobs/query/{job}/results"
                body = stack.enter_context(self._client.stream(path, params, accept="text/csv"))
                sheet = Sheet(body.chunks, place.skip)
                self._opened = _Opened(job, place, sheet, body.headers, stack.pop_all())
        except CursorLost:
            return None
        except Refusal as refusal:
            # A job answers only in the API version that made it (409): the config was changed.
            if refusal.is_absence or refusal.status == HTTPStatus.CONFLICT:
                return None
            raise
        return self._opened

    def drop(self, job: str) -> None:
        """Throw a job away that is read. One that stays is thrown away after seven days."""
        try:
            self._client.send("DELETE", f"jobs/query/{job}", NoneType, writing=False)
        except (Refusal, PermissionMissing, RetryLater):
            return


def _next(opened: _Opened) -> _Part:
    """Return the next part of a page of results; the last may be empty."""
    if not opened.parts:
        _take_in(opened)
    return opened.parts.pop(0)


def _take_in(opened: _Opened) -> None:
    """Read the records of some parts."""
    sheet, place = opened.sheet, opened.place
    columns = {name.lower(): number for number, name in enumerate(sheet.head)}
    ids, binned = list[str](), set[str]()
    while len(ids) < AHEAD and not opened.ended:
        records: list[bytes] = []
        while len(records) < ROWS and (values := sheet.record()) is not None:
            if len(values) != len(sheet.head):
                raise Unreadable("a row is shorter or longer than the head")
            ids.append(_id(values, columns))
            if _is_binned(values, columns):
                binned.add(ids[-1])
            records.append(msgspec.json.encode(values))
        place = Place(place.locator, sheet.place, place.rows + len(records))
        if records or not opened.parts:
            opened.parts.append(_Part(records, place))
        opened.ended = len(records) < ROWS
    opened.ahead = Ahead(ids, frozenset(binned))


def _is_binned(values: Sequence[str], columns: Mapping[str, int]) -> bool:
    return "isdeleted" in columns and values[columns["isdeleted"]].lower() == "true"


def _id(values: Sequence[str], columns: Mapping[str, int]) -> str:
    """Return a record's id in 18 characters; what is none is told when the row is read."""
    told = values[columns["id"]] if "id" in columns else ""
    return to18(told) or told


def _count(headers: Mapping[str, str], rows: int) -> None:
    """Compare the rows of a page with how many Salesforce says there are, where it does.

    Raises:
        Unavailable: there are more or fewer.
    """
    told = headers.get("Sforce-NumberOfRecords", "")
    if told.isdigit() and int(told) != rows:
        raise Unavailable(f"Salesforce announced {told} rows and answered {rows}")
