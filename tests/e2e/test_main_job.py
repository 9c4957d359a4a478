"""The whole job through the command line: overwrite, notice, plan, apply, undo."""

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

APP = {"kind": "app", "name": "Marketing Sync"}


@pytest.fixture
def world(tmp_path):
    with build(size="small", seed=7) as server:
        sandbox = Sandbox(server.url)
        folder = Folder(tmp_path, config_for(server.url, sandbox, tmp_path / "store.db"))
        yield folder, sandbox


def act(sandbox, crm, who, object_, records, do="update"):
    sandbox.act(crm, **{"as": who}, do=do, object=object_, records=records)


def contact(sandbox, id_):
    (record,) = sandbox.truth("salesforce", "Contact", id_)
    return record


def blank(sandbox, count):
    people = sandbox.truth("salesforce", "Contact")
    hit = [one for one in people if one["Phone"] and one["Email"]][:count]
    records = [{"id": one["Id"], "fields": {"Phone": None, "Email": None}} for one in hit]
    act(sandbox, "salesforce", APP, "Contact", records)
    return {one["Id"]: one for one in hit}


def test_a_blanking_is_noticed_planned_undone_and_the_undo_undone(world):
    folder, sandbox = world
    first = folder.ok("sync")["runs"]
    assert {(run["object"], run["state"]) for run in first} == {
        (object_, "done")
        for object_ in ("Account", "Contact", "Opportunity", "contacts", "companies", "deals")
    }
    contacts = sandbox.truth("salesforce", "Contact")
    (of_contacts,) = [run for run in first if run["object"] == "Contact"]
    assert of_contacts["created"] == len([one for one in contacts if not one["deleted"]])

    before = blank(sandbox, 60)
    (run,) = folder.ok("sync", "sf:Contact")["runs"]
    assert (run["updated"], run["changes"]) == (60, 120)

    (incident,) = folder.ok("incidents", "--state", "open")["incidents"]
    assert incident["rule"] == "blanking"
    assert (incident["records"], incident["fields"]) == (60, ["Email", "Phone"])
    assert incident["actor"]["name"] == "Marketing Sync"
    assert folder.crmtrail("incidents", "--exit-code").code == 4
    assert folder.ok("incident", incident["id"])["operation"] == incident["operation"]

    colleague = {"kind": "user", "id": sandbox.people("salesforce")["users"][0]["id"]}
    fixed, *_ = before
    act(sandbox, "salesforce", colleague, "Contact", [{"id": fixed, "fields": {"Phone": "+1 555"}}])

    made = folder.ok("plan", "--incident", incident["id"])
    plan = made["plan"]
    assert plan["counts"]["update"] == 60
    step = next(one for one in plan["steps"] if one["record"] == f"sf:Contact:{fixed}")
    assert step["expect"] == {"Email": None, "Phone": None}
    assert step["write"] == {name: before[fixed][name] for name in ("Email", "Phone")}
    assert contact(sandbox, fixed)["Email"] is None, "a plan writes nothing"

    ended = folder.crmtrail("apply", plan["id"], "--yes")
    assert ended.code == 3, ended.err
    result = ended.json
    assert result["receipt"]["outcomes"] == {
        "restored": 59, "already": 0, "conflict": 1, "refused": 0, "failed": 0,
    }  # fmt: skip
    assert result["planned"] == 60
    assert result["api_calls"] <= plan["api_calls"] <= result["api_calls"] + 2
    assert result["ledger"]["leaf"] > 0
    left = next(one for one in result["receipt"]["steps"] if one["outcome"] == "conflict")
    assert left["id"] == step["id"]
    for id_, old in before.items():
        now = contact(sandbox, id_)
        assert now["Email"] == old["Email"]
        assert now["Phone"] == ("+1 555" if id_ == fixed else old["Phone"])

    assert_known(folder, fixed, plan["id"], colleague)


def assert_known(folder, fixed, plan, colleague):
    (run,) = folder.ok("sync", "sf:Contact")["runs"]
    assert (run["changes"], run["incidents"]) == (0, []), "our own writes are known already"
    timeline = folder.ok("history", f"sf:Contact:{fixed}")["versions"]
    assert [one["op"] for one in timeline] == ["baseline", "update", "update", "restore"]
    assert timeline[2]["actor"]["id"] == colleague["id"]
    assert timeline[3]["plan"] == plan


def test_applying_twice_writes_nothing_and_an_undo_puts_the_blanks_back(world):
    folder, sandbox = world
    folder.ok("sync", "sf:Contact")
    before = blank(sandbox, 30)
    folder.ok("sync", "sf:Contact")
    (incident,) = folder.ok("incidents")["incidents"]
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]["id"]
    assert folder.ok("apply", plan, "--yes")["receipt"]["outcomes"]["restored"] == 30
    assert folder.ok("incidents")["incidents"][0]["state"] == "resolved"

    writes = len(sandbox.journal(crm="salesforce"))
    again = folder.ok("apply", plan, "--yes")
    assert again["receipt"]["outcomes"]["already"] == 30
    assert len(sandbox.journal(crm="salesforce")) == writes

    undone = folder.ok("undo", plan, "--yes")
    assert undone["receipt"]["outcomes"]["restored"] == 30, undone
    now = [contact(sandbox, id_) for id_ in before]
    assert {(one["Phone"], one["Email"]) for one in now} == {(None, None)}
    verified = folder.ok("verify")
    assert (verified["ok"], verified["first_bad"]) == (True, {})
    assert folder.ok("checkpoint")["root"] == verified["root"]


