"""Where a sync of one object stands, as a small JSON text, and how it moves on. Pure.

::

    sweep ──> deletions ──> count ──> rest      first load and FULL: every record by id
      └─> job ──┘                               the same through Bulk, where there are many
    rows  ──> deletions ──> rest                INCREMENTAL: what moved since the mark
                  └──> sweep ──> count ──> rest  RECONCILE, and where deletions are cut off

Deletions are skipped where Salesforce keeps no list of them. A sweep after a poll sees ids and
stamps only.
"""

from collections.abc import Mapping
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


MOST_MET = 500
"""How many rows of the overlap are remembered, so as not to show them again."""


class Phase(StrEnum):
    """What the next page reads."""

    SWEEP = "sweep"
    JOB = "job"
    ROWS = "rows"
    DELETIONS = "deletions"
    COUNT = "count"
    REST = "rest"


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A position.

    Attributes:
        phase: what the next page reads.
        full: whether this run sees every record.
        narrow: whether it sees ids and stamps only.
        healing: whether it polls first, and then sees ids and stamps of every record.
        job: the Bulk job that reads them; empty before it is made, and once it is thrown away.
        ready: whether the job is through.
        place: the locator of its next page of results; empty is the first.
        looks: how often the job was looked at.
        plain: whether Bulk is out of the question for this run.
        size: rows a query asks for at most, where Salesforce could not do more in time; 0 is all.
        mark: everything before it is read; None before the first load is through.
        began: the vendor's clock before this run's first request.
        stamp: with ``id``, the last record read.
        id: the last record read.
        since: from when deletions are still to be listed.
        span: seconds of deletions to ask for at once; 0 is all.
        covered: how far the list of deletions is complete.
        newest: the newest stamp of a record in this run.
        behind: by how many seconds the newest stamps were older than the vendor's clock, at the
            least, so far: the clock that stamps records lags no more than that.
        in_step: whether this run has seen that the two clocks agree.
        shown: digests of the newest rows that the last poll showed, by id.
        met: the same of this poll so far.
        listed: up to when all is read by the vendor's clock, where that is later than the mark.
    """

    phase: Phase
    full: bool = False
    narrow: bool = False
    healing: bool = False
    job: str = ""
    ready: bool = False
    place: str = ""
    looks: int = 0
    plain: bool = False
    size: int = 0
    mark: datetime | None = None
    began: datetime | None = None
    stamp: datetime | None = None
    id: str = ""
    since: datetime | None = None
    span: float = 0.0
    covered: datetime | None = None
    newest: datetime | None = None
    behind: float | None = None
    in_step: bool = False
    listed: datetime | None = None
    shown: dict[str, str] = {}
    met: dict[str, str] = {}


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

    A run that broke off goes on where it stopped; RECONCILE then sees every record after it. FULL
    begins anew, and keeps the mark, so that no deletion is lost.
    """
    if position is None:
        return Cursor(Phase.SWEEP, full=True)
    kept = read(position)
    known = Cursor(Phase.SWEEP, full=True, mark=kept.mark, behind=kept.behind, listed=kept.listed)
    if mode is Mode.FULL:
        return known
    if kept.phase is Phase.REST and not kept.mark:
        return known
    if kept.phase is Phase.REST:
        kept = msgspec.structs.replace(known, phase=Phase.ROWS, full=False, shown=kept.shown)
    return kept if mode is Mode.INCREMENTAL else healed(kept)


def turned(cursor: Cursor, *, began: datetime, stamp: datetime | None, id_: str) -> Cursor:
    """Return the cursor after a page of records that is not the last."""
    return msgspec.structs.replace(cursor, began=cursor.began or began, stamp=stamp, id=id_)


def rows_read(
    cursor: Cursor, *, began: datetime, overlap: timedelta, replicateable: bool
) -> Cursor:
    """Return the cursor after the last page of records."""
    start_at = cursor.began or began
    done = msgspec.structs.replace(
        cursor, began=start_at, stamp=None, id="", ready=False, place="", looks=0, size=0
    )
    if cursor.healing and cursor.full:
        return msgspec.structs.replace(done, phase=Phase.COUNT)
    if replicateable:
        since = (cursor.listed or cursor.mark or start_at) - max(overlap, SHORTEST)
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


