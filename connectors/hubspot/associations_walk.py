"""The pages of a run over the associations of a pair, one API request a page.

HubSpot gives associations no time, and making or ending one need not move the stamp of either
record. So a poll finds what came with other changes of the two records, and the whole walk, once a
day, finds the rest. Only the whole walk moves the moment up to which a pair is complete.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from connectors.hubspot import associations_cursor as position
from connectors.hubspot import windows
from connectors.hubspot.associations_api import AssociationsApi, LinkedBatch
from connectors.hubspot.associations_cursor import PairCursor, Queue
from connectors.hubspot.associations_readings import (
    Mirror,
    Pair,
    before,
    beginning,
    readings_of,
)
from connectors.hubspot.client import Client, Told
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Listing, milliseconds, moment_of
from crmtrail.errors import CursorLost, PermissionMissing, Unavailable
from crmtrail.model import Page, Reading

_LAG: Final = timedelta(seconds=60) // timedelta(milliseconds=1)
"""How far a poll reads back behind the one before: the search index lags "a few moments"."""

_SECOND: Final = 999
"""HubSpot's Date header counts seconds; the bound of a window includes the whole second."""

_UNSEARCHED: Final = (Refusal, Absent, PermissionMissing)
_UNCOUNTED: Final = 2**62
_NOT_THERE: Final = ("NOT_FOUND", "NO_ASSOCIATIONS_FOUND", "VALIDATION_ERROR")
"""What HubSpot calls it when a record has no associations, or is gone."""


class Walk:
    """Follows a cursor. Keeps nothing: every page follows from its cursor alone.

    Args:
        client: the API of records.
        api: the API of associations.
        mirror_of: which types of a pair belong together.
    """

    def __init__(
        self, client: Client, api: AssociationsApi, mirror_of: Callable[[Pair], Mirror]
    ) -> None:
        self._client = client
        self._api = api
        self._mirror_of = mirror_of

    def page(self, pair: Pair, text: str) -> Page:
        """Return the page a cursor stands before.

        Raises:
            CursorLost: the cursor is none of ours, or HubSpot forgot the place.
        """
        cursor = position.read_cursor(text)
        if cursor.pair == "rest":
            return self._closed(pair, cursor)
        if (batch := cursor.batch) is not None:
            return self._read(pair, cursor, *batch)
        steps: dict[str, Callable[[Pair, PairCursor], Page]] = {
            "count": self._count,
            "list": self._list,
            "search": self._search,
            "flood": self._flood,
        }
        return steps[cursor.pair](pair, cursor)

    def _count(self, pair: Pair, cursor: PairCursor) -> Page:
        """Ask how many records an object has: those of the smaller one are listed."""
        if pair.alike:
            return self._list(pair, cursor.moved(pair="list"))
        body = {"filterGroups": [], "properties": [], "limit": 1}
        try:
            told = self._client.search(_side(pair, cursor), body).content.total
        except _UNSEARCHED:
            told = _UNCOUNTED
        totals = (*cursor.totals, told)
        counted = self._started(cursor).moved(totals=totals)
        if len(totals) == 1:
            return self._onward(pair, counted.moved(side=1))
        return self._onward(
            pair, counted.moved(pair="list", side=int(totals[1] < totals[0]), totals=())
        )

    def _list(self, pair: Pair, cursor: PairCursor) -> Page:
        told = self._listing(pair, cursor)
        ids = [str(one.id) for one in told.content.results]
        after = told.content.after
        moved = self._started(cursor).moved(after=after, pair="over" if after is None else "list")
        return self._onward(pair, _queued(moved, ids))

    def _search(self, pair: Pair, cursor: PairCursor) -> Page:
        object_ = _side(pair, cursor)
        window = windows.Search(cursor.low, cursor.edge, cursor.after)
        high = None if cursor.began is None else cursor.began + _SECOND
        if high is not None and cursor.low > high:
            high = None  # records are stamped by a clock that is ahead of HubSpot's Date
        try:
            told = self._client.search(object_, windows.search_body(object_, window, high))
        except _UNSEARCHED:  # then only the whole walk tells what changed here
            unsearched = _gone(pair, self._started(cursor), windows.Over())
            return self._onward(pair, unsearched)
        hits = windows.hits_of(object_, told.content)
        fresh = windows.fresh(hits, window, {})
        # What is counted beyond what is shown is worth a look where anything is new.
        doubtful = bool(fresh) and not cursor.after and told.content.total > len(hits)
        go = windows.after_search(window, hits, told.content.after, doubtful=doubtful)
        if isinstance(go, windows.Flood):
            fresh = []
        moved = self._started(cursor)
        return self._onward(pair, _queued(_gone(pair, moved, go), fresh, moved.side))

    def _flood(self, pair: Pair, cursor: PairCursor) -> Page:
        object_ = _side(pair, cursor)
        last, many, total = cursor.walk
        flood = windows.Flood(cursor.low, last, many, total, cursor.after)
        try:
            told = self._client.search(object_, windows.flood_body(object_, flood))
        except _UNSEARCHED:
            return self._onward(pair, _gone(pair, cursor, windows.Over()))
        hits = [(str(one.id), cursor.low) for one in told.content.results]
        go = windows.after_flood(flood, hits, told.content.after, told.content.total)
        fresh = windows.fresh(hits, windows.Search(cursor.low, cursor.edge), {})
        return self._onward(pair, _queued(_gone(pair, cursor, go), fresh, cursor.side))

    def _read(
        self, pair: Pair, cursor: PairCursor, queue: Queue, ids: dict[str, str | None]
    ) -> Page:
        from_, to = (pair.first, pair.second) if queue != "back" else (pair.second, pair.first)
        told = self._api.read(from_, to, ids)
        refuse_unread(pair, told.content)
        moved = position.taken(self._started(cursor), queue, ids)
        readings: list[Reading] = []
        again: list[str] = []
        for linked in told.content.results:
            if queue == "back":
                seen, unsure = self._mirror_of(pair).seen(linked, pair, told.at)
                readings += seen
                again += unsure
                continue
            readings += readings_of(pair, linked, told.at)
            if queue == "ahead" and pair.alike and not cursor.whole:
                again += before(linked)
        rest = [(queue, str(one.from_.id), one.after) for one in told.content.results if one.after]
        found = sum(len(one.to) for one in told.content.results)
        known = {*moved.again, *(moved.ahead if not pair.alike else ())}
        moved = position.resized(moved, found).moved(
            rest=(*moved.rest, *rest),
            again=(*moved.again, *(id_ for id_ in dict.fromkeys(again) if id_ not in known)),
        )
        # Of a record that fills more than a page no page brings them all: the whole walk tells it.
        unended = {id_ for _, id_, _ in rest}
        through = [
            id_
            for id_, after in ids.items()
            if queue != "back" and after is None and id_ not in unended
        ]
        return self._onward(pair, moved, readings, [beginning(id_) for id_ in through])

    def _onward(
        self,
        pair: Pair,
        cursor: PairCursor,
        readings: Sequence[Reading] = (),
        members: Sequence[str] = (),
    ) -> Page:
        """Return a page, the last one if everything was read.

        ``members`` tell polls what ended; a whole walk tells it by what it did not show.
        """
        told = () if cursor.whole else members
        if not cursor.finished:
            return Page(pair.name, cursor.text(), done=False, readings=readings, members=told)
        closed = position.closing(cursor, _LAG)
        return self._closed(pair, closed, readings, told, whole=cursor.whole)

    @staticmethod
    def _closed(
        pair: Pair,
        cursor: PairCursor,
        readings: Sequence[Reading] = (),
        members: Sequence[str] = (),
        *,
        whole: bool = False,
    ) -> Page:
        swept = None if cursor.swept is None else moment_of(cursor.swept)
        return Page(
            pair.name,
            cursor.text(),
            done=True,
            readings=readings,
            members=members,
            complete_to=swept,
            watermark=None if cursor.mark is None else moment_of(cursor.mark),
            swept=swept if whole else None,
        )

    def _started(self, cursor: PairCursor) -> PairCursor:
        """Note HubSpot's time at the first answer of the run."""
        if cursor.began is not None:
            return cursor
        return cursor.moved(began=milliseconds(self._client.transport.now()))

    def _listing(self, pair: Pair, cursor: PairCursor) -> Told[Listing]:
        try:
            return self._client.listing(
                _side(pair, cursor), after=cursor.after, names=("hs_object_id",)
            )
        except Refusal as error:
            if cursor.after is None:
                raise
            raise CursorLost(f"HubSpot no longer knows the place in its list: {error}") from None


