"""The trail of crmtrail itself, and both times, through the command line."""

import json
import threading

import pytest

from crmtrail.model import Gap, Loss
from snapshot.database import connect, writing
from support.cli import Folder
from support.nobody import as_nobody
from support.readings import ADA, BOB, SOURCE, at, event, reading, removal
from support.store_rig import Watching, sql_rig

CONFIG = """\
user: ana
store: {url: "sqlite:///crmtrail.db"}
sources:
  sf:
    kind: salesforce
    base_url: https://acme.my.salesforce.com
    auth: {method: token, token: SECRET-CANARY}
    objects: [Contact, Opportunity]
"""
A, B, DEAL = "sf:Contact:003A", "sf:Contact:003B", "sf:Opportunity:006A"
NAMES = ("ada@example.com", "Bob Noyce", "+49 30 1234")


@pytest.fixture
def folder(tmp_path):
    """Contacts that were merged, changed, told of late; a gap; a deal, which is nobody."""
    with sql_rig(tmp_path) as rig:
        rig.keep(
            reading("003A", {"Phone": "+49 30 1234", "Email": "ada@example.com"}, read=100),
            reading("003B", {"Phone": "1"}, read=100),
            gaps=[Gap("Contact", at(30), at(50), "the vendor kept no history")],
            complete_to=at(5),
        )
        rig.keep(
            reading("003B", {"Phone": ""}, modified=120, read=140), notice=Watching("op-1", "any")
        )
        rig.keep(
            reading(
                "003B",
                {"Phone": "", "Fax": "7"},
                modified=130,
                read=150,
                trail=[event("Fax", "7", 60, BOB)],
            )
        )
        rig.keep(
            removal("003A", read=170, when=160, actor=ADA, loss=Loss.MERGED, merged_into="003B")
        )
        deal = reading("006A", {"Amount": 5}, object_="Opportunity")
        rig.store.absorb(SOURCE, "Opportunity", [deal], notice=Watching())
    return Folder(tmp_path, CONFIG)


def views(folder):
    return [one["entry"] for one in folder.ok("actions", "--kind", "view")["actions"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", A), {"command": "show", "records": [A]}),
        (
            ("show", B, "--at", "2026-03-01T09:02:05Z", "--known", "2026-03-01T09:02:30Z"),
            {"command": "show", "records": [B]},
        ),
        (("history", B), {"command": "history", "records": [A, B]}),
        (("history", B, "--alone"), {"command": "history", "records": [B]}),
        (("blame", A), {"command": "blame", "records": [A]}),
        (("diff", "sf:Contact", "--from", "2026-03-01"), {"command": "diff"}),
        (("diff", B, "--from", "2026-03-01"), {"command": "diff"}),
        (("log", "--field", "Phone"), {"command": "log", "query": {"field": "Phone"}, "shown": 1}),
        (
            ("log", "--actor", "Bob Noyce", "--record", B),
            {"command": "log", "query": {"record": B, "hidden": ["actor"]}, "shown": 1},
        ),
    ],
)
def test_a_view_of_a_person_is_sealed_without_what_was_seen(folder, arguments, told):
    folder.ok(*arguments)
    [entry] = views(folder)
    assert entry["by"] == "ana"
    assert told.items() <= entry.items()
    assert not [name for name in NAMES if name in json.dumps(entry)]
    assert folder.crmtrail("verify").code == 0


def test_incidents_and_their_views(folder):
    [incident] = folder.ok("incidents")["incidents"]
    folder.ok("incident", incident["id"])
    [entry] = views(folder)
    assert entry["query"] == {"incident": incident["id"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", DEAL),
        ("history", DEAL),
        ("blame", DEAL),
        ("log", "--object", "Opportunity"),
        ("status",),
    ],
)
def test_what_is_of_nobody_is_no_view(folder, arguments):
    folder.ok(*arguments)
    assert views(folder) == []


def test_all_is_a_view_where_all_is_sealed(folder):
    folder.config.write_text(CONFIG + "keys: {seal: all}\n")
    folder.ok("show", DEAL)
    assert [entry["records"] for entry in views(folder)] == [[DEAL]]


def test_what_is_not_found_is_no_view(folder):
    assert folder.crmtrail("show", "sf:Contact:ada@example.com").code == 2
    assert folder.crmtrail("history", B, "--field", "Nonsense").code == 2
    assert views(folder) == []


def test_a_store_that_can_only_be_read_says_that_the_view_was_not_logged(folder):
    for each in (folder.path, *list(folder.path.parents)[:-2]):
        each.chmod(0o755)
    folder.config.chmod(0o644)
    (folder.path / "crmtrail.db").chmod(0o444)
    folder.path.chmod(0o555)
    code, said = as_nobody(lambda: looked(folder, "--quiet", "show", A))
    folder.path.chmod(0o755)
    (folder.path / "crmtrail.db").chmod(0o600)
    assert code == 0
    assert "note: this view was not logged: the store can only be read" in said
    assert views(folder) == []


def looked(folder, *command):
    """Return the exit code of a command and what it said on standard error."""
    ended = folder.crmtrail(*command)
    return ended.code, ended.err


def test_a_view_waits_for_a_sync_that_writes(folder, tmp_path):
    engine = connect(tmp_path / "crmtrail.db")
    held, shown = threading.Event(), threading.Event()

    def hold():
        with writing(engine):
            held.set()
            shown.wait(1)  # nothing can be shown as long as this goes on

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    folder.ok("show", A)
    holder.join()
    engine.dispose()
    assert len(views(folder)) == 1


# --- two times ----------------------------------------------------------------------------------


