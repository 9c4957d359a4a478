"""No question about a part reads the whole: every table that grows is entered by an index.

And what an index can give in order is not sorted: only batches are, and what a window of time
holds, whose order is another.
"""

import re
from contextlib import contextmanager

import pytest
from sqlalchemy import event as sqlalchemy_event

from crmtrail.model import Loss, Op
from crmtrail.ports import Query
from support.readings import BOB, OBJECT, SOURCE, at, reading, ref, removal
from support.store_rig import Watching, sql_rig

GROWING = {
    "record": "r",
    "version": "v|p|f|e",
    "change": "c",
    "keyframe": "k",
    "leaf": "l",
    "tile": "t",
    "succession": "s",
    "plan_step": "s",
    "operation": "o",
    "subject_index": "i",
}
SCANS = re.compile(rf"^SCAN ({'|'.join([*GROWING, *GROWING.values()])})\b(?! VIRTUAL TABLE)")
FEW = re.compile(r"ORDER BY [jtp]\.key\b|FROM json_each\(\?\) AS [jtp]\b|FROM operation AS p\b")
"""Statements over the few rows of a batch or an hour, which may be sorted."""


@contextmanager
def selected(engine):
    """Collect every SELECT and UPDATE that runs, with its values."""
    found = []

    def note(_connection, _cursor, statement, values, _context, executemany):
        if statement.startswith(("SELECT", "UPDATE", "INSERT OR IGNORE INTO temp")):
            found.append((statement, values[0] if executemany else values))

    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    yield found
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)


def steps_of(engine, statement, values):
    with engine.connect() as connection:
        if "temp.touched" in statement:
            connection.exec_driver_sql(
                "CREATE TEMP TABLE IF NOT EXISTS touched"
                " (ext_id TEXT PRIMARY KEY, record_id INTEGER) WITHOUT ROWID"
            )
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
        made.keep(*(reading(f"003{n}", {"Phone": ""}, modified=30, actor=BOB) for n in range(5)))
        made.keep(removal("0038", read=50, when=45, loss=Loss.MERGED, merged_into="0037"))
        yield made


def keep_more(rig):
    rig.keep(
        reading("0031", {"Phone": "3"}, modified=40),
        removal("0032", read=50, when=45),
        removal("0033", read=50, when=45, loss=Loss.MERGED, merged_into="003X"),
        reading("003X", {"Phone": "1"}, modified=60),
        notice=Watching("op-2", rule="any"),
    )


def log(**asked):
    return lambda rig: rig.store.log(Query(**asked), limit=5)


ASKED = {
    "keep": keep_more,
    "heads": lambda rig: rig.store.heads([ref("0031"), ref("0032")]),
    "standing": lambda rig: rig.store.standing(SOURCE, OBJECT),
    "version": lambda rig: rig.store.version(ref("0031")),
    "as of": lambda rig: rig.store.version(ref("0031"), at(5)),
    "as known": lambda rig: rig.store.version(ref("0031"), at(5), known=at(35)),
    "timeline": lambda rig: rig.store.timeline(ref("0031"), "Phone"),
    "blame": lambda rig: rig.store.blame(ref("0031")),
    "line": lambda rig: rig.store.line_of(ref("0038")),
    "members": lambda rig: list(rig.store.members("op-1")),
    "diff": lambda rig: list(rig.store.diff(SOURCE, OBJECT, at(10), at(30))),
    "diff as known": lambda rig: list(rig.store.diff(SOURCE, OBJECT, at(10), at(30), known=at(35))),
    "difference": lambda rig: rig.store.difference(ref("0031"), at(10), at(30)),
    "export": lambda rig: list(rig.store.records(SOURCE, OBJECT)),
    "export as of": lambda rig: list(rig.store.records(SOURCE, OBJECT, at(25), known=at(35))),
    "operation": lambda rig: rig.store.operation("op-1"),
    "checkpoint": lambda rig: rig.store.checkpoint(at(0)),
    "deeds": lambda rig: rig.store.deeds(["view", "run"], limit=5),
    "log": log(),
    "log of a record": log(record=ref("0031")),
    "log of a field": log(field="Phone"),
    "log of a field in a window": log(field="Phone", since=at(25), until=at(35)),
    "log of an actor": log(actor="bob noyce"),
    "log of an actor in a window": log(actor="bob noyce", since=at(25), until=at(35)),
    "log of an app": log(via="data loader"),
    "log of blanks": log(blanked=True),
    "log of blanks in a window": log(blanked=True, since=at(25), until=at(35)),
    "log of blanks of a field": log(blanked=True, field="Phone"),
    "log of blanks of a record": log(blanked=True, record=ref("0031")),
    "log of an operation": log(operation="op-1"),
    "log of an object": log(object=OBJECT),
    "log of what was learnt": log(known_since=at(25), known_until=at(35)),
}
RANGE = r"AND version_id>\? AND version_id<\?\)"
SORTED = {"blame", "log of an operation"}
"""Questions that sort a record's fields, or the ids of an operation's versions."""


