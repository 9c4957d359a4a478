"""Operations and incidents in SQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from crmtrail.errors import Unfound
from crmtrail.model import (
    ChangeSet,
    FieldTally,
    Finding,
    Incident,
    IncidentState,
    Op,
    Operation,
    Severity,
    utc,
)
from crmtrail.ports import Noticed
from snapshot.absorbing import OPEN_FOR
from snapshot.heads import checksum
from snapshot.incidents import FINDING, finding_entry, incident_id, opened, seen_again
from snapshot.leaves import seal_all
from snapshot.names import actor_ids, actor_of
from snapshot.times import at_micros, micros

_TALLIES: Final = msgspec.json.Decoder(dict[str, FieldTally])
_ENCODER: Final = msgspec.json.Encoder()

_OPERATION: Final = (
    "p.operation_id, o.source, o.name, p.op, a.kind, a.ext_id, a.name, a.via, a.why,"
    " p.started, p.ended, p.records, p.blanked, p.tallies"
)
_OPERATION_FROM: Final = (
    "operation AS p CROSS JOIN object AS o ON o.object_id = p.object_id"
    " CROSS JOIN actor AS a ON a.actor_id = p.actor_id"
)
_OPERATION_WIDTH: Final = 14
_INCIDENT: Final = (
    "i.incident_id, i.state, i.rule, i.severity, i.title, i.why, i.records,"
    " i.fields, i.evidence, i.opened_at, i.seen_at"
)


def open_operations(
    connection: Connection, object_: int, change_sets: Sequence[ChangeSet]
) -> list[Operation]:
    """Return the operations of an object that may still grow by some change sets."""
    moments = [change_set.at for change_set in change_sets]
    earliest, latest = micros(min(moments) - OPEN_FOR), micros(max(moments) + OPEN_FOR)
    return _operations(
        connection,
        "WHERE p.object_id = ? AND p.ended >= ? AND p.started <= ? ORDER BY p.started",
        (object_, earliest, latest),
    )


def keep_operations(connection: Connection, object_: int, operations: Iterable[Operation]) -> None:
    """Store operations whole, new or grown."""
    grown = list(operations)
    actors = actor_ids(connection, (operation.actor for operation in grown))
    rows = []
    for each in grown:
        told = (
            each.op.value,
            actors[each.actor],
            micros(each.started),
            micros(each.ended),
            each.records,
            each.blanked,
            _ENCODER.encode(dict(each.tallies)).decode(),
        )
        rows.append((each.id, object_, *told, checksum(told)))
    if rows:
        connection.exec_driver_sql(
            "INSERT INTO operation (operation_id, object_id, op, actor_id, started, ended, records,"
            " blanked, tallies, sound) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (operation_id) DO UPDATE SET op = excluded.op,"
            " actor_id = excluded.actor_id, started = excluded.started,"
            " ended = excluded.ended, records = excluded.records, blanked = excluded.blanked,"
            " tallies = excluded.tallies, sound = excluded.sound",
            rows,
        )


def first_damaged(connection: Connection) -> str | None:
    """Return the first operation whose row is not as it was written; None where all are."""
    rows = connection.exec_driver_sql(
        "SELECT operation_id, op, actor_id, started, ended, records, blanked, tallies, sound"
        " FROM operation"
    )
    for id_, *told, sound in rows:
        if checksum(tuple(told)) != bytes(sound):
            return str(id_)
    return None


def keep_findings(
    connection: Connection, noticed: Noticed, at: datetime, run: int | None
) -> list[Incident]:
    """Store findings as incidents; return those that are new or changed."""
    changed = []
    started: int | None = None
    if noticed.findings and run is not None:
        started = connection.exec_driver_sql(
            "SELECT started FROM sync_run WHERE run_id = ?", (run,)
        ).scalar_one()
    for finding in noticed.findings:
        before = _incidents(
            connection, "WHERE i.rule = ? AND i.operation_id = ?", (finding.rule, finding.operation)
        )
        if before:
            after = seen_again(before[0], finding, at, run_started=at_micros(started))
            if after is before[0]:
                continue
        else:
            id_ = incident_id(finding.rule, finding.operation, lambda id_: _taken(connection, id_))
            after = opened(id_, finding, operation_of(connection, finding.operation), at)
        keep_incident(connection, after)
        changed.append(after)
    return changed


def seal_findings(connection: Connection, incidents: Sequence[Incident], at: datetime) -> None:
    """Seal incidents as they are now, behind what else was sealed in this transaction."""
    if incidents:
        seal_all(connection, FINDING, [finding_entry(each) for each in incidents], at)


def operations_of(
    connection: Connection, *, source: str | None, since: datetime | None, limit: int
) -> list[Operation]:
    """Return operations that went on at or after a time, newest start first."""
    return _operations(
        connection,
        "WHERE (? IS NULL OR o.source = ?) AND p.ended >= ?"
        " ORDER BY p.started DESC, p.operation_id LIMIT ?",
        (source, source, micros(utc(since)) if since else -(2**62), limit),
    )


def operation_of(connection: Connection, id_: str) -> Operation:
    """Return one operation.

    Raises:
        Unfound: there is none of this id.
    """
    found = _operations(connection, "WHERE p.operation_id = ?", (id_,))
    if not found:
        raise Unfound(f"there is no operation {id_}", hint="crmtrail operations lists them")
    return found[0]


def incidents_of(connection: Connection, states: Sequence[IncidentState]) -> list[Incident]:
    """Return incidents of some states (none given: all), newest first."""
    wanted = [state.value for state in states or tuple(IncidentState)]
    marks = ", ".join("?" * len(wanted))
    return _incidents(
        connection,
        f"WHERE i.state IN ({marks}) ORDER BY i.opened_at DESC, i.incident_id",
        tuple(wanted),
    )


def incident_of(connection: Connection, id_: str) -> Incident:
    """Return one incident.

    Raises:
        Unfound: there is none of this id.
    """
    found = _incidents(connection, "WHERE i.incident_id = ?", (id_,))
    if not found:
        raise Unfound(f"there is no incident {id_}", hint="crmtrail incidents lists them")
    return found[0]


def incidents_named(connection: Connection, ids: Sequence[str]) -> list[Incident]:
    """Return the incidents of some ids; an id that there is not is passed over."""
    return _incidents(
        connection,
        "WHERE i.incident_id IN (SELECT t.value FROM json_each(?) AS t)",
        (_ENCODER.encode(list(ids)).decode(),),
    )


def move_incident(connection: Connection, id_: str, state: IncidentState) -> None:
    """Set an incident's state."""
    connection.exec_driver_sql(
        "UPDATE incident SET state = ? WHERE incident_id = ?", (state.value, id_)
    )


