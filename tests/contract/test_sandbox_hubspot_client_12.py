"""The official hubspot-api-client 12, unmodified, against the sandbox: v3 and v4.

The newer client is in test_sandbox_hubspot_clients.py.
"""

from collections.abc import Iterator

import pytest
from hubspot.crm.objects.exceptions import ApiException as ObjectsError
from hubspot.crm.objects.exceptions import NotFoundException

from support.hubspot_portal import PortalUnderTest, portal_under_test

PLAIN_V4 = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


def test_client_12_walks_reads_and_searches(portal: PortalUnderTest) -> None:
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Dean"})
    contacts = portal.api(portal.client.crm.contacts.basic_api)
    search = portal.api(portal.client.crm.contacts.search_api)

    page = contacts.get_page(limit=50, properties=["email"], properties_with_history=["jobtitle"])
    one = contacts.get_by_id(page.results[0].id, associations=["companies"])
    found = search.do_search(
        {"filterGroups": [], "sorts": [{"propertyName": "hs_object_id"}], "limit": 5, "after": 0}
    )

    assert page.results[0].properties_with_history["jobtitle"][0].source_type == "CRM_UI"
    assert one.associations["companies"].results[0].type == "contact_to_company"
    assert found.total == 110
    assert [each.id for each in found.results] == portal.ids(count=5)
    with pytest.raises(NotFoundException):
        portal.objects.get_by_id("contacts", "99")


def test_client_12_writes_one_by_one_and_in_batches(portal: PortalUnderTest) -> None:
    objects, batch = portal.objects, portal.batches
    made = objects.create("contacts", {"properties": {"email": "one@fernhill.example"}})
    objects.update("contacts", made.id, {"properties": {"city": "Bonn"}})
    with pytest.raises(ObjectsError) as conflict:
        objects.create("contacts", {"properties": {"email": "one@fernhill.example"}})
    objects.archive("contacts", made.id)
    inputs = [
        {"properties": {"email": f"{n}@fernhill.example"}, "objectWriteTraceId": str(n)}
        for n in range(3)
    ]
    many = batch.create("contacts", {"inputs": inputs})
    ids = [{"id": each.id} for each in many.results]
    read = batch.read(
        "contacts", {"inputs": ids, "properties": ["email"], "propertiesWithHistory": ["email"]}
    )
    lost = batch.read(
        "contacts",
        {"inputs": [{"id": "99"}], "properties": [], "propertiesWithHistory": []},
    )
    upserted = batch.upsert(
        "contacts",
        {
            "inputs": [
                {"id": "0@fernhill.example", "idProperty": "email", "properties": {"city": "Ulm"}}
            ]
        },
    )
    batch.archive("contacts", {"inputs": ids})

    assert conflict.value.status == 409
    assert f"Existing ID: {made.id}" in conflict.value.body
    assert {each.object_write_trace_id for each in many.results} == {"0", "1", "2"}
    assert len(read.results) == 3
    assert (lost.num_errors, lost.errors[0].category) == (1, "OBJECT_NOT_FOUND")
    assert lost.errors[0].context == {"ids": ["99"]}
    assert upserted.results[0].new is False
    assert len(objects.get_page("contacts", archived=True).results) == 4


def test_client_12_merges_and_forgets(portal: PortalUnderTest) -> None:
    contacts = portal.api(portal.client.crm.contacts.basic_api)
    one, two, three = portal.ids(count=3)
    email = portal.truth("contacts", three)[0]["properties"]["email"]

    survivor = contacts.merge({"primaryObjectId": one, "objectIdToMerge": two})
    contacts.purge({"objectId": email, "idProperty": "email"})

    assert contacts.get_by_id(one).id == survivor.id
    assert portal.truth("contacts", three) == []
    for name, kind in (("companies", "companies"), ("deals", "deals")):
        api = portal.api(getattr(portal.client.crm, name).basic_api)
        first, second = portal.ids(kind, 2)
        merged = api.merge({"primaryObjectId": first, "objectIdToMerge": second})
        assert api.get_by_id(second).id == merged.id


