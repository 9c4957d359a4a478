"""Consent and privacy objects."""

import pytest

from support.salesforce_org import soql

OBJECTS = (
    "Individual", "ContactPointTypeConsent", "ContactPointConsent", "ContactPointEmail",
    "ContactPointPhone", "CommSubscription", "CommSubscriptionConsent", "AuthorizationFormConsent",
    "PartyConsent", "PrivacyRequest", "PrivacyRTBFRequest", "IndividualHistory",
    "ContactPointTypeConsentHistory",
)  # fmt: skip


def test_the_org_knows_them_all(org):
    names = {item["name"] for item in org.raw("GET", "/sobjects").json()["sobjects"]}
    assert set(OBJECTS) <= names


@pytest.mark.parametrize("object_", ["Contact", "Lead"])
def test_people_carry_their_own_switches(org, object_):
    told = org.raw("GET", f"/sobjects/{object_}/describe").json()["fields"]
    fields = {field["name"]: field for field in told}
    for name in ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall"):
        assert (fields[name]["type"], fields[name]["updateable"]) == ("boolean", True)
    assert fields["IndividualId"]["referenceTo"] == ["Individual"]


def test_a_contact_leads_to_what_its_person_allowed(org):
    rows = org.rows("SELECT Individual.Name, IndividualId FROM Contact WHERE IndividualId != null")
    assert len(rows) == 3
    found = org.rows(soql(
        "SELECT PrivacyConsentStatus, CaptureSource, CaptureDate FROM ContactPointTypeConsent",
        f"WHERE PartyId = '{rows[0]['IndividualId']}'",
    ))  # fmt: skip
    assert [row["CaptureSource"] for row in found] == ["Web"]


def test_a_change_of_consent_is_in_its_history_with_its_author(org):
    (row,) = org.rows("SELECT Id FROM ContactPointTypeConsent WHERE PrivacyConsentStatus = 'OptIn'")
    org.act(
        "update", "ContactPointTypeConsent", ids=[row["Id"]],
        fields={"PrivacyConsentStatus": "OptOut"}, by={"kind": "user", "name": "Quinn Rivera"},
    )  # fmt: skip
    (told,) = org.rows(
        "SELECT Field, OldValue, NewValue, CreatedBy.Name FROM ContactPointTypeConsentHistory"
    )
    assert (told["Field"], told["OldValue"], told["NewValue"]) == (
        "PrivacyConsentStatus", "OptIn", "OptOut",
    )  # fmt: skip
    assert told["CreatedBy"]["Name"] == "Quinn Rivera"


def test_a_status_nobody_knows_is_refused(org):
    (row,) = org.rows("SELECT Id FROM ContactPointTypeConsent LIMIT 1")
    answer = org.raw(
        "PATCH",
        f"/sobjects/ContactPointTypeConsent/{row['Id']}",
        json={"PrivacyConsentStatus": "Perhaps"},
    )
    assert answer.json()[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


def test_somebody_asks_to_be_forgotten(org):
    (contact,) = org.ids("Contact", 1)
    order = {"DataSubjectId": contact, "DeletionStatus": "Pending"}
    made = org.raw("POST", "/sobjects/PrivacyRTBFRequest", json=order).json()
    assert made["success"]
    (row,) = org.rows("SELECT Status, DataSubjectId FROM PrivacyRTBFRequest")
    assert (row["Status"], row["DataSubjectId"]) == ("Submitted", contact)
