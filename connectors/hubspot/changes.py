"""What changed since the last poll, one API request a page."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from connectors.hubspot import windows
from connectors.hubspot.binning import Binning
from connectors.hubspot.client import Client
from connectors.hubspot.cursor import Cursor, drained, read_cursor
from connectors.hubspot.history import noted, overflows
from connectors.hubspot.lookup import FILL_BATCH, READ_BATCH, Found, Lookup
from connectors.hubspot.scanning import Scanning
from connectors.hubspot.shapes import moment_of
from connectors.hubspot.steps import REFUSED, Steps, closing
from crmtrail.model import Gap, Page

LAG = timedelta(seconds=60)
"""How far each poll reads back behind the one before: the search index lags "a few moments"."""

GUARD = timedelta(seconds=10)
"""How much of a poll's own last seconds counts as not read yet."""

_SECOND = 999
"""HubSpot's Date header counts seconds; the bound of a window includes the whole second."""

_MILLISECOND = timedelta(milliseconds=1)


class Changes:
    """The pages of a run. Keeps nothing: every page follows from its cursor alone.

    Args:
        client: the API.
        lookup: reads records by id.
        names_of: the property names of an object.
        overlap: how far back a poll reads beyond the guard; 60 seconds at most are used, for the
            index lags no more than moments and what was read already is told by its stamp.
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
        lag = (min(overlap, LAG) + GUARD) // _MILLISECOND
        self._steps = Steps(client, lookup, names_of, lag)
        self._scanning = Scanning(self._steps)
        self._binning = Binning(self._steps)

    def page(self, object_: str, text: str) -> Page:
        """Return the page a cursor stands before.

        Raises:
            CursorLost: the cursor is none of ours, or HubSpot forgot the place.
        """
        cursor = read_cursor(text)
        steps: dict[str, Callable[[str, Cursor], Page]] = {
            "count": self._scanning.count,
            "scan": self._scanning.page,
            "search": self._search,
            "flood": self._flood,
            "fill": self._fill,
            "read": self._read,
            "missing": self._missing,
            "probe": self._probe,
            "bin": self._binning.page,
            "ghosts": self._binning.ghosts,
            "returned": self._binning.returned,
            "rest": self._rest,
        }
        return steps[cursor.phase](object_, cursor)

    def _search(self, object_: str, cursor: Cursor) -> Page:
        window = windows.Search(cursor.low, cursor.edge, cursor.after)
        high = None if cursor.start is None else cursor.start + _SECOND
        if high is not None and cursor.low > high:
            high = None  # records are stamped by a clock that is ahead of HubSpot's Date
        try:
            told = self._client.search(object_, windows.search_body(object_, window, high))
        except REFUSED:
            return self._unsearched(object_, cursor)
        hits = windows.hits_of(object_, told.content)
        fresh = windows.fresh(hits, window, cursor.recent)
        # What is counted beyond what is shown is worth a look where anything is new.
        doubtful = bool(fresh) and not cursor.after and told.content.total > len(hits)
        go = windows.after_search(window, hits, told.content.after, doubtful=doubtful)
        if isinstance(go, windows.Flood):
            fresh = []
        moved = windows.onward(self._steps.started(cursor).moved(todo=tuple(fresh)), go)
        return Page(object_, drained(moved).text(), done=False)

    def _flood(self, object_: str, cursor: Cursor) -> Page:
        last, taken, total = cursor.walk
        flood = windows.Flood(cursor.low, last, taken, total, cursor.after)
        try:
            told = self._client.search(object_, windows.flood_body(object_, flood))
        except REFUSED:
            return self._unsearched(object_, cursor)
        hits = [(str(one.id), cursor.low) for one in told.content.results]
        go = windows.after_flood(flood, hits, told.content.after, told.content.total)
        window = windows.Search(cursor.low, cursor.edge)
        fresh = windows.fresh(hits, window, cursor.recent)
        moved = windows.onward(cursor.moved(todo=tuple(fresh)), go)
        return Page(object_, drained(moved).text(), done=False)

    def _unsearched(self, object_: str, cursor: Cursor) -> Page:
        """List every record where the search is refused: dear, but complete."""
        moved = windows.onward(self._steps.started(cursor), windows.Scan())
        return Page(object_, moved.moved(phase="scan", scanned=True).text(), done=False)

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
        removals += self._lookup.explained(object_, found, ids)
        told = {one.ref.id for one in removals}
        unsure = tuple(id_ for id_ in ids if id_ not in told)
        if unsure:
            moved = cursor.moved(phase="probe", todo=unsure, lost=rest)
        else:
            moved = drained(cursor.moved(lost=rest))
        return Page(object_, moved.text(), done=False, removals=removals)

    def _probe(self, object_: str, cursor: Cursor) -> Page:
        id_, rest = cursor.todo[0], cursor.todo[1:]
        removal = self._lookup.survivor(object_, id_)
        if removal is None:
            removal = self._lookup.forgotten(object_, [id_]).get(id_)
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

    def _rest(self, object_: str, cursor: Cursor) -> Page:
        if cursor.since is None:
            return Page(object_, cursor.text(), done=True)
        return closing(Page(object_, "", done=True), cursor)

    def _taken(self, object_: str, cursor: Cursor, ids: Sequence[str], found: Found) -> Page:
        """Return the page of a batch: what came, and what has to be looked for elsewhere."""
        things = list(found.things.values())
        readings = self._steps.readings(object_, things, found.at, cursor)
        missing = [id_ for id_ in ids if id_ not in found.things]
        explained = list(self._lookup.explained(object_, found, missing))
        told = {one.ref.id for one in explained}
        lost = (*cursor.lost, *(id_ for id_ in missing if id_ not in told))
        polled = cursor.since if cursor.polled is None else cursor.polled
        gaps: list[Gap] = []
        if polled is None:
            cursor = cursor.moved(capped=noted(cursor.capped, object_, things))
        else:
            since = moment_of(polled)
            gaps = [gap for one in things for gap in overflows(object_, one, since)]
        return self._steps.kept(object_, cursor.moved(lost=lost), readings, explained, gaps)
