"""What goes before a page is kept: where it belongs, and the position under the fence."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from crmtrail.errors import LeaseLost
from crmtrail.model import Lease, Page
from snapshot import runs
from snapshot.desk import Place
from snapshot.names import object_id
from snapshot.times import at_micros, micros


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage inside: a page makes many objects, and no cycles among them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def place_of(connection: Connection, source: str, object_: str, run: int | None) -> Place:
    """Return where a page of an object belongs, made where the object is new.

    Raises:
        Unfound: there is no such run of it.
    """
    object_row = object_id(connection, source, object_)
    horizon, live, key_id = connection.exec_driver_sql(
        # The earlier of the two: records may be stamped by another clock than the horizon's.
        "SELECT min(complete_to, coalesce(watermark, complete_to)), live, key_id"
        " FROM position"
        " WHERE object_id = ?",
        (object_row,),
    ).one()
    if run is not None:
        runs.check(connection, run, object_row)
    return Place(object_row, source, object_, run, at_micros(horizon), live, key_id)


def advance(connection: Connection, place: Place, page: Page, lease: Lease) -> None:
    """Move the position under the fence, before anything else of the page is written."""
    moved = connection.exec_driver_sql(
        "UPDATE position SET cursor = ?, watermark = coalesce(?, watermark),"
        " complete_to = coalesce(?, complete_to), expected = coalesce(?, expected), fence = ?"
        " WHERE object_id = ? AND fence <= ? AND EXISTS (SELECT 1 FROM lease AS l"
        " WHERE l.source = ? AND l.object = ? AND l.fence = ?)",
        (
            page.cursor,
            micros(page.watermark),
            micros(page.complete_to),
            page.expected,
            lease.fence,
            place.object_id,
            lease.fence,
            place.source,
            place.object,
            lease.fence,
        ),
    )
    if moved.rowcount != 1 or (lease.source, lease.object) != (place.source, place.object):
        raise LeaseLost(
            f"another runner took over {place.source}:{place.object}; nothing of this page was kept"
        )
