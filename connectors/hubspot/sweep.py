"""When to list the recycle bin, and what in it is news.

HubSpot lists archived records in no order of time and with no filter, so every list is whole.
"""

from collections.abc import Collection

from connectors.hubspot.cursor import BINNED_MOST, Cursor
from connectors.hubspot.shapes import Thing, milliseconds

_SMALL_BIN = 10
_PAUSE = 30_000
REFUSED = 120
"""Stands for the pages of a bin that HubSpot does not list: it is asked again after an hour."""
_DAY = 86_400_000


def can_wait(cursor: Cursor) -> bool:
    """Whether this run may leave the bin alone.

    A bin of up to 10 pages (1,000 records) is listed at every poll. A larger one is listed at
    most every 30 seconds a page, so that it costs no more than one request in 30 seconds. A
    scan always lists it.
    """
    if cursor.after is not None or cursor.swept is None or cursor.start is None:
        return False
    pause = cursor.start - cursor.swept
    return cursor.sweep > _SMALL_BIN and pause < cursor.sweep * _PAUSE


def is_news(one: Thing, cursor: Cursor) -> bool:
    """Whether an archived record may be missing from the last complete list of the bin."""
    if cursor.swept is None or one.archived_at is None:
        return True
    if cursor.binned is not None and str(one.id) not in cursor.binned:
        return True
    return milliseconds(one.archived_at) >= cursor.swept - _DAY - (cursor.behind or 0)


def is_unmet(one: Thing, cursor: Cursor) -> bool:
    """Whether an archived record came and went since the last poll, so that nobody read it."""
    polled = cursor.polled if cursor.polled is not None else cursor.since
    since = polled if polled is not None else cursor.start
    if since is None or one.created_at is None:
        return False
    if str(one.id) in cursor.recent or str(one.id) in (cursor.binned or ()):
        return False
    return milliseconds(one.created_at) >= since


def is_edited(one: Thing, cursor: Cursor) -> bool:
    """Whether an archived record may have been edited since it was last read.

    On a first load nothing was read before.
    """
    since = cursor.polled if cursor.polled is not None else cursor.since
    if since is None or one.updated_at is None:
        return False
    at = milliseconds(one.updated_at)
    return at >= since and cursor.recent.get(str(one.id), -1) < at


def noted(cursor: Cursor, ids: Collection[str], after: str | None) -> Cursor:
    """Return the cursor after a page of the bin; ``after`` is the token of the next one.

    An id seen in the bin is forgotten as recently read, so that its return is read.
    """
    first = cursor.after is None
    before = () if first else cursor.found
    found = None if before is None else tuple({*before, *ids})
    return cursor.moved(
        after=after,
        sweep=1 if first else cursor.sweep + 1,
        found=found if found is not None and len(found) <= BINNED_MOST else None,
        recent={id_: at for id_, at in cursor.recent.items() if id_ not in ids},
    )


def returned(cursor: Cursor) -> list[str]:
    """Return the ids that left the bin since the last list and that no search has shown."""
    if cursor.found is None:
        return []
    return sorted(set(cursor.binned or ()) - set(cursor.found) - set(cursor.recent))