def stamped(cursor: Cursor, newest: datetime | None) -> Cursor:
    """Return the cursor after a page whose newest record bears this stamp."""
    if newest is None or (cursor.newest and cursor.newest >= newest):
        return cursor
    return msgspec.structs.replace(cursor, newest=newest)


def met(cursor: Cursor, digests: Mapping[str, str]) -> Cursor:
    """Return the cursor after a page of rows with these digests; the newest are remembered.

    Every poll reads back over its overlap. What it shows there just as the poll before did is no
    news, and neither its readings nor the people in them need be looked at again.
    """
    both = {**cursor.met, **digests}
    newest = list(both.items())[-MOST_MET:]
    return msgspec.structs.replace(cursor, met=dict(newest))


def timed(
    cursor: Cursor, *, end: datetime, covered: datetime, now: datetime, overlap: timedelta
) -> Cursor:
    """Return the cursor after the vendor told how far its list of deletions is complete.

    ``covered`` is by the clock that stamps records. An echo of the ``end`` asked for tells nothing.
    """
    in_step = covered != end and now - covered <= overlap
    return msgspec.structs.replace(cursor, in_step=True) if in_step else cursor


def in_bulk(cursor: Cursor, job: str, *, began: datetime) -> Cursor:
    """Return the cursor that goes on through a job."""
    return msgspec.structs.replace(
        cursor,
        phase=Phase.JOB,
        began=cursor.began or began,
        job=job,
        ready=False,
        place="",
        looks=0,
    )


def by_pages(cursor: Cursor) -> Cursor:
    """Return the cursor that goes on without Bulk, after the last record that was read so."""
    return msgspec.structs.replace(
        cursor, phase=Phase.SWEEP, plain=True, job="", ready=False, place="", looks=0
    )


def healed(cursor: Cursor) -> Cursor:
    """Return the cursor of a run that has to see every record, for deletions are not listed."""
    if cursor.full:
        return cursor
    return msgspec.structs.replace(cursor, healing=True)


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
    """Return the cursor of rest after a run, with the new mark, which never moves back.

    The mark is when the run began, or the start of the oldest transaction that was still open
    then, if Salesforce says so: that one may yet commit rows with older stamps. Began is by the
    HTTP Date of the answers. Nothing promises that records are stamped by the same clock; as long
    as it was not seen to agree, the mark stays behind as far as the stamps did.
    """
    ends = [at for at in (cursor.began, cursor.covered) if at is not None]
    if not ends:
        return Cursor(Phase.REST, mark=cursor.mark, behind=cursor.behind, listed=cursor.listed)
    mark = min(ends)
    listed = max(mark, cursor.listed or mark)
    behind = _behind(cursor)
    if behind and cursor.began and not cursor.in_step:
        mark = min(mark, cursor.began - timedelta(seconds=behind))
    if cursor.mark:
        mark = max(mark, cursor.mark)
    later = listed if listed > mark else None
    return Cursor(Phase.REST, mark=mark, behind=behind, listed=later, shown=cursor.met)


def _behind(cursor: Cursor) -> float | None:
    if cursor.newest is None or cursor.began is None:
        return cursor.behind
    # A second more, so that what is created within the newest stamp's second is later than it.
    seen = max(0.0, (cursor.began - cursor.newest).total_seconds() + 1)
    return seen if cursor.behind is None else min(seen, cursor.behind)


def _after_deletions(cursor: Cursor) -> Cursor:
    if cursor.healing and not cursor.full:
        return msgspec.structs.replace(
            cursor, phase=Phase.SWEEP, full=True, narrow=True, stamp=None, id=""
        )
    return msgspec.structs.replace(cursor, phase=Phase.COUNT) if cursor.full else finished(cursor)
