"""Where a sync of one object stands, as a small JSON text, and how it moves on. Pure.

::

    sweep ──> deletions ──> count ──> rest      first load and FULL: every record by id
      └─> job ──┘                               the same through Bulk, where there are many
    rows  ──> deletions ──> rest                INCREMENTAL: what moved since the mark
                  └──> sweep ──> count ──> rest  RECONCILE, and where deletions are cut off

Before the deletions, the list of updates is asked where rows may have been committed behind our
back: on RECONCILE, and where the records took long to read, as they do when a run is interrupted.
Both lists are skipped where Salesforce keeps none. A sweep after a poll sees ids and stamps only.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from crmtrail.errors import CursorLost
from crmtrail.model import Mode

MARGIN = timedelta(hours=1)
LISTED = timedelta(days=15) - MARGIN
"""How far back Salesforce lists deletions for sure: 15 days, less a margin for clocks."""

LONGEST = timedelta(days=30) - MARGIN
"""How far back it lists updates, and by older documents deletions too: 30 days, less a margin."""

OPEN = timedelta(hours=3)
"""So long before it is committed a change may bear its stamp. No transaction is open as long."""

SHORTEST = timedelta(minutes=2)
"""The shortest window of deletions to ask for: both ends are cut to the minute."""


MOST_MET = 500
"""How many rows of the overlap are remembered, so as not to show them again."""


class Phase(StrEnum):
    """What the next page reads."""

    SWEEP = "sweep"
    JOB = "job"
    ROWS = "rows"
    UPDATES = "updates"
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
        place: the locator of its page of results that is read next; empty is the first.
        skip: how many bytes of that page are read, in which there were ``taken`` rows.
        looks: how often the job was looked at.
        plain: whether Bulk is out of the question for this run.
        size: rows a query asks for at most, where Salesforce could not do more in time; 0 is all.
        mark: everything before it is read; None before the first load is through.
        began: the vendor's clock before this run's first request.
        stamp: with ``id``, the last record read.
        id: the last record read.
        since: from when updates or deletions are still to be listed.
        span: seconds of them to ask for at once; 0 is all.
        brief: whether Salesforce has refused, in this run, to list deletions of 30 days.
        covered: how far the lists of updates and deletions are complete.
        newest: the newest stamp of a record in this run.
        behind: by how many seconds the newest stamps were older than the vendor's clock, at the
            least, so far: the clock that stamps records lags no more than that.
        in_step: whether this run has seen that the two clocks agree.
        shown: digests of the newest rows that the last poll showed, by id.
        met: the same of this poll so far.
        listed: up to when all is read by the vendor's clock, where that is later than the mark.
        barred: the history objects that the last run was not let read.
    """

    phase: Phase
    full: bool = False
    narrow: bool = False
    healing: bool = False
    job: str = ""
    ready: bool = False
    place: str = ""
    skip: int = 0
    taken: int = 0
    looks: int = 0
    plain: bool = False
    size: int = 0
    mark: datetime | None = None
    began: datetime | None = None
    stamp: datetime | None = None
    id: str = ""
    since: datetime | None = None
    span: float = 0.0
    brief: bool = False
    covered: datetime | None = None
    newest: datetime | None = None
    behind: float | None = None
    in_step: bool = False
    listed: datetime | None = None
    shown: dict[str, str] = {}
    met: dict[str, str] = {}
    barred: tuple[str, ...] = ()


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
    known = msgspec.structs.replace(_kept(kept), phase=Phase.SWEEP, full=True, shown={})
    if mode is Mode.FULL:
        return known
    if kept.phase is Phase.REST and not kept.mark:
        return known
    if kept.phase is Phase.REST:
        kept = msgspec.structs.replace(known, phase=Phase.ROWS, full=False, shown=kept.shown)
    return kept if mode is Mode.INCREMENTAL else healed(kept)


def opening(position: str | None, mode: Mode) -> str:
    """Return the text of a run's first cursor; one that cannot be read is for `read` to refuse."""
    try:
        return write(start(position, mode))
    except CursorLost:
        if mode is not Mode.FULL and position is not None:
            return position
        return write(start(None, mode))


def _kept(cursor: Cursor) -> Cursor:
    """Return the cursor of rest with what outlives a run."""
    return Cursor(
        Phase.REST,
        mark=cursor.mark,
        behind=cursor.behind,
        listed=cursor.listed,
        shown=cursor.shown,
        barred=cursor.barred,
    )


