"""The position of a sync: small, self-contained text, so that any process can go on from it."""

from typing import Literal, TypeAlias

import msgspec

from crmtrail.errors import CursorLost
from crmtrail.model import Mode

Phase: TypeAlias = Literal[
    "count",  # ask for the number of live records, and learn HubSpot's time
    "scan",  # list all live records
    "search",  # search ids by modified stamp, ascending
    "flood",  # more ids than a page share one stamp: walk them by id
    "fill",  # read the content of ids whose property names did not fit into a list URL
    "read",  # read content and history of ids
    "missing",  # look in the recycle bin for ids that a read did not return
    "probe",  # ask for such an id alone: a merged one answers with its survivor
    "bin",  # list the recycle bin
    "ghosts",  # read the content of records that came and went since the last poll
    "returned",  # read ids that left the recycle bin
    "rest",  # nothing under way
]

RECENT_MOST = 1_000
"""How many records read within the overlap are remembered, so as not to read them again."""

BINNED_MOST = 1_000
"""How many ids of the recycle bin are remembered, so as to see one leave it."""


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a run stands. Times are milliseconds since 1970, by HubSpot's clock.

    Attributes:
        version: of this layout.
        phase: what the next page does.
        since: the watermark this run started from; None where there was none.
        start: HubSpot's time at the run's first answer.
        after: paging token of `scan`, `bin` or an empty search page.
        low: lower bound of the next search.
        edge: ids already taken that bear the stamp ``low``.
        walk: the last id, the ids taken and the ids announced of a flood.
        then: the phase once the queues are empty.
        todo: ids to read with history.
        plain: ids to read without.
        lost: ids that a read did not return.
        recent: ids read within the overlap, with the stamp they had.
        swept: start of the last run that listed the recycle bin to its end.
        sweep: pages of that list; while in it, of the current one.
        binned: ids in the recycle bin at the last list, where few enough.
        found: ids in the recycle bin so far in the current list.
        scan_next: a reconciling scan follows.
        ghosts: archived ids whose content nobody has read.
        edited: archived ids that were edited since they were read.
        narrow: whether the list of live records takes ids and stamps alone.
        split: whether it takes ids alone, and content and history come by id.
        scanned: whether this run lists every live record.
        capped: properties of whose values from before a first load HubSpot kept but the newest: of
            how many records, and the ids of some.
        logged: when the log of security was last read for contacts deleted for privacy.
        newest: the newest stamp read in this run.
        behind: by how much the newest stamps were older than HubSpot's clock, at the least, so
            far: the clock that stamps records lags no more than that.
        polled: up to when everything is read by HubSpot's clock, where that is later than `since`.
    """

    version: Literal[1] = 1
    phase: Phase = "count"
    since: int | None = None
    start: int | None = None
    after: str | None = None
    low: int = 0
    edge: tuple[str, ...] = ()
    walk: tuple[str, int, int] = ("", 0, 0)
    then: Phase = "rest"
    todo: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    recent: dict[str, int] = {}
    swept: int | None = None
    sweep: int = 0
    binned: tuple[str, ...] | None = None
    found: tuple[str, ...] | None = None
    scan_next: bool = False
    ghosts: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    narrow: bool = False
    split: bool = False
    scanned: bool = False
    capped: dict[str, tuple[int, tuple[str, ...]]] = {}
    logged: int | None = None
    newest: int | None = None
    behind: int | None = None
    polled: int | None = None

    def moved(self, **changes: object) -> "Cursor":
        """Return the cursor with some parts changed."""
        return msgspec.structs.replace(self, **changes)

    def text(self) -> str:
        """Return the cursor as the store keeps it."""
        return msgspec.json.encode(self).decode()


def read_cursor(text: str) -> Cursor:
    """Read a cursor.

    Raises:
        CursorLost: the text is none of ours.
    """
    try:
        return msgspec.json.decode(text, type=Cursor)
    except (msgspec.DecodeError, UnicodeError):
        raise CursorLost(
            "the stored position is not one of this connector",
            hint="sync the object anew with --full",
        ) from None


def opening(position: str | None, mode: Mode) -> Cursor:
    """Return the cursor of a run's first page.

    A run that was interrupted goes on where it stood. A scan keeps the old watermark: records
    changed since then are read with their history, so that no author is lost. A reconciling one
    takes nothing but ids and stamps of the others.
    """
    try:
        kept = read_cursor(position) if position is not None else Cursor()
    except CursorLost:
        return Cursor()
    if mode is Mode.FULL:
        return Cursor(since=kept.since, behind=kept.behind, polled=kept.polled, logged=kept.logged)
    if kept.phase != "rest":
        scanning = kept.scan_next or kept.phase in ("count", "scan") or kept.then == "scan"
        due = mode is Mode.RECONCILE and not scanning
        return kept.moved(scan_next=True) if due else kept
    fresh = kept.moved(start=None, after=None, edge=(), low=kept.since or 0, newest=None)
    if mode is Mode.INCREMENTAL:
        return fresh.moved(phase="search")
    return fresh.moved(phase="count", narrow=fresh.since is not None)


def drained(cursor: Cursor) -> Cursor:
    """Return the cursor in the phase its queues call for."""
    queues: tuple[tuple[Phase, tuple[str, ...]], ...] = (
        ("fill", cursor.plain),
        ("read", cursor.todo),
        ("missing", cursor.lost),
    )
    phase = next((phase for phase, queue in queues if queue), cursor.then)
    return cursor.moved(phase=phase)


def floor(cursor: Cursor, lag: int) -> int:
    """Return the stamp from which the next poll reads: ``lag`` before all that was seen.

    HubSpot's time is by the HTTP Date of its answers. Nothing promises that records are stamped
    by the same clock, so the stamps are followed, as far behind as they were seen to be.
    """
    started = cursor.start if cursor.start is not None else cursor.since or 0
    read_to = started - (behind(cursor) or 0) - lag
    return read_to if cursor.since is None else max(read_to, cursor.since)


def behind(cursor: Cursor) -> int | None:
    """Return by how much stamps lag HubSpot's clock at most, in milliseconds, once known."""
    if cursor.newest is None or cursor.start is None:
        return cursor.behind
    seen = max(0, cursor.start - cursor.newest)
    return seen if cursor.behind is None else min(seen, cursor.behind)


def remembered(recent: dict[str, int], seen: dict[str, int], floor: int) -> dict[str, int]:
    """Return the newest (id, stamp) pairs at or above ``floor``, at most `RECENT_MOST`."""
    merged = {id_: at for id_, at in (recent | seen).items() if at >= floor}
    if len(merged) <= RECENT_MOST:
        return merged
    newest = sorted(merged, key=merged.__getitem__, reverse=True)[:RECENT_MOST]
    return {id_: merged[id_] for id_ in newest}
