"""HubSpot's own rules, met by a whole restore through the command line."""

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

APP = {"kind": "app", "name": "Formfill Enrichment"}


@pytest.fixture(params=["v3", "2026-09"])
def world(request, tmp_path):
    with build(size="small", seed=7) as server:
        sandbox = Sandbox(server.url)
        wanted = "contacts, companies, deals, line_items, '@consent', '@associations'"
        objects = {"hs": f"[{wanted}]\n    api_version: {request.param}"}
        config = config_for(server.url, sandbox, tmp_path / "store.db", objects=objects)
        yield Folder(tmp_path, config), sandbox


def act(sandbox, do, by=APP, **order):
    return sandbox.act("hubspot", **{"as": by}, do=do, **order)


def held(sandbox, object_, id_):
    (record,) = sandbox.truth("hubspot", object_, id_)
    return record["properties"]


def changed(folder, sandbox, object_, changes):
    """Sync, let an app make the changes, sync again; return the operation and what was before."""
    folder.ok("sync", f"hs:{object_}")
    before = {id_: held(sandbox, object_, id_) for id_ in changes}
    records = [{"id": id_, "fields": fields} for id_, fields in changes.items()]
    act(sandbox, "update", object=object_, records=records)
    folder.ok("sync", f"hs:{object_}", "--reconcile")
    wrote = set().union(*changes.values())
    made = folder.ok("operations")["operations"]
    return next(one["id"] for one in made if wrote <= set(one["fields"])), before


def restored(folder, operation, *, code=0):
    plan = folder.ok("plan", "--operation", operation)["plan"]["id"]
    ended = folder.crmtrail("apply", plan, "--yes")
    assert ended.code == code, ended.err
    return ended.json["receipt"]


def some(sandbox, object_, count, **holding):
    found = [
        str(one["id"])
        for one in sandbox.truth("hubspot", object_)
        if not one["deleted"]
        and all(one["properties"].get(name) == value for name, value in holding.items())
    ]
    return found[:count]


def test_stages_go_back_and_forth(world):
    folder, sandbox = world
    ids = some(sandbox, "contacts", 5, lifecyclestage="lead")
    assert ids
    forward = {id_: {"lifecyclestage": "customer"} for id_ in ids}
    operation, _ = changed(folder, sandbox, "contacts", forward)
    receipt = restored(folder, operation)
    assert receipt["outcomes"]["restored"] == len(ids)
    assert {held(sandbox, "contacts", id_)["lifecyclestage"] for id_ in ids} == {"lead"}
    folder.ok("undo", receipt["plan"], "--yes")
    assert {held(sandbox, "contacts", id_)["lifecyclestage"] for id_ in ids} == {"customer"}


def test_an_amount_that_follows_from_line_items_says_what_to_restore(world):
    folder, sandbox = world
    made = act(sandbox, "create", object="deals", records=[
        {"fields": {"dealname": "Plain", "amount": "5", "dealstage": "contractsent"}},
        {"fields": {"dealname": "Itemised", "amount": "5", "dealstage": "contractsent"}},
    ])  # fmt: skip
    plain, itemised = (str(id_) for id_ in made["ids"])
    operation, _ = changed(
        folder,
        sandbox,
        "deals",
        {id_: {"amount": "999", "dealname": "Spam"} for id_ in (plain, itemised)},
    )
    (item,) = act(sandbox, "create", object="line_items", records=[
        {"fields": {"name": "Seat", "price": "10", "quantity": "2"}}
    ])["ids"]  # fmt: skip
    to = {"object": "deals", "id": itemised}
    act(sandbox, "associate", object="line_items", records=[{"id": str(item), "to": to}])
    act(sandbox, "update", object="deals", records=[{"id": itemised, "fields": {"amount": "999"}}])
    receipt = restored(folder, operation, code=3)
    steps = {step["record"].rpartition(":")[2]: step for step in receipt["steps"]}
    assert steps[plain]["outcome"] == "restored", steps[plain]
    assert steps[itemised]["outcome"] == "refused"
    assert steps[itemised]["fields"] == {"amount": "refused", "dealname": "restored"}
    assert "restore the line items instead" in steps[itemised]["detail"]
    assert held(sandbox, "deals", itemised)["dealname"] == "Itemised"


