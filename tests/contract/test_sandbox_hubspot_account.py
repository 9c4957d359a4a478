"""Definitions, pipelines, owners, account and the control verbs of the sandbox's HubSpot."""

from collections.abc import Iterator
from typing import Any

import pytest

from crmtrail.sandbox.hubspot.wire import HubSpotWire
from crmtrail.sandbox.world import World
from support.hubspot_portal import PortalUnderTest, portal_under_test


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def definitions(portal: PortalUnderTest, object_: str, **query: str) -> dict[str, Any]:
    found = portal.send("GET", f"/crm/v3/properties/{object_}", params=query).json()["results"]
    return {each["name"]: each for each in found}


def test_definitions_say_what_can_be_written(portal: PortalUnderTest) -> None:
    api = portal.api(portal.client.crm.properties.core_api)
    found = {each.name: each for each in api.get_all("deals").results}

    assert found["amount"].modification_metadata.read_only_value is False
    assert found["hs_is_closed"].modification_metadata.read_only_value is True
    assert found["hs_is_closed"].calculated is True
    assert found["hubspot_owner_id"].external_options is True
    assert found["discount_reason"].hubspot_defined is False
    stages = [option.value for option in found["dealstage"].options]
    assert stages[:2] == ["appointmentscheduled", "qualifiedtobuy"]


def test_archived_and_sensitive_definitions_come_on_request_only(portal: PortalUnderTest) -> None:
    usual = definitions(portal, "contacts")

    assert "fax_extension" not in usual
    assert "tax_number" not in usual
    assert set(definitions(portal, "contacts", archived="true")) == {"fax_extension"}
    assert set(definitions(portal, "contacts", dataSensitivity="sensitive")) == {"tax_number"}
    one = portal.send("GET", "/crm/v3/properties/contacts/email").json()
    assert one == usual["email"]
    assert portal.send("GET", "/crm/v3/properties/contacts/nothing").status_code == 404


def test_every_group_of_a_property_is_listed(portal: PortalUnderTest) -> None:
    api = portal.api(portal.client.crm.properties.groups_api)

    groups = {each.name for each in api.get_all("contacts").results}

    assert {each["groupName"] for each in definitions(portal, "contacts").values()} <= groups


def test_pipelines_with_stages_and_audit(portal: PortalUnderTest) -> None:
    pipelines = portal.api(portal.client.crm.pipelines.pipelines_api)
    audits = portal.api(portal.client.crm.pipelines.pipeline_audits_api)
    change = {"label": "Contract out", "displayOrder": 4}
    portal.act("pipeline", object="deals", pipeline="default", stage="contractsent", change=change)

    found = {each.id: each for each in pipelines.get_all("deals").results}
    stages = {each.id: each for each in found["default"].stages}
    trail = audits.get_audit("deals", "default").results

    assert set(found) == {"default", "1043000"}
    assert stages["closedwon"].metadata == {"isClosed": "true", "probability": "1.0"}
    assert stages["contractsent"].label == "Contract out"
    assert [entry.action for entry in trail] == ["UPDATE", "CREATE"]
    assert trail[0].from_user_id == 9586500
    assert portal.send("GET", "/crm/v3/pipelines/deals/none").status_code == 404


def test_owners_and_those_who_left(portal: PortalUnderTest) -> None:
    api = portal.api(portal.client.crm.owners.owners_api)

    active = api.get_page(limit=3)
    rest = api.get_page(limit=100, after=active.paging.next.after)
    gone = api.get_page(archived=True)

    owners = {each.id for each in (*active.results, *rest.results)}
    assert owners == {user["owner"] for user in portal.people["users"]}
    assert len(owners) == 7
    assert [(each.first_name, each.archived) for each in gone.results] == [("Derek", True)]
    assert gone.results[0].user_id is None
    assert gone.results[0].user_id_including_inactive is not None


def test_users_teams_and_roles(portal: PortalUnderTest) -> None:
    users = portal.api(portal.client.settings.users.users_api).get_page()
    teams = portal.send("GET", "/settings/v3/users/teams").json()["results"]

    assert [user.email for user in users.results if user.super_admin] == [
        "maya.lindqvist@fernhill-supply.example"
    ]
    assert {team["name"] for team in teams} == {"Sales West", "Sales East", "Operations"}
    assert portal.send("GET", "/settings/users/2026-09").status_code == 404


