"""What a plan can be asked to put back, as it is written down in the plan. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from crmtrail.model import Ref, stamp


@dataclass(frozen=True, slots=True)
class ByIncident:
    """What an incident is about."""

    incident: str

    def terms(self) -> dict[str, Any]:
        """Return the selection as the plan names it."""
        return {"kind": "incident", "incident": self.incident}


@dataclass(frozen=True, slots=True)
class ByOperation:
    """Everything an operation changed."""

    operation: str

    def terms(self) -> dict[str, Any]:
        """Return the selection as the plan names it."""
        return {"kind": "operation", "operation": self.operation}


@dataclass(frozen=True, slots=True)
class ByRecords:
    """Some records of one source as they were at a time; all fields, or those named."""

    records: tuple[Ref, ...]
    at: datetime
    fields: tuple[str, ...] = ()

    def terms(self) -> dict[str, Any]:
        """Return the selection as the plan names it."""
        return {
            "kind": "records",
            "records": [str(ref) for ref in self.records],
            "fields": list(self.fields),
            "at": stamp(self.at),
        }


@dataclass(frozen=True, slots=True)
class ByObject:
    """All records of an object as they were at a time."""

    source: str
    object: str
    at: datetime

    def terms(self) -> dict[str, Any]:
        """Return the selection as the plan names it."""
        return {"kind": "object", "object": f"{self.source}:{self.object}", "at": stamp(self.at)}


@dataclass(frozen=True, slots=True)
class ByUndo:
    """What an applied plan wrote."""

    plan: str

    def terms(self) -> dict[str, Any]:
        """Return the selection as the plan names it."""
        return {"kind": "undo", "plan": self.plan}


Selection: TypeAlias = ByIncident | ByOperation | ByRecords | ByObject | ByUndo
