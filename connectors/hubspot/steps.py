"""What every page of a run does: read by HubSpot's clock, remember, and say where to go on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from connectors.hubspot.client import Client, Told
from connectors.hubspot.cursor import Cursor, behind, drained, floor, remembered
from connectors.hubspot.history import unknown_before
from connectors.hubspot.lookup import Lookup
from connectors.hubspot.merging import mergers
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Listing, Thing, milliseconds, moment_of
from crmtrail.errors import CursorLost, PermissionMissing, Unavailable
from crmtrail.model import Gap, Page, Reading, Removal, Sighting

_DAY = 86_400_000

REFUSED = (Refusal, Absent, PermissionMissing)
"""How HubSpot says that something cannot be had of this object, or not by this token."""


class Steps:
    """Parts that pages have in common.

    Args:
        client: the API.
        lookup: reads records by id.
        names_of: the property names of an object.
        lag: how far back each poll reads behind the one before, in milliseconds.
    """

    def __init__(
        self,
        client: Client,
        lookup: Lookup,
        names_of: Callable[[str], Sequence[str]],
        lag: int,
    ) -> None:
        self.client = client
        self.lookup = lookup
        self.names_of = names_of
        self.lag = lag

    def started(self, cursor: Cursor) -> Cursor:
        """Note HubSpot's time at the first answer of the run."""
        if cursor.start is not None:
            return cursor
        return cursor.moved(start=milliseconds(self.client.transport.now()))

    def listing(
        self,
        object_: str,
        cursor: Cursor,
        names: Sequence[str],
        *,
        history: bool = False,
        limit: int = 100,
    ) -> Told[Listing]:
        """Return a page of live records.

        Raises:
            CursorLost: HubSpot no longer knows the place.
            Unavailable: HubSpot leads back to the same place.
        """
        try:
            told = self.client.listing(
                object_, after=cursor.after, names=names, history=history, limit=limit
            )
        except (Refusal, Absent) as error:
            if cursor.after is None:
                raise
            raise CursorLost(f"HubSpot no longer knows the place in its list: {error}") from None
        if told.content.after is not None and told.content.after == cursor.after:
            raise Unavailable(f"HubSpot's list of {object_} leads to the same place again")
        return told

    def readings(
        self, object_: str, things: Iterable[Thing], at: datetime, cursor: Cursor
    ) -> list[Reading]:
        """Return records as readings."""
        since = None if cursor.since is None else moment_of(cursor.since)
        return [self.lookup.reading(object_, one, at, since) for one in things]

    def kept(
        self,
        object_: str,
        cursor: Cursor,
        readings: Sequence[Reading],
        removals: Sequence[Removal] = (),
        gaps: Sequence[Gap] = (),
    ) -> Page:
        """Return the page of what was read, and of what was merged into it."""
        merged = [one for reading in readings for one in mergers(reading) if _is_news(one, cursor)]
        return Page(
            object_,
            drained(self.seen(cursor, readings)).text(),
            done=False,
            readings=readings,
            removals=[*removals, *merged],
            gaps=gaps,
        )

    def seen(self, cursor: Cursor, readings: Sequence[Reading]) -> Cursor:
        """Remember what was read, so that the overlap is not read again."""
        if not readings:
            return cursor
        moved = stamped(cursor, [one.modified_at for one in readings])
        seen = {one.ref.id: milliseconds(one.modified_at) for one in readings if _is_settled(one)}
        since = min(moved.start or 0, moved.newest or 0) - self.lag
        return moved.moved(recent=remembered(cursor.recent, seen, since))

    def finished(self, cursor: Cursor, page: Page) -> Page:
        """Close the run, or go on to the reconciling scan that was asked for meanwhile."""
        if cursor.scan_next:
            onward = cursor.moved(phase="count", scan_next=False, narrow=True, after=None)
            return replace(page, cursor=onward.text(), done=False)
        since = floor(cursor, self.lag)
        polled = max(since if cursor.start is None else cursor.start - self.lag, cursor.polled or 0)
        rest = Cursor(
            phase="rest",
            since=since,
            recent=remembered(cursor.recent, {}, since),
            swept=cursor.swept,
            sweep=cursor.sweep,
            binned=cursor.binned,
            behind=behind(cursor),
            polled=polled if polled > since else None,
            logged=cursor.logged,
        )
        gaps = (*page.gaps, *unknown_before(page.object, cursor.capped))
        closed = replace(closing(page, rest), gaps=gaps)
        if not cursor.scanned or cursor.start is None:
            return closed
        return replace(closed, swept=moment_of(cursor.start))


def closing(page: Page, rest: Cursor) -> Page:
    """Return a page as the last of its run, with the cursor of rest."""
    since = rest.since or 0
    return replace(
        page,
        cursor=rest.text(),
        done=True,
        complete_to=moment_of(max(since, rest.polled or 0)),
        watermark=moment_of(since),
    )


def stamped(cursor: Cursor, stamps: Sequence[datetime]) -> Cursor:
    """Note the newest stamp of some records."""
    if not stamps:
        return cursor
    return cursor.moved(newest=max(milliseconds(max(stamps)), cursor.newest or 0))


def sighting(one: Thing) -> Sighting:
    """Return a record that was seen without its content."""
    return Sighting(str(one.id), one.updated_at)


def _is_news(one: Removal, cursor: Cursor) -> bool:
    """Whether a merge may not have been told yet.

    A survivor names for ever what went into it. People may undo a merge in HubSpot, so an old one
    is not told again with each edit of the survivor.
    """
    polled = cursor.polled if cursor.polled is not None else cursor.since
    if one.at is None or polled is None:
        return True
    return milliseconds(one.at) >= polled - _DAY - (cursor.behind or 0)


def _is_settled(one: Reading) -> bool:
    """Whether a later change of the record must bear a later stamp than the one read.

    A stamp of whole seconds, read within its second, may be borne by a later change too.
    """
    return one.modified_at < one.read_at or one.modified_at.microsecond > 0
