"""From a describe to fields that can be read, compared and restored."""

from typing import Any

import msgspec
import pytest

from connectors.salesforce.discovery import Listing, listed
from connectors.salesforce.schema import Describe, Known, know
from crmtrail.model import Field, FieldType


def field(name: str, type_: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "label": name, "updateable": True, **more}


def known(*fields: dict[str, Any], **more: Any) -> Known:
    described = {"name": "Contact", "label": "Contact", "fields": list(fields), **more}
    return know("sf", msgspec.json.decode(msgspec.json.encode(described), type=Describe))


def test_compound_parents_and_contents_of_files_are_not_read() -> None:
    kept = known(
        field("Id", "id"),
        field("Name", compoundFieldName=None),
        field("FirstName", compoundFieldName="Name"),
        field("MailingAddress", "address"),
        field("MailingCity", compoundFieldName="MailingAddress"),
        field("Place__c", "location"),
        field("Body", "base64"),
        field("Old__c", deprecatedAndHidden=True),
    )
    assert kept.wide == ("Id", "FirstName", "MailingCity")
    assert set(kept.schema.fields) == set(kept.wide)


def test_a_name_that_is_its_own_compound_is_read() -> None:
    assert known(field("Name", compoundFieldName="Name")).wide == ("Name",)
    person_accounts = known(
        field("Name", compoundFieldName="Name"), field("LastName", compoundFieldName="Name")
    )
    assert person_accounts.wide == ("Name", "LastName")


@pytest.mark.parametrize(
    ("vendor", "ours"),
    [
        ("currency", FieldType.MONEY),
        ("double", FieldType.NUMBER),
        ("int", FieldType.NUMBER),
        ("percent", FieldType.NUMBER),
        ("picklist", FieldType.CHOICE),
        ("combobox", FieldType.CHOICE),
        ("multipicklist", FieldType.MULTICHOICE),
        ("phone", FieldType.PHONE),
        ("email", FieldType.EMAIL),
        ("boolean", FieldType.BOOLEAN),
        ("date", FieldType.DATE),
        ("datetime", FieldType.DATETIME),
        ("reference", FieldType.REFERENCE),
        ("id", FieldType.ID),
        ("textarea", FieldType.TEXT),
        ("url", FieldType.TEXT),
        ("anyType", FieldType.OTHER),
        ("somethingNew", FieldType.OTHER),
    ],
)
def test_types(vendor: str, ours: FieldType) -> None:
    made = known(field("F", vendor)).schema.fields["F"]
    assert (made.type, made.vendor_type) == (ours, vendor)


def test_what_a_restore_has_to_know() -> None:
    fields = known(
        field("Total__c", "currency", calculated=True, updateable=False, nillable=True),
        field("No__c", autoNumber=True, updateable=False),
        field("OwnerId", "reference", nillable=False, referenceTo=["Group", "User"]),
        field("Key__c", length=40, unique=True, createable=True),
        field("Amount", "currency", length=0),
        field("Secret__c", "encryptedstring", length=20, createable=True),
    ).schema.fields
    assert (fields["Total__c"].computed, fields["Total__c"].updateable) == (True, False)
    assert fields["No__c"].computed
    assert (fields["OwnerId"].nillable, fields["OwnerId"].references) == (False, ("Group", "User"))
    key = fields["Key__c"]
    assert (key.max_length, key.unique, key.createable, key.computed) == (40, True, True, False)
    assert fields["Amount"].max_length is None
    secret = fields["Secret__c"]
    assert not secret.updateable, "what is read is a mask"
    assert not secret.createable, "what is read is a mask"


def test_options_are_told_only_where_other_values_are_refused() -> None:
    values = [{"value": "A", "active": True}, {"value": "B", "active": False}]
    fields = known(
        field("Strict__c", "picklist", restrictedPicklist=True, picklistValues=values),
        field("Loose__c", "picklist", restrictedPicklist=False, picklistValues=values),
    ).schema.fields
    assert fields["Strict__c"].options == ("A",)
    assert fields["Loose__c"].options == ()


def test_every_object_is_polled_by_the_first_stamp_it_has() -> None:
    assert known(field("SystemModstamp"), field("LastModifiedDate")).stamp == "SystemModstamp"
    assert known(field("CreatedDate"), field("LastModifiedDate")).stamp == "LastModifiedDate"
    assert known(field("CreatedDate")).stamp == "CreatedDate"
    assert known(field("Id")).stamp is None


def test_the_deleted_flag_is_read_but_is_no_field() -> None:
    kept = known(field("Id", "id"), field("IsDeleted", "boolean"), undeletable=True)
    assert kept.narrow == ("Id", "IsDeleted")
    assert "IsDeleted" not in kept.schema.fields
    assert kept.schema.undeletable
    assert not kept.replicateable


def test_a_bare_describe_is_enough() -> None:
    kept = know("sf", msgspec.json.decode(b'{"name":"X","fields":[{"name":"Id"}]}', type=Describe))
    assert kept.schema.fields == {"Id": Field("Id", updateable=False, createable=False,
                                              vendor_type="string")}  # fmt: skip


def test_objects_worth_syncing() -> None:
    def entry(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "queryable": True, "replicateable": True, **more}

    listing = {
        "sobjects": [
            entry("Opportunity"),
            entry("Account"),
            entry("Invoice__c"),
            entry("LoginHistory"),
            entry("AccountHistory"),
            entry("OpportunityFieldHistory"),
            entry("Invoice__Share"),
            entry("AccountFeed"),
            entry("AccountChangeEvent"),
            entry("ContentDocumentLink"),
            entry("Vote"),
            entry("Secret", queryable=False),
            entry("Setting__mdt", replicateable=False),
            entry("Gone__c", deprecatedAndHidden=True),
        ]
    }
    decoded = msgspec.json.decode(msgspec.json.encode(listing), type=Listing)
    assert listed(decoded) == ["Account", "Invoice__c", "LoginHistory", "Opportunity"]
