"""The sandbox's HubSpot writes: what they store, what they refuse, how batches fail in part."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hubspot.crm.objects.exceptions import ApiException

from support.hubspot_portal import PortalUnderTest, portal_under_test

RESTORER = "3217790"
DAY_MS = 86_400_000


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def patch(
    portal: PortalUnderTest, path: str, properties: dict[str, Any], version: str = "v3"
) -> Any:
    prefix = "/crm/v3/objects" if version == "v3" else f"/crm/objects/{version}"
    return portal.send("PATCH", f"{prefix}/{path}", {"properties": properties})


def codes(reply: Any) -> dict[str, str]:
    """Return code by property from the JSON list inside the message."""
    listed = re.search(r"Property values were not valid: (\[.*\])", reply.json()["message"])
    assert listed is not None, reply.text
    return {each["name"]: each["error"] for each in json.loads(listed[1])}


def test_an_update_is_the_apps_in_history_and_journal(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    before = portal.truth("contacts", id_)[0]["properties"]

    answer = portal.objects.update("contacts", id_, {"properties": {"jobtitle": "Poet"}})

    assert answer.properties["jobtitle"] == "Poet"
    assert answer.updated_at > answer.created_at
    newest = portal.history("contacts", id_, "jobtitle")[0]
    assert (newest["sourceType"], newest["sourceId"]) == ("INTEGRATION", RESTORER)
    assert "updatedByUserId" not in newest
    [entry] = portal.journal()
    assert entry["before"] == {"jobtitle": before["jobtitle"]}
    assert entry["after"] == {"jobtitle": "Poet"}
    assert entry["actor"] == {"kind": "app", "id": RESTORER, "name": "CRM Restorer"}
    assert (entry["record"], entry["op"]) == (id_, "update")
    assert portal.world.requests()[entry["request"] - 1]["method"] == "PATCH"


def test_an_empty_text_clears_and_leaves_an_entry(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]

    patch(portal, f"contacts/{id_}", {"phone": ""})

    assert "phone" not in portal.truth("contacts", id_)[0]["properties"]
    assert portal.history("contacts", id_, "phone")[0]["value"] == ""
    numbers = portal.history("contacts", id_, "hs_searchable_calculated_phone_number")
    assert (numbers[0]["value"], numbers[0]["sourceType"]) == ("", "CALCULATED")


def test_what_is_so_already_changes_nothing(portal: PortalUnderTest) -> None:
    record = portal.truth("contacts")[0]

    patch(portal, f"contacts/{record['id']}", {"city": record["properties"]["city"]})

    assert portal.truth("contacts", record["id"]) == [record]
    assert portal.journal() == []


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"hs_lead_status": "WARM"}, "INVALID_OPTION"),
        ({"vip": "maybe"}, "INVALID_OPTION"),
        ({"interests": "analytics;golf"}, "INVALID_OPTION"),
        ({"num_notes": "3"}, "READ_ONLY_VALUE"),
        ({"hs_full_name_or_email": "X"}, "READ_ONLY_VALUE"),
        ({"lastmodifieddate": "0"}, "READ_ONLY_VALUE"),
        ({"no_such": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"fax_extension": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"email": "not an address"}, "INVALID_EMAIL"),
        ({"credit_score": "many"}, "INVALID_INTEGER"),
        ({"contract_signed_on": "yesterday"}, "INVALID_DATE"),
        ({"contract_signed_on": str(DAY_MS + 1)}, "INVALID_DATE"),
        ({"hubspot_owner_id": "1"}, "INVALID_OWNER_ID"),
    ],
)
def test_bad_values_are_refused_with_their_code(
    portal: PortalUnderTest, properties: dict[str, str], code: str
) -> None:
    id_ = portal.ids()[0]
    [name] = properties

    refused = patch(portal, f"contacts/{id_}", properties)

    assert refused.status_code == 400
    assert refused.json()["category"] == "VALIDATION_ERROR"
    assert codes(refused) == {name: code}
    if code == "INVALID_OPTION":
        assert "errors" not in refused.json()
        assert "was not one of the allowed options: [" in refused.json()["message"]
    else:
        assert refused.json()["errors"][0]["code"] == code
        assert refused.json()["errors"][0]["context"] == {"propertyName": [name]}
    assert portal.journal() == []


def test_null_is_not_a_value(portal: PortalUnderTest) -> None:
    assert patch(portal, f"contacts/{portal.ids()[0]}", {"phone": None}).status_code == 400


def test_the_owner_who_left_cannot_be_given_records(portal: PortalUnderTest) -> None:
    gone = portal.send("GET", "/crm/v3/owners/", params={"archived": "true"}).json()["results"][0]

    refused = patch(portal, f"contacts/{portal.ids()[0]}", {"hubspot_owner_id": gone["id"]})

    assert codes(refused) == {"hubspot_owner_id": "INVALID_OWNER_ID"}


def test_values_are_stored_the_way_hubspot_writes_them(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    given = {
        "email": "New.Name@Example.COM",
        "contract_signed_on": str(20_000 * DAY_MS),
        "vip": True,
        "credit_score": 700,
        "interests": "analytics;reporting",
    }

    patch(portal, f"contacts/{id_}", given)
    patch(portal, f"contacts/{id_}", {"interests": ";compliance;reporting"})

    stored = portal.truth("contacts", id_)[0]["properties"]
    assert stored["email"] == "new.name@example.com"
    assert stored["hs_email_domain"] == "example.com"
    assert stored["contract_signed_on"] == "2024-10-04"
    assert stored["vip"] == "true"
    assert stored["credit_score"] == "700"
    assert stored["interests"] == "analytics;reporting;compliance"


def test_since_2026_09_a_date_off_midnight_is_normalised_with_a_warning(
    portal: PortalUnderTest,
) -> None:
    path = f"contacts/{portal.ids()[0]}"
    raw = {"contract_signed_on": str(20_000 * DAY_MS + 5)}

    assert patch(portal, path, raw, "2026-03").status_code == 400
    answer = patch(portal, path, raw, "2026-09").json()

    assert answer["properties"]["contract_signed_on"] == "2024-10-04"
    assert answer["warnings"][0]["category"] == "PROPERTY_VALUE_NORMALIZED"
    assert answer["warnings"][0]["context"]["normalizedValue"] == "2024-10-04"


def test_a_lifecycle_stage_moves_back_only_by_way_of_nothing(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    path = f"contacts/{id_}"

    def stage() -> Any:
        return portal.truth("contacts", id_)[0]["properties"].get("lifecyclestage")

    patch(portal, path, {"lifecyclestage": ""})
    patch(portal, path, {"lifecyclestage": "customer"})
    answer = patch(portal, path, {"lifecyclestage": "lead"})
    assert answer.status_code == 200
    assert stage() == "customer"

    patch(portal, path, {"lifecyclestage": ""})
    patch(portal, path, {"lifecyclestage": "lead"})
    assert stage() == "lead"


def test_a_stage_must_belong_to_the_pipeline(portal: PortalUnderTest) -> None:
    deal = next(r for r in portal.truth("deals") if r["properties"]["pipeline"] == "default")
    path = f"deals/{deal['id']}"

    assert codes(patch(portal, path, {"dealstage": "1043001"})) == {"dealstage": "INVALID_OPTION"}
    assert patch(portal, path, {"pipeline": "1043000"}).status_code == 400
    both = {"pipeline": "1043000", "dealstage": "1043003"}
    assert patch(portal, path, both).status_code == 200
    stored = portal.truth("deals", deal["id"])[0]["properties"]
    assert stored["hs_is_closed_won"] == "true"
    assert stored["hs_deal_stage_probability"] == "1"


def test_a_second_contact_with_the_same_email_conflicts(portal: PortalUnderTest) -> None:
    holder = portal.truth("contacts")[0]
    body = {"properties": {"email": holder["properties"]["email"]}}

    with pytest.raises(ApiException) as refused:
        portal.objects.create("contacts", body)

    assert refused.value.status == 409
    body = json.loads(refused.value.body)
    assert body["category"] == "CONFLICT"
    assert body["message"] == f"Contact already exists. Existing ID: {holder['id']}"


def test_a_new_record_carries_its_source(portal: PortalUnderTest) -> None:
    body = {"properties": {"email": "ada@example.org", "firstname": "Ada"}}

    made = portal.post("contacts", body)

    assert made.status_code == 201
    stored = portal.truth("contacts", made.json()["id"])[0]["properties"]
    assert stored["hs_object_source"] == "INTEGRATION"
    assert stored["hs_object_source_id"] == RESTORER
    assert stored["lifecyclestage"] == "lead"
    assert [e["op"] for e in portal.journal()] == ["create"]
    assert portal.history("contacts", made.json()["id"], "firstname")[0]["sourceId"] == RESTORER


def test_batch_update_echoes_trace_ids_out_of_order(portal: PortalUnderTest) -> None:
    ids = portal.ids("contacts", 30)
    inputs = [
        {"id": id_, "properties": {"city": f"City {n}"}, "objectWriteTraceId": f"op-{n}"}
        for n, id_ in enumerate(ids)
    ]

    done = portal.batches.update("contacts", {"inputs": inputs})

    traces = {each.object_write_trace_id: each for each in done.results}
    assert {t: each.id for t, each in traces.items()} == {f"op-{n}": i for n, i in enumerate(ids)}
    assert all(each.properties["city"] == f"City {t[3:]}" for t, each in traces.items())
    assert [each.id for each in done.results] != ids


def test_a_missing_id_fails_alone_with_its_trace(portal: PortalUnderTest) -> None:
    id_, gone = portal.ids()[:2]
    portal.act("delete", object="contacts", records=[{"id": gone}])
    inputs = [
        {"id": each, "properties": {"city": "Oslo"}, "objectWriteTraceId": f"op-{each}"}
        for each in (id_, gone, "77")
    ]

    done = portal.post("contacts/batch/update", {"inputs": inputs})

    assert done.status_code == 207
    assert [each["id"] for each in done.json()["results"]] == [id_]
    assert done.json()["numErrors"] == 2
    assert [e["context"] for e in done.json()["errors"]] == [
        {"ids": [each], "objectWriteTraceId": [f"op-{each}"]} for each in (gone, "77")
    ]


def test_one_bad_value_fails_the_whole_batch(portal: PortalUnderTest) -> None:
    inputs = [{"id": id_, "properties": {"city": "Oslo"}} for id_ in portal.ids()[:3]]
    inputs[1]["properties"] = {"vip": "perhaps"}

    refused = portal.post("contacts/batch/update", {"inputs": inputs})

    assert refused.status_code == 400
    assert codes(refused) == {"vip": "INVALID_OPTION"}
    assert portal.journal() == []


def test_batches_refuse_repeats_and_more_than_a_hundred(portal: PortalUnderTest) -> None:
    one = {"id": portal.ids()[0], "properties": {"city": "Oslo"}}

    twice = portal.post("contacts/batch/update", {"inputs": [one, one]})
    many = portal.post("contacts/batch/update", {"inputs": [one] * 101})

    assert twice.status_code == many.status_code == 400
    assert twice.json()["message"].startswith("Duplicate IDs found in batch input")
    assert portal.post("contacts/batch/update", {"inputs": []}).status_code == 400


def test_batch_create_fails_in_part_only_when_all_are_traced(portal: PortalUnderTest) -> None:
    good = {"properties": {"email": "good@example.org"}}
    bad = {"properties": {"email": "bad"}}

    whole = portal.post("contacts/batch/create", {"inputs": [good, bad]})
    assert whole.status_code == 400
    assert portal.journal() == []

    traced = [good | {"objectWriteTraceId": "t1"}, bad | {"objectWriteTraceId": "t2"}]
    part = portal.post("contacts/batch/create", {"inputs": traced})
    assert part.status_code == 207
    assert [each["objectWriteTraceId"] for each in part.json()["results"]] == ["t1"]
    assert part.json()["errors"][0]["context"]["objectWriteTraceId"] == ["t2"]


def test_identical_line_items_become_one(portal: PortalUnderTest) -> None:
    item = {"properties": {"name": "Hour", "price": "100", "quantity": "2"}}
    other = {"properties": {"name": "Hour", "price": "100", "quantity": "3"}}

    made = portal.post("line_items/batch/create", {"inputs": [item, item, other]}).json()

    assert len(made["results"]) == 2


def test_upsert_tells_new_from_old(portal: PortalUnderTest) -> None:
    email = portal.truth("contacts")[0]["properties"]["email"]
    inputs = [
        {"id": key, "idProperty": "email", "properties": {"city": "Oslo"}}
        for key in (email, "fresh@example.org")
    ]

    done = portal.post("contacts/batch/upsert", {"inputs": inputs})

    assert done.status_code == 200
    assert {r["properties"]["email"]: r["new"] for r in done.json()["results"]} == {
        email: False,
        "fresh@example.org": True,
    }


@pytest.mark.parametrize("verb", ["update", "archive"])
def test_the_half_batch_fault_names_what_it_left_out(portal: PortalUnderTest, verb: str) -> None:
    ids = portal.ids("contacts", 6)
    inputs = [
        {"id": id_, "properties": {"city": "Oslo"}, "objectWriteTraceId": f"t{id_}"} for id_ in ids
    ]
    portal.order_fault(kind="half_batch", path=f"batch/{verb}")

    def written() -> set[str]:
        return {e["record"] for e in portal.journal() if e["object"] == "contacts"}

    done = portal.post(f"contacts/batch/{verb}", {"inputs": inputs})

    assert done.status_code == 207
    assert done.json()["numErrors"] == 3
    named = [e["context"] for e in done.json()["errors"]]
    assert named == [{"ids": [i], "objectWriteTraceId": [f"t{i}"]} for i in ids[1::2]]
    assert written() == set(ids[::2])
    assert portal.post(f"contacts/batch/{verb}", {"inputs": inputs}).status_code in (200, 204, 207)
    assert written() == set(ids)


def test_a_deal_sums_its_line_items_up(portal: PortalUnderTest) -> None:
    item = portal.truth("line_items")[0]
    deal = portal.get(f"line_items/{item['id']}", associations="deals").json()
    deal_id = deal["associations"]["deals"]["results"][0]["id"]
    amount = float(portal.truth("deals", deal_id)[0]["properties"]["amount"])
    old = float(item["properties"]["amount"])

    patch(
        portal,
        f"line_items/{item['id']}",
        {"price": "1000", "quantity": "3", "hs_discount_percentage": "10"},
    )

    stored = portal.truth("line_items", item["id"])[0]["properties"]
    assert stored["hs_pre_discount_amount"] == "3000"
    assert stored["hs_total_discount"] == "300"
    assert stored["amount"] == "2700"
    after = float(portal.truth("deals", deal_id)[0]["properties"]["amount"])
    assert after == pytest.approx(amount - old + 2700)
    assert portal.history("deals", deal_id, "amount")[0]["sourceType"] == "CALCULATED"


def test_an_unreadable_body_is_refused(portal: PortalUnderTest) -> None:
    path = f"/crm/v3/objects/contacts/{portal.ids()[0]}"
    json_type = {"Content-Type": "application/json"}

    broken = portal.send("PATCH", path, data=b"{", headers=json_type)
    form = portal.send("PATCH", path, data={"phone": "1"})

    assert broken.status_code == 400
    assert broken.json()["message"].startswith("Invalid input JSON")
    assert form.status_code == 415


def test_a_unique_property_names_a_record_and_admits_no_second(portal: PortalUnderTest) -> None:
    holder, other = portal.truth("contacts")[:2]
    number = holder["properties"]["customer_number"]

    found = portal.get(f"contacts/{number}", idProperty="customer_number")
    refused = patch(portal, f"contacts/{other['id']}", {"customer_number": number})

    assert found.json()["id"] == holder["id"]
    assert refused.status_code == 409
    assert refused.json()["message"].endswith(f"Existing ID: {holder['id']}")
    assert portal.get("contacts/Oslo", idProperty="city").status_code == 400