def refuse_unread(pair: Pair, batch: LinkedBatch) -> None:
    """See that what is not in an answer is not there, rather than not told.

    Raises:
        Unavailable: HubSpot failed to read associations of some records.
    """
    for error in batch.errors or ():
        said = f"{error.category or ''} {error.sub_category or ''}"
        if said.strip() and not any(word in said for word in _NOT_THERE):
            raise Unavailable(f"HubSpot could not read all associations of {pair.name}: {said}")


def _side(pair: Pair, cursor: PairCursor) -> str:
    return pair.second if cursor.side else pair.first


def _queued(cursor: PairCursor, ids: Sequence[str], side: int | None = None) -> PairCursor:
    name = "back" if (cursor.side if side is None else side) else "ahead"
    waiting: tuple[str, ...] = getattr(cursor, name)
    return cursor.moved(**{name: tuple(dict.fromkeys((*waiting, *ids)))})


def _walking(cursor: PairCursor) -> PairCursor:
    """Go over to a whole walk, where the search cannot be trusted."""
    return PairCursor(mark=cursor.mark, swept=cursor.swept, began=cursor.began)


def _gone(pair: Pair, cursor: PairCursor, go: windows.Go) -> PairCursor:
    """Return the cursor after a search page: the other object follows the first."""
    match go:
        case windows.Search(low, edge, after):
            return cursor.moved(pair="search", low=low, edge=edge, after=after, walk=("", 0, 0))
        case windows.Flood(stamp, last, many, total, after):
            edge = cursor.edge if stamp == cursor.low else ()
            walk = (last, many, total)
            return cursor.moved(pair="flood", low=stamp, edge=edge, after=after, walk=walk)
        case windows.Over():
            over = cursor.moved(low=cursor.mark or 0, edge=(), after=None, walk=("", 0, 0))
            other = not pair.alike and cursor.side == 0
            return over.moved(pair="search", side=1) if other else over.moved(pair="over")
        case windows.Scan():
            return _walking(cursor)
