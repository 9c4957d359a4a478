"""An announced mass change makes no incident; what goes beyond it does."""

from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

APP = {"kind": "app", "name": "Marketing Sync"}
LATER = (datetime.now(UTC) + timedelta(hours=2)).isoformat()


@pytest.fixture
def world(tmp_path):
    with build(size="small", seed=7) as server:
        sandbox = Sandbox(server.url)
        folder = Folder(tmp_path, config_for(server.url, sandbox, tmp_path / "store.db"))
        folder.ok("sync", "sf:Contact")
        yield folder, sandbox


def blank(sandbox, count):
    hit = [one for one in sandbox.truth("salesforce", "Contact") if one["Phone"]][:count]
    records = [{"id": one["Id"], "fields": {"Phone": None}} for one in hit]
    sandbox.act("salesforce", **{"as": APP}, do="update", object="Contact", records=records)


def announced(folder, *more):
    begun = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    until = ("--from", begun, "--until", LATER)
    return folder.ok("expect", "--via", "marketing sync", *until, "--why", "spring clean", *more)


def test_what_was_announced_is_quiet_and_stays_in_the_list_of_operations(world):
    folder, sandbox = world
    made = announced(folder, "--object", "sf:Contact", "--field", "Phone", "--records", "20")
    blank(sandbox, 20)
    run = folder.ok("sync", "sf:Contact")["runs"][0]
    assert run["incidents"] == []
    assert folder.ok("operations")["operations"][0]["records"] == 20
    listed = folder.ok("expect", "--list")["expected"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert made["id"] in folder.crmtrail("expect", "--list", as_json=False).out
    assert folder.ok("verify")["ok"]


def test_what_exceeds_it_alarms_and_says_by_what(world):
    folder, sandbox = world
    made = announced(folder, "--records", "15")
    blank(sandbox, 16)
    (incident,) = folder.ok("sync", "sf:Contact")["runs"][0]["incidents"]
    told = folder.ok("incident", incident)
    assert f"{made['id']}: more than the 15 records announced" in told["why"]
    assert told["evidence"]["announced"] == [made["id"]]


def test_what_is_withdrawn_alarms(world):
    folder, sandbox = world
    made = announced(folder)
    folder.ok("expect", "--withdraw", made["id"], "--why", "put off")
    assert folder.ok("expect", "--list")["expected"] == []
    blank(sandbox, 20)
    assert len(folder.ok("sync", "sf:Contact")["runs"][0]["incidents"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until", LATER, "--why", "x"], "--actor or --via"),
        (["--via", "App", "--why", "x"], "an announcement ends: --until"),
        (["--via", "App", "--until", LATER], "a reason is needed"),
        (["--via", "App", "--until", "2020-01-01T00:00:00Z", "--why", "x"], "in the past"),
        (["--via", "App", "--until", LATER, "--why", "x", "--object", "no:Contact"], "no source"),
        (["--withdraw", "exp-0", "--why", "x"], "nothing announced has the id exp-0"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(world, arguments, words):
    ended = world[0].crmtrail("expect", *arguments)
    assert ended.code in {1, 2}
    assert words in ended.json["error"]["message"]
