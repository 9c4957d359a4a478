"""What changed since the last poll, one API request a page."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from connectors.hubspot import sweep, windows
from connectors.hubspot.client import Client, Told, fits_a_list
from connectors.hubspot.cursor import (
    Cursor,
    behind,
    drained,
    floor,
    read_cursor,
    remembered,
)
from connectors.hubspot.lookup import FILL_BATCH, READ_BATCH, Found, Lookup
from connectors.hubspot.readings import mergers, overflows, removal_of
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Listing, Thing, milliseconds, moment_of
from crmtrail.errors import CursorLost, PermissionMissing
from crmtrail.model import Gap, Page, Reading, Removal

LAG = timedelta(seconds=60)
"""How far each poll reads back behind the one before: the search index lags "a few moments"."""

_SECOND = 999
"""HubSpot's Date header counts seconds; the bound of a window includes the whole second."""


_UNSEARCHED = (Refusal, Absent, PermissionMissing)


class Changes:
    """The pages of a run. Keeps nothing: every page follows from its cursor alone.

    Args:
        client: the API.
        lookup: reads records by id.
        names_of: the property names of an object.
        overlap: how far back a poll reads; 60 seconds at most are used, for the index lags no
            more than moments and what was read already is told by its stamp.
    """

    def __init__(
        self,
        client: Client,
        lookup: Lookup,
        names_of: Callable[[str], Sequence[str]],
        overlap: timedelta,
    ) -> None:
        self._client = client
        self._lookup = lookup
        self._names_of = names_of
        self._lag = min(overlap, LAG) // timedelta(milliseconds=1)

    def page(self, object_: str, text: str) -> Page:
        """Return the page a cursor stands before.

        Raises:
            CursorLost: the cursor is none of ours, or HubSpot forgot the place.
        """
        cursor = read_cursor(text)
        steps: dict[str, Callable[[str, Cursor], Page]] = {
            "count": self._count,
            "scan": self._scan,
            "search": self._search,
            "flood": self._flood,
            "fill": self._fill,
            "read": self._read,
            "missing": self._missing,
            "probe": self._probe,
            "bin": self._bin,
            "ghosts": self._ghosts,
            "returned": self._returned,
            "rest": self._rest,
        }
        return steps[cursor.phase](object_, cursor)

    def _count(self, object_: str, cursor: Cursor) -> Page:
        body = {"filterGroups": [], "properties": [], "limit": 1}
        try:
            told = self._client.search(object_, body)
        except _UNSEARCHED:  # not every object can be searched; its list says how many there are
            return Page(object_, self._scanning(cursor), done=False)
        return Page(object_, self._scanning(cursor), done=False, expected=told.content.total)

    def _scanning(self, cursor: Cursor) -> str:
        """Return the cursor of a scan; it lists the whole recycle bin afterwards."""
        return self._started(cursor).moved(phase="scan", after=None, swept=None).text()

    def _scan(self, object_: str, cursor: Cursor) -> Page:
        names = self._names_of(object_)
        whole = fits_a_list(names)
        told = self._listing(object_, cursor, names if whole else ("hs_object_id",))
        begun = self._started(cursor)
        changed = [one for one in told.content.results if _since(one, begun.since)]
        same = [one for one in told.content.results if not _since(one, begun.since)]
        after = told.content.after
        queued = begun.moved(
            after=after,
            then="scan" if after is not None else "bin",
            todo=tuple(str(one.id) for one in changed),
            plain=() if whole else tuple(str(one.id) for one in same),
        )
        readings = self._readings(object_, same, told.at) if whole else []
        return self._kept(object_, queued, readings)

    def _search(self, object_: str, cursor: Cursor) -> Page:
        window = windows.Search(cursor.low, cursor.edge, cursor.after)
        high = None if cursor.start is None else cursor.start + _SECOND
        if high is not None and cursor.low > high:
            high = None  # records are stamped by a clock that is ahead of HubSpot's Date
        try:
            told = self._client.search(object_, windows.search_body(object_, window, high))
        except _UNSEARCHED:
            return self._unsearched(object_, cursor)
        hits = windows.hits_of(object_, told.content)
        go = windows.after_search(window, hits, told.content.after)
        flooded = isinstance(go, windows.Flood)
        fresh = () if flooded else windows.fresh(hits, window, cursor.recent)
        moved = windows.onward(self._started(cursor).moved(todo=tuple(fresh)), go)
        return Page(object_, drained(moved).text(), done=False)

    def _flood(self, object_: str, cursor: Cursor) -> Page:
        last, taken, total = cursor.walk
        flood = windows.Flood(cursor.low, last, taken, total)
        try:
            told = self._client.search(object_, windows.flood_body(object_, flood))
        except _UNSEARCHED:
            return self._unsearched(object_, cursor)
        hits = [(str(one.id), cursor.low) for one in told.content.results]
        go = windows.after_flood(flood, hits, told.content.after, told.content.total)
        window = windows.Search(cursor.low, cursor.edge)
        fresh = windows.fresh(hits, window, cursor.recent)
        moved = windows.onward(cursor.moved(todo=tuple(fresh)), go)
        return Page(object_, drained(moved).text(), done=False)

    def _unsearched(self, object_: str, cursor: Cursor) -> Page:
        """List every record where the search is refused: dear, but complete."""
        moved = windows.onward(self._started(cursor), windows.Scan())
        return Page(object_, drained(moved).text(), done=False)

    def _fill(self, object_: str, cursor: Cursor) -> Page:
        ids, rest = cursor.plain[:FILL_BATCH], cursor.plain[FILL_BATCH:]
        found = self._lookup.live(object_, ids, history=False)
        return self._taken(object_, cursor.moved(plain=rest), ids, found)

    def _read(self, object_: str, cursor: Cursor) -> Page:
        ids, rest = cursor.todo[:READ_BATCH], cursor.todo[READ_BATCH:]
        found = self._lookup.live(object_, ids, history=True)
        return self._taken(object_, cursor.moved(todo=rest), ids, found)

    def _missing(self, object_: str, cursor: Cursor) -> Page:
        ids, rest = cursor.lost[:FILL_BATCH], cursor.lost[FILL_BATCH:]
        found = self._lookup.binned(object_, ids)
        removals = self._lookup.removals(object_, found)
        unsure = tuple(id_ for id_ in ids if id_ not in found.things)
        if unsure:
            moved = cursor.moved(phase="probe", todo=unsure, lost=rest)
        else:
            moved = drained(cursor.moved(lost=rest))
        return Page(object_, moved.text(), done=False, removals=removals)

    def _probe(self, object_: str, cursor: Cursor) -> Page:
        id_, rest = cursor.todo[0], cursor.todo[1:]
        removal = self._lookup.survivor(object_, id_)
        why = f"{object_} {id_} was not returned; its deletion is not confirmed"
        since = None if cursor.since is None else moment_of(cursor.since)
        moved = cursor.moved(todo=rest)
        return Page(
            object_,
            (moved if rest else drained(moved)).text(),
            done=False,
            removals=[removal] if removal else [],
            gaps=[] if removal else [Gap(object_, since, self._client.transport.now(), why)],
        )

    def _bin(self, object_: str, cursor: Cursor) -> Page:
        if sweep.can_wait(cursor):
            return self._finished(object_, cursor)
        told = self._listing(object_, cursor, ())
        ids = {str(one.id) for one in told.content.results}
        moved = sweep.noted(self._started(cursor), ids, told.content.after)
        removals = [
            removal_of(self._lookup.ref(object_, str(one.id)), one, told.at)
            for one in told.content.results
            if sweep.is_news(one, cursor)
        ]
        met = self._started(cursor)
        unmet = [str(one.id) for one in told.content.results if sweep.is_unmet(one, met)]
        if unmet:
            moved = moved.moved(phase="ghosts", ghosts=tuple(unmet))
        if unmet or moved.after is not None:
            return Page(object_, moved.text(), done=False, removals=removals)
        return self._swept(object_, moved, removals)

    def _ghosts(self, object_: str, cursor: Cursor) -> Page:
        """Read what came and went since the last poll, after its removal: nobody saw it live."""
        readings = self._lookup.ghosts(object_, cursor.ghosts)
        moved = cursor.moved(ghosts=())
        if moved.after is not None:
            onward = moved.moved(phase="bin")
            return Page(object_, onward.text(), done=False, readings=readings)
        return self._swept(object_, moved, (), readings)

    def _swept(
        self,
        object_: str,
        cursor: Cursor,
        removals: Sequence[Removal],
        readings: Sequence[Reading] = (),
    ) -> Page:
        back = sweep.returned(cursor)
        moved = cursor.moved(binned=cursor.found, found=None, swept=cursor.start)
        if back:
            queued = moved.moved(phase="returned", todo=tuple(back))
            return Page(object_, queued.text(), done=False, removals=removals, readings=readings)
        return self._finished(object_, moved, removals, readings)

    def _returned(self, object_: str, cursor: Cursor) -> Page:
        """Read records that left the bin: restored ones are live, purged ones are not told."""
        ids, rest = cursor.todo[:READ_BATCH], cursor.todo[READ_BATCH:]
        found = self._lookup.live(object_, ids, history=True)
        readings = self._readings(object_, found.things.values(), found.at)
        moved = self._seen(cursor.moved(todo=rest), readings)
        if rest:
            return Page(object_, moved.text(), done=False, readings=readings)
        return self._finished(object_, moved, (), readings)

    def _rest(self, object_: str, cursor: Cursor) -> Page:
        if cursor.since is None:
            return Page(object_, cursor.text(), done=True)
        return self._closed(object_, cursor)

    def _finished(
        self,
        object_: str,
        cursor: Cursor,
        removals: Sequence[Removal] = (),
        readings: Sequence[Reading] = (),
    ) -> Page:
        """Close the run, or go on to the reconciling scan that was asked for meanwhile."""
        if cursor.scan_next:
            onward = cursor.moved(phase="count", scan_next=False, after=None)
            return Page(object_, onward.text(), done=False, removals=removals, readings=readings)
        since = floor(cursor, self._lag)
        polled = max(
            since if cursor.start is None else cursor.start - self._lag, cursor.polled or 0
        )
        closed = Cursor(
            phase="rest",
            since=since,
            recent=remembered(cursor.recent, {}, since),
            swept=cursor.swept,
            sweep=cursor.sweep,
            binned=cursor.binned,
            behind=behind(cursor),
            polled=polled if polled > since else None,
        )
        return self._closed(object_, closed, removals, readings)

    @staticmethod
    def _closed(
        object_: str,
        cursor: Cursor,
        removals: Sequence[Removal] = (),
        readings: Sequence[Reading] = (),
    ) -> Page:
        """Return the last page of a run, with the cursor of rest."""
        since = cursor.since or 0
        return Page(
            object_,
            cursor.text(),
            done=True,
            readings=readings,
            removals=removals,
            complete_to=moment_of(max(since, cursor.polled or 0)),
            watermark=moment_of(since),
        )

    def _taken(self, object_: str, cursor: Cursor, ids: Sequence[str], found: Found) -> Page:
        """Return the page of a batch: what came, and what has to be looked for elsewhere."""
        readings = self._readings(object_, found.things.values(), found.at)
        missing = [id_ for id_ in ids if id_ not in found.things]
        explained = list(self._lookup.explained(object_, found, missing))
        told = {one.ref.id for one in explained}
        lost = (*cursor.lost, *(id_ for id_ in missing if id_ not in told))
        polled = cursor.since if cursor.polled is None else cursor.polled
        since = None if polled is None else moment_of(polled)
        gaps = [gap for one in found.things.values() for gap in overflows(object_, one, since)]
        return self._kept(object_, cursor.moved(lost=lost), readings, explained, gaps)

    def _kept(
        self,
        object_: str,
        cursor: Cursor,
        readings: Sequence[Reading],
        removals: Sequence[Removal] = (),
        gaps: Sequence[Gap] = (),
    ) -> Page:
        merged = [removal for reading in readings for removal in mergers(reading)]
        return Page(
            object_,
            drained(self._seen(cursor, readings)).text(),
            done=False,
            readings=readings,
            removals=[*removals, *merged],
            gaps=gaps,
        )

    def _seen(self, cursor: Cursor, readings: Sequence[Reading]) -> Cursor:
        if not readings:
            return cursor
        newest = max(milliseconds(one.modified_at) for one in readings)
        moved = cursor.moved(newest=max(newest, cursor.newest or 0))
        seen = {one.ref.id: milliseconds(one.modified_at) for one in readings if _is_settled(one)}
        since = min(moved.start or 0, moved.newest or 0) - self._lag
        return moved.moved(recent=remembered(cursor.recent, seen, since))

    def _started(self, cursor: Cursor) -> Cursor:
        """Note HubSpot's time at the first answer of the run."""
        if cursor.start is not None:
            return cursor
        return cursor.moved(start=milliseconds(self._client.transport.now()))

    def _readings(self, object_: str, things: Iterable[Thing], at: datetime) -> list[Reading]:
        return [self._lookup.reading(object_, one, at) for one in things]

    def _listing(self, object_: str, cursor: Cursor, names: Sequence[str]) -> Told[Listing]:
        archived = cursor.phase == "bin"
        try:
            return self._client.listing(object_, after=cursor.after, names=names, archived=archived)
        except Refusal as error:
            if cursor.after is None:
                raise
            raise CursorLost(f"HubSpot no longer knows the place in its list: {error}") from None


def _since(one: Thing, since: int | None) -> bool:
    changed = one.updated_at
    return since is not None and changed is not None and milliseconds(changed) >= since


def _is_settled(one: Reading) -> bool:
    """Whether a later change of the record must bear a later stamp than the one read.

    A stamp of whole seconds, read within its second, may be borne by a later change too.
    """
    return one.modified_at < one.read_at or one.modified_at.microsecond > 0
