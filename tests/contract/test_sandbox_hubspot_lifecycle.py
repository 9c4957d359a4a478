"""Deletion, restore, merge, privacy deletion and associations in the sandbox's HubSpot."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.hubspot_portal import PortalUnderTest, portal_under_test


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def associated(portal: PortalUnderTest, from_: str, id_: str, to: str) -> dict[str, list[int]]:
    """Return association type ids by associated id."""
    found = portal.send("GET", f"/crm/v4/objects/{from_}/{id_}/associations/{to}").json()
    return {
        str(each["toObjectId"]): [kind["typeId"] for kind in each["associationTypes"]]
        for each in found["results"]
    }


def test_archive_by_api_and_restore_in_the_portal_keep_the_id(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    values = portal.truth("contacts", id_)[0]["properties"]

    portal.objects.archive("contacts", id_)
    assert portal.truth("contacts", id_)[0]["deleted"] is True
    portal.act("restore", object="contacts", records=[{"id": id_}])

    restored = portal.truth("contacts", id_)[0]
    assert restored["deleted"] is False
    assert restored["properties"]["email"] == values["email"]
    assert restored["properties"]["lastmodifieddate"] > values["lastmodifieddate"]
    own = [e for e in portal.journal() if e["object"] == "contacts"]
    assert [(e["op"], e["actor"]["kind"]) for e in own] == [("delete", "app"), ("restore", "user")]


def test_archiving_twice_is_no_mistake_but_nobody_is(portal: PortalUnderTest) -> None:
    path = f"/crm/v3/objects/contacts/{portal.ids()[0]}"

    assert [portal.send("DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert portal.send("DELETE", "/crm/v3/objects/contacts/12").status_code == 404


def test_batch_archive(portal: PortalUnderTest) -> None:
    ids = portal.ids("contacts", 3)

    done = portal.post("contacts/batch/archive", {"inputs": [{"id": i} for i in [*ids, "12"]]})

    assert done.status_code == 204
    assert {r["id"] for r in portal.truth("contacts") if r["deleted"]} == set(ids)


def test_a_contact_cannot_come_back_when_its_email_is_taken(portal: PortalUnderTest) -> None:
    record = portal.truth("contacts")[0]
    portal.objects.archive("contacts", record["id"])
    portal.post("contacts", {"properties": {"email": record["properties"]["email"]}})

    with pytest.raises(ValueError, match="holds the e-mail"):
        portal.act("restore", object="contacts", records=[{"id": record["id"]}])


def test_a_deleted_quote_takes_its_line_items_along(portal: PortalUnderTest) -> None:
    quote = portal.ids("quotes")[0]
    items = set(associated(portal, "quotes", quote, "line_items"))
    assert items

    portal.objects.archive("quotes", quote)

    assert {r["id"] for r in portal.truth("line_items") if r["deleted"]} == items


def test_a_merge_makes_a_new_record_that_both_old_ids_lead_to(portal: PortalUnderTest) -> None:
    kept, lost = portal.truth("contacts")[:2]
    portal.change("contacts", kept["id"], {"message": None, "jobtitle": "Kept"})
    portal.change("contacts", lost["id"], {"message": "Filled in", "jobtitle": "Lost"})
    api = portal.api(portal.client.crm.contacts.basic_api)

    merged = api.merge({"primaryObjectId": kept["id"], "objectIdToMerge": lost["id"]})

    assert merged.id not in (kept["id"], lost["id"])
    for old in (kept["id"], lost["id"]):
        assert portal.get(f"contacts/{old}").json()["id"] == merged.id
    stored = portal.truth("contacts", merged.id)[0]["properties"]
    assert stored["email"] == kept["properties"]["email"]
    assert (stored["jobtitle"], stored["message"]) == ("Kept", "Filled in")
    assert stored["hs_merged_object_ids"] == f"{kept['id']};{lost['id']}"
    assert stored["hs_calculated_merged_vids"].startswith(f"{kept['id']}:")
    titles = portal.history("contacts", merged.id, "jobtitle")
    assert [each["value"] for each in titles[:3]] == ["Kept", "Lost", "Kept"]
    assert titles[0]["sourceType"] == "MERGE_CONTACTS"
    found = portal.search(
        "contacts", {"propertyName": "hs_object_id", "operator": "EQ", "value": kept["id"]}
    )
    assert found["total"] == 0
    ops = {(e["record"], e["op"]) for e in portal.journal()}
    assert {(kept["id"], "merge_away"), (lost["id"], "merge_away"), (merged.id, "merge")} <= ops


def test_chained_merges_name_every_id_and_resolve_all_the_way(portal: PortalUnderTest) -> None:
    one, two, three = portal.ids("companies", 3)
    [first] = portal.act("merge", object="companies", records=[{"id": one}, {"id": two}])["ids"]
    [last] = portal.act("merge", object="companies", records=[{"id": three}, {"id": first}])["ids"]

    read = portal.post(
        "companies/batch/read", {"inputs": [{"id": one}], "properties": ["hs_merged_object_ids"]}
    )

    [found] = read.json()["results"]
    assert found["id"] == last
    assert found["properties"]["hs_merged_object_ids"] == f"{three};{one};{two};{first}"


def test_the_primary_may_keep_its_id(portal: PortalUnderTest) -> None:
    portal.act("merge_mode", preserve_primary=True)
    one, two = portal.ids("companies", 2)
    contacts = {
        *associated(portal, "companies", one, "contacts"),
        *associated(portal, "companies", two, "contacts"),
    }

    merged = portal.act("merge", object="companies", records=[{"id": one}, {"id": two}])["ids"]

    assert merged == [one]
    assert portal.get(f"companies/{two}").json()["id"] == one
    assert set(associated(portal, "companies", one, "contacts")) == contacts


def test_merge_by_v3_is_for_four_types_only(portal: PortalUnderTest) -> None:
    one, two = portal.ids("line_items", 2)
    body = {"primaryObjectId": one, "objectIdToMerge": two}

    assert portal.post("line_items/merge", body).status_code == 404
    assert portal.send("POST", "/crm/objects/2026-03/line_items/merge", body).status_code == 200


def test_privacy_deletion_leaves_nothing_and_blocks_the_email(portal: PortalUnderTest) -> None:
    record = portal.truth("contacts")[0]
    email = record["properties"]["email"]
    api = portal.api(portal.client.crm.contacts.basic_api)

    api.purge({"objectId": email, "idProperty": "email"})

    assert portal.truth("contacts", record["id"]) == []
    assert portal.get(f"contacts/{record['id']}", archived="true").status_code == 404
    assert portal.post("contacts", {"properties": {"email": email}}).status_code == 400


def test_privacy_deletion_reaches_the_recycle_bin_and_strangers(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    portal.objects.archive("contacts", id_)
    stranger = {"objectId": "stranger@example.org", "idProperty": "email"}

    assert portal.post("contacts/gdpr-delete", {"objectId": id_}).status_code == 204
    assert portal.truth("contacts", id_) == []
    assert portal.post("contacts/gdpr-delete", stranger).status_code == 204
    assert (
        portal.post("contacts", {"properties": {"email": "stranger@example.org"}}).status_code
        == 400
    )


def test_associations_are_read_in_batches_with_numbers_as_ids(portal: PortalUnderTest) -> None:
    ids = portal.ids("contacts", 100)
    api = portal.api(portal.client.crm.associations.v4.batch_api)

    found = api.get_page("contacts", "companies", {"inputs": [{"id": i} for i in ids]})

    assert {each.to_dict()["_from"]["id"] for each in found.results} == set(ids)
    types = found.results[0].to[0].association_types
    assert {(t.category, t.type_id, t.label) for t in types} == {
        ("HUBSPOT_DEFINED", 1, "Primary"),
        ("HUBSPOT_DEFINED", 279, None),
    }
    spelled = [
        portal.send("POST", f"/crm/{path}/contacts/companies/batch/read", body).json()
        for path in ("v4/associations", "associations/2026-03")
        for body in ({"inputs": [{"id": ids[0]}]},)
    ]
    kinds = [type(each["results"][0]["to"][0]["toObjectId"]) for each in spelled]
    assert kinds == [int, str]


def test_associating_moves_counts_but_no_stamp(portal: PortalUnderTest) -> None:
    deal = portal.truth("deals")[0]
    buyers = set(associated(portal, "deals", deal["id"], "contacts"))
    other = next(i for i in portal.ids() if i not in buyers)
    inputs = [{"from": {"id": deal["id"]}, "to": {"id": other}}]

    made = portal.send(
        "POST", "/crm/v4/associations/deals/contacts/batch/associate/default", {"inputs": inputs}
    )

    assert [r["associationSpec"]["associationTypeId"] for r in made.json()["results"]] == [3, 4]
    now = portal.truth("deals", deal["id"])[0]["properties"]
    assert now["num_associated_contacts"] == "2"
    assert now["hs_lastmodifieddate"] == deal["properties"]["hs_lastmodifieddate"]
    assert associated(portal, "contacts", other, "deals")[deal["id"]] == [4]


def test_associations_by_type_and_their_end(portal: PortalUnderTest) -> None:
    contact = portal.ids()[0]
    firm = next(
        i
        for i in portal.ids("companies")
        if i not in associated(portal, "contacts", contact, "companies")
    )
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": n} for n in (279, 1)]
    pair = {"from": {"id": contact}, "to": {"id": firm}}
    batch = "/crm/v4/associations/contacts/companies/batch"

    assert (
        portal.send("POST", f"{batch}/create", {"inputs": [pair | {"types": types}]}).status_code
        == 201
    )
    assert sorted(associated(portal, "contacts", contact, "companies")[firm]) == [1, 279]
    label = {"inputs": [pair | {"types": types[1:]}]}
    assert portal.send("POST", f"{batch}/labels/archive", label).status_code == 204
    assert associated(portal, "contacts", contact, "companies")[firm] == [279]
    gone = {"inputs": [{"from": {"id": contact}, "to": [{"id": firm}]}]}
    assert portal.send("POST", f"{batch}/archive", gone).status_code == 204
    assert firm not in associated(portal, "contacts", contact, "companies")


def test_associating_with_a_deleted_record_is_refused(portal: PortalUnderTest) -> None:
    deal, contact = portal.ids("deals")[0], portal.ids()[0]
    portal.objects.archive("contacts", contact)
    inputs: list[dict[str, Any]] = [
        {
            "from": {"id": deal},
            "to": {"id": contact},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}],
        }
    ]

    refused = portal.send(
        "POST", "/crm/v4/associations/deals/contacts/batch/create", {"inputs": inputs}
    )

    assert refused.status_code == 400
    assert refused.json()["context"] == {"INVALID_OBJECT_IDS": [f"CONTACT={contact} is not valid"]}


def test_a_record_is_created_with_its_associations(portal: PortalUnderTest) -> None:
    contact = portal.ids()[0]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    body = {
        "properties": {"dealname": "New", "dealstage": "contractsent"},
        "associations": [{"to": {"id": contact}, "types": types}],
    }

    made = portal.post("deals", body)

    assert made.status_code == 201
    assert set(associated(portal, "deals", made.json()["id"], "contacts")) == {contact}
    assert portal.truth("deals", made.json()["id"])[0]["properties"]["pipeline"] == "default"


def test_seeded_counts_and_sums_agree_with_the_associations(portal: PortalUnderTest) -> None:
    for deal in portal.truth("deals"):
        items = associated(portal, "deals", deal["id"], "line_items")
        values = deal["properties"]
        assert values.get("hs_num_of_associated_line_items", "0") == str(len(items))
        if items:
            amounts = [
                float(portal.truth("line_items", i)[0]["properties"]["amount"]) for i in items
            ]
            assert float(values["amount"]) == pytest.approx(sum(amounts))


def test_single_associations_are_put_and_taken_away(portal: PortalUnderTest) -> None:
    contact = portal.ids()[0]
    firms = associated(portal, "contacts", contact, "companies")
    firm = next(i for i in portal.ids("companies") if i not in firms)
    api = portal.api(portal.client.crm.associations.v4.basic_api)
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]

    api.create("contacts", contact, "companies", firm, types)
    assert associated(portal, "companies", firm, "contacts")[contact] == [280]
    api.archive("contacts", contact, "companies", firm)
    assert contact not in associated(portal, "companies", firm, "contacts")
    path = f"/crm/v4/objects/contacts/{contact}/associations"
    assert portal.send("PUT", f"{path}/default/companies/{firm}").status_code == 200
    assert portal.send("PUT", f"{path}/companies/{firm}", []).status_code == 400
    wrong = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    assert portal.send("PUT", f"{path}/companies/{firm}", wrong).status_code == 400


def test_many_associations_come_in_pages(portal: PortalUnderTest) -> None:
    firm = portal.ids("companies")[0]
    staff = set(associated(portal, "companies", firm, "contacts"))
    path = f"/crm/v4/objects/companies/{firm}/associations/contacts"
    seen, after = set(), ""
    while after is not None:
        page = portal.send("GET", path, params={"limit": 1, "after": after}).json()
        seen |= {str(each["toObjectId"]) for each in page["results"]}
        after = page.get("paging", {}).get("next", {}).get("after")

    assert seen == staff


def test_labels_between_two_objects_under_both_addresses(portal: PortalUnderTest) -> None:
    found = [
        portal.send("GET", path).json()["results"]
        for path in (
            "/crm/v4/associations/contacts/companies/labels",
            "/crm/associations/v4/contacts/companies/labels",
            "/crm/associations/2026-03/contacts/companies/labels",
        )
    ]

    assert found[0] == found[1] == found[2]
    assert {(each["typeId"], each["label"]) for each in found[0]} == {(1, "Primary"), (279, None)}
    assert portal.send("GET", "/crm/v4/associations/contacts/products/labels").status_code == 400


def test_records_without_associations_are_named(portal: PortalUnderTest) -> None:
    [made] = portal.act("create", object="contacts", records=[{"fields": {"city": "Oslo"}}])["ids"]

    done = portal.send(
        "POST", "/crm/v4/associations/contacts/deals/batch/read", {"inputs": [{"id": made}]}
    )

    assert done.status_code == 207
    assert done.json()["errors"][0]["context"] == {"fromObjectId": [made]}
