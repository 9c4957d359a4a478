"""Optional features of the org, as a reset switches them on."""

from urllib.parse import quote

import pytest

from support.salesforce_org import salesforce_org
from support.sandbox import running_sandbox

ALL = ("namespace", "wide", "geolocation", "multi_currency")
LIMIT = 16_384


@pytest.fixture(scope="module")
def org():
    with running_sandbox(features=ALL) as running, salesforce_org(*running) as opened:
        yield opened


def fields(org, object_):
    told = org.raw("GET", f"/sobjects/{object_}/describe").json()["fields"]
    return {field["name"]: field for field in told}


def test_a_reset_names_features_and_forgets_them():
    with running_sandbox() as (_, control):
        plain = control.truth("salesforce", "Account")
        control.reset(seed=1, size="tiny", features=["namespace"])
        assert control.truth("salesforce", "ns__Invoice__c")
        control.reset(seed=1, size="tiny")
        assert control.truth("salesforce", "Account") == plain
        with pytest.raises(ValueError, match="unknown object"):
            control.truth("salesforce", "ns__Invoice__c")
        with pytest.raises(ValueError, match="unknown features"):
            control.reset(seed=1, size="tiny", features=["teleport"])


def test_a_package_has_names_of_its_own(org):
    (told,) = org.rows(
        "SELECT Id, Name, ns__Total__c, ns__Account__r.Name, (SELECT ns__Line_Total__c FROM"
        " ns__Lines__r) FROM ns__Invoice__c LIMIT 1"
    )
    lines = told["ns__Lines__r"]["records"]
    assert told["ns__Total__c"] == sum(line["ns__Line_Total__c"] for line in lines)
    assert told["ns__Account__r"]["Name"]
    every = org.raw("GET", "/sobjects").json()["sobjects"]
    custom = {item["name"] for item in every if item["custom"]}
    assert {"ns__Invoice__c", "ns__InvoiceLine__c"} <= custom
    master = fields(org, "ns__InvoiceLine__c")["ns__Invoice__c"]
    assert (master["cascadeDelete"], master["nillable"], master["updateable"]) == (
        True, False, False,
    )  # fmt: skip
    children = org.raw("GET", "/sobjects/ns__Invoice__c/describe").json()["childRelationships"]
    assert ("ns__InvoiceLine__c", True) in {
        (item["childSObject"], item["cascadeDelete"]) for item in children
    }


def test_a_query_of_a_wide_object_does_not_fit_a_uri(org):
    names = list(fields(org, "Site_Survey__c"))
    assert sum(name.endswith("__c") for name in names) == 900
    statement = f"SELECT {','.join(names)} FROM Site_Survey__c"  # noqa: S608 -- SOQL for the sandbox
    assert len(quote(statement)) > LIMIT
    assert org.raw("GET", "/query", params={"q": statement}).status_code == 414
    (id_,) = org.ids("Site_Survey__c", 1)
    read = org.raw(
        "POST", "/composite/sobjects/Site_Survey__c", json={"ids": [id_], "fields": names}
    )
    assert set(read.json()[0]) == {"attributes", *names}


