"""Objects, how they hang together, and the schema of the sandbox's org."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from crmtrail.sandbox.salesforce.fields import Field


@dataclass(frozen=True)
class SObject:
    """One object. ``history`` names the object that keeps the old values of ``tracked`` fields.

    ``licence`` is what the org must have bought for the object to exist. ``needs`` are the fields
    one of which a query must be narrowed by. ``big`` objects answer but few queries, all their rows
    bear one id. ``view`` is SQL that stands in for a table; ``key`` is what lookups to it hold.
    """

    name: str
    plural: str
    prefix: str
    fields: tuple[Field, ...]
    label: str = ""
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    undeletable: bool = True
    replicateable: bool = True
    mergeable: bool = False
    history: str | None = None
    parent_key: str = ""
    tracked: frozenset[str] = frozenset()
    queryable: bool = True
    licence: str = ""
    needs: tuple[str, ...] = ()
    big: bool = False
    view: str = ""
    key: str = "Id"

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by lower-case name: Salesforce ignores the case of field names."""
        return {field.name.lower(): field for field in self.fields}

    @cached_property
    def by_relationship(self) -> dict[str, Field]:
        """The lookups by the lower-case name under which queries follow them."""
        found = {}
        for field in self.fields:
            if field.relationship:
                found[field.relationship.lower()] = field
        return found

    @cached_property
    def moves_stamp(self) -> bool:
        """Whether the records bear SystemModstamp; history rows do not."""
        return "systemmodstamp" in self.by_name

    @cached_property
    def clock(self) -> str:
        """The field that says when a row was written or last changed; empty if none does."""
        names = ("SystemModstamp", "CreatedDate", "LoginTime", "EventDate", "LastModifiedDate")
        return next((name for name in names if name.lower() in self.by_name), "")

    @cached_property
    def columns(self) -> tuple[Field, ...]:
        """The fields that have a column of their own in the object's table."""
        return tuple(field for field in self.fields if not field.parts and not field.lookup)

    @cached_property
    def stored(self) -> tuple[Field, ...]:
        """The fields whose value is written down rather than computed from others."""
        return tuple(field for field in self.columns if not field.formula)

    @cached_property
    def bin(self) -> bool:
        """Whether deleted records go to the recycle bin."""
        return "isdeleted" in self.by_name

    def field(self, name: str) -> Field:
        """Return a field the schema is known to have."""
        return self.by_name[name.lower()]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A parent's field that sums up its children: ``sql`` aggregates over them where ``where``.

    With ``keep_empty`` a parent without such children keeps what it has.
    """

    parent: str
    field: str
    child: str
    key: str
    sql: str
    where: str = "1"
    keep_empty: bool = False


class Schema:
    """All objects of the org."""

    def __init__(self, objects: Iterable[SObject], rollups: Iterable[Rollup]) -> None:
        self._fill(objects, rollups)

    def become(self, other: "Schema") -> None:
        """Take over the objects of another schema: the org was set up anew."""
        self._fill(other.objects.values(), other.rollups)

    def _fill(self, objects: Iterable[SObject], rollups: Iterable[Rollup]) -> None:
        self.objects = {item.name: item for item in objects}
        self.rollups = tuple(rollups)
        self._by_lower = {name.lower(): item for name, item in self.objects.items()}
        self._by_prefix = {item.prefix: item for item in self.objects.values()}
        self._children: dict[str, tuple[tuple[SObject, Field], ...]] = {}

    def get(self, name: str) -> SObject | None:
        """Return an object by its name in any case."""
        return self._by_lower.get(name.lower())

    def of_prefix(self, prefix: str) -> SObject | None:
        """Return the object whose ids start with a key prefix."""
        return self._by_prefix.get(prefix)

    def children(self, parent: str) -> tuple[tuple[SObject, Field], ...]:
        """Return every (object, lookup) that can point at a parent object."""
        if parent not in self._children:
            self._children[parent] = tuple(
                (child, field)
                for child in self.objects.values()
                for field in child.fields
                if parent in field.refers
            )
        return self._children[parent]

    def child(self, parent: str, relationship: str) -> tuple[SObject, Field] | None:
        """Return the (object, lookup) behind a child relationship's name."""
        wanted = relationship.lower()
        for child, field in self.children(parent):
            if field.children and field.children.lower() == wanted:
                return child, field
        return None
