"""Odd data on every way out: views, plans, exports, backups, proofs, and what commands print."""

import json
import re
from contextlib import closing
from decimal import Decimal

import pytest

from crmtrail import shapes
from crmtrail.config import MassUpdateConfig, RulesConfig
from crmtrail.detection.notice import noticing
from crmtrail.model import NULL, Field, Schema, value_of
from crmtrail.reports.export import Exporter, Order
from rollback.journal import SqlJournal
from rollback.memory import MemoryJournal
from snapshot.backup import back_up, restore, restore_to_server
from snapshot.canonical import tokens_of
from snapshot.database import reading as looking
from snapshot.engine import open_file, open_store
from snapshot.evidence import Evidence
from snapshot.place import place_of
from snapshot.signing import KeyRing, SigningKey
from support.cli import Folder
from support.odd_data import FIELDS, HUGE, IDS, VALUES
from support.odd_rig import (
    LONG,
    NAMELESS,
    NAMES,
    OTHER,
    fill,
    rig_of,
)
from support.postgres_server import fresh_database
from support.readings import OBJECT, SOURCE, HandClock, at, reading, ref
from support.restoring import plan_of, step
from support.tables import csv_rows, parquet_rows, sheet_rows

UNFIT = re.compile("[\0\ud800-\udfff\ufffe\uffff]")
CLOCK = HandClock(at(5_000))
RING = KeyRing(SigningKey("acme.example/crmtrail", bytes(32)))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def rig(request, tmp_path_factory):
    with rig_of(request.param, tmp_path_factory.mktemp("odd")) as made:
        fill(made)
        yield made


@pytest.fixture(scope="module")
def filed(tmp_path_factory):
    """Give a store in a file, and the file."""
    folder = tmp_path_factory.mktemp("filed")
    with rig_of("sqlite", folder) as made:
        fill(made)
        yield made, folder / "crmtrail.db"


def states(store):
    return {one.ref.id: (one.number, dict(one.fields)) for one in store.records(SOURCE, OBJECT)}


