"""Retention: the values of versions older than a rule keeps them, forgotten or thinned out.

What stays: who changed which field when, every value of the versions that are young enough, and
the state that the record had when the rule's limit was (``forget``), or the last state of each day,
week or month (``thin``). Where no full state of that version is kept, one is made first. A record's
newest state always stays.

Records go in batches, each a transaction with an entry of its own. A kill in between loses nothing:
the next run finds what is left to do.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from crmtrail.model import stamp
from crmtrail.ports import Clock
from crmtrail.retention_config import RetentionRule
from snapshot.cleaning import clean
from snapshot.copies import scrub_operations
from snapshot.cutting import Cut, Line, Parts, cut
from snapshot.database import read_only, reading, writing
from snapshot.door import forgetting
from snapshot.forgotten import (
    digest_of,
    forget_changes,
    forget_docs,
    note_forgotten,
    together,
)
from snapshot.framing import frames_digest, make_frames
from snapshot.holding import Keeping, listed
from snapshot.leaves import seal, size_of
from snapshot.shelf import Shelf
from snapshot.subjects import subjects_at
from snapshot.times import micros

RETENTION: Final = "retention"
"""The kind of the entries."""

_BATCH: Final = 200
"""How many records one transaction forgets of."""

_LAST_ID: Final = "~"
"""Behind every id of an operation: those are letters, digits and hyphens."""

_LINES: Final = (
    "SELECT v.record_id, v.version_id, v.number, v.at,"
    " iif(v.payload IS NULL, 0, 1), iif(v.kept IS NULL, 0, 1),"
    " (SELECT count(*) FROM change AS c WHERE c.version_id = v.version_id),"
    " (SELECT count(*) FROM change AS c WHERE c.version_id = v.version_id"
    "  AND (c.old IS NOT NULL OR c.new IS NOT NULL)),"
    " iif(k.doc IS NULL, 0, 1), coalesce(k.sealed, 0), iif(k.kept IS NULL, 0, 1),"
    " iif(k.version_id IS NULL, 0, 1)"
    " FROM json_each(?) AS j CROSS JOIN version AS v ON v.record_id = j.value"
    " LEFT JOIN keyframe AS k ON k.version_id = v.version_id ORDER BY j.key, v.number"
)
_FIRST_TIME: Final = (
    "INSERT OR IGNORE INTO temp.aged SELECT record_id FROM record"
    " WHERE object_id = ? AND number > 1 AND erased_at IS NULL"
)
_SINCE: Final = (
    "INSERT OR IGNORE INTO temp.aged SELECT v.record_id FROM version AS v INDEXED BY version_valid"
    " WHERE v.object_id = ? AND v.at > ? AND v.at <= ? AND v.op <> 'baseline'"
)
_LATE: Final = (
    "INSERT OR IGNORE INTO temp.aged SELECT v.record_id FROM version AS v"
    " WHERE v.version_id >= ? AND v.object_id = ? AND v.at <= ?"
)


@dataclass(slots=True)
class Aged:
    """What a rule forgets of one object, or would forget.

    ``versions`` are those that lose values, ``values`` the changed fields of those, ``states``
    the full states that go, ``made`` those that are made; ``quotes`` the operations and incidents
    that quote old values. ``held`` counts records that are kept by
    holds, by the hold's number. ``leaves`` are the entries.
    """

    rule: RetentionRule
    object: str
    limit: datetime
    records: int = 0
    versions: int = 0
    values: int = 0
    states: int = 0
    made: int = 0
    quotes: int = 0
    held: dict[int, int] = field(default_factory=dict)
    leaves: list[int] = field(default_factory=list)

    def count(self, cuts: Iterable[Cut]) -> None:
        """Take in what goes of some records."""
        for one in cuts:
            self.records += 1
            self.versions += len(one.versions)
            self.values += one.values
            self.states += len(one.docs)
            self.made += len(one.frames)


class Retention:
    """The rules of retention over one store."""

    def __init__(
        self, engine: Engine, shelf: Shelf, clock: Clock, rules: Sequence[RetentionRule]
    ) -> None:
        self._engine = engine
        self._shelf = shelf
        self._clock = clock
        self._rules = rules

    def preview(self) -> Iterator[Aged]:
        """Yield what each rule would forget of each object. Changes nothing."""
        for aged, object_id in self._aged():
            for _ in self._batches(aged, object_id):
                pass
            for ids in self._operations(aged, object_id):
                with reading(self._engine) as connection:
                    count, incidents = scrub_operations(connection, ids, keep=False)
                aged.quotes += count + len(incidents)
            yield aged

    def apply(self, *, by: str, anew: bool | None = None) -> list[Aged]:
        """Forget what the rules no longer keep, and seal that; return it by rule and object."""
        done = []
        for aged, object_id in self._aged():
            with reading(self._engine) as connection:
                size = size_of(connection)
            for cuts in self._batches(aged, object_id):
                leaf = self._forget(aged, cuts, by)
                if leaf is not None:
                    aged.leaves.append(leaf)
            for ids in self._operations(aged, object_id):
                self._unquote(aged, ids, by)
            if not aged.held:  # else what is held has to be looked at again
                self._mark(aged, object_id, size)
            done.append(aged)
        if any(each.leaves for each in done):
            clean(self._engine, anew=anew)
        return done

    def _aged(self) -> Iterator[tuple[Aged, int]]:
        """Yield each object that a rule is for."""
        now = self._clock.now()
        for rule in self._rules:
            with reading(self._engine) as connection:
                rows = connection.exec_driver_sql(
                    "SELECT object_id, name FROM object WHERE source = ? ORDER BY name",
                    (rule.source,),
                ).all()
            for object_id, name in rows:
                if rule.object in {"*", name}:
                    yield Aged(rule, f"{rule.source}:{name}", rule.limit(now)), object_id

    # --- what goes ---------------------------------------------------------------------------

    def _batches(self, aged: Aged, object_id: int) -> Iterator[list[Cut]]:
        """Yield what goes, some records at a time, and count it.

        Which records come into question is noted in a temporary table first.
        """
        with read_only(self._engine).connect() as connection:
            with connection.begin():
                self._note(connection, aged, object_id)
            try:
                after = 0
                while True:
                    with connection.begin():
                        rows = connection.exec_driver_sql(
                            "SELECT record_id FROM temp.aged WHERE record_id > ?"
                            " ORDER BY record_id LIMIT ?",
                            (after, _BATCH),
                        )
                        ids = list(rows.scalars())
                        cuts = self._cuts(connection, aged, ids)
                    if not ids:
                        return
                    after = ids[-1]
                    aged.count(cuts)
                    if cuts:
                        yield cuts
            finally:
                with connection.begin():
                    connection.exec_driver_sql("DROP TABLE temp.aged")

    def _note(self, connection: Connection, aged: Aged, object_id: int) -> None:
        run = connection.exec_driver_sql
        run("CREATE TEMP TABLE aged (record_id INTEGER PRIMARY KEY) WITHOUT ROWID")
        mark = self._marked(connection, aged, object_id)
        if mark is None:
            run(_FIRST_TIME, (object_id,))
            return
        upto, size = mark
        run(_SINCE, (object_id, upto, micros(aged.limit)))
        run(_LATE, (size, object_id, micros(aged.limit)))

    @staticmethod
    def _marked(connection: Connection, aged: Aged, object_id: int) -> tuple[int, int] | None:
        """Return up to when the rule was applied, and the ledger's size then."""
        row = connection.exec_driver_sql(
            "SELECT upto, size FROM retention_mark WHERE object_id = ? AND rule = ?",
            (object_id, str(aged.rule)),
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    def _cuts(self, connection: Connection, aged: Aged, ids: Sequence[int]) -> list[Cut]:
        """Return what goes of some records; those that are held are counted."""
        keeping = Keeping(connection, self._clock.now())
        lines: dict[int, list[Line]] = {}
        for record_id, *line in connection.exec_driver_sql(_LINES, (listed(ids),)):
            lines.setdefault(record_id, []).append(Line(*line))
        cuts = []
        for one in subjects_at(connection, list(lines)):
            if one.erased_at is not None:
                continue
            made = cut(one, lines[one.record_id], micros(aged.limit), aged.rule)
            hold = keeping.of(one.record_id, one.object_id, one.ref.id) if made else None
            if hold is not None:
                aged.held[hold.id] = aged.held.get(hold.id, 0) + 1
            elif made is not None:
                cuts.append(made)
        return cuts

    def _operations(self, aged: Aged, object_id: int) -> Iterator[list[str]]:
        """Yield the operations that are as old, some at a time, but for those of held records."""
        if aged.rule.fields == "finance":
            return
        with reading(self._engine) as connection:
            mark = self._marked(connection, aged, object_id)
            keeping = Keeping(connection, self._clock.now())
            held = keeping.operations(connection)
        if keeping.of_object(object_id) is not None:
            return
        after = (-(2**62) if mark is None else mark[0], _LAST_ID)
        while True:
            with reading(self._engine) as connection:
                rows = connection.exec_driver_sql(
                    "SELECT ended, operation_id FROM operation WHERE object_id = ?"
                    " AND (ended, operation_id) > (?, ?) AND ended <= ?"
                    " ORDER BY ended, operation_id LIMIT ?",
                    (object_id, *after, micros(aged.limit), _BATCH),
                ).all()
            if not rows:
                return
            after = (rows[-1][0], rows[-1][1])
            yield [row[1] for row in rows if row[1] not in held]

    def _unquote(self, aged: Aged, ids: Sequence[str], by: str) -> None:
        """Take old values out of what quotes them, in one transaction."""
        with writing(self._engine) as connection:
            count, incidents = scrub_operations(connection, ids, keep=True)
            aged.quotes += count + len(incidents)
            if incidents:
                entry = {
                    "rule": str(aged.rule),
                    "object": aged.object,
                    "limit": stamp(aged.limit),
                    "by": by,
                    "incidents": incidents,
                    "forgotten": digest_of(()),
                    "frames": None,
                }
                aged.leaves.append(seal(connection, RETENTION, entry, self._clock.now()))

    # --- forgetting --------------------------------------------------------------------------

    def _forget(self, aged: Aged, cuts: Sequence[Cut], by: str) -> int | None:
        """Forget some records' values in one transaction; return its entry."""
        now = self._clock.now()
        with writing(self._engine) as connection:
            # Looked at again under the write lock: a sync or an erasure may have come in between.
            again = Aged(aged.rule, aged.object, aged.limit)
            cuts = self._cuts(connection, again, [one.subject.record_id for one in cuts])
            if not cuts:
                return None
            again.count(cuts)
            leaf = size_of(connection)
            make_frames(connection, self._shelf, cuts, leaf, now)
            parts = Parts.of(aged.rule)
            versions = [id_ for one in cuts for id_ in one.versions]
            docs = [id_ for one in cuts for id_ in one.docs]
            with forgetting(connection, RETENTION):
                gone = together(
                    forget_changes(connection, versions, parts.bits, clear=parts.clear),
                    forget_docs(connection, docs, parts.bits, clear=parts.clear),
                )
            entry: dict[str, Any] = {
                "rule": str(aged.rule),
                "object": aged.object,
                "limit": stamp(aged.limit),
                "by": by,
                "records": again.records,
                "versions": again.versions,
                "values": again.values,
                "states": again.states,
                "first": gone[0].version_id,
                "last": gone[-1].version_id,
                "incidents": {},
                "forgotten": note_forgotten(connection, gone, leaf),
                "frames": frames_digest(connection, leaf),
            }
            return seal(connection, RETENTION, entry, now)

    def _mark(self, aged: Aged, object_id: int, size: int) -> None:
        with writing(self._engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO retention_mark (object_id, rule, upto, size) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (object_id, rule)"
                " DO UPDATE SET upto = excluded.upto, size = excluded.size",
                (object_id, str(aged.rule), micros(aged.limit), size),
            )
