"""One batch of what was found, from the stored records to the versions to write. Pure.

Both stores go through `Batch`: they differ in how they remember, not in what they make of a page.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from crmtrail.model import ChangeSet, Op, Operation, Reading, Removal
from crmtrail.ports import Kept, Noticed
from snapshot.awaited import Sent
from snapshot.diff import unfold
from snapshot.drafts import Draft, Past

OPEN_FOR: Final = timedelta(hours=6)
"""How far an operation may lie from a change set that could still belong to it."""

UNNOTICED: Final = (Op.BASELINE, Op.RESTORE)
"""Ops that detection is not asked about: the first sight of old records, and our own restores."""

NEW: Final = (Op.BASELINE, Op.CREATE)
GONE: Final = (Op.DELETE, Op.MERGE)


@dataclass(slots=True)
class Touched:
    """One record of a batch: as it was stored, as it is now, and the versions in between.

    ``imported`` counts the versions that its first sight brought along.
    """

    before: Past | None
    past: Past | None
    drafts: list[Draft] = field(default_factory=list)
    imported: int = 0

    @property
    def appeared(self) -> bool:
        """Whether the record was not known before."""
        return self.before is None and self.past is not None


@dataclass(slots=True)
class Batch:
    """What was found together, by the vendor's id. ``seen`` are steps of ours that showed up."""

    records: dict[str, Touched]
    horizon: datetime | None = None
    seen: dict[tuple[str, int], int] = field(default_factory=dict)
    read: int = 0

    @classmethod
    def of(
        cls,
        found: Iterable[Reading | Removal],
        stored: Mapping[str, Past],
        *,
        horizon: datetime | None,
        sent: Mapping[str, Sequence[Sent]],
        read_back: bool = False,
    ) -> "Batch":
        """Unfold everything found, in order."""
        batch = cls({}, horizon)
        for one in found:
            batch.read += 1
            id_ = one.ref.id
            touched = batch.records.get(id_)
            if touched is None:
                past = stored.get(id_)
                touched = batch.records[id_] = Touched(past, past)
            waiting = sent.get(id_, ())
            if waiting and batch.seen:
                waiting = [step for step in waiting if (step.plan, step.no) not in batch.seen]
            unfolded = unfold(touched.past, one, horizon=horizon, sent=waiting, read_back=read_back)
            if touched.past is None:
                touched.imported = len(unfolded.drafts)
            touched.past = unfolded.past
            if unfolded.drafts:
                touched.drafts.extend(unfolded.drafts)
                batch.seen.update(unfolded.seen)
        return batch

    def drafts(self) -> Iterator[Draft]:
        """Yield every version to write, by record in the order of first sight."""
        for touched in self.records.values():
            yield from touched.drafts

    def notice(self, look: Callable[[Sequence[ChangeSet]], Noticed]) -> Noticed:
        """Let detection look, and note in the drafts and records what belongs to what.

        Raises:
            ValueError: detection did not answer for every change set.
        """
        shown = [
            draft.change_set
            for touched in self.records.values()
            for draft in touched.drafts
            if self._is_news(touched, draft.change_set)
        ]
        noticed = look(shown) if shown else Noticed()
        if len(noticed.membership) != len(shown):
            raise ValueError(
                f"detection placed {len(noticed.membership)} of {len(shown)} change sets"
            )
        membership = iter(noticed.membership)
        for touched in self.records.values():
            if touched.drafts and touched.past is not None:
                self._place(touched, touched.past, membership)
        return noticed

    def _is_news(self, touched: Touched, made: ChangeSet) -> bool:
        """Whether detection is asked about a version.

        Not where it is ours or followed from ours, nor where it lies before our first sight of the
        record and before everything that was read by then: that is imported history.
        """
        if made.op in UNNOTICED or made.transaction is not None:
            return False
        return (
            touched.before is not None
            or made.number > touched.imported
            or (self.horizon is not None and made.at > self.horizon)
        )

    def _place(self, touched: Touched, past: Past, membership: Iterator[str | None]) -> None:
        previous = touched.before.operation if touched.before else None
        for no, draft in enumerate(touched.drafts):
            made = draft.change_set
            operation = next(membership) if self._is_news(touched, made) else None
            if operation is not None or made.previous_operation != previous:
                made = replace(made, operation=operation, previous_operation=previous)
                touched.drafts[no] = draft._replace(change_set=made)
            previous = operation
        if past.operation != previous:
            touched.past = past._replace(operation=previous)

    def living(self) -> tuple[int, int]:
        """Return by how many the live and the deleted records grew."""
        live = dead = 0
        for touched in self.records.values():
            for past, step in ((touched.before, -1), (touched.past, 1)):
                if past is not None:
                    live += 0 if past.deleted else step
                    dead += step if past.deleted else 0
        return live, dead

    def newcomers(self) -> int:
        """Return how many records were not known before."""
        return sum(touched.appeared for touched in self.records.values())

    def kept(self, incidents: Iterable[str]) -> Kept:
        """Return what became of the batch."""
        created = updated = deleted = changes = 0
        for touched in self.records.values():
            appeared = left = otherwise = False
            for draft in touched.drafts:
                op = draft.change_set.op
                changes += len(draft.change_set.changes)
                if op in NEW:
                    appeared = True
                elif op in GONE:
                    left = True
                else:
                    otherwise = True
            created += appeared
            deleted += left
            updated += otherwise and not touched.appeared
        return Kept(self.read, created, updated, deleted, changes, tuple(incidents))


def may_grow(operation: Operation, change_sets: Sequence[ChangeSet]) -> bool:
    """Return whether an operation lies so near that some change set could belong to it."""
    moments = [change_set.at for change_set in change_sets]
    return (
        operation.ended >= min(moments) - OPEN_FOR and operation.started <= max(moments) + OPEN_FOR
    )
