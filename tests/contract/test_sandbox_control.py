import re
import socket
from pathlib import Path

import pytest
import requests

from crmtrail.sandbox.build import build
from support.sandbox import running_sandbox


def test_the_journal_tells_who_changed_what(org):
    contact = org.one("Contact")
    org.act("update", "Contact", ids=[contact["Id"]], fields={"Phone": None, "Title": "x"},
            by={"kind": "app", "name": "Marketing Sync"})  # fmt: skip
    org.restorer.Contact.update(contact["Id"], {"Phone": contact["Phone"]})
    first, second = org.journal(contact["Id"])
    assert first["op"] == "update"
    assert first["before"] == {"Phone": contact["Phone"], "Title": contact["Title"]}
    assert first["after"] == {"Phone": None, "Title": "x"}
    assert (first["actor"]["kind"], first["actor"]["name"]) == ("app", "Marketing Sync")
    assert first["request"] is None
    assert second["after"] == {"Phone": contact["Phone"]}
    assert second["actor"]["name"] == "CRM Restorer"
    log = {entry["seq"]: entry for entry in org.control.requests(crm="salesforce")}
    assert log[second["request"]]["method"] == "PATCH"
    assert log[second["request"]]["identity"] == "CRM Restorer"
    assert org.control.journal(crm="salesforce", since=first["seq"])[0] == second


def test_acts_by_condition_and_by_record(org):
    stages = org.rows("SELECT Id FROM Opportunity WHERE StageName = 'Prospecting'")
    moved = org.act("update", "Opportunity", where="StageName = 'Prospecting'",
                    fields={"StageName": "Closed Lost"}, by={"kind": "import"})  # fmt: skip
    assert set(moved) == {row["Id"] for row in stages}
    first, second = org.ids("Contact", 2)
    org.act("update", "Contact", records=[
        {"id": first, "fields": {"Title": "a"}}, {"id": second, "fields": {"Title": "b"}},
    ])  # fmt: skip
    assert [org.truth("Contact", id_)["Title"] for id_ in (first, second)] == ["a", "b"]


def test_approvals_can_be_acted_out(org):
    quote = org.one("Quote")["Id"]
    process = org.one("ProcessDefinition")["Id"]
    boss = org.one("User", "Name = 'Ines Castro'")["Id"]
    (instance,) = org.act("create", "ProcessInstance", records=[{"fields": {
        "ProcessDefinitionId": process, "TargetObjectId": quote, "Status": "Approved",
        "SubmittedById": boss}}])  # fmt: skip
    org.act("create", "ProcessInstanceStep", records=[{"fields": {
        "ProcessInstanceId": instance, "StepStatus": "Approved", "ActorId": boss,
        "OriginalActorId": boss}}], by={"kind": "user", "id": boss})  # fmt: skip
    (row,) = [
        row
        for row in org.rows(
            "SELECT Id, TargetObject.Name, ProcessDefinition.Name,"
            " (SELECT StepStatus, Actor.Name, CreatedBy.Name FROM Steps) FROM ProcessInstance"
        )
        if row["Id"] == instance
    ]
    step = row["Steps"]["records"][0]
    assert (step["Actor"]["Name"], step["CreatedBy"]["Name"]) == ("Ines Castro", "Ines Castro")
    assert row["TargetObject"]["Name"] == org.truth("Quote", quote)["Name"]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"crm": "siebel"}, "unknown crm 'siebel'; known are salesforce, hubspot"),
        ({"crm": "salesforce", "do": "dance"}, "unknown act 'dance'; known are update, create"),
        ({"crm": "salesforce", "do": "update", "object": "Pet"}, "unknown object 'Pet'"),
        ({"crm": "salesforce", "do": "update", "object": "Lead"}, "name at least one record"),
        ({"crm": "salesforce", "do": "update", "object": "Lead", "ids": ["x"]}, "no Lead with id"),
        ({"crm": "salesforce", "do": "create", "object": "Lead",
          "records": [{"fields": {"LastName": "x"}}]}, "REQUIRED_FIELD_MISSING"),
        ({"crm": "salesforce", "do": "update", "object": "Lead", "where": "Nope = 1"},
         "INVALID_FIELD"),
        ({"crm": "salesforce", "do": "update", "object": "Lead", "ids": ["x"],
          "as": {"kind": "ghost"}}, "unknown kind 'ghost'"),
        ({"crm": "salesforce", "do": "update", "object": "Lead", "ids": ["x"],
          "as": {"kind": "user", "name": "Nobody"}}, "no user 'Nobody'; known are Priya Raman"),
        ({"crm": "salesforce", "do": "quota"}, "quota wants max, used or both"),
        ({"crm": "salesforce", "do": "commit_delay"}, "the order lacks 'seconds'"),
        ({"crm": "salesforce", "do": "hide_field", "object": "Contact", "field": "LastName"},
         "is required, it cannot be hidden"),
        ({"crm": "salesforce", "do": "add_rule", "object": "Lead", "kind": "odd"},
         "unknown kind of rule 'odd'"),
    ],
)  # fmt: skip
def test_mistakes_get_one_clear_line(sandbox, order, told):
    server, _ = sandbox
    answer = requests.post(f"{server.url}/_sandbox/act", json=order, timeout=10)
    assert answer.status_code == 400
    assert told in answer.json()["error"]


