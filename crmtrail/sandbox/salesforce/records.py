"""Writing records: every change of every record goes through here and into the journal."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmtrail.sandbox.salesforce import histories, moments, persons, sideeffects
from crmtrail.sandbox.salesforce.schema import Rollup, SObject
from crmtrail.sandbox.salesforce.tables import Tables
from crmtrail.sandbox.salesforce.values import to_json
from crmtrail.sandbox.world import Actor

CRM = "salesforce"
SYSTEM = Actor("system", "", "Salesforce")


@dataclass(frozen=True, slots=True)
class By:
    """Who writes: the actor of the truth, and the user whose name the record will bear.

    ``silent`` is the platform itself: only SystemModstamp moves and no history is kept.
    """

    actor: Actor
    user: str
    silent: bool = False


class Records:
    """Creates, edits and touches records. Call inside `unit`."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.schema = tables.schema
        self.world = tables.world
        self._dirty: dict[Rollup, set[str]] = defaultdict(set)
        self._history: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.watchers: list[Callable[..., None]] = []
        """Called with object, id, operation, before, after, author and time of every change."""

    @contextmanager
    def unit(self, at: datetime) -> Iterator[None]:
        """Make what is done inside one transaction: whole, with its side effects, or undone."""
        outer = self._dirty, self._history
        self._dirty, self._history = defaultdict(set), defaultdict(list)
        self.tables.db.execute("SAVEPOINT sf_unit")
        try:
            yield
            self._finish(at)
        except BaseException:
            self.tables.db.execute("ROLLBACK TO sf_unit")
            raise
        finally:
            self.tables.db.execute("RELEASE sf_unit")
            self._dirty, self._history = outer

    def create(
        self, sobject: SObject, new: Sequence[Mapping[str, Any]], by: By, at: datetime
    ) -> list[str]:
        """Write new records from validated values and return their ids."""
        made = self.tables.new_ids(sobject, len(new))
        self.create_as(sobject, list(zip(made, new, strict=True)), by, at)
        return made

    def create_as(
        self,
        sobject: SObject,
        new: Sequence[tuple[str, Mapping[str, Any]]],
        by: By,
        at: datetime,
    ) -> None:
        """Write new records under ids taken before."""
        rows = [self._fresh(sobject, id_, values, by, at) for id_, values in new]
        self.tables.insert(sobject, rows)
        for row in rows:
            after = {
                field.name: to_json(field, row[field.name])
                for field in sobject.stored
                if row.get(field.name) is not None
            }
            self._journal(sobject, row["Id"], "create", {}, after, by, at)
            if sobject.history:
                self.remember(sobject, row["Id"], [{"Field": "created"}], by, at)
            self._stage(sobject, {}, row, by, at)
            self._mirror_new(sobject, row, by, at)
            self.dirty(sobject, row)

    def _fresh(
        self, sobject: SObject, id_: str, values: Mapping[str, Any], by: By, at: datetime
    ) -> dict[str, Any]:
        now = moments.stamp(at)
        row = {field.name: field.default for field in sobject.stored if field.default is not None}
        if "ownerid" in sobject.by_name:
            row["OwnerId"] = by.user
        row |= values
        sideeffects.complete(self.tables, sobject, row, None)
        for field in sobject.stored:
            if field.numbering:
                (number,) = self.tables.take(f"{sobject.name}.{field.name}")
                row[field.name] = field.numbering.format(number)
        audit = {
            "CreatedDate": now,
            "CreatedById": by.user,
            "LastModifiedDate": now,
            "LastModifiedById": by.user,
            "SystemModstamp": now,
        }
        known = {name: row.get(name) or value for name, value in audit.items()}
        return row | known | {"Id": id_}

    def update(
        self, sobject: SObject, row: Mapping[str, Any], values: Mapping[str, Any], by: By,
        at: datetime, *, op: str = "update",
    ) -> None:  # fmt: skip
        """Write validated changes to one live row; the journal calls it ``op``."""
        changed = dict(values)
        sideeffects.complete(self.tables, sobject, changed, row)
        now = moments.stamp(at)
        stamps = {"SystemModstamp": max(now, row.get("SystemModstamp") or now)}
        if not by.silent:
            stamps |= {"LastModifiedDate": now, "LastModifiedById": by.user}
        kept = {name: value for name, value in stamps.items() if name.lower() in sobject.by_name}
        self.tables.change(sobject, row["Id"], changed | kept)
        moved = [name for name in changed if changed[name] != row[name]]
        before = {name: row[name] for name in moved}
        after = {name: changed[name] for name in moved}
        self._journal(sobject, row["Id"], op, before, after, by, at)
        if sobject.history and not by.silent:
            rows = sideeffects.history_rows(self.tables, sobject, before, after)
            self.remember(sobject, row["Id"], rows, by, at)
            self._stage(sobject, row, {**row, **changed}, by, at)
        self.dirty(sobject, row)
        self.dirty(sobject, {**row, **changed})
        if row.get("PersonContactId") and (copied := persons.mirrored(sobject, changed)):
            contact = self.schema.objects["Contact"]
            mirror = self.tables.row(contact, row["PersonContactId"])
            if mirror is not None:
                self.update(contact, mirror, copied, by, at)

    def _mirror_new(self, sobject: SObject, row: Mapping[str, Any], by: By, at: datetime) -> None:
        """Write the contact of a new person account."""
        about = persons.mirrored(sobject, row)
        if not about or not persons.is_person(self.tables, row):
            return
        contact = self.schema.objects["Contact"]
        known = {name: value for name, value in about.items() if value is not None}
        values = known | {"AccountId": row["Id"], "IsPersonAccount": 1}
        (made,) = self.create(contact, [values], by, at)
        self.tables.change(sobject, row["Id"], {"PersonContactId": made, "IsPersonAccount": 1})

    def touch(self, sobject: SObject, row: Mapping[str, Any], by: By, at: datetime) -> None:
        """Bump SystemModstamp only, as a background job of the platform does."""
        now = moments.stamp(at)
        self.tables.change(sobject, row["Id"], {"SystemModstamp": now})
        before = {"SystemModstamp": row["SystemModstamp"]}
        self._journal(sobject, row["Id"], "touch", before, {"SystemModstamp": now}, by, at)

    def mark(
        self, sobject: SObject, row: Mapping[str, Any], op: str, columns: Mapping[str, Any],
        by: By, at: datetime,
    ) -> None:  # fmt: skip
        """Move a row into the recycle bin or out of it."""
        now = moments.stamp(at)
        stamps = {}
        if sobject.moves_stamp:
            stamps = {"SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": by.user}
            stamps = {name: at_ for name, at_ in stamps.items() if name.lower() in sobject.by_name}
        self.tables.change(sobject, row["Id"], {**columns, **stamps})
        gone = columns["_deleted"] is not None
        shown = [name for name in columns if not name.startswith("_")]
        flags = ({"IsDeleted": not gone}, {"IsDeleted": gone}) if sobject.bin else ({}, {})
        before = flags[0] | {name: row[name] for name in shown}
        after = flags[1] | {name: columns[name] for name in shown}
        if sobject.moves_stamp:
            self._journal(sobject, row["Id"], op, before, after, by, at)
        self.dirty(sobject, row)

    def purged(self, sobject: SObject, row: Mapping[str, Any], by: By, at: datetime) -> None:
        """Note that a row has left the recycle bin for good."""
        if sobject.moves_stamp:
            was = {"IsDeleted": True} if sobject.bin else {}
            self._journal(sobject, row["Id"], "purge", was, {}, by, at)

    def dirty(self, sobject: SObject, row: Mapping[str, Any]) -> None:
        """Note that a row's parents may have to sum up anew."""
        for rollup in self.schema.rollups:
            if rollup.child == sobject.name and row.get(rollup.key):
                self._dirty[rollup].add(row[rollup.key])

    def _journal(
        self, sobject: SObject, id_: str, op: str, before: Mapping[str, Any],
        after: Mapping[str, Any], by: By, at: datetime,
    ) -> None:  # fmt: skip
        shown = [
            {name: to_json(sobject.field(name), value) for name, value in side.items()}
            for side in (before, after)
        ]
        self.world.journal(CRM, sobject.name, id_, op, (shown[0], shown[1]), by.actor, at)
        for watch in self.watchers:
            watch(sobject, id_, op, before, after, by, at)

    def remember(
        self, sobject: SObject, id_: str, rows: list[dict[str, Any]], by: By, at: datetime
    ) -> None:
        """Add rows to the history of a record."""
        common = {
            sobject.parent_key: id_,
            "CreatedById": by.user,
            "CreatedDate": moments.stamp(at),
            "DataType": "Text",
        }
        told = [common | row for row in rows]
        if sobject.history == histories.ACTIVITY:
            told = [histories.activity_row(row) for row in told]
        self._history[sobject.history or ""] += told

    def _stage(
        self, sobject: SObject, before: Mapping[str, Any], after: Mapping[str, Any], by: By,
        at: datetime,
    ) -> None:  # fmt: skip
        if sobject.name == "Opportunity":
            row = histories.stage_row(before, after, by.user, at)
            self._history[histories.STAGES] += [row] if row else []

    def _finish(self, at: datetime) -> None:
        for name, rows in self._history.items():
            history = self.schema.objects[name]
            fresh = self.tables.new_ids(history, len(rows)) if rows else []
            self.tables.insert(
                history, [row | {"Id": id_} for id_, row in zip(fresh, rows, strict=True)]
            )
        self._history.clear()
        # The schema lists a roll-up before those that read it, so one pass settles all.
        for rollup in self.schema.rollups:
            if parents := self._dirty.pop(rollup, None):
                self._sum(rollup, parents, at)

    def _sum(self, rollup: Rollup, parents: set[str], at: datetime) -> None:
        parent = self.schema.objects[rollup.parent]
        listed = sorted(parents)
        for start in range(0, len(listed), 500):
            stale = sideeffects.summed(self.tables, rollup, listed[start : start + 500])
            for row, value in stale:
                stamp = max(moments.stamp(at), row["SystemModstamp"])
                self.tables.change(
                    parent, row["Id"], {rollup.field: value, "SystemModstamp": stamp}
                )
                by = By(SYSTEM, "", silent=True)
                before, after = {rollup.field: row[rollup.field]}, {rollup.field: value}
                self._journal(parent, row["Id"], "update", before, after, by, at)
                self.dirty(parent, row)