@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_account_details(portal: PortalUnderTest, version: str) -> None:
    found = portal.send("GET", f"/account-info/{version}/details").json()

    assert found["portalId"] == portal.people["portal"]
    assert found["accountType"] == "STANDARD"
    assert found["timeZone"] == "UTC"


def test_the_custom_object_is_known_by_three_names(portal: PortalUnderTest) -> None:
    [found] = portal.api(portal.client.crm.schemas.core_api).get_all().results
    name = f"p{portal.people['portal']}_service_plans"

    assert (found.fully_qualified_name, found.object_type_id) == (name, "2-34567001")
    listed = [
        portal.objects.get_page(spelling).to_dict()["results"]
        for spelling in (name, "p_service_plans", "2-34567001")
    ]
    assert listed[0]
    assert listed[0] == listed[1] == listed[2]


def test_seeded_imports_explain_seeded_sources(portal: PortalUnderTest) -> None:
    [found] = portal.api(portal.client.crm.imports.core_api).get_page().results
    sources = {r["properties"].get("hs_object_source_id") for r in portal.truth("contacts")}

    assert found.id in sources
    assert found.state == "DONE"


def test_the_audit_log_needs_enterprise_and_names_no_values(portal: PortalUnderTest) -> None:
    path = "/account-info/v3/activity/audit-logs"
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"city": "Oslo"})

    assert portal.send("GET", path).status_code == 403
    portal.act("edition", enterprise=True)
    [entry] = portal.send("GET", path).json()["results"]

    assert entry["category"] == "PROPERTY_VALUE"
    assert entry["targetObjectId"] == id_
    assert entry["actingUser"]["userEmail"] == "maya.lindqvist@fernhill-supply.example"
    assert "Oslo" not in str(entry)


def test_an_option_taken_away_is_refused_from_then_on(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    change = {"options": ["bronze", "silver"]}
    portal.act("property", object="contacts", name="customer_tier", change=change)

    refused = portal.send(
        "PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"customer_tier": "gold"}}
    )

    assert refused.status_code == 400
    assert definitions(portal, "contacts")["customer_tier"]["updatedUserId"] == "9586500"


def test_an_archived_property_hides_its_values_until_it_is_back(portal: PortalUnderTest) -> None:
    record = next(r for r in portal.truth("contacts") if "credit_score" in r["properties"])

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = portal.get(
            f"contacts/{record['id']}", properties="credit_score"
        ).json()
        return found["properties"]

    portal.act("property", object="contacts", name="credit_score", change={"archived": True})
    hidden = shown()
    portal.act("property", object="contacts", name="credit_score", change={"archived": False})

    assert "credit_score" not in hidden
    assert shown()["credit_score"] == record["properties"]["credit_score"]


def test_a_new_property_can_be_written_at_once(portal: PortalUnderTest) -> None:
    portal.act("property", object="deals", name="region", change={"label": "Region"})
    id_ = portal.ids("deals")[0]

    portal.objects.update("deals", id_, {"properties": {"region": "North"}})

    assert portal.truth("deals", id_)[0]["properties"]["region"] == "North"


def test_an_act_is_one_journal_entry_a_record_with_its_actor(portal: PortalUnderTest) -> None:
    records = [{"id": id_, "fields": {"phone": None, "city": "Oslo"}} for id_ in portal.ids()[:3]]

    done = portal.act(
        "update", object="contacts", records=records, by={"kind": "import", "name": "x.csv"}
    )

    own = [e for e in portal.journal() if e["actor"]["kind"] == "import"]
    assert done == {"ids": [r["id"] for r in records]}
    assert [e["record"] for e in own] == done["ids"]
    assert all(e["after"] == {"phone": None, "city": "Oslo"} for e in own)
    assert all(e["before"]["phone"].startswith("+") for e in own)
    computed = [e for e in portal.journal() if e["actor"]["id"] == "CALCULATED"]
    assert {name for e in computed for name in e["after"]} == {
        "hs_searchable_calculated_phone_number"
    }


def test_the_source_type_can_be_named(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"city": "Oslo"}, source="CRM_UI_BULK_ACTION")

    assert portal.history("contacts", id_, "city")[0]["sourceType"] == "CRM_UI_BULK_ACTION"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"do": "dance"}, "unknown verb 'dance'"),
        ({"do": "update", "object": "gadgets"}, "Unable to infer object type from: gadgets"),
        ({"do": "update", "object": "contacts"}, "records must be a list"),
        ({"do": "update", "object": "contacts", "records": [{"id": "5"}]}, "no contact 5"),
        (
            {"do": "delete", "object": "contacts", "records": [{"id": "x"}]},
            "record ids are numbers",
        ),
        ({"do": "limits", "brust": 1}, "unknown key 'brust' for limits"),
        (
            {"do": "create", "object": "contacts", "records": [{"fields": {"shoe": "1"}}]},
            'Property "shoe" does not exist',
        ),
        (
            {
                "do": "create",
                "object": "contacts",
                "as": {"kind": "user", "id": "1"},
                "records": [{}],
            },
            "no user '1'",
        ),
        (
            {"do": "create", "object": "contacts", "as": {"kind": "ghost"}, "records": [{}]},
            "unknown kind of actor 'ghost'",
        ),
        (
            {"do": "merge", "object": "tickets", "records": [{"id": "5"}]},
            "no ticket 5",
        ),
    ],
)
def test_orders_that_make_no_sense_are_explained(
    portal: PortalUnderTest, order: dict[str, Any], words: str
) -> None:
    with portal.world.lock, pytest.raises(ValueError, match=r".") as refused:
        portal.wire.act(order)

    assert words.replace('"', "") in str(refused.value).replace("\\", "").replace('"', "")