def test_an_option_that_is_gone_says_the_three_ways_out(world):
    folder, sandbox = world
    ids = some(sandbox, "contacts", 1, hs_lead_status="OPEN")
    assert ids
    change = {ids[0]: {"hs_lead_status": "NEW", "jobtitle": "Spam"}}
    operation, _ = changed(folder, sandbox, "contacts", change)
    user = {"kind": "user", "id": sandbox.people("hubspot")["users"][1]["id"]}
    options = [{"label": "New", "value": "NEW", "displayOrder": 0, "hidden": False}]
    order = {"object": "contacts", "name": "hs_lead_status", "change": {"options": options}}
    plan = folder.ok("plan", "--operation", operation)["plan"]["id"]
    act(sandbox, "property", user, **order)
    ended = folder.crmtrail("apply", plan, "--yes")
    (step,) = ended.json["receipt"]["steps"]
    assert step["fields"] == {"hs_lead_status": "refused", "jobtitle": "restored"}
    assert "add the option again" in step["detail"]
    (step,) = folder.ok("plan", "--operation", operation)["plan"]["steps"]
    assert "add the option again" in step["left"]["hs_lead_status"]


def test_a_subscription_is_put_back_with_its_legal_basis_once_a_second_person_agrees(
    world, monkeypatch
):
    folder, sandbox = world
    name = "subscription_statuses"
    (id_,) = some(sandbox, "contacts", 1)
    told = {"legalBasis": "CONSENT_WITH_NOTICE", "explanation": "signed in 2024"}
    once = {"id": id_, "subscription": "Customer newsletter"}
    act(sandbox, "consent", records=[once | {"status": "SUBSCRIBED"} | told])
    folder.ok("sync", f"hs:{name}")
    record = f"hs:{name}:{id_}.4471001"
    was = folder.ok("show", record)
    sandbox.turn(60)
    act(sandbox, "consent", records=[once | {"status": "UNSUBSCRIBED"}])
    folder.ok("sync", f"hs:{name}", "--full")
    asked = ("--record", record, "--at", was["at"])
    left = folder.ok("plan", *asked)
    assert left["counts"]["update"] == 0
    assert "--consent" in left["plan"]["steps"][0]["left"]["status"]
    made = folder.ok("plan", *asked, "--consent")
    assert made["approval"]["required"] == 1
    plan = made["plan"]["id"]
    monkeypatch.setenv("CRMTRAIL_USER", "bob")
    folder.ok("approve", plan)
    monkeypatch.setenv("CRMTRAIL_USER", "ana")
    ended = folder.crmtrail("apply", plan, "--yes")
    assert ended.json["receipt"]["approved_by"] == ["bob"]
    fields = ended.json["receipt"]["steps"][0]["fields"]
    assert "legalBasis" in fields, ended.json["receipt"]["steps"]
    assert {fields[key] for key in ("status", "legalBasis", "legalBasisExplanation")} == {
        "restored"
    }
    folder.ok("sync", f"hs:{name}", "--full")
    now = folder.ok("show", record)["fields"]
    assert now["status"] == "SUBSCRIBED"
    assert now["legalBasisExplanation"] == "signed in 2024"


def test_labels_of_an_association_are_put_back(world):
    folder, sandbox = world
    pair = "contacts-companies"
    (contact,) = act(
        sandbox, "create", object="contacts", records=[{"fields": {"email": "pair@x.example"}}]
    )["ids"]
    (company,) = act(sandbox, "create", object="companies", records=[{"fields": {"name": "P"}}])[
        "ids"
    ]
    to = {"object": "companies", "id": company}
    for type_ in (279, 1):
        act(sandbox, "associate", object="contacts", records=[{"id": contact, "to": to,
                                                             "type": type_}])  # fmt: skip
    folder.ok("sync", f"hs:{pair}")
    record = f"hs:{pair}:{contact}-{company}"
    was = folder.ok("show", record)
    assert "HUBSPOT_DEFINED:1" in was["fields"]["types"]
    sandbox.turn(60)
    act(sandbox, "dissociate", object="contacts", records=[{"id": contact, "to": to, "type": 1}])
    folder.ok("sync", f"hs:{pair}", "--full")
    plan = folder.ok("plan", "--record", record, "--at", was["at"])["plan"]
    assert plan["steps"][0]["write"].keys() == {"types"}, plan
    ended = folder.crmtrail("apply", plan["id"], "--yes")
    assert ended.json["receipt"]["outcomes"]["restored"] == 1
    folder.ok("sync", f"hs:{pair}", "--full")
    assert folder.ok("show", record)["fields"]["types"] == was["fields"]["types"]


