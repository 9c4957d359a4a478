"""The sandbox's HubSpot reads, through the unmodified official client and raw HTTP."""

from collections.abc import Iterator

import pytest
from hubspot.crm.objects.exceptions import NotFoundException, UnauthorizedException

from support.hubspot_portal import PortalUnderTest, portal_under_test

DAY = 86_400
SYSTEM = {"createdate", "hs_object_id", "lastmodifieddate"}
MAYA = 9586500


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def test_a_bad_token_is_refused_in_hubspots_words(portal: PortalUnderTest) -> None:
    portal.objects.api_client.configuration.access_token = "pat-na1-wrong"

    with pytest.raises(UnauthorizedException) as refused:
        portal.objects.get_page("contacts")

    assert refused.value.status == 401
    assert '"category":"INVALID_AUTHENTICATION"' in refused.value.body
    assert '"message":"Authentication credentials not found."' in refused.value.body


def test_no_token_at_all_is_refused(portal: PortalUnderTest) -> None:
    assert (
        portal.send("GET", "/crm/v3/objects/contacts", headers={"Authorization": ""}).status_code
        == 401
    )


def test_the_observer_may_not_write(portal: PortalUnderTest) -> None:
    token = portal.people["tokens"]["observer"]
    body = {"properties": {"firstname": "A"}}

    refused = portal.send("POST", "/crm/v3/objects/contacts", body, token=token)

    assert refused.status_code == 403
    assert refused.json()["category"] == "MISSING_SCOPES"
    context = refused.json()["errors"][0]["context"]
    assert context == {"requiredGranularScopes": ["crm.objects.contacts.write"]}


def test_a_full_walk_sees_every_record_once_in_pages_of_ten(portal: PortalUnderTest) -> None:
    seen, after, pages = [], None, 0
    while True:
        page = portal.objects.get_page("contacts", after=after)
        seen += [record.id for record in page.results]
        pages += 1
        if page.paging is None:
            break
        after = page.paging.next.after

    assert pages == 11
    assert seen == portal.ids("contacts", 1000)


def test_without_a_wish_the_default_properties_come(portal: PortalUnderTest) -> None:
    found = portal.objects.get_page("contacts", limit=1).results[0]

    assert set(found.properties) == SYSTEM | {"email", "firstname", "lastname"}


def test_undefined_properties_are_absent_and_empty_ones_null(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]

    found = portal.objects.get_by_id("contacts", id_, properties=["message", "no_such", "phone"])

    assert found.properties["message"] is None
    assert "no_such" not in found.properties
    assert found.properties["phone"].startswith("+")


def test_sensitive_values_need_a_scope_of_their_own(portal: PortalUnderTest) -> None:
    customer = next(r for r in portal.truth("contacts") if "tax_number" in r["properties"])

    found = portal.get(f"contacts/{customer['id']}", properties="tax_number,phone").json()

    assert "tax_number" not in found["properties"]
    assert "phone" in found["properties"]


@pytest.mark.parametrize("alias", ["contact", "contacts", "0-1", "CONTACT"])
def test_type_aliases_and_both_list_styles_lead_to_the_same(
    portal: PortalUnderTest, alias: str
) -> None:
    repeated = portal.get(f"{alias}/", properties=["phone", "city"], limit=2).json()
    joined = portal.get(alias, properties="phone,city", limit=2).json()

    assert repeated["results"] == joined["results"]
    assert {"phone", "city"} <= set(joined["results"][0]["properties"])


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
def test_the_dated_versions_answer_with_a_url(portal: PortalUnderTest, version: str) -> None:
    id_ = portal.ids("deals")[0]

    found = portal.send("GET", f"/crm/objects/{version}/deals/{id_}").json()

    assert found["id"] == id_
    assert found["url"].endswith(f"/record/0-3/{id_}")
    assert "url" not in portal.get(f"deals/{id_}").json()


def test_an_unknown_object_type_is_a_mistake(portal: PortalUnderTest) -> None:
    refused = portal.get("gadgets")

    assert refused.status_code == 400
    assert refused.json()["message"] == "Unable to infer object type from: gadgets"