def test_a_place_is_a_compound_of_two_numbers(org):
    account = org.one("Account", "BillingLatitude != null")
    place = {"latitude": account["BillingLatitude"], "longitude": account["BillingLongitude"]}
    assert account["Warehouse__c"] == place
    org.restorer.Account.update(account["Id"], {"Warehouse__Latitude__s": 12.5})
    moved = org.truth("Account", account["Id"])["Warehouse__c"]
    assert moved == place | {"latitude": 12.5}
    told = fields(org, "Account")
    assert (told["Warehouse__c"]["type"], told["Warehouse__c"]["updateable"]) == ("location", False)
    part = told["Warehouse__Latitude__s"]
    assert (part["compoundFieldName"], part["custom"]) == ("Warehouse__c", True)
    whole = org.raw("PATCH", f"/sobjects/Account/{account['Id']}", json={"Warehouse__c": None})
    assert whole.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_money_bears_its_currency(org):
    for name in ("Account", "Opportunity", "Quote", "ns__Invoice__c"):
        assert "CurrencyIsoCode" in fields(org, name)
    codes = {row["IsoCode"] for row in org.rows("SELECT IsoCode FROM CurrencyType")}
    deals = org.rows("SELECT Id, CurrencyIsoCode FROM Opportunity")
    assert {"EUR", "USD"} <= {row["CurrencyIsoCode"] for row in deals} <= codes
    org.restorer.Opportunity.update(deals[0]["Id"], {"CurrencyIsoCode": "GBP"})
    assert org.truth("Opportunity", deals[0]["Id"])["CurrencyIsoCode"] == "GBP"
    strange = org.raw(
        "PATCH", f"/sobjects/Opportunity/{deals[0]['Id']}", json={"CurrencyIsoCode": "XXX"}
    )
    assert strange.json()[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


@pytest.fixture(scope="module")
def people():
    with running_sandbox(features=("person_accounts",)) as running, salesforce_org(*running) as org:
        yield org


def person_type(org):
    return org.one("RecordType", "IsPersonType = true")["Id"]


def made(org, **values):
    person = {"RecordTypeId": person_type(org), "FirstName": "Eva", "LastName": "Horn"}
    return org.truth("Account", org.restorer.Account.create(person | values)["id"])


def test_a_person_account_has_a_contact_that_mirrors_it(people):
    person = made(people, PersonEmail="eva@people.example", Level__pc="Primary", Phone="1")
    assert (person["Name"], person["IsPersonAccount"]) == ("Eva Horn", True)
    mirror = people.truth("Contact", person["PersonContactId"])
    assert (mirror["Name"], mirror["Email"], mirror["Level__c"], mirror["Phone"]) == (
        "Eva Horn", "eva@people.example", "Primary", "1",
    )  # fmt: skip
    assert (mirror["AccountId"], mirror["IsPersonAccount"]) == (person["Id"], True)
    people.restorer.Account.update(person["Id"], {"LastName": "Horn-Weber", "PersonTitle": "Dr."})
    mirror = people.truth("Contact", person["PersonContactId"])
    assert (mirror["LastName"], mirror["Title"]) == ("Horn-Weber", "Dr.")
    assert people.truth("Account", person["Id"])["Name"] == "Eva Horn-Weber"
    people.restorer.Account.delete(person["Id"])
    assert people.truth("Contact", person["PersonContactId"])["deleted"] is True


def test_what_persons_and_businesses_do_not_share(people):
    person = made(people)
    business = people.one("Account", "IsPersonAccount = false")["Id"]

    def code(object_, id_, values):
        answer = people.raw("PATCH", f"/sobjects/{object_}/{id_}", json=values)
        return answer.json()[0]["errorCode"]

    barred = "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert code("Account", person["Id"], {"Name": "Whole"}) == barred
    assert code("Account", person["Id"], {"LastName": None}) == "REQUIRED_FIELD_MISSING"
    assert code("Account", business, {"PersonEmail": "a@b.example"}) == barred
    assert code("Contact", person["PersonContactId"], {"Title": "x"}) == barred
    described = people.raw("GET", "/sobjects/Account/describe").json()
    kinds = {item["developerName"] for item in described["recordTypeInfos"]}
    assert kinds == {"Business_Account", "PersonAccount", "Master"}


def test_a_merge_of_persons_merges_their_contacts(people):
    winner, loser = made(people), made(people, FirstName="Evi")
    quote_ = people.one("Quote")["Id"]
    people.act("update", "Quote", ids=[quote_], fields={"ContactId": loser["PersonContactId"]})
    people.act("merge", "Account", ids=[winner["Id"], loser["Id"]])
    assert people.truth("Quote", quote_)["ContactId"] == winner["PersonContactId"]
    assert people.truth("Contact", loser["PersonContactId"])["deleted"] is True
    business = people.one("Account", "IsPersonAccount = false")["Id"]
    with pytest.raises(ValueError, match="person account"):
        people.act("merge", "Account", ids=[business, winner["Id"]])