def test_a_mass_update_on_hubspot_keeps_what_a_colleague_repaired_between_two_polls(world):
    folder, sandbox = world
    folder.ok("sync", "hs:deals")
    deals = [
        one
        for one in sandbox.truth("hubspot", "deals")
        if one["properties"]["pipeline"] == "default"
        and not one["properties"]["dealstage"].startswith("closed")
    ][:70]
    app = {"kind": "app", "name": "Ledgerline Sync"}
    lost = [{"id": one["id"], "fields": {"dealstage": "closedlost"}} for one in deals]
    act(sandbox, "hubspot", app, "deals", lost)
    user = {"kind": "user", "id": sandbox.people("hubspot")["users"][0]["id"]}
    fixed = deals[0]["id"]
    act(sandbox, "hubspot", user, "deals", [{"id": fixed, "fields": {"dealstage": "contractsent"}}])
    folder.ok("sync", "hs:deals")

    (incident,) = folder.ok("incidents")["incidents"]
    assert (incident["rule"], incident["records"]) == ("mass_update", 70)
    assert (incident["actor"]["kind"], incident["via"]) == ("app", "Ledgerline Sync")
    versions = folder.ok("history", f"hs:deals:{fixed}", "--field", "dealstage")["versions"]
    assert versions[0]["op"] == "baseline", "the first sight tells every field"
    stages = [(one["changes"][0]["new"], one["actor"]["kind"]) for one in versions[1:]]
    assert stages == [("closedlost", "app"), ("contractsent", "user")]

    plan = folder.ok("plan", "--incident", incident["id"])["plan"]
    assert (plan["counts"]["update"], plan["counts"]["conflict"]) == (69, 1)
    ended = folder.crmtrail("apply", plan["id"], "--yes")
    assert ended.code == 3
    assert ended.json["receipt"]["outcomes"]["restored"] == 69
    now = {one["id"]: one["properties"]["dealstage"] for one in sandbox.truth("hubspot", "deals")}
    assert now[fixed] == "contractsent"
    assert all(now[one["id"]] == one["properties"]["dealstage"] for one in deals[1:])
    (after,) = folder.ok("incidents")["incidents"]
    assert after["state"] == "resolved", "what a colleague repaired is no open end"
    assert ended.json["api_calls"] <= plan["api_calls"] <= ended.json["api_calls"] + 2


def test_records_as_of_a_time_are_planned_and_explicit_blanks_are_put_back(world):
    folder, sandbox = world
    people = sandbox.truth("salesforce", "Contact")
    one = next(person for person in people if person["Phone"])
    act(sandbox, "salesforce", APP, "Contact", [{"id": one["Id"], "fields": {"Phone": None}}])
    folder.ok("sync", "sf:Contact")
    moment = sandbox.turn(60)
    sandbox.turn(60)  # Salesforce stamps whole seconds: an edit at once would lie before `moment`
    act(sandbox, "salesforce", APP, "Contact", [{"id": one["Id"], "fields": {"Phone": "+1 999"}}])
    sandbox.turn(60)
    folder.ok("sync", "sf:Contact")
    record = f"sf:Contact:{one['Id']}"
    then = folder.ok("show", record, "--at", moment)
    assert then["fields"]["Phone"] is None
    assert folder.ok("show", record)["fields"]["Phone"] == "+1 999"


def test_four_eyes_keep_an_author_from_applying_alone(world, monkeypatch):
    folder, sandbox = world
    text = folder.config.read_text() + "restore: {four_eyes_above: 5}\n"
    folder.config.write_text(text)
    folder.ok("sync", "sf:Contact")
    blank(sandbox, 12)
    folder.ok("sync", "sf:Contact")
    (incident,) = folder.ok("incidents")["incidents"]
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]
    assert plan["approval"] == {"required": 1, "given": []}
    refused = folder.crmtrail("apply", plan["id"], "--yes")
    assert (refused.code, refused.json["error"]["exit_code"]) == (13, 13)
    assert folder.crmtrail("approve", plan["id"]).code == 13
    monkeypatch.setenv("CRMTRAIL_USER", "bob")
    assert folder.ok("approve", plan["id"])["approval"]["given"][0]["by"] == "bob"
    monkeypatch.setenv("CRMTRAIL_USER", "ana")
    assert folder.ok("apply", plan["id"], "--yes")["receipt"]["outcomes"]["restored"] == 12
    (incident,) = folder.ok("incidents")["incidents"]
    assert incident["state"] == "resolved"
