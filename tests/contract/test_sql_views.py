"""The views for analysts: what docs/sql.md promises is what a store has."""

import re
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy.exc import DBAPIError

from crmtrail.model import stamp
from snapshot.database import DRIVER, writing
from snapshot.erasing import Forgetting
from snapshot.moving import copy_store
from snapshot.place import connect, place_of
from snapshot.times import micros
from snapshot.views import VIEWS
from support.full_store import SECRET, full_store
from support.postgres_server import fresh_database
from support.readings import ADA, BOB, OBJECT, HandClock, at, reading, removal
from support.store_rig import Watching, proven_rig

PAGE = Path(__file__).parents[2].joinpath("docs", "sql.md").read_text(encoding="utf-8")
KNOWN = "SELECT known_at FROM record WHERE record_id = 1"
QUESTIONS = re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL)


@pytest.fixture(params=["sqlite", "postgres"])
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
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


@contextmanager
def analyst(engine):
    """Ask a store as an analyst does: by the database's own client, and for reading only."""
    if engine.dialect.name == "sqlite":
        uri = f"{Path(engine.url.database).as_uri()}?mode=ro"
        with closing(DRIVER.connect(uri, uri=True)) as raw:
            raw.row_factory = DRIVER.Row
            yield lambda query, *values: [dict(row) for row in raw.execute(query, values)]
        return
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, row_factory=dict_row) as raw:
        raw.read_only = True
        yield lambda query, *values: raw.execute(
            query.replace("%", "%%").replace("?", "%s"), values
        ).fetchall()


@pytest.fixture
def ask(rig):
    with analyst(rig.store.engine) as asking:
        yield asking


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
    (row, *_) = ask(f"SELECT * FROM {view} LIMIT 1")  # noqa: S608 -- a view of ours
    assert sorted(told_of(view)) == sorted(row)


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
    assert (amount["version"], amount["op"], amount["since"]) == (2, "update", stamp(at(10)))
    assert [(name, row["blanked"], row["sealed"]) for name, row in sorted(rows.items())] == [
        ("Amount", 0, 0),
        ("Opted", 1, 0),
        ("Phone", 0, 0),
    ]
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
    assert (first["sealed"], first["erased_at"]) == (0, None)


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
    move = "UPDATE record SET known_at = known_at + ? WHERE record_id = 1"
    with writing(rig.store.engine) as connection:
        by = micros(moment) - connection.exec_driver_sql(KNOWN).scalar_one()
        connection.exec_driver_sql(move, (by,))
    (row,) = ask("SELECT known_at FROM v_record WHERE record_id = '003A'")
    with writing(rig.store.engine) as connection:
        connection.exec_driver_sql(move, (-by,))
    assert row["known_at"] == stamp(moment)


def test_nothing_can_be_written_through_a_view(rig):
    with (
        rig.store.engine.begin() as connection,
        pytest.raises(DBAPIError, match=r"cannot (modify|delete from) .*v_record"),
    ):
        connection.exec_driver_sql("DELETE FROM v_record")


def test_sealed_values_are_null_and_all_else_can_be_seen(tmp_path):
    with ExitStack() as stack:
        store = stack.enter_context(full_store(tmp_path))
        Forgetting(store.engine, store.shelf, HandClock(at(4_000))).erase(
            "sf:Contact:003", why="r1", by="ana"
        )
        server = connect(place_of(stack.enter_context(fresh_database())))
        stack.callback(server.dispose)
        copy_store(store.engine, server, place_of(str(server.url)))
        told = []
        for engine in (store.engine, server):
            ask = stack.enter_context(analyst(engine))
            told.append({view: ask(f"SELECT * FROM {view}") for view in VIEWS})  # noqa: S608 -- views of ours
    for view in VIEWS:
        on_file, on_server = (sorted(map(repr, one[view])) for one in told)
        assert on_file == on_server
    changes = [row for row in told[0]["v_change"] if row["object"] == "Contact"]
    assert {(row["field"], row["blanked"], row["sealed"]) for row in changes} == {("Phone", 1, 1)}
    values = ("old", "new", "old_json", "new_json")
    assert {row[name] for row in changes for name in values} == {None}
    clear = [row for row in told[0]["v_change"] if row["object"] == "Account"]
    assert {(row["blanked"], row["sealed"], row["new_json"]) for row in clear} == {(1, 0, "null")}
    assert all(row["old"].startswith("+1 555") for row in clear)
    records = {row["record"]: row for row in told[0]["v_record"]}
    assert records["sf:Contact:004"]["sealed"] == 1
    assert records["sf:Contact:003"]["erased_at"] == stamp(at(4_000))
    assert SECRET not in repr(told)
