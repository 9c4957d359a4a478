import csv
import io

import pytest

from support.salesforce_org import soql

JOBS = "/jobs/ingest"


def opened(org, operation="update", object_="Contact", **more):
    order = {"object": object_, "operation": operation, **more}
    answer = org.raw("POST", JOBS, json=order)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def put(org, job, text, kind="text/csv; charset=UTF-8"):
    body = text.encode() if isinstance(text, str) else text
    return org.raw("PUT", f"{JOBS}/{job}/batches", data=body, headers={"Content-Type": kind})


def close(org, job, state="UploadComplete"):
    return org.raw("PATCH", f"{JOBS}/{job}", json={"state": state})


def poll(org, job):
    return org.raw("GET", f"{JOBS}/{job}").json()


def finished(org, job):
    while (told := poll(org, job))["state"] not in ("JobComplete", "Failed"):
        pass
    return told


def run(org, text, operation="update", object_="Contact", **more):
    job = opened(org, operation, object_, **more)
    assert put(org, job, text).status_code == 201
    assert close(org, job).json()["state"] == "UploadComplete"
    return finished(org, job)


def part(org, job, name):
    answer = org.raw("GET", f"{JOBS}/{job}/{name}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def test_the_unmodified_client_updates_records(org):
    ids = org.ids("Contact", 3)
    before = len(org.control.requests(crm="salesforce"))
    (told,) = org.restorer.bulk2.Contact.update(
        records=[{"Id": id_, "Phone": str(number)} for number, id_ in enumerate(ids)], wait=0.01
    )
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (3, 0)
    assert [org.truth("Contact", id_)["Phone"] for id_ in ids] == ["0", "1", "2"]
    (entry,) = org.journal(ids[0])
    assert entry["actor"]["name"] == "CRM Restorer"
    asked = org.control.requests(crm="salesforce", since=before)
    (patched,) = [item["seq"] for item in asked if item["method"] == "PATCH"]
    assert entry["request"] == patched
    (row, *_) = [
        row
        for row in csv.DictReader(
            io.StringIO(org.restorer.bulk2.Contact.get_successful_records(told["job_id"]))
        )
        if row["Id"] == ids[0]
    ]
    assert row == {"sf__Id": ids[0], "sf__Created": "false", "Id": ids[0], "Phone": "0"}


def test_a_job_is_told_in_the_vendors_words(org):
    org.act("bulk", polls=2)
    order = {"object": "contact", "operation": "update", "contentType": "CSV"}
    told = org.raw("POST", JOBS, json=order).json()
    job = told["id"]
    assert (told["state"], told["object"]) == ("Open", "Contact")
    assert told["contentUrl"] == f"services/data/v60.0/jobs/ingest/{job}/batches"
    (id_,) = org.ids("Contact", 1)
    put(org, job, f"Id,Phone\n{id_},7\n")
    close(org, job)
    states = [poll(org, job)["state"] for _ in range(3)]
    assert states == ["UploadComplete", "InProgress", "JobComplete"]
    assert org.raw("DELETE", f"{JOBS}/{job}").status_code == 204
    assert org.raw("GET", f"{JOBS}/{job}").status_code == 404


def test_empty_says_nothing_and_the_sign_for_null_clears(org):
    (id_,) = org.ids("Contact", 1)
    fields = {"Phone": "1", "Title": "Boss", "HasOptedOutOfEmail": False}
    org.act("update", "Contact", ids=[id_], fields=fields)
    text = f'Id,Phone,Title,HasOptedOutOfEmail,LastName\n{id_},#N/A,,TRUE," two\nlines "\n'
    assert run(org, text)["numberRecordsFailed"] == 0
    now = org.truth("Contact", id_)
    kept = {name: now[name] for name in ("Phone", "Title", "HasOptedOutOfEmail", "LastName")}
    assert kept == {
        "Phone": None, "Title": "Boss", "HasOptedOutOfEmail": True, "LastName": " two\nlines ",
    }  # fmt: skip


def test_rows_fail_one_by_one_while_the_job_completes(org):
    first, second, third, fourth = org.ids("Contact", 4)
    org.restorer.Contact.delete(third)
    org.act("lock", "Contact", ids=[fourth])
    text = (
        "Id,Email,LastName\n"
        f"{first},nonsense,\n{second},a@b.example,\n{third},a@b.example,\n{fourth},c@d.example,\n"
        f"{second},,#N/A\n"
    )
    told = run(org, text)
    assert told["state"] == "JobComplete"
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (5, 4)
    failed = part(org, told["id"], "failedResults")
    assert sorted(row["sf__Error"] for row in failed) == [
        "ENTITY_IS_DELETED:entity is deleted:--",
        "ENTITY_IS_LOCKED:the entity is locked for editing:--",
        "INVALID_EMAIL_ADDRESS:Email: invalid email address: nonsense:Email--",
        "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName--",
    ]
    (good,) = part(org, told["id"], "successfulResults")
    assert good["Id"] == second
    assert part(org, told["id"], "unprocessedrecords") == []
    assert part(org, told["id"], "unprocessedRecords") == []


def test_values_of_the_wrong_type_fail_their_row(org):
    (id_,) = org.ids("Opportunity", 1)
    lines = [f"{id_},lots,", f"{id_},,tomorrow", f"{id_},12.345,2026-01-31"]
    told = run(org, "Id,Amount,CloseDate\n" + "\n".join(lines), object_="Opportunity")
    assert told["numberRecordsFailed"] == 2
    codes = {row["sf__Error"].split(":")[0] for row in part(org, told["id"], "failedResults")}
    assert codes == {"INVALID_TYPE_ON_FIELD_IN_RECORD"}
    assert org.truth("Opportunity", id_)["CloseDate"] == "2026-01-31"


def test_rules_and_flows_hold_for_bulk_too(org):
    first, second = org.ids("Contact", 2)
    org.act("add_rule", "Contact", kind="validation", when="Phone = '0'", message="Ask first.")
    org.act("add_rule", "Contact", kind="flow", when="Phone = '1'", set={"Title": "Reached"})
    told = run(org, f"Id,Phone\n{first},0\n{second},1\n")
    (failed,) = part(org, told["id"], "failedResults")
    assert failed["sf__Error"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION:Ask first.:--"
    assert org.truth("Contact", second)["Title"] == "Reached"


def test_assignment_rules_run_only_if_the_job_names_one(org):
    org.act("add_rule", "Lead", kind="assignment", owner="Tom Okafor")
    text = "LastName,Company\nA,B\n"
    owners = []
    for more in ({}, {"assignmentRuleId": "01Q5g0000000001AAA"}):
        (made,) = part(org, run(org, text, "insert", "Lead", **more)["id"], "successfulResults")
        assert made["sf__Created"] == "true"
        owner = org.truth("Lead", made["sf__Id"])["OwnerId"]
        owners.append(org.rows(soql("SELECT Name FROM User WHERE Id =", repr(owner)))[0]["Name"])
    assert owners == ["CRM Restorer", "Tom Okafor"]


def test_upsert_creates_and_updates(org):
    key = {"externalIdFieldName": "External_Id__c"}
    for name, created in (("A", "true"), ("B", "false")):
        told = run(org, f"External_Id__c,Name\nx-1,{name}\n", "upsert", "Account", **key)
        (row,) = part(org, told["id"], "successfulResults")
        assert row["sf__Created"] == created
        assert org.truth("Account", row["sf__Id"])["Name"] == name


def test_a_parent_may_be_named_by_its_key(org):
    (account,) = org.ids("Account", 1)
    (contact, other) = org.ids("Contact", 2)
    org.act("update", "Account", ids=[account], fields={"External_Id__c": "x-7"})
    text = f"Id,Account.External_Id__c\n{contact},x-7\n{other},nobody\n"
    told = run(org, text)
    assert org.truth("Contact", contact)["AccountId"] == account
    (failed,) = part(org, told["id"], "failedResults")
    assert failed["sf__Error"].startswith("INVALID_FIELD:Foreign key external ID: nobody")


def test_delete_and_hard_delete(org):
    first, second = org.ids("Lead", 2)
    told = run(org, f"Id\n{first}\n{first}\n", "delete", "Lead")
    assert told["numberRecordsFailed"] == 1
    assert org.truth("Lead", first)["deleted"]
    barred = org.raw("POST", JOBS, json={"object": "Lead", "operation": "hardDelete"})
    assert (barred.status_code, barred.json()[0]["errorCode"]) == (400, "FEATURENOTENABLED")
    org.act("bulk", hard_delete=True)
    assert run(org, f"Id\n{second}\n", "hardDelete", "Lead")["numberRecordsFailed"] == 0
    assert org.rows(soql("SELECT Id FROM Lead WHERE Id =", repr(second)), deleted=True) == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Id,Nope__c\n{id},1\n", "InvalidBatch : Field name not found : Nope__c"),
        ('Id,Phone\n{id}, "1"\n', "ClientInputError : Failed to parse CSV at row 2"),
        ('Id,Phone\n{id},"1" \n', "ClientInputError : Failed to parse CSV at row 2"),
        ("Id,Phone\r\n{id},1\r\n", "ClientInputError : LineEnding is invalid on user data."),
        ("Id,Phone\n{id}\n", "ClientInputError : row 2 has 1 columns, the header has 2"),
        ("Id,Id\n{id},{id}\n", "InvalidBatch : Field name is given twice : Id"),
    ],
)
def test_a_mistake_in_form_fails_the_job(org, text, error):
    (id_,) = org.ids("Contact", 1)
    told = run(org, text.format(id=id_))
    assert told["state"] == "Failed"
    assert told["errorMessage"].startswith(error)
    assert org.journal(id_) == []
    assert part(org, told["id"], "successfulResults") == []


