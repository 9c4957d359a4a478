"""The official hubspot-sdk, unmodified, against the rest of the sandbox's portal: 2026-03.

Its login sends JSON where HubSpot documents a form: tokens are fetched without it.
"""

from collections.abc import Iterator

import pytest
import requests
from hubspot_sdk import HubSpot
from hubspot_sdk import NotFoundError as SdkNotFound

from support.hubspot_portal import PortalUnderTest, portal_under_test
from support.hubspot_sdk_client import sdk_client


@pytest.fixture
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as running:
        yield running


@pytest.fixture
def sdk(portal: PortalUnderTest) -> Iterator[HubSpot]:
    with sdk_client(portal) as client:
        yield client


def test_sdk_reads_labels(sdk: HubSpot) -> None:
    labels = sdk.crm.associations_schema.labels.list_labels(
        from_object_type="contacts", to_object_type="companies"
    )

    assert {(each.type_id, each.label) for each in labels.results} >= {(279, None), (1, "Primary")}


def test_sdk_reads_and_writes_properties(portal: PortalUnderTest, sdk: HubSpot) -> None:
    properties = sdk.crm.properties

    listed = properties.list("contacts").results
    made = properties.create(
        "contacts",
        name="sdk_made",
        label="Made",
        type="enumeration",
        field_type="select",
        group_name="accountcare",
        options=[{"label": "A", "value": "a", "display_order": 0, "hidden": False}],
    )
    changed = properties.update("sdk_made", object_type="contacts", label="Changed")
    read = properties.batch.get(
        object_type="contacts",
        archived=False,
        data_sensitivity="non_sensitive",
        inputs=[{"name": "email"}, {"name": "sdk_made"}],
    )
    properties.delete("sdk_made", object_type="contacts")

    assert {each.name for each in listed} >= {"email", "lifecyclestage", "customer_tier"}
    assert made.options[0].value == "a"
    assert changed.label == "Changed"
    assert {each.name for each in read.results} == {"email", "sdk_made"}
    archived = properties.list("contacts", archived=True).results
    assert "sdk_made" in {each.name for each in archived}
    groups = {each.name for each in properties.groups.list("contacts").results}
    assert groups >= {"contactinformation", "accountcare"}


def test_sdk_reads_and_writes_pipelines(portal: PortalUnderTest, sdk: HubSpot) -> None:
    pipelines = sdk.crm.pipelines

    made = pipelines.create(
        "deals",
        label="Partners",
        display_order=5,
        stages=[{"label": "Met", "display_order": 0, "metadata": {"probability": "0.3"}}],
    )
    pipelines.update(made.id, object_type="deals", label="Partner sales")
    audit = pipelines.list_audit(made.id, object_type="deals").results
    stages = pipelines.list_stages(made.id, object_type="deals").results

    assert [each.action for each in audit] == ["UPDATE", "CREATE"]
    assert [each.label for each in stages] == ["Met"]
    assert {each.id for each in pipelines.list("deals").results} >= {"default", made.id}
    assert pipelines.get("default", object_type="deals").stages[0].metadata["probability"] == "0.2"


def test_sdk_reads_the_account(portal: PortalUnderTest, sdk: HubSpot) -> None:
    portal.act("edition", enterprise=True)
    portal.change("contacts", portal.ids()[0], {"jobtitle": "Dean"})
    portal.act("gdpr_delete", object="contacts", records=[{"id": portal.ids()[1]}])

    details = sdk.account.get()
    usage = sdk.account.get_daily_private_apps_usage().results[0]
    logins = sdk.account.activity.list_login_activities().results
    audit = sdk.account.activity.list_audit_logs().results
    security = sdk.account.activity.list_security_activities().results

    assert (details.portal_id, details.account_type) == (portal.people["portal"], "STANDARD")
    assert (usage.name, usage.fetch_status) == ("private-apps-api-calls-daily", "SUCCESS")
    assert usage.current_usage == 2
    assert logins[0].login_succeeded
    assert {each.acting_user.user_id for each in audit} == {9586500}
    assert "GDPR_DELETE" in {each.type for each in security}


def test_sdk_reads_people_and_imports(portal: PortalUnderTest, sdk: HubSpot) -> None:
    users = portal.people["users"]

    owners = list(sdk.crm.owners.list(limit=3))
    assert {each.id for each in owners} == {each["owner"] for each in users}
    assert sdk.crm.owners.get(int(users[0]["owner"])).user_id == int(users[0]["id"])
    people = list(sdk.settings.users.list(limit=3))
    assert {each.id for each in people} == {each["id"] for each in users}
    assert sdk.settings.users.get(users[1]["id"]).email == users[1]["email"]
    assert "Sales" in {each.name for each in sdk.settings.users.list_roles().results}
    assert len(sdk.settings.users.list_teams().results) == 3
    imports = list(sdk.crm.imports.list())
    assert imports[0].state == "DONE"
    assert sdk.crm.imports.get(int(imports[0].id)).id == imports[0].id
    assert list(sdk.crm.imports.list_errors(int(imports[0].id))) == []