def whole(text):
    """Return a text as UTF-8 can hold it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(token):
    """Return a token as JSON lines have it: the line ends between its parts are blanks."""
    return token.replace("\n", " ").replace("\r", " ")


def cell(token):
    """Return what a table shows of a token."""
    if token == NULL:
        return ""
    if token.startswith('"'):
        return whole(value_of(token))
    return token


# --- views ---------------------------------------------------------------------------------------


def asked(rig, query):
    with looking(rig.store.engine) as connection:
        return connection.exec_driver_sql(query).all()


def test_the_view_of_changes_has_every_exact_token(rig):
    rows = asked(
        rig,
        "SELECT record_id, old_json FROM v_change WHERE field = 'Odd' AND version = 2",
    )
    found = dict(map(tuple, rows))
    assert {name: found[id_] for name, id_ in NAMES.items()} == VALUES


def test_the_view_of_changes_shows_plain_values(rig):
    rows = asked(
        rig,
        "SELECT record_id, old FROM v_change WHERE field = 'Odd' AND version = 2",
    )
    found = dict(map(tuple, rows))
    for name, id_ in NAMES.items():
        token = VALUES[name]
        if token == NULL:
            assert found[id_] is None
        elif token[0] == '"' and UNFIT.search(value_of(token)):
            assert found[id_] in {token, value_of(token)}  # what is no text of a database is JSON
        elif token[0] == '"':
            assert found[id_] == value_of(token), name
        else:
            assert found[id_] == token, name


def test_every_view_can_be_read_as_a_whole(rig):
    for view in ("v_change", "v_version", "v_record", "v_operation", "v_incident"):
        assert isinstance(asked(rig, f"SELECT * FROM {view}"), list)  # noqa: S608 -- names of ours
    names = {name for (name,) in asked(rig, "SELECT DISTINCT field FROM v_change")}
    assert set(FIELDS) <= names
    ids = {id_ for (id_,) in asked(rig, "SELECT record_id FROM v_record")}
    assert ids >= set(IDS)


# --- plans ---------------------------------------------------------------------------------------


def journals(rig):
    return SqlJournal(rig.store.engine), MemoryJournal(lambda *_: 0)


def test_plan_steps_keep_every_token_and_name(rig):
    tokens = VALUES | dict.fromkeys(FIELDS, r'"\u0000\ud800"')
    steps = [
        step(
            "1",
            expect=tokens,
            write=dict(reversed(tokens.items())),
            left=dict.fromkeys(FIELDS, "why\0"),
        ),
        *(step(str(no), record=ref(id_)) for no, id_ in enumerate(IDS, start=2)),
    ]
    plan = plan_of(steps)
    for journal in journals(rig):
        journal.file(plan, iter(steps))
        journal.intend("plan-1", {"1": tokens}, at(1))
        kept = list(journal.steps("plan-1"))
        assert [one.step for one in kept] == steps
        assert kept[0].before == tokens


# --- exports -------------------------------------------------------------------------------------


def export(rig, path, format_, **order):
    return Exporter(rig.store, "ana", at(500)).to_file(
        Order(SOURCE, OBJECT, format_, **order), path
    )


def test_json_lines_have_every_exact_token(rig, tmp_path):
    done = export(rig, tmp_path / "out.jsonl", "jsonl")
    lines = done.path.read_bytes().split(b"\n")[:-1]
    found = [tokens_of(line.decode()) for line in lines]
    exact = {one["record"]: tokens_of(one["fields"]) for one in found}
    assert len(exact) == done.rows
    for name, id_ in NAMES.items():
        assert exact[json.dumps(f"{SOURCE}:{OBJECT}:{id_}")]["Odd"] == one_line(VALUES[name])
    of_names = exact[json.dumps(f"{SOURCE}:{OBJECT}:{NAMELESS}")]
    assert of_names == dict.fromkeys(FIELDS, r'"\ud800"')
    assert {json.loads(one).removeprefix(f"{SOURCE}:{OBJECT}:") for one in exact} >= set(IDS)


def test_raw_csv_has_every_text(rig, tmp_path):
    rows = {row["_id"]: row for row in csv_rows(export(rig, tmp_path / "a", "csv", raw=True).path)}
    assert {name: rows[id_]["Odd"] for name, id_ in NAMES.items()} == {
        name: cell(token) for name, token in VALUES.items()
    }
    assert rows.keys() >= set(IDS)


def test_csv_differs_from_that_only_by_the_guards(rig, tmp_path):
    rows = {
        row["_id"].removeprefix("'"): row
        for row in csv_rows(export(rig, tmp_path / "a", "csv").path)
    }
    for name, id_ in NAMES.items():
        shown = cell(VALUES[name])
        assert rows[id_]["Odd"] in {shown, f"'{shown}"}
        assert rows[id_]["Odd"][:1] not in tuple("=+@\t\r\n\0")


def test_parquet_has_every_text(rig, tmp_path):
    rows = {row["_id"]: row for row in parquet_rows(export(rig, tmp_path / "a", "parquet").path)}
    for name, id_ in NAMES.items():
        token = VALUES[name]
        assert rows[id_]["Odd"] == (None if token == NULL else cell(token))


def test_xlsx_has_every_text_that_fits(rig, tmp_path):
    done = export(rig, tmp_path / "a.xlsx", "xlsx")
    rows = {str(row["_id"][1]): row for row in sheet_rows(done.path)}
    cut = 0
    for name, id_ in NAMES.items():
        kind, value = rows[id_]["Odd"]
        shown = cell(VALUES[name])
        if kind == "n" and value is not None:
            assert Decimal(repr(value)) == Decimal(shown)
        elif kind == "b":
            assert shown == str(value).lower()
        elif len(shown.encode("utf-16-le")) // 2 > 32_767:
            cut += 1
            assert value.endswith("[cut: a cell of Excel ends here]")
        else:
            read = re.sub("_x([0-9A-Fa-f]{4})_", lambda one: chr(int(one[1], 16)), value or "")
            assert read.replace("\r", "\n") == shown.replace("\r", "\n"), name
    assert done.cut == cut > 0


# --- copies and proofs ---------------------------------------------------------------------------


def test_a_backup_holds_the_same_and_so_does_what_is_restored_from_it(filed, tmp_path):
    rig, _ = filed
    before = states(rig.store)
    back_up(rig.store, tmp_path / "copy.db", by="ana", clock=CLOCK)
    restore(tmp_path / "new.db", tmp_path / "copy.db", by="ana", clock=CLOCK)
    with closing(open_file(tmp_path / "new.db", CLOCK)) as store:
        assert store.verify().ok
        assert states(store) == before
        assert [m.changes for m in store.timeline(ref(LONG))][1][0].old == HUGE


def test_a_backup_can_go_to_a_server_and_come_back(filed, tmp_path):
    rig, _ = filed
    back_up(rig.store, tmp_path / "copy.db", by="ana", clock=CLOCK)
    with fresh_database() as url:
        restore_to_server(place_of(url), tmp_path / "copy.db", by="ana", clock=CLOCK)
        with closing(open_store(url, CLOCK)) as store:
            assert store.verify().ok
            assert states(store) == states(rig.store)
            back_up(store, tmp_path / "back.db", by="ana", clock=CLOCK)
    with closing(open_file(tmp_path / "back.db", CLOCK)) as store:
        assert store.verify().ok
        assert states(store) == states(rig.store)


def test_every_version_can_be_proved(rig):
    evidence = Evidence(rig.store.engine, RING, CLOCK)
    head, note = evidence.checkpoint()
    for id_ in (*NAMES.values(), NAMELESS, LONG, *IDS):
        for made in rig.store.timeline(ref(id_)):
            assert evidence.prove(ref(id_), made.number, note).leads_to(head)


# --- commands ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder whose store has every odd value in one record, since blanked."""
    path = tmp_path_factory.mktemp("odd")
    fields = {f"{no:02} {name}": token for no, (name, token) in enumerate(VALUES.items())}
    with rig_of("sqlite", path) as made:
        made.keep(reading("003A", tokens=dict.fromkeys(fields, OTHER)), complete_to=at(0))
        made.keep(reading("003A", tokens=fields, modified=60))
        made.keep(reading("003A", tokens=dict.fromkeys(fields, OTHER), modified=120))
        made.keep(reading("003B", tokens={}, modified=120))
        made.keep(reading("003B", tokens=dict.fromkeys(FIELDS, "1"), modified=180))
    config = f"""\
user: ana
store: {{url: "sqlite:///{path}/crmtrail.db"}}
keys: {{seal: none}}
sources:
  {SOURCE}:
    kind: salesforce
    base_url: http://127.0.0.1:9
    auth: {{method: token, token: none}}
    objects: [{OBJECT}]
"""
    return Folder(path, config), {name: one_line(token) for name, token in fields.items()}


