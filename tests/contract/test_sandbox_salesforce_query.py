import pytest
from simple_salesforce import SalesforceMalformedRequest

from crmtrail.sandbox.salesforce.cursors import OPEN_PER_USER
from support.salesforce_org import salesforce_org, soql
from support.sandbox import running_sandbox


@pytest.fixture(scope="module")
def large():
    """An org with more contacts than one page holds. Its tests only read."""
    with running_sandbox("medium") as running, salesforce_org(*running) as opened:
        yield opened


@pytest.fixture(scope="module")
def probed():
    """An org with four contacts that conditions can tell apart. Its tests only read."""
    with running_sandbox() as running, salesforce_org(*running) as opened:
        for values in PROBES:
            opened.restorer.Contact.create({"Department": "probe", **values})
        yield opened


PROBES = (
    {
        "LastName": "Axel",
        "Title": "Chef",
        "Interests__c": "Services;Hardware",
        "Birthdate": "1980-05-05",
    },
    {"LastName": "Born", "Interests__c": "Services", "DoNotCall": True},
    {"LastName": "O'Hara", "Birthdate": "1990-01-01"},
    {"LastName": "100%"},
)


def refusal(org, statement):
    with pytest.raises(SalesforceMalformedRequest) as caught:
        org.observer.query(statement)
    return caught.value.content[0]


def test_parents_children_and_compounds(org):
    (row,) = org.rows(
        "SELECT Id, Name, MailingAddress, Account.Name, Account.Owner.Name FROM Contact"
        " WHERE MailingCity != null LIMIT 1"
    )
    assert row["attributes"]["type"] == "Contact"
    assert row["attributes"]["url"].endswith(row["Id"])
    assert set(row["MailingAddress"]) == {
        "city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state",
        "street",
    }  # fmt: skip
    assert row["Account"]["Owner"]["attributes"]["type"] == "User"
    (account,) = org.rows(
        "SELECT Id, (SELECT Id, LastName FROM Contacts ORDER BY LastName LIMIT 2),"
        " (SELECT Id FROM ChildAccounts) FROM Account WHERE Id IN (SELECT AccountId FROM Contact)"
        " LIMIT 1"
    )
    assert account["Contacts"]["totalSize"] == len(account["Contacts"]["records"]) <= 2
    assert account["Contacts"]["done"] is True
    assert account["ChildAccounts"] is None


def test_an_empty_lookup_and_an_empty_address_are_null(org):
    id_ = org.restorer.Contact.create({"LastName": "Alone"})["id"]
    (row,) = org.rows(
        soql("SELECT Account.Name, OtherAddress, Phone FROM Contact WHERE Id =", f"'{id_}'")
    )
    assert (row["Account"], row["OtherAddress"], row["Phone"]) == (None, None, None)


def test_lookups_to_many_objects_lead_to_a_name(org):
    org.act("create", "Lead", records=[{"fields": {
        "LastName": "Queued", "Company": "X",
        "OwnerId": org.one("Group")["Id"]}}])  # fmt: skip
    owners = org.rows("SELECT Owner.Name, Owner.Type FROM Lead")
    kinds = {row["Owner"]["Type"]: row["Owner"]["attributes"] for row in owners}
    assert set(kinds) == {"User", "Group"}
    assert kinds["Group"]["type"] == "Name"
    assert "/sobjects/Group/" in kinds["Group"]["url"]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("LastName = 'AXEL'", {"Axel"}),
        ("LastName != 'axel'", {"Born", "O'Hara", "100%"}),
        ("Title = null", {"Born", "O'Hara", "100%"}),
        ("Title != null", {"Axel"}),
        ("Title != 'Chef'", {"Born", "O'Hara", "100%"}),
        ("NOT Title = 'Chef'", {"Born", "O'Hara", "100%"}),
        ("Title NOT IN ('Chef')", {"Born", "O'Hara", "100%"}),
        ("LastName IN ('axel', 'born')", {"Axel", "Born"}),
        (r"LastName = 'O\'Hara'", {"O'Hara"}),
        ("LastName LIKE 'o%'", {"O'Hara"}),
        ("LastName LIKE '_xel'", {"Axel"}),
        (r"LastName LIKE '100\%'", {"100%"}),
        (r"LastName LIKE '1\%'", set()),
        ("LastName > 'b' AND LastName < 'p'", {"Born", "O'Hara"}),
        ("Interests__c INCLUDES ('Services')", {"Axel", "Born"}),
        ("Interests__c INCLUDES ('Hardware;Services', 'Training')", {"Axel"}),
        ("Interests__c EXCLUDES ('Services')", {"O'Hara", "100%"}),
        ("DoNotCall = true", {"Born"}),
        ("Birthdate < 1990-01-01", {"Axel"}),
        ("Birthdate = 1990-01-01 OR DoNotCall = true", {"Born", "O'Hara"}),
        ("(Birthdate = 1990-01-01 OR DoNotCall = true) AND LastName = 'born'", {"Born"}),
        ("CreatedDate = TODAY", {"Axel", "Born", "O'Hara", "100%"}),
        ("CreatedDate < LAST_N_DAYS:5", set()),
        ("CreatedDate >= 2020-01-01T00:00:00Z", {"Axel", "Born", "O'Hara", "100%"}),
        ("Account.Name = 'no such'", set()),
        ("AccountId IN (SELECT Id FROM Account)", set()),
        ("AccountId NOT IN (SELECT Id FROM Account)", {"Axel", "Born", "O'Hara", "100%"}),
    ],
)
def test_conditions(probed, where, kept):
    rows = probed.rows(
        soql("SELECT LastName FROM Contact WHERE Department = 'probe' AND (", where, ")")
    )
    assert {row["LastName"] for row in rows} == kept