def test_other_mistakes(sandbox):
    server, control = sandbox
    url = f"{server.url}/_sandbox"
    assert requests.get(f"{url}/nope", timeout=10).status_code == 404
    assert requests.get(server.url, timeout=10).status_code == 404
    assert "JSON object" in requests.post(f"{url}/clock", json=[], timeout=10).json()["error"]
    naive = requests.post(f"{url}/clock", json={"freeze": "2026-01-01T00:00"}, timeout=10)
    assert "offset" in naive.json()["error"]
    with pytest.raises(ValueError, match="unknown size 'huge'"):
        control.reset(size="huge")
    with pytest.raises(ValueError, match="unknown fault kind"):
        control.fault("meteor")
    with pytest.raises(ValueError, match="unknown object"):
        control.truth("salesforce", "Pet")


def test_the_same_seed_gives_the_same_org():
    def told(seed):
        with running_sandbox(seed=seed) as (_, control):
            return control.truth("salesforce", "Opportunity"), control.people("salesforce")

    assert told(3) == told(3)
    assert told(3)[0] != told(4)[0]


def test_a_reset_forgets_everything(org):
    (id_,) = org.ids("Contact", 1)
    before = org.truth("Contact", id_)
    org.restorer.Contact.update(id_, {"Title": "x"})
    org.control.fault("unavailable")
    org.control.reset(seed=1, size="tiny")
    assert org.control.journal() == org.control.requests() == []
    assert org.truth("Contact", id_) == before
    assert org.observer.Contact.get(id_)["Title"] == before["Title"]


def test_a_world_in_a_file_lasts(tmp_path):
    path = str(tmp_path / "world.db")
    for expected in (None, "kept"):
        server = build(size="tiny", path=path)
        try:
            wire = server.control.wires["salesforce"]
            first = wire.truth("Contact", None)[0]
            assert (first["Fax"] == "kept") is (expected == "kept")
            wire.act({"do": "update", "object": "Contact", "ids": [first["Id"]],
                      "fields": {"Fax": "kept"}})  # fmt: skip
            server.world.db.commit()
        finally:
            server.stop()
            server.world.close()


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"kind": "unauthorized"}, 401, "INVALID_SESSION_ID"),
        ({"kind": "throttle", "quota": True}, 403, "REQUEST_LIMIT_EXCEEDED"),
        ({"kind": "throttle", "retry_after": 7}, 429, "TOO_MANY_REQUESTS"),
    ],
)
def test_refusals_on_order(org, order, status, code):
    org.control.fault(**order, crm="salesforce")
    refused = org.raw("GET", "/limits")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (status, code)
    assert refused.headers.get("Retry-After") == ("7" if "retry_after" in order else None)
    assert "api-usage=" in refused.headers["Sforce-Limit-Info"]
    assert org.raw("GET", "/limits").status_code == 200