def test_a_world_in_a_file_is_the_same_when_opened_again(tmp_path: Any) -> None:
    path = str(tmp_path / "world.db")
    first = World(path, seed=5)
    wire = HubSpotWire(first)
    wire.create()
    wire.seed(40)
    people, truth = wire.people(), wire.truth("contacts", None)
    first.db.close()

    again = World(path)
    wire = HubSpotWire(again)

    assert wire.people() == people
    assert wire.truth("contacts", None) == truth
    again.db.close()


def test_one_of_each_definition(portal: PortalUnderTest) -> None:
    stage = "/crm/v3/pipelines/deals/default/stages/closedlost"
    change = {"label": "Lost"}
    portal.act("pipeline", object="deals", pipeline="default", stage="closedlost", change=change)

    assert portal.send("GET", stage).json()["label"] == "Lost"
    assert portal.send("GET", f"{stage}/audit").json()["results"][0]["action"] == "UPDATE"
    assert portal.send("GET", stage + "x").status_code == 404
    stages = portal.send("GET", "/crm/v3/pipelines/deals/default/stages").json()["results"]
    assert len(stages) == 7
    assert portal.send("GET", "/crm-object-schemas/v3/schemas/2-1").status_code == 404
    rules = portal.send("GET", "/crm/v3/property-validations/0-1")
    assert rules.json() == {"results": []}


def test_one_owner_and_one_import(portal: PortalUnderTest) -> None:
    user = portal.people["users"][0]
    by_owner = portal.send("GET", f"/crm/v3/owners/{user['owner']}").json()
    by_user = portal.send("GET", f"/crm/v3/owners/{user['id']}?idProperty=userId").json()
    [imported] = portal.send("GET", "/crm/v3/imports").json()["results"]

    assert by_owner == by_user
    assert by_owner["email"] == user["email"]
    assert portal.send("GET", "/crm/v3/owners/1").status_code == 404
    assert portal.send("GET", f"/crm/v3/imports/{imported['id']}").json() == imported
    assert portal.send("GET", "/crm/v3/imports/1").status_code == 404
    assert portal.send("GET", "/crm/v3/owners?after=%%%").status_code == 400


