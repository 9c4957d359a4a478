"""How a finding becomes an incident, and what a later finding makes of it. Pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from crmtrail.model import Finding, Incident, IncidentState, Operation, stamp

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_SHORTEST: Final = 8

FINDING: Final = "finding"
"""The kind of the entry that an incident gets when it is opened, and whenever it grows."""

MOVE: Final = "incident"
"""The kind of the entry that an incident gets when somebody moves it to another state."""


def incident_id(rule: str, operation: str, taken: Callable[[str], bool]) -> str:
    """Return the id of a new incident: the shortest that is not taken, of 8 hex digits or more."""
    digits = sha256(f"{rule}|{operation}".encode()).hexdigest()
    lengths = range(_SHORTEST, len(digits) + 1, _SHORTEST)
    return next(id_ for id_ in (f"inc-{digits[:n]}" for n in lengths) if not taken(id_))


def opened(id_: str, finding: Finding, operation: Operation, at: datetime) -> Incident:
    """Return the incident that a first finding opens."""
    return Incident(id_, IncidentState.NEW, finding, operation, at, at)


def seen_again(
    incident: Incident, finding: Finding, at: datetime, *, run_started: datetime | None
) -> Incident:
    """Return the incident after a later finding; the very same where nothing is new.

    One with more records is ongoing, even where it was resolved; but a new one stays new until a
    later run than the one that opened it sees it grow. ``run_started`` is None outside runs.
    """
    if finding == incident.finding:
        return incident
    grown = finding.records > incident.finding.records
    later = run_started is not None and run_started > incident.opened_at
    ongoing = grown and (later or incident.state is not IncidentState.NEW)
    state = IncidentState.ONGOING if ongoing else incident.state
    return replace(incident, finding=finding, state=state, seen_at=at)


def moved(
    incident: str, before: IncidentState, after: IncidentState, *, by: str, why: str
) -> dict[str, str]:
    """Return the ledger entry of a move to another state; who and why only where a person did."""
    entry = {"incident": incident, "from": before.value, "to": after.value}
    return entry | {name: words for name, words in (("by", by), ("why", why)) if words}


def finding_entry(incident: Incident, *, state: IncidentState | None = None) -> dict[str, Any]:
    """Return the ledger entry of an incident as it is, or as it was in another state.

    Title, reason, fields and evidence may quote values, so that only their digest is in it.
    """
    found = incident.finding
    told = [found.title, found.why, list(found.fields), dict(found.evidence)]
    return {
        "incident": incident.id,
        "rule": found.rule,
        "operation": found.operation,
        "state": (state or incident.state).value,
        "severity": found.severity.value,
        "records": found.records,
        "opened": stamp(incident.opened_at),
        "body": sha256(_ENCODER.encode(told)).hexdigest(),
    }
