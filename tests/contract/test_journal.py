"""The contract of `crmtrail.ports.Journal`, kept by the journal in SQL and by the one in memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from crmtrail.errors import LeaseLost, Unfound
from crmtrail.model import NULL, Action, Outcome, Receipt, Result
from crmtrail.ports import Journal, Journalled, StepState
from rollback.journal import SqlJournal
from rollback.memory import MemoryJournal
from snapshot.database import reading
from snapshot.engine import open_store
from snapshot.store import SqlStore
from support.memory_connector import Ticking
from support.restoring import at, plan_of, ref, step, text
from support.store_rig import postgres_store

RESTORED = Outcome("1", Result.RESTORED, "put back", {"Phone": Result.RESTORED})


@dataclass
class Rig:
    journal: Journal
    kinds: Callable[[], list[str]]
    """The kinds of the ledger's entries, in order."""


class Ledger:
    def __init__(self) -> None:
        self.entries: list[tuple[str, Mapping[str, Any]]] = []

    def seal(self, kind: str, entry: Mapping[str, Any], _at: datetime) -> int:
        self.entries.append((kind, entry))
        return len(self.entries) - 1


def memory_rig(_folder: Path) -> Iterator[Rig]:
    ledger = Ledger()
    yield Rig(MemoryJournal(ledger.seal), lambda: [kind for kind, _ in ledger.entries])


def sql_rig(folder: Path) -> Iterator[Rig]:
    store = open_store(f"sqlite:///{folder / 'crmtrail.db'}", Ticking())
    try:
        yield from rig_over(store)
    finally:
        store.close()


def server_rig(_folder: Path) -> Iterator[Rig]:
    with postgres_store(Ticking()) as store:
        yield from rig_over(store)


def rig_over(store: SqlStore) -> Iterator[Rig]:
    def kinds() -> list[str]:
        with reading(store.engine) as connection:
            return list(connection.exec_driver_sql("SELECT kind FROM leaf ORDER BY idx").scalars())

    yield Rig(SqlJournal(store.engine), kinds)
    assert store.verify().ok


