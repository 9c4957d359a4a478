"""Erase somebody between plan and apply, in the middle of an apply, and before an undo."""

from collections.abc import Iterator

import pytest

from crmtrail.model import NULL, Result
from rollback import audit
from rollback.run import Hooks
from rollback.selections import ByUndo
from snapshot.erasing import Forgetting
from support.restore_rig import Rig, contact, counted, outcomes, sql_rig
from support.restoring import text


@pytest.fixture
def rig(tmp_path) -> Iterator[Rig]:
    with sql_rig(tmp_path) as made:
        yield made
        assert audit.first_bad(made.store.engine) is None


def erase(rig: Rig, no: int) -> None:
    forgetting = Forgetting(rig.store.engine, rig.store.shelf, rig.clock)
    forgetting.erase(str(contact(no)), why="request", by="ana")


def test_a_step_whose_record_was_erased_is_refused_and_the_rest_is_done(rig):
    plan = rig.planned(5)
    erase(rig, 1)
    applied = rig.apply(plan)
    assert counted(applied.receipt.outcomes) == {"restored": 4, "refused": 1}
    told = outcomes(applied)["001"]
    assert told.result is Result.REFUSED
    assert "erased" in told.detail
    assert rig.crm.value("001", "Phone") == NULL
    assert rig.crm.value("002", "Phone") == text("555-2")
    assert counted(rig.apply(plan).receipt.outcomes) == {"already": 4, "refused": 1}


def test_an_undo_leaves_the_erased_alone(rig):
    plan = rig.planned(5)
    rig.apply(plan)
    erase(rig, 1)
    undone = rig.apply(rig.plan(ByUndo(plan.id)))
    assert counted(undone.receipt.outcomes) == {"restored": 4}
    assert rig.crm.value("001", "Phone") == text("555-1")


def test_somebody_erased_in_the_middle_of_an_apply(rig):
    plan = rig.planned(5)
    rig.restore = rig.restore.model_copy(update={"canary": 2})
    beats = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 3:
            erase(rig, 4)

    applied = rig.apply(plan, hooks=Hooks(heartbeat=beat))
    assert len(beats) >= 3
    assert sum(applied.receipt.outcomes.values()) == 5
    assert counted(rig.journal.tally(plan.id)) in (
        {"restored": 4, "refused": 1},
        {"restored": 5},
    )


def test_a_step_that_a_crash_left_sending_is_ended_without_a_write(rig):
    plan = rig.planned(3)
    (first, *_) = rig.journal.steps(plan.id)
    rig.journal.intend(plan.id, {first.step.id: {"Phone": NULL}}, rig.clock.now())
    erase(rig, int(first.step.ref.id))
    applied = rig.apply(plan)
    assert counted(applied.receipt.outcomes) == {"restored": 2, "refused": 1}
    assert rig.crm.value(first.step.ref.id, "Phone") == NULL
