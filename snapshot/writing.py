"""A batch turned into rows: records, versions, changes, keyframes, and their leaves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from crmtrail.model import Op, Ref
from snapshot import bulk
from snapshot.absorbing import Batch, Touched
from snapshot.desk import Desk
from snapshot.drafts import Past
from snapshot.heads import checksum
from snapshot.leaves import size_of
from snapshot.scribe import Scribe, Work, documents_of, names_of
from snapshot.states import KEYFRAME_EVERY
from snapshot.times import micros

_HEAD: Final = (
    "number",
    "deleted",
    "modified_at",
    "edited_at",
    "known_at",
    "history_to",
    "operation_id",
    "keyframe",
    "since",
    "seen",
    "sound",
)
_RECORD: Final = ("record_id", "object_id", "ext_id", "key_id", *_HEAD)
_LOOK: Final = ("modified_at", "edited_at", "known_at", "history_to", "seen", "sound")


class Row(NamedTuple):
    """Where a record lies: its row, its newest keyframe, the versions since, its key."""

    record_id: int
    keyframe: int
    since: int
    key_id: int | None


class Writer:
    """Writes one batch in the caller's transaction."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._connection = desk.connection
        self._place = desk.place

    def write(self, batch: Batch, known: Mapping[str, Row]) -> None:
        """Write the versions of a batch, and what follows from them.

        Args:
            batch: what was found.
            known: where its records lie, by the vendor's id; newcomers are missing.
        """
        rows = {**known, **self._newcomers(batch), **self._sealed_from_now_on(batch, known)}
        works = list(self._works(batch, rows))
        scribe = self._scribe(works)
        size = size_of(self._connection)
        self._records(batch, known, _moved(works, rows, size))
        if works:
            scribe.write(self._connection, works, size)
            self._index(works)
        self._desk.count(*batch.living(), len(works))
        bulk.update(
            self._connection,
            "plan_step",
            ("plan_id", "no"),
            ("seen_version",),
            [(plan, no, number) for (plan, no), number in batch.seen.items()],
        )

    # --- where records lie -------------------------------------------------------------------

    def _newcomers(self, batch: Batch) -> dict[str, Row]:
        """Return rows for the records that were not known, with their keys."""
        new = [
            (id_, each.past.fields)
            for id_, each in batch.records.items()
            if each.before is None and each.past is not None
        ]
        if not new:
            return {}
        first = self._desk.next_record()
        keys = self._desk.keys_for([fields for _, fields in new])
        return {
            id_: Row(no, -1, KEYFRAME_EVERY, key_id)
            for no, ((id_, _), key_id) in enumerate(zip(new, keys, strict=True), start=first)
        }

    def _sealed_from_now_on(self, batch: Batch, known: Mapping[str, Row]) -> dict[str, Row]:
        """Return the rows of records that were in clear text and are to be sealed, with their keys.

        Such as an account that became a person's. What was written before stays as it is.
        """
        clear = [
            (known[id_], id_, each.past.fields)
            for id_, each in batch.records.items()
            if id_ in known
            and known[id_].key_id is None
            and each.past is not None
            and any(draft.fields is not None for draft in each.drafts)
        ]
        if not clear:
            return {}
        keys = self._desk.keys_for([fields for _, _, fields in clear])
        found = {
            id_: row._replace(key_id=key)
            for (row, id_, _), key in zip(clear, keys, strict=True)
            if key is not None
        }
        bulk.update(
            self._connection,
            "record",
            ("record_id",),
            ("key_id",),
            [(row.record_id, row.key_id) for row in found.values()],
        )
        return found

    # --- versions ----------------------------------------------------------------------------

    def _works(self, batch: Batch, rows: Mapping[str, Row]) -> Iterator[Work]:
        source, object_ = self._place.source, self._place.object
        for id_, touched in batch.records.items():
            if not touched.drafts:
                continue
            row, ref = rows[id_], Ref(source, object_, id_)
            since = row.since
            for draft in touched.drafts:
                due = since + 1 >= KEYFRAME_EVERY or draft.change_set.op is Op.BASELINE
                whole = due and draft.fields is not None
                since = 0 if whole else since + 1
                yield Work(ref, row.record_id, row.key_id, draft, whole)

    def _scribe(self, works: Sequence[Work]) -> Scribe:
        """Gather what versions are written with: ids, codec and keys, made where they are new."""
        fields = self._desk.fields(names_of(works))
        return self._desk.scribe(
            fields,
            documents_of(works, fields),
            sum(work.whole for work in works),
            (work.draft.change_set.actor for work in works),
            (work.key_id for work in works),
        )

    def _index(self, works: Sequence[Work]) -> None:
        self._desk.index(
            (work.record_id, work.draft.fields)
            for work in works
            if work.key_id is not None and work.draft.fields is not None
        )

    # --- records -----------------------------------------------------------------------------

    def _records(self, batch: Batch, known: Mapping[str, Row], rows: Mapping[str, Row]) -> None:
        """Move the records to where their versions led."""
        new: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        looked: list[tuple[Any, ...]] = []
        seen_again: dict[datetime, list[int]] = {}
        for id_, touched in batch.records.items():
            past, before = touched.past, touched.before
            if past is None or past is before:
                continue
            row = rows[id_]
            if touched.drafts and id_ not in known:
                head = _head(past, row)
                new.append((row.record_id, self._place.object_id, id_, row.key_id, *head))
            elif touched.drafts:
                moved.append((row.record_id, *_head(past, row)))
            elif _only_seen(touched):
                seen_again.setdefault(past.known_at, []).append(row.record_id)
            else:
                looked.append((row.record_id, *_times(past), past.seen, _sound(past, row)))
        bulk.insert(self._connection, "record", _RECORD, new)
        bulk.update(self._connection, "record", ("record_id",), _HEAD, moved)
        bulk.update(self._connection, "record", ("record_id",), _LOOK, looked)
        for known_at, ids in seen_again.items():
            self._connection.exec_driver_sql(
                "UPDATE record SET known_at = ?"
                " WHERE record_id IN (SELECT value FROM json_each(?) AS j)",
                (micros(known_at), json.dumps(ids)),
            )


def _moved(works: Sequence[Work], rows: Mapping[str, Row], size: int) -> Mapping[str, Row]:
    """Return where records lie once their versions are written from entry ``size`` on."""
    after = dict(rows)
    for version_id, work in enumerate(works, start=size):
        row = after[work.ref.id]
        after[work.ref.id] = (
            row._replace(keyframe=version_id, since=0)
            if work.whole
            else row._replace(since=row.since + 1)
        )
    return after


def _only_seen(touched: Touched) -> bool:
    """Return whether a record is as it was, but for the time of the last look."""
    before, past = touched.before, touched.past
    return (
        before is not None and past is not None and past == before._replace(known_at=past.known_at)
    )


def _times(past: Past) -> tuple[int | None, ...]:
    return (
        micros(past.modified_at),
        micros(past.edited_at),
        micros(past.known_at),
        micros(past.history_to),
    )


def _head(past: Past, row: Row) -> tuple[Any, ...]:
    return (
        past.number,
        int(past.deleted),
        *_times(past),
        past.operation,
        row.keyframe,
        row.since,
        past.seen,
        _sound(past, row),
    )


def _sound(past: Past, row: Row) -> bytes:
    modified, edited, _, history = _times(past)
    place = (past.operation, row.keyframe, row.since, row.key_id)
    return checksum((modified, edited, history, *place, past.seen))
