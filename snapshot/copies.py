"""What else quotes a person's values, beside the versions: found, and scrubbed of them.

Operations count the most frequent values of a field, incidents quote those, plan steps say what
they expect and write, and actors have names. Everything else holds ids, counts and digests: runs,
gaps, schemas, receipts, the ledger. Its free texts are the reasons that people of this house give.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from crmtrail.model import (
    ERASED,
    NULL,
    FieldTally,
    Finding,
    Incident,
    Ref,
    Token,
    readable,
    token_of,
    value_of,
)
from snapshot.heads import checksum
from snapshot.incidents import finding_entry
from snapshot.noticed import incident_of, keep_incident
from snapshot.subjects import Subject, Whom
from snapshot.triggers import BLANKS

SHARED_BY: Final = 20
"""A value that so many other records of an operation got, too, tells of none of them."""

GONE: Final = "[erased]"
"""What stands where a value was quoted."""

_EMPTY: Final = frozenset({NULL, '""', "true", "false", ERASED})
_LONG_ENOUGH: Final = 3
"""A text of fewer letters is only looked for between quotes: elsewhere it is a part of words."""

_TALLIES: Final = msgspec.json.Decoder(dict[str, FieldTally])
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Copies:
    """How much else mentions some records. ``incidents`` tell the digest of what is left."""

    operations: int = 0
    incidents: Mapping[str, str] = field(default_factory=dict)
    steps: int = 0
    actors: tuple[str, ...] = ()
    addresses: int = 0


Values = Collection[Token] | None
"""Every value that a person's record ever had; None where nobody can tell any more."""


def count_copies(connection: Connection, whom: Whom, values: Mapping[int, Values]) -> Copies:
    """Return what would be scrubbed."""
    return _each(connection, whom, values, lambda *_: None, lambda *_: "")


def scrub_copies(connection: Connection, whom: Whom, values: Mapping[int, Values]) -> Copies:
    """Take a person's values out of all that quotes them; the door is open.

    Args:
        connection: of the transaction that forgets.
        whom: the records, and the users of the CRM.
        values: their values by record; where they are not known, all is taken out that might be.
    """
    found = _each(connection, whom, values, _keep_tallies, _keep_incident)
    scrub_steps(connection, [one.ref for one in whom.subjects])
    connection.exec_driver_sql(
        "UPDATE actor SET key = NULL, name = NULL, salt = NULL WHERE key IS NOT NULL"
        " AND kind = 'user' AND ext_id IN (SELECT value FROM json_each(?) AS t)",
        (json.dumps(whom.users),),
    )
    connection.exec_driver_sql(
        "DELETE FROM subject_index WHERE record_id IN (SELECT value FROM json_each(?) AS j)",
        (_rows(whom.subjects),),
    )
    return found


def scrub_steps(connection: Connection, refs: Iterable[Ref]) -> None:
    """Take away what plan steps would write to some records, and why; the door is open."""
    sets = ", ".join(f'"{name}" = ?' for name in BLANKS)
    for ref in refs:
        connection.exec_driver_sql(
            f"UPDATE plan_step SET {sets}, salt = NULL"  # noqa: S608 -- names of ours
            " WHERE source = ? AND object = ? AND record = ?",
            (*BLANKS.values(), ref.source, ref.object, ref.id),
        )


def scrub_operations(
    connection: Connection, ids: Iterable[str], *, keep: bool
) -> tuple[int, dict[str, str]]:
    """Take all values out of operations and their incidents, whosever they are.

    Args:
        connection: of a transaction, that writes if ``keep``.
        ids: the operations.
        keep: whether to change anything; else only count.

    Returns:
        How many operations quoted any, and the incidents that did, as `Copies` tells them.
    """
    operations, incidents = 0, {}
    for id_ in ids:
        (told,) = connection.exec_driver_sql(
            "SELECT tallies FROM operation WHERE operation_id = ?", (id_,)
        ).one()
        tallies = _TALLIES.decode(told)
        values = {token for tally in tallies.values() for token, _ in tally.top}
        if values:
            operations += 1
            if keep:
                bare = {name: replace(tally, top=()) for name, tally in tallies.items()}
                _keep_tallies(connection, id_, bare)
        for incident in _incidents_of(connection, "operation_id = ?", id_):
            changed = _scrubbed(incident, values | _quoted(incident.finding.evidence))
            if changed is not None:
                incidents[incident.id] = _keep_incident(connection, changed) if keep else ""
    return operations, incidents


