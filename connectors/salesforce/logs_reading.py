"""From one line of an event log file to a record of ours: its id, its fields, whose deed it tells.

An id is the digest of all that a line says, so that the hourly and the daily file of the same hours
tell an event once, whichever is read first. Lines that are equal in every column are numbered
within their page. Sources: "EventLogFile Supported Event Types" of the Object Reference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec

from connectors.salesforce.ids import to18
from connectors.salesforce.people import People
from crmtrail.model import Actor, ActorKind, Field, FieldType, Reading, Ref, Schema, moment, unknown
from crmtrail.slices import BETWEEN, Slices

LINES: Final = "EventLogLine"
"""The object that lines are records of. Salesforce has none of this name."""

RECORD: Final = "RecordId"
"""The field that is ours: the record, file or report that was looked at, in 18 characters."""

Line = Mapping[str, str]
"""What a line says: column to text, without the columns that are empty."""

_ABOUT: Final = (
    "URI_ID_DERIVED",
    "PAGE_ENTITY_ID_DERIVED",
    "PAGE_ENTITY_ID",
    "RECORD_ID_DERIVED",
    "RECORD_ID",
    "DOCUMENT_ID_DERIVED",
    "DOCUMENT_ID",
    "REPORT_ID_DERIVED",
    "REPORT_ID",
    "CLICKED_RECORD_ID",
)
_PATHS: Final = ("URI", "PAGE_URL", "API_RESOURCE")
_IN_PATH: Final = re.compile(
    r"/((?:\d[\dA-Za-z]{2}|a\d[\dA-Za-z])[\dA-Za-z]{12}(?:[\dA-Za-z]{3})?)(?=[/?#]|$)", re.ASCII
)
"""An id in an address. Ids begin with a digit, or with an ``a`` and a digit."""
_APPS: Final = ("CONNECTED_APP_NAME", "CLIENT_NAME")
_SHORT_STAMP: Final = "%Y%m%d%H%M%S.%f"
_DIGEST: Final = 15
_NOBODY: Final = unknown("the log line names nobody")
_MOMENTS: Final = frozenset({"TIMESTAMP_DERIVED"})
_COLUMNS: Final = (
    "EVENT_TYPE TIMESTAMP TIMESTAMP_DERIVED REQUEST_ID ORGANIZATION_ID USER_ID USER_ID_DERIVED"
    " USER_NAME USER_TYPE SESSION_KEY LOGIN_KEY CLIENT_IP SOURCE_IP URI URI_ID_DERIVED"
    " REQUEST_STATUS STATUS_CODE RUN_TIME CPU_TIME DB_TOTAL_TIME PAGE_ENTITY_ID PAGE_ENTITY_TYPE"
    " PAGE_URL APP_NAME ENTITY_NAME ENTITY_TYPE OPERATION_TYPE METHOD METHOD_NAME HTTP_METHOD"
    " API_TYPE API_FAMILY API_VERSION API_RESOURCE CLIENT_NAME CONNECTED_APP_ID CONNECTED_APP_NAME"
    " USER_AGENT ROWS_PROCESSED ROW_COUNT JOB_ID REPORT_ID REPORT_DESCRIPTION DASHBOARD_ID"
    " LOGIN_STATUS LOGIN_TYPE BROWSER_TYPE DELEGATED_USER_ID DELEGATED_USER_ID_DERIVED"
    " DELEGATED_USER_NAME TRANSACTION_TYPE DOCUMENT_ID DOCUMENT_ID_DERIVED VERSION_ID"
    " VERSION_ID_DERIVED SIZE_BYTES"
)
"""The columns that answer the questions asked most. A line is kept with all it has, these or not:
which columns a type has changes from release to release."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class LogFile:
    """One event log file, of the hour or day from ``since`` on."""

    id: str
    kind: str
    created: datetime
    since: datetime
    interval: str


def schema_of(source: str) -> Schema:
    """Return the schema of lines."""
    names = (*_COLUMNS.split(), RECORD)
    fields = {name: Field(name, _type(name), updateable=False, createable=False) for name in names}
    return Schema(source, LINES, fields, label="Event Log Line")


