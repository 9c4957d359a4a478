"""What a channel is to be told: a pure function of incidents and of what it was told before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from crmtrail.alerts_config import AlertChannel
from crmtrail.model import Incident, IncidentState, Severity

_ORDER: Final = 10
_RANK: Final[Mapping[Severity, int]] = {one: rank for rank, one in enumerate(Severity)}
_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=1)


class What(StrEnum):
    """Why an incident is told."""

    OPENED = "opened"
    GREW = "grew"
    WORSE = "worse"
    RESOLVED = "resolved"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Seen:
    """An incident as a message showed it."""

    state: IncidentState
    severity: Severity
    records: int

    @classmethod
    def of(cls, incident: Incident) -> "Seen":
        """Return an incident as a message would show it now."""
        return cls(incident.state, incident.finding.severity, incident.finding.records)


@dataclass(frozen=True, slots=True)
class Told:
    """How one incident stands at one channel.

    ``seen`` is as the last message that arrived showed it, None before the first; ``messages`` is
    how many arrived. ``waiting``: one is on its way, or failed ``attempts`` times, and is not
    tried before ``due``.
    """

    incident: str
    seen: Seen | None
    messages: int
    waiting: bool
    attempts: int
    due: datetime
    sent_at: datetime | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent: one incident, or several of a digest."""

    told: tuple[tuple[Incident, What, int], ...]
    """Each incident, why, and how many messages about it arrived before."""
    digest: bool = False


def what_to_tell(incident: Incident, seen: Seen | None) -> What | None:
    """Return why an incident is to be told again; None where nothing new is worth a message.

    One that was resolved before its first message arrived is told all the same: nothing is lost.
    """
    closed = incident.state is IncidentState.RESOLVED
    if seen is None:
        return What.OPENED
    was_closed = seen.state is IncidentState.RESOLVED
    if closed or was_closed:
        if closed and was_closed:
            return None
        return What.RESOLVED if closed else What.REOPENED
    if _RANK[incident.finding.severity] > _RANK[seen.severity]:
        return What.WORSE
    if incident.finding.records >= _ORDER * max(seen.records, 1):
        return What.GREW
    return None


def wanted(channel: AlertChannel, incident: Incident) -> bool:
    """Return whether an incident passes a channel's filters of sources and objects."""
    operation = incident.operation
    named = {operation.object, f"{operation.source}:{operation.object}"}
    return (not channel.sources or operation.source in channel.sources) and (
        not channel.objects or not named.isdisjoint(channel.objects)
    )


def messages_for(
    channel: AlertChannel,
    incidents: Iterable[Incident],
    told: Mapping[str, Told],
    last_digest: datetime,
    now: datetime,
) -> Sequence[Message]:
    """Return what to send to a channel now, oldest incident first and the digest last.

    Args:
        channel: the channel.
        incidents: those that may be news.
        told: how they stand at the channel, by id.
        last_digest: when its last digest went out; before the first, when the channel began.
        now: the time.
    """
    single: list[Message] = []
    gathered: list[tuple[Incident, What, int]] = []
    held = False
    for incident in sorted(incidents, key=lambda one: (one.opened_at, one.id)):
        before = told.get(incident.id)
        why = what_to_tell(incident, before.seen if before else None)
        if why is None or not wanted(channel, incident):
            continue
        resting = before is not None and before.waiting and before.due > now
        part = (incident, why, before.messages if before else 0)
        if not _alone(channel, incident, before):
            gathered.append(part)
            held = held or resting
        elif not resting:
            single.append(Message((part,)))
    due = channel.digest is not None and now - last_digest >= channel.digest
    if gathered and due and not held:
        # One that failed is not sent in parts: what it held would wait another period.
        single.append(Message(tuple(gathered), digest=True))
    return single


def _alone(channel: AlertChannel, incident: Incident, before: Told | None) -> bool:
    """Return whether an incident is told by itself: it is grave enough, or was when last told."""
    least = _RANK[Severity(channel.from_)]
    grave = [incident.finding.severity]
    if before is not None and before.seen is not None:
        grave.append(before.seen.severity)
    return max(_RANK[one] for one in grave) >= least


def wait_after(attempts: int) -> timedelta:
    """Return how long a message waits after so many failures: a minute, doubled up to an hour."""
    doubled: timedelta = _FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 10)
    return min(doubled, _LONGEST_WAIT)
