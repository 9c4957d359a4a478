"""Hold finished runs and incidents against their entries in the ledger.

Runs stream by. Of incidents only the ids and states stay in memory: there are as many as people
look at.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine

from crmtrail.model import Incident, IncidentState
from snapshot import runs
from snapshot.actions import actions_of, told_by
from snapshot.database import reading
from snapshot.entries import action_entry
from snapshot.incidents import FINDING, MOVE, finding_entry
from snapshot.noticed import incidents_of
from snapshot.times import at_micros
from snapshot.verify_forgotten import scrubbed_incidents

_BATCH: Final = 500
_RUN: Final = "run"

Bad: TypeAlias = Callable[[str, int | None, str], Any]
"""Makes what is told of a kind, an index and a reason."""


def first_bad(engine: Engine, bad: Bad) -> Any | None:
    """Return the first run or incident that is not as it was sealed; None where all are."""
    for batch in actions_of(engine, (_RUN,)):
        with reading(engine) as connection:
            again = _runs(connection, batch)
        for index, _, entry in batch:
            if again.get(index) != entry:
                run = told_by(entry).get("run")
                return bad(_RUN, index, f"run {run} is not what was sealed")
    with reading(engine) as connection:
        finished, entries = connection.exec_driver_sql(
            "SELECT (SELECT count(*) FROM sync_run WHERE state <> 'running'),"
            " (SELECT count(*) FROM leaf WHERE kind = 'run')"
        ).one()
    if finished != entries:
        return bad(_RUN, None, f"{finished} finished runs, but {entries} were sealed")
    return _incidents(engine, bad)


def _runs(
    connection: Connection, batch: Sequence[tuple[int, str, bytes]]
) -> Mapping[int, bytes | None]:
    """Write the entries of runs again, from their rows; by index."""
    wanted = {told_by(entry).get("run"): index for index, _, entry in batch}
    found = runs.sealed_of(connection, [run for run in wanted if isinstance(run, int)])
    return {
        wanted[run]: action_entry(_RUN, entry, at_micros(finished))
        for run, (entry, finished) in found.items()
        if finished is not None
    }


def _incidents(engine: Engine, bad: Bad) -> Any | None:
    newest: dict[str, tuple[int, bytes]] = {}
    states: dict[str, str] = {}
    for batch in actions_of(engine, (FINDING, MOVE)):
        for index, kind, entry in batch:
            told = told_by(entry)
            id_ = str(told.get("incident"))
            if kind == FINDING:
                newest[id_] = (index, entry)
            states[id_] = str(told.get("state" if kind == FINDING else "to"))
    with reading(engine) as connection:
        stored = {each.id: each for each in incidents_of(connection, ())}
        scrubbed = scrubbed_incidents(connection)
    for id_, (index, entry) in newest.items():
        if id_ not in stored:
            return bad("incident", index, f"incident {id_} is missing")
        if _again(stored[id_], index, entry, scrubbed.get(id_)) != entry:
            return bad("incident", index, f"incident {id_} is not what was sealed")
    for id_, incident in stored.items():
        if id_ not in newest:
            return bad("incident", None, f"incident {id_} was never sealed")
        if incident.state.value != states[id_]:
            why = f"incident {id_} is {incident.state}, but {states[id_]} was sealed"
            return bad("incident", newest[id_][0], why)
    return None


def _again(incident: Incident, index: int, entry: bytes, scrubbed: tuple[int, str] | None) -> bytes:
    """Write the entry of an incident again, from its row.

    Where an erasure took a person's values out of it since, the row has to be what that left.
    """
    told = told_by(entry)
    again = finding_entry(incident, state=IncidentState(str(told.get("state"))))
    if scrubbed is not None and scrubbed[0] > index and again["body"] == scrubbed[1]:
        again["body"] = told.get("body")
    return action_entry(FINDING, again, incident.seen_at)