def test_a_job_fails_half_way_with_rows_already_written(org):
    ids = org.ids("Contact", 5)
    org.act("bulk", fail_ingest_after=2)
    told = run(org, "Id,Phone\n" + "".join(f"{id_},42\n" for id_ in ids))
    assert (told["state"], told["numberRecordsProcessed"]) == ("Failed", 2)
    written = {row["sf__Id"] for row in part(org, told["id"], "successfulResults")}
    assert written == set(ids[:2])
    left = {row["Id"] for row in part(org, told["id"], "unprocessedrecords")}
    assert left == set(ids[2:])
    touched = [org.truth("Contact", id_)["Phone"] == "42" for id_ in ids]
    assert touched == [True, True, False, False, False]


def test_an_aborted_job_leaves_rows_unprocessed(org):
    org.act("bulk", polls=5)
    ids = org.ids("Contact", 4)
    job = opened(org)
    put(org, job, "Id,Phone\n" + "".join(f"{id_},42\n" for id_ in ids))
    close(org, job)
    assert [poll(org, job)["state"] for _ in range(2)] == ["UploadComplete", "InProgress"]
    assert close(org, job, "Aborted").json()["state"] == "Aborted"
    assert len(part(org, job, "successfulResults")) == 2
    assert len(part(org, job, "unprocessedrecords")) == 2
    assert close(org, job, "Aborted").status_code == 400


