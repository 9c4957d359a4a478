"""The views for analysts: what docs/sql.md promises is what a store has."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmtrail.model import stamp
from snapshot.database import DRIVER, writing
from snapshot.times import micros
from snapshot.views import VIEWS
from support.readings import ADA, BOB, OBJECT, at, reading, removal
from support.store_rig import Watching, proven_rig

PAGE = Path(__file__).parents[2].joinpath("docs", "sql.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL)


@pytest.fixture
def rig(tmp_path):
    with proven_rig("sqlite", tmp_path) as made:
        made.keep(
            reading("003A", {"Phone": "1", "Opted": True}, tokens={"Amount": "1.10"}),
            complete_to=at(5),
        )
        made.keep(
            reading(
                "003A",
                {"Phone": 'say "é"\n', "Opted": None},
                modified=20.5,
                actor=BOB,
                tokens={"Amount": "123456789012345678.90"},
            ),
            notice=Watching(rule="blanking"),
        )
        made.keep(reading("003B", {"Phone": "1"}, modified=30, created=30))
        made.keep(removal("003B", read=60, when=55))
        yield made


@pytest.fixture
def ask(rig, tmp_path):
    uri = f"{(tmp_path / 'crmtrail.db').as_uri()}?mode=ro"
    with closing(DRIVER.connect(uri, uri=True)) as raw:
        raw.row_factory = DRIVER.Row
        yield lambda query, *values: [dict(row) for row in raw.execute(query, values)]


def told_of(view):
    """Return the columns that the page names in the section of a view."""
    (section,) = re.findall(rf"## {view}:.*?\n(.+?)(?=\n## )", PAGE, re.DOTALL)
    return [
        name
        for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_tells_of_every_column_and_no_other(ask, view):
    columns = [row["name"] for row in ask("SELECT name FROM pragma_table_info(?)", view)]
    assert sorted(told_of(view)) == sorted(columns)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_questions_of_the_page_can_be_asked(ask, question):
    ask(question)


def test_changes(ask):
    rows = {row["field"]: row for row in ask("SELECT * FROM v_change WHERE record_id = '003A'")}
    assert {name: (row["old"], row["new"]) for name, row in rows.items()} == {
        "Phone": ("1", 'say "é"\n'),
        "Opted": ("true", None),
        "Amount": ("1.10", "123456789012345678.90"),
    }
    assert (rows["Opted"]["old_json"], rows["Opted"]["new_json"]) == ("true", "null")
    assert rows["Phone"]["old_json"] == '"1"'
    amount = rows["Amount"]
    assert amount["record"] == f"sf:{OBJECT}:003A"
    assert (amount["version"], amount["op"]) == (2, "update")
    assert (amount["actor"], amount["actor_id"], amount["via"]) == (BOB.name, BOB.id, BOB.via)
    assert (amount["at"], amount["known_at"]) == (stamp(at(20.5)), stamp(at(30.5)))
    assert amount["at"].endswith(".500000Z")
    assert amount["operation"] == "op-1"


def test_versions_and_records(ask):
    rows = ask("SELECT * FROM v_version ORDER BY entry")
    assert [(row["record_id"], row["op"], row["changes"], row["deleted"]) for row in rows] == [
        ("003A", "baseline", 0, 0),
        ("003A", "update", 3, 0),
        ("003B", "create", 0, 0),
        ("003B", "delete", 0, 1),
    ]
    assert (rows[0]["actor"], rows[0]["at"]) == (ADA.name, stamp(at(0)))
    assert rows[3]["actor"] == "unknown"
    assert "does not tell" in rows[3]["why_unknown"]
    first, second = ask("SELECT * FROM v_record ORDER BY record")
    assert (first["record"], first["version"], first["deleted"]) == ("sf:Contact:003A", 2, 0)
    assert (first["modified_at"], second["deleted"]) == (stamp(at(20.5)), 1)
    assert '"Amount":123456789012345678.90' in first["document"]


def test_operations_and_incidents(ask, rig):
    (operation,) = ask("SELECT * FROM v_operation")
    assert (operation["operation"], operation["op"], operation["records"]) == ("op-1", "update", 1)
    assert (operation["started"], operation["actor"]) == (stamp(at(20.5)), BOB.name)
    (incident,) = ask("SELECT * FROM v_incident")
    (known,) = rig.store.incidents()
    assert (incident["incident"], incident["state"]) == (known.id, "new")
    assert (incident["fields"], incident["operation"]) == ('["Phone"]', "op-1")
    assert incident["opened_at"] == stamp(known.opened_at)


@pytest.mark.parametrize("seconds", [-2_000_000_000, -0.000001, 0, 0.1, 1_700_000_000.999999])
def test_times_are_written_as_the_commands_write_them(ask, rig, seconds):
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    with writing(rig.store.engine) as connection:
        connection.exec_driver_sql("UPDATE record SET known_at = ?", (micros(moment),))
    assert {row["known_at"] for row in ask("SELECT known_at FROM v_record")} == {stamp(moment)}


def test_nothing_can_be_written_through_a_view(rig):
    with (
        rig.store.engine.begin() as connection,
        pytest.raises(Exception, match="cannot modify v_record because it is a view"),
    ):
        connection.exec_driver_sql("DELETE FROM v_record")