def test_sdk_reads_limits_lists_rules_and_schemas(portal: PortalUnderTest, sdk: HubSpot) -> None:
    portal.act("validation", object="contacts", name="zip", rule="MAX_LENGTH", arguments=["5"])
    limits = sdk.crm.limits
    lists = sdk.crm.lists

    records = limits.get_record_limits().hubspot_defined_object_types
    assert {each.object_type_id: each.usage for each in records}["0-1"] == 110
    assert limits.get_custom_property_limits().overall_usage > 5
    assert limits.get_calculated_property_limits().overall_usage > 5
    assert limits.get_pipeline_limits().hubspot_defined_object_types[0].usage >= 1
    assert limits.get_custom_object_type_limits().limit == 10
    assert limits.get_association_records_limits_from_objects().results == []
    assert limits.get_association_records_limits_to_objects("0-1").results == []
    one = limits.get_association_records_limits_by_object_type("0-2", from_object_type_id="0-1")
    assert one.total_records_at_limit == 0
    labels = limits.get_association_label_limits(from_object_type_id="0-1")
    assert ["Primary"] in [each.all_labels[:1] for each in labels.results]
    made = lists.create(name="Buyers", object_type_id="0-1", processing_type="MANUAL").list
    lists.delete(made.list_id)
    with pytest.raises(SdkNotFound):
        lists.get(made.list_id)
    lists.restore(made.list_id)
    assert lists.get(made.list_id).list.name == "Buyers"
    rules = sdk.crm.properties_validations.get_by_object_type_id("0-1").results
    assert [(each.property_name, len(each.property_validation_rules)) for each in rules] == [
        ("zip", 1)
    ]
    assert sdk.crm.object_schemas.list().results is not None


def test_sdk_reads_consent_and_custom_objects(portal: PortalUnderTest, sdk: HubSpot) -> None:
    id_ = portal.ids()[0]
    email = portal.truth("contacts", id_)[0]["properties"]["email"]
    preferences = sdk.communication_preferences

    definitions = preferences.definitions.list().results
    statuses = preferences.get_statuses(email, channel="EMAIL").results
    schema = sdk.crm.object_schemas.list().results[0]
    records = list(
        sdk.crm.objects.custom.list(schema.fully_qualified_name, properties=["hs_object_id"])
    )

    assert {each.subscription_id for each in statuses} == {int(each.id) for each in definitions}
    assert sdk.crm.object_schemas.get(schema.fully_qualified_name).name == schema.name
    assert len(records) == len(portal.truth(schema.name))


def test_sdk_makes_labels(sdk: HubSpot) -> None:
    labels = sdk.crm.associations_schema.labels
    pair = {"from_object_type": "contacts", "to_object_type": "companies"}

    def known() -> set[str | None]:
        return {each.label for each in labels.list_labels(**pair).results}

    made = labels.create_label(**pair, label="Payer", name="payer").results
    assert "Payer" in known()
    labels.update_label(**pair, association_type_id=made[0].type_id, label="Payer of bills")
    assert "Payer of bills" in known()
    labels.delete_label(made[0].type_id, **pair)
    assert not known() & {"Payer", "Payer of bills"}


def test_sdk_follows_the_webhooks_journal(portal: PortalUnderTest, sdk: HubSpot) -> None:
    client = portal.people["oauth"]["observer"]
    rights = ("read", "subscriptions.read", "subscriptions.write")
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
        "scope": " ".join(f"developer.webhooks_journal.{right}" for right in rights),
    }
    given = requests.post(f"{portal.server.url}/oauth/2026-03/token", data=form, timeout=30)
    feeds = sdk.with_options(access_token=given.json()["access_token"]).webhooks_journal

    made = feeds.subscriptions.create(
        subscription_type="OBJECT",
        portal_id=portal.people["portal"],
        object_type_id="0-1",
        actions=["UPDATE"],
        properties=[],
        object_ids=[],
    )
    portal.change("contacts", portal.ids()[0], {"city": "Ulm"})
    earliest = feeds.journal_local.get_earliest().json()
    batch = feeds.journal.batch.get_earliest(5)

    assert [each.id for each in feeds.subscriptions.list().results] == [made.id]
    assert [each.current_offset for each in batch.results] == [earliest["currentOffset"]]
    following = feeds.journal.get_next_from_offset(earliest["currentOffset"])
    assert following.read() == b""
    feeds.subscriptions.delete(made.id)
    assert feeds.subscriptions.list().results == []
