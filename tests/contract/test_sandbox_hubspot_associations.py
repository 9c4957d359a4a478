"""The sandbox's associations: labels, the primary one, paging, limits, and who tells of changes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.hubspot_portal import PortalUnderTest, portal_under_test

V4 = "/crm/v4/associations"
DATED = "/crm/associations/2026-03"
PLAIN, PRIMARY = 279, 1
PAGE = 500


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def types_of(portal: PortalUnderTest, pair: str, id_: str) -> list[str]:
    found = {each["id"]: each["properties"]["types"] for each in portal.truth(pair)}
    types: list[str] = json.loads(found[id_]) if id_ in found else []
    return types


def create(portal: PortalUnderTest, one: str, other: str, *types: tuple[str, int]) -> Any:
    spec = [{"associationCategory": c, "associationTypeId": t} for c, t in types]
    body = {"inputs": [{"from": {"id": one}, "to": {"id": other}, "types": spec}]}
    return portal.send("POST", f"{V4}/contacts/companies/batch/create", body)


def strangers(portal: PortalUnderTest) -> tuple[str, str]:
    """Return a contact and a company that have nothing to do with each other."""
    contact = portal.ids("contacts", 1)[0]
    linked = {each["id"].split("-")[1] for each in portal.truth("contacts-companies")
              if each["id"].startswith(f"{contact}-")}  # fmt: skip
    return contact, next(id_ for id_ in portal.ids("companies") if id_ not in linked)


@pytest.mark.parametrize("path", [V4, "/crm/associations/v4", DATED])
def test_labels_are_listed_under_every_path(portal: PortalUnderTest, path: str) -> None:
    found = portal.send("GET", f"{path}/contacts/companies/labels").json()["results"]

    assert [(one["typeId"], one["label"]) for one in found] == [(1, "Primary"), (279, None)]


def test_two_objects_without_a_type_cannot_be_associated(portal: PortalUnderTest) -> None:
    refused = portal.send("GET", f"{V4}/contacts/products/labels")

    assert refused.status_code == 400
    assert "cannot be associated" in refused.json()["message"]


def test_a_label_has_an_id_for_each_direction(portal: PortalUnderTest) -> None:
    body = {"label": "Decision maker", "name": "decision_maker", "inverseLabel": "Decided by"}
    made = portal.send("POST", f"{V4}/contacts/companies/labels", body).json()["results"]
    back = portal.send("GET", f"{V4}/companies/contacts/labels").json()["results"]

    assert [one["label"] for one in made] == ["Decision maker", "Decided by"]
    assert made[1] in back
    assert made[0] not in back


def test_a_label_brings_the_plain_association_along(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    label = portal.act("label", object="contacts", to="companies", label="Advisor")["ids"]

    made = create(portal, contact, company, ("USER_DEFINED", int(label[0])))

    assert made.status_code == 201
    expected = ["HUBSPOT_DEFINED:279", f"USER_DEFINED:{label[0]}"]
    assert types_of(portal, "contacts-companies", f"{contact}-{company}") == expected


def test_the_same_id_of_another_category_is_another_type(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    refused = create(portal, contact, company, ("USER_DEFINED", PLAIN))

    assert refused.status_code == 400
    assert types_of(portal, "contacts-companies", f"{contact}-{company}") == []


def test_a_new_primary_company_takes_the_place_of_the_old(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    [old] = [each["id"] for each in portal.truth("contacts-companies")
             if each["id"].startswith(f"{contact}-")]  # fmt: skip

    create(portal, contact, company, ("HUBSPOT_DEFINED", PRIMARY))

    assert types_of(portal, "contacts-companies", old) == ["HUBSPOT_DEFINED:279"]
    there = types_of(portal, "contacts-companies", f"{contact}-{company}")
    assert there == ["HUBSPOT_DEFINED:1", "HUBSPOT_DEFINED:279"]


def test_taking_the_plain_type_away_takes_all_labels(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    label = int(portal.act("label", object="contacts", to="companies", label="Advisor")["ids"][0])
    create(portal, contact, company, ("USER_DEFINED", label))
    spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": PLAIN}]
    body = {"inputs": [{"from": {"id": contact}, "to": {"id": company}, "types": spec}]}

    answer = portal.send("POST", f"{V4}/contacts/companies/batch/labels/archive", body)

    assert answer.status_code == 204
    assert types_of(portal, "contacts-companies", f"{contact}-{company}") == []


def test_a_record_is_made_with_a_label(portal: PortalUnderTest) -> None:
    company = portal.ids("companies", 1)[0]
    label = int(portal.act("label", object="contacts", to="companies", label="Advisor")["ids"][0])
    spec = [{"associationCategory": "USER_DEFINED", "associationTypeId": label}]
    wish = {"to": {"id": company}, "types": spec}

    made = portal.post("contacts", {"properties": {"lastname": "New"}, "associations": [wish]})

    there = types_of(portal, "contacts-companies", f"{made.json()['id']}-{company}")
    assert there == ["HUBSPOT_DEFINED:279", f"USER_DEFINED:{label}"]


def test_one_label_is_taken_away_alone(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    label = int(portal.act("label", object="contacts", to="companies", label="Advisor")["ids"][0])
    create(portal, contact, company, ("USER_DEFINED", label))
    spec = [{"associationCategory": "USER_DEFINED", "associationTypeId": label}]
    body = {"inputs": [{"from": {"id": contact}, "to": {"id": company}, "types": spec}]}

    answer = portal.send("POST", f"{DATED}/contacts/companies/batch/labels/archive", body)

    assert answer.status_code == 200
    left = types_of(portal, "contacts-companies", f"{contact}-{company}")
    assert left == ["HUBSPOT_DEFINED:279"]


def test_many_associations_come_in_pages(portal: PortalUnderTest) -> None:
    company = portal.ids("companies", 1)[0]
    made = [{"fields": {"email": f"many-{n}@fernhill.example"}} for n in range(PAGE + 1)]
    ids = portal.act("create", object="contacts", records=made)["ids"]
    order = [{"id": id_, "to": {"object": "companies", "id": company}} for id_ in ids]
    portal.act("associate", object="contacts", records=order)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        body = {"inputs": [{"id": company} | after]}
        answer = portal.send("POST", f"{V4}/companies/contacts/batch/read", body).json()
        [result] = answer["results"]
        seen += [str(one["toObjectId"]) for one in result["to"]]
        assert len(result["to"]) <= PAGE
        if "paging" not in result:
            break
        after = {"after": result["paging"]["next"]["after"]}

    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)


def test_a_portal_may_limit_how_many_there_are(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    portal.act("link_limit", object="contacts", to="companies", most=1)

    refused = create(portal, contact, company, ("HUBSPOT_DEFINED", PLAIN))
    shown = portal.send("GET", f"{V4}/definitions/configurations/all").json()["results"]

    assert refused.status_code == 400
    assert "limit of 1" in refused.json()["message"]
    assert [one["userEnforcedMaxToObjectIds"] for one in shown] == [1]


def test_a_line_item_has_one_deal_only(portal: PortalUnderTest) -> None:
    [pair, *_] = portal.truth("deals-line_items")
    deal, item = pair["id"].split("-")
    other = next(id_ for id_ in portal.ids("deals") if id_ != deal)
    body = {"inputs": [{"from": {"id": item}, "to": {"id": other}}]}

    refused = portal.send("POST", f"{V4}/line_items/deals/batch/associate/default", body)

    assert refused.status_code == 400
    assert "limit of 1" in refused.json()["message"]


def test_associating_moves_no_stamp(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    before = portal.get(f"contacts/{contact}").json()["updatedAt"]

    create(portal, contact, company, ("HUBSPOT_DEFINED", PLAIN))

    assert portal.get(f"contacts/{contact}").json()["updatedAt"] == before


def test_an_archived_record_shows_no_associations(portal: PortalUnderTest) -> None:
    contact = portal.ids("contacts", 1)[0]
    portal.send("DELETE", f"/crm/v3/objects/contacts/{contact}")

    body = {"inputs": [{"id": contact}]}
    told = portal.send("POST", f"{V4}/contacts/companies/batch/read", body)

    assert told.status_code == 207
    assert told.json()["results"] == []
    portal.act("restore", object="contacts", records=[{"id": contact}])
    again = portal.send("POST", f"{V4}/contacts/companies/batch/read", body)
    assert len(again.json()["results"]) == 1


def test_deleting_a_quote_deletes_its_line_items(portal: PortalUnderTest) -> None:
    [first, *_] = portal.truth("line_items-quotes")
    item, quote = first["id"].split("-")

    portal.send("DELETE", f"/crm/v3/objects/quotes/{quote}")

    assert portal.get(f"line_items/{item}").status_code == 404
    assert portal.get(f"line_items/{item}", archived="true").status_code == 200


def test_the_journal_tells_of_associations(portal: PortalUnderTest) -> None:
    contact, company = strangers(portal)
    since = portal.journal()[-1]["seq"] if portal.journal() else 0
    order = {"id": company, "to": {"object": "contacts", "id": contact}}
    portal.act("associate", object="companies", records=[order])
    portal.act("dissociate", object="companies", records=[order])

    told = [one for one in portal.journal(since) if one["object"] == "contacts-companies"]

    assert [one["op"] for one in told] == ["associate", "dissociate"]
    assert {one["record"] for one in told} == {f"{contact}-{company}"}
    assert json.loads(told[0]["after"]["types"]) == ["HUBSPOT_DEFINED:279"]


def test_contacts_are_associated_with_each_other(portal: PortalUnderTest) -> None:
    one, other = portal.ids("contacts", 2)
    boss, report = portal.act(
        "label", object="contacts", to="contacts", label="Manager", inverse="Report"
    )["ids"]
    order = {"id": other, "to": {"object": "contacts", "id": one}, "type": int(boss),
             "category": "USER_DEFINED"}  # fmt: skip
    portal.act("associate", object="contacts", records=[order])

    types = types_of(portal, "contacts-contacts", f"{one}-{other}")

    assert types == ["HUBSPOT_DEFINED:449", f"USER_DEFINED:{report}"]


@pytest.mark.parametrize("object_", ["leads", "calls", "emails", "meetings", "notes", "tasks"])
def test_activities_hang_on_a_contact_and_its_company(
    portal: PortalUnderTest, object_: str
) -> None:
    count = len(portal.truth(object_))

    assert count >= 2
    assert len(portal.truth(f"contacts-{object_}")) == count
    assert len(portal.truth(f"companies-{object_}")) == count


def test_bodies_cannot_be_filtered(portal: PortalUnderTest) -> None:
    filters = [{"propertyName": "hs_email_html", "operator": "HAS_PROPERTY"}]
    refused = portal.post("emails/search", {"filterGroups": [{"filters": filters}]})

    assert refused.status_code == 400


def test_the_preview_of_a_body_is_computed(portal: PortalUnderTest) -> None:
    note = portal.ids("notes", 1)[0]
    body = f"<p>{'Word ' * 20_000}</p>"
    portal.change("notes", note, {"hs_note_body": body})

    names = "hs_note_body,hs_body_preview"
    shown = portal.get(f"notes/{note}", properties=names).json()["properties"]

    assert shown["hs_note_body"] == body
    assert shown["hs_body_preview"].startswith("Word Word")
    assert len(shown["hs_body_preview"]) <= 512
