"""Merging records: losers go to the recycle bin, what hung on them hangs on the winner."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crmtrail.sandbox.salesforce.deletion import Deletion
from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.records import By, Records
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject

MAX_LOSERS = 2
TOUCHES = "merge_touches"
"""The setting that says which stamp of a re-parented child moves."""
_NEVER = ("MasterRecordId", "CreatedById", "LastModifiedById", "PersonContactId")
Row = Mapping[str, Any]


class Merging:
    """Merges up to three records of one object. Call inside `Records.unit`."""

    def __init__(self, records: Records, deletion: Deletion) -> None:
        self._records = records
        self._deletion = deletion
        self._tables = records.tables

    def check(self, sobject: SObject, winner: Row, losers: Sequence[Row]) -> None:
        """Check that records may be merged.

        Raises:
            Refusal: an object without merge, too many, too few or unlike records.
        """
        if not sobject.mergeable:
            raise _refused(f"entity type cannot be merged: {sobject.label or sobject.name}")
        if not 1 <= len(losers) <= MAX_LOSERS:
            raise Refusal("LIMIT_EXCEEDED", f"one or {MAX_LOSERS} records can be merged away", [])
        ids = [winner["Id"], *(row["Id"] for row in losers)]
        if len(set(ids)) < len(ids):
            raise Refusal("INVALID_ID_FIELD", "a record cannot be merged with itself", [])
        if len({bool(row.get("IsPersonAccount")) for row in (winner, *losers)}) > 1:
            raise _refused("a person account can only be merged with a person account")
        if any(row.get("IsConverted") for row in (winner, *losers)):
            raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", [])

    def merge(
        self, sobject: SObject, winner: Row, losers: Sequence[Row], values: Mapping[str, Any],
        by: By, at: datetime,
    ) -> list[str]:  # fmt: skip
        """Merge losers into a winner, which takes the values, and return the children's ids.

        Raises:
            Refusal: the records may not be merged.
        """
        self.check(sobject, winner, losers)
        moved: list[str] = []
        for loser in losers:
            moved += self._repoint(sobject, loser["Id"], winner["Id"], by, at)
            if loser.get("PersonContactId"):
                person = self._tables.schema.objects["Contact"]
                ends = (loser["PersonContactId"], winner["PersonContactId"])
                moved += self._repoint(person, *ends, by, at)
            self._deletion.merge_away(sobject, loser, winner["Id"], by, at)
        fresh = self._tables.row(sobject, winner["Id"]) or dict(winner)
        self._records.update(sobject, fresh, values, by, at, op="merge")
        if sobject.history:
            rows = [_merged(sobject, loser) for loser in losers]
            self._records.remember(sobject, winner["Id"], rows, by, at)
        return moved

    def _repoint(
        self, sobject: SObject, loser: str, winner: str, by: By, at: datetime
    ) -> list[str]:
        quiet = self._tables.setting(TOUCHES, "SystemModstamp") == "SystemModstamp"
        hand = By(by.actor, by.user, silent=True) if quiet else by
        moved = []
        for child, field in self._tables.schema.children(sobject.name):
            if not _follows(child, field):
                continue
            for row in self._tables.pointing(child, field, loser):
                if row.get("IsPersonAccount") and field.name == "AccountId":
                    continue
                # Nobody is his own parent.
                value = None if row["Id"] == winner else winner
                self._records.update(child, row, {field.name: value}, hand, at)
                moved.append(row["Id"])
        return moved


def _follows(child: SObject, field: Field) -> bool:
    """Whether a lookup is re-pointed; history and approvals stay with the loser."""
    return child.moves_stamp and child.createable and field.name not in _NEVER


def _refused(message: str) -> Refusal:
    return Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, [])


def _merged(sobject: SObject, loser: Row) -> dict[str, Any]:
    """Return the history row of a merge; it tells names, not ids."""
    return {
        "Field": f"{sobject.name[0].lower()}{sobject.name[1:]}Merged",
        "OldValue": json.dumps(loser.get("Name")),
        "NewValue": None,
    }
