"""The Salesforce connector: REST, one identity, reads and restoring writes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil

from connectors.salesforce import cursor as position
from connectors.salesforce import (
    groups,
    groups_links,
    logs,
    logs_place,
    soql,
    tiers,
    undeleting,
    writing,
)
from connectors.salesforce.answers import Refusal
from connectors.salesforce.catalogue import Catalogue, named
from connectors.salesforce.changes import Changes
from connectors.salesforce.client import Client
from connectors.salesforce.contents import look_up
from connectors.salesforce.history import LOOK_BACK, Histories
from connectors.salesforce.identity import identity_of
from connectors.salesforce.ids import to18
from connectors.salesforce.ingest_job import Pace
from connectors.salesforce.logs_lines import FILES, Lines
from connectors.salesforce.logs_reading import LINES, schema_of
from connectors.salesforce.people import People
from connectors.salesforce.recreating import Recreation
from connectors.salesforce.schema import Known
from connectors.salesforce.tokens import Tokens
from connectors.salesforce.writer import Writer
from crmtrail.config import SourceConfig
from crmtrail.errors import Mistake, PermissionMissing
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

_BODIES = {
    "Attachment": "Body",
    "ContentVersion": "VersionData",
    "Document": "Body",
    FILES: "LogFile",
}


class Salesforce:
    """One org, seen through one identity; see `crmtrail.ports.Connector`."""

    read_batch = soql.PAGE
    write_batch = writing.BATCH
    bulk_batch = tiers.BULK_BATCH
    undeletes = True

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
        self._lines = Lines(self._client, self._people, settings.overlap)
        self._settings = settings
        self._catalogue = Catalogue(self._client, settings, clock)
        self._writer = Writer(self._client, settings.duplicate_rules)
        self._recreations: dict[str, Recreation] = {}

    @property
    def calls(self) -> int:
        """How many API requests were sent so far."""
        return self._client.calls

    def identity(self) -> Identity:
        """Return the org and the user the token stands for; see `identity_of`.

        Raises:
            CredentialsRefused: Salesforce refuses the token.
        """
        return identity_of(self._client)

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, sorted, or the members of a group.

        Raises:
            Mistake: there is no such group.
        """
        return self._catalogue.objects(group)

    def schema(self, object_: str) -> Schema:
        """Return the fields of an object as of now.

        Raises:
            Mistake: there is no such object, or this identity cannot see it. Where the config asks
                for it through a group, its schema is empty instead, and `page` tells a gap.
        """
        return schema_of(self.source) if object_ == LINES else self._catalogue.schema(object_)

    def start(self, object_: str, position_: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page. Sends no request."""
        if object_ == LINES:
            return logs_place.start(position_, mode)
        if object_ in self._catalogue.absent and position_ is not None:
            return position_
        if object_ == groups_links.LINKS and (walked := groups_links.read(position_)):
            return groups_links.start(walked, mode)
        known = self._catalogue.known(object_)
        if known is not None and logs.are_events(known):
            return logs.start(position_, mode)
        return position.opening(position_, mode)

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of changes, and the cursor of the next.

        What the config asks for through a group, or by ``*``, is told as a gap where Salesforce
        does not give it out.
        """
        if object_ == LINES:
            return self._log_lines(cursor)
        if object_ in self._catalogue.absent:
            return groups.untold(object_, cursor, None, self._catalogue.absent[object_])
        known = self._catalogue.met(object_)
        if object_ == groups_links.LINKS and (walk := groups_links.read(cursor)):
            return self._links.page(known, walk)
        at = logs.place(cursor) if logs.are_events(known) else position.read(cursor)
        try:
            return self._page(known, at)
        except (PermissionMissing, Refusal) as error:
            if object_ == groups_links.LINKS and isinstance(error, Refusal):
                return self._links.page(known, groups_links.LinkCursor("walk"))
            through = self._catalogue.groups_naming(object_)
            unasked = self._settings.everything and at.mark is None and not at.id
            if not through and not unasked:
                raise
            why = groups.refused(object_, through, error)
            return groups.untold(object_, cursor, at.mark, why)

    def _log_lines(self, cursor: str) -> Page:
        if why := self._catalogue.absent.get(FILES):
            return groups.untold(LINES, cursor, None, why)
        at = logs_place.read(cursor)
        try:
            return self._lines.page(at)
        except (PermissionMissing, Refusal) as error:
            through = self._catalogue.groups_naming(LINES)
            if not through:
                raise
            return groups.untold(LINES, cursor, at.mark, groups.refused(FILES, through, error))

    def _page(self, known: Known, at: position.Cursor | logs.EventCursor) -> Page:
        try:
            return self._told(known, at)
        except Refusal as refusal:
            if refusal.code != "INVALID_FIELD":
                raise
            # A field was dropped or hidden since the describe: look again, once.
            return self._told(self._catalogue.described(known.schema.object, anew=True), at)

    def _told(self, known: Known, at: position.Cursor | logs.EventCursor) -> Page:
        if isinstance(at, logs.EventCursor):
            return self._events.page(known, at)
        return self._changes.page(known, at)

    def named(self, object_: str) -> str:
        """Return the object as it is written: Salesforce's names have one spelling."""
        return object_

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects, one line for each.

        Costs a request for five objects, and one for 25 describes.
        """
        return self._catalogue.missing(objects)

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
        if object_ == LINES:
            return {}  # lines can be had by their files only
        known = self._catalogue.met(object_)
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
        name = named(object_)
        return tiers.write(
            self._writer,
            name,
            writes,
            lambda: self._catalogue.met(name),
            Pace(),
        )

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take records out of the recycle bin, with the children that went with them."""
        return undeleting.undelete(self._writer, named(object_), _few(writes))

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
        return undeleting.remove(self._writer, named(object_), _few(writes))

    def _recreation(self, object_: str) -> Recreation:
        name = named(object_)
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
        self._lines.close()
        self._changes.close()
        self._client.close()


def _few(writes: Sequence[Write]) -> Sequence[Write]:
    if len(writes) > writing.BATCH:
        raise ValueError(f"a batch holds {writing.BATCH} records at most, not {len(writes)}")
    return writes
