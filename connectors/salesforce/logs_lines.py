"""The lines of event log files: which files there are, and each file's lines, page by page.

Files are walked in the order of their creation, hourly and daily ones alike: hourly ones come
within hours, the daily one holds what they may have missed. Late events come in a further file of
the same hour. A file is never changed. Source: "Using Event Monitoring" and "Differences Between
Hourly and 24-Hour Event Logs" of the REST API Developer Guide.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.salesforce import logs_place
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client, vendor_time
from connectors.salesforce.logs_place import LineCursor
from connectors.salesforce.logs_reading import LINES, Clerk, Line, LogFile, said
from connectors.salesforce.people import People
from connectors.salesforce.readings import Row, id_of, moment_of, text_of
from connectors.salesforce.sheet import Sheet, Unreadable
from crmtrail.errors import Unavailable
from crmtrail.model import Gap, Page

FILES: Final = "EventLogFile"
ROWS: Final = 2_000
"""Lines of one page at most."""

BYTES: Final = 8_000_000
"""Bytes of one page's lines, after which it is full too."""

LATE: Final = timedelta(days=2)
"""So much later than an event its line may come: a daily file is made in the course of the next
day. What comes later still is kept all the same, but no longer as news."""

SHORTEST_KEPT: Final = timedelta(hours=20)
"""Files are kept for a day at the least: what waited longer than this may have been dropped."""

_LISTED: Final = 200
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

LEFT_OUT: Final = (
    "ApexExecution",
    "ApexTrigger",
    "ApexUnexpectedException",
    "AuraRequest",
    "ConcurrentLongRunningApexLimit",
    "DatabaseSave",
    "FlowExecution",
    "HostnameRedirects",
    "LightningError",
    "LightningInteraction",
    "LightningPerformance",
    "PlatformEncryption",
    "QueuedExecution",
    "TimeBasedWorkflow",
    "WaveInteraction",
    "WavePerformance",
)
"""Types that measure how the org runs. They tell of no record, export, login or change."""

_COLUMNS: Final = "Id,EventType,Interval,CreatedDate,LogDate"


@dataclass(slots=True)
class _Opened:
    """A file that is being read: it stays open from page to page."""

    id: str
    sheet: Sheet
    stack: ExitStack


@dataclass(frozen=True, slots=True)
class _Part:
    """The next lines of a file. ``place`` is where the rest begins, None after the last."""

    lines: Sequence[Line]
    place: int | None
    odd: int = 0
    broken: str = ""


