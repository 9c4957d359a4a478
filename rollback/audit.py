"""Hold plans, approvals, outcomes and receipts against the ledger, in constant memory.

`snapshot.verify` proves that the ledger's entries are the ones sealed; this proves that the rows
of the journal still say what the entries say, and that none was added or taken away.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Unfound
from crmtrail.model import Outcome, Receipt, Result
from rollback.digest import Digest
from rollback.journal import SqlJournal
from rollback.sealed import approval_entry, outcome_entry, plan_entry, receipt_entry, write_entry
from snapshot.actions import Sealed, actions_of, told_by
from snapshot.database import reading
from snapshot.entries import action_entry
from snapshot.times import at_micros
from snapshot.verify import UNREADABLE

_BATCH: Final = 500

_ROWS: Final = {
    "plan": "SELECT count(*) FROM plan",
    "approval": "SELECT count(*) FROM approval",
    "outcome": "SELECT count(*) FROM plan_step WHERE state = 'settled'",
    "receipt": "SELECT count(*) FROM receipt",
}

_OUTCOMES: Final = (
    "SELECT p.key AS place, s.step_id, s.settled_at, s.result, s.detail, s.fields"
    " FROM json_each(?) AS p CROSS JOIN plan_step AS s"
    " ON s.plan_id = json_extract(p.value, '$.plan')"
    " AND s.step_id = json_extract(p.value, '$.step') AND s.state = 'settled'"
)
_WRITES: Final = (
    "SELECT p.key AS place, s.sent_at"
    " FROM json_each(?) AS p CROSS JOIN plan_step AS s"
    " ON s.plan_id = json_extract(p.value, '$.plan')"
    " AND s.step_id = json_extract(p.value, '$.step') AND s.sent_at IS NOT NULL"
)
_WRITE: Final = "write"
"""The kind of the entry of a batch of steps; the others have a row each."""

_RECEIPTS: Final = (
    "SELECT r.leaf, r.plan_id, r.applied_at, r.applied_by, r.planned, r.outcomes, r.api_calls"
    " FROM json_each(?) AS j CROSS JOIN receipt AS r ON r.leaf = j.value"
)

_FORGOTTEN: Final = (
    "SELECT s.plan_id, s.step_id FROM plan_step AS s"
    " WHERE s.salt IS NULL AND s.digest IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM object AS o CROSS JOIN record AS r ON r.object_id = o.object_id"
    "  WHERE o.source = s.source AND o.name = s.object AND r.ext_id = s.record"
    "  AND r.erased_at IS NOT NULL) ORDER BY s.plan_id, s.no LIMIT 1"
)


def first_bad(engine: Engine) -> Mapping[str, Any] | None:
    """Return what `_first_bad` finds; a row that cannot even be read was altered."""
    try:
        return _first_bad(engine)
    except UNREADABLE as error:
        return _bad("plan", None, f"a plan, step or receipt cannot be read: {error}")


def _first_bad(engine: Engine) -> Mapping[str, Any] | None:
    """Return the first thing of the journal that is not as it was sealed; None where all is.

    It has the keys ``kind`` (plan, approval, outcome, receipt), ``index`` of the entry (None for
    a row without one), ``record`` and ``why``.
    """
    journal = SqlJournal(engine)
    for batch in actions_of(engine, [*_ROWS, _WRITE]):
        with reading(engine) as connection:
            again = _outcomes(connection, batch) | _receipts(connection, batch)
            again |= _writes(connection, batch)
        for index, kind, entry in batch:
            told = told_by(entry)
            written = _AGAIN[kind](journal, told) if kind in _AGAIN else again.get(index)
            if written != entry:
                return _bad(kind, index, f"the {kind} of {_plan_of(told)} is not what was sealed")
            if kind == "plan" and not _whole(journal, told["plan"]):
                return _bad(kind, index, f"the steps of {told['plan']} are not what was sealed")
    return _unsealed(engine)


def _plan_of(told: Mapping[str, Any]) -> str:
    """Name the plan, and the step where there is one."""
    return " ".join(str(told[key]) for key in ("plan", "step") if key in told) or "no plan"


def _bad(kind: str, index: int | None, why: str) -> Mapping[str, Any]:
    return {"kind": kind, "index": index, "record": None, "why": why}


def _plan(journal: SqlJournal, told: Mapping[str, Any]) -> bytes | None:
    try:
        plan = journal.plan(told.get("plan", ""))
    except Unfound:
        return None
    return action_entry("plan", plan_entry(plan), plan.created)


def _whole(journal: SqlJournal, id_: str) -> bool:
    """Return whether the steps give the digest that their plan bears."""
    plan, digest = journal.plan(id_), Digest()
    for each in journal.steps(id_):
        digest.add(each.step, each.gone)
    return digest.close(plan) == plan.digest


def _approval(journal: SqlJournal, told: Mapping[str, Any]) -> bytes | None:
    try:
        given = dict(journal.approvals(told.get("plan", "")))
    except Unfound:
        return None
    by = told.get("by", "")
    at = given.get(by)
    return None if at is None else action_entry("approval", approval_entry(told["plan"], by), at)


_AGAIN: Final[Mapping[str, Callable[[SqlJournal, Mapping[str, Any]], bytes | None]]] = {
    "plan": _plan,
    "approval": _approval,
}


def _outcomes(connection: Connection, batch: Sequence[Sealed]) -> dict[int, bytes]:
    """Write the entries of outcomes again, from their steps; by index."""
    told = [(index, told_by(entry)) for index, kind, entry in batch if kind == "outcome"]
    again = {}
    for row in connection.exec_driver_sql(_OUTCOMES, (json.dumps([each for _, each in told]),)):
        index, entry = told[row.place]
        fields = {name: Result(result) for name, result in json.loads(row.fields).items()}
        outcome = Outcome(row.step_id, Result(row.result), row.detail, fields)
        again[index] = action_entry(
            "outcome", outcome_entry(entry["plan"], outcome), at_micros(row.settled_at)
        )
    return again


def _writes(connection: Connection, batch: Sequence[Sealed]) -> dict[int, bytes]:
    """Write the entries of batches again, with the steps that were sent then; by index."""
    told = {index: told_by(entry) for index, kind, entry in batch if kind == _WRITE}
    places = [(index, one["plan"], step) for index, one in told.items() for step in one["steps"]]
    asked = json.dumps([{"plan": plan, "step": step} for _, plan, step in places])
    sent: dict[int, dict[str, int]] = {index: {} for index in told}
    for row in connection.exec_driver_sql(_WRITES, (asked,)):
        index, _, step = places[row.place]
        sent[index][step] = row.sent_at
    again = {}
    for index, steps in sent.items():
        moments = set(steps.values())
        if len(moments) == 1:
            entry = write_entry(
                told[index]["plan"], [s for s in told[index]["steps"] if s in steps]
            )
            again[index] = action_entry(_WRITE, entry, at_micros(moments.pop()))
    return again


def _receipts(connection: Connection, batch: Sequence[Sealed]) -> dict[int, bytes]:
    """Write the entries of receipts again, from their rows; by index."""
    indexes = [index for index, kind, _ in batch if kind == "receipt"]
    again = {}
    for row in connection.exec_driver_sql(_RECEIPTS, (json.dumps(indexes),)):
        counts = {Result(name): count for name, count in json.loads(row.outcomes).items()}
        at = at_micros(row.applied_at)
        receipt = Receipt(
            row.plan_id, at, row.applied_by, row.planned, counts, row.api_calls, row.leaf
        )
        again[row.leaf] = action_entry("receipt", receipt_entry(receipt), at)
    return again


def _unsealed(engine: Engine) -> Mapping[str, Any] | None:
    """Return a kind with more rows than entries: each entry has its own row, as was checked.

    Or a step that was forgotten although its record was not erased.
    """
    with reading(engine) as connection:
        stray = connection.exec_driver_sql(_FORGOTTEN).first()
        if stray is not None:
            why = f"step {stray[1]} of {stray[0]} is gone, but its record was not erased"
            return _bad("plan", None, why)
        for kind, statement in _ROWS.items():
            rows = connection.exec_driver_sql(statement).scalar_one()
            entries = connection.exec_driver_sql(
                "SELECT count(*) FROM leaf WHERE kind = ?", (kind,)
            ).scalar_one()
            if rows != entries:
                return _bad(kind, None, f"{rows} {kind} rows, but {entries} were sealed")
    return None