def _operations(connection: Connection, rest: str, values: tuple[Any, ...]) -> list[Operation]:
    rows = connection.exec_driver_sql(f"SELECT {_OPERATION} FROM {_OPERATION_FROM} {rest}", values)  # noqa: S608 -- fixed texts
    return [_operation(row) for row in rows]


def _operation(row: Sequence[Any]) -> Operation:
    id_, source, object_, op, *actor, started, ended, records, blanked, tallies = row
    return Operation(
        id_,
        source,
        object_,
        Op(op),
        actor_of(actor),
        at_micros(started),
        at_micros(ended),
        records,
        blanked,
        _TALLIES.decode(tallies),
    )


def _incidents(connection: Connection, rest: str, values: tuple[Any, ...]) -> list[Incident]:
    rows = connection.exec_driver_sql(
        f"SELECT {_OPERATION}, {_INCIDENT} FROM incident AS i CROSS JOIN {_OPERATION_FROM}"  # noqa: S608 -- fixed texts
        f" AND p.operation_id = i.operation_id {rest}",
        values,
    )
    return [_incident(row) for row in rows]


def _incident(row: Sequence[Any]) -> Incident:
    operation = _operation(row[:_OPERATION_WIDTH])
    id_, state, rule, severity, title, why, records, fields, evidence, opened_at, seen_at = row[
        _OPERATION_WIDTH:
    ]
    finding = Finding(
        rule,
        operation.id,
        Severity(severity),
        title,
        why,
        records,
        tuple(msgspec.json.decode(fields)),
        msgspec.json.decode(evidence),
    )
    return Incident(
        id_, IncidentState(state), finding, operation, at_micros(opened_at), at_micros(seen_at)
    )


def keep_incident(connection: Connection, incident: Incident) -> None:
    """Store an incident whole, new or changed."""
    found = incident.finding
    connection.exec_driver_sql(
        "INSERT INTO incident (incident_id, rule, operation_id, state, severity, title, why,"
        " records, fields, evidence, opened_at, seen_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (incident_id) DO UPDATE SET state = excluded.state,"
        " severity = excluded.severity, title = excluded.title, why = excluded.why,"
        " records = excluded.records, fields = excluded.fields, evidence = excluded.evidence,"
        " seen_at = excluded.seen_at",
        (
            incident.id,
            found.rule,
            found.operation,
            incident.state.value,
            found.severity.value,
            found.title,
            found.why,
            found.records,
            _ENCODER.encode(found.fields).decode(),
            _ENCODER.encode(dict(found.evidence)).decode(),
            micros(incident.opened_at),
            micros(incident.seen_at),
        ),
    )


def _taken(connection: Connection, id_: str) -> bool:
    found = connection.exec_driver_sql("SELECT 1 FROM incident WHERE incident_id = ?", (id_,))
    return found.scalar() is not None
