"""A batch of what was found, written to the tables in the caller's transaction.

One SELECT for what is stored, then bulk statements only. Ids are given out here, which is safe
because the transaction holds the write lock from its start.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from crmtrail.model import ChangeSet, Reading, Removal
from crmtrail.ports import Kept, Notice, Noticed, Scene
from snapshot.absorbing import Batch
from snapshot.awaited import Sent, awaited
from snapshot.diff import Draft, Past
from snapshot.entries import VERSION, version_entry
from snapshot.leaves import append_entries, frontier_of, size_of
from snapshot.names import actor_ids, field_ids
from snapshot.noticed import keep_findings, keep_operations, open_operations, seal_findings
from snapshot.schemas import newest_schema
from snapshot.times import at_micros, micros


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch belongs. ``run`` is None outside runs."""

    object_id: int
    source: str
    object: str
    run: int | None
    horizon: datetime | None
    live: int


def absorb_found(
    connection: Connection,
    place: Place,
    found: Sequence[Reading | Removal],
    *,
    notice: Notice,
    now: datetime,
) -> Kept:
    """Write everything found: versions, changes, heads, findings, leaves, counts."""
    if not found:
        return Kept()
    refs = list(dict.fromkeys(one.ref.id for one in found))
    ids, stored = _stored(connection, place.object_id, refs)
    batch = Batch.of(
        found,
        stored,
        horizon=place.horizon,
        sent=_awaited(connection, place, refs),
        read_back=place.run is None,
    )

    def look(change_sets: Sequence[ChangeSet]) -> Noticed:
        return notice(
            change_sets,
            Scene(
                source=place.source,
                object=place.object,
                schema=newest_schema(connection, place.object_id),
                population=place.live + batch.newcomers(),
                operations=open_operations(connection, place.object_id, change_sets),
            ),
        )

    noticed = batch.notice(look)
    keep_operations(connection, place.object_id, noticed.operations)
    incidents = keep_findings(connection, noticed, now, place.run)
    _Writer(connection, place, ids).write(batch)
    seal_findings(connection, incidents, now)
    return batch.kept(each.id for each in incidents)


def _stored(
    connection: Connection, object_id: int, ids: Sequence[str]
) -> tuple[dict[str, int], dict[str, Past]]:
    """Return the row ids and the stored state of records, by the vendor's id."""
    rows = connection.exec_driver_sql(
        "SELECT r.ext_id, r.record_id, r.number, r.document, r.stamps, r.modified_at, r.edited_at,"
        " r.known_at, r.deleted, r.history_to, r.operation_id FROM json_each(?) AS j"
        " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = j.value",
        (json.dumps(ids), object_id),
    )
    found: dict[str, int] = {}
    past: dict[str, Past] = {}
    for id_, row, number, document, stamps, modified, edited, known, gone, history, op in rows:
        found[id_] = row
        past[id_] = Past(
            number,
            document,
            stamps,
            at_micros(modified),
            at_micros(edited),
            at_micros(known),
            bool(gone),
            at_micros(history),
            op,
        )
    return found, past


def _awaited(
    connection: Connection, place: Place, ids: Sequence[str]
) -> Mapping[str, Sequence[Sent]]:
    """Return our own steps that were sent and that no sync has seen, by the vendor's id."""
    rows = connection.exec_driver_sql(
        "SELECT s.record, s.plan_id, s.no, s.write, s.sent_at, s.before, s.settled_at, s.fields"
        " FROM json_each(?) AS j"
        " CROSS JOIN plan_step AS s INDEXED BY plan_step_awaited"
        " ON s.source = ? AND s.object = ? AND s.record = j.value"
        " WHERE s.state IN ('sending', 'settled') AND s.seen_version IS NULL"
        " AND s.sent_at IS NOT NULL ORDER BY s.sent_at, s.plan_id, s.no",
        (json.dumps(ids), place.source, place.object),
    )
    sent: dict[str, list[Sent]] = {}
    for record, plan, no, write, sent_at, before, settled_at, results in rows:
        step = Sent(plan, no, json.loads(write), at_micros(sent_at))
        look_for = awaited(step, json.loads(before), at_micros(settled_at), json.loads(results))
        if look_for is not None:
            sent.setdefault(record, []).append(look_for)
    return sent


