"""The journal in SQL, in the store's own file: one transaction a call, sealed in the same one.

Steps stream in pages by number, so that no cursor stays open while steps are settled.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Engine

from crmtrail.model import (
    Action,
    OnConflict,
    Outcome,
    Plan,
    Receipt,
    Ref,
    Result,
    Step,
    Tokens,
)
from crmtrail.ports import Journalled, StepState
from rollback.digest import step_digest
from rollback.sealed import (
    approval_entry,
    new_id,
    no_step,
    outcome_entry,
    plan_entry,
    receipt_entry,
    taken,
    unfound,
    write_entry,
)
from snapshot import bulk
from snapshot.database import reading, writing
from snapshot.leaves import seal, seal_all, size_of
from snapshot.times import at_micros, micros

_PAGE: Final = 500
"""How many steps are read or written by one statement."""

_PLAN: Final = "SELECT id, digest, author, created, expires, source, terms FROM plan"
_RECEIPT: Final = (
    "SELECT plan_id, applied_at, applied_by, planned, outcomes, api_calls, leaf FROM receipt "
    "WHERE plan_id = ? ORDER BY receipt_id DESC LIMIT 1"
)
_STEPS: Final = (
    'SELECT no, step_id, source, object, record, action, expect, write, "left", reason, salt, '
    "digest, state, before, sent_at, settled_at, result, detail, fields FROM plan_step "
    "WHERE plan_id = ? AND no > ? "
    "AND (? = '[]' OR state IN (SELECT value FROM json_each(?) AS t)) ORDER BY no LIMIT ?"
)
_STEP_KEY: Final = ("plan_id", "step_id")
_STEP_COLUMNS: Final = (
    *("plan_id", "no", "step_id", "source", "object", "record", "action", "expect", "write"),
    *("left", "reason", "salt", "digest", "state", "before", "detail", "fields"),
)
_STATES: Final = (
    "SELECT s.step_id, s.state FROM json_each(?) AS t "
    "CROSS JOIN plan_step AS s ON s.plan_id = ? AND s.step_id = t.value"
)


class SqlJournal:
    """Plans, approvals, intents and receipts in the tables of `snapshot.plan_tables`.

    Args:
        engine: the engine of the open store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def next_id(self) -> str:
        """Return a new plan id."""
        return new_id()

    def file(self, plan: Plan, steps: Iterator[Step]) -> None:
        """Keep a plan with its steps and seal it, in one transaction.

        A crash inside leaves nothing of the plan.
        """
        terms = {
            "selection": dict(plan.selection),
            "on_conflict": plan.on_conflict.value,
            "counts": {action.value: count for action, count in plan.counts.items()},
            "api_calls": plan.api_calls,
            "approvals_required": plan.approvals_required,
            "undoes": plan.undoes,
        }
        with writing(self._engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO plan (id, digest, author, created, expires, source, terms) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    plan.id,
                    plan.digest,
                    plan.author,
                    micros(plan.created),
                    micros(plan.expires),
                    plan.source,
                    json.dumps(terms),
                ),
            )
            numbered = enumerate(steps, start=1)
            while rows := [_row(plan.id, no, step) for no, step in islice(numbered, _PAGE)]:
                bulk.insert(connection, "plan_step", _STEP_COLUMNS, rows)
            seal(connection, "plan", plan_entry(plan), plan.created)

    def plan(self, id_: str) -> Plan:
        """Return a plan.

        Raises:
            Unfound: there is none of this id.
        """
        with reading(self._engine) as connection:
            row = connection.exec_driver_sql(f"{_PLAN} WHERE id = ?", (id_,)).first()
        if row is None:
            raise unfound(id_)
        return _plan(row)

    def plans(self) -> Sequence[Plan]:
        """Return all plans, newest first."""
        with reading(self._engine) as connection:
            rows = connection.exec_driver_sql(f"{_PLAN} ORDER BY created DESC, id DESC").all()
        return [_plan(row) for row in rows]

    def objects(self, plan: str) -> Sequence[tuple[str, str]]:
        """Return the source and object of every record that a plan has a step for."""
        with reading(self._engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT DISTINCT source, object FROM plan_step WHERE plan_id = ?"
                " ORDER BY source, object",
                (plan,),
            ).all()
        return [(row.source, row.object) for row in rows]

    def steps(self, plan: str, *, states: Sequence[str] = ()) -> Iterator[Journalled]:
        """Stream the steps of a plan in order, of some states only if given.

        Raises:
            Unfound: there is no such plan.
        """
        self.plan(plan)
        wanted = json.dumps(sorted(states))
        last = 0
        while True:
            with reading(self._engine) as connection:
                rows = connection.exec_driver_sql(_STEPS, (plan, last, wanted, wanted, _PAGE)).all()
            for row in rows:
                yield _journalled(row)
            if len(rows) < _PAGE:
                return
            last = rows[-1].no

    def approve(self, plan: str, by: str, at: datetime) -> None:
        """Note an approval and seal it; a second one by the same person changes nothing.

        Raises:
            Unfound: there is no such plan.
        """
        with writing(self._engine) as connection:
            _exists(connection, plan)
            added = connection.exec_driver_sql(
                "INSERT INTO approval (plan_id, approver, at) VALUES (?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (plan, by, micros(at)),
            ).rowcount
            if added:
                seal(connection, "approval", approval_entry(plan, by), at)

    def approvals(self, plan: str) -> Sequence[tuple[str, datetime]]:
        """Return who approved, and when."""
        with reading(self._engine) as connection:
            _exists(connection, plan)
            rows = connection.exec_driver_sql(
                "SELECT approver, at FROM approval WHERE plan_id = ? ORDER BY at, approver",
                (plan,),
            ).all()
        return [(row.approver, at_micros(row.at)) for row in rows]

    def intend(self, plan: str, before: Mapping[str, Tokens], at: datetime) -> None:
        """Mark planned steps as being sent, all or none, and seal that; durable on return.

        A crash inside leaves them all planned, a crash after it leaves them all sending.

        Raises:
            LeaseLost: some step is not planned any more; another runner has taken it up.
        """
        if not before:
            return
        with writing(self._engine) as connection:
            states = _states(connection, plan, before)
            if any(state != StepState.PLANNED for state in states.values()):
                raise taken(plan)
            bulk.update(
                connection,
                "plan_step",
                _STEP_KEY,
                ("state", "before", "sent_at"),
                [
                    (plan, step, StepState.SENDING, json.dumps(dict(tokens)), micros(at))
                    for step, tokens in before.items()
                ],
            )
            seal(connection, "write", write_entry(plan, before), at)

    def settle(self, plan: str, outcomes: Sequence[Outcome], at: datetime) -> None:
        """Note how steps ended and seal each outcome, in one transaction.

        A settled step never changes again: a second outcome for it is passed over.
        """
        with writing(self._engine) as connection:
            states = _states(connection, plan, [outcome.step for outcome in outcomes])
            fresh = [each for each in outcomes if states[each.step] != StepState.SETTLED]
            if not fresh:
                return
            bulk.update(
                connection,
                "plan_step",
                _STEP_KEY,
                ("state", "settled_at", "result", "detail", "fields"),
                [
                    (
                        plan,
                        each.step,
                        StepState.SETTLED,
                        micros(at),
                        each.result.value,
                        each.detail,
                        json.dumps({name: result.value for name, result in each.fields.items()}),
                    )
                    for each in fresh
                ],
            )
            seal_all(connection, "outcome", [outcome_entry(plan, each) for each in fresh], at)

    def tally(self, plan: str) -> Mapping[Result, int]:
        """Return how many steps ended in each way."""
        with reading(self._engine) as connection:
            _exists(connection, plan)
            rows = connection.exec_driver_sql(
                "SELECT result, count(*) AS steps FROM plan_step "
                "WHERE plan_id = ? AND result IS NOT NULL GROUP BY result",
                (plan,),
            ).all()
        return {**dict.fromkeys(Result, 0), **{Result(row.result): row.steps for row in rows}}

    def receive(self, receipt: Receipt) -> Receipt:
        """Keep and seal a receipt; return it with its leaf index. A second one replaces none."""
        with writing(self._engine) as connection:
            _exists(connection, receipt.plan)
            kept = replace(receipt, leaf=size_of(connection))
            seal(connection, "receipt", receipt_entry(receipt), receipt.applied_at)
            connection.exec_driver_sql(
                "INSERT INTO receipt (plan_id, applied_at, applied_by, planned, outcomes, "
                "api_calls, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    kept.plan,
                    micros(kept.applied_at),
                    kept.applied_by,
                    kept.planned,
                    json.dumps({result.value: n for result, n in kept.outcomes.items()}),
                    kept.api_calls,
                    kept.leaf,
                ),
            )
        return kept

    def receipt(self, plan: str) -> Receipt | None:
        """Return the newest receipt of a plan, if it was applied."""
        with reading(self._engine) as connection:
            _exists(connection, plan)
            row = connection.exec_driver_sql(_RECEIPT, (plan,)).first()
        if row is None:
            return None
        outcomes = {Result(name): n for name, n in json.loads(row.outcomes).items()}
        return Receipt(
            plan=row.plan_id,
            applied_at=at_micros(row.applied_at),
            applied_by=row.applied_by,
            planned=row.planned,
            outcomes=outcomes,
            api_calls=row.api_calls,
            leaf=row.leaf,
        )


