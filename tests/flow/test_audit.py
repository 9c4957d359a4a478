"""Somebody with the file in hands alters plans and receipts: verify names it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollback.audit import first_bad
from snapshot.triggers import INSERT_ONLY
from support.restore_rig import Rig, sql_rig

FORGED = (
    "INSERT INTO receipt SELECT 9, plan_id, applied_at, applied_by, planned, outcomes,"
    " api_calls, 1 FROM receipt"
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with sql_rig(tmp_path) as rig:
        plan = rig.planned(3)
        rig.journal.approve(plan.id, "ada", rig.clock.now())
        rig.apply(plan)
        yield rig


def alter(rig: Rig, statement: str) -> None:
    """Change the file as its owner can: without triggers and foreign keys."""
    with rig.store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # these pragmas only work outside transactions
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("BEGIN")
        guards = [f"{table}_never_{how}" for table in INSERT_ONLY for how in ("update", "delete")]
        guards += [f"plan_step_never_{how}" for how in ("terms", "settled", "delete")]
        for guard in guards:
            connection.exec_driver_sql(f"DROP TRIGGER {guard}")
        assert connection.exec_driver_sql(statement).rowcount > 0
        connection.commit()
        connection.invalidate()


def test_untouched_is_fine(rig: Rig) -> None:
    assert first_bad(rig.store.engine) is None


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE plan SET author = 'eve'", "plan"),
        ("UPDATE plan SET expires = expires + 1", "plan"),
        ("UPDATE plan SET digest = 'd'", "plan"),
        ("UPDATE plan SET terms = json_set(terms, '$.selection', json('{}'))", "plan"),
        ("DELETE FROM plan", "plan"),
        ('UPDATE plan_step SET write = \'{"Phone":"\\"666\\""}\' WHERE no = 2', "plan"),
        ("UPDATE plan_step SET no = 9 WHERE no = 1", "plan"),
        ("DELETE FROM plan_step WHERE no = 3", "plan"),
        ("UPDATE approval SET approver = 'eve'", "approval"),
        ("UPDATE approval SET at = at + 1", "approval"),
        ("DELETE FROM approval", "approval"),
        ("INSERT INTO approval SELECT id, 'eve', 5 FROM plan", "approval"),
        ("UPDATE plan_step SET sent_at = sent_at + 1 WHERE no = 2", "write"),
        ("UPDATE plan_step SET sent_at = NULL", "write"),
        ("UPDATE plan_step SET result = 'failed' WHERE no = 2", "outcome"),
        ("UPDATE plan_step SET fields = '{}' WHERE no = 2", "outcome"),
        ("UPDATE plan_step SET settled_at = 5 WHERE no = 2", "outcome"),
        ("UPDATE receipt SET applied_by = 'eve'", "receipt"),
        ('UPDATE receipt SET outcomes = \'{"restored":2,"failed":1}\'', "receipt"),
        ("UPDATE receipt SET leaf = leaf - 1", "receipt"),
        ("DELETE FROM receipt", "receipt"),
        (FORGED, "receipt"),
        ("UPDATE plan_step SET result = 'odd' WHERE no = 2", "plan"),
        ("UPDATE receipt SET outcomes = '['", "plan"),
        ("UPDATE plan SET terms = '{}'", "plan"),
    ],
)
def test_what_was_altered_is_named(rig: Rig, statement: str, kind: str) -> None:
    alter(rig, statement)
    told = first_bad(rig.store.engine)
    assert told is not None
    assert told["kind"] == kind
    assert told["why"]


def test_an_entry_without_its_row_is_named_by_its_index(rig: Rig) -> None:
    alter(rig, "DELETE FROM receipt")
    told = first_bad(rig.store.engine)
    assert told is not None
    assert told["index"] == rig.store.checkpoint(rig.clock.now()).size - 1


@pytest.mark.parametrize("entry", ["{}", '{"entry":5}', '{"entry":{}}', "no json"])
def test_an_entry_that_says_nothing_is_named_and_stops_nothing(tmp_path: Path, entry: str) -> None:
    with ExitStack() as still_open:
        rig = still_open.enter_context(sql_rig(tmp_path))
        rig.apply(rig.planned(1))
        alter(rig, f"UPDATE leaf SET entry = x'{entry.encode().hex()}' WHERE kind = 'outcome'")  # noqa: S608 -- hex
        told = first_bad(rig.store.engine)
        closing = still_open.pop_all()
    with pytest.raises(AssertionError, match="kind"):  # the rig's own verify names it too
        closing.close()
    assert told is not None
    assert told["kind"] == "outcome"
