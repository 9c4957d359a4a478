"""Bulk query jobs against scripted answers: what is asked, and what becomes of odd answers."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connectors.salesforce.bulk_query import ASKED, ROWS, Jobs, Place, State
from connectors.salesforce.client import Client
from connectors.salesforce.schema import Describe, DescribedField, Known, know
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import BudgetSpent, Unavailable
from support.scripted_http import Scripted, ScriptedServer

JOB = "750000000000001AAA"
AFTER = "001000000000001AAA"
TYPES = {"Id": "id", "Name": "string", "Amount": "currency", "IsDeleted": "boolean"}


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 10, tzinfo=UTC)


def account(*names: str) -> Known:
    fields = [DescribedField(name=name, type=TYPES[name]) for name in names or TYPES]
    return know("sf", Describe(fields=fields, name="Account"))


def refusal(code: str, status: int = 400) -> Scripted:
    return Scripted(status, [{"errorCode": code, "message": "words"}])


def page(body: str, **headers: str) -> Scripted:
    return Scripted(
        content=body.encode(),
        headers={"Content-Type": "text/csv"}
        | {f"Sforce-{name}": value for name, value in headers.items()},
    )


@contextmanager
def jobs(*script: Scripted) -> Iterator[tuple[ScriptedServer, Jobs]]:
    with ScriptedServer(*script) as server:
        auth = AuthConfig(token=SecretStr("00Dtoken"))
        settings = SourceConfig(kind="salesforce", base_url=server.url, auth=auth)
        with (
            closing(Client("sf", settings, "00Dtoken", "62.0", Clock())) as client,
            closing(Jobs(client)) as made,
        ):
            yield server, made


def test_a_job_asks_for_the_bin_too_where_the_object_has_one() -> None:
    made = Scripted(content={"id": JOB, "state": "UploadComplete", "apiVersion": 62.0})
    with jobs(made, made) as (server, all_jobs):
        assert all_jobs.make(account(), ("Id", "Name"), AFTER) == JOB
        assert all_jobs.make(account("Id", "Name"), ("Id", "Name"), "") == JOB
        orders = [json.loads(asked.body) for asked in server.asked]
        assert server.asked[0].target == "/services/data/v62.0/jobs/query"
    assert [order["operation"] for order in orders] == ["queryAll", "query"]
    assert orders[0]["query"].startswith("SELECT Id,Name FROM Account WHERE ")
    assert orders[0]["query"].endswith(f" WHERE Id > '{AFTER}' ORDER BY Id")
    assert (orders[0]["columnDelimiter"], orders[0]["lineEnding"]) == ("COMMA", "LF")


@pytest.mark.parametrize(
    "answer",
    [
        refusal("INVALIDENTITY"),
        refusal("API_ERROR"),
        refusal("FUNCTIONALITY_NOT_ENABLED", 403),
        refusal("LIMIT_EXCEEDED"),
        refusal("NOT_FOUND", 404),
        refusal("API_DISABLED_FOR_ORG", 403),
    ],
)
def test_where_bulk_does_not_serve_there_is_no_job(answer: Scripted) -> None:
    with jobs(answer) as (_, all_jobs):
        assert all_jobs.make(account(), ("Id",), "") is None


def test_a_spent_quota_is_no_reason_to_go_on_without_bulk() -> None:
    spent = refusal("REQUEST_LIMIT_EXCEEDED", 403)
    with jobs(spent) as (_, all_jobs), pytest.raises(BudgetSpent):
        all_jobs.make(account(), ("Id",), "")


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("UploadComplete", State.WAITING),
        ("InProgress", State.WAITING),
        ("JobComplete", State.DONE),
        ("Failed", State.FAILED),
        ("Aborted", State.FAILED),
    ],
)
def test_the_states_of_a_job(told: str, state: State) -> None:
    with jobs(Scripted(content={"id": JOB, "state": told})) as (_, all_jobs):
        assert all_jobs.look(JOB) is state


def test_a_job_that_is_gone_has_failed() -> None:
    with jobs(refusal("NOT_FOUND", 404)) as (_, all_jobs):
        assert all_jobs.look(JOB) is State.FAILED


def test_pages_are_followed_by_their_locators() -> None:
    first = page("Id,Amount\n1,1.10\n2,\n", Locator="MTAwMDA", NumberOfRecords="2")
    last = page("Id,Amount\n3,NA\n", Locator="null", NumberOfRecords="1")
    with jobs(first, last) as (server, all_jobs):
        one = all_jobs.results(account(), JOB, Place())
        assert one is not None
        assert one.following == Place("MTAwMDA")
        two = all_jobs.results(account(), JOB, one.following)
        targets = [asked.target.partition(JOB)[2] for asked in server.asked]
    assert two is not None
    assert [bytes(row["Amount"]) for row in (*one.rows, *two.rows)] == [b"1.10", b"null", b'"NA"']
    assert two.following is None
    assert targets == [
        f"/results?maxRecords={ASKED}",
        f"/results?maxRecords={ASKED}&locator=MTAwMDA",
    ]
    assert server.asked[0].headers["accept"] == "text/csv"


def test_a_last_page_may_leave_its_headers_out() -> None:
    with jobs(page("Id\n1\n")) as (_, all_jobs):
        found = all_jobs.results(account(), JOB, Place())
    assert found is not None
    assert (len(found.rows), found.following) == (1, None)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ('Id,Name\n1,"broken off', ""),
        ('Id,Name\n1,"a"b\n', ""),
        ("Id,Name\n1\n", ""),
        ("Id,Name\n1,a,b\n", ""),
        ("Id,Name\n1,a\n", "2"),
        ("Id,Name\n1,a\n2,b\n", "1"),
        ("", "3"),
    ],
)
def test_missing_rows_and_what_is_no_csv_are_not_believed(body: str, count: str) -> None:
    answer = page(body, **({"NumberOfRecords": count} if count else {}))
    with jobs(answer) as (_, all_jobs), pytest.raises(Unavailable):
        all_jobs.results(account(), JOB, Place())


def test_a_body_cut_off_is_not_believed() -> None:
    cut = Scripted(content=b"Id\n1\n2\n", cut=3)
    with jobs(cut) as (_, all_jobs), pytest.raises(Unavailable):
        all_jobs.results(account(), JOB, Place())


MANY = "Id,Name\n" + "".join(f'{no},"a\n{no}"\n' for no in range(2 * ROWS))


def test_one_answer_is_read_in_parts() -> None:
    answer = page(MANY, Locator="MTAwMDA", NumberOfRecords=str(2 * ROWS))
    with jobs(answer) as (server, all_jobs):
        place: Place | None = Place()
        parts, ahead = [], set()
        while place is not None and not place.locator:
            found = all_jobs.results(account(), JOB, place)
            assert found is not None
            parts.append([bytes(row["Id"]).decode() for row in found.rows])
            ahead.add(tuple(found.ahead.ids))
            place = found.following
        assert len(server.asked) == 1
    assert place == Place("MTAwMDA")
    assert [len(part) for part in parts] == [ROWS, ROWS]
    assert ahead == {tuple(str(no) for no in range(2 * ROWS))}
    assert [id_ for part in parts for id_ in part] == [f'"{no}"' for no in range(2 * ROWS)]


def test_a_new_process_goes_on_within_an_answer() -> None:
    answer = page(MANY, NumberOfRecords=str(2 * ROWS))
    with jobs(answer) as (_, all_jobs):
        found = all_jobs.results(account(), JOB, Place())
    assert found is not None
    assert found.following is not None
    with jobs(answer) as (_, all_jobs):
        rest = all_jobs.results(account(), JOB, found.following)
        assert rest is not None
    assert [bytes(row["Id"]).decode() for row in rest.rows] == [
        f'"{no}"' for no in range(ROWS, 2 * ROWS)
    ]
    assert rest.following is None


def test_an_answer_that_broke_off_in_the_middle_is_asked_for_again() -> None:
    body = MANY.encode()
    cut = Scripted(content=body, cut=len(body) - 100)
    with jobs(cut, page(MANY)) as (server, all_jobs):
        with pytest.raises(Unavailable):
            all_jobs.results(account(), JOB, Place())
        found = all_jobs.results(account(), JOB, Place())
        assert found is not None
        assert len(found.rows) == ROWS
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        refusal("NOT_FOUND", 404),
        refusal("INVALID_QUERY_LOCATOR"),
        refusal("VERSION_CONFLICT", 409),
    ],
)
def test_results_that_can_no_longer_be_had_are_none(answer: Scripted) -> None:
    with jobs(answer) as (_, all_jobs):
        assert all_jobs.results(account(), JOB, Place("MTAwMDA")) is None


def test_throwing_a_job_away_never_fails() -> None:
    answers = (Scripted(204, b""), refusal("NOT_FOUND", 404), Scripted(503, b"<html>"))
    with jobs(*answers) as (server, all_jobs):
        for _ in answers:
            all_jobs.drop(JOB)
        assert [asked.method for asked in server.asked] == ["DELETE"] * 3