def _quoted(told: Any) -> set[Token]:
    """Return the values that an incident's evidence counts, however deep they are in it."""
    if isinstance(told, dict):
        return set().union(*map(_quoted, told.values()))
    if not isinstance(told, list):
        return set()
    if _is_tally(told):
        return {token_of(told[0])} if told[0] != GONE else set()
    return set().union(*map(_quoted, told))


def _each(
    connection: Connection,
    whom: Whom,
    values: Mapping[int, Values],
    keep_tallies: Callable[[Connection, str, Mapping[str, FieldTally]], None],
    keep_incident: Callable[[Connection, Incident], str],
) -> Copies:
    """Find what quotes values, and hand on what is left of it."""
    operations, incidents = 0, {}
    for id_, own in _operations(connection, whom, values).items():
        row = connection.exec_driver_sql(
            "SELECT tallies FROM operation WHERE operation_id = ?", (id_,)
        ).one_or_none()
        if row is None:
            continue
        tallies = _TALLIES.decode(row[0])
        scrubbed = None if own is None else _own(tallies, own)
        left = {name: _without(tally, scrubbed) for name, tally in tallies.items()}
        if left != tallies:
            operations += 1
            keep_tallies(connection, id_, left)
        for incident in _incidents_of(connection, "operation_id = ?", id_):
            changed = _scrubbed(incident, scrubbed)
            if changed is not None:
                incidents[incident.id] = keep_incident(connection, changed)
    for incident in _by_actors(connection, whom.users):
        changed = _unnamed(connection, incident)
        if changed is not None:
            incidents[incident.id] = keep_incident(connection, changed)
    return Copies(
        operations,
        incidents,
        _steps(connection, whom.subjects),
        _actors(connection, whom.users),
        _addresses(connection, whom.subjects),
    )


# --- operations ------------------------------------------------------------------------------


def _operations(
    connection: Connection, whom: Whom, values: Mapping[int, Values]
) -> dict[str, set[Token] | None]:
    """Return the operations that the records belong to, with the values that they may quote."""
    found: dict[str, set[Token] | None] = {}
    for one in whom.subjects:
        rows = connection.exec_driver_sql(
            "SELECT DISTINCT operation_id FROM version"
            " WHERE record_id = ? AND operation_id IS NOT NULL",
            (one.record_id,),
        )
        mine = values.get(one.record_id)
        for id_ in rows.scalars().all():
            before = found.get(id_, set())
            found[id_] = None if mine is None or before is None else {*before, *mine} - _EMPTY
    return found


def _own(tallies: Mapping[str, FieldTally], values: set[Token]) -> set[Token]:
    """Return those values that no crowd of others has, too."""
    shared = {
        token for tally in tallies.values() for token, least in tally.top if least > SHARED_BY
    }
    return values - shared


def _without(tally: FieldTally, values: set[Token] | None) -> FieldTally:
    left = () if values is None else tuple(one for one in tally.top if one[0] not in values)
    return replace(tally, top=left)


def _keep_tallies(connection: Connection, id_: str, tallies: Mapping[str, FieldTally]) -> None:
    text = _ENCODER.encode(dict(tallies)).decode()
    told = connection.exec_driver_sql(
        "SELECT op, actor_id, started, ended, records, blanked FROM operation"
        " WHERE operation_id = ?",
        (id_,),
    ).one()
    connection.exec_driver_sql(
        "UPDATE operation SET tallies = ?, sound = ? WHERE operation_id = ?",
        (text, checksum((*told, text)), id_),
    )


# --- incidents -------------------------------------------------------------------------------


def _incidents_of(connection: Connection, condition: str, value: object) -> list[Incident]:
    ids = connection.exec_driver_sql(
        f"SELECT incident_id FROM incident WHERE {condition} ORDER BY incident_id",  # noqa: S608 -- texts of ours
        (value,),
    )
    return [incident_of(connection, id_) for id_ in ids.scalars().all()]


