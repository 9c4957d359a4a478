import pytest

BATCH = "/composite/sobjects"


def records(ids, object_="Contact", **fields):
    return [{"attributes": {"type": object_}, "id": id_, **fields} for id_ in ids]


def patch(org, listed, *, together=False):
    answer = org.raw("PATCH", BATCH, json={"allOrNone": together, "records": listed})
    assert answer.status_code == 200
    return answer.json()


def test_rows_fail_one_by_one_and_keep_their_order(org):
    first, second, third = org.ids("Contact", 3)
    org.restorer.Contact.delete(third)
    listed = records([first], Email="bad") + records([second, third, "junk"], Phone=None)
    listed += [{"attributes": {"type": "Contact"}, "Phone": None}]
    told = patch(org, listed)
    assert [item["success"] for item in told] == [False, True, False, False, False]
    assert told[1] == {"id": second, "success": True, "errors": []}
    codes = [item["errors"][0]["statusCode"] for item in told if not item["success"]]
    assert codes == [
        "INVALID_EMAIL_ADDRESS", "ENTITY_IS_DELETED", "MALFORMED_ID", "MISSING_ARGUMENT",
    ]  # fmt: skip
    assert "id" not in told[0]
    assert org.truth("Contact", second)["Phone"] is None


def test_all_or_none(org):
    good, bad = org.ids("Contact", 2)
    before = org.truth("Contact", good)
    told = patch(org, records([good], Phone="1") + records([bad], Email="x"), together=True)
    assert told[0]["errors"] == [
        {
            "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            "message": "Record rolled back because not all records were valid and the request was"
            " using AllOrNone header",
            "fields": [],
        }
    ]
    assert told[1]["errors"][0]["statusCode"] == "INVALID_EMAIL_ADDRESS"
    assert org.truth("Contact", good) == before
    assert org.journal(good) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [({"Nope__c": 1}, "INVALID_FIELD"), ({"Phone": 5}, "JSON_PARSER_ERROR")],
)
def test_what_cannot_be_parsed_fails_the_whole_request(org, change, code):
    good, bad = org.ids("Contact", 2)
    listed = records([good], Phone="1") + records([bad], **change)
    answer = org.raw("PATCH", BATCH, json={"records": listed})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert org.journal(good) == []