def test_an_unavailable_org_answers_with_a_web_page(org):
    org.control.fault("unavailable", skip=1)
    assert org.raw("GET", "/limits").status_code == 200
    down = org.raw("GET", "/limits")
    assert (down.status_code, down.headers["Content-Type"]) == (503, "text/html")


@pytest.mark.parametrize(("kind", "landed"), [("reset_before", False), ("reset_after", True)])
def test_a_connection_reset_before_or_after_the_write(org, kind, landed):
    (id_,) = org.ids("Contact", 1)
    org.control.fault(kind, method="PATCH")
    with pytest.raises(requests.ConnectionError):
        org.raw("PATCH", f"/sobjects/Contact/{id_}", json={"Title": "ambiguous"})
    assert (org.truth("Contact", id_)["Title"] == "ambiguous") is landed
    last = org.control.requests(crm="salesforce")[-1]
    assert (last["status"], last["fault"]) == (None, kind)


def test_a_fault_strikes_in_the_middle_of_paging(org):
    org.act("create", "Lead", records=[
        {"fields": {"LastName": "L", "Company": "C"}} for _ in range(500)
    ])  # fmt: skip
    found = org.observer.query(
        "SELECT Id FROM Lead", headers={"Sforce-Query-Options": "batchSize=200"}
    )
    org.control.fault("unauthorized", path="/query/0r8")
    assert org.raw("GET", found["nextRecordsUrl"], role="observer").status_code == 401
    assert org.raw("GET", found["nextRecordsUrl"], role="observer").status_code == 200


def test_a_slow_answer_outlasts_an_impatient_client(org):
    org.control.fault("slow", seconds=0.5, path="limits")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{org.server.url}/services/data/v60.0/limits", timeout=0.1)


def test_the_quota(org):
    org.act("quota", max=1000, used=998)
    first = org.raw("GET", "/limits")
    assert first.headers["Sforce-Limit-Info"] == "api-usage=999/1000"
    assert first.json()["DailyApiRequests"] == {"Max": 1000, "Remaining": 1}
    assert org.raw("GET", "/limits").status_code == 200
    refused = org.raw("GET", "/limits")
    assert refused.status_code == 403
    assert refused.json() == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]
    org.control.turn(25 * 3600)
    assert org.raw("GET", "/limits").headers["Sforce-Limit-Info"] == "api-usage=1/1000"


def test_record_counts_leave_out_what_is_empty(org):
    told = org.raw("GET", "/limits/recordCount?sObjects=Contact,ContactHistory").json()
    assert [item["name"] for item in told["sObjects"]] == ["Contact"]


def test_answers_are_zipped_for_those_who_can_unzip(org):
    zipped = org.raw("GET", "/sobjects", headers={"Accept-Encoding": "gzip"})
    plain = org.raw("GET", "/sobjects", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.json() == plain.json()


def test_the_server_listens_on_loopback_only(sandbox):
    server, _ = sandbox
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_the_documentation_names_every_act(org):
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    part = text.split("## Salesforce", 1)[1].split("## HubSpot", 1)[0]
    named = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[a-z_`, ]+) \|", part, re.MULTILINE)))
    )
    with pytest.raises(ValueError, match="unknown act") as caught:
        org.act("no_such_act")
    known = set(str(caught.value).split("known are ")[1].split(", "))
    assert known <= named


def test_the_documentation_names_every_act_of_hubspot(sandbox):
    _, control = sandbox
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    part = text.split("\n## HubSpot", 1)[1]
    named = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[a-z_`, ]+) \|", part, re.MULTILINE)))
    )
    with pytest.raises(ValueError, match="unknown verb") as caught:
        control.act("hubspot", do="no_such_act")
    known = set(str(caught.value).split("known are ")[1].split(", "))
    with pytest.raises(ValueError, match="unknown key") as caught:
        control.act("hubspot", do="unsettled", no_such_key=True)
    keys = set(re.findall(r"'(\w+)'", str(caught.value).split("known are ")[1]))
    assert known <= named
    assert keys <= named
