"""HubSpot through the command line: consent, what nobody writes, and records in the bin."""

import json
import re

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

APP = {"kind": "app", "name": "Formfill Enrichment"}


@pytest.fixture
def world(tmp_path):
    with build(size="small", seed=7) as server:
        sandbox = Sandbox(server.url)
        objects = {"hs": "[contacts]"}
        config = config_for(server.url, sandbox, tmp_path / "store.db", objects=objects)
        yield Folder(tmp_path, config), sandbox


def edited(folder, sandbox, fields, count=1):
    """Let an app write fields of some contacts that hold others; return their ids and before."""
    folder.ok("sync", "hs:contacts")
    hit = [
        one
        for one in sandbox.truth("hubspot", "contacts")
        if not one["deleted"] and all(one["properties"].get(name) for name in fields)
        and all(one["properties"][name] != value for name, value in fields.items())
    ][:count]  # fmt: skip
    assert len(hit) == count
    records = [{"id": one["id"], "fields": fields} for one in hit]
    sandbox.act("hubspot", **{"as": APP}, do="update", object="contacts", records=records)
    folder.ok("sync", "hs:contacts", "--reconcile")
    return {str(one["id"]): one["properties"] for one in hit}


def newest(folder):
    return folder.ok("operations")["operations"][0]["id"]


def now(sandbox, id_):
    found = sandbox.truth("hubspot", "contacts")
    return next(one["properties"] for one in found if str(one["id"]) == id_)


def test_consent_is_put_back_only_by_a_plan_that_a_second_person_approved(world, monkeypatch):
    folder, sandbox = world
    before = edited(folder, sandbox, {"hs_legal_basis": "", "jobtitle": "Spam"})
    ((id_, was),) = before.items()
    operation = newest(folder)
    plan = folder.ok("plan", "--operation", operation)["plan"]
    (step,) = plan["steps"]
    assert step["write"].keys() == {"jobtitle"}
    assert "--consent" in json.dumps(step)
    made = folder.ok("plan", "--operation", operation, "--consent")
    (step,) = made["plan"]["steps"]
    assert (step["write"].keys(), made["approval"]["required"]) == (
        {"jobtitle", "hs_legal_basis"},
        1,
    )
    id_of_plan = made["plan"]["id"]
    early = folder.crmtrail("apply", id_of_plan, "--yes")
    assert (early.code, "needs 1 approval" in early.json["error"]["message"]) == (13, True)
    assert folder.crmtrail("approve", id_of_plan).code == 13
    monkeypatch.setenv("CRMTRAIL_USER", "bob")
    folder.ok("approve", id_of_plan)
    monkeypatch.setenv("CRMTRAIL_USER", "ana")
    shown = folder.crmtrail("plan-show", id_of_plan, as_json=False).out
    assert "what people agreed to" in shown
    receipt = folder.ok("apply", id_of_plan, "--yes")["receipt"]
    assert (receipt["approved_by"], receipt["outcomes"]["restored"]) == (["bob"], 1)
    assert now(sandbox, id_)["hs_legal_basis"] == was["hs_legal_basis"]
    undo = folder.crmtrail("undo", id_of_plan, "--yes")
    assert (undo.code, "needs 1 approval" in undo.json["error"]["message"]) == (13, True)
    assert folder.ok("verify")["ok"]


def test_what_hubspot_computes_is_refused_in_the_plan_and_never_sent(world):
    folder, sandbox = world
    ((id_, was),) = edited(folder, sandbox, {"email": "odd@elsewhere.example"}).items()
    assert now(sandbox, id_)["hs_email_domain"] == "elsewhere.example"
    made = folder.ok("plan", "--operation", newest(folder))
    (step,) = made["plan"]["steps"]
    assert step["write"].keys() == {"email"}
    calls = len(sandbox.requests(crm="hubspot"))
    receipt = folder.ok("apply", made["plan"]["id"], "--yes")["receipt"]
    assert receipt["outcomes"]["restored"] == 1
    sent = sandbox.requests(crm="hubspot")[calls:]
    (written,) = [one for one in sent if "batch/update" in json.dumps(one)]
    assert "hs_email_domain" not in json.dumps(written)
    assert now(sandbox, id_)["hs_email_domain"] == was["hs_email_domain"]
    asked = ("--record", f"hs:contacts:{id_}", "--field", "hs_email_domain", "--at")
    alone = folder.ok("plan", *asked, folder.ok("plans")["plans"][0]["created"])
    assert alone["counts"]["update"] == 0


def test_an_archived_record_says_both_ways_back_and_until_when(world):
    folder, sandbox = world
    before = edited(folder, sandbox, {"jobtitle": "Spam"})
    (id_,) = before
    operation = newest(folder)
    person = {"kind": "user", "id": sandbox.people("hubspot")["users"][1]["id"]}
    sandbox.act("hubspot", **{"as": person}, do="delete", object="contacts", records=[{"id": id_}])
    folder.ok("sync", "hs:contacts", "--reconcile")
    made = folder.ok("plan", "--operation", operation)
    (step,) = made["plan"]["steps"]
    assert step["action"] == "blocked"
    assert re.search(r"HubSpot's own recycle bin, until \d{4}-\d\d-\d\d", step["reason"])
    assert "or make it anew" in step["reason"]