def test_limits_of_a_collection(org):
    (id_,) = org.ids("Contact", 1)
    many = org.raw("PATCH", BATCH, json={"records": records([id_] * 201, Phone="1")})
    assert (many.status_code, many.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    (account,) = org.ids("Account", 1)
    turns = [records([id_], Phone="1")[0], records([account], "Account", Phone="1")[0]]
    chunks = org.raw("PATCH", BATCH, json={"records": turns * 5 + turns[:1]})
    assert (chunks.status_code, chunks.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert all(item["success"] for item in patch(org, turns * 5))


def test_creating_and_deleting_many(org):
    listed = [{"attributes": {"type": "Lead"}, "LastName": "L", "Company": "C"}] * 200
    made = org.raw("POST", BATCH, json={"records": listed}).json()
    ids = [item["id"] for item in made]
    assert len(set(ids)) == 200
    gone = org.raw("DELETE", BATCH, params={"ids": ",".join(ids[:2]), "allOrNone": "false"}).json()
    assert [item["success"] for item in gone] == [True, True]
    again = org.raw("DELETE", BATCH, params={"ids": ids[0]}).json()
    assert again[0]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"
    assert org.truth("Lead", ids[0])["deleted"] is True
    assert org.truth("Lead", ids[2])["deleted"] is False


def test_retrieving_many_keeps_the_order_and_gives_null_for_what_is_gone(org):
    first, second, third = org.ids("Contact", 3)
    org.restorer.Contact.delete(second)
    asked = {"ids": [third, second, first, "003000000000000AAA"], "fields": ["Id", "Phone"]}
    told = org.raw("POST", f"{BATCH}/Contact", json=asked).json()
    assert [item and item["Id"] for item in told] == [third, None, first, None]
    assert set(told[0]) == {"attributes", "Id", "Phone"}
    by_get = org.raw("GET", f"{BATCH}/Contact", params={"ids": f"{first},{third}", "fields": "Id"})
    assert [item["Id"] for item in by_get.json()] == [first, third]
    unknown = org.raw("POST", f"{BATCH}/Contact", json=asked | {"fields": ["Nope"]})
    assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    many = org.raw("POST", f"{BATCH}/Contact", json=asked | {"ids": [first] * 2001})
    assert many.status_code == 400


def test_every_second_row_can_be_refused(org):
    ids = org.ids("Contact", 6)
    org.control.fault("half_batch", crm="salesforce", method="PATCH", path="composite/sobjects")
    told = patch(org, records(ids, Phone="1"))
    assert [item["success"] for item in told] == [True, False] * 3
    assert told[1]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert all(item["success"] for item in patch(org, records(ids, Phone="1")))


def composite(org, *parts, **options):
    listed = [
        {"referenceId": f"r{number}", **part, "url": f"/services/data/v60.0{part['url']}"}
        for number, part in enumerate(parts)
    ]
    return org.raw("POST", "/composite", json={"compositeRequest": listed, **options})


def test_composite_uses_earlier_answers(org):
    answer = composite(
        org,
        {"method": "POST", "url": "/sobjects/Account", "body": {"Name": "Composed"}},
        {"method": "POST", "url": "/sobjects/Contact",
         "body": {"LastName": "C", "AccountId": "@{r0.id}"}},
        {"method": "GET", "url": "/sobjects/Contact/@{r1.id}?fields=Account.Name"},
        {"method": "GET", "url": "/query?q=SELECT+Id+FROM+Contact+WHERE+Id='@{r1.id}'"},
    )  # fmt: skip
    told = answer.json()["compositeResponse"]
    assert [item["httpStatusCode"] for item in told] == [201, 201, 200, 200]
    assert told[2]["body"]["Account"]["Name"] == "Composed"
    assert told[3]["body"]["totalSize"] == 1
    assert told[0]["httpHeaders"]["Location"].endswith(told[0]["body"]["id"])


def test_composite_all_or_none_compares_and_sets(org):
    first, second = org.ids("Contact", 2)
    seen = {
        id_: org.raw("GET", f"/sobjects/Contact/{id_}").headers["Last-Modified"]
        for id_ in (first, second)
    }
    org.act("update", "Contact", ids=[second], fields={"Title": "theirs"})
    parts = [
        {"method": "PATCH", "url": f"/sobjects/Contact/{id_}", "body": {"Title": "ours"},
         "httpHeaders": {"If-Unmodified-Since": seen[id_]}}
        for id_ in (first, second)
    ]  # fmt: skip
    told = composite(org, *parts, allOrNone=True).json()["compositeResponse"]
    assert [item["httpStatusCode"] for item in told] == [400, 412]
    assert told[0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert org.journal(first) == []
    apart = composite(org, *parts, allOrNone=False).json()["compositeResponse"]
    assert [item["httpStatusCode"] for item in apart] == [204, 412]
    assert apart[0]["body"] is None
    assert org.truth("Contact", first)["Title"] == "ours"


def test_composite_limits(org):
    one = {"method": "GET", "url": "/limits"}
    assert composite(org, *[one] * 25).status_code == 200
    assert composite(org, *[one] * 26).status_code == 400
    query = {"method": "GET", "url": "/query?q=SELECT+Id+FROM+Profile"}
    assert composite(org, *[query] * 5).status_code == 200
    assert composite(org, *[query] * 6).status_code == 400
    barred = one | {"httpHeaders": {"Authorization": "Bearer x"}}
    assert composite(org, barred).status_code == 400
    assert composite(org, one | {"referenceId": "no-dash"}).status_code == 400
    lost = composite(org, {"method": "GET", "url": "/sobjects/Contact/@{r9.id}"}).json()
    assert lost["compositeResponse"][0]["httpStatusCode"] == 400


def test_composite_costs_one_call_and_answers_304(org):
    described = org.raw("GET", "/sobjects/Lead/describe")
    used = int(described.headers["Sforce-Limit-Info"].split("=")[1].split("/")[0])
    part = {"method": "GET", "url": "/sobjects/Lead/describe",
            "httpHeaders": {"If-Modified-Since": described.headers["Last-Modified"]}}  # fmt: skip
    answer = composite(org, part, part)
    told = answer.json()["compositeResponse"][0]
    assert (told["httpStatusCode"], told["body"]) == (304, None)
    assert told["httpHeaders"]["ETag"] == described.headers["ETag"]
    assert f"api-usage={used + 1}/" in answer.headers["Sforce-Limit-Info"]


def test_batch_runs_each_part_for_itself(org):
    parts = [
        {"method": "GET", "url": "v60.0/limits"},
        {"method": "GET", "url": "v60.0/sobjects/Nope/describe"},
        {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"Name": "B"}},
    ]
    told = org.raw("POST", "/composite/batch", json={"batchRequests": parts}).json()
    assert told["hasErrors"] is True
    assert [item["statusCode"] for item in told["results"]] == [200, 404, 201]
    halted = org.raw(
        "POST", "/composite/batch", json={"batchRequests": parts[1:], "haltOnError": True}
    )
    assert len(halted.json()["results"]) == 1
