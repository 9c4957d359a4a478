"""Fields of the sandbox's Salesforce objects: what describe tells and the tables hold."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

LONG_TEXT = 255
"""A textarea longer than this is a long text: no filter, no sort, small query pages."""

TEXTUAL = frozenset(
    {"string", "email", "phone", "url", "picklist", "multipicklist", "textarea", "combobox"}
)
NUMERIC = frozenset({"double", "currency", "percent", "int"})


@dataclass(frozen=True)
class Field:
    """One field.

    ``formula`` is SQL over the record's own columns; ``lookup`` is a formula that reads
    (reference field, object, field) of a parent; both are computed when read. ``parts`` are the
    components of a compound address. ``closed`` names what queries may not do with the field
    though its type allows it: filter, sort, aggregate. ``millis`` keeps milliseconds.
    ``on_delete`` says what the parent's deletion does to the
    record: cascade, restrict or clear.
    """

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    default: str | float | None = None
    values: tuple[str, ...] = ()
    restricted: bool = False
    refers: tuple[str, ...] = ()
    children: str | None = None
    on_delete: str = "clear"
    formula: str = ""
    lookup: tuple[str, str, str] | None = None
    rolled: bool = False
    numbering: str = ""
    compound: str | None = None
    parts: tuple[str, ...] = ()
    unique: bool = False
    external: bool = False
    title: bool = False
    closed: tuple[str, ...] = ()
    millis: bool = False

    @cached_property
    def custom(self) -> bool:
        """Whether a customer added it."""
        return self.name.endswith(("__c", "__pc", "__s"))

    @cached_property
    def computed(self) -> bool:
        """Whether no write ever sets it: formula, roll-up, autonumber or compound."""
        return bool(self.formula or self.lookup or self.rolled or self.numbering or self.parts)

    @cached_property
    def long(self) -> bool:
        """Whether it is a long text."""
        return self.type == "textarea" and self.length > LONG_TEXT

    @cached_property
    def filterable(self) -> bool:
        """Whether it may stand in WHERE."""
        odd = self.long or self.type in ("address", "location", "anyType", "base64")
        return not odd and "filter" not in self.closed

    @cached_property
    def sortable(self) -> bool:
        """Whether it may stand in ORDER BY."""
        odd = self.long or self.type in ("address", "location", "multipicklist", "base64")
        return not odd and "sort" not in self.closed

    @cached_property
    def aggregatable(self) -> bool:
        """Whether COUNT, MIN and their like take it."""
        return self.sortable and "aggregate" not in self.closed

    @cached_property
    def relationship(self) -> str | None:
        """The name under which queries reach the parent."""
        if not self.refers:
            return None
        return self.name[:-1] + "r" if self.custom else self.name.removesuffix("Id")


def text(name: str, length: int = 255, **more: Any) -> Field:
    """Make a one-line text field."""
    return Field(name, "string", length=length, **more)


def long_text(name: str, length: int = 32000, **more: Any) -> Field:
    """Make a long text area."""
    return Field(name, "textarea", length=length, **more)


def area(name: str, length: int = 255, **more: Any) -> Field:
    """Make a short text area, such as a street."""
    return Field(name, "textarea", length=length, **more)


def phone(name: str) -> Field:
    """Make a phone field; Salesforce keeps any text of up to 40 characters."""
    return Field(name, "phone", length=40)


def email(name: str, **more: Any) -> Field:
    """Make an e-mail field."""
    return Field(name, "email", length=80, **more)


def url(name: str, **more: Any) -> Field:
    """Make a URL field."""
    return Field(name, "url", length=255, **more)


def pick(name: str, values: str, **more: Any) -> Field:
    """Make a picklist from values joined by a bar."""
    return Field(name, "picklist", length=255, values=tuple(values.split("|")), **more)


def multi(name: str, values: str, **more: Any) -> Field:
    """Make a multi-select picklist from values joined by a bar."""
    return Field(name, "multipicklist", length=4099, values=tuple(values.split("|")), **more)


def check(name: str, **more: Any) -> Field:
    """Make a checkbox: never null, false unless told."""
    more.setdefault("default", 0)
    return Field(name, "boolean", nillable=False, defaulted=True, **more)


def whole(name: str, **more: Any) -> Field:
    """Make an integer field of up to nine digits."""
    return Field(name, "int", precision=9, **more)


def number(name: str, precision: int = 18, scale: int = 0, **more: Any) -> Field:
    """Make a number field."""
    return Field(name, "double", precision=precision, scale=scale, **more)


def money(name: str, **more: Any) -> Field:
    """Make a currency field with two decimals."""
    return Field(name, "currency", precision=18, scale=2, **more)


def percent(name: str, precision: int = 5, scale: int = 2, **more: Any) -> Field:
    """Make a percent field."""
    return Field(name, "percent", precision=precision, scale=scale, **more)


def day(name: str, **more: Any) -> Field:
    """Make a date field."""
    return Field(name, "date", **more)


def moment(name: str, **more: Any) -> Field:
    """Make a date and time field."""
    return Field(name, "datetime", **more)


def ref(name: str, targets: str, **more: Any) -> Field:
    """Make a lookup to one or several objects joined by a bar."""
    return Field(name, "reference", length=18, refers=tuple(targets.split("|")), **more)


def fixed(**more: Any) -> dict[str, Any]:
    """Return the options of a field that the API never writes."""
    return {"createable": False, "updateable": False} | more


def address(prefix: str) -> tuple[Field, ...]:
    """Make a compound address and its components."""
    name = f"{prefix}Address"
    part: dict[str, Any] = {"compound": name}
    components = (
        area(f"{prefix}Street", **part),
        text(f"{prefix}City", 40, **part),
        text(f"{prefix}State", 80, **part),
        text(f"{prefix}PostalCode", 20, **part),
        text(f"{prefix}Country", 80, **part),
        number(f"{prefix}Latitude", 18, 15, **part),
        number(f"{prefix}Longitude", 18, 15, **part),
        pick(
            f"{prefix}GeocodeAccuracy",
            "Address|NearAddress|Block|Street|ExtendedZip|Zip|Neighborhood|City|County|State",
            restricted=True,
            **part,
        ),
    )
    whole_ = Field(name, "address", parts=tuple(item.name for item in components), **fixed())
    return (*components, whole_)


def person() -> tuple[Field, ...]:
    """Make the name of a person: components and the read-only whole."""
    spelled = "TRIM(COALESCE(\"FirstName\"||' ','')||\"LastName\")"
    return (
        text("LastName", 80, nillable=False, compound="Name"),
        text("FirstName", 40, compound="Name"),
        pick("Salutation", "Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.", compound="Name"),
        text("Name", 121, formula=spelled, title=True, **fixed(nillable=False)),
    )


def stamps(*, deletable: bool = True) -> tuple[Field, ...]:
    """Make the audit fields every record carries."""
    never: dict[str, Any] = fixed(nillable=False, defaulted=True)
    gone = (check("IsDeleted", formula='"_deleted" IS NOT NULL', **fixed()),) if deletable else ()
    return (
        Field("Id", "id", length=18, **never),
        *gone,
        moment("CreatedDate", **never),
        ref("CreatedById", "User", **never),
        moment("LastModifiedDate", **never),
        ref("LastModifiedById", "User", **never),
        moment("SystemModstamp", **never),
    )


def owner(targets: str = "User") -> Field:
    """Make the owner lookup; the API fills in the acting user."""
    return ref("OwnerId", targets, nillable=False, defaulted=True)
