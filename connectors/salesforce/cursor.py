"""Where a sync of one object stands, as a small JSON text, and how it moves on. Pure.

::

    sweep ──> deletions ──> count ──> rest      first load, FULL and RECONCILE: every record by id
    rows  ──> deletions ──> rest                INCREMENTAL: what moved since the mark

Deletions are skipped where Salesforce keeps no list of them.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from crmtrail.errors import CursorLost
from crmtrail.model import Mode

MARGIN = timedelta(hours=1)
LISTED = timedelta(days=15) - MARGIN
"""How far back Salesforce lists deletions: 15 days, less a margin for clocks."""

SHORTEST = timedelta(minutes=2)
"""The shortest window of deletions to ask for: both ends are cut to the minute."""


class Phase(StrEnum):
    """What the next page reads."""

    SWEEP = "sweep"
    ROWS = "rows"
    DELETIONS = "deletions"
    COUNT = "count"
    REST = "rest"


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A position.

    Attributes:
        phase: what the next page reads.
        full: whether this run reads every record.
        mark: everything before it is read; None before the first load is through.
        began: the vendor's clock before this run's first request.
        stamp: with ``id``, the last record read.
        id: the last record read.
        since: from when deletions are still to be listed.
        span: seconds of deletions to ask for at once; 0 is all.
        covered: how far the list of deletions is complete.
    """

    phase: Phase
    full: bool = False
    mark: datetime | None = None
    began: datetime | None = None
    stamp: datetime | None = None
    id: str = ""
    since: datetime | None = None
    span: float = 0.0
    covered: datetime | None = None


def write(cursor: Cursor) -> str:
    """Return the text of a cursor."""
    return msgspec.json.encode(cursor).decode()


def read(text: str) -> Cursor:
    """Read a cursor.

    Raises:
        CursorLost: the text is none of ours.
    """
    try:
        return msgspec.json.decode(text, type=Cursor)
    except msgspec.MsgspecError:
        raise CursorLost(
            "the stored position of a Salesforce object cannot be read",
            hint="run `crmtrail sync --full` for it",
        ) from None


def start(position: str | None, mode: Mode) -> Cursor:
    """Return the cursor of a run's first page.

    A run that broke off goes on where it stopped. FULL begins anew, and RECONCILE takes over from
    an incremental run, which it includes; both keep the mark, so that no deletion is lost.
    """
    if position is None:
        return Cursor(Phase.SWEEP, full=True)
    kept = read(position)
    if kept.phase is Phase.REST:
        return Cursor(
            Phase.ROWS if mode is Mode.INCREMENTAL and kept.mark else Phase.SWEEP,
            full=mode is not Mode.INCREMENTAL or kept.mark is None,
            mark=kept.mark,
        )
    if mode is Mode.FULL or (mode is Mode.RECONCILE and not kept.full):
        return Cursor(Phase.SWEEP, full=True, mark=kept.mark)
    return kept


def turned(cursor: Cursor, *, began: datetime, stamp: datetime | None, id_: str) -> Cursor:
    """Return the cursor after a page of records that is not the last."""
    return msgspec.structs.replace(cursor, began=cursor.began or began, stamp=stamp, id=id_)


def rows_read(
    cursor: Cursor, *, began: datetime, overlap: timedelta, replicateable: bool
) -> Cursor:
    """Return the cursor after the last page of records."""
    start_at = cursor.began or began
    done = msgspec.structs.replace(cursor, began=start_at, stamp=None, id="")
    if replicateable:
        since = (cursor.mark or start_at) - max(overlap, SHORTEST)
        return msgspec.structs.replace(done, phase=Phase.DELETIONS, since=since)
    return _after_deletions(done)


def window(cursor: Cursor, now: datetime) -> tuple[datetime, datetime, bool]:
    """Return the start and end of deletions to ask for, and whether some are too old to be listed.

    ``now`` is the vendor's clock.
    """
    earliest = now - LISTED
    since = cursor.since or now
    # Within the margin there is nothing too old: a run that got there stays on its track.
    too_old = since < earliest - MARGIN / 2
    begin = min(earliest if too_old else since, now - SHORTEST)
    end = min(now, begin + timedelta(seconds=cursor.span)) if cursor.span else now
    return begin, end, too_old


def deletions_read(cursor: Cursor, *, end: datetime, covered: datetime, now: datetime) -> Cursor:
    """Return the cursor after a list of deletions up to ``end``, complete up to ``covered``."""
    if covered < end or end >= now:
        covered = min(covered, cursor.covered or covered)
        cursor = msgspec.structs.replace(cursor, covered=covered)
    if end < now:
        return msgspec.structs.replace(cursor, since=end - SHORTEST / 2)
    return _after_deletions(msgspec.structs.replace(cursor, since=None, span=0.0))


def narrowed(cursor: Cursor, *, begin: datetime, end: datetime) -> Cursor | None:
    """Return the cursor for half the window; None where it cannot be cut any further."""
    half = (end - begin) / 2
    if half < SHORTEST:
        return None
    return msgspec.structs.replace(cursor, since=begin, span=half.total_seconds())


def finished(cursor: Cursor) -> Cursor:
    """Return the cursor of rest after a run, with the new mark.

    The mark is when the run began, or the start of the oldest transaction that was still open
    then, if Salesforce says so: that one may yet commit rows with older stamps.
    """
    ends = [at for at in (cursor.began, cursor.covered) if at is not None]
    return Cursor(Phase.REST, mark=min(ends) if ends else cursor.mark)


def _after_deletions(cursor: Cursor) -> Cursor:
    return msgspec.structs.replace(cursor, phase=Phase.COUNT) if cursor.full else finished(cursor)