def deleted(folder, sandbox, fields, **more):
    """Make a contact, let a person delete it, and sync; return its id and when it was there."""
    (id_,) = act(sandbox, "create", object="contacts", records=[{"fields": fields}])["ids"]
    folder.ok("sync", "hs:contacts", "--reconcile")
    there = folder.ok("show", f"hs:contacts:{id_}")["at"]
    sandbox.turn(60)
    act(sandbox, more.pop("do", "delete"), object="contacts", records=[{"id": id_}])
    sandbox.turn(60)
    folder.ok("sync", "hs:contacts", "--reconcile")
    return id_, there


def live(sandbox, email):
    return [
        one
        for one in sandbox.truth("hubspot", "contacts")
        if not one["deleted"] and one["properties"].get("email") == email
    ]


@pytest.mark.parametrize("fault", ["", "reset_after", "reset_before"])
def test_a_deleted_contact_is_made_anew_once_whatever_happens_to_the_answer(world, fault):
    folder, sandbox = world
    email = "back@fernhill.example"
    id_, there = deleted(folder, sandbox, {"email": email, "jobtitle": "Dr"})
    made = folder.ok("plan", "--record", f"hs:contacts:{id_}", "--at", there)
    (step,) = made["plan"]["steps"]
    assert step["action"] == "create"
    assert "HubSpot's own recycle bin until" in step["reason"]
    assert "another id" in step["reason"]
    if fault:
        sandbox.fault(fault, crm="hubspot", path="batch/create")
    receipt = folder.ok("apply", made["plan"]["id"], "--yes")["receipt"]
    assert receipt["outcomes"]["restored"] == 1, receipt["steps"]
    (now,) = live(sandbox, email)
    assert now["properties"]["jobtitle"] == "Dr"
    assert str(now["id"]) != str(id_)
    again = folder.ok("plan", "--record", f"hs:contacts:{id_}", "--at", there)
    assert again["counts"]["create"] == 0


def test_who_holds_the_address_now_is_named(world):
    folder, sandbox = world
    email = "taken@fernhill.example"
    id_, there = deleted(folder, sandbox, {"email": email})
    (holder,) = act(sandbox, "create", object="contacts", records=[{"fields": {"email": email}}])[
        "ids"
    ]
    plan = folder.ok("plan", "--record", f"hs:contacts:{id_}", "--at", there)["plan"]["id"]
    ended = folder.crmtrail("apply", plan, "--yes")
    (step,) = ended.json["receipt"]["steps"]
    assert (ended.code, step["outcome"]) == (3, "refused")
    assert f"record {holder} holds the value now" in step["detail"]
    assert len(live(sandbox, email)) == 1


def test_a_contact_made_anew_is_associated_again_under_its_new_id(world):
    folder, sandbox = world
    email, pair = "linked@fernhill.example", "contacts-companies"
    (company,) = act(sandbox, "create", object="companies", records=[{"fields": {"name": "P"}}])[
        "ids"
    ]
    (id_,) = act(sandbox, "create", object="contacts", records=[{"fields": {"email": email}}])[
        "ids"
    ]
    to = {"object": "companies", "id": company}
    act(sandbox, "associate", object="contacts", records=[{"id": id_, "to": to}])
    folder.ok("sync", "hs:contacts", f"hs:{pair}", "--reconcile")
    record = f"hs:{pair}:{id_}-{company}"
    types = folder.ok("show", record)["fields"]["types"]
    there = folder.ok("show", record)["at"]
    sandbox.turn(60)
    act(sandbox, "delete", object="contacts", records=[{"id": id_}])
    sandbox.turn(60)
    folder.ok("sync", "hs:contacts", f"hs:{pair}", "--reconcile")
    asked = ("--record", record, "--record", f"hs:contacts:{id_}", "--at", there)
    made = folder.ok("plan", *asked)
    assert made["counts"]["create"] == 2, made
    ended = folder.crmtrail("apply", made["plan"]["id"], "--yes")
    assert ended.json["receipt"]["outcomes"]["restored"] == 2, ended.json["receipt"]["steps"]
    (now,) = live(sandbox, email)
    folder.ok("sync", f"hs:{pair}", "--full")
    found = folder.ok("show", f"hs:{pair}:{now['id']}-{company}")
    assert (found["deleted"], found["fields"]["types"]) == (False, types)