def test_client_12_associates_and_parts(portal: PortalUnderTest) -> None:
    v4 = portal.client.crm.associations.v4
    batch, basic = portal.api(v4.batch_api), portal.api(v4.basic_api)
    labels = portal.api(v4.schema.definitions_api)
    one, two = portal.ids(count=2)
    company = portal.ids("companies")[-1]
    pair = ("contacts", "companies")

    def linked(id_: str) -> set[int]:
        page = basic.get_page("contacts", id_, "companies", limit=500)
        return {
            type_.type_id
            for each in page.results
            if str(each.to_object_id) == company
            for type_ in each.association_types
        }

    wish = {"from": {"id": one}, "to": {"id": company}, "types": [PLAIN_V4]}
    made = batch.create(*pair, {"inputs": [wish]})
    basic.create_default("contacts", two, "companies", company)
    assert str(made.results[0].to_object_id) == company
    assert linked(one) == linked(two) == {279}
    read = batch.get_page(*pair, {"inputs": [{"id": one}]})
    assert company in {str(to.to_object_id) for to in read.results[0].to}
    basic.create("contacts", one, "companies", company, [PLAIN_V4 | {"associationTypeId": 1}])
    assert linked(one) == {1, 279}
    batch.archive_labels(
        *pair, {"inputs": [wish | {"types": [PLAIN_V4 | {"associationTypeId": 1}]}]}
    )
    assert linked(one) == {279}
    batch.archive(*pair, {"inputs": [{"from": {"id": one}, "to": [{"id": company}]}]})
    basic.archive("contacts", two, "companies", company)
    assert linked(one) == linked(two) == set()
    assert {each.type_id for each in labels.get_all(*pair).results} >= {1, 279}


def test_client_12_reads_and_writes_definitions(portal: PortalUnderTest) -> None:
    core = portal.api(portal.client.crm.properties.core_api)
    several = portal.api(portal.client.crm.properties.batch_api)
    groups = portal.api(portal.client.crm.properties.groups_api)
    pipelines = portal.api(portal.client.crm.pipelines.pipelines_api)
    stages = portal.api(portal.client.crm.pipelines.pipeline_stages_api)
    audits = portal.api(portal.client.crm.pipelines.pipeline_audits_api)
    schemas = portal.api(portal.client.crm.schemas.core_api)

    made = core.create(
        "deals",
        {
            "name": "client_made",
            "label": "Made",
            "type": "string",
            "fieldType": "text",
            "groupName": "dealinformation",
        },
    )
    core.update("deals", made.name, {"label": "Changed"})
    assert core.get_by_name("deals", made.name).label == "Changed"
    core.archive("deals", made.name)
    names = {each.name for each in core.get_all("deals").results}
    assert "dealstage" in names
    assert made.name not in names
    read = several.read("deals", {"inputs": [{"name": "amount"}], "archived": False})
    assert [each.name for each in read.results] == ["amount"]
    group = groups.create("deals", {"name": "late", "label": "Late"})
    groups.archive("deals", group.name)
    assert "late" not in {each.name for each in groups.get_all("deals").results}
    pipeline = pipelines.create("deals", {"label": "Partners", "displayOrder": 3, "stages": []})
    stage = stages.create(
        "deals",
        pipeline.id,
        {"label": "Met", "displayOrder": 0, "metadata": {"probability": "0.5"}},
    )
    stages.update("deals", pipeline.id, stage.id, {"label": "Seen", "metadata": {}})
    assert stages.get_by_id("deals", pipeline.id, stage.id).label == "Seen"
    pipelines.archive("deals", pipeline.id)
    pipelines.update("deals", pipeline.id, {"archived": False})
    actions = [each.action for each in audits.get_audit("deals", pipeline.id).results]
    assert actions == ["UPDATE", "DELETE", "UPDATE", "UPDATE", "CREATE"]
    assert schemas.get_all().results is not None


def test_client_12_reads_people_imports_and_lists(portal: PortalUnderTest) -> None:
    owners = portal.api(portal.client.crm.owners.owners_api)
    users = portal.api(portal.client.settings.users.users_api)
    roles = portal.api(portal.client.settings.users.roles_api)
    teams = portal.api(portal.client.settings.users.teams_api)
    imports = portal.api(portal.client.crm.imports.core_api)
    errors = portal.api(portal.client.crm.imports.public_imports_api)
    lists = portal.api(portal.client.crm.lists.lists_api)
    known = portal.people["users"]

    assert {each.id for each in owners.get_page().results} == {each["owner"] for each in known}
    left = owners.get_page(archived=True).results
    assert [(each.archived, each.user_id) for each in left] == [(True, None)]
    assert {each.id for each in users.get_page().results} == {each["id"] for each in known}
    assert users.get_by_id(known[0]["id"]).super_admin is True
    assert "Sales" in {each.name for each in roles.get_all().results}
    assert len(teams.get_all().results) == 3
    first = imports.get_page().results[0]
    assert imports.get_by_id(first.id).metadata.counters["TOTAL_ROWS"] > 0
    assert errors.get_errors(first.id).results == []
    order = {"name": "Buyers", "objectTypeId": "0-1", "processingType": "MANUAL"}
    made = lists.create(order).list
    assert [each.name for each in lists.do_search({"query": "buy"}).lists] == ["Buyers"]
    lists.remove(made.list_id)
    lists.restore(made.list_id)
    assert lists.get_by_id(made.list_id).list.name == "Buyers"