def test_show_by_what_was_known(folder):
    when = ("--at", "2026-03-01T09:02:05Z")
    now = folder.ok("show", B, *when)
    assert now["fields"] == {"Phone": "", "Fax": "7"}
    assert now["as_of"] == {"at": "2026-03-01T09:02:05Z", "known_at": None}
    then = folder.ok("show", B, *when, "--known", "2026-03-01T09:02:25Z")
    assert then["fields"] == {"Phone": ""}
    assert then["as_of"]["known_at"] == "2026-03-01T09:02:25Z"
    said = folder.crmtrail("show", B, *when, "--known", "2026-03-01T09:02:25Z", as_json=False)
    assert "as of 2026-03-01 09:02:05Z (valid time), by what was known at 2026-03-01" in said.out
    early = folder.crmtrail("show", B, "--known", "2026-03-01T09:00:30Z")
    assert early.code == 2
    assert "nothing was known of" in early.err


def test_diff_and_export_by_what_was_known(folder, tmp_path):
    span = ("--from", "2026-03-01T09:00:30Z", "--to", "2026-03-01T09:02:05Z")
    now = folder.ok("diff", "sf:Contact", *span)
    assert [one["field"] for one in now["updated"][0]["changes"]] == ["Fax", "Phone"]
    assert (now["from"], now["known_at"]) == ("2026-03-01T09:00:30Z", None)
    then = folder.ok("diff", "sf:Contact", *span, "--known", "2026-03-01T09:02:25Z")
    assert [one["field"] for one in then["updated"][0]["changes"]] == ["Phone"]
    assert then["known_at"] == "2026-03-01T09:02:25Z"
    to = tmp_path / "then.jsonl"
    made = folder.ok(
        *("export", "sf:Contact", "--at", "2026-03-01T09:02:05Z"),
        *("--known", "2026-03-01T09:01:50Z", "--to", str(to)),
    )
    assert (made["at"], made["known_at"]) == ("2026-03-01T09:02:05Z", "2026-03-01T09:01:50Z")
    rows = [json.loads(line) for line in to.read_text().splitlines()]
    assert [row["fields"]["Phone"] for row in rows] == ["+49 30 1234", "1"]
    [entry] = [one["entry"] for one in folder.ok("actions", "--kind", "export")["actions"]]
    assert entry["known_at"] == "2026-03-01T09:01:50Z"


def test_the_log_by_when_it_was_learnt_and_what_was_blanked(folder):
    learnt = folder.ok("log", "--known-since", "2026-03-01T09:02:30Z")["changes"]
    assert [(one["record"], one["field"]) for one in learnt] == [(A, None), (B, "Fax")]
    [blanked] = folder.ok("log", "--blanked")["changes"]
    assert (blanked["field"], blanked["old"], blanked["new"]) == ("Phone", "1", "")
    refused = folder.crmtrail("log", "--known-since", "1h", "--known-until", "2h")
    assert refused.code == 2


# --- stretches, gaps, lines -----------------------------------------------------------------------


def test_a_stretch_without_history_and_a_gap_are_shown(folder):
    told = folder.ok("history", B)
    assert told["gaps"] == [
        {
            "object": "Contact",
            "since": "2026-03-01T09:00:30Z",
            "until": "2026-03-01T09:00:50Z",
            "why": "the vendor kept no history",
        }
    ]
    since = [one["since"] for one in told["versions"] if one["record"] == B]
    assert since == [None, "2026-03-01T09:01:40Z", None]
    said = folder.crmtrail("history", B, "--alone", as_json=False).out
    lines = [line for line in said.splitlines() if line.strip()]
    assert "first sight" in lines[2]
    assert "09:00:30Z  gap" in lines[3]
    assert "between 2026-03-01 09:01:40Z and 2026-03-01 09:02:00Z; values may have" in said
    log = folder.crmtrail("log", as_json=False).out
    assert "gap in sf:Contact, from 2026-03-01 09:00:30Z to 2026-03-01 09:00:50Z: the ven" in log
    assert folder.ok("log", "--since", "2026-03-01T09:01:00Z")["gaps"] == []
    assert len(folder.ok("log", "--until", "2026-03-01T09:00:40Z")["gaps"]) == 1


def test_a_record_follows_its_line(folder):
    told = folder.ok("history", B)
    assert [(one["record"], one["op"]) for one in told["versions"]] == [
        (A, "baseline"),
        (B, "baseline"),
        (B, "update"),
        (B, "update"),
        (A, "merge"),
    ]
    link = {"record": A, "as": B, "kind": "merged", "at": "2026-03-01T09:02:40Z"}
    assert told["line"] == [
        {"record": A, "went_on_as": [link]},
        {"record": B, "went_on_as": []},
    ]
    alone = folder.ok("history", B, "--alone")
    assert {one["record"] for one in alone["versions"]} == {B}
    assert folder.ok("show", A)["went_on_as"] == folder.ok("blame", A)["went_on_as"] == [link]
    for command in ("show", "blame", "history"):
        said = folder.crmtrail(command, A, as_json=False).out
        assert f"{A} was merged into {B} at 2026-03-01 09:02:40Z" in said
    assert folder.ok("show", B)["went_on_as"] == []


# --- actions --------------------------------------------------------------------------------------


def test_actions_are_listed_with_who_and_what(folder):
    folder.ok("show", A)
    found = folder.ok("actions")["actions"]
    assert (found[0]["kind"], found[0]["by"]) == ("view", "ana")
    assert found[0]["index"] > found[-1]["index"]
    said = folder.crmtrail("actions", as_json=False).out
    assert "ana" in said
    assert f"command show, records {A}" in said
    one = folder.ok("actions", "--limit", "1")
    assert one["next"] is not None
    assert folder.ok("actions", "--kind", "nothing") == {"actions": [], "next": None}
    assert folder.crmtrail("actions", "--since", "1h", "--until", "2h").code == 2
