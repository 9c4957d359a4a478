"""Pages of what changed: records, then deletions, then the vendor's own count."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from connectors.salesforce import cursor as position
from connectors.salesforce import soql
from connectors.salesforce.answers import Delay, Refusal
from connectors.salesforce.client import Client, Rows
from connectors.salesforce.cursor import Cursor, Phase
from connectors.salesforce.ids import is_sound, to18
from connectors.salesforce.people import People
from connectors.salesforce.readings import (
    Row,
    Scribe,
    id_of,
    is_deleted,
    is_merged,
    moment_of,
    row_of,
)
from connectors.salesforce.schema import Known
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Gap, Loss, Page, Reading, Ref, Removal, moment, unknown

_UNLISTED = "Salesforce lists deletions of the last 15 days only"
_RECONCILE = "run `crmtrail sync --reconcile` to find what was deleted meanwhile"
_MOST_SEEN = 100_000
"""How many deleted ids to remember during one run: about 10 MB."""

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
class _Seen:
    """The recycle bin's ids that this run has shown; ``whole`` until there are too many."""

    ids: set[str] = field(default_factory=set)
    whole: bool = True

    def add(self, rows: Sequence[Row]) -> None:
        self.ids.update(id_of(row) for row in rows if is_deleted(row))
        if len(self.ids) > _MOST_SEEN:
            self.ids.clear()
            self.whole = False


