"""What was told to whom, in SQL: a row for each channel, and for each incident at a channel."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.alerts.decide import Message, Seen, Told, wait_after
from crmtrail.alerts_config import AlertChannel
from crmtrail.model import IncidentState, Severity
from snapshot.leaves import seal_all
from snapshot.times import at_micros, micros

ALERT: Final = "alert"
"""The kind of the entry that a delivered message gets for each of its incidents."""

_CHANNEL: Final = ""
"""Stands for the incident in the row of the channel itself."""
_LOOK_BACK: Final = timedelta(days=1)
"""How long before a channel was new an incident was seen last that it is still told."""


@dataclass(frozen=True, slots=True)
class ChannelStanding:
    """How a channel stands: its last message, and how many wait since a failure."""

    channel: str
    sent_at: datetime | None
    waiting: int
    failure: str


def begin(connection: Connection, channel: str, now: datetime) -> None:
    """Note since when a channel is there, if it is new."""
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO alert (channel, incident_id, messages, waiting, what, attempts, due,"
        " failure) VALUES (?, ?, 0, 0, '', 0, ?, '')",
        (channel, _CHANNEL, micros(now)),
    )


def began(connection: Connection, channel: str) -> tuple[datetime, datetime]:
    """Return since when a channel is there, and when its last digest went out (or it began)."""
    since, digest = connection.exec_driver_sql(
        "SELECT due, ifnull(sent_at, due) FROM alert WHERE channel = ? AND incident_id = ?",
        (channel, _CHANNEL),
    ).one()
    return at_micros(since), at_micros(digest)


def news(connection: Connection, channel: AlertChannel, since: datetime) -> list[str]:
    """Return the ids of the incidents that may be news to a channel."""
    ranks = list(Severity)
    grave = ranks if channel.digest else ranks[ranks.index(Severity(channel.from_)) :]
    rows = connection.exec_driver_sql(
        "SELECT i.incident_id FROM incident AS i"
        " JOIN operation AS p ON p.operation_id = i.operation_id"
        " JOIN object AS o ON o.object_id = p.object_id"
        " LEFT JOIN alert AS a ON a.channel = ? AND a.incident_id = i.incident_id"
        " WHERE (a.incident_id IS NULL AND i.seen_at >= ?"
        " AND i.severity IN (SELECT t.value FROM json_each(?) AS t)"
        " AND (? = 0 OR o.source IN (SELECT t2.value FROM json_each(?) AS t2))"
        " AND (? = 0 OR o.name IN (SELECT t3.value FROM json_each(?) AS t3)"
        " OR o.source || ':' || o.name IN (SELECT t4.value FROM json_each(?) AS t4)))"
        " OR a.waiting = 1 OR a.state <> i.state OR a.severity <> i.severity"
        " OR a.records <> i.records",
        (
            channel.to,
            micros(since - _LOOK_BACK),
            json.dumps([one.value for one in grave]),
            len(channel.sources),
            json.dumps(channel.sources),
            len(channel.objects),
            json.dumps(channel.objects),
            json.dumps(channel.objects),
        ),
    )
    return [str(id_) for (id_,) in rows]


def told(connection: Connection, channel: str, incidents: Sequence[str]) -> dict[str, Told]:
    """Return how some incidents stand at a channel; those never told are left out."""
    rows = connection.exec_driver_sql(
        "SELECT a.incident_id, a.state, a.severity, a.records, a.messages, a.waiting, a.attempts,"
        " a.due, a.sent_at, a.failure FROM alert AS a WHERE a.channel = ? AND a.incident_id IN"
        " (SELECT t.value FROM json_each(?) AS t)",
        (channel, json.dumps(list(incidents))),
    )
    return {row[0]: _told(row) for row in rows}


def _told(row: Sequence[Any]) -> Told:
    id_, state, severity, records, messages, waiting, attempts, due, sent_at, failure = row
    seen = None if state is None else Seen(IncidentState(state), Severity(severity), records)
    at = at_micros(sent_at)
    return Told(id_, seen, messages, bool(waiting), attempts, at_micros(due), at, failure)


def claim(
    connection: Connection,
    channel: str,
    message: Message,
    before: Mapping[str, Told],
    now: datetime,
) -> bool:
    """Note that a message is about to be sent; False where another process has it, or had it.

    Should this process die on the way, it is sent again once it is due.
    """
    for incident, why, messages in message.told:
        earlier = before.get(incident.id)
        attempts = earlier.attempts if earlier else 0
        taken = connection.exec_driver_sql(
            "INSERT INTO alert (channel, incident_id, messages, waiting, what, attempts, due,"
            " failure) VALUES (?, ?, 0, 1, ?, 1, ?, '') ON CONFLICT (channel, incident_id)"
            " DO UPDATE SET waiting = 1, what = excluded.what, attempts = alert.attempts + 1,"
            " due = excluded.due WHERE alert.messages = ? AND alert.attempts = ?",
            (
                channel,
                incident.id,
                why.value,
                micros(now + wait_after(attempts + 1)),
                messages,
                attempts,
            ),
        )
        if taken.rowcount != 1:
            return False
    return True


def arrived(connection: Connection, channel: str, message: Message, now: datetime) -> None:
    """Note and seal that a message arrived, with what it showed of each incident."""
    rows, entries = [], []
    for incident, why, messages in message.told:
        seen = Seen.of(incident)
        shown = (seen.state.value, seen.severity.value, seen.records)
        rows.append((*shown, messages + 1, micros(now), channel, incident.id))
        entry = {"channel": channel, "incident": incident.id, "what": why.value}
        entries.append(entry | {"message": messages + 1, "digest": message.digest})
    connection.exec_driver_sql(
        "UPDATE alert SET state = ?, severity = ?, records = ?, messages = ?, waiting = 0,"
        " attempts = 0, failure = '', sent_at = ? WHERE channel = ? AND incident_id = ?",
        rows,
    )
    if message.digest:
        connection.exec_driver_sql(
            "UPDATE alert SET sent_at = ? WHERE channel = ? AND incident_id = ?",
            (micros(now), channel, _CHANNEL),
        )
    seal_all(connection, ALERT, entries, now)


def failed(connection: Connection, channel: str, message: Message, why: str) -> None:
    """Note why a message did not arrive."""
    connection.exec_driver_sql(
        "UPDATE alert SET failure = ? WHERE channel = ? AND incident_id = ?",
        [(why, channel, incident.id) for incident, _, _ in message.told],
    )


def settle(connection: Connection, channel: str, incidents: Iterable[str]) -> None:
    """Note that nothing waits any more: what was to be told is as it was told before."""
    rows = [(channel, id_) for id_ in incidents]
    if rows:
        connection.exec_driver_sql(
            "UPDATE alert SET waiting = 0, attempts = 0, failure = ''"
            " WHERE channel = ? AND incident_id = ? AND messages > 0",
            rows,
        )


def standings(connection: Connection, channels: Iterable[str]) -> tuple[ChannelStanding, ...]:
    """Return how channels stand, in the order given."""
    rows = connection.exec_driver_sql(
        "SELECT channel, max(sent_at), count(*) FILTER (WHERE waiting = 1), max(failure)"
        " FROM alert GROUP BY channel"
    )
    known = {name: (at_micros(sent), int(count), why) for name, sent, count, why in rows}
    return tuple(ChannelStanding(one, *known.get(one, (None, 0, ""))) for one in channels)
