"""How a finding becomes an incident, and what a later finding makes of it. Pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from crmtrail.model import Finding, Incident, IncidentState, Operation

_SHORTEST: Final = 8


def incident_id(rule: str, operation: str, taken: Callable[[str], bool]) -> str:
    """Return the id of a new incident: the shortest that is not taken, of 8 hex digits or more."""
    digits = sha256(f"{rule}|{operation}".encode()).hexdigest()
    lengths = range(_SHORTEST, len(digits) + 1, _SHORTEST)
    return next(id_ for id_ in (f"inc-{digits[:n]}" for n in lengths) if not taken(id_))


def opened(id_: str, finding: Finding, operation: Operation, at: datetime) -> Incident:
    """Return the incident that a first finding opens."""
    return Incident(id_, IncidentState.NEW, finding, operation, at, at)


def seen_again(incident: Incident, finding: Finding, at: datetime) -> Incident:
    """Return the incident after a later finding; the very same where nothing is new.

    One with more records is ongoing, even where it was resolved.
    """
    if finding == incident.finding:
        return incident
    grown = finding.records > incident.finding.records
    state = IncidentState.ONGOING if grown else incident.state
    return replace(incident, finding=finding, state=state, seen_at=at)
