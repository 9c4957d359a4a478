"""The Salesforce connector: REST, one identity, reads and restoring writes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil

import msgspec

from connectors.salesforce import cursor as position
from connectors.salesforce import groups, groups_links, logs, soql, tiers, undeleting, writing
from connectors.salesforce.answers import Refusal
from connectors.salesforce.changes import Changes
from connectors.salesforce.client import Client
from connectors.salesforce.contents import look_up
from connectors.salesforce.describing import Describing
from connectors.salesforce.discovery import Listing, definitions, hidden, listed
from connectors.salesforce.history import LOOK_BACK, Histories
from connectors.salesforce.ids import to18
from connectors.salesforce.ingest_job import Pace
from connectors.salesforce.login import LoginRefused
from connectors.salesforce.people import People
from connectors.salesforce.readings import text_of
from connectors.salesforce.recreating import Recreation
from connectors.salesforce.schema import Known
from connectors.salesforce.tokens import Tokens
from connectors.salesforce.writer import Writer
from crmtrail.config import SourceConfig
from crmtrail.errors import (
    CursorLost,
    Mistake,
    PermissionMissing,
    PersonNeeded,
    Unavailable,
)
from crmtrail.model import (
    Answer,
    Identity,
    Mode,
    Page,
    Reading,
    Ref,
    Removal,
    Schema,
    Usage,
    Write,
)
from crmtrail.ports import Clock

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_BODIES = {"Attachment": "Body", "ContentVersion": "VersionData", "Document": "Body"}


class _UserInfo(msgspec.Struct):
    """The part of OAuth userinfo that says who we are."""

    organization_id: str | None = None
    user_id: str | None = None
    name: str | None = None


class _NoObject(Mistake):
    """There is no such object, or this identity cannot see it."""


class Salesforce:
    """One org, seen through one identity; see `crmtrail.ports.Connector`."""

    read_batch = soql.PAGE
    write_batch = writing.BATCH
    bulk_batch = tiers.BULK_BATCH

    def __init__(
        self, source: str, settings: SourceConfig, tokens: Tokens, version: str, clock: Clock
    ) -> None:
        self.source = source
        self._client = Client(source, settings, tokens, version, clock)
        self._people = People(self._client, clock)
        self._histories = Histories(self._client, self._people, clock, settings.history_months)
        self._changes = Changes(
            self._client,
            self._people,
            self._histories,
            settings.overlap,
            settings.bulk_above,
        )
        self._links = groups_links.Links(self._client, self._people, settings.overlap)
        self._events = logs.Events(self._client, self._people)
        self._settings = settings
        self._listed: Sequence[str] = ()
        self._describing = Describing(self._client, clock, self._wanted)
        self._absent: dict[str, str] = {}
        self._writer = Writer(self._client, settings.duplicate_rules)
        self._recreations: dict[str, Recreation] = {}

    @property
    def calls(self) -> int:
        """How many API requests were sent so far."""
        return self._client.calls

    def identity(self) -> Identity:
        """Return the org and the user the token stands for.

        A token without the scope for that, or an address that does not serve it, still tells its
        org; the user is then left empty. What is not told at all is empty: nothing rests on it.

        Raises:
            CredentialsRefused: Salesforce refuses the token.
        """
        try:
            info = self._client.who(_UserInfo)
        except LoginRefused:
            raise
        except (PersonNeeded, Mistake, Unavailable):
            info = _UserInfo()
        account = info.organization_id or self._organization()
        user = info.user_id or ""
        return Identity(
            account=to18(account) or account,
            user=to18(user) or user,
            name=info.name or "",
            server_time=self._time(),
        )

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, sorted, or the members of a group.

        Raises:
            Mistake: there is no such group.
        """
        wanted = groups.group_of(group) if group else None
        if wanted and not wanted.ending:
            return wanted.members
        told = self._client.get("sobjects", Listing)
        if wanted is None:
            self._listed = listed(told)
            return self._listed
        more = sorted(one.name for one in told.sobjects if one.name.endswith(wanted.ending))
        return tuple(dict.fromkeys((*wanted.members, *more)))

    def schema(self, object_: str) -> Schema:
        """Return the fields of an object as of now.

        Raises:
            Mistake: there is no such object, or this identity cannot see it. Where the config asks
                for it through a group, its schema is empty instead, and `page` tells a gap.
        """
        through = groups.groups_of(self._named_in_config(), object_)
        try:
            known = self._described(object_)
        except _NoObject:
            if not through:
                raise
            self._absent[object_] = groups.absent(object_, through)
            return Schema(self.source, object_, {})
        self._absent.pop(object_, None)
        return known.schema

    def start(self, object_: str, position_: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page. Sends no request."""
        if object_ in self._absent and position_ is not None:
            return position_
        if object_ == groups_links.LINKS and (walked := groups_links.read(position_)):
            return groups_links.start(walked, mode)
        known = self._describing.known(object_)
        if known is not None and logs.are_events(known):
            return logs.start(position_, mode)
        try:
            return position.write(position.start(position_, mode))
        except CursorLost:
            if mode is not Mode.FULL and position_ is not None:
                return position_  # `page` says what is wrong with it
            return position.write(position.start(None, mode))

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of changes, and the cursor of the next.

        What the config asks for through a group, or by ``*``, is told as a gap where Salesforce
        does not give it out.
        """
        if object_ in self._absent:
            return groups.untold(object_, cursor, None, self._absent[object_])
        known = self._met(object_)
        if object_ == groups_links.LINKS and (walk := groups_links.read(cursor)):
            return self._links.page(known, walk)
        at = logs.place(cursor) if logs.are_events(known) else position.read(cursor)
        try:
            return self._page(known, at)
        except (PermissionMissing, Refusal) as error:
            if object_ == groups_links.LINKS and isinstance(error, Refusal):
                return self._links.page(known, groups_links.LinkCursor("walk"))
            through = groups.groups_of(self._named_in_config(), object_)
            unasked = self._settings.objects == "*" and at.mark is None and not at.id
            if not through and not unasked:
                raise
            why = groups.refused(object_, through, error)
            return groups.untold(object_, cursor, at.mark, why)

    def _page(self, known: Known, at: position.Cursor | logs.EventCursor) -> Page:
        try:
            return self._told(known, at)
        except Refusal as refusal:
            if refusal.code != "INVALID_FIELD":
                raise
            # A field was dropped or hidden since the describe: look again, once.
            return self._told(self._described(known.schema.object, anew=True), at)

    def _told(self, known: Known, at: position.Cursor | logs.EventCursor) -> Page:
        if isinstance(at, logs.EventCursor):
            return self._events.page(known, at)
        return self._changes.page(known, at)

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects, one line for each.

        Costs a request for five objects, and one for 25 describes.
        """
        told = []
        there: dict[str, Known] = {}
        for name in objects:
            try:
                there[name] = self._described(name)
            except _NoObject:
                if through := groups.groups_of(self._named_in_config(), name):
                    told.append(groups.absent(name, through))
        for name, defined in definitions(self._client, list(there)).items():
            if unseen := hidden(defined, there[name].described):
                count = "1 field is" if len(unseen) == 1 else f"{len(unseen)} fields are"
                told.append(f"{name}: {count} hidden from this token: {', '.join(unseen)}")
        return told

    def fetch_body(self, ref: Ref) -> Iterator[bytes]:
        """Stream the content of a file, in pieces.

        Raises:
            Mistake: records of this object hold no file.
        """
        if ref.object not in _BODIES:
            raise Mistake(f"{ref.object} holds no files", hint=f"{', '.join(_BODIES)} do")
        path = f"sobjects/{ref.object}/{to18(ref.id) or ref.id}/{_BODIES[ref.object]}"
        with self._client.stream(path) as found:
            yield from found.chunks

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now, and removals of those in the recycle bin.

        ``trail`` brings the history of the last 30 days along.
        """
        if len(ids) > self.read_batch:
            raise ValueError(f"one read takes {self.read_batch} ids at most, not {len(ids)}")
        known = self._met(object_)
        asked = {id_: full for id_ in ids if (full := to18(id_))}
        wanted = sorted(set(asked.values()))
        found = look_up(self._client, self._people, known, wanted) if wanted else {}
        if trail:
            found |= self._trailed(known, [r for r in found.values() if isinstance(r, Reading)])
        return {id_: found[full] for id_, full in asked.items() if full in found}

    def _trailed(self, known: Known, readings: Sequence[Reading]) -> Mapping[str, Reading]:
        since = self._client.told_at - LOOK_BACK
        attached = self._histories.attach(known, readings, since)
        return {reading.ref.id: reading for reading in attached.readings}

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records cost to read and to write, in requests.

        The first look at an object's history takes the list of objects and a describe or two.
        """
        histories = ceil(records / soql.IDS_A_QUERY) if records else 3
        return ceil(records / self.read_batch) + histories, tiers.price(records)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values; one answer for each write, in order."""
        name = _named(object_)
        return tiers.write(
            self._writer,
            name,
            writes,
            lambda: self._met(name),
            Pace(),
        )

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take records out of the recycle bin, with the children that went with them."""
        return undeleting.undelete(self._writer, _named(object_), _few(writes))

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew; the dates and authors of old are set where that is permitted."""
        return self._recreation(object_).make(_few(writes))

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records made anew by requests of which the answer was lost, by key.

        Absent: there is none so far. None: it cannot be told which. See `Recreation.found`.
        """
        return self._recreation(object_).found(writes, since)

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Move records to the recycle bin."""
        return undeleting.remove(self._writer, _named(object_), _few(writes))

    def _recreation(self, object_: str) -> Recreation:
        name = _named(object_)
        if name not in self._recreations:
            self._recreations[name] = Recreation(self._writer, name, self._user)
        return self._recreations[name]

    def _user(self) -> str:
        return self.identity().user

    def usage(self) -> Usage:
        """Return the vendor's last word on our budget."""
        return self._client.usage

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _organization(self) -> str:
        """Return the org's id from its own record; empty where the token may not read that."""
        try:
            rows = self._client.query("SELECT Id, Name FROM Organization LIMIT 1", deleted=False)
        except (PermissionMissing, Refusal):
            return ""
        return text_of(rows.records[0], "Id") or "" if rows.records else ""

    def _time(self) -> datetime | None:
        return self._client.told_at if self._client.heard else None

    def _met(self, object_: str) -> Known:
        return self._describing.known(object_) or self._described(object_)

    def _described(self, object_: str, *, anew: bool = False) -> Known:
        look = self._describing.again if anew else self._describing.learn
        try:
            return look(_named(object_))
        except Mistake:
            raise _NoObject(
                f"{self.source} has no object {object_}, or the token cannot see it",
                hint="check `objects` of this source in the config",
            ) from None

    def _named_in_config(self) -> Sequence[str]:
        return () if self._settings.objects == "*" else self._settings.objects

    def _wanted(self) -> Sequence[str]:
        """Return the objects that the config asks for, as far as they are known by now."""
        if self._settings.objects == "*":
            return self._listed
        found: list[str] = []
        for name in self._settings.objects:
            group = groups.GROUPS.get(name[1:]) if name.startswith("@") else None
            found += group.members if group else [name]
        return [name for name in found if _NAME.fullmatch(name)]


def _few(writes: Sequence[Write]) -> Sequence[Write]:
    if len(writes) > writing.BATCH:
        raise ValueError(f"a batch holds {writing.BATCH} records at most, not {len(writes)}")
    return writes


def _named(object_: str) -> str:
    if not _NAME.fullmatch(object_):
        raise Mistake(
            f"{object_!r} is no object name of Salesforce",
            hint="use the API name, such as Account or Invoice__c",
        )
    return object_
