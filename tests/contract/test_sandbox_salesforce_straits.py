import pytest
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceRefusedRequest

from support.salesforce_org import DATA

GRAPH = "/composite/graph"


def test_the_server_may_send_fewer_rows_than_a_page(org):
    org.act("shrink_pages", rows=2)
    first = org.observer.query("SELECT Id FROM Contact LIMIT 5")
    assert (first["totalSize"], first["done"], len(first["records"])) == (5, False, 2)
    org.act("shrink_pages", rows=1)
    second = org.observer.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert (second["done"], len(second["records"])) == (False, 1)
    org.act("shrink_pages", rows=0)
    last = org.observer.query_more(second["nextRecordsUrl"], identifier_is_url=True)
    assert (last["done"], len(last["records"]), "nextRecordsUrl" in last) == (True, 2, False)
    pages = [first, second, last]
    assert [row["Id"] for page in pages for row in page["records"]] == org.ids("Contact", 5)


def test_a_locator_nobody_told_is_refused(org):
    answer = org.raw("GET", "/query/0r85g0000000099AAA-2000")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


@pytest.mark.parametrize("status", [400, 500])
def test_a_query_can_take_too_long(org, status):
    org.act("query_timeout", times=2, status=status)
    for _ in range(2):
        answer = org.raw("GET", "/query", params={"q": "SELECT Id FROM Lead LIMIT 1"})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, "QUERY_TIMEOUT")
    assert len(org.ids("Lead", 1)) == 1


def test_headers_count_into_the_length(org):
    answer = org.raw("GET", "/limits", headers={"X-Long": "x" * 16_400})
    assert answer.status_code == 431


def test_too_many_long_requests_at_once(org):
    org.act("long_transactions", times=1)
    with pytest.raises(SalesforceRefusedRequest, match="ConcurrentPerOrgLongTxn"):
        org.observer.query("SELECT Id FROM Lead LIMIT 1")
    assert len(org.ids("Lead", 1)) == 1


def test_what_one_app_used_stands_in_the_header(org):
    org.act("quota", used=10, max=100)
    org.act("app_usage", app="crmtrail", used=17, max=250)
    told = org.raw("GET", "/limits").headers["Sforce-Limit-Info"]
    assert told == "api-usage=11/100; per-app-api-usage=17/250(appName=crmtrail)"


def test_jobs_count_as_calls(org):
    used = org.raw("GET", "/limits").headers["Sforce-Limit-Info"]
    again = org.raw("GET", "/jobs/query").headers["Sforce-Limit-Info"]
    counts = [int(text.removeprefix("api-usage=").split("/")[0]) for text in (used, again)]
    assert counts[1] == counts[0] + 1


def node(reference, method, path, body=None):
    made = {"referenceId": reference, "method": method, "url": DATA + path}
    return made if body is None else made | {"body": body}


def graphs(org, **named):
    listed = [{"graphId": id_, "compositeRequest": nodes} for id_, nodes in named.items()]
    return org.raw("POST", GRAPH, json={"graphs": listed})


def test_each_graph_is_whole_or_not_at_all(org):
    good = [
        node("acc", "POST", "/sobjects/Account", {"Name": "Graph"}),
        node("con", "POST", "/sobjects/Contact", {"LastName": "G", "AccountId": "@{acc.id}"}),
    ]
    bad = [
        node("one", "POST", "/sobjects/Account", {"Name": "Never"}),
        node("two", "POST", "/sobjects/Contact", {"FirstName": "Nameless"}),
    ]
    told = graphs(org, first=good, second=bad).json()["graphs"]
    assert [(item["graphId"], item["isSuccessful"]) for item in told] == [
        ("first", True), ("second", False),
    ]  # fmt: skip
    made = told[0]["graphResponse"]["compositeResponse"]
    assert [item["httpStatusCode"] for item in made] == [201, 201]
    assert org.truth("Contact", made[1]["body"]["id"])["AccountId"] == made[0]["body"]["id"]
    failed = told[1]["graphResponse"]["compositeResponse"]
    assert [item["body"][0]["errorCode"] for item in failed] == [
        "PROCESSING_HALTED", "REQUIRED_FIELD_MISSING",
    ]  # fmt: skip
    assert org.rows("SELECT Id FROM Account WHERE Name = 'Never'") == []


def test_limits_of_graphs(org):
    def nodes(count):
        return [node(f"r{number}", "GET", f"/sobjects/Account/{id_}") for number in range(count)]

    (id_,) = org.ids("Account", 1)
    full = graphs(org, a=nodes(300), b=nodes(200))
    assert [item["isSuccessful"] for item in full.json()["graphs"]] == [True, True]
    over = graphs(org, a=nodes(300), b=nodes(201))
    assert (over.status_code, over.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    query = graphs(org, a=[node("q", "GET", "/query?q=SELECT+Id+FROM+Lead")])
    assert (query.status_code, query.json()[0]["errorCode"]) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("name", ["Accept", "authorization", "Content-Type"])
def test_a_header_that_may_not_be_there_refuses_the_whole_composite(org, name):
    (id_,) = org.ids("Contact", 1)
    parts = [node("a", "PATCH", f"/sobjects/Contact/{id_}", {"Phone": "1"})]
    parts.append(node("b", "GET", "/sobjects/Contact/describe") | {"httpHeaders": {name: "x"}})
    with pytest.raises(SalesforceMalformedRequest):
        org.restorer.restful("composite", method="POST", json={"compositeRequest": parts})
    assert org.journal(id_) == []


def test_an_unchanged_describe_in_a_composite_has_no_body(org):
    future = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    parts = [
        node(f"d{number}", "GET", f"/sobjects/{name}/describe") | {"httpHeaders": future}
        for number, name in enumerate(["Contact", "Lead"])
    ]
    told = org.restorer.restful("composite", method="POST", json={"compositeRequest": parts})
    for item in told["compositeResponse"]:
        assert (item["httpStatusCode"], item["body"]) == (304, None)
        assert item["httpHeaders"]["ETag"]


def test_jobs_are_no_part_of_a_composite(org):
    told = org.restorer.restful(
        "composite", method="POST", json={"compositeRequest": [node("j", "GET", "/jobs/query")]}
    )
    assert told["compositeResponse"][0]["httpStatusCode"] == 404
