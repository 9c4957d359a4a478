"""Pages of what changed: records, then deletions, then the vendor's own count."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors.salesforce import cursor as position
from connectors.salesforce import soql
from connectors.salesforce.answers import Delay, Refusal
from connectors.salesforce.client import Client, Rows
from connectors.salesforce.contents import fetch
from connectors.salesforce.cursor import Cursor, Phase
from connectors.salesforce.deletions import Losses, Seen
from connectors.salesforce.people import People
from connectors.salesforce.readings import (
    Row,
    Scribe,
    digest_of,
    id_of,
    is_deleted,
    is_merged,
    moment_of,
)
from connectors.salesforce.schema import Known
from crmtrail.errors import CursorLost, Unavailable
from crmtrail.model import Gap, Page, Reading, Removal


class Changes:
    """Reads one page at a time; what it remembers between pages only saves requests."""

    def __init__(self, client: Client, people: People, overlap: timedelta) -> None:
        self._client = client
        self._people = people
        self._overlap = overlap
        self._losses = Losses(client, people, overlap)
        self._seen: dict[str, Seen] = {}

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

    def _records(self, known: Known, at: Cursor) -> Page:
        wide = soql.fits(self._client.base_url, self._query(known, known.wide, at))
        fields = known.wide if wide else known.narrow
        answer = self._client.query(self._query(known, fields, at), deleted=known.keeps_bin)
        began, read_at = self._client.asked_at, self._client.told_at
        rows = answer.records
        news = rows
        if wide and at.phase is Phase.ROWS:
            digests = {id_of(row): digest_of(row) for row in rows}
            at = position.met(at, digests)
            news = [row for row in rows if at.shown.get(id_of(row)) != digests[id_of(row)]]
        following = self._following(known, at, answer, rows, began)
        if at.began is None:
            self._seen[known.schema.object] = Seen()
        if seen := self._seen.get(known.schema.object):
            seen.add(rows, None if at.full else known.stamp)
        full = news if wide else self._contents(known, rows)
        scribe = Scribe(self._client.source, known, self._people, read_at)
        scribe.meet(news)
        first_load = at.full and at.mark is None
        return self._closed(
            known,
            following,
            readings=scribe.readings([row for row in full if self._is_told(row, at)]),
            removals=() if first_load else scribe.removals(news),
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
                f"{name} keeps no time stamp, so it cannot be polled",
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
        stamps = [moment_of(row, known.stamp) for row in rows] if known.stamp else []
        at = position.stamped(at, max((one for one in stamps if one), default=None))
        # A short page is the last one only if Salesforce says so: it may shrink pages at will.
        if answer.last and len(rows) < soql.PAGE:
            return position.rows_read(
                at,
                began=began,
                overlap=self._overlap,
                replicateable=known.replicateable is not False,
            )
        if not rows:
            raise Unavailable(
                f"Salesforce answered an empty page in the middle of {known.schema.object}"
            )
        stamp = stamps[-1] if at.phase is Phase.ROWS and stamps else None
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

    def _deletions(self, known: Known, at: Cursor) -> Page:
        seen = self._seen.get(known.schema.object) or Seen(whole=False)
        lost = self._losses.look(known, at, seen)
        return self._closed(known, lost.following, removals=lost.removals, gaps=lost.gaps)

    def _count(self, known: Known, at: Cursor) -> Page:
        """Ask how many live records there are, to compare with what is stored."""
        name = known.schema.object
        expected: int | None = None
        try:
            expected = _counted(self._client.query(soql.count(name), deleted=False))
        except Delay as delay:
            if delay.code != "QUERY_TIMEOUT":
                raise
        except Refusal:  # some objects cannot be counted; nothing is lost without it
            pass
        return self._closed(known, position.finished(at), expected=expected)

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
            complete_to=(following.listed or following.mark) if done else None,
            watermark=following.mark if done else None,
            expected=expected,
        )


def _counted(answer: Rows) -> int | None:
    """Return the count: COUNT() tells it as the size, an aggregate as the value of its row."""
    told = answer.records[0].get("expr0") if answer.records else None
    text = b"" if told is None else bytes(told)
    if text.isdigit():
        return int(text)
    return answer.total_size if answer.total_size >= 0 else None
