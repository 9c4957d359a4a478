"""HubSpot's metadata in common words."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.hubspot import connect
from connectors.hubspot.client import Client
from connectors.hubspot.people import People
from connectors.hubspot.schema import field_of, schema_of
from connectors.hubspot.shapes import Property
from connectors.hubspot.transport import Transport
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CredentialsRefused, Mistake
from crmtrail.model import FieldType
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer


class Wall:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


def described(**parts: Any) -> Property:
    body = {"name": "x", "label": "X", "type": "string", "fieldType": "text"} | parts
    return msgspec.json.decode(json.dumps(body), type=Property)


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({}, FieldType.TEXT),
        ({"name": "email"}, FieldType.EMAIL),
        ({"name": "mobilephone"}, FieldType.PHONE),
        ({"fieldType": "phonenumber"}, FieldType.PHONE),
        ({"type": "phone_number"}, FieldType.PHONE),
        ({"type": "number"}, FieldType.NUMBER),
        ({"type": "number", "name": "amount"}, FieldType.MONEY),
        ({"type": "number", "showCurrencySymbol": True}, FieldType.MONEY),
        ({"type": "number", "numberDisplayHint": "currency"}, FieldType.MONEY),
        ({"type": "bool"}, FieldType.BOOLEAN),
        ({"type": "enumeration", "fieldType": "booleancheckbox"}, FieldType.BOOLEAN),
        ({"type": "date"}, FieldType.DATE),
        ({"type": "datetime"}, FieldType.DATETIME),
        ({"type": "enumeration", "fieldType": "select"}, FieldType.CHOICE),
        ({"type": "enumeration", "fieldType": "checkbox"}, FieldType.MULTICHOICE),
        ({"type": "enumeration", "externalOptions": True}, FieldType.REFERENCE),
        ({"referencedObjectType": "OWNER"}, FieldType.REFERENCE),
        ({"type": "json"}, FieldType.OTHER),
        ({"type": "something new"}, FieldType.OTHER),
        ({"type": "number", "name": "hs_object_id"}, FieldType.ID),
    ],
)
def test_types(parts: dict[str, Any], kind: FieldType) -> None:
    assert field_of(described(**parts)).type is kind


@pytest.mark.parametrize(
    ("parts", "updateable", "computed"),
    [
        ({}, True, False),
        ({"modificationMetadata": {"readOnlyValue": True}}, False, False),
        ({"modificationMetadata": {"readOnlyDefinition": True}}, True, False),
        ({"calculated": True}, False, True),
        ({"name": "hs_lastmodifieddate"}, False, False),
        ({"name": "hs_object_source_detail_1"}, False, False),
    ],
)
def test_what_can_be_written(parts: dict[str, Any], updateable: bool, computed: bool) -> None:
    field = field_of(described(**parts))
    assert (field.updateable, field.createable, field.computed) == (
        updateable,
        updateable,
        computed,
    )


def test_options_and_references() -> None:
    options = [{"label": "A", "value": "a"}, {"label": "B", "value": "b", "hidden": True}]
    choice = described(type="enumeration", fieldType="select", options=options)
    assert field_of(choice).options == ("a", "b")
    owner = described(
        name="hubspot_owner_id", type="enumeration", externalOptions=True, options=options
    )
    assert field_of(owner).options == ()
    assert field_of(owner).references == ("owner",)
    assert field_of(described(hasUniqueValue=True)).unique


def test_a_schema_lists_every_property() -> None:
    schema = schema_of("hs", "line_items", [described(name="a"), described(name="b")])
    assert (schema.source, schema.object, schema.label) == ("hs", "line_items", "Line items")
    assert set(schema.fields) == {"a", "b"}


def hubspot(server: ScriptedServer) -> Connector:
    auth = AuthConfig.model_validate({"token": "pat-test"})
    return connect("hs", SourceConfig(kind="hubspot", base_url=server.url, auth=auth), auth, Wall())


EMPTY = Scripted(content={"results": []})


def test_objects_leave_out_what_the_token_may_not_read() -> None:
    def answer(asked: Asked) -> Scripted:
        if "/deals" in asked.target:
            return Scripted(403, {"category": "MISSING_SCOPES"})
        if "/quotes" in asked.target:
            return Scripted(404, {})
        if "/schemas" in asked.target:
            named = {"objectTypeId": "2-77", "fullyQualifiedName": "p123_car", "name": "car"}
            return Scripted(content={"results": [named, {"objectTypeId": "2-78"}]})
        return EMPTY

    with ScriptedServer(otherwise=answer) as server:
        connector = hubspot(server)
        assert connector.objects() == [
            "contacts",
            "companies",
            "tickets",
            "line_items",
            "products",
            "leads",
            "calls",
            "emails",
            "meetings",
            "notes",
            "tasks",
            "discounts",
            "p123_car",
            "2-78",
        ]
        connector.close()


def test_objects_without_the_custom_object_feature() -> None:
    def answer(asked: Asked) -> Scripted:
        return Scripted(403, {}) if "/schemas" in asked.target else EMPTY

    with ScriptedServer(otherwise=answer) as server:
        connector = hubspot(server)
        assert len(connector.objects()) == 14
        connector.close()


def test_a_refused_token_is_no_empty_account() -> None:
    with ScriptedServer(otherwise=lambda _: Scripted(401, {})) as server:
        connector = hubspot(server)
        with pytest.raises(CredentialsRefused):
            connector.objects()
        connector.close()


def test_an_unknown_object_is_told_plainly() -> None:
    with ScriptedServer(otherwise=lambda _: Scripted(404, {})) as server:
        connector = hubspot(server)
        with pytest.raises(Mistake, match="HubSpot knows no object 'leads'"):
            connector.schema("leads")
        connector.close()


def test_the_identity_names_account_app_and_time() -> None:
    def answer(asked: Asked) -> Scripted:
        if "access-token-info" in asked.target:
            return Scripted(content={"userId": 9, "hubId": 42, "appId": 3217786, "scopes": []})
        return Scripted(content={"portalId": 42, "accountType": "DEVELOPER_TEST"})

    with ScriptedServer(otherwise=answer) as server:
        connector = hubspot(server)
        identity = connector.identity()
        connector.close()
    assert (identity.account, identity.user) == ("42", "3217786")
    assert identity.name == "HubSpot 42 (developer test)"
    assert identity.server_time == datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_names_of_former_users_and_of_imports() -> None:
    def answer(asked: Asked) -> Scripted:
        if "/owners" in asked.target and "archived=true" in asked.target:
            gone = {"userIdIncludingInactive": 7, "firstName": "Derek", "lastName": "Haugen"}
            return Scripted(content={"results": [gone]})
        if "/owners" in asked.target and "after=" not in asked.target:
            return Scripted(
                content={
                    "results": [{"userId": 8, "email": "maya@a.example"}],
                    "paging": {"next": {"after": "NTI1"}},
                }
            )
        if "/owners" in asked.target:
            return Scripted(content={"results": [{"userId": 9, "firstName": "Priya"}]})
        if "/imports" in asked.target:
            return Scripted(content={"results": [{"id": 5, "importName": "leads.csv"}]})
        return Scripted(403, {"category": "MISSING_SCOPES"})

    with ScriptedServer(otherwise=answer) as server:
        transport = Transport(
            base_url=server.url, token="t", version="", timeout=timedelta(seconds=5), clock=Wall()
        )
        people = People(Client(transport), Wall())
        names = [people.user(id_) for id_ in ("7", "8", "9", "10", "11")]
        imports = [people.import_("5"), people.import_("6")]
        transport.close()
        asked = len(server.asked)
    assert names == ["Derek Haugen", "maya@a.example", "Priya", None, None]
    assert imports == ["leads.csv", None]
    assert asked == 5
