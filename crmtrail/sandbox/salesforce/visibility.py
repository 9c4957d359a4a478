"""Who may see and edit which fields."""

from dataclasses import dataclass

from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

EVERYBODY = "*"
ACCESSES = ("none", "read", "edit")
AUDIT_FIELDS = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById")
"""What the permission to set audit fields on creation covers; SystemModstamp is not among it."""


@dataclass(frozen=True, slots=True)
class View:
    """The schema as one user sees it.

    ``limits`` maps (object, field) to "none" or "read"; ``reads_only`` takes every edit away;
    ``audits`` lets the user set the audit fields of new records.
    """

    limits: dict[tuple[str, str], str]
    reads_only: bool = False
    audits: bool = False

    def field(self, sobject: SObject, name: str) -> Field | None:
        """Return a field by its name in any case, or None if there is none for this user."""
        found = sobject.by_name.get(name.lower())
        if found is None or self.limits.get((sobject.name, found.name)) == "none":
            return None
        return found

    def fields(self, sobject: SObject) -> tuple[Field, ...]:
        """Return the fields this user sees."""
        if not self.limits:
            return sobject.fields
        return tuple(item for item in sobject.fields if self.field(sobject, item.name))

    def createable(self, sobject: SObject, field: Field) -> bool:
        """Whether this user may set a field of a new record."""
        able = field.createable or (self.audits and field.name in AUDIT_FIELDS)
        return able and sobject.createable and self._edits(sobject, field)

    def updateable(self, sobject: SObject, field: Field) -> bool:
        """Whether this user may set a field of an existing record."""
        return field.updateable and sobject.updateable and self._edits(sobject, field)

    def _edits(self, sobject: SObject, field: Field) -> bool:
        return not self.reads_only and (sobject.name, field.name) not in self.limits


class Visibility:
    """Field-level security of the org."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def view(self, user: str, *, reads_only: bool) -> View:
        """Return the schema as a user sees it."""
        rows = self._tables.db.execute(
            "SELECT object, field, access FROM sf_hidden WHERE user IN (?, ?)", (user, EVERYBODY)
        )
        limits = {(row[0], row[1]): row[2] for row in rows}
        audits = self._tables.setting("audit_fields") in (user, EVERYBODY)
        return View(limits, reads_only, audits)

    def limit(self, user: str, sobject: SObject, field: Field, access: str) -> None:
        """Give a user, or everybody, no more than an access to a field.

        Raises:
            ValueError: an unknown access, or a field every user sees.
        """
        if access not in ACCESSES:
            raise ValueError(f"unknown access {access!r}; known are {', '.join(ACCESSES)}")
        if not field.nillable and field.type != "boolean":
            raise ValueError(f"{sobject.name}.{field.name} is required, it cannot be hidden")
        key = (user, sobject.name, field.name)
        if access == "edit":
            self._tables.db.execute(
                "DELETE FROM sf_hidden WHERE user = ? AND object = ? AND field = ?", key
            )
        else:
            self._tables.db.execute(
                "INSERT OR REPLACE INTO sf_hidden VALUES (?, ?, ?, ?)", (*key, access)
            )
        self._tables.set("schema_changed", self._tables.world.clock.now().isoformat())