def _exists(connection: Connection, plan: str) -> None:
    found = connection.exec_driver_sql("SELECT 1 FROM plan WHERE id = ?", (plan,)).first()
    if found is None:
        raise unfound(plan)


def _states(connection: Connection, plan: str, steps: Iterable[str]) -> dict[str, str]:
    """Return the states of some steps.

    Raises:
        Unfound: there is no such plan, or it has no such step.
    """
    _exists(connection, plan)
    wanted = list(steps)
    rows = connection.exec_driver_sql(_STATES, (json.dumps(wanted), plan)).all()
    states: dict[str, str] = {row.step_id: row.state for row in rows}
    for step in wanted:
        if step not in states:
            raise no_step(plan, step)
    return states


def _row(plan: str, no: int, step: Step) -> tuple[Any, ...]:
    return (
        plan,
        no,
        step.id,
        step.ref.source,
        step.ref.object,
        step.ref.id,
        step.action.value,
        json.dumps(dict(step.expect)),
        json.dumps(dict(step.write)),
        json.dumps(dict(step.left)),
        step.reason,
        step.salt,
        step_digest(step),
        StepState.PLANNED,
        "{}",
        "",
        "{}",
    )


def _plan(row: Any) -> Plan:
    terms = json.loads(row.terms)
    return Plan(
        id=row.id,
        digest=row.digest,
        author=row.author,
        created=at_micros(row.created),
        expires=at_micros(row.expires),
        source=row.source,
        selection=terms["selection"],
        on_conflict=OnConflict(terms["on_conflict"]),
        counts={Action(name): count for name, count in terms["counts"].items()},
        api_calls=terms["api_calls"],
        approvals_required=terms["approvals_required"],
        undoes=terms["undoes"],
    )


def _journalled(row: Any) -> Journalled:
    step = Step(
        id=row.step_id,
        ref=Ref(row.source, row.object, row.record),
        action=Action(row.action),
        expect=_object(row.expect),
        write=_object(row.write),
        left=_object(row.left),
        reason=row.reason,
        salt=row.salt or "",
    )
    outcome = None
    if row.result is not None:
        fields = {name: Result(result) for name, result in _object(row.fields).items()}
        outcome = Outcome(step.id, Result(row.result), row.detail, fields)
    at = at_micros(row.sent_at if row.settled_at is None else row.settled_at)
    gone = bytes(row.digest) if row.salt is None and row.digest is not None else None
    return Journalled(step, row.state, _object(row.before), outcome, at, gone)


def _object(text: str) -> dict[str, str]:
    """Decode a JSON object; most are empty, and there are five a step."""
    decoded: dict[str, str] = {} if text == "{}" else json.loads(text)
    return decoded
