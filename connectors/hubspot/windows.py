"""Which searches find every changed id: pure decisions about pages of (id, stamp).

HubSpot answers at most 10,000 results of one search, at offsets that shift while records
change. So the search goes on from the last stamp seen instead of an offset: the window shrinks
from below with every page, and a record that changes meanwhile only moves up, never out of
sight. More records than a page at one stamp (HubSpot's own bulk updates stamp thousands with
the same millisecond) are walked by id within that stamp, and the walk is checked against the
announced total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from connectors.hubspot.client import SEARCH_LIMIT
from connectors.hubspot.cursor import Cursor
from connectors.hubspot.history import is_contact
from connectors.hubspot.shapes import Hits, Thing, milliseconds, stamp_of

OFFSETS = 10_000
"""HubSpot refuses results beyond this offset."""

_NO_WALK = ("", 0, 0)

Hit: TypeAlias = tuple[str, int]
"""Id and modified stamp in milliseconds."""


@dataclass(frozen=True, slots=True)
class Search:
    """Go on from stamp ``low``; ``edge`` ids at that stamp are done. ``after``: an offset."""

    low: int
    edge: tuple[str, ...] = ()
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Flood:
    """Walk the ids at one stamp: those after ``last``, ``taken`` of ``total`` so far.

    ``after``: an offset.
    """

    stamp: int
    last: str = ""
    taken: int = 0
    total: int = 0
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Everything in the window was seen."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The search cannot be trusted to be complete: list every record instead."""


Go: TypeAlias = Search | Flood | Over | Scan


def stamp_property(object_: str) -> str:
    """Return the property that holds the modified stamp (a wrong one finds nothing, silently)."""
    return "lastmodifieddate" if is_contact(object_) else "hs_lastmodifieddate"


def search_body(object_: str, window: Search, high: int | None) -> dict[str, Any]:
    """Return the search for ids with stamps from ``low`` to ``high``, oldest first."""
    stamp = stamp_property(object_)
    body = _body(stamp, [_between(stamp, window.low, high)], sort=stamp)
    return body | ({"after": window.after} if window.after else {})


def flood_body(object_: str, flood: Flood) -> dict[str, Any]:
    """Return the search for the next ids at one stamp; the id filter rides on every page."""
    stamp = stamp_property(object_)
    filters = [_between(stamp, flood.stamp, flood.stamp)]
    if flood.last:
        filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": flood.last})
    body = _body(stamp, filters, sort="hs_object_id")
    return body | ({"after": flood.after} if flood.after else {})


def after_search(
    window: Search, hits: Sequence[Hit], after: str | None, *, doubtful: bool = False
) -> Go:
    """Return how to go on after a page of hits; ``after`` is HubSpot's token of the next page.

    A page may be short or empty and still not be the last. ``doubtful``: HubSpot counts more hits
    than it showed, so that what looks like the last page is searched on from.
    """
    stamps = [at for _, at in hits]
    orderly = stamps == sorted(stamps) and not (stamps and stamps[0] < window.low)
    if after is None:
        return _searched_on(window, hits) if doubtful and orderly and hits else Over()
    if not orderly:
        return Scan()
    if not stamps:
        onward = _within(after) and after != window.after
        return Search(window.low, window.edge, after) if onward else Scan()
    last = stamps[-1]
    if last == window.low or stamps[0] == last:
        return Flood(last)
    return Search(last, tuple(id_ for id_, at in hits if at == last))


def _searched_on(window: Search, hits: Sequence[Hit]) -> Go:
    last = hits[-1][1]
    edge = {id_ for id_, at in hits if at == last}
    if last > window.low:
        return Search(last, tuple(sorted(edge)))
    news = edge - set(window.edge)
    return Search(last, (*window.edge, *sorted(news))) if news else Over()


def _within(after: str) -> bool:
    """Whether HubSpot takes an offset."""
    return after.isdigit() and int(after) + SEARCH_LIMIT <= OFFSETS


def after_flood(flood: Flood, hits: Sequence[Hit], after: str | None, total: int) -> Go:
    """Return how to go on after a page of the walk.

    Whether HubSpot compares ids as numbers or as text is not documented. If it sorts one way
    and compares the other way, the count does not come out, and the walk is not trusted.
    """
    announced = flood.total or total
    taken = flood.taken + len(hits)
    if after is not None and hits and taken <= announced + SEARCH_LIMIT:
        return Flood(flood.stamp, hits[-1][0], taken, announced)
    if after is not None and not hits and _within(after) and after != flood.after:
        return Flood(flood.stamp, flood.last, taken, announced, after)
    complete = after is None and taken >= announced and taken <= announced + SEARCH_LIMIT
    return Search(flood.stamp + 1) if complete else Scan()


def fresh(hits: Sequence[Hit], window: Search, recent: Mapping[str, int]) -> list[str]:
    """Return the ids of a page that were not read yet with the stamp they bear, if any; once."""
    done = set(window.edge)
    found = (
        id_
        for id_, at in hits
        if not (at == window.low and id_ in done) and (at < 0 or recent.get(id_, -1) < at)
    )
    return list(dict.fromkeys(found))


def hits_of(object_: str, page: Hits) -> list[Hit]:
    """Return ids and stamps; a record without a stamp gets -1: it is read in any case."""
    name = stamp_property(object_)
    return [(str(one.id), _stamp(one, name)) for one in page.results]


def onward(cursor: Cursor, go: Go) -> Cursor:
    """Return the cursor after a search page."""
    match go:
        case Search(low, edge, after):
            return cursor.moved(low=low, edge=edge, after=after, walk=_NO_WALK, then="search")
        case Flood(stamp, last, taken, total, after):
            edge = cursor.edge if stamp == cursor.low else ()
            walk = (last, taken, total)
            return cursor.moved(low=stamp, edge=edge, after=after, walk=walk, then="flood")
        case Over():
            return cursor.moved(after=None, then="bin")
        case Scan():
            return cursor.moved(
                after=None, walk=_NO_WALK, then="count", narrow=cursor.since is not None
            )


def _between(stamp: str, low: int, high: int | None) -> dict[str, Any]:
    if high is None:
        return {"propertyName": stamp, "operator": "GTE", "value": str(low)}
    return {
        "propertyName": stamp,
        "operator": "BETWEEN",
        "value": str(low),
        "highValue": str(max(low, high)),
    }


def _body(stamp: str, filters: list[dict[str, Any]], *, sort: str) -> dict[str, Any]:
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
        "properties": [stamp],
        "limit": SEARCH_LIMIT,
    }


def _stamp(one: Thing, name: str) -> int:
    raw = one.properties.get(name)
    at = (stamp_of(raw) if raw is not None else None) or one.updated_at
    return milliseconds(at) if at else -1
