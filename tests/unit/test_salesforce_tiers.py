"""The ways of writing against scripted answers: refused headers, young stamps, lost words."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.salesforce.client import Client
from connectors.salesforce.composite import Guarded
from connectors.salesforce.ingest import Ingest, Pace
from connectors.salesforce.schema import Describe, DescribedField, Known, know
from connectors.salesforce.undeleting import remove, undelete
from connectors.salesforce.writer import Writer
from connectors.salesforce.writing import update
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import Ambiguous, PersonNeeded, Throttled, Unavailable
from crmtrail.model import Ref, Verdict, Write
from support.scripted_http import Asked, Scripted, ScriptedServer

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)  # the Date of every scripted answer
OLD = datetime(2026, 11, 24, 9, tzinfo=UTC)
ONE, TWO = "001000000000001AAA", "001000000000002AAA"
PARENT = ("001000000000008AAA", "001000000000009AAA")
OPEN = {"id": "750000000000001AAA", "state": "Open"}
FIELDS = (
    DescribedField("Id", type="id"),
    DescribedField("Name"),
    DescribedField("Amount__c", type="currency"),
    DescribedField("OwnerId", type="reference", reference_to=["User"], nillable=False),
    DescribedField("ParentId", type="reference", reference_to=["Account"]),
    DescribedField("SystemModstamp", type="datetime"),
    DescribedField("LastModifiedDate", type="datetime"),
    DescribedField("LastModifiedById", type="reference", reference_to=["User"]),
)
KNOWN: Known = know("sf", Describe(list(FIELDS), name="Account"))


class FixedClock:
    def now(self) -> datetime:
        return TEN


@contextmanager
def desk(*script: Scripted, **more: Any) -> Iterator[tuple[ScriptedServer, Writer]]:
    with ScriptedServer(*script) as server:
        auth = AuthConfig(token=SecretStr("00D!opaque"))
        settings = SourceConfig(
            kind="salesforce", base_url=server.url, auth=auth, history_months=0, **more
        )
        client = Client("sf", settings, "00D!opaque", "62.0", FixedClock())
        try:
            yield server, Writer(client, settings.duplicate_rules)
        finally:
            client.close()


def change(id_: str, at: datetime | None = OLD, **fields: str) -> Write:
    return Write(Ref("sf", "Account", id_), fields or {"Name": '"x"'}, id_, unmodified_since=at)


def parts(*statuses: int, body: Any = None) -> Scripted:
    answers = [
        {"httpStatusCode": status, "referenceId": f"r{number}", "body": body, "httpHeaders": {}}
        for number, status in enumerate(statuses)
    ]
    return Scripted(content={"compositeResponse": answers})


def stamps(id_: str, edited: str, touched: str) -> dict[str, Any]:
    return {
        "Id": id_,
        "LastModifiedDate": edited,
        "SystemModstamp": touched,
        "LastModifiedById": "005000000000001AAA",
    }


def rows(*records: Any) -> Scripted:
    return Scripted(content={"totalSize": len(records), "done": True, "records": list(records)})


def saved(*ids: str) -> Scripted:
    return Scripted(content=[{"id": id_, "success": True, "errors": []} for id_ in ids])


def refusal(status: int, code: str, message: str = "words") -> Scripted:
    return Scripted(status, [{"errorCode": code, "message": message}])


def inner(asked: Asked) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(asked.body)["compositeRequest"]
    return found


def test_each_part_carries_its_condition_and_the_headers_of_a_restore() -> None:
    with desk(parts(204, 204), duplicate_rules="block") as (server, writer):
        answers = Guarded(writer, KNOWN).update(
            [change(ONE, Amount__c="1.10"), change(TWO, Name="null")]
        )
        (asked,) = server.asked
    assert [a.verdict for a in answers] == [Verdict.ACCEPTED] * 2
    assert (asked.method, asked.target) == ("POST", "/services/data/v62.0/composite")
    assert b'"Amount__c":1.10' in asked.body
    order = json.loads(asked.body)
    assert (order["allOrNone"], order["collateSubrequests"]) == (False, False)
    first, _ = inner(asked)
    assert (first["method"], first["url"]) == (
        "PATCH",
        f"/services/data/v62.0/sobjects/Account/{ONE}",
    )
    assert first["httpHeaders"] == {
        "If-Unmodified-Since": "Tue, 24 Nov 2026 09:00:00 GMT",
        "Sforce-Auto-Assign": "FALSE",
        "Sforce-Duplicate-Rule-Header": "allowSave=false",
        "Sforce-Mru": "updateMru=false",
    }
    assert asked.headers["sforce-auto-assign"] == "FALSE"
    assert asked.headers["sforce-duplicate-rule-header"] == "allowSave=false"


def test_an_edit_is_a_conflict_and_a_mere_touch_is_sent_once_more() -> None:
    edited = stamps(ONE, "2026-11-24T09:30:00.000+0000", "2026-11-24T09:30:00.000+0000")
    touched = stamps(TWO, "2026-11-24T09:00:00.000+0000", "2026-11-24T09:40:00.000+0000")
    with desk(parts(412, 412), rows(edited, touched), parts(204)) as (server, writer):
        one, two = Guarded(writer, KNOWN).update([change(ONE), change(TWO)])
        (again,) = inner(server.asked[2])
    assert (one.code, two.verdict) == ("PRECONDITION_FAILED", Verdict.ACCEPTED)
    assert "005000000000001AAA" in one.message
    assert "somebody" in one.hint
    assert again["url"].endswith(TWO)
    assert again["httpHeaders"]["If-Unmodified-Since"] == "Tue, 24 Nov 2026 09:40:00 GMT"


def test_a_record_that_keeps_moving_is_given_up_after_one_more_try() -> None:
    touched = stamps(ONE, "2026-11-24T09:00:00.000+0000", "2026-11-24T09:40:00.000+0000")
    with desk(parts(412), rows(touched), parts(412)) as (server, writer):
        (one,) = Guarded(writer, KNOWN).update([change(ONE)])
        assert len(server.asked) == 3
    assert one.code == "PRECONDITION_FAILED"


@pytest.mark.parametrize("then", [Scripted(reset=True), Scripted(429, b""), Scripted(503, b"")])
def test_trouble_after_a_part_was_written_is_never_called_unsent(then: Scripted) -> None:
    touched = stamps(TWO, "2026-11-24T09:00:00.000+0000", "2026-11-24T09:40:00.000+0000")
    for script in ([parts(204, 412), then], [parts(204, 412), rows(touched), then]):
        with desk(*script) as (_, writer):
            one, two = Guarded(writer, KNOWN).update([change(ONE), change(TWO)])
        assert (one.verdict, two.verdict) == (Verdict.ACCEPTED, Verdict.UNKNOWN)


def test_parts_without_an_answer_or_with_a_broken_one_are_in_doubt() -> None:
    with desk(parts(500)) as (_, writer):
        answers = Guarded(writer, KNOWN).update([change(ONE), change(TWO)])
    assert [a.verdict for a in answers] == [Verdict.UNKNOWN] * 2


def numbered(count: int, at: datetime | None = OLD) -> list[Write]:
    return [change(f"001{number:012d}AAA", at) for number in range(count)]


def test_what_comes_after_a_lost_answer_is_not_sent() -> None:
    with desk(parts(*[204] * 25), Scripted(reset=True)) as (server, writer):
        answers = Guarded(writer, KNOWN).update(numbered(60))
        assert len(server.asked) == 2
    assert [a.verdict for a in answers] == [Verdict.ACCEPTED] * 25 + [Verdict.UNKNOWN] * 35
    assert "not sent" in answers[59].message
    with desk(Scripted(reset=True)) as (_, writer), pytest.raises(Ambiguous):
        Guarded(writer, KNOWN).update(numbered(60))
    with desk(Scripted(429, b"")) as (_, writer), pytest.raises(Throttled):
        Guarded(writer, KNOWN).update(numbered(60))


def test_a_stamp_of_this_very_second_proves_nothing_so_the_stamps_are_looked_at() -> None:
    young = TEN - timedelta(seconds=1)
    still = stamps(ONE, "2026-11-24T09:59:59.000+0000", "2026-11-24T09:59:59.000+0000")
    moved = stamps(TWO, "2026-11-24T10:00:00.000+0000", "2026-11-24T10:00:00.000+0000")
    with desk(rows(still, moved), saved(ONE)) as (server, writer):
        one, two = Guarded(writer, KNOWN).update([change(ONE, young), change(TWO, young)])
        assert [asked.method for asked in server.asked] == ["GET", "PATCH"]
    assert (one.verdict, two.code) == (Verdict.ACCEPTED, "PRECONDITION_FAILED")


def test_an_org_that_takes_no_conditions_in_a_composite_is_compared_just_before() -> None:
    still = stamps(ONE, "2026-11-24T09:00:00.000+0000", "2026-11-24T09:00:00.000+0000")
    with desk(refusal(400, "INVALID_INPUT"), rows(still), saved(ONE)) as (server, writer):
        one, two = Guarded(writer, KNOWN).update([change(ONE), change(TWO)])
        assert server.asked[2].target == "/services/data/v62.0/composite/sobjects"
    assert (one.verdict, two.code) == (Verdict.ACCEPTED, "NOT_FOUND")


def test_the_unconfirmed_header_is_left_out_once_it_is_refused() -> None:
    with desk(refusal(400, "INVALID", "Unknown header Sforce-Mru"), saved(ONE)) as (server, writer):
        update(writer, "Account", [change(ONE)])
        assert "sforce-mru" in server.asked[0].headers
        assert "sforce-mru" not in server.asked[1].headers
    told = [{"errorCode": "INVALID", "message": "Sforce-Mru: no such header"}]
    with desk(parts(400, body=told), parts(204)) as (server, writer):
        (one,) = Guarded(writer, KNOWN).update([change(ONE)])
        assert "Sforce-Mru" not in inner(server.asked[1])[0]["httpHeaders"]
    assert one.verdict is Verdict.ACCEPTED


def test_a_duplicate_rule_names_the_records_and_no_people() -> None:
    records = [{"record": {"Id": id_, "Name": "Ada Lovelace"}} for id_ in (*PARENT, ONE)]
    for key in ("duplicateResult", "duplicateResut"):
        error = {
            "errorCode": "DUPLICATES_DETECTED",
            "message": "Use one of these records?",
            key: {"allowSave": True, "matchResults": [{"matchRecords": records, "size": 3}]},
        }
        with desk(parts(400, body=[error])) as (_, writer):
            (one,) = Guarded(writer, KNOWN).update([change(ONE)])
        assert "3 records like it" in one.message
        assert PARENT[0] in one.message
        assert "Ada" not in one.message
        assert "duplicate_rules" in one.hint


def job(state: str) -> Scripted:
    return Scripted(content={"id": OPEN["id"], "state": state})


def csv(*lines: str) -> Scripted:
    return Scripted(content="".join(f"{line}\n" for line in lines).encode())


PARENTS = Scripted(content=[{"Id": ONE, "ParentId": PARENT[1]}, {"Id": TWO, "ParentId": PARENT[0]}])
HEAD = '"sf__Id","sf__Created","Id","Name"'
FAILED = '"sf__Id","sf__Error","Id","Name"'


def ingest(writer: Writer, writes: Sequence[Write], pauses: list[float] | None = None) -> Any:
    pace = Pace(sleep=(pauses if pauses is not None else []).append)
    return Ingest(writer, KNOWN, pace).update(writes)


def test_a_job_is_filled_by_parent_and_read_whatever_its_order() -> None:
    told = csv(HEAD, f'"{TWO}","false","{TWO}","x"')
    words = "INVALID_EMAIL_ADDRESS:Email: invalid email address: x:Email --"
    failed = csv(FAILED, f'"{ONE}","{words}","{ONE}","x"')
    script = (PARENTS, job("Open"), Scripted(201, b""), job("UploadComplete"))
    more = (job("InProgress"), job("JobComplete"), told, failed, csv("Id,Name"))
    pauses: list[float] = []
    with desk(*script, *more) as (server, writer):
        writes = [change(ONE, Name='"a,b"'), change(TWO, Amount__c="1.50", Name="null")]
        one, two = ingest(writer, writes, pauses)
        upload = server.asked[2]
        assert json.loads(server.asked[1].body)["lineEnding"] == "LF"
    assert (upload.method, upload.headers["content-type"]) == ("PUT", "text/csv; charset=UTF-8")
    assert upload.body == f'Id,Amount__c,Name\n{TWO},1.50,#N/A\n{ONE},,"a,b"\n'.encode()
    assert (one.code, two.verdict) == ("INVALID_EMAIL_ADDRESS", Verdict.ACCEPTED)
    assert one.message == "Email: invalid email address: x"
    assert pauses == sorted(pauses)


@pytest.mark.parametrize(
    "script",
    [
        [Scripted(reset=True)],
        [Scripted(503, b"")],
        [job("Open"), Scripted(reset=True), job("Aborted")],
        [job("Open"), Scripted(201, b""), Scripted(429, b""), job("Aborted")],
        [job("Open"), Scripted(201, b""), Scripted(reset=True), job("Open"), job("Aborted")],
    ],
)
def test_a_job_that_was_not_closed_wrote_nothing(script: list[Scripted]) -> None:
    with desk(PARENTS, *script) as (server, writer):
        with pytest.raises((Unavailable, Throttled)):
            ingest(writer, [change(ONE), change(TWO)])
        assert server.script == []
        assert sum(b"UploadComplete" in asked.body for asked in server.asked) <= 1


def test_a_lost_order_to_begin_is_looked_into_and_not_given_again() -> None:
    script = (PARENTS, job("Open"), Scripted(201, b""), Scripted(reset=True), job("InProgress"))
    told = csv(HEAD, *(f'"{id_}","false","{id_}","x"' for id_ in (ONE, TWO)))
    more = (job("JobComplete"), told, csv(FAILED), csv("Id,Name"))
    with desk(*script, *more) as (server, writer):
        answers = ingest(writer, [change(ONE), change(TWO)])
        assert sum(b"UploadComplete" in asked.body for asked in server.asked) == 1
    assert [a.verdict for a in answers] == [Verdict.ACCEPTED] * 2


def test_a_closed_job_nobody_tells_of_is_ambiguous() -> None:
    script = (PARENTS, job("Open"), Scripted(201, b""), job("UploadComplete"))
    for end in ([Scripted(reset=True)] * 5, [refusal(404, "NOT_FOUND")]):
        with desk(*script, *end) as (_, writer), pytest.raises(Ambiguous, match="bulk job"):
            ingest(writer, [change(ONE), change(TWO)])


def test_rows_in_no_result_are_in_doubt_and_unprocessed_ones_are_certain() -> None:
    script = (PARENTS, job("Open"), Scripted(201, b""), job("UploadComplete"), job("Failed"))
    with desk(*script, csv(HEAD), csv(FAILED), csv("Id,Name", f"{ONE},x")) as (_, writer):
        one, two = ingest(writer, [change(ONE), change(TWO)])
    assert (one.code, two.verdict) == ("UNPROCESSED", Verdict.UNKNOWN)
    assert "apply again" in one.hint


def test_an_object_that_the_bulk_api_does_not_serve_goes_by_collections() -> None:
    refused = refusal(400, "INVALIDENTITY", "Account is not supported by the Bulk API")
    with desk(PARENTS, refused, saved(TWO, ONE)) as (_, writer):
        answers = ingest(writer, [change(ONE), change(TWO)])
    assert [a.verdict for a in answers] == [Verdict.ACCEPTED] * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"Name": '"#N/A"'},
        {"Unknown__c": '"x"'},
        {"Name": '"' + "x" * 32_001 + '"'},
        {"Name": '{"street":"x"}'},
    ],
)
def test_what_no_cell_can_tell_goes_by_collections(fields: dict[str, str]) -> None:
    with desk(saved(ONE)) as (server, writer):
        (one,) = ingest(writer, [change(ONE, **fields)])
        assert server.asked[0].method == "PATCH"
    assert one.verdict is Verdict.ACCEPTED


def test_where_collections_cannot_be_deleted_records_are_one_by_one() -> None:
    with desk(Scripted(405, b"[]"), parts(204, 204)) as (server, writer):
        answers = remove(writer, "Account", [change(ONE), change(TWO)])
        assert server.asked[0].target.endswith(f"ids={ONE}%2C{TWO}&allOrNone=false")
        assert [each["method"] for each in inner(server.asked[1])] == ["DELETE"] * 2
        assert "httpHeaders" not in inner(server.asked[1])[0]
    assert [a.verdict for a in answers] == [Verdict.ACCEPTED] * 2


def envelope(*results: str) -> Scripted:
    inside = "".join(f"<result>{result}</result>" for result in results)
    text = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns="urn:partner.soap.sforce.com"><soapenv:Body><undeleteResponse>'
        f"{inside}</undeleteResponse></soapenv:Body></soapenv:Envelope>"
    )
    return Scripted(content=text.encode(), headers={"X-Kind": "soap"})


def test_what_cannot_be_undeleted_is_to_be_made_anew() -> None:
    error = (
        "<errors><message>Entity type is not undeletable</message>"
        "<statusCode>CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY</statusCode></errors>"
    )
    good, bad = f"<id>{ONE}</id><success>true</success>", f"<id>{TWO}</id><success>false</success>"
    with desk(envelope(good, error + bad)) as (server, writer):
        one, two = undelete(writer, "Account", [change(ONE), change(TWO)])
        assert server.asked[0].headers["soapaction"].strip('"') == "undelete"
        assert b"<urn:ids>" + ONE.encode() in server.asked[0].body
    assert one.verdict is Verdict.ACCEPTED
    assert two.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    assert "make it anew" in two.hint
    with desk(envelope(good)) as (_, writer), pytest.raises(Ambiguous):
        undelete(writer, "Account", [change(ONE), change(TWO)])


def test_a_token_that_soap_does_not_take_is_said_so() -> None:
    with ScriptedServer() as server:
        auth = AuthConfig(token=SecretStr("a.b.c"))
        settings = SourceConfig(kind="salesforce", base_url=server.url, auth=auth)
        client = Client("sf", settings, "a.b.c", "62.0", FixedClock())
        with pytest.raises(PersonNeeded, match="opaque"):
            undelete(Writer(client), "Account", [change(ONE)])
        client.close()
        assert server.asked == []