def test_sorting_puts_nulls_first_unless_told(org):
    def titles(order):
        return [row["Title"] for row in org.rows(
            soql("SELECT Title FROM Contact WHERE Department = 's' ORDER BY Title", order)
        )]  # fmt: skip

    for title in ("b", None, "A"):
        org.restorer.Contact.create({"LastName": "S", "Department": "s", "Title": title})
    assert titles("") == [None, "A", "b"]
    assert titles("DESC") == [None, "b", "A"]
    assert titles("ASC NULLS LAST") == ["A", "b", None]


def test_counting_and_grouping(org):
    total = org.observer.query("SELECT COUNT() FROM Opportunity")
    assert total["records"] == []
    groups = org.rows(
        "SELECT StageName, COUNT(Id) n, SUM(Amount), MAX(CloseDate) latest FROM Opportunity"
        " GROUP BY StageName HAVING COUNT(Id) > 0 ORDER BY COUNT(Id) DESC"
    )
    assert sum(row["n"] for row in groups) == total["totalSize"]
    assert groups[0]["attributes"] == {"type": "AggregateResult"}
    assert {"StageName", "n", "expr0", "latest"} <= set(groups[0])
    assert [row["n"] for row in groups] == sorted((row["n"] for row in groups), reverse=True)


def test_fields_functions(org):
    every = set(org.one("Opportunity"))
    custom = set(org.rows("SELECT FIELDS(CUSTOM) FROM Opportunity LIMIT 1")[0])
    standard = set(org.rows("SELECT FIELDS(STANDARD) FROM Opportunity")[0])
    assert custom | standard == every
    assert custom & standard == {"attributes"}
    told = refusal(org, "SELECT FIELDS(ALL) FROM Opportunity LIMIT 201")
    assert told["errorCode"] == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Nope.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT (SELECT Id FROM Nopes) FROM Account", "INVALID_TYPE"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact ORDER BY Description", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE DoNotCall = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2020-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > '2020-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 5000-01-01T00:00:00Z", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Id = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT COUNT(), Id FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Name, COUNT(Id) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT MAX(MailingAddress) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT SUM(LastName) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Description, COUNT(Id) FROM Contact GROUP BY Description", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE COUNT(Id) > 1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Title IN (SELECT Id FROM Account)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE AccountId IN (SELECT Name FROM Account)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE LastName INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE Interests__c > 'x'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT toUpper(LastName) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM ContactHistory WHERE NewValue = 'x'", "INVALID_FIELD"),
    ],
)
def test_refused_statements(org, statement, code):
    assert refusal(org, statement)["errorCode"] == code


def test_messages_point_at_the_place(org):
    told = refusal(org, "select count() from XYZZY")
    assert "\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported." in told["message"]