def printed(folder, *arguments):
    ended = folder.crmtrail(*arguments)
    assert ended.code == 0, ended.err
    return ended.out


def elements(array):
    """Return the exact tokens of the elements of an array."""
    found, depth, start = [], 0, 1
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*"|[][{},]', array):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        if (depth == 1 and mark[0] == ",") or (depth == 0 and mark.start() > start):
            found.append(array[start : mark.start()])
            start = mark.end()
    return found


def test_show_prints_every_exact_token(folder):
    folder, fields = folder
    out = printed(folder, "show", f"{SOURCE}:{OBJECT}:003A", "--at", at(90).isoformat())
    assert out.count("\n") == 1
    assert tokens_of(tokens_of(out.rstrip("\n"))["fields"]) == fields


def test_history_prints_every_exact_token(folder):
    folder, fields = folder
    out = tokens_of(printed(folder, "history", f"{SOURCE}:{OBJECT}:003A").rstrip("\n"))
    versions = [tokens_of(one) for one in elements(out["versions"])]
    by_number = {one["number"]: elements(one["changes"]) for one in versions}
    changes = [tokens_of(one) for one in by_number["3"]]
    assert {json.loads(one["field"]): one["old"] for one in changes} == fields


def test_log_prints_every_exact_token(folder):
    folder, fields = folder
    out = tokens_of(printed(folder, "log", "--limit", "500").rstrip("\n"))
    lines = [tokens_of(one) for one in elements(out["changes"])]
    mine = [one for one in lines if json.loads(one["record"]).endswith(":003A")]
    assert {json.loads(one["field"]): one["new"] for one in mine if one["version"] == "2"} == fields
    assert {json.loads(one["field"]): one["old"] for one in mine if one["version"] == "3"} == fields
    named = {json.loads(one["field"]) for one in lines} - fields.keys()
    assert named == set(FIELDS)


def test_what_is_noticed_of_odd_values_can_be_printed(tmp_path):
    with rig_of("sqlite", tmp_path) as made:
        everybody = [f"003{no:02}" for no in range(30)]
        made.store.learn(Schema(SOURCE, OBJECT, {"Odd": Field("Odd")}), at(0))
        made.keep(*(reading(id_, tokens={"Odd": OTHER}) for id_ in everybody), complete_to=at(0))
        notice = noticing(RulesConfig(mass_update=MassUpdateConfig(min_records=5)))
        for no, token in enumerate(VALUES.values(), start=1):
            page = [reading(id_, tokens={"Odd": token}, modified=no * 9_000) for id_ in everybody]
            made.keep(*page, notice=notice)
        incidents = made.store.incidents()
        assert len(incidents) > len(VALUES) // 2
        for one in incidents:
            assert json.loads(shapes.encode(shapes.incident(one)))["rule"] == one.finding.rule
        assert made.store.verify().ok


@pytest.mark.parametrize("command", [("show",), ("history",), ("log", "--record"), ("blame",)])
def test_what_is_printed_for_people_moves_no_cursor_and_is_valid_text(folder, command):
    folder, _ = folder
    for id_ in ("003A", "003B"):
        ended = folder.crmtrail(*command, f"{SOURCE}:{OBJECT}:{id_}", as_json=False)
        assert ended.code == 0, ended.err
        ended.out.encode()
        assert not set(ended.out) & {"\0", "\x07", "\x1b", "\r", "\x9f", "\x08"}
