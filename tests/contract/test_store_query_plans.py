"""No question about a part reads the whole: every table that grows is entered by an index."""

import re
from contextlib import contextmanager

import pytest
from sqlalchemy import event as sqlalchemy_event

from crmtrail.ports import Query
from support.readings import BOB, OBJECT, SOURCE, at, reading, ref, removal
from support.store_rig import Watching, sql_rig

GROWING = {
    "record": "r",
    "version": "v|p|e",
    "change": "c",
    "leaf": "leaf",
    "node": "n|node",
    "plan_step": "s",
    "operation": "p",
}
SCANS = re.compile(rf"^SCAN ({'|'.join([*GROWING, *GROWING.values()])})(?! USING COVERING INDEX)\b")


@contextmanager
def selected(engine):
    """Collect every SELECT and UPDATE that runs, with its values."""
    found = []

    def note(_connection, _cursor, statement, values, _context, executemany):
        if statement.startswith(("SELECT", "UPDATE")):
            found.append((statement, values[0] if executemany else values))

    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    yield found
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)


def steps_of(engine, statement, values):
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row[3] for row in rows]


@pytest.fixture
def rig(tmp_path):
    with sql_rig(tmp_path) as made:
        made.keep(*(reading(f"003{n}", {"Phone": "1"}, modified=n) for n in range(9)))
        made.keep(
            *(reading(f"003{n}", {"Phone": "2"}, modified=20, actor=BOB) for n in range(9)),
            notice=Watching("op-1", rule="any"),
        )
        yield made


def keep_more(rig):
    rig.keep(
        reading("0031", {"Phone": "3"}, modified=40),
        removal("0032", read=50, when=45),
        reading("003X", {"Phone": "1"}, modified=60),
        notice=Watching("op-2", rule="any"),
    )


@pytest.mark.parametrize(
    "ask",
    [
        keep_more,
        lambda rig: rig.store.heads([ref("0031"), ref("0032")]),
        lambda rig: rig.store.standing(SOURCE, OBJECT),
        lambda rig: rig.store.version(ref("0031")),
        lambda rig: rig.store.version(ref("0031"), at(5)),
        lambda rig: rig.store.timeline(ref("0031"), "Phone"),
        lambda rig: rig.store.blame(ref("0031")),
        lambda rig: list(rig.store.members("op-1")),
        lambda rig: list(rig.store.diff(SOURCE, OBJECT, at(10), at(30))),
        lambda rig: rig.store.difference(ref("0031"), at(10), at(30)),
        lambda rig: rig.store.operation("op-1"),
        lambda rig: rig.store.checkpoint(at(0)),
        lambda rig: rig.store.log(Query(record=ref("0031")), limit=5),
        lambda rig: rig.store.log(Query(field="Phone"), limit=5),
        lambda rig: rig.store.log(Query(actor="bob noyce"), limit=5),
        lambda rig: rig.store.log(Query(operation="op-1"), limit=5),
    ],
    ids=[
        *("keep", "heads", "standing", "version", "version at", "timeline", "blame", "members"),
        *("diff", "difference", "operation", "checkpoint"),
        *("log record", "log field", "log actor", "log operation"),
    ],
)
def test_no_table_that_grows_is_read_from_end_to_end(rig, ask):
    engine = rig.store.engine
    with selected(engine) as ran:
        ask(rig)
    asked = [(s, v) for s, v in ran if "temp.touched" not in s]
    assert asked
    for statement, values in asked:
        scans = [step for step in steps_of(engine, statement, values) if SCANS.match(step)]
        assert scans == [], f"{statement}\n{values}"


def test_a_window_of_the_log_uses_the_index_by_time(rig):
    engine = rig.store.engine
    with selected(engine) as ran:
        rig.store.log(Query(since=at(15), until=at(30)), limit=50)
    steps = [step for statement, values in ran for step in steps_of(engine, statement, values)]
    assert any("version_valid (object_id=? AND at>? AND at<?)" in step for step in steps)


def test_the_whole_log_walks_past_no_first_sights(rig):
    engine = rig.store.engine
    with selected(engine) as ran:
        rig.store.log(Query(), limit=5)
    steps = [step for statement, values in ran for step in steps_of(engine, statement, values)]
    assert any(step.startswith("SCAN v USING") and "version_acts" in step for step in steps)