def test_what_an_upload_is_refused_for(org):
    job = opened(org)
    assert put(org, job, "Id\n", kind="application/json").status_code == 415
    assert close(org, job).json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert put(org, job, b"Id\n\xff\n").json()[0]["errorCode"] == "INVALIDBATCH"
    org.act("bulk", most_upload=10)
    large = put(org, job, "Id,Phone\n" + "x" * 10)
    assert large.json()[0]["errorCode"] == "EXCEEDED_MAX_SIZE_REQUEST"
    assert put(org, job, "Id\n").status_code == 201
    assert "multiple contents" in put(org, job, "Id\n").json()[0]["message"]
    assert org.raw("GET", f"{JOBS}/{job}/failedResults").status_code == 400


def test_batches_are_counted(org):
    org.act("bulk", most_batches=1)
    run(org, "LastName,Company\nA,B\n", "insert", "Lead")
    assert org.raw("GET", "/limits").json()["DailyBulkApiBatches"] == {"Max": 1, "Remaining": 0}
    refused = org.raw("POST", JOBS, json={"object": "Lead", "operation": "insert"})
    assert refused.json()[0]["errorCode"] == "LIMIT_EXCEEDED"


def test_siblings_in_several_batches_lock_one_another(org):
    org.act("bulk", contend=True, batch_rows=2)
    account = org.one("Account", "Id IN (SELECT AccountId FROM Contact)")["Id"]
    ids = org.ids("Contact", 4)
    org.act("update", "Contact", ids=ids, fields={"AccountId": account, "ReportsToId": None})
    told = run(org, "Id,Phone\n" + "".join(f"{id_},5\n" for id_ in ids))
    failed = part(org, told["id"], "failedResults")
    assert {row["Id"] for row in failed} == set(ids[2:])
    assert all(row["sf__Error"].startswith("UNABLE_TO_LOCK_ROW:") for row in failed)


def test_a_job_nobody_polls_is_carried_out_in_time(org):
    (id_,) = org.ids("Contact", 1)
    job = opened(org)
    put(org, job, f"Id,Phone\n{id_},77\n")
    close(org, job)
    assert org.truth("Contact", id_)["Phone"] != "77"
    org.control.turn(301)
    assert org.truth("Contact", id_)["Phone"] == "77"


def test_the_order_of_results_is_not_that_of_the_rows(org):
    ids = org.ids("Contact", 20)
    told = run(org, "Id,Phone\n" + "".join(f"{id_},5\n" for id_ in ids))
    found = [row["Id"] for row in part(org, told["id"], "successfulResults")]
    assert (sorted(found), found != ids) == (sorted(ids), True)


def test_the_observers_rows_are_refused(org):
    (id_,) = org.ids("Contact", 1)
    (told,) = org.observer.bulk2.Contact.update(records=[{"Id": id_, "Phone": "1"}], wait=0.01)
    assert told["numberRecordsFailed"] == 1
    assert org.journal(id_) == []
