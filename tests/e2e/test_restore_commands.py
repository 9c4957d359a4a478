"""Plans and incidents through the command line, when things end otherwise than planned."""

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

APP = {"kind": "app", "name": "Marketing Sync"}


@pytest.fixture
def world(tmp_path):
    with build(size="small", seed=7) as server:
        sandbox = Sandbox(server.url)
        yield Folder(tmp_path, config_for(server.url, sandbox, tmp_path / "store.db")), sandbox


def blanked(folder, sandbox, count):
    folder.ok("sync", "sf:Contact")
    hit = [one for one in sandbox.truth("salesforce", "Contact") if one["Phone"]][:count]
    records = [{"id": one["Id"], "fields": {"Phone": None}} for one in hit]
    sandbox.act("salesforce", **{"as": APP}, do="update", object="Contact", records=records)
    folder.ok("sync", "sf:Contact")
    (incident,) = folder.ok("incidents")["incidents"]
    return incident["id"]


def state(folder, incident):
    return folder.ok("incident", incident)["state"]


def states(folder):
    return {one["id"]: one["state"] for one in folder.ok("plans")["plans"]}


def test_an_undo_opens_the_incident_again_and_its_undo_closes_it(world):
    folder, sandbox = world
    incident = blanked(folder, sandbox, 15)
    plan = folder.ok("plan", "--incident", incident)["plan"]["id"]
    assert states(folder) == {plan: "planned"}
    folder.ok("apply", plan, "--yes")
    assert (state(folder, incident), states(folder)) == ("resolved", {plan: "applied"})
    undo = folder.ok("undo", plan, "--yes")["receipt"]["plan"]
    assert (state(folder, incident), states(folder)[plan]) == ("ongoing", "undone")
    assert folder.crmtrail("apply", plan, "--yes").code == 13
    folder.ok("undo", undo, "--yes")
    assert state(folder, incident) == "resolved"
    assert folder.ok("verify")["ok"]


def test_an_incident_is_closed_by_hand_with_a_reason(world):
    folder, sandbox = world
    incident = blanked(folder, sandbox, 15)
    assert folder.crmtrail("incident", incident, "--resolve").code == 2
    assert folder.crmtrail("incident", incident, "--why", "meant").code == 2
    told = folder.ok("incident", incident, "--resolve", "--why", "it was meant")
    assert (told["id"], told["state"]) == (incident, "resolved")
    again = folder.crmtrail("incident", incident, "--resolve", "--why", "once more")
    assert (again.code, again.json["error"]["message"]) == (
        2,
        f"incident {incident} is resolved already",
    )
    assert folder.ok("verify")["ok"]


def test_an_error_midway_says_how_far_it_came(world):
    folder, sandbox = world
    incident = blanked(folder, sandbox, 30)
    plan = folder.ok("plan", "--incident", incident)["plan"]["id"]
    text = folder.config.read_text()
    token = sandbox.people("salesforce")["tokens"]["restorer"]
    folder.config.write_text(text.replace(token, "00D000000000000!wrong"))
    ended = folder.crmtrail("apply", plan, "--yes")
    assert ended.code == 12
    error = ended.json["error"]
    assert error["message"].endswith("; 0 of 30 steps are done")
    assert error["hint"].endswith(f"`crmtrail apply {plan}` goes on")
    assert (error["done"], error["planned"]) == (0, 30)


def test_approvals_are_asked_for_as_long_as_they_are_needed(world, monkeypatch):
    folder, sandbox = world
    incident = blanked(folder, sandbox, 15)
    plan = folder.ok("plan", "--incident", incident)["plan"]["id"]
    folder.config.write_text(folder.config.read_text() + "restore: {four_eyes_above: 5}\n")
    assert folder.crmtrail("apply", plan, "--yes").code == 13
    needs = "Needs the approval"
    assert needs in folder.crmtrail("plan-show", plan, as_json=False).out
    own = folder.crmtrail("approve", plan)
    assert own.code == 13
    assert "CRMTRAIL_USER" not in own.json["error"]["hint"]
    monkeypatch.setenv("CRMTRAIL_USER", "bob")
    folder.ok("approve", plan)
    assert needs not in folder.crmtrail("plan-show", plan, as_json=False).out
    monkeypatch.setenv("CRMTRAIL_USER", "ana")
    folder.ok("apply", plan, "--yes")
    monkeypatch.setenv("CRMTRAIL_USER", "bob")
    late = folder.crmtrail("approve", plan)
    assert (late.code, "applied already" in late.json["error"]["message"]) == (13, True)
    assert "State: applied" in folder.crmtrail("plan-show", plan, as_json=False).out


def test_a_plan_with_nothing_to_write_says_so(world):
    folder, sandbox = world
    folder.ok("sync", "sf:Contact")
    moment = "0s"
    person = sandbox.truth("salesforce", "Contact")[0]["Id"]
    made = folder.crmtrail(
        "plan", "--record", f"sf:Contact:{person}", "--at", moment, as_json=False
    )
    assert "There is nothing to write." in made.out
    assert "crmtrail apply" not in made.out
    (plan,) = states(folder)
    done = folder.crmtrail("apply", plan, "--yes", as_json=False)
    assert (done.code, "To reverse it" in done.out) == (0, False)
    nope = folder.crmtrail("plan", "--object", "sf:Nope", "--at", moment)
    assert (nope.code, "no object sf:Nope" in nope.json["error"]["message"]) == (2, True)