@pytest.mark.parametrize(("query", "most"), [({}, 100), ({"propertiesWithHistory": "email"}, 50)])
def test_page_sizes_have_a_cap(portal: PortalUnderTest, query: dict[str, str], most: int) -> None:
    assert len(portal.get("contacts", limit=most, **query).json()["results"]) == most
    assert portal.get("contacts", limit=most + 1, **query).status_code == 400


def test_short_and_empty_pages_still_lead_to_every_record(portal: PortalUnderTest) -> None:
    portal.act("short_pages", on=True)
    sizes, seen, after = [], [], None
    while True:
        page = portal.objects.get_page("contacts", limit=20, after=after)
        sizes.append(len(page.results))
        seen += [record.id for record in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after

    assert seen == portal.ids("contacts", 1000)
    assert 0 in sizes
    assert len(set(sizes)) > 2


def test_a_record_is_found_by_its_email(portal: PortalUnderTest) -> None:
    record = portal.truth("contacts")[3]

    found = portal.objects.get_by_id("contacts", record["properties"]["email"], id_property="email")

    assert found.id == record["id"]


def test_history_is_newest_first_and_names_each_kind_of_source(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[0]
    portal.change("contacts", id_, {"jobtitle": "By user"})
    portal.change("contacts", id_, {"jobtitle": "By app"}, by={"kind": "app", "id": "2880144"})
    fair = {"kind": "import", "name": "fair.csv"}
    portal.change("contacts", id_, {"jobtitle": "By import"}, by=fair)
    flow = {"kind": "workflow", "name": "Nurture"}
    portal.change("contacts", id_, {"jobtitle": "By workflow"}, by=flow)
    portal.change("contacts", id_, {"jobtitle": None}, by={"kind": "system", "id": "BATCH_UPDATE"})

    entries = portal.history("contacts", id_, "jobtitle")

    assert [entry["value"] for entry in entries[:5]] == [
        "", "By workflow", "By import", "By app", "By user",
    ]  # fmt: skip
    assert [entry["sourceType"] for entry in entries] == [
        "BATCH_UPDATE", "AUTOMATION_PLATFORM", "IMPORT", "INTEGRATION", "CRM_UI", "IMPORT",
    ]  # fmt: skip
    stamps = [entry["timestamp"] for entry in entries]
    assert stamps == sorted(stamps, reverse=True)
    assert entries[4]["updatedByUserId"] == MAYA
    assert entries[4]["sourceId"] == f"userId:{MAYA}"
    assert (entries[3]["sourceId"], entries[3]["sourceLabel"]) == ("2880144", "Ledgerline Sync")
    imports = portal.send("GET", "/crm/v3/imports").json()["results"]
    assert entries[2]["sourceId"] == imports[0]["id"]
    assert imports[0]["metadata"]["counters"]["UPDATED_OBJECTS"] == 1
    assert entries[1]["sourceId"].startswith("enrollmentId:")
    assert (
        portal.get(f"contacts/{id_}", properties="jobtitle").json()["properties"]["jobtitle"]
        is None
    )


@pytest.mark.parametrize(
    ("object_", "name", "kept"), [("contacts", "jobtitle", 45), ("deals", "dealname", 20)]
)
def test_history_is_cut_to_what_hubspot_keeps(
    portal: PortalUnderTest, object_: str, name: str, kept: int
) -> None:
    id_ = portal.ids(object_)[0]
    for number in range(kept + 5):
        portal.change(object_, id_, {name: f"Value {number}"})

    entries = portal.history(object_, id_, name)

    assert len(entries) == kept
    assert entries[0]["value"] == f"Value {kept + 4}"
    assert entries[-1]["value"] == "Value 5"


def test_batch_read_shuffles_and_names_the_missing(portal: PortalUnderTest) -> None:
    ids = portal.ids()
    inputs = [{"id": id_} for id_ in [*ids[:99], "99"]]

    found = portal.batches.read("contacts", {"inputs": inputs, "properties": ["phone"]})

    returned = [record.id for record in found.results]
    assert sorted(returned) == sorted(ids[:99])
    assert returned != ids[:99]
    assert found.num_errors == 1
    assert found.errors[0].category == "OBJECT_NOT_FOUND"
    assert found.errors[0].context == {"ids": ["99"]}


def test_batch_read_status_is_207_but_200_in_2026_09(portal: PortalUnderTest) -> None:
    body = {"inputs": [{"id": "99"}], "properties": []}

    assert portal.post("contacts/batch/read", body).status_code == 207
    newest = portal.send("POST", "/crm/objects/2026-09/contacts/batch/read", body)
    assert newest.status_code == 200
    assert newest.json()["numErrors"] == 1


def test_batch_read_sizes(portal: PortalUnderTest) -> None:
    inputs = [{"id": id_} for id_ in portal.ids("contacts", 101)]
    history = {"propertiesWithHistory": ["email"], "properties": []}

    assert (
        portal.post("contacts/batch/read", {"inputs": inputs, "properties": []}).status_code == 400
    )
    assert portal.post("contacts/batch/read", {"inputs": inputs[:50], **history}).status_code == 200
    refused = portal.post("contacts/batch/read", {"inputs": inputs[:51], **history})
    assert refused.status_code == 400
    assert refused.json()["category"] == "VALIDATION_ERROR"
    assert refused.json()["message"] == (
        "The maximum number of inputs supported in a batch request for property histories is 50"
    )


def test_batch_read_by_email(portal: PortalUnderTest) -> None:
    records = portal.truth("contacts")[:3]
    inputs = [{"id": each["properties"]["email"].upper()} for each in records]

    found = portal.batches.read(
        "contacts", {"inputs": inputs, "properties": [], "idProperty": "email"}
    )

    assert {each.id for each in found.results} == {each["id"] for each in records}


def test_an_archived_record_needs_the_flag(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[5]
    portal.act("delete", object="contacts", records=[{"id": id_}])

    with pytest.raises(NotFoundException) as refused:
        portal.objects.get_by_id("contacts", id_)
    found = portal.objects.get_by_id("contacts", id_, archived=True)

    assert '"category":"OBJECT_NOT_FOUND"' in refused.value.body
    assert found.archived is True
    assert found.archived_at is not None
    assert [each.id for each in portal.objects.get_page("contacts", archived=True).results] == [id_]
    body = {"inputs": [{"id": id_}], "properties": []}
    assert portal.post("contacts/batch/read", body).json()["results"] == []
    binned = portal.post("contacts/batch/read?archived=true", body).json()["results"]
    assert (
        binned[0]["archivedAt"]
        == portal.get(f"contacts/{id_}", archived="true").json()["archivedAt"]
    )


def test_the_recycle_bin_forgets_after_ninety_days(portal: PortalUnderTest) -> None:
    id_ = portal.ids()[5]
    portal.act("delete", object="contacts", records=[{"id": id_}])

    portal.world.clock.turn(89 * DAY)
    assert portal.get(f"contacts/{id_}", archived="true").status_code == 200
    portal.world.clock.turn(2 * DAY)

    assert portal.get(f"contacts/{id_}", archived="true").status_code == 404
    assert portal.get("contacts", archived="true").json() == {"results": []}
    assert portal.truth("contacts", id_) == []


def test_a_list_can_carry_associations(portal: PortalUnderTest) -> None:
    found = portal.get("contacts", associations="companies", limit=1).json()["results"][0]

    [company] = found["associations"]["companies"]["results"]
    assert company["type"] == "contact_to_company"
    assert company["id"] in portal.ids("companies", 1000)


def test_the_same_seed_gives_the_same_portal() -> None:
    with portal_under_test(seed=3) as one, portal_under_test(seed=3) as other:
        names = [
            [each["properties"]["email"] for each in each_portal.truth("contacts")]
            for each_portal in (one, other)
        ]
        assert names[0] == names[1]
        assert one.people == other.people


def test_the_small_seed_is_large_enough_for_the_stories() -> None:
    with portal_under_test(records=1000) as portal:
        contacts, deals = portal.truth("contacts"), portal.truth("deals")

        assert len(contacts) >= 500
        assert all(r["properties"]["phone"] and r["properties"]["email"] for r in contacts)
        default = [r for r in deals if r["properties"]["pipeline"] == "default"]
        assert len(default) >= 180
        assert len({r["properties"]["dealstage"] for r in default}) == 7
        assert portal.journal() == []
