"""Which records went, from the vendor's list of deletions, and what cannot be known any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from connectors.salesforce import cursor as position
from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.cursor import Cursor
from connectors.salesforce.ids import to18
from connectors.salesforce.people import People
from connectors.salesforce.readings import (
    Row,
    Scribe,
    believed,
    id_of,
    is_deleted,
    moment_of,
)
from connectors.salesforce.schema import Known
from crmtrail.errors import PermissionMissing
from crmtrail.model import Gap, Loss, Ref, Removal, unknown

_TOO_OLD = "Salesforce lists deletions of the last 15 days only"
_PURGED = "Salesforce does not list these deletions any more"
_UNLISTED = "Salesforce refuses its list of deletions"
_NO_LONGER = frozenset({"EXCEEDED_ID_LIMIT", "INVALID_REPLICATION_DATE"})
_RECONCILE = "so this run looks at every record, to see whether any is missing"
_COMPARE = "compare the count of this run with what is stored"
_MOST_SEEN = 100_000
"""How many deleted ids to remember during one run: about 10 MB."""

_MOST_LISTED = 20_000
"""More deletions than these are not put into one page, if they can be cut apart by time."""

_SETTLED = timedelta(minutes=1)
"""So long after a deletion every query shows it."""

_FEED_NAMES_NOBODY = unknown("Salesforce's list of deletions names nobody")


class Gone(msgspec.Struct, rename="camel"):
    """One entry of the list of deletions."""

    id: str
    deleted_date: str | None = None


class Deletions(msgspec.Struct, rename="camel"):
    """The list of deletions of one object between two moments."""

    deleted_records: list[Gone] = []
    latest_date_covered: str | None = None


@dataclass(slots=True)
class Seen:
    """What a run has shown: ids of the bin, and live ids with their stamps.

    ``whole`` until there are too many to remember.
    """

    ids: set[str] = field(default_factory=set)
    live: dict[str, datetime] = field(default_factory=dict)
    whole: bool = True

    def add(self, rows: Sequence[Row], stamp: str | None) -> None:
        """Remember rows; live ones only by the ``stamp`` of a poll."""
        self.ids.update(id_of(row) for row in rows if is_deleted(row))
        if stamp is not None:
            for row in rows:
                if not is_deleted(row) and (at := moment_of(row, stamp)):
                    self.live[id_of(row)] = at
        if len(self.ids) + len(self.live) > _MOST_SEEN:
            self.ids.clear()
            self.live.clear()
            self.whole = False

    def settles(self, id_: str, deleted: datetime | None) -> bool:
        """Whether a listed deletion is no news: it was shown, or the record is live again."""
        stamped = self.live.get(id_)
        back = stamped is not None and deleted is not None and stamped > deleted
        return back or id_ in self.ids


@dataclass(frozen=True, slots=True)
class Lost:
    """What one look at the list brought, and where to go on."""

    following: Cursor
    removals: Sequence[Removal] = ()
    gaps: Sequence[Gap] = ()


class Losses:
    """Reads the list of deletions, a window at a time."""

    def __init__(self, client: Client, people: People, overlap: timedelta) -> None:
        self._client = client
        self._people = people
        self._overlap = overlap

    def look(self, known: Known, at: Cursor, seen: Seen) -> Lost:
        """Return the removals of the next window; ``seen`` is what this run has shown already."""
        name = known.schema.object
        now = self._client.told_at if self._client.heard else at.began or self._client.told_at
        begin, end, too_old = position.window(at, now)
        advice = _COMPARE if at.full else _RECONCILE
        gaps = [Gap(name, at.since, begin, f"{_TOO_OLD}; {advice}")] if too_old else []
        if too_old:
            at = position.healed(at)
        narrower = position.narrowed(at, begin=begin, end=end)
        try:
            listed = self._list(name, begin, end)
        except (Refusal, PermissionMissing) as refusal:
            code = getattr(refusal, "code", "")
            if code == "EXCEEDED_ID_LIMIT" and narrower is not None:
                return Lost(narrower, gaps=gaps)
            why = _PURGED if code in _NO_LONGER else _UNLISTED
            if why == _PURGED:
                at = position.healed(at)
            # An object that is not said to have such a list has none: that is no gap.
            silent = why == _UNLISTED and known.replicateable is None
            until = now if why == _UNLISTED else end
            gaps = [] if silent else [Gap(name, at.since, until, f"{why}; {advice}")]
            after = position.deletions_read(at, end=until, covered=until, now=now)
            return Lost(after, gaps=gaps)
        if len(listed.deleted_records) > _MOST_LISTED and narrower is not None:
            return Lost(narrower, gaps=gaps)
        told = listed.latest_date_covered
        covered = believed(told, "latestDateCovered") if told else end
        at = position.timed(at, end=end, covered=covered, now=now, overlap=self._overlap)
        following = position.deletions_read(at, end=end, covered=covered, now=now)
        return Lost(following, self._removals(known, at, seen, listed.deleted_records), gaps)

    def _list(self, name: str, begin: datetime, end: datetime) -> Deletions:
        window = {
            "start": begin.isoformat(timespec="seconds"),
            "end": end.isoformat(timespec="seconds"),
        }
        return self._client.get(f"sobjects/{name}/deleted/", Deletions, window)

    def _removals(
        self, known: Known, at: Cursor, seen: Seen, listed: Sequence[Gone]
    ) -> Sequence[Removal]:
        """Return removals of the listed ids that this run has not shown as deleted already."""
        name, read_at = known.schema.object, self._client.told_at
        oldest = (at.mark or at.began or read_at) - self._overlap
        fresh = {
            id_: deleted
            for gone in listed
            if (id_ := to18(gone.id))
            if (deleted := _deleted_at(gone)) is None or deleted >= oldest
            if not seen.settles(id_, deleted)
        }
        sure = _surely_purged(known, at, seen, fresh) if len(fresh) > soql.IDS_A_QUERY else []
        removals = [
            _listed(Ref(self._client.source, name, id_), fresh.pop(id_), read_at, purged=True)
            for id_ in sure
        ]
        for ids in soql.batches(list(fresh), soql.IDS_A_QUERY):
            removals += self._looked_up(known, {id_: fresh[id_] for id_ in ids})
        return removals

    def _looked_up(self, known: Known, fresh: Mapping[str, datetime | None]) -> Sequence[Removal]:
        """Ask whether the listed records lie in the recycle bin, to tell deleted from purged."""
        query = soql.among(known.schema.object, known.narrow, fresh)
        answer = self._client.query(query, deleted=known.keeps_bin)
        rows = answer.records
        read_at = self._client.told_at
        scribe = Scribe(self._client.source, known, self._people, read_at)
        found = {id_of(row) for row in rows}
        gone = [
            _listed(
                Ref(self._client.source, known.schema.object, id_),
                deleted,
                read_at,
                purged=known.keeps_bin,
            )
            for id_, deleted in fresh.items()
            if id_ not in found
        ]
        return [*scribe.removals(rows), *gone]


def _surely_purged(
    known: Known, at: Cursor, seen: Seen, listed: Mapping[str, datetime | None]
) -> Sequence[str]:
    """Return the ids that need no look-up to be known as purged.

    A record in the bin, or live again, bears a new stamp: had it got that well before this poll
    began, the poll would have shown it.
    """
    if at.full or at.began is None or not (seen.whole and known.keeps_bin):
        return []
    before = at.began - _SETTLED
    return [
        id_
        for id_, deleted in listed.items()
        if deleted is not None and deleted < before and id_ not in seen.live
    ]


def _deleted_at(gone: Gone) -> datetime | None:
    return believed(gone.deleted_date, "deletedDate") if gone.deleted_date else None


def _listed(ref: Ref, deleted: datetime | None, read_at: datetime, *, purged: bool) -> Removal:
    loss = Loss.PURGED if purged else Loss.DELETED
    return Removal(ref, loss, read_at, deleted, _FEED_NAMES_NOBODY)
