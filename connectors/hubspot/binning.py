"""Pages of the recycle bin: what was archived, what came and went, what came back."""

from collections.abc import Sequence
from dataclasses import replace

from connectors.hubspot import sweep
from connectors.hubspot.cursor import Cursor
from connectors.hubspot.lookup import READ_BATCH
from connectors.hubspot.readings import removal_of
from connectors.hubspot.shapes import moment_of
from connectors.hubspot.steps import REFUSED, Steps
from crmtrail.model import Gap, Loss, Page, Ref, Removal, unknown

_LEFT_AGAIN = unknown("the record left the recycle bin again before it was read")


class Binning:
    """The list of archived records, page by page, and the content of those nobody saw last."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def page(self, object_: str, cursor: Cursor) -> Page:
        """Return a page of the bin."""
        steps = self._steps
        if sweep.can_wait(cursor):
            return steps.finished(cursor, _empty(object_))
        try:
            told = steps.client.listing(object_, after=cursor.after, archived=True)
        except REFUSED:
            return self._refused(object_, cursor)
        if told.content.after is not None and told.content.after == cursor.after:
            return self._refused(object_, cursor)  # the same place again: the list leads nowhere
        met = steps.started(cursor)
        things = told.content.results
        moved = sweep.noted(met, {str(one.id) for one in things}, told.content.after)
        news = [one for one in things if sweep.is_news(one, cursor)]
        unmet = {str(one.id) for one in things if sweep.is_unmet(one, met)}
        edited = {str(one.id) for one in news if sweep.is_edited(one, met)} - unmet
        removals = [
            removal_of(steps.lookup.ref(object_, str(one.id)), one, told.at)
            for one in news
            if str(one.id) not in unmet | edited
        ]
        page = replace(_empty(object_), removals=removals)
        if unmet or edited:
            dug = moved.moved(phase="ghosts", ghosts=tuple(unmet), edited=tuple(edited))
            return _to(page, dug)
        if moved.after is not None:
            return _to(page, moved)
        return self._listed(moved, page)

    def ghosts(self, object_: str, cursor: Cursor) -> Page:
        """Read what was edited since the last poll and then archived: nobody saw it so.

        What was made since then too is stored first as it lies in the bin.
        """
        steps = self._steps
        made = cursor.ghosts[:READ_BATCH]
        edited = cursor.edited[: READ_BATCH - len(made)]
        ids = (*made, *edited)
        found = steps.lookup.buried(object_, ids)
        lasts = [found[id_].last for id_ in made if id_ in found]
        unmet = [replace(one, deleted=True) for one in lasts if one is not None]
        moved = cursor.moved(ghosts=cursor.ghosts[len(made) :], edited=cursor.edited[len(edited) :])
        removals = [found.get(id_) or self._gone(steps.lookup.ref(object_, id_)) for id_ in ids]
        page = replace(_empty(object_), readings=unmet, removals=removals)
        if moved.ghosts or moved.edited:
            return _to(page, moved)
        if moved.after is not None:
            return _to(page, moved.moved(phase="bin"))
        return self._listed(moved, page)

    def returned(self, object_: str, cursor: Cursor) -> Page:
        """Read records that left the bin: restored ones are live, purged ones are not told.

        Of contacts, the log of security is asked whether they were deleted for privacy.
        """
        steps = self._steps
        ids, rest = cursor.todo[:READ_BATCH], cursor.todo[READ_BATCH:]
        found = steps.lookup.live(object_, ids, history=True)
        readings = steps.readings(object_, found.things.values(), found.at, cursor)
        missing = [id_ for id_ in ids if id_ not in found.things]
        removals = list(steps.lookup.forgotten(object_, missing).values()) if missing else []
        moved = steps.seen(cursor.moved(todo=rest), readings)
        page = replace(_empty(object_), readings=readings, removals=removals)
        return _to(page, moved) if rest else steps.finished(moved, page)

    def _gone(self, ref: Ref) -> Removal:
        """Return the removal of a record that the bin listed, and that has left it again."""
        return Removal(ref, Loss.DELETED, self._steps.client.transport.now(), None, _LEFT_AGAIN)

    def _listed(self, cursor: Cursor, page: Page) -> Page:
        """Go on after the whole list."""
        if cursor.scanned and cursor.since is not None:
            since = None if cursor.logged is None else moment_of(cursor.logged)
            lost = self._steps.lookup.forgotten_lately(page.object, since)
            if lost is not None:
                page = replace(page, removals=(*page.removals, *lost))
                cursor = cursor.moved(logged=cursor.start)
        back = sweep.returned(cursor)
        moved = cursor.moved(binned=cursor.found, found=None, swept=cursor.start)
        if back:
            return _to(page, moved.moved(phase="returned", todo=tuple(back)))
        return self._steps.finished(moved, page)

    def _refused(self, object_: str, cursor: Cursor) -> Page:
        """Do without the list: it is broken off, or not to be had of this object at all."""
        if cursor.after is not None:  # the next poll lists it anew
            return self._steps.finished(cursor.moved(after=None, found=None), _empty(object_))
        gaps: Sequence[Gap] = ()
        if cursor.scanned:
            why = (
                f"HubSpot does not list archived {object_}: deletions are found only when all"
                " records are listed, and when they were deleted is not known"
            )
            gaps = (Gap(object_, None, None, why),)
        moved = self._steps.started(cursor)
        moved = moved.moved(found=None, binned=None, swept=moved.start, sweep=sweep.REFUSED)
        return self._steps.finished(moved, replace(_empty(object_), gaps=gaps))


def _empty(object_: str) -> Page:
    return Page(object_, "", done=False)


def _to(page: Page, cursor: Cursor) -> Page:
    return replace(page, cursor=cursor.text())
