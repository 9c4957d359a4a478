"""Which fields of a record can be set when it is made anew, and which after that. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from crmtrail.model import NULL, Token, Tokens

AUDIT: Final = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById")
"""May be set on insert alone, with Set Audit Fields upon Record Creation; describe then says so."""

_NEVER: Final = frozenset({"Id", "IsDeleted", "SystemModstamp", "MasterRecordId"})
_UNWRITTEN_TYPES: Final = frozenset(
    # Compounds repeat their components; encrypted text was read as a mask; base64 as an address.
    {"address", "location", "complexvalue", "id", "base64", "encryptedstring"}
)
_INEXACT_TYPES: Final = frozenset({"textarea", "multipicklist", "double", "percent", "currency"})


class FieldFlags(msgspec.Struct, rename="camel"):
    """What the describe of the identity that restores says of a field."""

    name: str
    type: str = "string"
    createable: bool = False
    updateable: bool = False
    nillable: bool = True
    defaulted_on_create: bool = False
    calculated: bool = False
    auto_number: bool = False
    filterable: bool = True
    name_field: bool = False
    unique: bool = False
    id_lookup: bool = False

    @property
    def writable(self) -> bool:
        """Whether it holds a value of its own that somebody wrote."""
        made = self.calculated or self.auto_number or self.type in _UNWRITTEN_TYPES
        return not made and self.name not in _NEVER

    @property
    def required(self) -> bool:
        """Whether a record cannot be made without it."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def tells_apart(self) -> bool:
        """Whether records are recognised by it: a name, a key, an address, a parent."""
        keyed = self.name_field or self.unique or self.id_lookup
        return keyed or self.type in ("email", "phone", "reference")

    @property
    def comparable(self) -> bool:
        """Whether a record can be looked for by its exact value."""
        return self.filterable and self.writable and self.type not in _INEXACT_TYPES


class Flags(msgspec.Struct):
    """The flags of all fields of an object."""

    fields: list[FieldFlags]

    def by_name(self) -> Mapping[str, FieldFlags]:
        """The flags by field name."""
        return {each.name: each for each in self.fields}


@dataclass(frozen=True, slots=True)
class Remake:
    """How a record is made anew.

    Attributes:
        first: what is set as it is made.
        later: what can only be set by a second write.
        missing: required fields for which there is no value.
        left: fields that nobody can set, each with the reason.
    """

    first: Tokens
    later: Tokens
    missing: Sequence[str]
    left: Mapping[str, str] = field(default_factory=dict)


def remake(fields: Tokens, flags: Mapping[str, FieldFlags]) -> Remake:
    """Sort a record's values by when they can be set.

    A blank is sent where the field may be blank, so that no default takes its place.
    """
    first: dict[str, Token] = {}
    later: dict[str, Token] = {}
    left: dict[str, str] = {}
    for name, token in fields.items():
        flag = flags.get(name)
        if flag is None:
            left[name] = "the object has no such field any more"
        elif not flag.writable:
            continue
        elif flag.createable:
            if token != NULL or flag.nillable:
                first[name] = token
        elif flag.updateable:
            later |= {} if token == NULL else {name: token}
        elif token != NULL and name not in AUDIT:
            left[name] = "read-only for this identity"
    missing = [f.name for f in flags.values() if f.required and f.name not in first]
    return Remake(first, later, missing, left)
