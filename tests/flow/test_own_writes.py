"""What passes for our own write in the history, and what does not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crmtrail.model import NULL, Answer, Op, Verdict
from rollback.selections import ByOperation, ByUndo
from support.restore_rig import Rig, contact, good, sql_rig
from support.restoring import ADA, SYNC


@pytest.fixture(params=[True, False], ids=["history", "stamps"])
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with sql_rig(tmp_path, history=request.param) as rig:
        yield rig


def ops(rig: Rig, no: int = 0) -> list[Op]:
    return [made.op for made in rig.store.timeline(contact(no))][1:]


def test_a_refused_restore_never_passes_for_what_a_person_mends_later(rig: Rig) -> None:
    plan = rig.planned(3)
    rig.crm.refusals = {
        f"{no:03}": Answer("", Verdict.REFUSED, "RULE", "no phones today") for no in range(3)
    }
    rig.apply(plan)
    rig.clock.move(timedelta(days=30))
    rig.crm.edit("000", {"Phone": good([0])[0]}, ADA)
    rig.sync()
    assert ops(rig) == [Op.UPDATE, Op.UPDATE]
    assert rig.store.timeline(contact(0))[-1].actor == ADA


def test_a_refused_undo_does_not_hide_the_same_blanking_a_month_later(rig: Rig) -> None:
    plan = rig.planned(5)
    rig.apply(plan)
    rig.crm.refusals = {
        f"{no:03}": Answer("", Verdict.REFUSED, "RULE", "blanks are not allowed") for no in range(5)
    }
    rig.apply(rig.plan(ByUndo(plan.id)))
    known = {incident.id for incident in rig.store.incidents()}
    rig.clock.move(timedelta(days=30))
    for no in range(5):
        rig.crm.edit(f"{no:03}", {"Phone": NULL}, SYNC)
    rig.sync()
    (fresh,) = [each for each in rig.store.incidents() if each.id not in known]
    assert (fresh.finding.rule, fresh.finding.records) == ("blanking", 5)


def test_an_undo_of_an_undo_is_ours_and_raises_no_alarm(rig: Rig) -> None:
    plan = rig.plan(ByOperation(rig.blanked(4).id))
    rig.apply(plan)
    undo = rig.plan(ByUndo(plan.id))
    rig.apply(undo)
    assert rig.phones() == [NULL] * 4
    rig.apply(rig.plan(ByUndo(undo.id)))
    assert rig.phones() == good(range(4))
    rig.sync()
    assert len(rig.store.incidents()) == 1
    assert ops(rig) == [Op.UPDATE, Op.RESTORE, Op.RESTORE, Op.RESTORE]