def _by_actors(connection: Connection, users: Sequence[str]) -> list[Incident]:
    """Return the incidents of operations by users of the CRM that are to be forgotten."""
    condition = (
        "operation_id IN (SELECT p.operation_id FROM actor AS a"
        " CROSS JOIN operation AS p ON p.actor_id = a.actor_id WHERE a.kind = 'user'"
        " AND a.ext_id IN (SELECT value FROM json_each(?) AS t))"
    )
    return _incidents_of(connection, condition, json.dumps(users)) if users else []


def _scrubbed(incident: Incident, values: set[Token] | None) -> Incident | None:
    """Return an incident without some values; None where it quotes none of them."""
    found = incident.finding
    if values is None:
        bare = replace(found, title=GONE, why=GONE, evidence={})
    else:
        bare = replace(
            found,
            title=_text_without(found.title, values),
            why=_text_without(found.why, values),
            evidence={name: _told_without(told, values) for name, told in found.evidence.items()},
        )
    return None if bare == found else replace(incident, finding=bare)


def _unnamed(connection: Connection, incident: Incident) -> Incident | None:
    """Return an incident that does not name its actor; None where it does not already."""
    incident = incident_of(connection, incident.id)  # it may just have been scrubbed of values
    name = incident.operation.actor.name
    if not name:
        return None
    found: Finding = incident.finding
    bare = replace(found, title=found.title.replace(name, GONE), why=found.why.replace(name, GONE))
    return None if bare == found else replace(incident, finding=bare)


def _text_without(text: str, values: set[Token]) -> str:
    for token in sorted(values, key=len, reverse=True):
        value = value_of(token)
        text = text.replace(f" to {value!r} ", f" to {GONE} ")
        if isinstance(value, str) and len(value) >= _LONG_ENOUGH:
            text = text.replace(value, GONE)
    return text


def _told_without(told: Any, values: set[Token]) -> Any:
    """Return what an incident tells without some values, however deep they are in it."""
    if isinstance(told, dict):
        return {name: _told_without(each, values) for name, each in told.items()}
    if isinstance(told, list):
        if _is_tally(told) and token_of(told[0]) in values:
            return [GONE, told[1]]
        return [_told_without(each, values) for each in told]
    plain = {_plain(token) for token in values}
    if isinstance(told, str):
        return GONE if told in plain else _text_without(told, values)
    return told


def _is_tally(told: Sequence[Any]) -> bool:
    """Return whether this is a value with how often it was written."""
    value, *count = told or [None]
    return [type(each) for each in count] == [int] and not isinstance(value, dict | list)


def _plain(token: Token) -> str:
    value = value_of(token)
    return readable(value) if isinstance(value, str) else token


def _keep_incident(connection: Connection, incident: Incident) -> str:
    keep_incident(connection, incident)
    return str(finding_entry(incident)["body"])


# --- steps, actors, addresses ----------------------------------------------------------------


def _steps(connection: Connection, subjects: Sequence[Subject]) -> int:
    count = 0
    for one in subjects:
        count += connection.exec_driver_sql(
            "SELECT count(*) FROM plan_step WHERE source = ? AND object = ? AND record = ?",
            (one.ref.source, one.ref.object, one.ref.id),
        ).scalar_one()
    return count


def _actors(connection: Connection, users: Sequence[str]) -> tuple[str, ...]:
    found = connection.exec_driver_sql(
        "SELECT DISTINCT ext_id FROM actor WHERE key IS NOT NULL AND kind = 'user'"
        " AND ext_id IN (SELECT value FROM json_each(?) AS t) ORDER BY ext_id",
        (json.dumps(users),),
    )
    return tuple(found.scalars())


def _addresses(connection: Connection, subjects: Sequence[Subject]) -> int:
    return int(
        connection.exec_driver_sql(
            "SELECT count(*) FROM subject_index"
            " WHERE record_id IN (SELECT value FROM json_each(?) AS j)",
            (_rows(subjects),),
        ).scalar_one()
    )


def _rows(subjects: Sequence[Subject]) -> str:
    return json.dumps([one.record_id for one in subjects])