class _Writer:
    """Turns a batch into rows."""

    def __init__(self, connection: Connection, place: Place, ids: Mapping[str, int]) -> None:
        self._connection = connection
        self._place = place
        self._ids = dict(ids)

    def write(self, batch: Batch) -> None:
        self._records(batch)
        drafts = [
            (self._ids[id_], draft)
            for id_, touched in batch.records.items()
            for draft in touched.drafts
        ]
        if drafts:
            self._versions(drafts)
        live, dead = batch.living()
        self._run(
            "UPDATE position SET live = live + ?, dead = dead + ?, versions = versions + ?"
            " WHERE object_id = ?",
            [(live, dead, len(drafts), self._place.object_id)],
        )
        self._run(
            "UPDATE plan_step SET seen_version = ? WHERE plan_id = ? AND no = ?",
            [(number, plan, no) for (plan, no), number in batch.seen.items()],
        )

    def _run(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._connection.exec_driver_sql(statement, list(rows))

    def _records(self, batch: Batch) -> None:
        new, changed, refreshed = [], [], []
        next_id = self._next_record()
        for id_, touched in batch.records.items():
            past = touched.past
            if past is None or past is touched.before or past == touched.before:
                continue
            head = _head(past)
            if touched.appeared:
                self._ids[id_] = next_id
                new.append(
                    (
                        next_id,
                        self._place.object_id,
                        id_,
                        *head,
                        *_content(touched.drafts[-1], past),
                    )
                )
                next_id += 1
            elif touched.drafts:
                changed.append((*head, *_content(touched.drafts[-1], past), self._ids[id_]))
            else:
                refreshed.append((*head, past.stamps, self._ids[id_]))
        self._run(
            "INSERT INTO record (record_id, object_id, ext_id, number, deleted, modified_at,"
            " edited_at, known_at, history_to, operation_id, stamps, digest, document)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            new,
        )
        self._run(
            "UPDATE record SET number = ?, deleted = ?, modified_at = ?, edited_at = ?,"
            " known_at = ?, history_to = ?, operation_id = ?, stamps = ?, digest = ?, document = ?"
            " WHERE record_id = ?",
            changed,
        )
        self._run(
            "UPDATE record SET number = ?, deleted = ?, modified_at = ?, edited_at = ?,"
            " known_at = ?, history_to = ?, operation_id = ?, stamps = ? WHERE record_id = ?",
            refreshed,
        )

    def _next_record(self) -> int:
        found = self._connection.exec_driver_sql("SELECT max(record_id) FROM record").scalar()
        return 1 if found is None else int(found) + 1

    def _versions(self, drafts: Sequence[tuple[int, Draft]]) -> None:
        made = [draft.change_set for _, draft in drafts]
        actors = actor_ids(self._connection, (change_set.actor for change_set in made))
        fields = field_ids(
            self._connection, self._place.object_id, (c.field for m in made for c in m.changes)
        )
        size = size_of(self._connection)
        versions: list[tuple[Any, ...]] = []
        changes: list[tuple[Any, ...]] = []
        entries: list[tuple[str, bytes]] = []
        for index, (record, draft) in enumerate(drafts, start=size):
            change_set = draft.change_set
            versions.append(self._row(index, record, actors[change_set.actor], draft))
            changes.extend((index, fields[c.field], c.old, c.new) for c in change_set.changes)
            entry = version_entry(
                change_set, digest=draft.digest, stamps=draft.stamps, deleted=draft.deleted
            )
            entries.append((VERSION, entry))
        self._run(
            "INSERT INTO version (version_id, object_id, record_id, number, op, deleted, actor_id,"
            " at, known_at, run_id, operation_id, plan_id, digest, stamps)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            versions,
        )
        self._run(
            "INSERT INTO change (version_id, field_id, old, new) VALUES (?, ?, ?, ?)", changes
        )
        append_entries(self._connection, frontier_of(self._connection, size), entries)

    def _row(self, index: int, record: int, actor: int, draft: Draft) -> tuple[Any, ...]:
        made = draft.change_set
        return (
            index,
            self._place.object_id,
            record,
            made.number,
            made.op.value,
            int(draft.deleted),
            actor,
            micros(made.at),
            micros(made.known_at),
            self._place.run,
            made.operation,
            made.transaction,
            draft.digest,
            draft.stamps,
        )


def _head(past: Past) -> tuple[Any, ...]:
    return (
        past.number,
        int(past.deleted),
        micros(past.modified_at),
        micros(past.edited_at),
        micros(past.known_at),
        micros(past.history_to),
        past.operation,
    )


def _content(newest: Draft, past: Past) -> tuple[str, bytes, str]:
    return past.stamps, newest.digest, past.document
