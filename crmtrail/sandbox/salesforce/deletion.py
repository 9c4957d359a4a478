"""Deleting, undeleting and purging records, with all that hangs on them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.records import SYSTEM, By, Records
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import table

BIN = timedelta(days=15)
BIN_CAP = 25 * 1073
"""Records a full bin holds: 25 for every megabyte of storage."""
_SPARED = timedelta(hours=2)
Gone = list[tuple[SObject, dict[str, Any]]]


class Deletion:
    """The recycle bin. Call inside `Records.unit`."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._tables = records.tables
        self._schema = records.schema

    def delete(self, sobject: SObject, row: Mapping[str, Any], by: By, at: datetime) -> None:
        """Move a live row and its cascade into the recycle bin.

        Raises:
            Refusal: a record that may not lose its parent stands in the way.
        """
        self._fall(sobject, row, ("delete", {}), by, at)

    def merge_away(
        self, sobject: SObject, row: Mapping[str, Any], winner: str, by: By, at: datetime
    ) -> None:
        """Move the loser of a merge into the recycle bin; nothing hangs on it any more."""
        known = "masterrecordid" in sobject.by_name
        told = {"MasterRecordId": winner} if known else {}
        self._fall(sobject, row, ("merge_away", told), by, at)

    def _fall(
        self, sobject: SObject, row: Mapping[str, Any], how: tuple[str, dict[str, Any]], by: By,
        at: datetime,
    ) -> None:  # fmt: skip
        gone = self._cascade(sobject, dict(row))
        ids = {item["Id"] for _, item in gone}
        self._restricted(gone, ids)
        op, more = how
        columns = {"_deleted": moments.stamp(at), "_root": row["Id"]}
        for part, item in gone:
            first = item["Id"] == row["Id"]
            told, extra = (op, more) if first else ("delete", {})
            self._records.mark(part, item, told, columns | extra, by, at)
        for part, item in gone:
            self._clear(part, item["Id"], by, at)
            self._outlived(part, item["Id"], by, at)
        for part, item in gone:
            if not part.bin:
                # Setup records know no recycle bin: they are gone at once.
                self._remove(part, item | columns, by, at)

    def _outlived(self, master: SObject, id_: str, by: By, at: datetime) -> None:
        """Remove for good the details that were deleted before their master was."""
        for child, field in self._schema.children(master.name):
            if field.on_delete != "cascade" or field.nillable or not child.bin:
                continue
            for row in self._binned_under(child, field, id_):
                if row["_root"] == row["Id"]:
                    self.purge(child, row, by, at)

    def _binned_under(self, child: SObject, field: Field, id_: str) -> list[dict[str, Any]]:
        cursor = self._tables.db.execute(
            f'SELECT * FROM {table(child)} WHERE "{field.name}" = ? AND _deleted IS NOT NULL',
            (id_,),
        )
        return [dict(row) for row in cursor]

    def _kept(self) -> list[SObject]:
        """Return the objects with rows of their own; a view's rows are another's."""
        return [item for item in self._schema.objects.values() if not item.view]

    def _cascade(self, sobject: SObject, row: dict[str, Any]) -> Gone:
        gone: Gone = [(sobject, row)]
        seen = {row["Id"]}
        for parent, item in gone:
            for child, field in self._schema.children(parent.name):
                if field.on_delete != "cascade" or not child.bin:
                    continue
                for found in self._tables.pointing(child, field, item["Id"]):
                    if found["Id"] not in seen:
                        seen.add(found["Id"])
                        gone.append((child, found))
        return gone

    def _restricted(self, gone: Gone, ids: set[str]) -> None:
        for parent, item in gone:
            for child, field in self._schema.children(parent.name):
                if field.on_delete != "restrict":
                    continue
                held = [row for row in self._tables.pointing(child, field, item["Id"])
                        if row["Id"] not in ids]  # fmt: skip
                if held:
                    raise Refusal(
                        "DELETE_FAILED",
                        f"Your attempt to delete {item.get('Name') or item['Id']} could not be"
                        " completed because it is associated with the following"
                        f" {child.plural.lower()}.: {held[0].get('Name') or held[0]['Id']}",
                        [],
                    )

    def _clear(self, parent: SObject, id_: str, by: By, at: datetime) -> None:
        quiet = By(by.actor, by.user, silent=True)
        for child, field in self._schema.children(parent.name):
            if field.on_delete != "clear" or field.name in ("CreatedById", "LastModifiedById"):
                continue
            if child.view:
                continue  # its rows are another's
            for row in self._tables.pointing(child, field, id_):
                self._tables.db.execute(
                    "INSERT INTO sf_cleared VALUES (?, ?, ?, ?)",
                    (id_, child.name, row["Id"], field.name),
                )
                self._records.update(child, row, {field.name: None}, quiet, at)

    def undelete(self, sobject: SObject, row: Mapping[str, Any], by: By, at: datetime) -> None:
        """Bring a row, its cascade and the lookups nobody re-pointed back.

        Raises:
            Refusal: not in the bin, only there with its parent, or of an object without undelete.
        """
        if not sobject.undeletable:
            raise Refusal(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Entity type is not undeletable", []
            )
        if row["_root"] != row["Id"]:
            raise Refusal("UNDELETE_FAILED", "Entity is not in the recycle bin", [])
        self._orphan(sobject, row)
        for part in self._kept():
            for item in self._binned(part, row["Id"]):
                empty: dict[str, Any] = {"_deleted": None, "_root": None}
                if item.get("MasterRecordId"):
                    empty["MasterRecordId"] = None
                self._records.mark(part, item, "undelete", empty, by, at)
                self._point_back(item["Id"], by, at)

    def _orphan(self, sobject: SObject, row: Mapping[str, Any]) -> None:
        for field in sobject.stored:
            if field.on_delete != "cascade" or not row[field.name]:
                continue
            parent = self._schema.of_prefix(row[field.name][:3])
            above = parent and self._tables.row(parent, row[field.name])
            if above and above["_deleted"] is not None:
                raise Refusal("UNDELETE_FAILED", "Undelete the parent record first", [])

    def _binned(self, sobject: SObject, root: str) -> list[dict[str, Any]]:
        cursor = self._tables.db.execute(
            f"SELECT * FROM {table(sobject)} WHERE _deleted IS NOT NULL AND _root = ?", (root,)
        )
        return [dict(row) for row in cursor]

    def _point_back(self, parent: str, by: By, at: datetime) -> None:
        quiet = By(by.actor, by.user, silent=True)
        cleared = self._tables.db.execute(
            "SELECT object, id, field FROM sf_cleared WHERE parent = ?", (parent,)
        ).fetchall()
        for object_, id_, field in cleared:
            child = self._schema.objects[object_]
            row = self._tables.row(child, id_)
            if row is not None and row["_deleted"] is None and row[field] is None:
                self._records.update(child, row, {field: parent}, quiet, at)
        self._tables.db.execute("DELETE FROM sf_cleared WHERE parent = ?", (parent,))

    def purge(self, sobject: SObject, row: Mapping[str, Any], by: By, at: datetime) -> None:
        """Remove a row for good; one that is still alive goes through the bin first."""
        if row["_deleted"] is None:
            self.delete(sobject, row, by, at)
        fallen = [(part, item) for part in self._kept() for item in self._binned(part, row["Id"])]
        # A record that fell with its parent is purged alone.
        for part, item in fallen or [(sobject, dict(row))]:
            self._remove(part, item, by, at)

    def _remove(self, part: SObject, item: Mapping[str, Any], by: By, at: datetime) -> None:
        for child, field in self._schema.children(part.name):
            if field.on_delete == "cascade" and not child.bin and not child.view:
                self._tables.db.execute(
                    f'DELETE FROM {table(child)} WHERE "{field.name}" = ?', (item["Id"],)
                )
            elif field.nillable and child.bin and field.name != "MasterRecordId":
                # What still lies in the bin may come back, but not to a parent that is no more.
                for row in self._binned_under(child, field, item["Id"]):
                    self._tables.change(child, row["Id"], {field.name: None})
        self._tables.db.execute(f'DELETE FROM {table(part)} WHERE "Id" = ?', (item["Id"],))
        self._tables.db.execute(
            "INSERT OR REPLACE INTO sf_tombstone VALUES (?, ?, ?)",
            (part.name, item["Id"], item["_deleted"]),
        )
        self._tables.db.execute("DELETE FROM sf_cleared WHERE parent = ?", (item["Id"],))
        self._records.purged(part, item, by, at)

    def empty_old(self, now: datetime) -> None:
        """Purge what has lain in the bin for fifteen days, and the oldest of what is too much."""
        limit = moments.stamp(now - BIN)
        by = By(SYSTEM, "", silent=True)
        for sobject in self._kept():
            cursor = self._tables.db.execute(
                f'SELECT * FROM {table(sobject)} WHERE _deleted < ? AND _root = "Id"', (limit,)
            )
            for row in [dict(item) for item in cursor]:
                self.purge(sobject, row, by, now)
        self._empty_full(by, now)

    def _empty_full(self, by: By, now: datetime) -> None:
        most = int(self._tables.setting("bin_cap", str(BIN_CAP)))
        entries = [
            (row["_deleted"], row["_row"], sobject, dict(row))
            for sobject in self._kept()
            for row in self._tables.db.execute(
                f'SELECT * FROM {table(sobject)} WHERE _deleted IS NOT NULL AND _root = "Id"'
            )
        ]
        spared = moments.stamp(now - _SPARED)
        entries.sort(key=lambda entry: entry[:2])
        for at, _, sobject, row in entries[: max(0, len(entries) - most)]:
            if at <= spared:
                self.purge(sobject, row, by, now)
