"""From SQL rows to the nested JSON of records."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from crmtrail.sandbox.salesforce.fields import Field
from crmtrail.sandbox.salesforce.scope import Scope, Source
from crmtrail.sandbox.salesforce.values import to_json

Row = Sequence[Any]


class Shape:
    """One record of an answer: its fields, its parents, and where in the SQL row they stand."""

    def __init__(self, source: Source, columns: "Columns") -> None:
        self._source = source
        self._columns = columns
        self._entity = source.entity
        self.id_at = columns.at(source.sql(source.sobject.field("Id")))
        self._kind_at = columns.at(source.kind()) if source.many else None
        self._plain: list[tuple[str, int]] = []
        self._flags: list[str] = []
        self._odd: list[Field] = []
        self._blobs: list[str] = []
        self._compounds: list[tuple[str, list[tuple[str, int]]]] = []
        self.parents: dict[str, Shape] = {}
        self._names: tuple[str, ...] = ()
        self._pick: Callable[[Row], Sequence[Any]] | None = None

    def add(self, field: Field) -> None:
        """Have the record show a field."""
        if field.parts:
            keys = [(_key(field, part), part) for part in field.parts]
            sobject = self._source.sobject
            where = [
                (key, self._columns.at(self._source.sql(sobject.field(part))))
                for key, part in sorted(keys)
            ]
            self._compounds.append((field.name, where))
            return
        if field.type == "base64":
            # The bytes are fetched one by one; a record only tells where they lie.
            there = f"({self._source.sql(field)} IS NOT NULL)"
            self._plain.append((field.name, self._columns.at(there)))
            self._blobs.append(field.name)
            return
        self._plain.append((field.name, self._columns.at(self._source.sql(field))))
        if field.type == "boolean":
            self._flags.append(field.name)
        elif field.type == "anyType":
            self._odd.append(field)

    def parent(self, relationship: str, source: Source) -> "Shape":
        """Return the shape of a parent, made on first use."""
        if relationship not in self.parents:
            self.parents[relationship] = Shape(source, self._columns)
        return self.parents[relationship]

    def build(self, row: Row, base: str) -> dict[str, Any] | None:
        """Return a record as JSON, or None where the lookup is empty.

        ``base`` is the URL of the API version, such as /services/data/v60.0.
        """
        id_ = row[self.id_at]
        if id_ is None:
            return None
        kind = self._entity if self._kind_at is None else row[self._kind_at]
        record: dict[str, Any] = {
            "attributes": {"type": self._entity, "url": f"{base}/sobjects/{kind}/{id_}"}
        }
        if self._pick is None:
            self._settle()
        record.update(zip(self._names, self._pick(row) if self._pick else (), strict=False))
        for name in self._flags:
            # A parent of another object may lack the field.
            record[name] = None if record[name] is None else bool(record[name])
        for name in self._blobs:
            where = f"{base}/sobjects/{kind}/{id_}/{name}"
            record[name] = where if record[name] else None
        for field in self._odd:
            record[field.name] = to_json(field, record[field.name])
        for name, keys in self._compounds:
            value = {key: row[at] for key, at in keys}
            filled = any(item is not None for item in value.values())
            record[name] = value if filled else None
        for relationship, shape in self.parents.items():
            record[relationship] = shape.build(row, base)
        return record

    def _settle(self) -> None:
        self._names = tuple(name for name, _ in self._plain)
        if self._plain:
            # Twice the id keeps itemgetter on tuples even for one field.
            self._pick = itemgetter(*(at for _, at in self._plain), self.id_at)


def _key(field: Field, part: str) -> str:
    """Return what a compound calls one of its components."""
    if field.type == "location":
        # Warehouse__Latitude__s of Warehouse__c is latitude.
        return part.split("__")[-2].lower()
    prefix = len(field.name.removesuffix("Address"))
    return part[prefix].lower() + part[prefix + 1 :]


class Columns:
    """The SQL expressions of one SELECT, each but once."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def at(self, sql: str) -> int:
        """Return the place of an expression, adding it if it is new."""
        return self._at.setdefault(sql, len(self._at))

    def sql(self) -> str:
        """Return the select list."""
        return ", ".join(self._at)


def shaped(scope: Scope, names: Sequence[tuple[Field, tuple[str, ...]]]) -> tuple[Shape, Columns]:
    """Return shape and columns for fields with the path of relationships that leads to each."""
    columns = Columns()
    root = Shape(scope.root, columns)
    for field, path in names:
        shape = root
        for depth, relationship in enumerate(path, 1):
            shape = shape.parent(relationship, scope.source(path[:depth]))
        shape.add(field)
    return root, columns