class Lines:
    """Reads the lines of one org's files. What it remembers between pages only saves requests."""

    def __init__(self, client: Client, people: People, overlap: timedelta) -> None:
        self._client = client
        self._people = people
        self._overlap = overlap
        self._listed: list[LogFile] = []
        self._whole = False
        self._begun: datetime | None = None
        self._opened: _Opened | None = None

    def close(self) -> None:
        """Close the file that is being read, if there is one."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.stack.close()

    def page(self, at: LineCursor) -> Page:
        """Return the next lines, and the cursor after them."""
        gaps: list[Gap] = []
        if at.began is None or at.began != self._begun:
            self.close()
            at = self._begin(at, gaps)
        file = self._next(at)
        if at.file and (file is None or file.id != at.file):
            gaps.append(Gap(LINES, None, None, f"the log file {at.file} was deleted half read"))
            at = msgspec.structs.replace(at, file="", place=0)
        if file is None:
            return self._ended(at, gaps)
        part = self._read(file, at.place if file.id == at.file else 0)
        gaps += _missing(file, part)
        if part.place is None:
            self.close()
        clerk = Clerk(self._client.source, self._people, file, self._client.told_at)
        return Page(
            LINES,
            logs_place.write(
                logs_place.after(at, file.id, file.created, part.place, self._overlap)
            ),
            done=False,
            readings=clerk.readings(part.lines),
            gaps=gaps,
        )

    def _begin(self, at: LineCursor, gaps: list[Gap]) -> LineCursor:
        """List the files from the cursor on; ask what was dropped where that may be."""
        self._listed, self._whole = self._list(at)
        began = at.began or self._client.asked_at
        if at.began is None and at.mark and began - at.mark > SHORTEST_KEPT:
            gaps += self._dropped(at.mark)
        self._begun = began
        return msgspec.structs.replace(at, began=began)

    def _next(self, at: LineCursor) -> LogFile | None:
        """Return the file after the last one that was read."""
        while True:
            for file in self._listed:
                if _is_later(file, at) and (file.id == at.file or file.id not in at.read):
                    return file
            if self._whole:
                return None
            last = self._listed[-1]
            at = msgspec.structs.replace(at, stamp=last.created, id=last.id)
            self._listed, self._whole = self._list(at)

    def _list(self, at: LineCursor) -> tuple[list[LogFile], bool]:
        answer = self._client.query(_query(at, self._overlap), deleted=False)
        found = [_file(row) for row in answer.records]
        return found, not found or (answer.last and len(found) < _LISTED)

    def _dropped(self, mark: datetime) -> list[Gap]:
        """Return the gap between what was read and the oldest file that is still there."""
        query = f"SELECT Id,CreatedDate FROM {FILES} ORDER BY CreatedDate LIMIT 1"  # noqa: S608 -- not SQL
        rows = self._client.query(query, deleted=False).records
        oldest = moment_of(rows[0], "CreatedDate") if rows else self._begun
        if oldest is None or oldest <= mark:
            return []
        return [Gap(LINES, mark, oldest, "log files of this time may have been dropped unread")]

    def _read(self, file: LogFile, place: int) -> _Part:
        """Return the next lines of a file, which is opened where it is not."""
        try:
            sheet = self._sheet(file, place)
            return _part(sheet, _full_at(sheet))
        except Unreadable as error:
            return _Part((), None, broken=str(error))
        except Refusal as refusal:
            if not refusal.is_absence:
                raise
            return _Part((), None, broken="it was deleted before it was read")
        except BaseException:
            self.close()
            raise

    def _sheet(self, file: LogFile, place: int) -> Sheet:
        opened = self._opened
        if opened is not None and (opened.id, opened.sheet.place) == (file.id, place):
            return opened.sheet
        self.close()
        with ExitStack() as stack:
            path = f"sobjects/{FILES}/{file.id}/LogFile"
            body = stack.enter_context(self._client.stream(path, accept="text/csv"))
            sheet = Sheet(body.chunks, place)
            if not sheet.head:
                raise Unreadable("it has no head")
            self._opened = _Opened(file.id, sheet, stack.pop_all())
        return sheet

    def _ended(self, at: LineCursor, gaps: Sequence[Gap]) -> Page:
        """Return the last page of a walk."""
        following = logs_place.ended(at, self._overlap)
        mark = following.mark
        self._begun, self._listed = None, []
        return Page(
            LINES,
            logs_place.write(following),
            done=True,
            gaps=gaps,
            complete_to=None if mark is None else mark - LATE,
            watermark=mark,
        )


def _part(sheet: Sheet, full_at: int) -> _Part:
    """Return the next lines of a sheet, up to a page of them."""
    lines: list[Line] = []
    odd = 0
    try:
        while len(lines) < ROWS and sheet.place < full_at:
            values = sheet.record()
            if values is None:
                return _Part(lines, None, odd)
            line = said(sheet.head, values)
            if line is None:
                odd += 1
            else:
                lines.append(line)
    except Unreadable as error:
        return _Part(lines, None, odd, str(error))
    return _Part(lines, sheet.place, odd)


def _full_at(sheet: Sheet) -> int:
    return max(sheet.place, sheet.starts) + BYTES


def _missing(file: LogFile, part: _Part) -> list[Gap]:
    """Tell what of a file could not be read."""
    until = file.since + (_HOUR if file.interval.lower() == "hourly" else _DAY)
    named = f"{file.kind} log file {file.id}"
    gaps = []
    if part.odd:
        why = f"{part.odd} lines of the {named} do not fit its head"
        gaps.append(Gap(LINES, file.since, until, why))
    if part.broken:
        why = f"the {named} cannot be read to its end: {part.broken}"
        gaps.append(Gap(LINES, file.since, until, why))
    return gaps


def _is_later(file: LogFile, at: LineCursor) -> bool:
    return at.stamp is None or (file.created, file.id) > (at.stamp, at.id)


def _file(row: Row) -> LogFile:
    id_, created = id_of(row), moment_of(row, "CreatedDate")
    if created is None:
        raise Unavailable(f"Salesforce answered an {FILES} without CreatedDate")
    return LogFile(
        id=id_,
        kind=text_of(row, "EventType") or "",
        created=created,
        since=moment_of(row, "LogDate") or created,
        interval=text_of(row, "Interval") or "",
    )


def _query(at: LineCursor, overlap: timedelta) -> str:
    left_out = ",".join(f"'{kind}'" for kind in LEFT_OUT)
    conditions = [f"EventType NOT IN ({left_out})"]
    if at.stamp is not None:
        stamp = vendor_time(at.stamp)
        conditions.append(f"(CreatedDate > {stamp} OR (CreatedDate = {stamp} AND Id > '{at.id}'))")
    elif at.mark is not None:
        conditions.append(f"CreatedDate >= {vendor_time(at.mark - overlap)}")
    return (
        f"SELECT {_COLUMNS} FROM {FILES} WHERE {' AND '.join(conditions)}"  # noqa: S608 -- not SQL
        f" ORDER BY CreatedDate, Id LIMIT {_LISTED}"
    )
