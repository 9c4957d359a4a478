"""Event log files and the event objects of real-time monitoring."""

import csv
import io

import pytest

from support.salesforce_org import soql


def refused(org, statement):
    answer = org.raw("GET", "/query", params={"q": statement})
    assert answer.status_code == 400, answer.text
    return answer.json()[0]["errorCode"]


def test_a_log_file_is_a_csv_behind_a_relative_url(org):
    (contact,) = org.ids("Contact", 1)
    (made,) = org.act("log_event", type="URI", rows=[{"user": "Maya Lindholm", "record": contact}])
    (row,) = org.rows(soql("SELECT FIELDS(ALL) FROM EventLogFile", f"WHERE Id = '{made}' LIMIT 1"))
    assert row["LogFile"] == f"/services/data/v60.0/sobjects/EventLogFile/{made}/LogFile"
    answer = org.raw("GET", row["LogFile"])
    assert answer.headers["Content-Type"] == "text/csv"
    assert len(answer.content) == row["LogFileLength"]
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert list(line) == row["LogFileFieldNames"].split(",")
    assert answer.text.startswith('"EVENT_TYPE","TIMESTAMP"')
    assert len(line["USER_ID"]) == len(line["ORGANIZATION_ID"]) == 15
    assert line["USER_ID_DERIVED"].startswith(line["USER_ID"])
    assert len(line["USER_ID_DERIVED"]) == 18
    assert line["URI_ID_DERIVED"] == contact


def test_late_events_come_in_a_further_file_of_the_same_hour(org):
    for _ in range(2):
        org.act("log_event", type="Login", rows=[{"user": "Tom Okafor"}], interval="Hourly")
    org.act("log_event", type="Login", rows=[{"user": "Tom Okafor"}], interval="Daily")
    rows = org.rows(
        "SELECT Interval, Sequence, LogDate FROM EventLogFile WHERE CreatedDate = TODAY"
        " AND EventType = 'Login' ORDER BY CreatedDate, Id"
    )
    told = [(row["Interval"], row["Sequence"]) for row in rows]
    assert told == [("Hourly", 1), ("Hourly", 2), ("Daily", 0)]
    assert rows[2]["LogDate"].endswith("T00:00:00.000+0000")


def test_a_log_file_can_be_deleted(org):
    (made,) = org.act("log_event", type="LoginAs", rows=[{"user": "Tom Okafor"}])
    assert org.raw("DELETE", f"/sobjects/EventLogFile/{made}").status_code == 204
    assert org.raw("GET", f"/sobjects/EventLogFile/{made}/LogFile").status_code == 404


def test_files_are_not_fetched_within_a_composite(org):
    (made,) = org.act("log_event", type="API", rows=[{"user": "Tom Okafor"}])
    url = f"/services/data/v60.0/sobjects/EventLogFile/{made}/LogFile"
    body = {"compositeRequest": [{"method": "GET", "url": url, "referenceId": "one"}]}
    (part,) = org.raw("POST", "/composite", json=body).json()["compositeResponse"]
    assert part["httpStatusCode"] == 400


def test_events_share_an_id_and_bear_milliseconds(org):
    org.control.freeze("2026-12-01T10:00:00.250+00:00")
    named = [
        org.act("event", "ReportEvent", user="Ines Castro", fields={"RowsProcessed": 500})[0]
        for _ in range(2)
    ]
    rows = org.rows("SELECT Id, EventIdentifier, EventDate, RowsProcessed FROM ReportEvent")
    assert {row["Id"] for row in rows} == {"000000000000000AAA"}
    assert sorted(row["EventIdentifier"] for row in rows) == sorted(named)
    assert {row["EventDate"] for row in rows} == {"2026-12-01T10:00:00.250+0000"}
    later = "SELECT EventIdentifier FROM ReportEvent WHERE EventDate > 2026-12-01T10:00:00.{}Z"
    assert len(org.rows(later.format("249"))) == 2
    assert org.rows(later.format("250")) == []


@pytest.mark.parametrize(
    "rest",
    [
        "WHERE UserId != null", "WHERE EventDate > 2026-01-01T00:00:00Z OR EventDate = null",
        "ORDER BY EventDate ASC", "ORDER BY EventDate", "ORDER BY EventIdentifier DESC",
        "WHERE NOT (EventDate > 2026-01-01T00:00:00Z)", "LIMIT 5 OFFSET 5",
    ],
)  # fmt: skip
def test_events_answer_few_queries(org, rest):
    assert refused(org, soql("SELECT EventIdentifier FROM LoginEvent", rest)) in (
        "MALFORMED_QUERY", "INVALID_FIELD",
    )  # fmt: skip


def test_events_answer_a_window_newest_first(org):
    for _ in range(2):
        org.act("login", user="Maya Lindholm", country="US")
    rows = org.rows(
        "SELECT EventIdentifier, EventDate, Country, LoginHistoryId FROM LoginEvent"
        " WHERE EventDate > 2026-01-01T00:00:00Z AND EventDate <= 2027-12-01T00:00:00.000Z"
        " ORDER BY EventDate DESC"
    )
    assert len(rows) == 2
    assert rows[0]["EventDate"] >= rows[1]["EventDate"]
    assert rows[0]["LoginHistoryId"].startswith("0Ya")
    assert refused(org, "SELECT COUNT() FROM LoginEvent") == "MALFORMED_QUERY"


def test_a_grant_is_an_event_as_well(org):
    org.act("grant", user="Jonas Weber", permission_set="Data_Steward")
    (row,) = org.rows("SELECT Operation, ImpactedUserIds FROM PermissionSetEventStore")
    assert row["Operation"] == "AssignedUserToPermissionSet"


def test_a_daily_file_tells_what_the_hourly_ones_did_and_missed(org):
    def day(hour):
        return f"2026-11-20T{hour:02}:15:00+00:00"

    for hour in (3, 4, 4):
        org.act("log_event", type="URI", at=day(hour), rows=[{"user": "Tom Okafor"}])
    org.act("log_event", type="URI", at="2026-11-21T00:00:00+00:00", rows=[{"user": "Ines Castro"}])
    (made,) = org.act("log_day", type="URI", at=day(9), rows=[{"user": "Maya Lindholm"}])
    (row,) = org.rows(
        soql("SELECT Interval, Sequence, LogDate FROM EventLogFile WHERE Id =", f"'{made}'")
    )
    assert (row["Interval"], row["Sequence"]) == ("Daily", 0)
    assert row["LogDate"] == "2026-11-20T00:00:00.000+0000"
    lines = list(
        csv.DictReader(io.StringIO(org.raw("GET", f"/sobjects/EventLogFile/{made}/LogFile").text))
    )
    hourly = org.rows(
        "SELECT Id FROM EventLogFile WHERE EventType = 'URI' AND Interval = 'Hourly'"
        " AND LogDate >= 2026-11-20T00:00:00Z AND LogDate < 2026-11-21T00:00:00Z"
    )
    told = [
        line
        for one in hourly
        for line in csv.DictReader(
            io.StringIO(org.raw("GET", f"/sobjects/EventLogFile/{one['Id']}/LogFile").text)
        )
    ]
    assert [line for line in lines if line in told] == lines[:3]
    assert len(lines) == 4
