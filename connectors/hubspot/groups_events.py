"""Logs of the account: logins, security activity and, with Enterprise, what users did.

HubSpot promises no order and no moment by which an event is listed, so each poll reads back over
the last hour of the one before. Where events were seen to come newest first, and never otherwise,
it stops there; else it reads the whole log. Events never change, and what HubSpot drops after a
while has not vanished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from connectors.hubspot.client import Client, Told
from connectors.hubspot.groups_cursor import EventCursor, kept_in, place, text_of
from connectors.hubspot.groups_kinds import EVENTS
from connectors.hubspot.groups_rows import moment_in, part_of, record_id, text_in, tokens
from connectors.hubspot.object_names import standard_name
from connectors.hubspot.people import People
from connectors.hubspot.refusals import Refusal
from connectors.hubspot.shapes import Row, Rows, milliseconds, moment_of
from crmtrail.errors import Unavailable
from crmtrail.model import Actor, ActorKind, Gap, Mode, Page, Reading, Ref, stamp, unknown
from crmtrail.ports import Clock

OVERLAP: Final = timedelta(hours=1)
"""So much later than its stamp an event may come in."""

LOGINS_KEPT: Final = timedelta(days=90)
"""How long HubSpot keeps logins (documentation of the login activity API)."""

FEW: Final = 5
EACH: Final = timedelta(seconds=30)
"""A walk of more than a few pages takes place at most so often, times its pages."""

_LIMIT: Final = ("limit", "100")
_WAYS: Final = (("limit", "since"), ("since",), ())
"""What a page is asked for with, as long as HubSpot takes it."""
_RECORDS: Final = frozenset({"PROPERTY_VALUE", "CRM_OBJECT"})


class Log(NamedTuple):
    """One log: where it lies, and how it is asked for what is newer than a moment."""

    path: str
    since: Callable[[datetime], tuple[str, str]] | None


LOGS: Final[Mapping[str, Log]] = {
    "login_activity": Log("/account-info/v3/activity/login", None),
    "security_activity": Log(
        "/account-info/v3/activity/security",
        lambda at: ("fromTimestamp", str(milliseconds(at))),
    ),
    "audit_logs": Log(
        "/account-info/v3/activity/audit-logs",
        lambda at: ("occurredAfter", stamp(at)),
    ),
}


class Events:
    """Reads one page of a log at a time.

    Args:
        client: the API.
        source: the source's name.
        people: names and ids of users.
        clock: used to ask less often where a log is long and in no order.
    """

    def __init__(self, client: Client, source: str, people: People, clock: Clock) -> None:
        self._client = client
        self._source = source
        self._people = people
        self._clock = clock
        self._refused: dict[str, int] = {}
        self._walked: dict[str, tuple[datetime, int]] = {}

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of a walk's first page; one that broke off goes on.

        Events never change, so only FULL reads again what was read before.
        """
        kept = kept_in(position, EventCursor)
        if position is not None and kept is None and mode is not Mode.FULL:
            return position  # `page` says what is wrong with it
        if kept is None or mode is Mode.FULL:
            return text_of(EventCursor("walk"))
        if kept.events == "walk":
            return text_of(kept)
        if mode is Mode.INCREMENTAL and self._can_wait(object_):
            return text_of(kept)
        floor = None if kept.mark is None else kept.mark - OVERLAP // timedelta(milliseconds=1)
        walk = EventCursor("walk", kept.mark, floor, falls=kept.falls, rises=kept.rises)
        return text_of(walk)

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of events, and the cursor after it; one request as a rule.

        Raises:
            PermissionMissing, Absent: HubSpot does not give the log out.
            CursorLost: the cursor is none of ours.
        """
        at = place(cursor, EventCursor)
        if at.events == "rest":
            return Page(object_, cursor, done=True)
        told = self._told(object_, at)
        began = at.began if at.began is not None else milliseconds(told.at)
        rows = told.content.results
        readings = [self._reading(object_, row, told.at) for row in rows]
        following = _after(at, readings, began)
        gaps = _outlived(object_, at, began)
        page = Page(object_, "", done=False, readings=readings, gaps=gaps)
        after = told.content.after
        if after is not None and after != at.after and not _is_known(following):
            return replace(page, cursor=text_of(msgspec.structs.replace(following, after=after)))
        self._walked[object_] = self._clock.now(), following.pages
        mark = moment_of(max(began, at.mark or began))
        rest = EventCursor("rest", milliseconds(mark), falls=following.falls, rises=following.rises)
        return replace(page, cursor=text_of(rest), done=True, complete_to=mark, watermark=mark)

    def _can_wait(self, object_: str) -> bool:
        if object_ not in self._walked:
            return False
        at, pages = self._walked[object_]
        return pages > FEW and timedelta() <= self._clock.now() - at < pages * EACH

    def _told(self, object_: str, at: EventCursor) -> Told[Rows]:
        """Return a page. What HubSpot refuses of the question is left out, from then on.

        Neither the length of a page nor how it wants a moment written is documented.
        """
        log = LOGS[object_]
        while True:
            ways = _WAYS[self._refused.get(object_, 0) :]
            query = [("after", at.after)] if at.after is not None else []
            if "limit" in ways[0]:
                query.append(_LIMIT)
            if "since" in ways[0] and log.since is not None and at.floor is not None:
                query.append(log.since(moment_of(at.floor)))
            try:
                return self._client.rows(log.path, tuple(query))
            except Refusal:
                if len(ways) == 1:
                    raise
                self._refused[object_] = self._refused.get(object_, 0) + 1

    def _reading(self, object_: str, row: Row, read_at: datetime) -> Reading:
        id_ = text_in(row, "id")
        if id_ is None:
            raise Unavailable(f"HubSpot's answer is incomplete: {object_} without an id")
        at = moment_in(row, EVENTS[object_].born) or read_at
        fields = tokens(row)
        actor = acting(row, self._people)
        if object_ == "audit_logs":
            fields, actor = _audited(row), self._auditor(row)
        return Reading(
            ref=Ref(self._source, object_, record_id(id_)),
            fields=fields,
            modified_at=at,
            edited_at=at,
            read_at=max(read_at, at),
            actor=actor,
            created_at=at,
            creator=actor,
        )

    def _auditor(self, row: Row) -> Actor:
        return _user(part_of(row, "actingUser"), "userId", "userEmail", self._people)


def acting(row: Row, people: People) -> Actor:
    """Return whose deed a login or an event of the security log tells.

    ``actingUser`` is the address of who acted; ``userId`` may be whom it was done to.
    """
    address = text_in(row, "actingUser")
    if address is None:
        user = text_in(row, "userId")
        if user is not None and user == text_in(row, "objectId"):
            return unknown("HubSpot tells only whom it was done to")
        return _user(row, "userId", "email", people)
    if "@" not in address:
        return Actor(ActorKind.USER, address, people.user(address))
    id_ = people.id_of(address)
    name = people.user(id_) if id_ else None
    return Actor(ActorKind.USER, id_, name or address)


def _user(row: Row, id_field: str, address_field: str, people: People) -> Actor:
    id_, address = text_in(row, id_field), text_in(row, address_field)
    if id_ is None and address is not None:
        id_ = people.id_of(address)
    if id_ is None and address is None:
        return unknown("HubSpot names nobody on this event")
    return Actor(ActorKind.USER, id_, (people.user(id_) if id_ else None) or address)


def _audited(row: Row) -> dict[str, str]:
    """Return the fields of an audited deed, with the record that it was done to."""
    user = part_of(row, "actingUser")
    fields = tokens(row, ("actingUser",)) | tokens(user)
    target = text_in(row, "targetObjectId")
    kind = text_in(row, "subCategory") or ""
    if target and (text_in(row, "category") or "") in _RECORDS:
        names = [standard_name(kind), standard_name(kind.replace(" ", "_"))]
        if name := next((one for one in names if one), None):
            return tokens({}, target=f"{name}:{target}") | fields
    return fields


def _after(at: EventCursor, readings: Sequence[Reading], began: int) -> EventCursor:
    """Return the cursor after a page, with what it tells of the order of events."""
    stamps = [milliseconds(one.modified_at) for one in readings]
    pairs = [*pairwise([at.last, *stamps] if at.last is not None else stamps)]
    return msgspec.structs.replace(
        at,
        began=began,
        last=stamps[-1] if stamps else at.last,
        falls=at.falls or any(one > other for one, other in pairs),
        rises=at.rises or any(one < other for one, other in pairs),
        pages=at.pages + 1,
    )


def _is_known(at: EventCursor) -> bool:
    """Whether all that follows was read before: events come newest first, down to the floor."""
    newest_first = at.falls and not at.rises
    return newest_first and at.floor is not None and at.last is not None and at.last < at.floor


def _outlived(object_: str, at: EventCursor, began: int) -> Sequence[Gap]:
    """Return the gap between what was read and what HubSpot still keeps."""
    kept = moment_of(began) - LOGINS_KEPT
    if object_ != "login_activity" or at.pages or at.mark is None or moment_of(at.mark) >= kept:
        return ()
    return (Gap(object_, moment_of(at.mark), kept, "HubSpot keeps logins for 90 days"),)