def test_pages_of_two_thousand(large):
    first = large.observer.query("SELECT Id FROM Contact ORDER BY SystemModstamp, Id")
    assert (len(first["records"]), first["done"]) == (2000, False)
    assert first["nextRecordsUrl"].startswith("/services/data/v60.0/query/0r8")
    assert first["nextRecordsUrl"].endswith("-2000")
    everything = large.rows("SELECT Id, SystemModstamp FROM Contact ORDER BY SystemModstamp, Id")
    assert len(everything) == first["totalSize"]
    keys = [(row["SystemModstamp"], row["Id"]) for row in everything]
    assert keys == sorted(keys)
    assert len({stamp for stamp, _ in keys}) < len(keys) * 0.95  # ties, as imports leave them


def test_smaller_pages_when_asked_or_when_texts_are_long(large):
    def size(statement, **headers):
        return len(large.observer.query(statement, headers=headers)["records"])

    narrow = "SELECT Id, Description FROM Account"
    assert size(narrow, **{"Sforce-Query-Options": "batchSize=250"}) == 250
    assert size(narrow, **{"Sforce-Query-Options": "batchSize=10"}) == 200
    assert size("SELECT Id, Description FROM Contact") == 2000
    assert size("SELECT Id, Description, Renewal_Notes__c FROM Account") == 200


def test_a_cursor_belongs_to_its_session(large):
    more = large.observer.query("SELECT Id FROM Contact")["nextRecordsUrl"]
    assert large.raw("GET", more, role="observer").status_code == 200
    refused = large.raw("GET", more, role="restorer")
    assert refused.status_code == 400
    assert refused.json() == [
        {"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}
    ]


def test_the_eleventh_cursor_closes_the_oldest(large):
    opened = [
        large.observer.query("SELECT Id FROM Contact")["nextRecordsUrl"]
        for _ in range(OPEN_PER_USER + 1)
    ]
    statuses = [large.raw("GET", url, role="observer").status_code for url in opened]
    assert statuses == [400] + [200] * OPEN_PER_USER


def test_a_cursor_expires(org):
    org.act("create", "Lead", records=[
        {"fields": {"LastName": "L", "Company": "C"}} for _ in range(300)
    ])  # fmt: skip
    found = org.observer.query(
        "SELECT Id FROM Lead", headers={"Sforce-Query-Options": "batchSize=200"}
    )
    org.control.turn(2 * 86_400 + 1)
    assert org.raw("GET", found["nextRecordsUrl"], role="observer").status_code == 400


def test_rows_may_change_between_pages(org):
    made = org.act("create", "Lead", records=[
        {"fields": {"LastName": "L", "Company": "C"}} for _ in range(300)
    ])  # fmt: skip
    statement = "SELECT Id, Company FROM Lead WHERE Company = 'C'"
    found = org.observer.query(statement, headers={"Sforce-Query-Options": "batchSize=200"})
    org.act("delete", "Lead", ids=made[-1:])
    org.act("update", "Lead", ids=made[-2:-1], fields={"Company": "D"})
    rest = org.observer.query_more(found["nextRecordsUrl"], identifier_is_url=True)
    assert (rest["totalSize"], rest["done"], len(rest["records"])) == (300, True, 99)
    assert rest["records"][-1]["Company"] == "D"


def test_only_query_all_shows_the_recycle_bin(org):
    gone, _ = org.ids("Contact", 2)
    org.restorer.Contact.delete(gone)
    live = {row["Id"] for row in org.rows("SELECT Id FROM Contact")}
    every = {
        row["Id"]: row["IsDeleted"]
        for row in org.rows("SELECT Id, IsDeleted FROM Contact", deleted=True)
    }
    assert gone not in live
    assert every[gone] is True
    assert sum(every.values()) == 1
    assert org.rows("SELECT Id FROM Contact WHERE IsDeleted = true") == []


def test_a_long_uri_is_refused(org):
    ids = ",".join(["'003000000000000AAA'"] * 800)
    refused = org.raw(
        "GET", "/query", params={"q": soql("SELECT Id FROM Contact WHERE Id IN (", ids, ")")}
    )
    assert refused.status_code == 414


def test_the_first_contacts_all_have_phone_and_email(org):
    assert org.rows("SELECT Id FROM Contact WHERE Phone = null OR Email = null") == []
