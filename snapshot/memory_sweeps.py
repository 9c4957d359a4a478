"""Sweeps over every live record, answered by the store in memory."""

from collections.abc import Collection, Sequence
from datetime import datetime

from crmtrail.model import Page, Ref, Sighting
from snapshot.memory_history import MemoryHistory


class MemorySweeps(MemoryHistory):
    """The side of the store in memory that knows which records were seen last when."""

    def look_again(self, source: str, page: Page) -> None:
        """Note that records were seen which are stored as they are now."""
        if page.sighted_at is None:
            return
        moved = set(self.unread(source, page.object, page.sightings))
        for one in page.sightings:
            if one.id not in moved:
                record = self._records[Ref(source, page.object, one.id)]
                seen = max(record.past.known_at, page.sighted_at)
                record.past = record.past._replace(known_at=seen)

    def unread(self, source: str, object_: str, sightings: Sequence[Sighting]) -> Sequence[str]:
        """Return the ids of records that were sighted and are not stored as they are now."""
        known = self.heads([Ref(source, object_, one.id) for one in sightings])
        live = {ref.id: self._records[ref].past for ref, head in known.items() if not head.deleted}
        return [
            one.id
            for one in sightings
            if one.id not in live
            or (one.modified_at is not None and one.modified_at > live[one.id].modified_at)
        ]

    def unseen(
        self, source: str, object_: str, since: datetime, *, after: str = "", limit: int
    ) -> Sequence[str]:
        """Return the ids of live records not seen since a moment, in order, after one."""
        return [id_ for id_ in self._unseen(source, object_, since) if id_ > after][:limit]

    def others(
        self, source: str, object_: str, members: Sequence[str], present: Sequence[str]
    ) -> Sequence[str]:
        """Return the ids of live records that begin like one of ``members`` and are not present."""
        begin, there = tuple(members), set(present)
        return sorted(
            ref.id
            for ref, record in self._records.items()
            if (ref.source, ref.object) == (source, object_)
            and not record.past.deleted
            and ref.id.startswith(begin)
            and ref.id not in there
        )

    def linking(self, source: str, object_: str, ids: Collection[str]) -> Sequence[str]:
        """Return the ids of an object's records that name one of some others: see the port."""
        return sorted(
            ref.id
            for ref in self._records
            if (ref.source, ref.object) == (source, object_)
            and any(part in ids for part in ref.id.split("-"))
        )

    def count_unseen(self, source: str, object_: str, since: datetime) -> int:
        """Return how many live records were not seen since a moment."""
        return len(self._unseen(source, object_, since))

    def _unseen(self, source: str, object_: str, since: datetime) -> Sequence[str]:
        return sorted(
            ref.id
            for ref, record in self._records.items()
            if (ref.source, ref.object) == (source, object_)
            and not record.past.deleted
            and record.past.known_at < since
        )
