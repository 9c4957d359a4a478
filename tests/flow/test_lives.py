"""Deleted records come back, and what was not there before goes: once, whatever breaks."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crmtrail.errors import Unavailable
from crmtrail.model import (
    NULL,
    Action,
    Answer,
    Field,
    FieldType,
    Mode,
    OnConflict,
    Op,
    Plan,
    Ref,
    Result,
    Step,
    Verdict,
)
from rollback.selections import ByObject, ByOperation, ByRecords, ByUndo
from scheduler.lease import SqlLeases
from scheduler.runner import Runner
from support.memory_connector import Fault
from support.restore_rig import Rig, contact, counted, memory_rig, outcomes, sql_rig
from support.restoring import ADA, SYNC, schema, text

CONTACTS = schema(
    Field("Phone"),
    Field("Title", createable=False),
    Field("Score", computed=True, updateable=False, createable=False),
    Field("Name", nillable=False),
    Field("Code", updateable=False, createable=False),
    Field("ReportsToId", type=FieldType.REFERENCE, references=("Contact",)),
)


def lived(rig: Rig, *, undeletes: bool) -> Rig:
    """Let three people live, of whom the third reports to the first."""
    rig.crm.undeletes = undeletes
    rig.crm.learn(CONTACTS)
    rig.store.learn(CONTACTS, rig.clock.now())
    for no in range(3):
        fields = {"Phone": text(f"555-{no}"), "Title": text("Dr"), "Name": text(f"N{no}")}
        fields |= {"Score": "7", "Code": text("c"), "ReportsToId": NULL}
        rig.crm.create(f"{no:03}", fields, ADA)
    rig.crm.edit("002", {"ReportsToId": text("000")}, ADA)
    rig.sync()
    rig.before = rig.clock.now()
    return rig


@pytest.fixture
def bin_rig(tmp_path: Path) -> Iterator[Rig]:
    """A CRM that takes records out of its bin."""
    with sql_rig(tmp_path) as rig:
        yield lived(rig, undeletes=True)


@pytest.fixture
def anew_rig(tmp_path: Path) -> Iterator[Rig]:
    """A CRM where deleted records have to be made anew."""
    with sql_rig(tmp_path) as rig:
        yield lived(rig, undeletes=False)


def deleted(rig: Rig, *ids: str) -> None:
    for id_ in ids:
        rig.crm.delete(id_, SYNC)
    rig.sync()


def polled(rig: Rig) -> None:
    leases = SqlLeases(rig.store.engine, rig.clock)
    runner = Runner(
        rig.store, leases, rig.clock, rig.notice, holder="here:1:1", ttl=timedelta(minutes=1)
    )
    assert runner.run(rig.crm, "Contact", Mode.INCREMENTAL).state == "done"


def as_before(rig: Rig, **more: Any) -> Plan:
    return rig.plan(ByObject("sf", "Contact", rig.before), **more)


def steps(rig: Rig, plan: Plan) -> list[Step]:
    return [each.step for each in rig.journal.steps(plan.id)]


def applied(rig: Rig, plan: Plan) -> dict[str, int]:
    receipt = rig.apply(plan).receipt
    assert receipt is not None
    assert sum(receipt.outcomes.values()) == sum(plan.counts.values())
    return counted(receipt.outcomes)


def live(rig: Rig) -> dict[str, dict[str, str]]:
    return {id_: dict(one.fields) for id_, one in rig.crm.things.items() if not one.deleted}


def test_what_lies_in_the_bin_comes_out_of_it(bin_rig: Rig) -> None:
    was = live(bin_rig)
    deleted(bin_rig, "000", "002")
    plan = as_before(bin_rig)
    assert plan.counts[Action.UNDELETE] == 2
    assert "deleted by Nightly Sync" in steps(bin_rig, plan)[0].reason
    assert applied(bin_rig, plan) == {"restored": 2}
    assert live(bin_rig) == was


def test_what_was_edited_before_it_was_deleted_gets_its_values_back(bin_rig: Rig) -> None:
    bin_rig.crm.edit("001", {"Phone": NULL}, SYNC)
    bin_rig.sync()
    deleted(bin_rig, "000", "001")
    plan = as_before(bin_rig)
    assert [(one.action, one.ref.id) for one in steps(bin_rig, plan)] == [
        (Action.UNDELETE, "000"),
        (Action.UNDELETE, "001"),
        (Action.UPDATE, "001"),
    ]
    assert applied(bin_rig, plan) == {"restored": 3}
    assert bin_rig.crm.value("001", "Phone") == text("555-1")


def test_a_record_that_somebody_brought_back_is_right_already(bin_rig: Rig) -> None:
    deleted(bin_rig, "001")
    plan = as_before(bin_rig)
    bin_rig.crm.things["001"].deleted = False
    assert applied(bin_rig, plan) == {"already": 1}


def test_a_record_is_made_anew_with_all_it_had(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    plan = as_before(anew_rig)
    create, later = steps(anew_rig, plan)
    assert create.action is Action.CREATE
    assert create.write == {"Phone": text("555-1"), "Name": text("N1")}
    assert set(create.left) == {"Score", "Code"}
    assert "the CRM's own recycle bin" in create.reason
    assert (later.action, later.write) == (Action.UPDATE, {"Title": text("Dr")})
    assert applied(anew_rig, plan) == {"restored": 2}
    (new,) = set(live(anew_rig)) - {"000", "002"}
    held = {name: token for name, token in live(anew_rig)[new].items() if token != NULL}
    assert held == {**create.write, **later.write}
    assert anew_rig.store.heirs([contact(1)]) == {contact(1): Ref("sf", "Contact", new)}


def test_records_made_anew_name_each_other_by_their_new_ids(anew_rig: Rig) -> None:
    deleted(anew_rig, "000", "002")
    assert applied(anew_rig, as_before(anew_rig)) == {"restored": 4}
    boss, worker = (anew_rig.store.heirs([contact(no)])[contact(no)].id for no in (0, 2))
    assert live(anew_rig)[worker]["ReportsToId"] == text(boss)


def test_a_later_plan_follows_the_new_id(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    applied(anew_rig, as_before(anew_rig))
    again = anew_rig.plan(ByRecords((contact(1),), anew_rig.before))
    assert [one.action for one in steps(anew_rig, again)] == [Action.SKIP]
    assert "made anew already" in steps(anew_rig, again)[0].reason


def test_a_plan_made_before_another_made_the_record_anew_adds_no_second(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    first, second = as_before(anew_rig), as_before(anew_rig)
    assert applied(anew_rig, first) == {"restored": 2}
    assert applied(anew_rig, second) == {"already": 2}
    assert len(live(anew_rig)) == 3


def test_what_an_operation_created_goes_unless_somebody_edited_it(bin_rig: Rig) -> None:
    polled(bin_rig)
    for no in range(3, 6):
        bin_rig.crm.create(f"{no:03}", {"Phone": text("1"), "Name": text("n")}, SYNC)
    polled(bin_rig)
    (operation,) = [one for one in bin_rig.store.operations(source="sf") if one.op is Op.CREATE]
    bin_rig.crm.edit("004", {"Phone": text("2")}, ADA)
    bin_rig.sync()
    plan = bin_rig.plan(ByOperation(operation.id))
    assert plan.counts[Action.DELETE] == 2
    assert plan.counts[Action.CONFLICT] == 1
    bin_rig.crm.edit("005", {"Phone": text("3")}, ADA)
    assert applied(bin_rig, plan) == {"restored": 1, "conflict": 2}
    assert "003" not in live(bin_rig)
    over = bin_rig.plan(ByOperation(operation.id), on_conflict=OnConflict.OVERWRITE)
    assert over.counts[Action.DELETE] == 2


@pytest.mark.parametrize("undeletes", [True, False])
def test_an_undo_takes_it_back_and_an_undo_of_that_brings_it_again(
    tmp_path: Path, *, undeletes: bool
) -> None:
    with sql_rig(tmp_path) as rig:
        lived(rig, undeletes=undeletes)
        deleted(rig, "001")
        plan = as_before(rig)
        applied(rig, plan)
        assert len(live(rig)) == 3
        undo = rig.plan(ByUndo(plan.id))
        assert undo.counts[Action.DELETE] == 1
        assert applied(rig, undo) == {"restored": 1}
        assert len(live(rig)) == 2
        again = rig.plan(ByUndo(undo.id))
        assert applied(rig, again).get("restored", 0) >= 1
        assert len(live(rig)) == 3


def test_a_merged_record_comes_back_as_one_of_its_own(anew_rig: Rig) -> None:
    anew_rig.crm.survivors["001"] = "000"
    anew_rig.sync_merged("001", into="000")
    plan = anew_rig.plan(ByRecords((contact(1),), anew_rig.before))
    create = steps(anew_rig, plan)[0]
    assert (create.action, create.expect) == (Action.CREATE, {"@merged_into": text("000")})
    assert "merged into 000" in create.reason
    assert applied(anew_rig, plan) == {"restored": 2}

    anew_rig.crm.survivors["001"] = "002"  # the survivor was merged in its turn, meanwhile
    again = as_before(anew_rig)
    assert again.counts[Action.CREATE] == 0, "it was made anew already"


def test_a_record_merged_into_another_since_the_plan_is_a_conflict(anew_rig: Rig) -> None:
    anew_rig.crm.survivors["001"] = "000"
    anew_rig.sync_merged("001", into="000")
    plan = anew_rig.plan(ByRecords((contact(1),), anew_rig.before))
    anew_rig.crm.survivors["001"] = "002"
    assert applied(anew_rig, plan)["conflict"] >= 1
    assert len(live(anew_rig)) == 3


def test_a_refusal_is_told_in_the_words_of_the_crm(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    plan = as_before(anew_rig)
    anew_rig.crm.refusals["001"] = Answer("", Verdict.REFUSED, "LIMIT", "no room", "make room")
    told = outcomes(anew_rig.apply(plan))["001"]
    assert told.result in {Result.REFUSED, Result.CONFLICT}
    assert len(live(anew_rig)) == 2


def test_a_lost_answer_makes_no_second_record(anew_rig: Rig) -> None:
    deleted(anew_rig, "001", "002")
    plan = as_before(anew_rig)
    anew_rig.crm.faults = [Fault(landed=True)]
    assert applied(anew_rig, plan)["restored"] >= 2
    assert len(live(anew_rig)) == 3


def test_a_request_that_never_arrived_is_sent_again(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    plan = as_before(anew_rig)
    anew_rig.crm.faults = [Fault(landed=False)]
    assert applied(anew_rig, plan) == {"restored": 2}
    assert len(live(anew_rig)) == 3


def test_where_nobody_can_tell_nothing_is_sent_again(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    plan = as_before(anew_rig)
    anew_rig.crm.faults = [Fault(landed=True)]
    anew_rig.crm.telling = False
    rig = anew_rig
    told = next(one for step, one in rig.apply(plan).steps() if step.action is Action.CREATE)
    assert told.result is Result.FAILED
    assert "cannot be told" in told.detail
    assert len(live(anew_rig)) == 3


class Killed(BaseException):
    """The process died."""


@pytest.mark.parametrize("undeletes", [True, False])
def test_a_kill_anywhere_brings_each_back_once(*, undeletes: bool) -> None:
    for number in range(1, 60):
        rig = lived(memory_rig(), undeletes=undeletes)
        deleted(rig, "000", "001", "002")
        plan = as_before(rig)
        left = [number]

        def die(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        rig.crm.boundary = die
        try:
            rig.apply(plan)
        except Killed:
            rig.crm.boundary = lambda _: None
            rig.apply(plan)
        rig.crm.boundary = lambda _: None
        assert len(live(rig)) == 3, number
        ends = {each.outcome.result for each in rig.journal.steps(plan.id) if each.outcome}
        assert ends <= {Result.RESTORED, Result.ALREADY}, (number, ends)
        if left[0] > 0:
            break
    else:
        raise AssertionError("an apply has more boundaries than were tried")


def test_a_crm_out_of_reach_leaves_a_plan_to_go_on_with(anew_rig: Rig) -> None:
    deleted(anew_rig, "001")
    plan = as_before(anew_rig)

    def broken(name: str) -> None:
        if name == "recreated":
            anew_rig.crm.boundary = lambda _: None
            raise Unavailable("down")

    anew_rig.crm.faults = [Fault(landed=True)]
    anew_rig.crm.boundary = broken
    with pytest.raises(Unavailable):
        anew_rig.apply(plan)
    assert applied(anew_rig, plan) == {"restored": 2}
    assert len(live(anew_rig)) == 3
