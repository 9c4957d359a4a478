"""Which records are of persons, what they are found by, what outlives their erasure."""

import pytest

from crmtrail.config import Config, parse
from crmtrail.errors import Mistake
from snapshot.keys.policy import Subjects
from snapshot.vault import Sealing

KINDS = {"sf": "salesforce", "hs": "hubspot"}
SOURCES = """
sources:
  sf: {kind: salesforce, base_url: "https://a.my.salesforce.com", auth: {token: t}}
  hs: {kind: hubspot, base_url: "https://api.hubapi.com", auth: {token: t}}
"""


def subjects(text="", mode="personal"):
    config = parse(SOURCES + text, {})
    return Subjects.of(mode, config.privacy, KINDS)


@pytest.mark.parametrize("policy", [Subjects(), subjects()], ids=["default", "configured"])
@pytest.mark.parametrize(
    ("source", "object_", "expected"),
    [
        ("sf", "Contact", Sealing.RECORD),
        ("sf", "contact", Sealing.RECORD),
        ("sf", "Lead", Sealing.RECORD),
        ("sf", "User", Sealing.RECORD),
        ("sf", "Account", Sealing.NONE),
        ("sf", "Opportunity", Sealing.NONE),
        ("hs", "contacts", Sealing.RECORD),
        ("hs", "companies", Sealing.NONE),
    ],
)
def test_persons_are_sealed_each_under_a_key_of_its_own(policy, source, object_, expected):
    assert policy.sealing(source, object_, {"Name": '"x"'}) is expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [("true", Sealing.RECORD), ("false", Sealing.NONE), ("null", Sealing.NONE)],
)
def test_an_account_tells_itself_whether_it_is_a_person(token, expected):
    assert Subjects().sealing("sf", "Account", {"IsPersonAccount": token}) is expected


def test_an_object_of_the_other_vendor_is_none_of_ours():
    assert subjects().sealing("hs", "Contact", {}) is Sealing.NONE
    assert subjects().sealing("sf", "contacts", {}) is Sealing.NONE


def test_all_can_be_sealed_or_none():
    every, nothing = subjects(mode="all"), subjects(mode="none")
    assert every.sealing("sf", "Opportunity", {}) is Sealing.OBJECT
    assert every.sealing("sf", "Contact", {}) is Sealing.RECORD
    assert nothing.sealing("sf", "Contact", {}) is Sealing.NONE


@pytest.mark.parametrize(
    ("source", "object_", "fields", "expected"),
    [
        ("sf", "Contact", {"Email": '"ana@example.com"', "Name": '"Ana"'}, ("ana@example.com",)),
        ("sf", "Contact", {"Email": "null"}, ()),
        ("sf", "Contact", {"Email": '" "'}, ()),
        ("sf", "Contact", {}, ()),
        ("sf", "Account", {"IsPersonAccount": "true", "PersonEmail": '"a@b.de"'}, ("a@b.de",)),
        ("sf", "Account", {"IsPersonAccount": "false", "PersonEmail": '"a@b.de"'}, ()),
        ("sf", "Opportunity", {"Email": '"a@b.de"'}, ()),
        (
            "hs",
            "contacts",
            {"email": '"a@b.de"', "hs_additional_emails": '"c@d.de; a@b.de;;e@f.de"'},
            ("a@b.de", "c@d.de", "e@f.de"),
        ),
        ("hs", "contacts", {"email": '"\\u00fcber@b.de"'}, ("über@b.de",)),
    ],
)
def test_a_person_is_found_by_every_address(source, object_, fields, expected):
    assert tuple(subjects().addresses(source, object_, fields)) == expected


def test_the_config_adds_objects_and_keeps_fields():
    policy = subjects("""
privacy:
  subjects:
    sf: {Partner__c: {email: [Email__c, Other__c]}, Contact: {email: [Second__c]}}
  keep: {sf:Contact: [CreditLimit__c]}
""")
    assert policy.sealing("sf", "Partner__c", {}) is Sealing.RECORD
    assert policy.sealing("hs", "Partner__c", {}) is Sealing.NONE
    fields = {"Email__c": '"a@b.de"', "Other__c": '"c@d.de"'}
    assert policy.addresses("sf", "Partner__c", fields) == ("a@b.de", "c@d.de")
    both = {"Email": '"a@b.de"', "Second__c": '"c@d.de"'}
    assert policy.addresses("sf", "Contact", both) == ("a@b.de", "c@d.de"), "beside the known one"
    assert policy.email_fields("sf", "contact") == {"Email", "Second__c"}
    assert policy.kept("sf", "Contact") == {"CreditLimit__c"}
    assert policy.kept("sf", "Lead") == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("privacy: {subjects: {zoho: {X: {}}}}", "privacy.subjects.zoho: there is no source zoho"),
        ("privacy: {keep: {zoho:X: [a]}}", "privacy.keep.zoho:X: there is no source zoho"),
        ("privacy: {keep: {Contact: [a]}}", "Contact is no object; write source:object"),
        ("privacy: {subjects: {sf: {X: {mail: [a]}}}}", "mail is not a known key"),
    ],
)
def test_what_privacy_names_has_to_be_there(text, message):
    with pytest.raises(Mistake) as caught:
        parse(SOURCES + text, {})
    assert message in str(caught.value)


def test_nothing_configured_is_the_default():
    config = Config()
    assert Subjects.of(config.keys.seal, config.privacy, {}) == Subjects()
