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

_TOO_OLD = "Salesforce lists deletions of the last {} days only"
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
    earliest_date_available: str | None = None


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A window of deletions, and what to do where it cannot be had.

    Attributes:
        at: the cursor; a run that misses some is to see every record.
        begin: from when on.
        end: up to when.
        now: the vendor's clock.
        gaps: what is too old to be listed.
        advice: what becomes of that.
        narrower: the cursor of half the window; None where it cannot be cut.
        shorter: the cursor of a window of 15 days; None where this one is no longer.
    """

    at: Cursor
    begin: datetime
    end: datetime
    now: datetime
    gaps: Sequence[Gap]
    advice: str
    narrower: Cursor | None
    shorter: Cursor | None

    @classmethod
    def of(cls, name: str, at: Cursor, now: datetime) -> "_Asked":
        """Return the window to ask for."""
        begin, end, too_old = position.window(at, now)
        advice = _COMPARE if at.full else _RECONCILE
        why = f"{_TOO_OLD.format(15 if at.brief else 30)}; {advice}"
        gaps = [Gap(name, at.since, begin, why)] if too_old else []
        shorter = msgspec.structs.replace(at, brief=True) if _is_doubtful(at, begin, now) else None
        at = position.healed(at) if too_old else at
        narrower = position.narrowed(at, begin=begin, end=end)
        return cls(at, begin, end, now, gaps, advice, narrower, shorter)


class Losses:
    """Reads the list of deletions, a window at a time."""

    def __init__(self, client: Client, people: People, overlap: timedelta) -> None:
        self._client = client
        self._people = people
        self._overlap = overlap

    def look(self, known: Known, at: Cursor, seen: Seen) -> Lost:
        """Return the removals of the next window; ``seen`` is what this run has shown already."""
        now = self._client.told_at if self._client.heard else at.began or self._client.told_at
        asked = _Asked.of(known.schema.object, at, now)
        try:
            listed = self._list(known.schema.object, asked.begin, asked.end)
        except (Refusal, PermissionMissing) as refusal:
            return _refused(known, asked, getattr(refusal, "code", ""))
        if len(listed.deleted_records) > _MOST_LISTED and asked.narrower is not None:
            return Lost(asked.narrower, gaps=asked.gaps)
        if asked.shorter is not None and _is_cut(listed, asked.begin):
            return Lost(asked.shorter)
        end, told = asked.end, listed.latest_date_covered
        covered = believed(told, "latestDateCovered") if told else end
        at = position.timed(asked.at, end=end, covered=covered, now=now, overlap=self._overlap)
        following = position.deletions_read(at, end=end, covered=covered, now=now)
        removals = self._removals(known, at, seen, listed.deleted_records)
        return Lost(following, removals, asked.gaps)

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


def _refused(known: Known, asked: _Asked, code: str) -> Lost:
    """Return what a refused list leaves: another window, or a gap."""
    if code == "INVALID_REPLICATION_DATE" and asked.shorter is not None:
        return Lost(asked.shorter)
    if code == "EXCEEDED_ID_LIMIT" and asked.narrower is not None:
        return Lost(asked.narrower, gaps=asked.gaps)
    why = _PURGED if code in _NO_LONGER else _UNLISTED
    at = position.healed(asked.at) if why == _PURGED else asked.at
    # An object that is not said to have such a list has none: that is no gap.
    silent = why == _UNLISTED and known.replicateable is None
    until = asked.now if why == _UNLISTED else asked.end
    told = f"{why}; {asked.advice}"
    gaps = [] if silent else [Gap(known.schema.object, at.since, until, told)]
    after = position.deletions_read(at, end=until, covered=until, now=asked.now)
    return Lost(after, gaps=gaps)


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


def _is_doubtful(at: Cursor, begin: datetime, now: datetime) -> bool:
    """Whether a list reaches back further than all documents say that it does."""
    return not at.brief and begin < now - position.LISTED - position.SHORTEST


def _is_cut(listed: Deletions, begin: datetime) -> bool:
    """Whether a list does not say that it begins where it was asked to: that is a refusal, too."""
    told = listed.earliest_date_available
    if not told:
        return True
    return believed(told, "earliestDateAvailable") > begin + position.SHORTEST


def _deleted_at(gone: Gone) -> datetime | None:
    return believed(gone.deleted_date, "deletedDate") if gone.deleted_date else None


def _listed(ref: Ref, deleted: datetime | None, read_at: datetime, *, purged: bool) -> Removal:
    loss = Loss.PURGED if purged else Loss.DELETED
    return Removal(ref, loss, read_at, deleted, _FEED_NAMES_NOBODY)
