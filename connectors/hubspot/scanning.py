"""Pages that list every live record: of a first load, of a sweep, and where the search fails."""

from collections.abc import Sequence
from dataclasses import replace

from connectors.hubspot.client import fits_a_list
from connectors.hubspot.cursor import Cursor, drained
from connectors.hubspot.history import noted
from connectors.hubspot.lookup import READ_BATCH
from connectors.hubspot.refusals import Refusal
from connectors.hubspot.shapes import Thing, milliseconds, moment_of
from connectors.hubspot.steps import REFUSED, Steps, sighting, stamped
from connectors.hubspot.windows import stamp_property
from crmtrail.model import Page


class Scanning:
    """The list of live records, page by page, in one of three ways.

    A first load takes content and whole history: with the list where the names of all properties
    fit its URL, else by id. A later full run takes content with the list, and history by id of
    what changed since the last poll. A sweep takes ids and stamps alone.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def count(self, object_: str, cursor: Cursor) -> Page:
        """Ask how many live records there are, to compare with what is stored."""
        body = {"filterGroups": [], "properties": [], "limit": 1}
        try:
            told = self._steps.client.search(object_, body)
        except REFUSED:  # not every object can be searched; nothing is lost without the count
            return Page(object_, self._begun(cursor), done=False)
        return Page(object_, self._begun(cursor), done=False, expected=told.content.total)

    def page(self, object_: str, cursor: Cursor) -> Page:
        """Return a page of the list."""
        if cursor.narrow:
            return self._sighted(object_, cursor)
        if cursor.since is None and self._steps.lookup.months:
            return self._loaded(object_, cursor)
        return self._refreshed(object_, cursor)

    def _begun(self, cursor: Cursor) -> str:
        """Return the cursor of a scan; it lists the whole recycle bin afterwards."""
        begun = self._steps.started(cursor)
        return begun.moved(phase="scan", after=None, swept=None, scanned=True).text()

    def _loaded(self, object_: str, cursor: Cursor) -> Page:
        """Take records with all of their history."""
        names = self._steps.names_of(object_)
        if cursor.split or not fits_a_list(names, history=True):
            return self._queued(object_, cursor)
        try:
            told = self._steps.listing(object_, cursor, names, history=True, limit=READ_BATCH)
        except Refusal:  # some lists may know no history; a batch of ids still may
            return self._queued(object_, cursor.moved(split=True))
        begun = _onward(self._steps.started(cursor), told.content.after)
        things = told.content.results
        capped = noted(begun.capped, object_, things)
        readings = self._steps.readings(object_, things, told.at, begun)
        return self._steps.kept(object_, begun.moved(capped=capped), readings)

    def _queued(self, object_: str, cursor: Cursor) -> Page:
        """Take ids; what they stand for is read in batches, with all of its history."""
        told = self._steps.listing(object_, cursor, (stamp_property(object_),))
        begun = _onward(self._steps.started(cursor), told.content.after)
        queued = begun.moved(todo=tuple(str(one.id) for one in told.content.results))
        return Page(object_, drained(queued).text(), done=False)

    def _refreshed(self, object_: str, cursor: Cursor) -> Page:
        """Take content; what changed since the last poll is read with its history, by id."""
        names = self._steps.names_of(object_)
        whole = fits_a_list(names)
        told = self._steps.listing(object_, cursor, names if whole else (stamp_property(object_),))
        begun = _onward(self._steps.started(cursor), told.content.after)
        changed, same = _apart(told.content.results, begun)
        queued = begun.moved(
            todo=tuple(str(one.id) for one in changed),
            plain=() if whole else tuple(str(one.id) for one in same),
        )
        readings = self._steps.readings(object_, same, told.at, begun) if whole else []
        return self._steps.kept(object_, queued, readings)

    def _sighted(self, object_: str, cursor: Cursor) -> Page:
        """Take ids and stamps; what changed since the last poll is read with its history."""
        told = self._steps.listing(object_, cursor, (stamp_property(object_),))
        begun = _onward(self._steps.started(cursor), told.content.after)
        changed, same = _apart(told.content.results, begun)
        queued = begun.moved(todo=tuple(str(one.id) for one in changed))
        queued = stamped(queued, [at for one in same if (at := one.updated_at)])
        page = Page(object_, drained(queued).text(), done=False)
        at = told.at if begun.start is None else max(told.at, moment_of(begun.start))
        return replace(page, sightings=[sighting(one) for one in same], sighted_at=at)


def _onward(cursor: Cursor, after: str | None) -> Cursor:
    """Return where to go on once the queues are empty: a short page is not the last."""
    return cursor.moved(after=after, then="scan" if after is not None else "bin")


def _apart(things: Sequence[Thing], cursor: Cursor) -> tuple[list[Thing], list[Thing]]:
    """Return those that changed since the last poll and were not read yet as they are; the rest."""
    changed: list[Thing] = []
    same: list[Thing] = []
    for one in things:
        at = -1 if one.updated_at is None else milliseconds(one.updated_at)
        late = cursor.since is not None and at >= cursor.since
        unread = cursor.recent.get(str(one.id), -1) < at
        (changed if late and unread else same).append(one)
    return changed, same