@pytest.fixture(params=[memory_rig, sql_rig, server_rig], ids=["memory", "sql", "postgres"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    yield from request.param(tmp_path)


def filed(journal: Journal, count: int = 3, id_: str = "plan-1") -> None:
    steps = [step(str(no)) for no in range(1, count + 1)]
    journal.file(plan_of(steps, id_=id_), iter(steps))


def ended(id_: str, result: Result) -> Outcome:
    return Outcome(id_, result, "as it ended", {"Phone": result})


def of_state(journal: Journal, *states: str) -> list[str]:
    return [each.step.id for each in journal.steps("plan-1", states=states)]


def test_a_plan_is_kept_as_it_was_made(rig: Rig) -> None:
    steps = [
        step("1", expect={"Phone": NULL}, write={"Phone": '"\\ud800 \\u00e9 1.10"'}),
        step("2", action=Action.BLOCKED, expect={}, write={}, left={"Title": "von Zoë"}),
        step("3", record=ref("a:b:c")),
    ]
    plan = replace(plan_of(steps, approvals_required=1), undoes="plan-0")
    rig.journal.file(plan, iter(steps))
    assert rig.journal.plan("plan-1") == plan
    assert list(rig.journal.steps("plan-1")) == [
        Journalled(each, StepState.PLANNED) for each in steps
    ]
    assert rig.kinds() == ["plan"]


def test_a_plan_that_does_not_exist_is_unfound(rig: Rig) -> None:
    with pytest.raises(Unfound, match="no plan plan-9"):
        rig.journal.plan("plan-9")
    with pytest.raises(Unfound):
        list(rig.journal.steps("plan-9"))
    with pytest.raises(Unfound):
        rig.journal.approve("plan-9", "ada", at(1))
    with pytest.raises(Unfound):
        rig.journal.tally("plan-9")
    with pytest.raises(Unfound):
        rig.journal.receipt("plan-9")


def test_a_plan_whose_steps_fail_to_stream_is_not_kept(rig: Rig) -> None:
    def broken() -> Iterator[Any]:
        yield step("1")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk"):
        rig.journal.file(plan_of([step("1")]), broken())
    assert rig.journal.plans() == []
    assert rig.kinds() == []


def test_plans_are_listed_newest_first(rig: Rig) -> None:
    for id_, minutes in (("plan-a", 1), ("plan-c", 3), ("plan-b", 2)):
        rig.journal.file(plan_of([], id_=id_, created=at(minutes)), iter(()))
    assert [plan.id for plan in rig.journal.plans()] == ["plan-c", "plan-b", "plan-a"]


def test_new_ids_differ(rig: Rig) -> None:
    assert len({rig.journal.next_id() for _ in range(200)}) == 200


def test_steps_stream_in_the_order_of_the_plan_beyond_one_page(rig: Rig) -> None:
    filed(rig.journal, 1203)
    assert [each.step.id for each in rig.journal.steps("plan-1")] == [
        str(no) for no in range(1, 1204)
    ]


def test_steps_may_be_settled_while_they_stream(rig: Rig) -> None:
    filed(rig.journal, 1100)
    met: list[str] = []
    settled = 0
    for each in rig.journal.steps("plan-1", states=(StepState.PLANNED,)):
        met.append(each.step.id)
        if len(met) % 110 == 0:
            outcomes = [ended(id_, Result.ALREADY) for id_ in met[settled:]]
            rig.journal.settle("plan-1", outcomes, at(1))
            settled = len(met)
    assert met == [str(no) for no in range(1, 1101)]
    assert of_state(rig.journal, StepState.PLANNED) == []


def test_an_intent_keeps_what_was_read_before(rig: Rig) -> None:
    filed(rig.journal)
    rig.journal.intend("plan-1", {"2": {"Phone": '"N/A"'}}, at(2))
    (sending,) = rig.journal.steps("plan-1", states=(StepState.SENDING,))
    assert sending == Journalled(step("2"), StepState.SENDING, {"Phone": '"N/A"'}, None, at(2))
    assert of_state(rig.journal, StepState.PLANNED) == ["1", "3"]
    assert of_state(rig.journal, StepState.PLANNED, StepState.SENDING) == ["1", "2", "3"]


def test_a_step_is_taken_up_once(rig: Rig) -> None:
    filed(rig.journal)
    rig.journal.intend("plan-1", {"2": {"Phone": NULL}}, at(2))
    with pytest.raises(LeaseLost, match="another runner"):
        rig.journal.intend("plan-1", {"1": {"Phone": NULL}, "2": {"Phone": text("x")}}, at(3))
    assert of_state(rig.journal, StepState.SENDING) == ["2"]
    rig.journal.settle("plan-1", [ended("2", Result.RESTORED)], at(4))
    with pytest.raises(LeaseLost):
        rig.journal.intend("plan-1", {"2": {"Phone": NULL}}, at(5))


def test_a_settled_step_keeps_its_before_image_and_never_changes(rig: Rig) -> None:
    filed(rig.journal)
    rig.journal.intend("plan-1", {"1": {"Phone": NULL}}, at(2))
    rig.journal.settle("plan-1", [RESTORED], at(3))
    rig.journal.settle("plan-1", [ended("1", Result.FAILED)], at(4))
    first, *_ = rig.journal.steps("plan-1")
    assert first == Journalled(step("1"), StepState.SETTLED, {"Phone": NULL}, RESTORED, at(3))
    assert rig.kinds() == ["plan", "write", "outcome"]


def test_a_batch_is_sealed_before_it_is_sent(rig: Rig) -> None:
    filed(rig.journal, 4)
    rig.journal.intend("plan-1", {"1": {}, "2": {"Phone": NULL}}, at(2))
    rig.journal.intend("plan-1", {}, at(3))
    rig.journal.intend("plan-1", {"4": {}}, at(4))
    assert rig.kinds() == ["plan", "write", "write"]


def test_the_objects_that_a_plan_has_steps_for(rig: Rig) -> None:
    filed(rig.journal, 3)
    [first, *_] = rig.journal.steps("plan-1")
    assert rig.journal.objects("plan-1") == [(first.step.ref.source, first.step.ref.object)]


def test_a_step_the_plan_does_not_have_is_unfound(rig: Rig) -> None:
    filed(rig.journal)
    with pytest.raises(Unfound, match="no step 9"):
        rig.journal.settle("plan-1", [ended("9", Result.FAILED)], at(1))
    with pytest.raises(Unfound, match="no step 9"):
        rig.journal.intend("plan-1", {"9": {}}, at(1))


def test_the_tally_counts_settled_steps_by_result(rig: Rig) -> None:
    filed(rig.journal, 4)
    assert rig.journal.tally("plan-1") == dict.fromkeys(Result, 0)
    outcomes = [
        ended("1", Result.RESTORED),
        ended("2", Result.CONFLICT),
        ended("3", Result.RESTORED),
    ]
    rig.journal.settle("plan-1", outcomes, at(3))
    tally = rig.journal.tally("plan-1")
    assert (tally[Result.RESTORED], tally[Result.CONFLICT]) == (2, 1)
    assert sum(tally.values()) == 3
    assert rig.kinds() == ["plan", "outcome", "outcome", "outcome"]


def test_one_person_approves_once(rig: Rig) -> None:
    filed(rig.journal)
    rig.journal.approve("plan-1", "ada", at(2))
    rig.journal.approve("plan-1", "bob", at(1))
    rig.journal.approve("plan-1", "ada", at(3))
    assert rig.journal.approvals("plan-1") == [("bob", at(1)), ("ada", at(2))]
    assert rig.kinds() == ["plan", "approval", "approval"]


def test_the_newest_receipt_counts_and_older_ones_stay_sealed(rig: Rig) -> None:
    filed(rig.journal)
    assert rig.journal.receipt("plan-1") is None
    receipt = Receipt(
        plan="plan-1",
        applied_at=at(5),
        applied_by="grace",
        planned=3,
        outcomes={**dict.fromkeys(Result, 0), Result.RESTORED: 3},
        api_calls=7,
        leaf=-1,
    )
    first = rig.journal.receive(receipt)
    second = rig.journal.receive(replace(receipt, applied_at=at(6), api_calls=1))
    assert (first, second.leaf) == (replace(receipt, leaf=1), 2)
    assert rig.journal.receipt("plan-1") == second
    assert rig.kinds() == ["plan", "receipt", "receipt"]
