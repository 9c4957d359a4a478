"""Writes as the API lets a user do them: rights, locks, checks, then the write itself."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.deletion import Deletion
from crmtrail.sandbox.salesforce.merging import Merging
from crmtrail.sandbox.salesforce.records import Records
from crmtrail.sandbox.salesforce.refusal import Refusal, busy, deleted, not_found
from crmtrail.sandbox.salesforce.rules import Rules
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.validate import Validation, Values

Row = Mapping[str, Any]


class Editing:
    """Carries out single writes. Call inside `Records.unit`."""

    def __init__(
        self, records: Records, validation: Validation, deletion: Deletion, rules: Rules
    ) -> None:
        self.records = records
        self.rules = rules
        self.tables = records.tables
        self.validation = validation
        self.deletion = deletion
        self.merging = Merging(records, deletion)
        self.busy: dict[str, int] = {}

    def now(self) -> datetime:
        """Return the moment a write under way bears."""
        return self.tables.world.clock.now()

    def object_of(self, name: str) -> SObject:
        """Return the object of a URL or an ``attributes.type``.

        Raises:
            Refusal: there is none.
        """
        found = self.tables.schema.get(name)
        if found is None:
            raise not_found()
        return found

    def row(self, sobject: SObject, text: str, *, single: bool = True) -> dict[str, Any]:
        """Return the live row an id names; ``single`` resources answer 404 for none.

        Raises:
            Refusal: malformed, of another object, never there, or deleted.
        """
        id_ = ids.normal(text)
        if id_ is None or ids.prefix(id_) != sobject.prefix:
            raise Refusal(
                "MALFORMED_ID",
                f"{sobject.label or sobject.name} ID: id value of incorrect type: {text}",
                ["Id"],
            )
        row = self.tables.row(sobject, id_)
        if row is None and single:
            raise not_found()
        if row is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
        if row["_deleted"] is not None:
            raise deleted()
        return row

    def create(self, call: Call, sobject: SObject, found: Values) -> str:
        """Write a new record and return its id.

        Raises:
            Refusal: the user may not, or the values may not.
        """
        if not sobject.createable:
            raise Refusal(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type cannot be inserted: {sobject.label or sobject.name}",
                [],
            )
        self._may_write(call)
        values = self.validation.new(sobject, found, call.view)
        by, now = call.session.by, self.now()
        if not self.rules.any(sobject):
            return self.records.create(sobject, [values], by, now)[0]
        values = self.rules.before(call, sobject, values, None)
        # Its own transaction: a rule may refuse what was just saved.
        with self.records.unit(now):
            (id_,) = self.records.create(sobject, [values], by, now)
            self.rules.after(sobject, id_, by)
        return id_

    def update(self, call: Call, sobject: SObject, row: Row, found: Values) -> None:
        """Change a record.

        Raises:
            Refusal: the user may not, the values may not, or the record is locked.
        """
        self._may_write(call)
        if row.get("IsConverted") and not call.view.converted_leads:
            raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", [])
        values = self.validation.edit(sobject, found, row, call.view)
        self.unlocked(row)
        by, now = call.session.by, self.now()
        if not self.rules.any(sobject):
            self.records.update(sobject, row, values, by, now)
            return
        values = self.rules.before(call, sobject, values, row)
        with self.records.unit(now):
            self.records.update(sobject, row, values, by, now)
            self.rules.after(sobject, row["Id"], by)

    def delete(self, call: Call, sobject: SObject, row: Row) -> None:
        """Move a record into the recycle bin.

        Raises:
            Refusal: the user may not, or the record is locked or held by others.
        """
        self._may_write(call)
        if not sobject.deletable:
            raise Refusal(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type cannot be deleted: {sobject.label or sobject.name}",
                [],
            )
        self.unlocked(row)
        self.deletion.delete(sobject, row, call.session.by, self.now())

    def undelete(self, call: Call, sobject: SObject, row: Row) -> None:
        """Bring a record back from the recycle bin.

        Raises:
            Refusal: the user may not, or the record is not there alone.
        """
        self._may_write(call)
        self.deletion.undelete(sobject, row, call.session.by, self.now())

    def merge(
        self, call: Call, sobject: SObject, winner: Row, losers: Sequence[Row], found: Values
    ) -> list[str]:
        """Merge losers into a winner and return the ids of the children that moved.

        Raises:
            Refusal: the user may not, the values may not, or a record is locked.
        """
        self._may_write(call)
        values = self.validation.edit(sobject, found, winner, call.view)
        self.merging.check(sobject, winner, losers)
        for row in (winner, *losers):
            self.unlocked(row)
        by, now = call.session.by, self.now()
        with self.records.unit(now):
            moved = self.merging.merge(sobject, winner, losers, values, by, now)
            self.rules.after(sobject, winner["Id"], by)
        return moved

    def empty(self, call: Call, sobject: SObject, row: Row) -> None:
        """Remove a record from the recycle bin for good.

        Raises:
            Refusal: the user may not, or the record is not there.
        """
        self._may_write(call)
        if row["_deleted"] is None or row["_root"] != row["Id"]:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
        self.deletion.purge(sobject, row, call.session.by, self.now())

    def _may_write(self, call: Call) -> None:
        if call.session.reads_only:
            raise Refusal(
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
                [],
                status=403,
            )

    def unlocked(self, row: Row) -> None:
        """Check that nothing keeps a record from being edited.

        Raises:
            Refusal: an approval locks it, or another transaction holds it.
        """
        if row["_locked"]:
            raise Refusal("ENTITY_IS_LOCKED", "the entity is locked for editing", [])
        id_ = row["Id"]
        left = self.busy.get(id_, 0)
        if left:
            self.busy[id_] = left - 1
            raise busy(id_)
        if id_ in self._held():
            raise busy(id_)

    def _held(self) -> set[str]:
        """Return the ids that transactions not yet committed hold."""
        works = self.tables.db.execute("SELECT work FROM sf_pending").fetchall()
        return {item["id"] for (work,) in works for item in json.loads(work)["records"]}
