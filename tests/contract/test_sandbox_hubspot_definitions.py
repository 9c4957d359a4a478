"""Definitions written over the API of the sandbox's HubSpot: properties, pipelines, lists."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.hubspot_portal import PortalUnderTest, portal_under_test

DAY = 86_400
FRESH = {
    "name": "made",
    "label": "Made",
    "type": "string",
    "fieldType": "text",
    "groupName": "accountcare",
}
LIST = {"name": "Buyers", "objectTypeId": "0-1", "processingType": "MANUAL"}


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def properties(
    portal: PortalUnderTest, method: str, rest: str = "", body: object = None
) -> requests.Response:
    return portal.send(method, f"/crm/v3/properties/contacts{rest}", body)


def refused(answer: requests.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]


# properties


def test_a_property_is_made_once_and_names_its_maker(portal: PortalUnderTest) -> None:
    made = properties(portal, "POST", body=FRESH)
    again = properties(portal, "POST", body=FRESH)

    assert made.status_code == 201
    assert made.json()["createdUserId"] == made.json()["updatedUserId"] == "3217790"
    assert made.json()["hubspotDefined"] is False
    refused(again, 409, "A property named 'made' already exists.")


def test_posting_the_name_of_an_archived_property_brings_it_back_with_its_values(
    portal: PortalUnderTest,
) -> None:
    properties(portal, "POST", body=FRESH)
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"made": "kept"})
    assert properties(portal, "DELETE", "/made").status_code == 204
    assert properties(portal, "GET", "/made").status_code == 404
    assert portal.send("GET", "/crm/v3/properties/contacts/made?archived=true").json()["archived"]

    wrong = properties(portal, "POST", body=FRESH | {"type": "number"})
    back = properties(portal, "POST", body=FRESH)

    refused(wrong, 400, "is of type string")
    assert back.status_code == 201
    assert "archivedAt" not in back.json()
    found = portal.get(f"contacts/{id_}", properties="made").json()
    assert found["properties"]["made"] == "kept"


def test_what_hubspot_defines_stays(portal: PortalUnderTest) -> None:
    refused(properties(portal, "DELETE", "/email"), 400, "cannot be archived")
    refused(properties(portal, "PATCH", "/email", {"label": "Mail"}), 400, "defined by HubSpot")
    options = {"options": [{"label": "A", "value": "a"}]}
    refused(properties(portal, "PATCH", "/lifecyclestage", options), 400, "cannot be changed")
    refused(properties(portal, "PATCH", "/nothing", {"label": "N"}), 404, "resource not found")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": ""}, "required fields were not set: [label]"),
        ({"type": "colour"}, "type must be one of"),
    ],
)
def test_bad_definitions(portal: PortalUnderTest, change: dict[str, str], words: str) -> None:
    refused(properties(portal, "POST", body=FRESH | change), 400, words)


def test_an_option_added_over_the_api_can_be_written(portal: PortalUnderTest) -> None:
    tier = properties(portal, "GET", "/customer_tier").json()
    id_ = portal.ids()[0]
    values = {"properties": {"customer_tier": "diamond"}}
    target = f"/crm/v3/objects/contacts/{id_}"
    assert portal.send("PATCH", target, values).status_code == 400

    new = {"label": "Diamond", "value": "diamond", "displayOrder": 9, "hidden": False}
    changed = properties(portal, "PATCH", "/customer_tier", {"options": [*tier["options"], new]})

    assert changed.json()["updatedUserId"] == "3217790"
    assert portal.send("PATCH", target, values).status_code == 200


def test_properties_in_batches(portal: PortalUnderTest) -> None:
    inputs = [FRESH | {"name": f"made_{n}"} for n in range(3)]
    names = [{"name": each["name"]} for each in inputs]

    made = properties(portal, "POST", "/batch/create", {"inputs": inputs})
    gone = properties(portal, "POST", "/batch/archive", {"inputs": names[:1]})
    read = properties(portal, "POST", "/batch/read", {"inputs": names, "archived": False})

    assert (made.status_code, gone.status_code, read.status_code) == (201, 204, 207)
    assert [each["name"] for each in read.json()["results"]] == ["made_1", "made_2"]
    assert read.json()["errors"][0]["context"] == {"name": ["made_0"]}
    bad = properties(
        portal, "POST", "/batch/create", {"inputs": [FRESH | {"name": "x"}, inputs[1]]}
    )
    assert bad.status_code == 409
    assert properties(portal, "GET", "/x").status_code == 404


def test_a_group_goes_only_when_empty(portal: PortalUnderTest) -> None:
    body = {"name": "late", "label": "Late", "displayOrder": 7}
    assert properties(portal, "POST", "/groups", body).status_code == 201
    refused(properties(portal, "POST", "/groups", body), 409, "already exists")
    properties(portal, "POST", body=FRESH | {"groupName": "late"})
    changed = properties(portal, "PATCH", "/groups/late", {"label": "Later"})
    assert changed.json()["label"] == "Later"

    refused(properties(portal, "DELETE", "/groups/late"), 400, "still holds the property 'made'")
    properties(portal, "DELETE", "/made")

    assert properties(portal, "DELETE", "/groups/late").status_code == 204
    assert properties(portal, "GET", "/groups/late").status_code == 404


# pipelines


def pipelines(
    portal: PortalUnderTest, method: str, rest: str = "", body: object = None
) -> requests.Response:
    return portal.send(method, f"/crm/pipelines/2026-03/deals{rest}", body)


def make_pipeline(portal: PortalUnderTest, label: str = "Partners") -> dict[str, Any]:
    stages = [{"label": "Met", "displayOrder": 0, "metadata": {"probability": 0.3}}]
    body = {"label": label, "displayOrder": 4, "stages": stages}
    made = pipelines(portal, "POST", body=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def test_deals_move_into_a_new_pipeline(portal: PortalUnderTest) -> None:
    made = make_pipeline(portal)
    stage = made["stages"][0]
    values = {"pipeline": made["id"], "dealstage": stage["id"]}
    deal = f"/crm/v3/objects/deals/{portal.ids('deals')[0]}"

    moved = portal.send("PATCH", deal, {"properties": values})

    assert stage["metadata"] == {"probability": "0.3"}
    assert moved.status_code == 200, moved.text
    assert moved.json()["properties"]["dealstage"] == stage["id"]
    used = pipelines(portal, "DELETE", f"/{made['id']}?validateReferencesBeforeDelete=true")
    refused(used, 400, "is still used by DEAL")


def test_an_archived_pipeline_comes_back_by_a_patch_and_leaves_its_audit(
    portal: PortalUnderTest,
) -> None:
    made = make_pipeline(portal)
    deal = f"/crm/v3/objects/deals/{portal.ids('deals')[0]}"
    values = {"pipeline": made["id"], "dealstage": made["stages"][0]["id"]}

    assert pipelines(portal, "DELETE", f"/{made['id']}").status_code == 204
    assert portal.send("PATCH", deal, {"properties": values}).status_code == 400
    back = pipelines(portal, "PATCH", f"/{made['id']}", {"archived": False})

    assert back.json()["archived"] is False
    assert portal.send("PATCH", deal, {"properties": values}).status_code == 200
    audit = pipelines(portal, "GET", f"/{made['id']}/audit").json()["results"]
    assert [each["action"] for each in audit] == ["UPDATE", "DELETE", "CREATE"]


def test_stages_are_made_changed_replaced_and_put_away(portal: PortalUnderTest) -> None:
    id_ = make_pipeline(portal)["id"]
    stage = pipelines(
        portal,
        "POST",
        f"/{id_}/stages",
        {"label": "Won", "displayOrder": 1, "metadata": {"probability": "1.0"}},
    ).json()
    target = f"/{id_}/stages/{stage['id']}"

    changed = pipelines(portal, "PATCH", target, {"displayOrder": 0})
    short = pipelines(portal, "PUT", target, {"label": "W"})
    whole = {"label": "W", "displayOrder": 3, "metadata": {"probability": "0.9"}}
    replaced = pipelines(portal, "PUT", target, whole)
    audit = pipelines(portal, "GET", f"{target}/audit").json()["results"]
    gone = pipelines(portal, "DELETE", target)

    assert changed.json()["displayOrder"] == 0
    refused(short, 400, "[displayOrder, metadata]")
    assert replaced.json()["metadata"] == {"probability": "0.9"}
    assert [each["identifier"] for each in audit] == [stage["id"]] * 3
    assert gone.status_code == 204
    assert pipelines(portal, "GET", target).json()["archived"] is True


def test_a_pipeline_is_replaced_whole(portal: PortalUnderTest) -> None:
    made = make_pipeline(portal)
    old = made["stages"][0]
    stages = [
        {"stageId": old["id"], "label": "Met", "displayOrder": 1, "metadata": {}},
        {"label": "First", "displayOrder": 0, "metadata": {}},
    ]
    body = {"label": "Partner sales", "displayOrder": 1, "stages": stages}

    replaced = pipelines(portal, "PUT", f"/{made['id']}", body).json()

    assert replaced["label"] == "Partner sales"
    assert [each["label"] for each in replaced["stages"]] == ["First", "Met"]
    assert replaced["stages"][1]["id"] == old["id"]
    refused(pipelines(portal, "PUT", f"/{made['id']}", {"label": "X"}), 400, "[label, stages]")


def test_pipelines_that_make_no_sense(portal: PortalUnderTest) -> None:
    make_pipeline(portal)
    refused(pipelines(portal, "POST", body={"label": "X"}), 400, "[label, stages]")
    twice = pipelines(portal, "POST", body={"label": "Partners", "stages": []})
    refused(twice, 409, "already exists")
    none = portal.send("POST", "/crm/v3/pipelines/contacts", {"label": "X", "stages": []})
    refused(none, 400, "CONTACT has no pipelines")


# lists


def make_list(portal: PortalUnderTest, **more: str) -> str:
    made = portal.send("POST", "/crm/v3/lists/", LIST | more)
    assert made.status_code == 200, made.text
    return str(made.json()["list"]["listId"])


@pytest.mark.parametrize("root", ["/crm/v3/lists", "/crm/lists/2026-03", "/crm/lists/2026-09"])
def test_a_list_is_restored_within_ninety_days(portal: PortalUnderTest, root: str) -> None:
    id_ = make_list(portal)
    assert portal.send("DELETE", f"{root}/{id_}").status_code == 204
    assert portal.send("GET", f"{root}/{id_}").status_code == 404
    portal.world.clock.turn(89 * DAY)

    assert portal.send("PUT", f"{root}/{id_}/restore").status_code == 204

    assert portal.send("GET", f"{root}/{id_}").json()["list"]["name"] == "Buyers"
    portal.send("DELETE", f"{root}/{id_}")
    portal.world.clock.turn(91 * DAY)
    assert portal.send("PUT", f"{root}/{id_}/restore").status_code == 404


def test_a_manual_list_holds_records(portal: PortalUnderTest) -> None:
    id_, ids = make_list(portal), portal.ids(count=5)
    members = f"/crm/v3/lists/{id_}/memberships"

    added = portal.send("PUT", f"{members}/add", [*ids, "99"]).json()
    removed = portal.send("PUT", f"{members}/remove", ids[:1]).json()
    first = portal.send("GET", f"{members}?limit=3").json()
    rest = portal.send("GET", f"{members}?limit=3&after={first['paging']['next']['after']}").json()

    assert added == {"recordsIdsAdded": ids, "recordIdsMissing": ["99"]}
    assert removed["recordIdsRemoved"] == ids[:1]
    assert [each["recordId"] for each in first["results"] + rest["results"]] == ids[1:]
    assert portal.send("GET", f"/crm/v3/lists/{id_}").json()["list"]["size"] == 4


def test_lists_are_found_and_refused(portal: PortalUnderTest) -> None:
    ids = [make_list(portal), make_list(portal, name="Sellers", processingType="DYNAMIC")]

    found = portal.send("POST", "/crm/v3/lists/search", {"query": "sell", "count": 1}).json()
    many = portal.send("GET", f"/crm/v3/lists?listIds={ids[0]}&listIds={ids[1]}").json()

    assert [each["name"] for each in found["lists"]] == ["Sellers"]
    assert (found["total"], found["hasMore"]) == (1, False)
    assert len(many["lists"]) == 2
    full = portal.send("PUT", f"/crm/v3/lists/{ids[1]}/memberships/add", portal.ids(count=1))
    refused(full, 400, "dynamic list")
    refused(portal.send("POST", "/crm/v3/lists", LIST | {"name": ""}), 400, "[name]")
    kind = portal.send("POST", "/crm/v3/lists", LIST | {"processingType": "MAGIC"})
    refused(kind, 400, "processingType must be one of")


# what the account may hold


@pytest.mark.parametrize("root", ["/crm/v3/limits", "/crm/limits/2026-03", "/crm/limits/2026-09"])
def test_limits_tell_what_is_used(portal: PortalUnderTest, root: str) -> None:
    records = portal.send("GET", f"{root}/records").json()["hubspotDefinedObjectTypes"]
    contacts = next(each for each in records if each["objectTypeId"] == "0-1")
    custom = portal.send("GET", f"{root}/custom-properties").json()
    stages = portal.send("GET", f"{root}/pipelines").json()["hubspotDefinedObjectTypes"]

    assert contacts["usage"] == len(portal.truth("contacts"))
    assert contacts["limit"] > contacts["usage"]
    deals = next(each for each in stages if each["objectTypeId"] == "0-3")
    assert deals["usage"] == 2
    before = custom["overallUsage"]
    properties(portal, "POST", body=FRESH)
    assert portal.send("GET", f"{root}/custom-properties").json()["overallUsage"] == before + 1