@pytest.mark.parametrize("asked", ASKED)
def test_no_table_that_grows_is_read_from_end_to_end(rig, asked):
    engine = rig.store.engine
    with selected(engine) as ran:
        ASKED[asked](rig)
    assert ran
    for statement, values in ran:
        steps = steps_of(engine, statement, values)
        scans = [step for step in steps if SCANS.match(step)]
        assert scans == [], f"{statement}\n{values}"


@pytest.mark.parametrize("asked", sorted(ASKED.keys() - SORTED))
def test_nothing_is_sorted_that_an_index_has_in_order(rig, asked):
    engine = rig.store.engine
    with selected(engine) as ran:
        ASKED[asked](rig)
    for statement, values in ran:
        if FEW.search(statement) and "LIMIT" not in statement:
            continue
        steps = steps_of(engine, statement, values)
        assert [step for step in steps if "TEMP B-TREE" in step] == [], f"{statement}\n{values}"


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("timeline", r"USING (COVERING )?INDEX \S+ \(record_id=\?\)"),
        ("diff", r"version_valid \(object_id=\? AND at>\? AND at<\?\)"),
        ("log of a field", rf"change_field \(field_id=\? {RANGE}"),
        ("log of an actor", rf"version_actor \(actor_id=\? {RANGE}"),
        ("log of an app", rf"version_actor \(actor_id=\? {RANGE}"),
        ("log of a field in a window", rf"change_field \(field_id=\? {RANGE}"),
        ("log of a field in a window", r"version_valid \(object_id=\? AND at>\? AND at<\?\)"),
        ("log of an actor in a window", r"version_valid \(object_id=\? AND at>\? AND at<\?\)"),
        ("log of blanks", rf"change_blank \(field_id=\? {RANGE}"),
        ("log of blanks of a field", rf"change_blank \(field_id=\? {RANGE}"),
        ("log", rf"version_acts \(object_id=\? {RANGE}"),
        ("log of an object", rf"version_acts \(object_id=\? {RANGE}"),
        ("keep", r"version_merged \(object_id=\?\)"),
        ("line", r"succession_heir \(heir_id=\?\)"),
        ("deeds", r"leaf_kind \(kind=\? AND idx<\?\)"),
    ],
)
def test_a_question_goes_by_the_index_made_for_it(rig, asked, index):
    engine = rig.store.engine
    with selected(engine) as ran:
        ASKED[asked](rig)
    steps = [step for statement, values in ran for step in steps_of(engine, statement, values)]
    assert [step for step in steps if re.search(index, step)], "\n".join(steps)


def test_a_window_of_the_log_uses_the_index_by_time(rig):
    engine = rig.store.engine
    with selected(engine) as ran:
        rig.store.log(Query(since=at(15), until=at(30)), limit=50)
    steps = [step for statement, values in ran for step in steps_of(engine, statement, values)]
    assert any("version_valid (object_id=? AND at>? AND at<?)" in step for step in steps)
    assert not [step for step in steps if SCANS.match(step)]


def test_first_sights_are_found_where_they_are_asked_for(rig):
    found, _ = rig.store.log(Query(op=Op.BASELINE, actor="Ada Lovelace"), limit=50)
    assert len(found) == 9
