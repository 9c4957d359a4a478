"""Plans made and applied against a CRM in memory, with the real store and journal."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crmtrail.config import RestoreConfig
from crmtrail.errors import (
    LeaseLost,
    Mistake,
    PermissionMissing,
    PlanUnfit,
    StopAll,
    Throttled,
    Unfound,
)
from crmtrail.model import (
    NULL,
    Action,
    Answer,
    OnConflict,
    Op,
    Plan,
    Result,
    Verdict,
)
from crmtrail.ports import StepState
from rollback.receipt import as_json, as_text, sealed
from rollback.run import TRIES, Ending, Hooks, Progress
from rollback.selections import ByIncident, ByObject, ByOperation, ByRecords, ByUndo
from snapshot.database import DRIVER
from support.memory_connector import Fault
from support.restore_rig import Rig, contact, counted, good, outcomes, sql_rig
from support.restoring import ADA, SYNC, US, text


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with sql_rig(tmp_path) as rig:
        yield rig


class Killed(BaseException):
    """The process dies here."""


def kill_at(rig: Rig, name: str) -> None:
    def die(boundary: str) -> None:
        if boundary == name:
            rig.crm.boundary = lambda _name: None
            raise Killed

    rig.crm.boundary = die


# --- making plans ----------------------------------------------------------------------------


def test_a_plan_for_an_operation_names_what_it_expects_and_writes(rig: Rig) -> None:
    plan = rig.planned(3)
    steps = [each.step for each in rig.journal.steps(plan.id)]
    assert [step.ref for step in steps] == [contact(0), contact(1), contact(2)]
    assert [step.write for step in steps] == [{"Phone": phone} for phone in good(range(3))]
    assert all(step.expect == {"Phone": NULL} for step in steps)
    assert plan.counts == {**dict.fromkeys(Action, 0), Action.UPDATE: 3}
    assert rig.journal.plan(plan.id) == plan
    assert rig.crm.written == []


def test_a_plan_for_an_incident_leaves_what_the_incident_is_not_about(rig: Rig) -> None:
    operation = rig.blanked(4)
    (incident,) = rig.store.incidents()
    assert incident.operation.id == operation.id
    plan = rig.plan(ByIncident(incident.id))
    assert plan.selection == {"kind": "incident", "incident": incident.id}
    assert plan.counts[Action.UPDATE] == 4


def test_a_plan_keeps_later_edits_unless_told_otherwise(rig: Rig) -> None:
    operation = rig.blanked(3)
    rig.crm.edit("001", {"Phone": text("new")}, ADA)
    rig.sync()
    kept = rig.plan(ByOperation(operation.id))
    assert (kept.counts[Action.UPDATE], kept.counts[Action.CONFLICT]) == (2, 1)
    (left,) = [each.step for each in rig.journal.steps(kept.id) if each.step.left]
    assert left.ref == contact(1)
    assert "changed since by Ada" in left.left["Phone"]
    over = rig.plan(ByOperation(operation.id), on_conflict=OnConflict.OVERWRITE)
    assert over.counts[Action.UPDATE] == 3
    assert counted(outcomes_of(rig, over)) == {"restored": 3}
    assert rig.phones() == good(range(3))


def outcomes_of(rig: Rig, plan: Plan) -> dict[Result, int]:
    receipt = rig.apply(plan).receipt
    assert receipt is not None
    return dict(receipt.outcomes)


def test_records_go_back_to_a_time_field_by_field(rig: Rig) -> None:
    rig.blanked(1)
    then = rig.clock.now()
    rig.clock.move(timedelta(minutes=5))
    rig.crm.edit("000", {"Phone": text("x"), "Title": text("y"), "Score": "9"}, ADA)
    rig.sync()
    narrow = rig.plan(ByRecords((contact(0),), then, ("Title",)))
    (step,) = [each.step for each in rig.journal.steps(narrow.id)]
    assert (step.expect, step.write) == ({"Title": text("y")}, {"Title": text("Dr")})
    whole = rig.plan(ByRecords((contact(0), contact(0)), then))
    (step,) = [each.step for each in rig.journal.steps(whole.id)]
    assert step.write == {"Title": text("Dr"), "Phone": NULL}


def test_an_object_goes_back_to_a_time(rig: Rig) -> None:
    rig.blanked(3)
    then = rig.clock.now()
    rig.clock.move(timedelta(minutes=5))
    rig.crm.edit("001", {"Title": text("y")}, ADA)
    rig.sync()
    plan = rig.plan(ByObject("sf", "Contact", then))
    assert [each.step.ref for each in rig.journal.steps(plan.id)] == [contact(1)]
    assert counted(outcomes_of(rig, plan)) == {"restored": 1}


@pytest.mark.parametrize(
    ("fields", "ahead", "message"),
    [(("Fone",), 0, "Contact has no field Fone"), ((), 60, "is in the future")],
)
def test_a_senseless_selection_is_refused(
    rig: Rig, fields: tuple[str, ...], ahead: int, message: str
) -> None:
    rig.blanked(1)
    when = rig.clock.now() + timedelta(minutes=ahead)
    with pytest.raises(Mistake, match=message):
        rig.plan(ByRecords((contact(0),), when, fields))
    assert rig.journal.plans() == []


def test_records_of_two_sources_need_two_plans(rig: Rig) -> None:
    refs = (contact(0), replace(contact(0), source="hs"))
    with pytest.raises(Mistake, match="one plan is for one source, not for hs and sf"):
        rig.plan(ByRecords(refs, rig.clock.now()))


# --- applying --------------------------------------------------------------------------------


def test_a_restore_puts_back_reads_back_and_seals(rig: Rig) -> None:
    plan = rig.planned(25)
    applied = rig.apply(plan)
    assert applied.ending is Ending.DONE
    assert rig.phones() == good(range(25))
    assert [len(batch) for batch in rig.crm.written] == [10, 15]
    receipt = applied.receipt
    assert receipt is not None
    assert receipt.planned == sum(receipt.outcomes.values()) == 25
    assert counted(receipt.outcomes) == {"restored": 25}
    assert receipt.api_calls == plan.api_calls
    assert rig.journal.receipt(plan.id) == receipt
    assert set(rig.crm.effective.values()) == {1}


def test_our_own_writes_are_in_the_history_as_restores(rig: Rig) -> None:
    plan = rig.planned(3)
    before = len(rig.store.operations())
    rig.apply(plan)
    newest = rig.store.timeline(contact(0))[-1]
    assert (newest.op, newest.transaction) == (Op.RESTORE, plan.id)
    assert newest.actor.id == US.id
    assert len(rig.store.operations()) == before


def test_applying_twice_finds_everything_right_and_writes_nothing(rig: Rig) -> None:
    operation = rig.blanked(4)
    rig.crm.edit("003", {"Phone": text("new")}, ADA)
    rig.sync()
    plan = rig.plan(ByOperation(operation.id))
    rig.crm.edit("002", {"Phone": text("newer")}, ADA)
    first = rig.apply(plan)
    assert first.receipt is not None
    assert counted(first.receipt.outcomes) == {"restored": 2, "conflict": 2}
    written = len(rig.crm.written)
    rig.crm.edit("001", {"Phone": text("later")}, ADA)
    again = rig.apply(plan)
    assert again.ending is Ending.CHECKED
    assert again.receipt is not None
    assert counted(again.receipt.outcomes) == {"already": 1, "conflict": 3}
    assert len(rig.crm.written) == written
    found = outcomes(again)
    assert found["000"].result is Result.ALREADY
    assert "changed since by Ada" in found["001"].detail
    assert found["002"].result is found["003"].result is Result.CONFLICT
    assert again.receipt.leaf > first.receipt.leaf
    third = rig.apply(plan)
    assert third.ending is Ending.CHECKED


def test_a_colleagues_repair_is_kept_and_remembered(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.edit("001", {"Phone": text("repaired")}, ADA)
    applied = rig.apply(plan)
    ended = outcomes(applied)["001"]
    assert ended.result is Result.CONFLICT
    assert "changed since by Ada at 2026-11-20 " in ended.detail
    assert "repaired" not in ended.detail
    assert rig.crm.value("001", "Phone") == text("repaired")
    newest = rig.store.timeline(contact(1), "Phone")[-1]
    assert (newest.op, newest.actor) == (Op.UPDATE, ADA)


def test_a_value_put_back_by_hand_needs_no_write(rig: Rig) -> None:
    plan = rig.planned(1)
    rig.crm.edit("000", {"Phone": text("555-0")}, ADA)
    applied = rig.apply(plan)
    assert outcomes(applied)["000"].result is Result.ALREADY
    assert rig.crm.written == []


def test_an_edit_of_another_field_is_no_conflict(rig: Rig) -> None:
    plan = rig.planned(1)
    rig.crm.edit("000", {"Title": text("Prof")}, ADA)
    applied = rig.apply(plan)
    assert outcomes(applied)["000"].result is Result.RESTORED
    assert rig.crm.things["000"].fields["Title"] == text("Prof")


def test_an_earlier_blank_is_put_back(rig: Rig) -> None:
    rig.blanked(1)
    then = rig.clock.now()
    rig.clock.move(timedelta(minutes=1))
    rig.crm.edit("000", {"Phone": text("spam")}, SYNC)
    rig.sync()
    applied = rig.apply(rig.plan(ByRecords((contact(0),), then, ("Phone",))))
    assert outcomes(applied)["000"].result is Result.RESTORED
    assert rig.crm.value("000", "Phone") == NULL


def test_a_record_deleted_since_is_a_conflict_and_one_not_returned_a_failure(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.delete("000", ADA)
    rig.crm.hidden.add("001")
    found = outcomes(rig.apply(plan))
    assert found["000"].result is Result.CONFLICT
    assert "deleted since by Ada" in found["000"].detail
    assert found["001"].result is Result.FAILED
    assert found["002"].result is Result.RESTORED


def test_a_refusal_keeps_to_its_record_and_tells_the_vendors_words(rig: Rig) -> None:
    plan = rig.planned(8)
    rig.crm.refusals["001"] = Answer(
        "", Verdict.REFUSED, "ENTITY_IS_LOCKED", "the record is locked", "it awaits approval"
    )
    found = outcomes(rig.apply(plan))
    assert found.pop("001").detail == (
        "Phone: refused by the CRM: the record is locked (ENTITY_IS_LOCKED); it awaits approval"
    )
    assert {ended.result for ended in found.values()} == {Result.RESTORED}


def test_a_token_that_may_not_write_is_a_refusal_of_each_record(rig: Rig) -> None:
    plan = rig.planned(2)
    rig.crm.faults = [Fault(landed=False, error=PermissionMissing("may not edit Contact"))]
    found = outcomes(rig.apply(plan))
    assert {ended.result for ended in found.values()} == {Result.REFUSED}
    assert "may not edit Contact" in found["000"].detail


def test_a_write_accepted_but_not_kept_has_failed(rig: Rig) -> None:
    plan = rig.planned(8)
    rig.crm.unkept.add("001")
    rig.crm.altered["002"] = text("+1 555")
    found = outcomes(rig.apply(plan))
    assert found["001"].result is found["002"].result is Result.FAILED
    assert "not kept: it still holds the value from before" in found["001"].detail
    assert "not kept: it now holds another value" in found["002"].detail


def test_an_edit_between_write_and_read_back_is_a_conflict(rig: Rig) -> None:
    plan = rig.planned(2)
    rig.crm.meanwhile = lambda: rig.crm.edit("001", {"Phone": text("fresh")}, ADA)
    found = outcomes(rig.apply(plan))
    assert found["001"].result is Result.CONFLICT
    assert "changed since by Ada" in found["001"].detail
    assert "while the restore ran" in found["001"].detail
    assert rig.crm.value("001", "Phone") == text("fresh")


@pytest.mark.parametrize("history", [True, False])
def test_a_lost_answer_is_no_reason_to_write_again(tmp_path: Path, history: bool) -> None:
    with sql_rig(tmp_path, history=history) as rig:
        plan = rig.planned(3)
        rig.crm.faults = [Fault(landed=True)]
        assert {e.result for e in outcomes(rig.apply(plan)).values()} == {Result.RESTORED}
        assert len(rig.crm.written) == 1


@pytest.mark.parametrize("history", [True, False])
def test_a_lost_request_is_sent_again_once_reading_proves_it(tmp_path: Path, history: bool) -> None:
    with sql_rig(tmp_path, history=history) as rig:
        plan = rig.planned(3)
        rig.crm.faults = [Fault(landed=False), None]
        assert {e.result for e in outcomes(rig.apply(plan)).values()} == {Result.RESTORED}
        assert len(rig.crm.written) == 2
        assert set(rig.crm.effective.values()) == {1}


def test_a_record_the_answer_does_not_mention_is_judged_by_reading(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.silent.add("001")
    assert outcomes(rig.apply(plan))["001"].result is Result.RESTORED
    assert len(rig.crm.written) == 1


def test_a_write_that_never_lands_fails_after_a_few_tries(rig: Rig) -> None:
    plan = rig.planned(1)
    rig.crm.faults = [Fault(landed=False)] * 9
    ended = outcomes(rig.apply(plan))["000"]
    assert ended.result is Result.FAILED
    assert "the value is unchanged" in ended.detail
    assert len(rig.crm.written) == TRIES


@pytest.mark.parametrize("history", [True, False])
def test_after_a_lost_answer_a_bad_value_written_again_is_left_alone(
    tmp_path: Path, history: bool
) -> None:
    with sql_rig(tmp_path, history=history) as rig:
        plan = rig.planned(1)
        rig.crm.faults = [Fault(landed=True)]
        rig.crm.meanwhile = lambda: rig.crm.edit("000", {"Phone": NULL}, SYNC)
        ended = outcomes(rig.apply(plan))["000"]
        assert ended.result is Result.CONFLICT
        assert sum(rig.crm.effective.values()) == 1
        assert len(rig.crm.written) == 1


def test_fields_left_by_the_plan_count_in_the_outcome(rig: Rig) -> None:
    rig.blanked(1)
    then = rig.clock.now()
    rig.clock.move(timedelta(minutes=1))
    rig.crm.edit("000", {"Phone": text("x"), "Score": "9", "Code": "7"}, SYNC)
    rig.sync()
    plan = rig.plan(ByRecords((contact(0),), then, ("Phone", "Score", "Code", "Title")))
    ended = outcomes(rig.apply(plan))["000"]
    # Score is computed: it follows the others, and that it did is no failure.
    assert ended.fields == {"Phone": Result.RESTORED, "Code": Result.REFUSED}
    assert ended.result is Result.REFUSED


# --- what may not be applied -----------------------------------------------------------------


def test_an_unknown_plan_is_unfound(rig: Rig) -> None:
    plan = rig.planned(1)
    with pytest.raises(Unfound):
        rig.apply(replace(plan, id="plan-none"))


def test_a_plan_of_another_source_is_refused(rig: Rig) -> None:
    plan = rig.planned(1)
    rig.crm.source = "hs"
    with pytest.raises(Mistake, match="is for sf, not hs"):
        rig.apply(plan)


def test_an_answer_with_another_record_means_a_merge(rig: Rig) -> None:
    plan = rig.planned(2)
    rig.crm.survivors["000"] = "001"
    ended = outcomes(rig.apply(plan))
    assert ended["000"].result is Result.CONFLICT
    assert "merged into 001" in ended["000"].detail
    assert ended["001"].result is Result.RESTORED


def test_an_altered_plan_is_refused(rig: Rig, tmp_path: Path) -> None:
    plan = rig.planned(1)
    tamper(tmp_path, 'UPDATE plan_step SET write = \'{"Phone":"\\"666\\""}\'')
    with pytest.raises(PlanUnfit, match="altered") as caught:
        rig.apply(plan)
    assert caught.value.exit_code == 13
    assert rig.crm.written == []


def test_an_expired_plan_is_refused(rig: Rig) -> None:
    plan = rig.planned(1)
    rig.clock.move(timedelta(hours=24))
    with pytest.raises(PlanUnfit, match="expired"):
        rig.apply(plan)
    assert rig.crm.written == []


def test_a_plan_that_needs_four_eyes_needs_somebody_else(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(four_eyes_above=1)) as rig:
        plan = rig.planned(2)
        assert plan.approvals_required == 1
        rig.journal.approve(plan.id, "Grace", rig.clock.now())
        with pytest.raises(PlanUnfit, match="by somebody other than its author"):
            rig.apply(plan)
        assert rig.crm.written == []
        rig.journal.approve(plan.id, "ada", rig.clock.now())
        assert counted(outcomes_of(rig, plan)) == {"restored": 2}


def test_a_small_plan_needs_no_approval(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(four_eyes_above=2)) as rig:
        assert rig.planned(2).approvals_required == 0


def test_credentials_of_another_account_are_refused(rig: Rig) -> None:
    plan = rig.planned(1)
    with pytest.raises(PlanUnfit, match="is for account org-2"):
        rig.apply(plan, account="org-2")
    assert rig.crm.written == []


# --- stopping, dying and going on ------------------------------------------------------------


def test_too_many_failures_stop_the_run_and_it_can_go_on(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(canary=4, stop_at_failed_share=0.25)) as rig:
        plan = rig.planned(20)
        locked = Answer("", Verdict.REFUSED, "LOCKED", "locked")
        rig.crm.refusals = {"000": locked, "002": locked}
        halted = rig.apply(plan)
        assert (halted.ending, halted.left) == (Ending.HALTED, 16)
        assert halted.receipt is not None
        assert halted.receipt.planned == sum(halted.receipt.outcomes.values()) == 20
        assert counted(halted.receipt.outcomes) == {"restored": 2, "refused": 2, "failed": 16}
        detail = outcomes(halted)["010"].detail
        assert "not attempted: stopped after 2 of 4 records failed or were refused" in detail
        assert len(rig.crm.written) == 1
        rig.crm.refusals.clear()
        resumed = rig.apply(plan)
        assert resumed.receipt is not None
        assert counted(resumed.receipt.outcomes) == {"restored": 18, "refused": 2}
        assert resumed.ending is Ending.DONE


def test_a_share_of_failures_at_the_limit_does_not_stop(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(canary=4, stop_at_failed_share=0.25)) as rig:
        plan = rig.planned(8)
        rig.crm.refusals = {"000": Answer("", Verdict.REFUSED, "LOCKED", "locked")}
        assert counted(outcomes_of(rig, plan)) == {"restored": 7, "refused": 1}


def test_a_stop_between_batches_makes_no_receipt_and_can_go_on(tmp_path: Path) -> None:
    with sql_rig(tmp_path, RestoreConfig(canary=2), write_batch=3) as rig:
        plan = rig.planned(8)
        stopped = rig.apply(plan, hooks=Hooks(stopping=lambda: len(rig.crm.written) == 2))
        assert (stopped.ending, stopped.receipt, stopped.left) == (Ending.STOPPED, None, 3)
        assert rig.journal.receipt(plan.id) is None
        assert counted(outcomes_of(rig, plan)) == {"restored": 8}
        assert set(rig.crm.effective.values()) == {1}


def test_many_steps_that_write_nothing_cost_no_request(rig: Rig) -> None:
    operation = rig.blanked(501)
    for no in range(501):
        rig.crm.edit(f"{no:03}", {"Phone": text("new")}, ADA)
    rig.sync()
    plan = rig.plan(ByOperation(operation.id))
    applied = rig.apply(plan)
    assert applied.receipt is not None
    assert counted(applied.receipt.outcomes) == {"conflict": 501}
    assert plan.api_calls == applied.receipt.api_calls == 0


def test_progress_adds_up(tmp_path: Path) -> None:
    told: list[Progress] = []
    with sql_rig(tmp_path, RestoreConfig(canary=2), write_batch=3) as rig:
        operation = rig.blanked(8)
        rig.crm.edit("003", {"Phone": text("new")}, ADA)
        rig.sync()
        plan = rig.plan(ByOperation(operation.id))
        rig.apply(plan, hooks=Hooks(progress=told.append))
    assert all(at.done == sum(at.outcomes.values()) <= at.planned == 8 for at in told)
    assert [at.done for at in told] == sorted(at.done for at in told)
    assert told[-1].done == 8


def test_a_lost_lease_stops_before_the_next_write(rig: Rig) -> None:
    plan = rig.planned(3)
    beats = iter((None,))

    def beat() -> None:
        if next(beats, LeaseLost) is LeaseLost:
            raise LeaseLost("somebody took over")

    with pytest.raises(LeaseLost):
        rig.apply(plan, hooks=Hooks(heartbeat=beat))
    assert rig.crm.written == []
    assert counted(outcomes_of(rig, plan)) == {"restored": 3}


def test_a_throttled_write_is_taken_up_again_later(rig: Rig) -> None:
    plan = rig.planned(2)
    rig.crm.faults = [Fault(landed=False, error=Throttled("wait"))]
    with pytest.raises(Throttled):
        rig.apply(plan)
    assert counted(outcomes_of(rig, plan)) == {"restored": 2}
    assert set(rig.crm.effective.values()) == {1}


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("where", ["write", "write landed", "write answered", "read"])
def test_a_run_killed_in_the_middle_is_finished_by_the_next(
    tmp_path: Path, where: str, history: bool
) -> None:
    with sql_rig(tmp_path, history=history) as rig:
        plan = rig.planned(3)
        kill_at(rig, where)
        with pytest.raises(Killed):
            rig.apply(plan)
        assert counted(outcomes_of(rig, plan)) == {"restored": 3}
        assert rig.phones() == good(range(3))
        assert set(rig.crm.effective.values()) == {1}


@pytest.mark.parametrize("history", [True, False])
def test_an_edit_after_a_kill_is_kept(tmp_path: Path, history: bool) -> None:
    with sql_rig(tmp_path, history=history) as rig:
        plan = rig.planned(3)
        kill_at(rig, "write landed")
        with pytest.raises(Killed):
            rig.apply(plan)
        rig.crm.edit("000", {"Phone": text("fresh")}, ADA)
        rig.crm.edit("001", {"Phone": NULL}, SYNC)
        found = outcomes(rig.apply(plan))
        assert found["000"].result is found["001"].result is Result.CONFLICT
        assert found["002"].result is Result.RESTORED
        assert rig.phones() == [text("fresh"), NULL, text("555-2")]
        assert set(rig.crm.effective.values()) == {1}


def test_a_plan_that_expired_in_the_middle_is_settled_by_reading_only(rig: Rig) -> None:
    plan = rig.planned(12)
    kill_at(rig, "write landed")
    with pytest.raises(Killed):
        rig.apply(plan)
    rig.clock.move(timedelta(hours=24))
    with pytest.raises(PlanUnfit, match="expired"):
        rig.apply(plan)
    states = [each.state for each in rig.journal.steps(plan.id)]
    assert states.count(StepState.SENDING) == 0
    assert rig.journal.tally(plan.id)[Result.RESTORED] == 10
    assert len(rig.crm.written) == 1


def test_a_receipt_lost_in_a_crash_is_made_by_the_next_apply(rig: Rig) -> None:
    plan = rig.planned(2)

    def die(progress: Progress) -> None:
        if progress.done == progress.planned:
            raise Killed

    with pytest.raises(Killed):
        rig.apply(plan, hooks=Hooks(progress=die))
    assert rig.journal.receipt(plan.id) is None
    applied = rig.apply(plan)
    assert applied.ending is Ending.DONE
    assert applied.receipt is not None
    assert counted(applied.receipt.outcomes) == {"restored": 2}


def test_a_second_runner_cannot_send_the_same_steps(rig: Rig) -> None:
    plan = rig.planned(2)

    def other(boundary: str) -> None:
        if boundary == "read answered":
            rig.crm.boundary = lambda _name: None
            rig.apply(plan)

    rig.crm.boundary = other
    with pytest.raises(LeaseLost, match="another runner"):
        rig.apply(plan)
    assert set(rig.crm.effective.values()) == {1}
    assert len(rig.crm.written) == 1


# --- the way back from the way back ----------------------------------------------------------


def test_an_undo_brings_back_what_was_there_before(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.edit("001", {"Phone": text("repaired")}, ADA)
    rig.apply(plan)
    undo = rig.plan(ByUndo(plan.id))
    assert undo.undoes == plan.id
    assert counted(outcomes_of(rig, undo)) == {"restored": 2}
    assert rig.phones() == [NULL, text("repaired"), NULL]
    redo = rig.plan(ByUndo(undo.id))
    assert counted(outcomes_of(rig, redo)) == {"restored": 2}
    assert rig.phones() == [text("555-0"), text("repaired"), text("555-2")]


def test_a_plan_that_wrote_nothing_cannot_be_undone(rig: Rig) -> None:
    plan = rig.planned(1)
    with pytest.raises(Mistake, match="has written nothing"):
        rig.plan(ByUndo(plan.id))


def test_an_interrupted_plan_is_finished_before_it_is_undone(rig: Rig) -> None:
    plan = rig.planned(1)
    kill_at(rig, "write landed")
    with pytest.raises(Killed):
        rig.apply(plan)
    with pytest.raises(PlanUnfit, match="interrupted"):
        rig.plan(ByUndo(plan.id))


# --- receipts --------------------------------------------------------------------------------


def test_a_receipt_reads_as_json_and_as_text(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.edit("001", {"Phone": text("secret")}, ADA)
    applied = rig.apply(plan)
    assert applied.receipt is not None
    document = "".join(as_json(applied.receipt, applied.steps(), {"event": "result"}))
    read = json.loads(document)
    assert read["event"] == "result"
    assert read["planned"] == sum(read["receipt"]["outcomes"].values()) == 3
    assert read["ledger"]["leaf"] == applied.receipt.leaf
    assert set(read["receipt"]["outcomes"]) == {
        "restored",
        "already",
        "conflict",
        "refused",
        "failed",
    }
    assert [step["outcome"] for step in read["receipt"]["steps"]] == [
        "restored",
        "conflict",
        "restored",
    ]
    assert read["receipt"]["steps"][1]["record"] == "sf:Contact:001"
    lines = "\n".join(as_text(applied.receipt, applied.steps()))
    assert "conflict: sf:Contact:001: Phone: changed since by Ada" in lines
    assert "secret" not in document + lines


def test_a_receipt_that_does_not_add_up_is_not_sealed(rig: Rig) -> None:
    plan = rig.planned(2)
    with pytest.raises(StopAll, match="has 2 steps, but 1 outcomes"):
        sealed(rig.journal, plan, {Result.RESTORED: 1}, by="ada", at=plan.created, api_calls=0)
    assert rig.journal.receipt(plan.id) is None


def tamper(folder: Path, statement: str) -> None:
    """Change the store behind crmtrail's back."""
    connection = DRIVER.connect(str(folder / "crmtrail.db"))
    try:
        for name in ("terms", "settled", "delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS plan_step_never_{name}")
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()
