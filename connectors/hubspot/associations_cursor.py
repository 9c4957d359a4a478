"""The position of a walk over the associations of two objects. Pure.

A whole walk lists the records of the object that has fewer and reads the associations of all of
them. A poll searches the records of both objects that changed since the last one, and reads
theirs.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from connectors.hubspot.associations_api import READ_LIMIT
from crmtrail.errors import CursorLost
from crmtrail.model import Mode

Feed: TypeAlias = Literal["count", "list", "search", "flood", "over"]
"""Where ids come from: `over` once they are all there."""

Queue: TypeAlias = Literal["ahead", "back", "again"]
"""``ahead``: records of the first object. ``back``: of the second. ``again``: of the first, met
from the other side, where only the first tells the types."""

MANY: Final = 20_000
"""So many associations in one answer are enough: less is asked for then."""

_FEW: Final = 5_000
_SMALLEST: Final = 10


class PairCursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a run stands. Times are milliseconds since 1970, by HubSpot's clock.

    Attributes:
        pair: the first ids of a run come from here; ``rest``: nothing is under way.
        mark: what changed before is read; None before the first whole walk is through.
        swept: when the last finished whole walk began.
        whole: whether this run sees every association.
        began: HubSpot's time at this run's first answer.
        side: whose ids are listed or searched: 0 the first object's, 1 the second's.
        totals: how many records each object has, as far as it is known.
        after: the place in a list, or in a search without results.
        low: lower bound of the next search.
        edge: ids already taken that bear the stamp ``low``.
        walk: the last id, the ids taken and the ids announced of a flood.
        ahead, back, again: records whose associations are to be read, see `Queue`.
        rest: of which queue a record was whose associations fill more than a page, its id, and
            where its next page begins.
        size: how many records to ask for at once.
    """

    pair: Feed | Literal["rest"] = "count"
    mark: int | None = None
    swept: int | None = None
    whole: bool = True
    began: int | None = None
    side: int = 0
    totals: tuple[int, ...] = ()
    after: str | None = None
    low: int = 0
    edge: tuple[str, ...] = ()
    walk: tuple[str, int, int] = ("", 0, 0)
    ahead: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    rest: tuple[tuple[Queue, str, str], ...] = ()
    size: int = READ_LIMIT

    def moved(self, **changes: object) -> "PairCursor":
        """Return the cursor with some parts changed."""
        return msgspec.structs.replace(self, **changes)

    def text(self) -> str:
        """Return the cursor as the store keeps it."""
        return msgspec.json.encode(self).decode()

    @property
    def batch(self) -> tuple[Queue, dict[str, str | None]] | None:
        """The records to ask for next, and from which place on; None: more ids are needed first.

        What was begun is read to its end first; the ids of a whole request are waited for.
        """
        if self.rest:
            queue = self.rest[0][0]
            rest = [one for one in self.rest if one[0] == queue]
            return queue, {id_: after for _, id_, after in rest[: self.size]}
        for name in _QUEUES:
            ids: tuple[str, ...] = getattr(self, name)
            if len(ids) >= self.size or (ids and self.pair == "over"):
                return name, dict.fromkeys(ids[: self.size])
        return None

    @property
    def finished(self) -> bool:
        """Whether everything was read."""
        waiting = self.rest or self.ahead or self.back or self.again
        return self.pair == "over" and not waiting


_QUEUES: Final[tuple[Queue, ...]] = ("again", "back", "ahead")


def read_cursor(text: str) -> PairCursor:
    """Read a cursor.

    Raises:
        CursorLost: the text is none of a pair's.
    """
    try:
        return msgspec.json.decode(text, type=PairCursor)
    except (msgspec.MsgspecError, UnicodeError):
        raise CursorLost(
            "the stored position is not one of a pair of HubSpot objects",
            hint="sync the pair anew with --full",
        ) from None


def opening(position: str | None, mode: Mode) -> PairCursor:
    """Return the cursor of a run's first page; a run that broke off goes on where it stood."""
    try:
        kept = read_cursor(position) if position is not None else PairCursor()
    except CursorLost:
        return PairCursor()
    whole = mode is not Mode.INCREMENTAL or kept.mark is None
    if kept.pair != "rest" and mode is not Mode.FULL and kept.whole >= whole:
        return kept
    fresh = PairCursor(mark=kept.mark, swept=kept.swept, whole=whole)
    return fresh if whole else fresh.moved(pair="search", low=kept.mark)


def closing(cursor: PairCursor, lag: int) -> PairCursor:
    """Return the cursor of rest after a run: the next poll reads ``lag`` behind this one's start.

    Only a whole walk moves the moment up to which all associations are known.
    """
    began = cursor.began or 0
    mark = max(began - lag, cursor.mark or 0)
    return PairCursor("rest", mark, swept=began if cursor.whole else cursor.swept, whole=False)


def taken(cursor: PairCursor, queue: Queue, ids: dict[str, str | None]) -> PairCursor:
    """Return the cursor without the records that were asked for."""
    if any(after is not None for after in ids.values()):
        return cursor.moved(
            rest=tuple(o for o in cursor.rest if (o[0], o[1]) not in {(queue, id_) for id_ in ids})
        )
    left: tuple[str, ...] = getattr(cursor, queue)
    return cursor.moved(**{queue: left[len(ids) :]})


def resized(cursor: PairCursor, found: int) -> PairCursor:
    """Return the cursor with a size that keeps answers small: ``found`` associations came now."""
    if found > MANY:
        return cursor.moved(size=max(_SMALLEST, cursor.size // 2))
    if found < _FEW:
        return cursor.moved(size=min(READ_LIMIT, cursor.size * 2))
    return cursor
