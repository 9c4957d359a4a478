"""Which records went, from the vendor's list of deletions, and what cannot be known any more."""

from collections.abc import Sequence
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
from connectors.salesforce.readings import Row, Scribe, believed, id_of, is_deleted, row_of
from connectors.salesforce.schema import Known
from crmtrail.model import Gap, Loss, Ref, Removal, unknown

_TOO_OLD = "Salesforce lists deletions of the last 15 days only"
_PURGED = "Salesforce does not list these deletions any more"
_RECONCILE = "run `crmtrail sync --reconcile` to see whether records are missing"
_COMPARE = "compare the count of this run with what is stored"
_MOST_SEEN = 100_000
"""How many deleted ids to remember during one run: about 10 MB."""

_MOST_LISTED = 20_000
"""More deletions than these are not put into one page, if they can be cut apart by time."""

_FEED_NAMES_NOBODY = unknown("Salesforce's list of deletions names nobody")


class Gone(msgspec.Struct, rename="camel"):
    """One entry of the list of deletions."""

    id: str
    deleted_date: str


class Deletions(msgspec.Struct, rename="camel"):
    """The list of deletions of one object between two moments."""

    deleted_records: list[Gone]
    latest_date_covered: str | None = None


@dataclass(slots=True)
class Seen:
    """The recycle bin's ids that this run has shown; ``whole`` until there are too many."""

    ids: set[str] = field(default_factory=set)
    whole: bool = True

    def add(self, rows: Sequence[Row]) -> None:
        """Remember which of these rows lie in the bin."""
        self.ids.update(id_of(row) for row in rows if is_deleted(row))
        if len(self.ids) > _MOST_SEEN:
            self.ids.clear()
            self.whole = False


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
        narrower = position.narrowed(at, begin=begin, end=end)
        try:
            listed = self._list(name, begin, end)
        except Refusal as refusal:
            if refusal.code == "EXCEEDED_ID_LIMIT" and narrower is not None:
                return Lost(narrower, gaps=gaps)
            if refusal.code not in ("EXCEEDED_ID_LIMIT", "INVALID_REPLICATION_DATE"):
                raise
            gaps, listed = [Gap(name, at.since, end, f"{_PURGED}; {advice}")], Deletions([])
        if len(listed.deleted_records) > _MOST_LISTED and narrower is not None:
            return Lost(narrower, gaps=gaps)
        told = listed.latest_date_covered
        covered = believed(told, "latestDateCovered") if told else end
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
            if (id_ := to18(gone.id)) and id_ not in seen.ids
            if (deleted := believed(gone.deleted_date, "deletedDate")) >= oldest
        }
        if not fresh:
            return ()
        if len(fresh) <= soql.IDS_A_QUERY:
            return self._looked_up(known, fresh)
        return [
            _listed(Ref(self._client.source, name, id_), deleted, read_at, purged=seen.whole)
            for id_, deleted in fresh.items()
        ]

    def _looked_up(self, known: Known, fresh: dict[str, datetime]) -> Sequence[Removal]:
        """Ask whether the listed records lie in the recycle bin, to tell deleted from purged."""
        query = soql.among(known.schema.object, known.narrow, fresh)
        rows = [row_of(record) for record in self._client.query(query).records]
        read_at = self._client.told_at
        scribe = Scribe(self._client.source, known, self._people, read_at)
        found = {id_of(row) for row in rows}
        purged = [
            _listed(
                Ref(self._client.source, known.schema.object, id_), deleted, read_at, purged=True
            )
            for id_, deleted in fresh.items()
            if id_ not in found
        ]
        return [*scribe.removals(rows), *purged]


def _listed(ref: Ref, deleted: datetime, read_at: datetime, *, purged: bool) -> Removal:
    loss = Loss.PURGED if purged else Loss.DELETED
    return Removal(ref, loss, read_at, deleted, _FEED_NAMES_NOBODY)
