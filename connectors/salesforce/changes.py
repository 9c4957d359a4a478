"""Pages of what changed: records, then deletions, then the vendor's own count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.salesforce import cursor as position
from connectors.salesforce import soql
from connectors.salesforce.answers import Delay, Refusal
from connectors.salesforce.bulk_query import LOOKS, Jobs, Place, State
from connectors.salesforce.client import Client, Rows
from connectors.salesforce.contents import fetch
from connectors.salesforce.cursor import Cursor, Phase
from connectors.salesforce.deletions import Losses, Seen
from connectors.salesforce.groups import FADING
from connectors.salesforce.history import Histories, closed
from connectors.salesforce.history_reading import NONE_AHEAD, Ahead
from connectors.salesforce.people import People
from connectors.salesforce.readings import (
    Row,
    Scribe,
    digest_of,
    id_of,
    is_deleted,
    is_merged,
    moment_of,
)
from connectors.salesforce.schema import Known
from connectors.salesforce.updates import look
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Gap, Page, Reading, Removal, Sighting

_MOST_LOOKS: Final = 1_500
"""So often a job is looked at, which is half a day, before its rows are read without it."""

_SMALLEST: Final = 50
"""Rows that Salesforce has to manage in one query."""


class Changes:
    """Reads one page at a time; what it remembers between pages only saves requests."""

    def __init__(
        self,
        client: Client,
        people: People,
        histories: Histories,
        overlap: timedelta,
        bulk_above: int,
    ) -> None:
        self._client = client
        self._people = people
        self._histories = histories
        self._overlap = overlap
        self._bulk_above = bulk_above
        self._jobs = Jobs(client)
        self._losses = Losses(client, people, overlap)
        self._seen: dict[str, Seen] = {}

    def close(self) -> None:
        """Close what is open from one page to the next."""
        self._jobs.close()

    def page(self, known: Known, at: Cursor) -> Page:
        """Return the page at a cursor that is not at rest.

        Raises:
            CursorLost: the cursor does not fit the object.
        """
        at = self._without_job(_fitting(known, at))
        if at.phase in (Phase.SWEEP, Phase.ROWS):
            return self._records(known, at)
        if at.phase is Phase.JOB:
            return self._job(known, at)
        if at.phase is Phase.UPDATES:
            return self._updates(known, at)
        if at.phase is Phase.DELETIONS:
            return self._deletions(known, at)
        if at.phase is Phase.COUNT:
            return self._count(known, at)
        raise CursorLost(f"{known.schema.object}: a finished run has no next page")

    def _without_job(self, at: Cursor) -> Cursor:
        """Throw the job away whose last page is stored."""
        if not at.job or at.phase is Phase.JOB:
            return at
        self._jobs.drop(at.job)
        return msgspec.structs.replace(at, job="")

    def _records(self, known: Known, at: Cursor) -> Page:
        wide = not at.narrow and soql.fits(
            self._client.base_url, self._query(known, known.wide, at)
        )
        fields = known.wide if wide else known.narrow
        try:
            answer = self._client.query(self._query(known, fields, at), deleted=known.keeps_bin)
        except Delay as delay:
            return self._smaller(known, at, delay)
        began, read_at = self._client.asked_at, self._client.told_at
        rows = answer.records
        news = rows
        if wide and at.phase is Phase.ROWS:
            digests = {id_of(row): digest_of(row) for row in rows}
            at = position.met(at, digests)
            news = [row for row in rows if at.shown.get(id_of(row)) != digests[id_of(row)]]
        following = self._following(known, at, answer, rows, began)
        if at.phase is Phase.SWEEP and at.id == "" and following.phase is Phase.SWEEP:
            following = self._perhaps_in_bulk(known, following)
        full = news if wide or at.narrow else self._contents(known, rows)
        if at.began is None:
            self._seen[known.schema.object] = Seen()
        if seen := self._seen.get(known.schema.object):
            seen.add(rows, None if at.full else known.stamp)
        return self._told(known, at, following, _Rows(news, full, read_at, whole=wide))

    def _told(self, known: Known, at: Cursor, following: Cursor, read: "_Rows") -> Page:
        """Return the page of rows that were read."""
        scribe = Scribe(self._client.source, known, self._people, read.at)
        if not at.narrow:
            scribe.meet(read.news)
        since = None if at.mark is None else at.mark - self._overlap
        first_load = at.full and at.mark is None
        removals = () if first_load else scribe.removals(read.news, whole=read.whole)
        lost = self._histories.attach_last(known, removals, since)
        if at.narrow:
            live = [row for row in read.news if not is_deleted(row)]
            sightings = [Sighting(id_of(row), _stamp_of(known, row)) for row in live]
            page = self._closed(known, following, removals=lost.removals, gaps=lost.gaps)
            return replace(page, sightings=sightings, sighted_at=read.at)
        readings = scribe.readings([row for row in read.full if self._is_told(row, at)])
        found = self._histories.attach(known, readings, since, read.ahead)
        page = self._closed(
            known,
            following,
            readings=found.readings,
            removals=lost.removals,
            gaps=(*found.gaps, *lost.gaps),
        )
        shown = {id_of(row) for row in read.full}
        bare = [
            id_ for row in read.news if (id_ := id_of(row)) not in shown and not is_deleted(row)
        ]
        if not bare:
            return page
        # Seen, but without content to be had: such a record has not vanished.
        return replace(page, sightings=[Sighting(id_, None) for id_ in bare], sighted_at=read.at)

    def _smaller(self, known: Known, at: Cursor, delay: Delay) -> Page:
        """Ask for fewer rows where Salesforce could not put a page together in time."""
        size = (at.size or soql.PAGE) // 2
        if delay.code != "QUERY_TIMEOUT" or size < _SMALLEST:
            raise delay
        return self._closed(known, msgspec.structs.replace(at, size=size))

    def _perhaps_in_bulk(self, known: Known, at: Cursor) -> Cursor:
        """Return the cursor that goes on through Bulk, if there is much left to read."""
        if at.plain or not self._is_large(known):
            return at
        job = self._jobs.make(known, known.narrow if at.narrow else known.wide, at.id)
        if job is None:
            return msgspec.structs.replace(at, plain=True)
        return position.in_bulk(at, job, began=self._client.asked_at)

    def _is_large(self, known: Known) -> bool:
        """Whether Bulk is worth its requests. What takes too long to count is large."""
        count = self._counted(known, late=self._bulk_above + 1)
        return count is not None and count > self._bulk_above

    def _job(self, known: Known, at: Cursor) -> Page:
        """Look at a Bulk job, or read the next page of its results."""
        if not at.ready:
            state = self._jobs.look(at.job)
            if state is State.FAILED or at.looks >= _MOST_LOOKS:
                return self._closed(known, position.by_pages(at))
            if state is State.WAITING:
                later = msgspec.structs.replace(at, looks=at.looks + 1)
                return self._closed(known, later)
            at = msgspec.structs.replace(at, ready=True)
        results = self._jobs.results(known, at.job, Place(at.place, at.skip, at.taken))
        if results is None:
            return self._closed(known, position.by_pages(at))
        # The rows are as of the job, not as of now: never later than this run began.
        rows, read_at = results.rows, at.began or self._client.told_at
        stamps = [one for row in rows if (one := _stamp_of(known, row))]
        following = position.stamped(at, max(stamps, default=None))
        if place := results.following:
            following = msgspec.structs.replace(
                following, place=place.locator, skip=place.skip, taken=place.rows
            )
        else:
            following = self._ended(known, following, self._client.asked_at)
        if seen := self._seen.get(known.schema.object):
            seen.add(rows, None)
        read = _Rows(rows, rows, read_at, whole=not at.narrow, ahead=results.ahead)
        return self._told(known, at, following, read)

    def _is_told(self, row: Row, at: Cursor) -> bool:
        """Whether a row is worth a reading.

        Of the bin's rows those are that may never have been seen alive: on a first load, or
        created since the last run. For the others the removal says all: in the bin computed
        fields move, and that would read like an edit. A merge would read like a deletion.
        """
        if not is_deleted(row) or at.mark is None:
            return True
        created = moment_of(row, "CreatedDate")
        return created is not None and created >= at.mark - self._overlap and not is_merged(row)

    def _query(self, known: Known, fields: Sequence[str], at: Cursor) -> str:
        name = known.schema.object
        size = at.size or soql.PAGE
        if at.phase is Phase.SWEEP:
            return soql.by_id(name, fields, at.id, size)
        if known.stamp is None or at.mark is None:
            raise CursorLost(f"{name}: the stored position has no mark to poll from")
        pages = soql.Stamped(name, fields, known.stamp, size)
        if at.stamp is not None:
            return pages.after(at.stamp, at.id)
        return pages.since(at.mark - self._overlap)

    def _following(
        self, known: Known, at: Cursor, answer: Rows, rows: Sequence[Row], began: datetime
    ) -> Cursor:
        stamps = [_stamp_of(known, row) for row in rows]
        at = position.stamped(at, max((one for one in stamps if one), default=None))
        # A short page is the last one only if Salesforce says so: it may shrink pages at will.
        if answer.last and len(rows) < (at.size or soql.PAGE):
            return self._ended(known, at, began)
        if not rows:
            raise Unavailable(
                f"Salesforce answered an empty page in the middle of {known.schema.object}"
            )
        stamp = stamps[-1] if at.phase is Phase.ROWS and stamps else None
        id_ = id_of(rows[-1])
        if (stamp, id_) == (at.stamp, at.id):
            raise Unavailable(f"Salesforce answered the same page of {known.schema.object} again")
        return position.turned(at, began=began, stamp=stamp, id_=id_)

    def _ended(self, known: Known, at: Cursor, began: datetime) -> Cursor:
        """Return the cursor after the last record."""
        return position.rows_read(
            at,
            began=began,
            overlap=self._overlap,
            replicateable=known.replicateable is not False,
        )

    def _contents(self, known: Known, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the whole records behind narrow rows; deleted ones have no content to fetch."""
        ids = [id_of(row) for row in rows if not is_deleted(row)]
        found = fetch(self._client, known, ids) if ids else {}
        return [
            found.get(id_of(row), row) for row in rows if is_deleted(row) or id_of(row) in found
        ]

    def _deletions(self, known: Known, at: Cursor) -> Page:
        seen = self._seen.get(known.schema.object) or Seen(whole=False)
        lost = self._losses.look(known, at, seen)
        return self._closed(known, lost.following, removals=lost.removals, gaps=lost.gaps)

    def _updates(self, known: Known, at: Cursor) -> Page:
        """Sight what moved without having been shown."""
        found = look(self._client, known, at, self._seen.get(known.schema.object), self._overlap)
        page = self._closed(known, found.following)
        if not found.sightings:
            return page
        return replace(page, sightings=found.sightings, sighted_at=self._client.told_at)

    def _count(self, known: Known, at: Cursor) -> Page:
        """Ask how many live records there are, to compare with what is stored."""
        page = self._closed(known, position.finished(at), expected=self._counted(known))
        # What Salesforce itself drops after a while has not vanished.
        return page if known.schema.object in FADING else replace(page, swept=at.began)

    def _counted(self, known: Known, *, late: int | None = None) -> int | None:
        """Return how many live records there are; None where Salesforce cannot count them.

        ``late`` is returned where counting takes it too long.
        """
        try:
            return _counted(self._client.query(soql.count(known.schema.object), deleted=False))
        except Delay as delay:
            if delay.code != "QUERY_TIMEOUT":
                raise
            return late
        except Refusal:  # some objects cannot be counted; nothing is lost without it
            return None

    def _closed(
        self,
        known: Known,
        following: Cursor,
        *,
        readings: Sequence[Reading] = (),
        removals: Sequence[Removal] = (),
        gaps: Sequence[Gap] = (),
        expected: int | None = None,
    ) -> Page:
        done = following.phase is Phase.REST
        if done:
            object_ = known.schema.object
            self._seen.pop(object_, None)
            barred = tuple(self._histories.barred(object_, following.barred))
            following = msgspec.structs.replace(following, barred=barred)
            gaps = (*gaps, *closed(object_, barred))
        return Page(
            object=known.schema.object,
            cursor=position.write(following),
            done=done,
            readings=readings,
            removals=removals,
            gaps=gaps,
            complete_to=(following.listed or following.mark) if done else None,
            watermark=following.mark if done else None,
            expected=expected,
            pause=LOOKS[min(following.looks, len(LOOKS) - 1)] if _waits(following) else 0.0,
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows that were read: those that are news, their content, the vendor's clock.

    ``whole``: the rows of the recycle bin tell their content too. ``ahead`` are records of this
    page and of pages to come.
    """

    news: Sequence[Row]
    full: Sequence[Row]
    at: datetime
    whole: bool
    ahead: Ahead = NONE_AHEAD


def _fitting(known: Known, at: Cursor) -> Cursor:
    """Return the cursor as it fits an object: what bears no stamp is read in full each time."""
    if known.stamp is not None:
        return at
    if at.phase is Phase.ROWS:
        return msgspec.structs.replace(at, phase=Phase.SWEEP, full=True)
    return msgspec.structs.replace(at, narrow=False) if at.narrow and not at.job else at


def _waits(at: Cursor) -> bool:
    return at.phase is Phase.JOB and not at.ready


def _stamp_of(known: Known, row: Row) -> datetime | None:
    return None if known.stamp is None else moment_of(row, known.stamp)


def _counted(answer: Rows) -> int | None:
    """Return the count: COUNT() tells it as the size, an aggregate as the value of its row."""
    told = answer.records[0].get("expr0") if answer.records else None
    text = b"" if told is None else bytes(told)
    if text.isdigit():
        return int(text)
    return answer.total_size if answer.total_size >= 0 else None
