"""From Salesforce's describe to our schema, and to the fields a sync asks for."""

from dataclasses import dataclass

import msgspec

from crmtrail.model import Dependent, Field, FieldType, Schema

BOOKKEEPING = frozenset(
    {
        "SystemModstamp",
        "LastModifiedDate",
        "LastModifiedById",
        "LastViewedDate",
        "LastReferencedDate",
        "MasterRecordId",
    }
)
"""Fields that move by themselves; kept with a version, never a change."""

_STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")
"""By which stamp an object is polled: the first it has."""

_NARROW = (
    "Id",
    "IsDeleted",
    "SystemModstamp",
    "LastModifiedDate",
    "LastModifiedById",
    "CreatedDate",
    "CreatedById",
    "MasterRecordId",
)

# Written by Salesforce alone, whatever a describe leaves out.
_SERVER_MADE = BOOKKEEPING | {
    "Id",
    "IsDeleted",
    "CreatedDate",
    "CreatedById",
    "LastActivityDate",
    "LoginTime",
}

# Compound values repeat their components; base64 comes as an address, not as content.
_UNREAD_TYPES = frozenset({"address", "location", "base64", "complexvalue"})

_TYPES = {
    "boolean": FieldType.BOOLEAN,
    "combobox": FieldType.CHOICE,
    "currency": FieldType.MONEY,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "double": FieldType.NUMBER,
    "email": FieldType.EMAIL,
    "encryptedstring": FieldType.TEXT,
    "id": FieldType.ID,
    "int": FieldType.NUMBER,
    "long": FieldType.NUMBER,
    "multipicklist": FieldType.MULTICHOICE,
    "percent": FieldType.NUMBER,
    "phone": FieldType.PHONE,
    "picklist": FieldType.CHOICE,
    "reference": FieldType.REFERENCE,
    "string": FieldType.TEXT,
    "textarea": FieldType.TEXT,
    "url": FieldType.TEXT,
}
_TEXT_TYPES = frozenset(
    {"combobox", "email", "encryptedstring", "phone", "picklist", "string", "textarea", "url"}
)


class Option(msgspec.Struct):
    """One entry of a picklist."""

    value: str | None = None
    active: bool = True


class DescribedField(msgspec.Struct, rename="camel"):
    """The part of a field's describe that we use; a flag that is not told is None."""

    name: str
    type: str = "string"
    label: str | None = None
    length: int | None = None
    updateable: bool | None = None
    createable: bool | None = None
    nillable: bool = True
    calculated: bool = False
    auto_number: bool = False
    unique: bool = False
    restricted_picklist: bool = False
    deprecated_and_hidden: bool = False
    defaulted_on_create: bool = False
    filterable: bool = True
    sortable: bool = True
    scale: int = 0
    calculated_formula: str | None = None
    compound_field_name: str | None = None
    picklist_values: list[Option] | None = None
    reference_to: list[str] | None = None


class Child(msgspec.Struct, rename={"child": "childSObject", "cascade_delete": "cascadeDelete",
                                    "restricted_delete": "restrictedDelete"}):  # fmt: skip
    """An object that looks up to the described one."""

    child: str | None = None
    field: str | None = None
    cascade_delete: bool = False
    restricted_delete: bool = False


class Describe(msgspec.Struct, rename="camel"):
    """The part of an object's describe that we use; a flag that is not told is None."""

    fields: list[DescribedField]
    name: str = ""
    label: str | None = None
    undeletable: bool | None = None
    replicateable: bool | None = None
    queryable: bool | None = None
    child_relationships: list[Child] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """One object as a sync needs it.

    Attributes:
        schema: our schema.
        wide: the fields that a page asks for.
        narrow: the bookkeeping among them, for objects too wide for one address line.
        stamp: the field by which it is polled; None where it has no stamp at all.
        replicateable: whether the vendor lists its deletions; None where it does not say.
        restorable: whether the recycle bin gives its records back, as far as is known.
        described: every field that the describe names, unread ones too.
    """

    schema: Schema
    wide: tuple[str, ...]
    narrow: tuple[str, ...]
    stamp: str | None
    replicateable: bool | None
    restorable: bool
    described: tuple[str, ...] = ()

    @property
    def keeps_bin(self) -> bool:
        """Whether rows say that they lie in the recycle bin; others are asked for live only."""
        return "IsDeleted" in self.narrow


def know(source: str, describe: Describe, name: str = "") -> Known:
    """Turn a describe into what a sync needs.

    ``name`` is the object as it was asked for: Salesforce takes ``account`` for ``Account``, and
    what we store stays under the name in the config.
    """
    parents = {
        field.compound_field_name
        for field in describe.fields
        if field.compound_field_name and field.compound_field_name != field.name
    }
    kept = [field for field in describe.fields if _is_read(field, parents)]
    names = tuple(field.name for field in kept)
    schema = Schema(
        source,
        name or describe.name,
        {field.name: _field(field) for field in kept if field.name != "IsDeleted"},
        label=describe.label or "",
        undeletable=bool(describe.undeletable),
        dependents=_dependents(describe),
    )
    usable = {field.name for field in kept if field.filterable and field.sortable}
    return Known(
        schema=schema,
        wide=names,
        narrow=tuple(name for name in _NARROW if name in names),
        stamp=next((name for name in _STAMPS if name in usable), None),
        replicateable=describe.replicateable,
        # An identity that may write nothing is told false for every object: that says nothing.
        restorable=bool(describe.undeletable) or not any(field.updateable for field in kept),
        described=tuple(field.name for field in describe.fields),
    )


def _dependents(describe: Describe) -> tuple[Dependent, ...]:
    """Return what a deletion takes along, and what stands in its way."""
    found = {
        Dependent(one.child, one.field, one.cascade_delete, one.restricted_delete)
        for one in describe.child_relationships or ()
        if one.child and one.field and (one.cascade_delete or one.restricted_delete)
    }
    return tuple(sorted(found, key=lambda one: (one.object, one.field)))


def _is_read(field: DescribedField, parents: set[str]) -> bool:
    if field.deprecated_and_hidden or field.type in _UNREAD_TYPES:
        return False
    # Account.Name names itself as its compound and is a plain field; Contact.Name is made of parts.
    return field.name not in parents or field.compound_field_name == field.name


def _field(field: DescribedField) -> Field:
    # Classic encrypted text is read as a mask: writing that back would destroy the value.
    masked = field.type == "encryptedstring"
    options = field.picklist_values or [] if field.restricted_picklist else []
    createable = _may(field.createable, field) and not masked
    number = _TYPES.get(field.type) in (FieldType.NUMBER, FieldType.MONEY)
    return Field(
        name=field.name,
        type=_TYPES.get(field.type, FieldType.OTHER),
        label=field.label or "",
        vendor_type=field.type,
        updateable=_may(field.updateable, field) and not masked,
        createable=createable,
        nillable=field.nillable,
        computed=field.calculated or field.auto_number,
        unique=field.unique,
        options=tuple(option.value for option in options if option.active and option.value),
        references=tuple(field.reference_to or ()),
        max_length=(field.length or None) if field.type in _TEXT_TYPES else None,
        required=bool(field.createable) and not (field.nillable or field.defaulted_on_create),
        masked=masked,
        scale=field.scale if number else None,
        formula=field.calculated_formula or "",
    )


def _may(told: bool | None, field: DescribedField) -> bool:  # noqa: FBT001 -- it is the flag itself
    """Return a flag of a describe. Where it is not told, Salesforce decides on the write."""
    if told is not None:
        return told
    made = field.calculated or field.auto_number or field.name in _SERVER_MADE
    return not made and field.type != "id"
