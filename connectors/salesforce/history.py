"""What Salesforce's own field history tells of the records of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connectors.months import months_before
from connectors.salesforce import history_rows as rows_of
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.discovery import Listing
from connectors.salesforce.history_reading import NONE_AHEAD, Ahead, Found, Shelf
from connectors.salesforce.history_rows import Told
from connectors.salesforce.history_sources import Shape, Source, candidates, path, source
from connectors.salesforce.people import People
from connectors.salesforce.readings import Row, text_of
from connectors.salesforce.schema import Describe, Known
from crmtrail.errors import PermissionMissing
from crmtrail.model import Event, Gap, Reading, Removal
from crmtrail.ports import Clock

LOOK_BACK = timedelta(days=30)
"""How far back a read of single records tells history."""

KEPT_MONTHS = 24
"""For how long Salesforce keeps field history at the most, where it is not archived."""

_FRESH = timedelta(hours=1)
_LIST = "the list of objects"
_EVER = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Attached:
    """Readings with their history, and what is known to be missing in it."""

    readings: list[Reading]
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AttachedLast:
    """Removals with the history of their records, and what is known to be missing in it."""

    removals: Sequence[Removal]
    gaps: Sequence[Gap]


@dataclass(slots=True)
class _Known:
    """The history objects of one object, since when that is known, and what is not readable.

    ``barred`` are the names of those that this identity may not read. ``gaps`` are still to tell.
    """

    sources: list[Source]
    since: datetime
    barred: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    ahead: Ahead = NONE_AHEAD
    found: dict[Shape, Found] = field(default_factory=dict)
    """Rows of the records ``ahead``, for the pages to come."""


class Histories:
    """Reads field history beside the records that it is about.

    An object without history costs no request but the first; which objects there are is asked
    once an hour.
    """

    def __init__(self, client: Client, people: People, clock: Clock, months: int) -> None:
        self._client = client
        self._people = people
        self._clock = clock
        self._months = months
        self._listing: tuple[datetime, Listing] | None = None
        self._of: dict[str, _Known] = {}

    def attach(
        self,
        known: Known,
        readings: Sequence[Reading],
        since: datetime | None,
        ahead: Ahead = NONE_AHEAD,
    ) -> Attached:
        """Return readings of one object with their history.

        Args:
            known: the object.
            readings: what was read of it.
            since: from when on history is wanted; None on a first load: as far as it reaches.
                Records that did not move since then are not asked about.
            ahead: on a first load, the records of which history is asked for together.
        """
        asked = [one for one in readings if since is None or one.modified_at >= since]
        if not self._months or not asked:
            return Attached(list(readings))
        object_ = known.schema.object
        of = self._known(object_)
        if not of.sources:
            return Attached(list(readings))
        reach = since or self._reach(of.sources)
        if since is None and ahead.ids:
            found = self._ahead(of, object_, ahead, reach)
        else:
            binned = frozenset(one.ref.id for one in asked if one.deleted)
            among = Ahead([one.ref.id for one in asked], binned)
            found = self._found(of, object_, among, reach, first=since is None)
        told, of.gaps = of.gaps, []
        if not found:
            return Attached(list(readings), told)
        events, missing = self._trails(known, asked, found, reach, poll=since is not None)
        done = [_with_trail(one, events.get(one.ref.id), reach) for one in readings]
        return Attached(done, told + _untold(object_, missing, first=since is None))

    def attach_last(
        self, known: Known, removals: Sequence[Removal], since: datetime | None
    ) -> "AttachedLast":
        """Return removals with the history of what was edited before; see `attach`.

        A record in the bin keeps its history until it is purged.
        """
        shown = [one.last for one in removals if one.last is not None]
        attached = self.attach(known, shown, since)
        by_id = {one.ref.id: one for one in attached.readings}
        told = tuple(replace(one, last=by_id.get(one.ref.id)) for one in removals)
        return AttachedLast(told, attached.gaps)

    def barred(self, object_: str, before: Sequence[str]) -> Sequence[str]:
        """Return the names of the history objects that this identity may not read.

        ``before`` are those of the last run: they are looked at again, once an hour. Costs no
        request where there are none.
        """
        known = self._of.get(object_)
        if known is not None:
            known.ahead, known.found = NONE_AHEAD, {}
        if known is not None and not self._is_stale(known):
            return tuple(known.barred)
        if not before or not self._months:
            return ()
        known = self._known(object_)
        for one in [one for one in known.sources if one.name in before]:
            self._try(known, one)
        return tuple(known.barred)

    def _is_stale(self, known: _Known) -> bool:
        return self._clock.now() - known.since > _FRESH

    def _try(self, known: _Known, one: Source) -> None:
        """See whether the rows of a history object can be had by now."""
        query = f"SELECT Id FROM {one.name} LIMIT 1"  # noqa: S608 -- not SQL
        try:
            self._client.query(query, deleted=False)
        except (PermissionMissing, Refusal):
            known.sources.remove(one)
            known.barred.append(one.name)

    def _known(self, object_: str) -> _Known:
        known = self._of.get(object_)
        if known is None or self._is_stale(known):
            known = self._of[object_] = _Known([], self._clock.now())
            try:
                named = candidates(object_, self._listed())
            except (PermissionMissing, Refusal):
                known.barred.append(_LIST)
                return known
            for name, shape in named:
                self._learn(known, name, shape, object_)
        return known

    def _learn(self, known: _Known, name: str, shape: Shape, object_: str) -> None:
        try:
            found = source(name, shape, object_, lambda one: self._client.get(path(one), Describe))
        except (PermissionMissing, Refusal):
            found = None
        if found is not None:
            known.sources.append(found)
        elif shape is not Shape.ARCHIVE:
            known.barred.append(name)

    def _listed(self) -> Listing:
        now = self._clock.now()
        if self._listing is None or now - self._listing[0] > _FRESH:
            self._listing = now, self._client.get("sobjects", Listing)
        return self._listing[1]

    def _reach(self, sources: Sequence[Source]) -> datetime:
        archived = any(one.shape is Shape.ARCHIVE for one in sources)
        months = self._months if archived else min(self._months, KEPT_MONTHS)
        return months_before(self._client.told_at, months)

    def _ahead(
        self, of: _Known, object_: str, ahead: Ahead, since: datetime
    ) -> Mapping[Shape, Found]:
        """Return rows of records that come together, read once for all their pages."""
        if of.ahead is not ahead:
            of.ahead, of.found = NONE_AHEAD, {}
            of.found = self._found(of, object_, ahead, since, first=True)
            of.ahead = ahead
        return of.found

    def _found(
        self, of: _Known, object_: str, among: Ahead, since: datetime, *, first: bool
    ) -> dict[Shape, Found]:
        return {
            one.shape: rows
            for one in list(of.sources)
            if (rows := self._rows(of, one, object_, among, since, first=first)) is not None
        }

    def _rows(
        self,
        of: _Known,
        one: Source,
        object_: str,
        among: Ahead,
        since: datetime,
        *,
        first: bool,
    ) -> Found | None:
        """Return rows by record; None where this identity may not read them."""
        if one.shape is Shape.ARCHIVE and not first:
            return None
        if one.shape is Shape.STAGE and first:
            since = _EVER  # the row before the first in question tells what that one changed
        shelf = Shelf(self._client, one, object_, since, self._client.told_at, among.binned)
        try:
            return shelf.read(among.ids, all_between=first and among.ids == sorted(among.ids))
        except (PermissionMissing, Refusal):
            of.sources.remove(one)
            if one.shape is Shape.ARCHIVE:
                # Only a first load reads it: what it would have told does not come later.
                of.gaps.append(Gap(object_, None, None, _why(one.name)))
            else:
                of.barred.append(one.name)
            return None

    def _trails(
        self,
        known: Known,
        readings: Sequence[Reading],
        found: Mapping[Shape, Found],
        since: datetime,
        *,
        poll: bool,
    ) -> tuple[dict[str, tuple[Event, ...]], list[tuple[str, datetime]]]:
        entries: dict[str, list[Told]] = {}
        for one in readings:
            rows = {shape: each.get(one.ref.id, ()) for shape, each in found.items()}
            entries[one.ref.id] = _entries(known, one, rows, since, poll=poll)
        actors = self._people.meet(each.by for told in entries.values() for each in told)
        events: dict[str, tuple[Event, ...]] = {}
        missing: list[tuple[str, datetime]] = []
        for one in readings:
            trail = rows_of.trail(entries[one.ref.id], one, actors)
            events[one.ref.id] = trail.events
            missing += trail.missing
        return events, missing


def _with_trail(one: Reading, trail: tuple[Event, ...] | None, since: datetime) -> Reading:
    if trail is None:
        return one
    return replace(one, trail=trail, trail_whole=False, trail_since=since)


def _entries(
    known: Known,
    reading: Reading,
    rows: Mapping[Shape, Sequence[Row]],
    since: datetime,
    *,
    poll: bool,
) -> list[Told]:
    fields = known.schema.fields
    if Shape.ACTIVITY in rows:
        return rows_of.activity(rows[Shape.ACTIVITY], fields)
    kept = rows.get(Shape.FIELD, ())
    ids = {text_of(row, "Id") for row in kept}
    moved = (r for r in rows.get(Shape.ARCHIVE, ()) if text_of(r, "HistoryId") not in ids)
    changes = rows_of.changes((*moved, *kept), fields, "CreatedDate")
    staged = rows.get(Shape.STAGE)
    if not staged:
        return changes
    stages = rows_of.stages(staged, fields, reading.created_at, poll=poll)
    return rows_of.merged(changes, [one for one in stages if one.at >= since])


def closed(object_: str, names: Sequence[str]) -> Sequence[Gap]:
    """Return what is missed for want of a right: each run tells it anew, until the right is there.

    Marked as gaps of a whole, they end with the first complete run that does not tell them.
    """
    return [Gap(object_, None, None, _why(name), whole=True) for name in names]


def _why(name: str) -> str:
    return (
        f"this identity may not read {name}: values that came and went between two syncs, and "
        "who set them, are not known"
    )


def _untold(object_: str, missing: Sequence[tuple[str, datetime]], *, first: bool) -> list[Gap]:
    """Tell which changes the vendor kept no values of, and that are not the newest."""
    if not missing:
        return []
    names = ", ".join(sorted({name for name, _ in missing}))
    why = f"Salesforce's history keeps no values of {names}: what it held in between is not known"
    if first:
        return [Gap(object_, None, None, why)]
    moments = [at for _, at in missing]
    return [Gap(object_, min(moments), max(moments), why)]
