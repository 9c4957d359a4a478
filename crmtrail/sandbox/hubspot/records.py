"""A record, a property version and where it came from, as plain values."""

import json
from dataclasses import dataclass, field
from typing import Any

from crmtrail.sandbox.hubspot.object_types import ObjectType


@dataclass(frozen=True, slots=True)
class Origin:
    """The source fields of a history entry."""

    type: str
    id: str | None = None
    label: str | None = None
    user: int | None = None

    def text(self) -> str:
        """Return the origin as stored."""
        return json.dumps([self.type, self.id, self.label, self.user])

    @classmethod
    def read(cls, text: str) -> "Origin":
        """Read a stored origin."""
        return cls(*json.loads(text))


CALCULATED = Origin("CALCULATED")


@dataclass(slots=True)
class Record:
    """One record; moments are epoch milliseconds, values are text, empty ones are left out."""

    kind: ObjectType
    id: int
    created: int
    modified: int
    origin: Origin
    values: dict[str, str] = field(default_factory=dict)
    archived: int | None = None

    @property
    def handle(self) -> str | None:
        """The value other systems know it by, lower case: a contact's e-mail."""
        found = self.values.get(self.kind.handle)
        return found.lower() if found else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One property version."""

    value: str
    at: int
    origin: Origin


def record_of(kind: ObjectType, row: Any) -> Record:
    """Return a row of the record table, or of the search index, as a record."""
    return Record(
        kind,
        row["id"],
        row["created"],
        row["modified"],
        Origin.read(row["origin"]),
        json.loads(row["doc"]),
        row["archived"],
    )


def row_of(record: Record) -> tuple[object, ...]:
    """Return a record as a row of the record table."""
    return (
        record.id,
        record.kind.name,
        record.created,
        record.modified,
        record.archived,
        record.handle,
        record.origin.text(),
        json.dumps(record.values, separators=(",", ":")),
    )
