import re

import pytest

_FIELD = """aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula
cascadeDelete caseSensitive compoundFieldName controllerName createable custom defaultValue
defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits
displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo
formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText
label length mask maskType name nameField namePointing nillable permissionable picklistValues
polymorphicForeignKey precision queryByDistance referenceTargetField referenceTo
relationshipName relationshipOrder restrictedDelete restrictedPicklist scale
searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead"""
_CHILD = """cascadeDelete childSObject deprecatedAndHidden field junctionIdListNames
junctionReferenceTo relationshipName restrictedDelete"""
# Every key of a field and of a child relationship in a recorded describe (API 48).
FIELD_KEYS = frozenset(_FIELD.split())
CHILD_KEYS = frozenset(_CHILD.split())


def fields(org, object_, role="restorer"):
    told = org.raw("GET", f"/sobjects/{object_}/describe", role=role).json()
    return {field["name"]: field for field in told["fields"]}


def test_describe_global_lists_what_can_be_asked_for(org):
    told = org.observer.describe()
    assert told["encoding"] == "UTF-8"
    names = {item["name"]: item for item in told["sobjects"]}
    assert {"Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Product2",
            "Pricebook2", "PricebookEntry", "Quote", "QuoteLineItem", "User", "Profile",
            "Organization", "ProcessInstance", "ProcessInstanceStep", "AccountHistory",
            "ContactHistory", "OpportunityFieldHistory"} <= set(names)  # fmt: skip
    assert names["Account"]["keyPrefix"] == "001"
    assert names["Contact"]["mergeable"] is False  # the observer may not write


def test_every_field_has_every_key(org):
    told = org.observer.Opportunity.describe()
    assert all(set(field) == FIELD_KEYS for field in told["fields"])
    assert all(set(child) == CHILD_KEYS for child in told["childRelationships"])


def test_flags_tell_what_a_restore_may_write(org):
    contact, deal = fields(org, "Contact"), fields(org, "Opportunity")
    assert contact["MailingCity"]["compoundFieldName"] == "MailingAddress"
    assert contact["MailingAddress"]["type"] == "address"
    assert not contact["MailingAddress"]["updateable"]
    assert not contact["Name"]["updateable"]
    assert not contact["Description"]["filterable"]
    assert contact["Account_Industry__c"]["calculated"]
    assert deal["ContactId"]["createable"]
    assert not deal["ContactId"]["updateable"]
    assert deal["Deal_Number__c"]["autoNumber"]
    assert deal["Net_Amount__c"]["calculatedFormula"]
    assert [value["value"] for value in deal["StageName"]["picklistValues"]][-1] == "Closed Lost"
    assert fields(org, "Lead")["OwnerId"]["referenceTo"] == ["Group", "User"]
    assert fields(org, "Lead")["OwnerId"]["polymorphicForeignKey"]
    assert contact["EmailBouncedReason"]["updateable"]
    assert not contact["EmailBouncedReason"]["createable"]


def test_required_on_create_is_what_the_vendor_requires(org):
    def required(object_):
        return {
            name
            for name, field in fields(org, object_).items()
            if field["createable"] and not field["nillable"] and not field["defaultedOnCreate"]
        }

    assert required("Account") == {"Name"}
    assert required("Contact") == {"LastName"}
    assert required("Lead") == {"LastName", "Company"}
    assert required("Opportunity") == {"Name", "StageName", "CloseDate"}


def test_a_user_who_reads_only_sees_nothing_updateable(org):
    assert not any(field["updateable"] for field in fields(org, "Account", "observer").values())


def test_children_and_what_deleting_does_to_them(org):
    told = org.observer.Account.describe()["childRelationships"]
    by_child = {(item["childSObject"], item["field"]): item for item in told}
    assert by_child["Contact", "AccountId"]["cascadeDelete"]
    assert by_child["Contact", "AccountId"]["relationshipName"] == "Contacts"
    told = org.observer.PricebookEntry.describe()["childRelationships"]
    assert all(item["restrictedDelete"] for item in told)


@pytest.mark.parametrize("header", ["If-Modified-Since", "If-None-Match"])
def test_an_unchanged_describe_is_not_sent_again(org, header):
    first = org.raw("GET", "/sobjects/Account/describe")
    known = {"If-Modified-Since": "Last-Modified", "If-None-Match": "ETag"}[header]
    again = org.raw("GET", "/sobjects/Account/describe", headers={header: first.headers[known]})
    assert (again.status_code, again.content) == (304, b"")
    org.act("hide_field", "Account", field="Fax")
    changed = org.raw("GET", "/sobjects/Account/describe", headers={header: first.headers[known]})
    assert changed.status_code == 200
    assert "Fax" not in {field["name"] for field in changed.json()["fields"]}


def test_a_hidden_field_is_gone_for_its_user_only(org):
    org.act("hide_field", "Contact", field="Phone", user="CRM Observer")
    refused = org.raw("GET", "/query?q=SELECT Phone FROM Contact", role="observer")
    assert refused.status_code == 400
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD"
    assert "Phone" not in org.one("Contact")
    assert org.raw("GET", "/query?q=SELECT Phone FROM Contact").status_code == 200


def test_a_field_without_edit_right_is_shown_but_not_writable(org):
    org.act("hide_field", "Contact", field="Phone", access="read")
    told = fields(org, "Contact")["Phone"]
    assert not told["updateable"]
    (id_,) = org.ids("Contact", 1)
    refused = org.raw("PATCH", f"/sobjects/Contact/{id_}", json={"Phone": "1"})
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_versions_carry_their_release(org):
    told = org.http.get(f"{org.server.url}/services/data/", timeout=10).json()
    labels = {item["version"]: item["label"] for item in told}
    assert labels["60.0"] == "Spring '24"
    assert labels["59.0"] == "Winter '24"
    assert labels["67.0"] == "Summer '26"


def test_unknown_and_retired_versions(org):
    assert org.raw("GET", "/services/data/v99.0/limits").status_code == 404
    assert org.raw("GET", "/services/data/v30.0/limits").status_code == 410


def test_every_seeded_id_is_a_checked_18_character_id(org):
    ids = org.ids("Contact", 50) + org.ids("User", 20) + org.ids("Quote", 5)
    assert all(re.fullmatch(r"[0-9A-Za-z]{15}[0-9A-Z]{3}", id_) for id_ in ids)