def turned(cursor: Cursor, *, began: datetime, stamp: datetime | None, id_: str) -> Cursor:
    """Return the cursor after a page of records that is not the last."""
    return msgspec.structs.replace(cursor, began=cursor.began or began, stamp=stamp, id=id_)


def rows_read(
    cursor: Cursor, *, began: datetime, overlap: timedelta, replicateable: bool
) -> Cursor:
    """Return the cursor after the last page of records, before which the clock was at ``began``.

    A change that was open when the first page was read may be committed by now, under a stamp that
    no later poll reads again. Within `SHORTEST` that takes a transaction longer than the overlap to
    end at just that moment; the next reconcile sees to it.
    """
    start_at = cursor.began or began
    done = msgspec.structs.replace(_no_results(cursor), began=start_at, stamp=None, id="", size=0)
    if cursor.healing and cursor.full:
        return msgspec.structs.replace(done, phase=Phase.COUNT)
    if not replicateable:
        return _after_deletions(done)
    if cursor.healing or began - start_at > SHORTEST:
        polled = None if cursor.full else cursor.mark
        since = polled - max(overlap, SHORTEST) if polled else start_at - OPEN
        return msgspec.structs.replace(done, phase=Phase.UPDATES, since=since)
    return _to_deletions(done, overlap)


def _to_deletions(cursor: Cursor, overlap: timedelta) -> Cursor:
    known_to = cursor.listed or cursor.mark or cursor.began
    since = known_to - max(overlap, SHORTEST) if known_to else None
    return msgspec.structs.replace(cursor, phase=Phase.DELETIONS, since=since, span=0.0)


def window(cursor: Cursor, now: datetime) -> tuple[datetime, datetime, bool]:
    """Return the start and end of a list to ask for, and whether some of it is too old to be told.

    ``now`` is the vendor's clock.
    """
    earliest = now - (LISTED if cursor.brief else LONGEST)
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
        _no_results(cursor), phase=Phase.JOB, began=cursor.began or began, job=job
    )


def by_pages(cursor: Cursor) -> Cursor:
    """Return the cursor that goes on without Bulk, after the last record that was read so."""
    return msgspec.structs.replace(_no_results(cursor), phase=Phase.SWEEP, plain=True, job="")


def _no_results(cursor: Cursor) -> Cursor:
    """Return the cursor without a place in the results of a job."""
    return msgspec.structs.replace(cursor, ready=False, place="", skip=0, taken=0, looks=0)


def healed(cursor: Cursor) -> Cursor:
    """Return the cursor of a run that has to see every record, for deletions are not listed."""
    if cursor.full:
        return cursor
    return msgspec.structs.replace(cursor, healing=True)


def deletions_read(cursor: Cursor, *, end: datetime, covered: datetime, now: datetime) -> Cursor:
    """Return the cursor after a list of deletions up to ``end``, complete up to ``covered``."""
    cursor = _told_to(cursor, end=end, covered=covered, now=now)
    if end < now:
        return msgspec.structs.replace(cursor, since=end - SHORTEST / 2)
    return _after_deletions(msgspec.structs.replace(cursor, since=None, span=0.0, brief=False))


def updates_read(
    cursor: Cursor, *, end: datetime, covered: datetime, now: datetime, overlap: timedelta
) -> Cursor:
    """Return the cursor after a list of updates up to ``end``, complete up to ``covered``."""
    cursor = _told_to(cursor, end=end, covered=covered, now=now)
    if end < now:
        return msgspec.structs.replace(cursor, since=end - SHORTEST / 2)
    return _to_deletions(cursor, overlap)


def _told_to(cursor: Cursor, *, end: datetime, covered: datetime, now: datetime) -> Cursor:
    """Return the cursor after a list that was asked for up to ``end``; only a last one may."""
    if covered >= end and end < now:
        return cursor
    return msgspec.structs.replace(cursor, covered=min(covered, cursor.covered or covered))


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
        return msgspec.structs.replace(_kept(cursor), shown={})
    mark = min(ends)
    listed = max(mark, cursor.listed or mark)
    behind = _behind(cursor)
    if behind and cursor.began and not cursor.in_step:
        mark = min(mark, cursor.began - timedelta(seconds=behind))
    if cursor.mark:
        mark = max(mark, cursor.mark)
    later = listed if listed > mark else None
    return msgspec.structs.replace(
        _kept(cursor), mark=mark, behind=behind, listed=later, shown=cursor.met
    )


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
