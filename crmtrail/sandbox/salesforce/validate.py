"""What Salesforce refuses of a write, before it is carried out."""

from collections.abc import Mapping
from typing import Any

from crmtrail.sandbox.salesforce import ids, values
from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.labels import label
from crmtrail.sandbox.salesforce.persons import judged
from crmtrail.sandbox.salesforce.refusal import Refusal, deleted, no_column, unparsable
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables, table
from crmtrail.sandbox.salesforce.values import Stored
from crmtrail.sandbox.salesforce.visibility import View

Values = dict[str, Stored]


def parse(sobject: SObject, body: object, view: View) -> Values:
    """Read a JSON object into stored values by field name.

    Raises:
        Refusal: no object, an unknown field, or a JSON type that does not fit.
    """
    if not isinstance(body, Mapping):
        raise unparsable("The HTTP entity body is required, and must be a JSON object")
    found: Values = {}
    for name, value in body.items():
        if name == "attributes":
            continue
        if name.lower() == "id":
            raise Refusal(
                "INVALID_FIELD", "The Id field should not be specified in the sobject data."
            )
        field = view.field(sobject, name)
        if field is None:
            raise no_column(name, sobject.name)
        found[field.name] = values.from_json(field, value)
    return found


class Validation:
    """Checks of a write against the schema, the rows it refers to and the user's rights."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._schema = tables.schema

    def new(self, sobject: SObject, found: Values, view: View | None) -> Values:
        """Return the values of a new record as they will be stored.

        Without a view the API's own limits do not hold: somebody inside the org acts.

        Raises:
            Refusal: read-only or required fields, bad content, bad references.
        """
        found = judged(self._tables, sobject, found, None)
        self._writable(sobject, found, view, new=True)
        missing = [
            field.name
            for field in sobject.stored
            if not field.nillable
            and not field.defaulted
            and not field.computed
            and (field.createable or view is None)
            and found.get(field.name) is None
        ]
        if missing:
            raise _required(missing)
        kept: Values = {name: value for name, value in found.items() if value is not None}
        return self._content(sobject, kept, None, view)

    def edit(
        self, sobject: SObject, found: Values, row: Mapping[str, Any], view: View | None
    ) -> Values:
        """Return the changes to a record as they will be stored.

        Raises:
            Refusal: read-only or required fields, bad content, bad references.
        """
        found = judged(self._tables, sobject, found, row)
        self._writable(sobject, found, view, new=False)
        nulled = [sobject.field(name) for name, value in found.items() if value is None]
        for field in nulled:
            if field.type == "boolean":
                raise Refusal(
                    "INVALID_TYPE_ON_FIELD_IN_RECORD",
                    f"{label(sobject.name, field)}: value not of required type: ",
                    [field.name],
                )
        missing = [field.name for field in nulled if not field.nillable]
        if missing:
            raise _required(missing)
        return self._content(sobject, found, row, view)

    def _writable(self, sobject: SObject, found: Values, view: View | None, *, new: bool) -> None:
        def may(field: Field) -> bool:
            if view is None:
                return not field.computed and field.type != "id"
            return view.createable(sobject, field) if new else view.updateable(sobject, field)

        barred = [name for name in found if not may(sobject.field(name))]
        if barred:
            raise Refusal(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(barred)}. Please check the security"
                " settings of this field and verify that it is read/write for your profile or"
                " permission set.",
                barred,
            )

    def _content(
        self, sobject: SObject, found: Values, row: Mapping[str, Any] | None, view: View | None
    ) -> Values:
        checked: Values = {}
        for name, value in found.items():
            field = sobject.field(name)
            if field.refers and isinstance(value, str):
                checked[name] = self._reference(sobject, field, value, row, view)
            else:
                checked[name] = values.check(sobject.name, field, value)
            if field.unique and checked[name] is not None:
                self._unique(sobject, field, checked[name], row)
        return checked

    def _reference(
        self, sobject: SObject, field: Field, value: str, row: Mapping[str, Any] | None,
        view: View | None,
    ) -> str:  # fmt: skip
        id_ = values.well_formed_id(sobject.name, field, value)
        if row is not None and row[field.name] == id_:
            return id_
        target = self._schema.of_prefix(ids.prefix(id_))
        if target is None or target.name not in field.refers:
            raise Refusal(
                "MALFORMED_ID",
                f"{label(sobject.name, field)}: id value of incorrect type: {value}",
                [field.name],
            )
        if row is not None and id_ == row["Id"]:
            raise Refusal(
                "CIRCULAR_DEPENDENCY",
                "attempt to create or close an association loop",
                [field.name],
            )
        if view is not None and id_ in self._tables.setting("no_access").split():
            raise Refusal(
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
                f"insufficient access rights on cross-reference id: {id_[:15]}",
                [],
            )
        allowed = view is not None and view.inactive_owners
        self._exists(sobject, field, target, id_, inactive=allowed)
        return id_

    def _exists(
        self, sobject: SObject, field: Field, target: SObject, id_: str, *, inactive: bool
    ) -> None:
        active = ', "IsActive"' if target.name == "User" else ", 1"
        found = self._tables.db.execute(
            f'SELECT _deleted{active} FROM {table(target)} WHERE "Id" = ?', (id_,)
        ).fetchone()
        if found is None:
            raise Refusal(
                "INVALID_CROSS_REFERENCE_KEY",
                f"{label(sobject.name, field)}: this ID value isn't valid for the user: {id_}",
                [field.name],
            )
        if found[0] is not None:
            raise deleted()
        if field.name == "OwnerId" and not found[1] and not inactive:
            raise Refusal(
                "INACTIVE_OWNER_OR_USER",
                f"operation performed with inactive user [{id_}] as owner of"
                f" {sobject.name.lower()}",
                [field.name],
            )

    def _unique(
        self, sobject: SObject, field: Field, value: Stored, row: Mapping[str, Any] | None
    ) -> None:
        found = self._tables.db.execute(
            f'SELECT "Id" FROM {table(sobject)} WHERE "{field.name}" = ?', (value,)
        ).fetchone()
        if found is not None and (row is None or found[0] != row["Id"]):
            raise Refusal(
                "DUPLICATE_VALUE",
                f"duplicate value found: {field.name} duplicates value on record with id:"
                f" {found[0]}",
                [],
            )


def _required(names: list[str]) -> Refusal:
    return Refusal(
        "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", names
    )
