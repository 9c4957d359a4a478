"""The official hubspot-sdk, unmodified, against the sandbox: 2026-03.

It checks every answer against its models. A shape it cannot read is a mistake of the sandbox, but
for one: the vendor's models say that property values are texts, and the live API answers null for
an empty one. The older client is in test_sandbox_hubspot_client_12.py.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hubspot_sdk import APIStatusError, HubSpot, PermissionDeniedError
from hubspot_sdk import ConflictError as SdkConflict
from hubspot_sdk import NotFoundError as SdkNotFound

from support.hubspot_portal import PortalUnderTest, portal_under_test
from support.hubspot_sdk_client import sdk_client

PLAIN = {"association_category": "HUBSPOT_DEFINED", "association_type_id": 279}


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


@pytest.fixture
def sdk(portal: PortalUnderTest) -> Iterator[HubSpot]:
    with sdk_client(portal) as client:
        yield client


def emails(portal: PortalUnderTest, ids: list[str]) -> dict[str, str]:
    held = {each["id"]: each["properties"] for each in portal.truth("contacts")}
    return {id_: held[id_]["email"] for id_ in ids}


def test_sdk_walks_every_contact_with_history_and_associations(
    portal: PortalUnderTest, sdk: HubSpot
) -> None:
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Dean"})
    found = list(
        sdk.crm.objects.contacts.list(
            limit=30,
            properties=["email"],
            properties_with_history=["jobtitle"],
            associations=["companies"],
        )
    )

    assert {each.id: each.properties["email"] for each in found} == emails(
        portal, portal.ids(count=1000)
    )
    history = found[0].properties_with_history
    assert history is not None
    newest = history["jobtitle"][0]
    assert (newest.value, newest.source_type, newest.source_id) == (
        "Dean",
        "CRM_UI",
        "userId:9586500",
    )
    assert newest.updated_by_user_id == 9586500
    linked = found[0].associations
    assert linked is not None
    assert linked["companies"].results[0].type == "contact_to_company"


def test_sdk_reads_one_contact_by_id_and_by_email(portal: PortalUnderTest, sdk: HubSpot) -> None:
    id_ = portal.ids()[3]
    email = emails(portal, [id_])[id_]
    contacts = sdk.crm.objects.contacts

    assert contacts.get(id_, properties=["email"]).properties["email"] == email
    assert contacts.get(email, id_property="email", properties=["email"]).id == id_
    with pytest.raises(SdkNotFound):
        contacts.get("99", properties=["email"])


def test_sdk_searches_page_by_page(portal: PortalUnderTest, sdk: HubSpot) -> None:
    seen: list[str] = []
    after = "0"
    while True:
        page = sdk.crm.objects.contacts.search(
            after=after,
            limit=50,
            properties=["email"],
            sorts=["hs_object_id"],
            filter_groups=[{"filters": [{"property_name": "email", "operator": "HAS_PROPERTY"}]}],
        )
        seen += [each.id for each in page.results]
        if page.paging is None or page.paging.next is None:
            break
        after = page.paging.next.after

    assert seen == portal.ids(count=1000)
    assert page.total == len(seen)


def test_sdk_creates_updates_and_archives(portal: PortalUnderTest, sdk: HubSpot) -> None:
    contacts = sdk.crm.objects.contacts
    full = {"email": "made@fernhill.example", "firstname": "Ada", "lastname": "Made"}

    made = contacts.create(properties=full, associations=[])
    changed = contacts.update(made.id, properties={"jobtitle": "Dean"})
    with pytest.raises(SdkConflict, match=f"Existing ID: {made.id}"):
        contacts.create(properties=full, associations=[])
    contacts.delete(made.id)

    assert changed.properties["jobtitle"] == "Dean"
    assert changed.url == (
        f"https://app.hubspot.com/contacts/{portal.people['portal']}/record/0-1/{made.id}"
    )
    archived = list(contacts.list(archived=True, properties=["email"]))
    assert [(each.id, each.archived) for each in archived] == [(made.id, True)]
    assert archived[0].archived_at is not None


def test_sdk_works_in_batches(portal: PortalUnderTest, sdk: HubSpot) -> None:
    batch = sdk.crm.objects.contacts.batch
    ids = portal.ids(count=3)
    inputs = [
        {
            "properties": {"email": f"b{n}@fernhill.example", "firstname": "B", "lastname": "C"},
            "associations": [],
            "object_write_trace_id": f"trace-{n}",
        }
        for n in range(5)
    ]

    made = batch.create(inputs=inputs)
    read = batch.get(
        inputs=[{"id": id_} for id_ in ids],
        properties=["email"],
        properties_with_history=["email"],
    )
    changed = batch.update(
        inputs=[{"id": ids[0], "properties": {"city": "Bonn"}, "object_write_trace_id": "t"}]
    )
    upserted = batch.upsert(
        inputs=[
            {"id": "b0@fernhill.example", "id_property": "email", "properties": {"city": "Ulm"}},
            {
                "id": "new@fernhill.example",
                "id_property": "email",
                "properties": {"firstname": "N", "lastname": "N"},
            },
        ]
    )
    batch.delete(inputs=[{"id": each.id} for each in made.results])

    assert {each.object_write_trace_id for each in made.results} == {f"trace-{n}" for n in range(5)}
    assert {each.id: each.properties["email"] for each in read.results} == emails(portal, ids)
    assert [each.object_write_trace_id for each in changed.results] == ["t"]
    assert {(each.properties["email"], each.new) for each in upserted.results} == {
        ("b0@fernhill.example", False),
        ("new@fernhill.example", True),
    }
    assert {each["id"] for each in portal.truth("contacts") if each["deleted"]} == {
        each.id for each in made.results
    }


@pytest.mark.parametrize(
    "object_",
    [
        "companies", "deals", "products", "line_items", "quotes", "leads", "calls", "emails",
        "meetings", "notes", "tasks",
    ],
)  # fmt: skip
def test_sdk_reads_every_object_type(portal: PortalUnderTest, sdk: HubSpot, object_: str) -> None:
    objects = getattr(sdk.crm.objects, object_)
    wanted = ["hs_lastmodifieddate", "hs_object_id"]

    found = list(objects.list(limit=50, properties=wanted))
    generic = list(sdk.crm.objects.generic_objects.list(object_, limit=50, properties=wanted))

    assert len(found) > 0
    assert [each.id for each in found] == portal.ids(object_, 1000)
    assert [each.id for each in generic] == [each.id for each in found]


def test_sdk_merges_and_forgets(portal: PortalUnderTest, sdk: HubSpot) -> None:
    contacts = sdk.crm.objects.contacts
    one, two, three = portal.ids(count=3)

    survivor = contacts.merge(primary_object_id=one, object_id_to_merge=two)
    again = contacts.get(two, properties=["email", "hs_merged_object_ids"])
    contacts.gdpr_delete(object_id=three)

    assert again.id == survivor.id
    assert again.properties["hs_merged_object_ids"] == f"{one};{two}"
    with pytest.raises(SdkNotFound):
        contacts.get(three, properties=["email"])


def test_sdk_associates_labels_and_parts(portal: PortalUnderTest, sdk: HubSpot) -> None:
    associations = sdk.crm.associations
    one, two = portal.ids(count=2)
    company = portal.ids("companies")[-1]
    pair = {"from_object_type": "contacts", "to_object_type": "companies"}

    def linked(id_: str) -> set[tuple[str, int]]:
        found = associations.batch.get(**pair, inputs=[{"id": id_}])
        return {
            (str(to.to_object_id), type_.type_id)
            for each in found.results
            for to in each.to
            for type_ in to.association_types
            if str(to.to_object_id) == company
        }

    made = associations.batch.create(
        **pair,
        inputs=[{"from": {"id": one}, "to": {"id": company}, "types": [PLAIN]}],
    )
    plain = associations.batch.create_default(
        **pair, inputs=[{"from": {"id": two}, "to": {"id": company}}]
    )
    assert [str(each.from_object_id) for each in made.results] == [one]
    assert {each.association_spec.association_type_id for each in plain.results} == {279, 280}
    assert linked(one) == linked(two) == {(company, 279)}
    listed = associations.list(
        to_object_type="companies", object_type="contacts", object_id=int(one)
    )
    assert company in {str(each.to_object_id) for each in listed}
    associations.batch.delete(**pair, inputs=[{"from": {"id": one}, "to": [{"id": company}]}])
    associations.delete(
        object_type="contacts", object_id=two, to_object_type="companies", to_object_id=company
    )
    assert linked(one) == linked(two) == set()


def test_sdk_is_told_what_it_may_not(portal: PortalUnderTest, sdk: HubSpot) -> None:
    portal.act("scopes", app="restorer", take=["crm.objects.deals.read"])

    with pytest.raises(PermissionDeniedError) as refused:
        sdk.crm.objects.deals.list()

    body: Any = refused.value.body
    assert body["category"] == "MISSING_SCOPES"
    assert body["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.deals.read"]}


def test_sdk_is_told_of_bad_values(sdk: HubSpot, portal: PortalUnderTest) -> None:
    with pytest.raises(APIStatusError, match="INVALID_OPTION") as refused:
        sdk.crm.objects.contacts.update(portal.ids()[0], properties={"hs_lead_status": "NO"})

    assert refused.value.status_code == 400
