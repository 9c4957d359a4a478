import csv
import io

import pytest

from support.salesforce_org import soql

JOBS = "/jobs/query"


def start(org, statement, *, operation="query", role="observer", **more):
    return org.raw(
        "POST", JOBS, role=role, json={"operation": operation, "query": statement, **more}
    )


def opened(org, statement, **more):
    answer = start(org, statement, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def poll(org, job):
    return org.raw("GET", f"{JOBS}/{job}", role="observer").json()


def finished(org, statement, **more):
    job = opened(org, statement, **more)
    while poll(org, job)["state"] not in ("JobComplete", "Failed"):
        pass
    return job


def results(org, job, **params):
    return org.raw("GET", f"{JOBS}/{job}/results", role="observer", params=params)


def table(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_unmodified_client_reads_what_the_org_holds(org):
    texts = org.observer.bulk2.Contact.query(
        "SELECT Id, LastName, Account.Name FROM Contact", wait=0.01
    )
    found = [row for text in texts for row in table(text)]
    asked = org.rows("SELECT Id, LastName, Account.Name FROM Contact")
    expected = [
        {
            "Id": row["Id"],
            "LastName": row["LastName"],
            "Account.Name": row["Account"]["Name"] if row["Account"] else "",
        }
        for row in asked
    ]
    assert found == expected


def test_a_job_walks_through_its_states(org):
    org.act("bulk", polls=3)
    told = start(org, "SELECT Id FROM Lead").json()
    assert told["state"] == "UploadComplete"
    assert set(told) == {
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state",
        "concurrencyMode", "contentType", "apiVersion", "lineEnding", "columnDelimiter",
    }  # fmt: skip
    states = [poll(org, told["id"])["state"] for _ in range(5)]
    assert states == ["UploadComplete", "InProgress", "InProgress", "JobComplete", "JobComplete"]
    assert poll(org, told["id"])["numberRecordsProcessed"] == len(org.rows("SELECT Id FROM Lead"))


def test_rows_are_those_of_the_moment_the_job_runs(org):
    org.act("bulk", polls=3)
    (id_,) = org.ids("Contact", 1)
    job = opened(org, soql("SELECT Phone FROM Contact WHERE Id =", repr(id_)))
    org.act("update", "Contact", ids=[id_], fields={"Phone": "1"})
    assert [poll(org, job)["state"] for _ in range(2)] == ["UploadComplete", "InProgress"]
    org.act("update", "Contact", ids=[id_], fields={"Phone": "2"})
    while poll(org, job)["state"] != "JobComplete":
        pass
    assert results(org, job).text == '"Phone"\n"1"\n'


def test_pages_carry_a_header_each_and_a_locator_until_the_last(org):
    job = finished(org, "SELECT Id FROM Contact LIMIT 5")
    first = results(org, job, maxRecords=2)
    assert first.headers["Sforce-NumberOfRecords"] == "2"
    second = results(org, job, maxRecords=2, locator=first.headers["Sforce-Locator"])
    last = results(org, job, maxRecords=2, locator=second.headers["Sforce-Locator"])
    assert (last.headers["Sforce-Locator"], last.headers["Sforce-NumberOfRecords"]) == ("null", "1")
    pages = [first.text, second.text, last.text]
    assert [page.splitlines()[0] for page in pages] == ['"Id"'] * 3
    assert [row["Id"] for page in pages for row in table(page)] == org.ids("Contact", 5)
    again = results(org, job, maxRecords=2, locator=first.headers["Sforce-Locator"])
    assert again.text == second.text
    assert results(org, job, locator="bm8").status_code == 400


def test_values_are_quoted_texts(org):
    (id_,) = org.ids("Contact", 1)
    text = 'He said "N/A",\nthen null'
    fields = {"Description": text, "HasOptedOutOfEmail": True, "Phone": None}
    org.act("update", "Contact", ids=[id_], fields=fields)
    job = finished(
        org,
        soql(
            "SELECT Id, HasOptedOutOfEmail, Phone, SystemModstamp, Description FROM Contact",
            "WHERE Id =",
            repr(id_),
        ),
    )
    body = results(org, job).content.decode()
    stamp = org.truth("Contact", id_)["SystemModstamp"].replace("+0000", "Z")
    assert body == (
        '"Id","HasOptedOutOfEmail","Phone","SystemModstamp","Description"\n'
        f'"{id_}","true","","{stamp}","He said ""N/A"",\nthen null"\n'
    )


def test_other_delimiters_and_line_ends(org):
    job = finished(
        org, "SELECT Id, IsDeleted FROM Lead LIMIT 1", columnDelimiter="PIPE", lineEnding="CRLF"
    )
    (id_,) = org.ids("Lead", 1)
    assert results(org, job).content.decode() == f'"Id"|"IsDeleted"\r\n"{id_}"|"false"\r\n'


def test_only_query_all_shows_deleted_rows(org):
    (id_,) = org.ids("Lead", 1)
    org.act("delete", "Lead", ids=[id_])
    statement = soql("SELECT Id, IsDeleted FROM Lead WHERE Id =", repr(id_))
    assert table(results(org, finished(org, statement)).text) == []
    shown = finished(org, statement, operation="queryAll")
    assert table(results(org, shown).text) == [{"Id": id_, "IsDeleted": "true"}]


REFUSED = {
    "SELECT MailingAddress FROM Contact": "Selecting compound data not supported in Bulk Query",
    "SELECT Id, (SELECT Id FROM Contacts) FROM Account": "Aggregate Relationships not supported in"
    " Bulk Query",
    "SELECT COUNT() FROM Account": "Aggregate Relationships not supported in Bulk Query",
    "SELECT Id FROM Account OFFSET 3": "OFFSET not supported in Bulk Query",
    "SELECT Id FROM CaseStatus": "Entity 'CaseStatus' is not supported by the Bulk API.",
    "SELECT FIELDS(ALL) FROM Account LIMIT 10": "The SOQL FIELDS function is not supported with an"
    " unbounded set of fields in this API.",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_what_bulk_does_not_do(org, statement):
    answer = start(org, statement)
    assert (answer.status_code, answer.json()[0]["message"]) == (400, REFUSED[statement])


def test_refusals_can_come_late(org):
    org.act("bulk", late=True)
    job = finished(org, "SELECT MailingAddress FROM Contact")
    assert "compound data" in poll(org, job)["errorMessage"]


def test_objects_can_be_kept_out_of_bulk(org):
    org.act("bulk", unsupported=["Lead"])
    (told,) = start(org, "SELECT Id FROM Lead").json()
    assert told["errorCode"] == "INVALIDENTITY"
    assert told["message"].endswith("is not supported by the Bulk API.")


def test_a_job_can_fail_without_a_word(org):
    org.act("bulk", fail_query=1)
    told = poll(org, finished(org, "SELECT Id FROM Lead"))
    assert (told["state"], "errorMessage" in told) == ("Failed", False)
    assert results(org, told["id"]).status_code == 400
    assert poll(org, finished(org, "SELECT Id FROM Lead"))["state"] == "JobComplete"


def test_results_belong_to_an_api_version(org):
    job = finished(org, "SELECT Id FROM Lead")
    path = f"/services/data/v61.0{JOBS}/{job}/results"
    assert org.raw("GET", path, role="observer").status_code == 409


def test_a_job_ends_by_abort_deletion_or_age(org):
    org.act("bulk", polls=9)
    job = opened(org, "SELECT Id FROM Lead")
    early = org.raw("DELETE", f"{JOBS}/{job}", role="observer")
    assert (early.status_code, early.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert results(org, job).status_code == 400
    ended = org.raw("PATCH", f"{JOBS}/{job}", role="observer", json={"state": "Aborted"})
    assert ended.json()["state"] == "Aborted"
    assert org.raw("DELETE", f"{JOBS}/{job}", role="observer").status_code == 204
    assert org.raw("GET", f"{JOBS}/{job}", role="observer").status_code == 404
    org.act("bulk", polls=1)
    old = finished(org, "SELECT Id FROM Lead")
    listed = org.raw("GET", JOBS, role="observer").json()
    assert [item["id"] for item in listed["records"]] == [old]
    assert (listed["done"], listed["nextRecordsUrl"]) == (True, None)
    org.control.turn(7 * 86400 + 1)
    assert org.raw("GET", f"{JOBS}/{old}", role="observer").status_code == 404


def test_a_server_may_send_fewer_rows_than_asked_for(org):
    org.act("bulk", page_rows=3)
    answer = results(org, finished(org, "SELECT Id FROM Lead"), maxRecords=100)
    assert answer.headers["Sforce-NumberOfRecords"] == "3"
    assert answer.headers["Sforce-Locator"] == "Mw"


def test_query_jobs_are_counted(org):
    org.act("bulk", most_query_jobs=1)
    opened(org, "SELECT Id FROM Lead")
    told = org.raw("GET", "/limits").json()["DailyBulkV2QueryJobs"]
    assert told == {"Max": 1, "Remaining": 0}
    assert start(org, "SELECT Id FROM Lead").json()[0]["errorCode"] == "LIMIT_EXCEEDED"


def test_another_user_does_not_see_the_job(org):
    job = opened(org, "SELECT Id FROM Lead")
    assert org.raw("GET", f"{JOBS}/{job}", role="restorer").status_code == 404
