"""Who may see and edit which fields."""

from dataclasses import dataclass

from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables

EVERYBODY = "*"
EVERY_FIELD = "*"
ACCESSES = ("none", "read", "edit")
_ALLOWANCES = {
    "audits": "audit_fields",
    "inactive_owners": "inactive_owners",
    "converted_leads": "converted_leads",
    "all_files": "query_all_files",
}
AUDIT_FIELDS = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById")
"""What the permission to set audit fields on creation covers; SystemModstamp is not among it."""


@dataclass(frozen=True, slots=True)
class View:
    """The schema as one user sees it.

    ``limits`` maps (object, field) to "none" or "read"; ``reads_only`` takes every edit away;
    ``audits`` lets the user set the audit fields of new records, ``inactive_owners`` give records
    to users who left, ``converted_leads`` edit leads that were converted. ``all_files`` is the
    permission Query All Files. ``hidden`` objects do not exist for the user.
    """

    limits: dict[tuple[str, str], str]
    reads_only: bool = False
    audits: bool = False
    inactive_owners: bool = False
    converted_leads: bool = False
    all_files: bool = False
    hidden: frozenset[str] = frozenset()

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
        converted = sobject.name == "Lead" and field.name.startswith("Converted")
        audited = field.name in AUDIT_FIELDS or converted
        able = field.createable or (self.audits and audited)
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
        granted = {
            option: self._tables.setting(name) in (user, EVERYBODY)
            for option, name in _ALLOWANCES.items()
        }
        return View(limits, reads_only, hidden=self._hidden(limits), **granted)

    def _hidden(self, limits: dict[tuple[str, str], str]) -> frozenset[str]:
        """Return the objects a user does not see, or nobody does for want of a licence."""
        missing = set(self._tables.setting("licences_off").split())
        unlicensed = [
            item.name for item in self._tables.schema.objects.values() if item.licence in missing
        ]
        return frozenset([name for name, field in limits if field == EVERY_FIELD] + unlicensed)

    def hide(self, user: str, sobject: SObject, *, hidden: bool) -> None:
        """Take an object away from a user, or from everybody, or give it back."""
        key = (user, sobject.name, EVERY_FIELD)
        self._tables.db.execute(
            "DELETE FROM sf_hidden WHERE user = ? AND object = ? AND field = ?", key
        )
        if hidden:
            self._tables.db.execute("INSERT INTO sf_hidden VALUES (?, ?, ?, 'none')", key)
        self.changed()

    def changed(self) -> None:
        """Note that describe says something else from now on."""
        self._tables.set("schema_changed", self._tables.world.clock.now().isoformat())

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
