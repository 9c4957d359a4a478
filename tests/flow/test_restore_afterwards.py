"""What becomes of a plan after it was applied, stopped, undone or left too late."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crmtrail.config import RestoreConfig
from crmtrail.errors import Mistake, PlanUnfit
from crmtrail.model import NULL, Answer, Plan, Result, Verdict
from rollback.life import State, state_of, undoings
from rollback.receipt import as_text
from rollback.run import Ending, Hooks
from rollback.selections import ByObject, ByUndo
from support.restore_rig import Rig, counted, good, outcomes, sql_rig
from support.restoring import ADA, SYNC, US, text


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with sql_rig(tmp_path) as rig:
        yield rig


def cut_short(rig: Rig, count: int) -> Plan:
    """Apply a plan that ends after its canary of ten."""
    plan = rig.planned(count)
    rig.apply(plan, hooks=Hooks(stopping=lambda: len(rig.crm.written) == 1))
    return plan


def state(rig: Rig, plan: Plan) -> State:
    return state_of(rig.journal, plan, rig.clock.now(), undoings(rig.journal))


def test_a_plan_that_was_undone_in_part_is_not_gone_on_with(rig: Rig) -> None:
    plan = cut_short(rig, 40)
    assert state(rig, plan) is State.PARTLY
    undo = rig.plan(ByUndo(plan.id))
    rig.apply(undo)
    written = len(rig.crm.written)
    with pytest.raises(PlanUnfit, match=f"plan {plan.id} was undone by plan {undo.id}"):
        rig.apply(plan)
    assert len(rig.crm.written) == written
    assert set(rig.phones()) == {NULL}
    assert (state(rig, plan), state(rig, undo)) == (State.UNDONE, State.APPLIED)


def test_a_resume_tells_how_the_steps_of_earlier_calls_stand_now(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(canary=2), write_batch=3) as rig:
        plan = rig.planned(8)
        rig.apply(plan, hooks=Hooks(stopping=lambda: len(rig.crm.written) == 1))
        rig.crm.edit("001", {"Phone": NULL}, ADA)
        resumed = rig.apply(plan)
        assert resumed.receipt is not None
        assert counted(resumed.receipt.outcomes) == {"restored": 7, "conflict": 1}
        ended = outcomes(resumed)
        assert ended["001"].result is Result.CONFLICT
        assert "changed since by Ada" in ended["001"].detail
        assert ended["000"].result is ended["007"].result is Result.RESTORED
        assert rig.crm.value("001", "Phone") == NULL, "nothing is written twice"
        assert set(rig.crm.effective.values()) == {1}


def test_an_expired_plan_and_one_through_say_so(rig: Rig) -> None:
    plan = rig.planned(2)
    assert state(rig, plan) is State.PLANNED
    rig.clock.move(timedelta(days=3))
    assert state(rig, plan) is State.EXPIRED


def test_a_conflict_names_who_changed_that_field_and_never_us(tmp_path: Path) -> None:
    with sql_rig(tmp_path, history=False) as rig:
        plan = rig.planned(3)
        rig.crm.edit("000", {"Phone": text("repaired")}, ADA)
        rig.sync()
        rig.crm.edit("000", {"Title": text("Prof")}, SYNC)
        rig.crm.edit("001", {"Phone": text("ours")}, US)
        ended = outcomes(rig.apply(plan))
    assert "Phone: changed since by Ada at " in ended["000"].detail
    assert ended["001"].detail == "Phone: changed since"


def test_the_stricter_of_plan_and_config_says_who_must_approve(rig: Rig) -> None:
    plan = rig.planned(3)
    assert plan.approvals_required == 0
    rig.restore = RestoreConfig(four_eyes_above=1)
    with pytest.raises(PlanUnfit, match="needs 1 approval") as refused:
        rig.apply(plan)
    assert refused.value.hint.endswith("under their own name")
    rig.journal.approve(plan.id, "bob", rig.clock.now())
    assert rig.apply(plan).ending is Ending.DONE
    assert rig.phones() == good(range(3))


def test_an_object_nobody_synced_is_no_plan(rig: Rig) -> None:
    rig.blanked(1)
    with pytest.raises(Mistake, match="there is no object sf:Nope in the store"):
        rig.plan(ByObject("sf", "Nope", rig.clock.now()))


def test_a_second_apply_repeats_why_a_step_was_refused(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.refusals = {"001": Answer("", Verdict.REFUSED, "LOCKED", "the record is locked")}
    first = outcomes(rig.apply(plan))["001"]
    again = outcomes(rig.apply(plan))["001"]
    assert "the record is locked" in again.detail
    assert (again.result, again.detail) == (first.result, first.detail)


def test_steps_that_the_stop_rule_kept_back_are_counted_not_listed(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(canary=4, stop_at_failed_share=0.25)) as rig:
        plan = rig.planned(20)
        locked = Answer("", Verdict.REFUSED, "LOCKED", "locked")
        rig.crm.refusals = {"000": locked, "002": locked}
        halted = rig.apply(plan)
        assert halted.receipt is not None
        lines = list(as_text(halted.receipt, halted.steps(), unreached=halted.unreached))
    assert halted.why == "stopped after 2 of 4 records failed or were refused"
    assert sum("refused: sf:Contact:" in line for line in lines) == 2
    assert not any("not attempted" in line for line in lines)
