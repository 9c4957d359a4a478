"""Event objects of real-time monitoring: big objects that answer for windows of time only.

All rows bear one Id, so EventIdentifier is the record's id. Only EventDate can be filtered, and
rows come newest first. A window that does not fit into one answer is cut in half. Events come in
late: each run reads back over the last minutes of the one before. Source: "Real-Time Event
Monitoring Objects" and "Big Objects" of the Salesforce developer documentation.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Delay
from connectors.salesforce.client import Client, Rows, vendor_time
from connectors.salesforce.people import People
from connectors.salesforce.readings import Row, moment_of, text_of
from connectors.salesforce.schema import Known
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Actor, Gap, Mode, Page, Reading, Ref, unknown
from crmtrail.slices import Slices

_ID = "EventIdentifier"
_WHEN = "EventDate"
_UNTOLD = ("attributes", "Id")

KEPT: Final = timedelta(days=183)
"""How long Salesforce keeps events: six months."""

OVERLAP: Final = timedelta(minutes=15)
"""So much later than its EventDate an event may come in."""

_DAY: Final = timedelta(days=1)
_WIDEST: Final = timedelta(days=16)
_SHORTEST: Final = timedelta(milliseconds=1)
_FEW: Final = 250
"""Rows of a window after which the next one may be twice as wide."""


class EventCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the walk through time stands.

    Attributes:
        events: ``walk`` or ``rest``; its name tells this cursor from that of other objects.
        mark: everything before it is read; None before the first walk is through.
        since: up to when this walk has read; None before its first page.
        until: where this walk ends, by the vendor's clock.
        span: seconds of the next window.
        widest: seconds of a window at most; less once Salesforce took too long for one.
    """

    events: str
    mark: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    span: float = _DAY.total_seconds()
    widest: float = _WIDEST.total_seconds()

    @property
    def id(self) -> str:
        """How far the walk is, as a text; empty before its first page."""
        return self.since.isoformat() if self.since else ""


def are_events(known: Known) -> bool:
    """Whether an object holds such events."""
    return _ID in known.wide and _WHEN in known.wide


def read(text: str | None) -> EventCursor | None:
    """Read a cursor; None where it is none of a walk."""
    try:
        return msgspec.json.decode(text or "", type=EventCursor)
    except msgspec.MsgspecError:
        return None


def place(text: str) -> EventCursor:
    """Return the cursor of a page.

    Raises:
        CursorLost: the text is none of ours.
    """
    found = read(text)
    if found is None:
        raise CursorLost(
            "the stored position of a Salesforce event object cannot be read",
            hint="run `crmtrail sync --full` for it",
        )
    return found


def start(position: str | None, mode: Mode) -> str:
    """Return the cursor of a walk's first page; one that broke off goes on.

    Events never change, so only FULL reads again what was read before.
    """
    kept = read(position)
    if position is not None and kept is None and mode is not Mode.FULL:
        return position  # `page` says what is wrong with it
    if kept is None or mode is Mode.FULL:
        return _text(EventCursor("walk"))
    return _text(kept if kept.events == "walk" else EventCursor("walk", mark=kept.mark))


class Events:
    """Reads one window at a time."""

    def __init__(self, client: Client, people: People) -> None:
        self._client = client
        self._people = people

    def page(self, known: Known, at: EventCursor) -> Page:
        """Return the events of the next window, and the cursor after it."""
        now = self._client.asked_at.replace(microsecond=0)
        until = at.until or now
        since = at.since or _begin(at.mark, until)
        end = max(since, min(until, since + timedelta(seconds=at.span)))
        gaps = [] if at.since else _outlived(known.schema.object, at.mark, until)
        half = max(_SHORTEST, _cut((end - since) / 2)).total_seconds()
        widest = at.widest
        try:
            rows = self._window(known, since, end)
        except Delay as delay:
            if delay.code != "QUERY_TIMEOUT" or end - since <= _SHORTEST:
                raise
            rows, widest = None, half
        # Until the first answer the clock is our own, which may be ahead of the vendor's.
        until = at.until or min(until, self._client.asked_at.replace(microsecond=0))
        walked = msgspec.structs.replace(at, since=since, until=until, widest=widest)
        if rows is None:
            following = msgspec.structs.replace(walked, span=half)
            return Page(known.schema.object, _text(following), done=False, gaps=gaps)
        readings = self._readings(known, rows)
        if end < until:
            few = len(rows) <= _FEW
            span = min(at.span * 2, widest) if few else at.span
            following = msgspec.structs.replace(walked, since=end, span=span)
            return Page(
                known.schema.object, _text(following), done=False, readings=readings, gaps=gaps
            )
        mark = max(until - OVERLAP, at.mark or until - OVERLAP)
        return Page(
            known.schema.object,
            _text(EventCursor("rest", mark=mark)),
            done=True,
            readings=readings,
            gaps=gaps,
            complete_to=mark,
            watermark=mark,
        )

    def _window(self, known: Known, since: datetime, end: datetime) -> Sequence[Row] | None:
        """Return the rows of a window; None where it has to be cut."""
        answer = self._client.query(_query(known, since, end), deleted=False)
        if answer.last and len(answer.records) < soql.PAGE:
            return answer.records
        return self._rest(answer) if end - since <= _SHORTEST else None

    def _rest(self, answer: Rows) -> Sequence[Row]:
        """Return all rows of a window that cannot be cut any further."""
        found: list[Row] = list(answer.records)
        while not answer.last:
            if not answer.next_records_url:
                raise Unavailable("Salesforce has more events and does not say where")
            answer = self._client.query_more(answer.next_records_url)
            found += answer.records
        return found

    def _readings(self, known: Known, rows: Sequence[Row]) -> Sequence[Reading]:
        actors = self._people.meet(text_of(row, "UserId") for row in rows)
        return [self._reading(known, row, actors) for row in rows]

    def _reading(self, known: Known, row: Row, actors: Mapping[str, Actor]) -> Reading:
        id_, when, user = text_of(row, _ID), moment_of(row, _WHEN), text_of(row, "UserId")
        if not id_ or when is None:
            raise Unavailable(f"Salesforce answered a {known.schema.object} without {_ID} or date")
        actor = actors[user] if user else unknown("Salesforce names nobody on this event")
        return Reading(
            ref=Ref(self._client.source, known.schema.object, id_),
            fields=Slices({name: told for name, told in row.items() if name not in _UNTOLD}),
            modified_at=when,
            read_at=max(self._client.told_at, when),
            edited_at=when,
            actor=actor,
            created_at=when,
            creator=actor,
        )


def _begin(mark: datetime | None, until: datetime) -> datetime:
    """Return from when on to read: nothing is kept longer than six months."""
    return max(until - KEPT, mark) if mark else until - KEPT


def _outlived(object_: str, mark: datetime | None, until: datetime) -> list[Gap]:
    """Return the gap between what was read and what Salesforce still keeps."""
    kept = until - KEPT
    if mark is None or mark >= kept:
        return []
    return [Gap(object_, mark, kept, "Salesforce keeps events for six months")]


def _cut(span: timedelta) -> timedelta:
    return span - span % _SHORTEST


def _query(known: Known, since: datetime, end: datetime) -> str:
    names = ",".join(soql.select(known.wide))
    return (
        f"SELECT {names} FROM {known.schema.object}"  # noqa: S608 -- not SQL
        f" WHERE {_WHEN} > {vendor_time(since)} AND {_WHEN} <= {vendor_time(end)}"
        f" ORDER BY {_WHEN} DESC"
    )


def _text(cursor: EventCursor) -> str:
    return msgspec.json.encode(cursor).decode()