def test_logins_go_back_a_month_newest_first(portal: PortalUnderTest) -> None:
    path = "/account-info/v3/activity/login"
    found, after = [], ""
    while after is not None:
        page = portal.send("GET", path, params={"limit": 100, "after": after}).json()
        found += page["results"]
        after = page.get("paging", {}).get("next", {}).get("after")
    user = portal.people["users"][1]
    own = portal.send("GET", path, params={"userId": user["id"]}).json()["results"]

    stamps = [each["loginAt"] for each in found]
    assert stamps == sorted(stamps, reverse=True)
    assert len({each["id"] for each in found}) == len(found) >= 29 * 7
    assert {each["email"] for each in own} == {user["email"]}


def test_acts_associate_and_part(portal: PortalUnderTest) -> None:
    deal = portal.ids("deals")[0]
    [made] = portal.act("create", object="contacts", records=[{"fields": {"city": "Oslo"}}])["ids"]
    both = [{"id": deal, "to": {"object": "contacts", "id": made}}]

    portal.act("associate", object="deals", records=both)
    assert portal.truth("deals", deal)[0]["properties"]["num_associated_contacts"] == "2"
    portal.act("dissociate", object="deals", records=both)
    assert portal.truth("deals", deal)[0]["properties"]["num_associated_contacts"] == "1"
    product = {"object": "products", "id": portal.ids("products")[0]}
    with pytest.raises(ValueError, match="contacts and products cannot be associated"):
        portal.act("associate", object="contacts", records=[{"id": made, "to": product}])


def test_acts_purge_and_delete_for_privacy(portal: PortalUnderTest) -> None:
    one, other = portal.ids()[:2]

    portal.act("purge", object="contacts", records=[{"id": one}])
    portal.act("gdpr_delete", object="contacts", records=[{"id": other}])

    assert portal.truth("contacts", one) == portal.truth("contacts", other) == []
    ops = [e["op"] for e in portal.journal() if e["record"] in (one, other)]
    assert ops == ["purge", "gdpr_delete"]
    with pytest.raises(ValueError, match="only contacts"):
        portal.act("gdpr_delete", object="deals", records=[{"id": portal.ids("deals")[0]}])


def test_apps_unknown_to_the_portal_may_act_under_an_id(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    stranger = {"kind": "app", "id": "55", "name": "Old Sync"}
    portal.change("contacts", id_, {"city": "Oslo"}, by=stranger)

    newest = portal.history("contacts", id_, "city")[0]
    assert (newest["sourceId"], newest["sourceLabel"]) == ("55", "Old Sync")
    with pytest.raises(ValueError, match="give an id for a new one"):
        portal.change("contacts", id_, {"city": "Rome"}, by={"kind": "app", "name": "Nobody"})


def test_only_the_portal_itself_writes_computed_values(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"num_notes": "77"}, by={"kind": "system"})

    assert portal.history("contacts", id_, "num_notes")[0]["sourceType"] == "INTERNAL_PROCESSING"
    with pytest.raises(ValueError, match="read only"):
        portal.change("contacts", id_, {"num_notes": "78"})


def test_an_import_can_go_on_under_its_id(portal: PortalUnderTest) -> None:
    one, other = portal.ids()[:2]
    portal.change("contacts", one, {"city": "Oslo"}, by={"kind": "import", "name": "a.csv"})
    id_ = portal.history("contacts", one, "city")[0]["sourceId"]

    portal.change("contacts", other, {"city": "Oslo"}, by={"kind": "import", "id": id_})

    assert portal.history("contacts", other, "city")[0]["sourceId"] == id_
    with pytest.raises(ValueError, match="no import '5'"):
        portal.change("contacts", other, {"city": "Rome"}, by={"kind": "import", "id": "5"})


@pytest.mark.parametrize(
    ("verb", "words"),
    [("update", "is deleted; restore it first"), ("restore", "is not deleted")],
)
def test_the_state_of_a_record_matters(portal: PortalUnderTest, verb: str, words: str) -> None:
    id_ = portal.ids("deals")[0]
    if verb == "update":
        portal.act("delete", object="deals", records=[{"id": id_}])

    with pytest.raises(ValueError, match=words):
        portal.act(verb, object="deals", records=[{"id": id_, "fields": {"amount": "1"}}])