def _type(name: str) -> FieldType:
    if name in _MOMENTS:
        return FieldType.DATETIME
    return FieldType.REFERENCE if name == RECORD else FieldType.TEXT


def said(head: Sequence[str], values: Sequence[str]) -> Line | None:
    """Return what a line says; None where it is shorter or longer than the file's head."""
    if len(values) != len(head):
        return None
    return {name: value for name, value in zip(head, values, strict=True) if value}


class Clerk:
    """Writes lines of one file down as readings. ``read_at`` is the vendor's clock."""

    def __init__(self, source: str, people: People, file: LogFile, read_at: datetime) -> None:
        self._source = source
        self._people = people
        self._file = file
        self._read_at = read_at
        self._stamps = {"EventLogFile": _encode(file.id).decode()}
        self._cells: dict[str, msgspec.Raw] = {}

    def readings(self, lines: Sequence[Line]) -> Sequence[Reading]:
        """Return a reading for each line, in order."""
        actors = self._people.meet(who for line in lines for who in _people_of(line))
        met: dict[str, int] = {}
        found = []
        for line in lines:
            id_ = digest_of(line)
            number = met[id_] = met.get(id_, 0) + 1
            found.append(self._reading(f"{id_}-{number}" if number > 1 else id_, line, actors))
        return found

    def _reading(self, id_: str, line: Line, actors: Mapping[str, Actor]) -> Reading:
        at = _moment_of(line) or self._file.since
        about = _about(line)
        told = {name: self._cell(value) for name, value in line.items()}
        if about:
            told[RECORD] = self._cell(about)
        actor = _actor(line, actors)
        return Reading(
            ref=Ref(self._source, LINES, id_),
            fields=Slices(told),
            stamps=self._stamps,
            modified_at=at,
            read_at=max(self._read_at, at),
            edited_at=at,
            actor=actor,
            created_at=at,
            creator=actor,
        )

    def _cell(self, value: str) -> msgspec.Raw:
        """Return a text as JSON. The same value stands in many lines of a page."""
        made = self._cells.get(value)
        if made is None:
            made = self._cells[value] = msgspec.Raw(_encode(value))
        return made


def digest_of(line: Line) -> str:
    """Return what tells a line from every other: a digest of all its columns, in any order."""
    parts = (f"{name}{BETWEEN}{value}" for name, value in sorted(line.items()))
    return blake2b("\n".join(parts).encode(), digest_size=_DIGEST).hexdigest()


def _people_of(line: Line) -> Iterable[str]:
    return (who for who in (_user(line), _delegate(line)) if who)


def _user(line: Line) -> str:
    return _full(line.get("USER_ID_DERIVED")) or _full(line.get("USER_ID"))


def _delegate(line: Line) -> str:
    """Return who is logged in as the user."""
    return _full(line.get("DELEGATED_USER_ID_DERIVED")) or _full(line.get("DELEGATED_USER_ID"))


def _full(told: str | None) -> str:
    return to18(told or "") or ""


def _actor(line: Line, actors: Mapping[str, Actor]) -> Actor:
    """Return whose deed a line tells, and through which app or in whose name."""
    user = actors[who] if (who := _user(line)) else None
    if impostor := _delegate(line):
        return replace(actors[impostor], via=_name(user))
    if name := line.get("DELEGATED_USER_NAME"):
        return Actor(ActorKind.USER, name=name, via=_name(user))
    if user is None:
        return _NOBODY
    app = next((line[name] for name in _APPS if name in line), None)
    return replace(user, via=app) if app else user


def _name(user: Actor | None) -> str | None:
    return None if user is None else user.name or user.id


def _about(line: Line) -> str:
    """Return the record that a line is about; empty where it is about none."""
    for name in _ABOUT:
        if id_ := _full(line.get(name)):
            return id_
    for name in _PATHS:
        if found := _IN_PATH.search(line.get(name, "")):
            return _full(found[1])
    return ""


def _moment_of(line: Line) -> datetime | None:
    try:
        if derived := line.get("TIMESTAMP_DERIVED"):
            return moment(derived)
        if short := line.get("TIMESTAMP"):
            return datetime.strptime(short, _SHORT_STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return None