class Changes:
    """Reads one page at a time; what it remembers between pages only saves requests."""

    def __init__(self, client: Client, people: People, overlap: timedelta) -> None:
        self._client = client
        self._people = people
        self._overlap = overlap
        self._seen: dict[str, _Seen] = {}

    def page(self, known: Known, at: Cursor) -> Page:
        """Return the page at a cursor that is not at rest.

        Raises:
            CursorLost: the cursor does not fit the object.
        """
        if at.phase in (Phase.SWEEP, Phase.ROWS):
            return self._records(known, at)
        if at.phase is Phase.DELETIONS:
            return self._deletions(known, at)
        if at.phase is Phase.COUNT:
            return self._count(known, at)
        raise CursorLost(f"{known.schema.object}: a finished run has no next page")

    # --- records -----------------------------------------------------------------------------
    def _records(self, known: Known, at: Cursor) -> Page:
        wide = soql.fits(self._client.base_url, self._query(known, known.wide, at))
        answer = self._client.query(self._query(known, known.wide if wide else known.narrow, at))
        began, read_at = self._client.asked_at, self._client.told_at
        rows = [row_of(record) for record in answer.records]
        following = self._following(known, at, answer, rows, began)
        if at.began is None:
            self._seen[known.schema.object] = _Seen()
        if seen := self._seen.get(known.schema.object):
            seen.add(rows)
        full = rows if wide else self._contents(known, rows)
        scribe = Scribe(self._client.source, known, self._people, read_at)
        first_load = at.full and at.mark is None
        return self._closed(
            known,
            following,
            readings=scribe.readings([row for row in full if self._is_told(row, at)]),
            removals=() if first_load else scribe.removals(rows),
        )

    def _is_told(self, row: Row, at: Cursor) -> bool:
        """Whether a row is worth a reading.

        Of the bin's rows those are that may never have been seen alive: on a first load, or
        created since the last run. For the others the removal says all: in the bin computed
        fields move, and that would read like an edit. A merge would read like a deletion.
        """
        if not is_deleted(row) or at.mark is None:
            return True
        created = moment_of(row, "CreatedDate")
        return created is not None and created >= at.mark - self._overlap and not is_merged(row)

    def _query(self, known: Known, fields: Sequence[str], at: Cursor) -> str:
        name = known.schema.object
        if at.phase is Phase.SWEEP:
            return soql.by_id(name, fields, at.id)
        if known.stamp is None:
            raise Refusal(
                f"{self._client.source}: {name} keeps no time stamp, so it cannot be polled",
                code="",
                hint="leave it out of objects",
            )
        if at.stamp is not None:
            return soql.after(name, fields, known.stamp, at.stamp, at.id)
        if at.mark is None:
            raise CursorLost(f"{name}: the stored position has no mark to poll from")
        return soql.since(name, fields, known.stamp, at.mark - self._overlap)

    def _following(
        self, known: Known, at: Cursor, answer: Rows, rows: Sequence[Row], began: datetime
    ) -> Cursor:
        # A short page is the last one only if Salesforce says so: it may shrink pages at will.
        if answer.done and len(rows) < soql.PAGE:
            return position.rows_read(
                at, began=began, overlap=self._overlap, replicateable=known.replicateable
            )
        if not rows:
            raise Unavailable(
                f"Salesforce answered an empty page in the middle of {known.schema.object}"
            )
        stamp = moment_of(rows[-1], known.stamp) if at.phase is Phase.ROWS and known.stamp else None
        id_ = id_of(rows[-1])
        if (stamp, id_) == (at.stamp, at.id):
            raise Unavailable(f"Salesforce answered the same page of {known.schema.object} again")
        return position.turned(at, began=began, stamp=stamp, id_=id_)

    def _contents(self, known: Known, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the whole records behind narrow rows; deleted ones have no content to fetch."""
        ids = [id_of(row) for row in rows if not is_deleted(row)]
        found = fetch(self._client, known, ids) if ids else {}
        return [
            found.get(id_of(row), row) for row in rows if is_deleted(row) or id_of(row) in found
        ]

    # --- deletions ---------------------------------------------------------------------------
    def _deletions(self, known: Known, at: Cursor) -> Page:
        name = known.schema.object
        now = self._client.told_at if self._client.heard else at.began or self._client.told_at
        begin, end, too_old = position.window(at, now)
        gaps = [Gap(name, at.since, begin, f"{_UNLISTED}; {_RECONCILE}")] if too_old else []
        try:
            listed = self._list(name, begin, end)
        except Refusal as refusal:
            if refusal.code == "EXCEEDED_ID_LIMIT":
                narrower = position.narrowed(at, begin=begin, end=end)
                if narrower is not None:
                    return self._closed(known, narrower, gaps=gaps)
            elif refusal.code != "INVALID_REPLICATION_DATE":
                raise
            gaps = [
                Gap(
                    name, at.since, end, f"Salesforce no longer lists these deletions; {_RECONCILE}"
                )
            ]
            listed = Deletions([])
        covered = moment(listed.latest_date_covered) if listed.latest_date_covered else end
        removals = self._removals(known, at, listed.deleted_records)
        following = position.deletions_read(at, end=end, covered=covered, now=now)
        return self._closed(known, following, removals=removals, gaps=gaps)

    def _list(self, name: str, begin: datetime, end: datetime) -> Deletions:
        window = {
            "start": begin.isoformat(timespec="seconds"),
            "end": end.isoformat(timespec="seconds"),
        }
        return self._client.get(f"sobjects/{name}/deleted/", Deletions, window)

    def _removals(self, known: Known, at: Cursor, listed: Sequence[Gone]) -> Sequence[Removal]:
        """Return removals of the listed ids that this run has not shown as deleted already."""
        name, read_at = known.schema.object, self._client.told_at
        seen = self._seen.get(name) or _Seen(whole=False)
        oldest = (at.mark or at.began or read_at) - self._overlap
        fresh = {
            id_: deleted
            for gone in listed
            if (id_ := to18(gone.id)) and id_ not in seen.ids
            if (deleted := moment(gone.deleted_date)) >= oldest
        }
        if not fresh:
            return ()
        if len(fresh) <= soql.IDS_A_QUERY:
            return self._looked_up(known, fresh)
        purged = seen.whole
        return [
            _listed(Ref(self._client.source, name, id_), deleted, read_at, purged=purged)
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

    # --- the end -----------------------------------------------------------------------------
    def _count(self, known: Known, at: Cursor) -> Page:
        """Ask how many live records there are, to compare with what is stored."""
        name = known.schema.object
        try:
            expected = self._client.query(soql.count(name), deleted=False).total_size
        except Delay as delay:
            if delay.code != "QUERY_TIMEOUT":
                raise
            expected = -1
        return self._closed(
            known, position.finished(at), expected=expected if expected >= 0 else None
        )

    def _closed(
        self,
        known: Known,
        following: Cursor,
        *,
        readings: Sequence[Reading] = (),
        removals: Sequence[Removal] = (),
        gaps: Sequence[Gap] = (),
        expected: int | None = None,
    ) -> Page:
        done = following.phase is Phase.REST
        if done:
            self._seen.pop(known.schema.object, None)
        return Page(
            object=known.schema.object,
            cursor=position.write(following),
            done=done,
            readings=readings,
            removals=removals,
            gaps=gaps,
            complete_to=following.mark if done else None,
            watermark=following.mark if done else None,
            expected=expected,
        )


def _listed(ref: Ref, deleted: datetime, read_at: datetime, *, purged: bool) -> Removal:
    loss = Loss.PURGED if purged else Loss.DELETED
    return Removal(ref, loss, read_at, deleted, _FEED_NAMES_NOBODY)


def fetch(client: Client, known: Known, ids: Sequence[str]) -> dict[str, Row]:
    """Return live records by id (18 characters), at most 2,000; the others are missing."""
    path = f"composite/sobjects/{known.schema.object}"

    def ask(wanted: Sequence[str]) -> list[dict[str, msgspec.Raw] | None]:
        order = msgspec.json.encode({"ids": wanted, "fields": known.wide})
        return client.ask(path, list[dict[str, msgspec.Raw] | None], order)

    try:
        answer = ask(ids)
    except Refusal as refusal:
        sound = [id_ for id_ in ids if is_sound(id_)]
        if refusal.code != "MALFORMED_ID" or len(sound) == len(ids):
            raise
        # One impossible id makes Salesforce refuse them all.
        answer = ask(sound) if sound else []
    rows = [row_of(record) for record in answer if record is not None]
    return {id_of(row): row for row in rows if not is_deleted(row)}
