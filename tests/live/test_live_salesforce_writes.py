"""Three contacts are made, edited, deleted, brought back, restored and removed again.

The tests are one story and run in their order. People's acts go over bare HTTP; what crmtrail
would do goes through its connector.
"""

import csv
import io
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from crmtrail.model import Reading, Ref, Removal, Verdict, Write, moment, token_of
from crmtrail.ports import Connector
from support.live_findings import Findings, Ruling
from support.live_salesforce import LAST_NAME, SOURCE, RawOrg, among, contacts_query, walk

ALLOW = {"Sforce-Duplicate-Rule-Header": "allowSave=true", "Sforce-Auto-Assign": "FALSE"}
TITLES = ("first", "second", "third")
CONTACTS_MOST = 50_000
BULK_SECONDS = 300


@dataclass
class Story:
    """The three contacts, and what the story remembers between its parts."""

    org: RawOrg
    last_name: str = f"{LAST_NAME} {secrets.token_hex(4)}"
    ids: list[str] = field(default_factory=list)
    position: str | None = None

    def rows(self, fields: str = "Id, Title", *, deleted: bool = False) -> dict[str, Any]:
        rows = self.org.contacts(among(self.ids), fields, deleted=deleted)
        return {row["Id"]: row for row in rows}

    def titles(self) -> list[str | None]:
        rows = self.rows()
        return [rows[id_]["Title"] for id_ in self.ids]

    def stamp(self, id_: str, name: str = "LastModifiedDate") -> datetime:
        return moment(self.rows(f"Id, {name}")[id_][name])

    def writes(self, values: Sequence[str | None]) -> list[Write]:
        return [
            Write(Ref(SOURCE, "Contact", id_), {"Title": token_of(value)}, key=id_)
            for id_, value in zip(self.ids, values, strict=True)
        ]

    def patch(self, id_: str, title: str, headers: dict[str, str]) -> requests.Response:
        path = f"sobjects/Contact/{id_}"
        return self.org.call("PATCH", path, json={"Title": title}, headers=headers)


@pytest.fixture(scope="module")
def story(writable: RawOrg) -> Iterator[Story]:
    """Make the contacts; whatever happens, remove those that are left."""
    told = Story(writable)
    records = [
        {"attributes": {"type": "Contact"}, "LastName": told.last_name, "Title": title}
        for title in TITLES
    ]
    body = {"allOrNone": True, "records": records}
    answer = writable.call("POST", "composite/sobjects", json=body, headers=ALLOW)
    assert answer.status_code == 200, writable.told(answer)
    assert all(row["success"] for row in answer.json()), writable.told(answer)
    told.ids = [row["id"] for row in answer.json()]
    try:
        yield told
    finally:
        for id_ in told.rows("Id"):
            writable.call("DELETE", f"sobjects/Contact/{id_}")
        assert not told.rows("Id"), "some test contacts are still there"


@pytest.fixture
def ids(story: Story) -> Sequence[str]:
    return story.ids


def test_new_contacts_are_read(story: Story, live: Connector):
    live.schema("Contact")
    found = live.read("Contact", story.ids)
    assert [_title(found[id_]) for id_ in story.ids] == list(TITLES)


def test_a_whole_run_has_them(story: Story, live: Connector):
    count = story.org.call("GET", "query/", params={"q": "SELECT COUNT() FROM Contact"}).json()
    if count["totalSize"] > CONTACTS_MOST:
        pytest.skip(f"{count['totalSize']} contacts: a first load is not for a test")
    pages = walk(live, "Contact", None, 2 * CONTACTS_MOST // 200)
    assert set(story.ids) <= {one.ref.id for page in pages for one in page.readings}
    story.position = pages[-1].cursor


def test_an_edit_is_polled_with_its_author(story: Story, live: Connector):
    if story.position is None:
        pytest.skip("there was no whole run")
    records = [{"attributes": {"type": "Contact"}, "id": i, "Title": "spoilt"} for i in story.ids]
    body = {"allOrNone": False, "records": records}
    answer = story.org.call("PATCH", "composite/sobjects", json=body, headers=ALLOW)
    assert all(row["success"] for row in answer.json()), story.org.told(answer)
    pages = walk(live, "Contact", story.position, 100)
    found = {one.ref.id: one for page in pages for one in page.readings if one.ref.id in story.ids}
    assert [_title(found[id_]) for id_ in story.ids] == ["spoilt"] * 3
    rows = story.rows("Id, LastModifiedById")
    assert {found[i].actor.id for i in story.ids} == {r["LastModifiedById"] for r in rows.values()}
    story.position = pages[-1].cursor


def test_a_condition_that_fails_keeps_the_record(story: Story, findings: Findings, ids):
    stamp = story.stamp(ids[0])
    story.org.await_second(stamp + timedelta(seconds=2))
    before = story.titles()
    old = {"If-Unmodified-Since": _http(stamp - timedelta(minutes=5))}
    answer = story.patch(ids[0], "too late", old)
    findings.note("412", answer.status_code == 412, story.org.told(answer))
    body = _json(answer)
    code = body[0].get("errorCode") if isinstance(body, list) and body else None
    findings.note("412-body", code == "PRECONDITION_FAILED", story.org.told(answer))
    assert story.titles() == before
    same = story.patch(ids[0], "in time", {"If-Unmodified-Since": _http(stamp)})
    findings.note("412-second", same.status_code == 204, story.org.told(same))


def test_a_condition_inside_a_composite(story: Story, findings: Findings, ids):
    stamp = story.stamp(ids[1])
    part = {
        "method": "PATCH",
        "url": f"{story.org.root}/sobjects/Contact/{ids[1]}",
        "referenceId": "r1",
        "httpHeaders": {"If-Unmodified-Since": _http(stamp - timedelta(minutes=5))},
        "body": {"Title": "too late"},
    }
    body = {"allOrNone": False, "compositeRequest": [part]}
    answer = story.org.call("POST", "composite", json=body)
    parts = answer.json()["compositeResponse"] if answer.status_code == 200 else []
    held = [one["httpStatusCode"] for one in parts] == [412]
    findings.note("412-composite", held, story.org.told(answer))
    assert held == (story.rows()[ids[1]]["Title"] != "too late")


def test_texts_as_the_org_keeps_and_compares_them(story: Story, findings: Findings, ids):
    answer = story.patch(ids[0], "", {"Sforce-Mru": "updateMru=false"})
    findings.note("mru", answer.status_code == 204, story.org.told(answer))
    if answer.status_code != 204:
        assert story.patch(ids[0], "", {}).status_code == 204
    findings.note("empty-text", story.titles()[0] is None, f"read back as {story.titles()[0]!r}")
    name = story.last_name.upper()
    same = story.org.contacts(f"LastName = '{name}'")
    findings.note("compare", len(same) == 3, f"{len(same)} of 3 found by the name in capitals")
    rows = story.org.contacts(f"LastName = '{story.last_name}' ORDER BY Title")
    sorted_ = [row["Title"] for row in rows]
    assert len(sorted_) == 3
    findings.note("nulls-first", sorted_[0] is None, f"sorted: {sorted_}")


def test_a_refused_row_of_a_collection(story: Story, findings: Findings, ids):
    records = [
        {"attributes": {"type": "Contact"}, "id": ids[0], "Title": "kept"},
        {"attributes": {"type": "Contact"}, "id": ids[1], "LastName": None},
    ]
    answer = story.org.call(
        "PATCH", "composite/sobjects", json={"allOrNone": False, "records": records}
    )
    rows = answer.json() if answer.status_code == 200 else [{}, {}]
    errors = rows[1].get("errors") or [{}]
    seen = "id" not in rows[1] and "statusCode" in errors[0]
    findings.note("failed-no-id", seen, story.org.told(answer))
    assert story.titles()[0] == "kept"


def test_bulk_query(story: Story, findings: Findings):
    soql = contacts_query(f"{among(story.ids)} ORDER BY Id DESC", "Id, SystemModstamp")
    job = story.org.call("POST", "jobs/query", json={"operation": "queryAll", "query": soql})
    assert job.status_code == 200, story.org.told(job)
    _finished(story.org, f"jobs/query/{job.json()['id']}")
    path = f"jobs/query/{job.json()['id']}/results"
    answer = story.org.call("GET", path, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["Id"] for row in rows} == set(story.ids)
    written = rows[0]["SystemModstamp"]
    findings.note("bulk-datetime", written.endswith(".000Z"), written)
    kept = [row["Id"] for row in rows] == sorted(story.ids, reverse=True)
    findings.note("bulk-order", kept, "ORDER BY Id DESC, three rows")
    locator = answer.headers.get("Sforce-Locator")
    findings.note("bulk-locator", locator == "null", f"Sforce-Locator: {locator!r}")


def test_bulk_ingest(story: Story, findings: Findings, ids):
    order = {"object": "Contact", "operation": "update", "contentType": "CSV", "lineEnding": "LF"}
    job = story.org.call("POST", "jobs/ingest", json=order)
    assert job.status_code == 200, story.org.told(job)
    path = f"jobs/ingest/{job.json()['id']}"
    text = f"Id,Title,Department\n{ids[2]},#N/A,kept\n{ids[1]},in bulk,\n{ids[0]},,kept\n"
    before = story.titles()
    put = {"data": text.encode(), "headers": {"Content-Type": "text/csv; charset=UTF-8"}}
    assert story.org.call("PUT", f"{path}/batches", **put).status_code == 201
    assert story.org.call("PATCH", path, json={"state": "UploadComplete"}).status_code == 200
    _finished(story.org, path)
    answer = story.org.call("GET", f"{path}/successfulResults", headers={"Accept": "text/csv"})
    done = [row["sf__Id"] for row in csv.DictReader(io.StringIO(answer.text))]
    assert set(done) == set(ids)
    now = story.titles()
    findings.note("ingest-null", now[2] is None and now[0] == before[0], f"titles: {now}")
    in_order = done == [ids[2], ids[1], ids[0]]
    findings.note("ingest-order", in_order, "three rows, the last first")


def test_deletions_are_polled_and_the_bin_is_seen(story: Story, live: Connector, findings, ids):
    query = {"ids": ",".join(ids[:2]), "allOrNone": "false"}
    answer = story.org.call("DELETE", "composite/sobjects", params=query)
    many = answer.status_code == 200 and all(row["success"] for row in answer.json())
    findings.note("delete-many", many, story.org.told(answer))
    for id_ in ids if not many else ids[2:]:
        assert story.org.call("DELETE", f"sobjects/Contact/{id_}").status_code == 204
    gone = story.org.call("GET", f"sobjects/Contact/{ids[0]}")
    code = (_json(gone) or [{}])[0].get("errorCode")
    findings.note("get-deleted", (gone.status_code, code) == (404, "ENTITY_IS_DELETED"),
                  story.org.told(gone))  # fmt: skip
    found = live.read("Contact", ids)
    assert all(isinstance(found[id_], Removal) for id_ in ids)
    if story.position is not None:
        pages = walk(live, "Contact", story.position, 100)
        assert set(ids) <= {one.ref.id for page in pages for one in page.removals}


def test_undelete_brings_the_same_records_back(story: Story, live: Connector, findings, ids):
    before = story.rows("Id, SystemModstamp, LastModifiedDate", deleted=True)
    newest = max(moment(row["SystemModstamp"]) for row in before.values())
    story.org.await_second(newest + timedelta(seconds=1))
    writes = [Write(one.ref, {}, key=one.key) for one in story.writes([None] * 3)]
    told = live.undelete("Contact", writes)
    assert [one.verdict for one in told] == [Verdict.ACCEPTED] * 3, [one.message for one in told]
    after = story.rows("Id, SystemModstamp, LastModifiedDate")
    assert after.keys() == set(ids)
    moved = {
        name: [after[id_][name] != before[id_][name] for id_ in ids]
        for name in ("SystemModstamp", "LastModifiedDate")
    }
    findings.note("undelete-stamps", all(moved["SystemModstamp"]), f"moved: {moved}")
    _which_stamp(story, findings, after[ids[0]])


def _which_stamp(story: Story, findings: Findings, row: dict[str, Any]) -> None:
    """Tell what a condition looks at, where the two stamps of a record have parted."""
    edited, touched = moment(row["LastModifiedDate"]), moment(row["SystemModstamp"])
    if edited >= touched:
        findings.note("412-stamp", Ruling.OPEN, "the two stamps of the contacts did not part")
        return
    answer = story.patch(row["Id"], "by stamp", {"If-Unmodified-Since": _http(edited)})
    assert answer.status_code in (204, 412), story.org.told(answer)
    findings.note("412-stamp", answer.status_code == 204, story.org.told(answer))


def test_more_ids_than_undelete_takes(story: Story, findings: Findings):
    prefix = story.ids[0][:3]
    strangers = [f"{prefix}{number:012d}" for number in range(201)]
    answer = story.org.undelete(strangers)
    assert answer.status_code in (200, 500), story.org.told(answer)
    assert "<success>true</success>" not in answer.text
    refused = answer.status_code == 500
    findings.note("undelete-most", refused, f"201 ids: {answer.status_code}")


def test_values_are_restored_and_read_back(story: Story, live: Connector):
    answers = live.write("Contact", story.writes(TITLES))
    assert [one.verdict for one in answers] == [Verdict.ACCEPTED] * 3, answers
    assert story.titles() == list(TITLES)
    found = live.read("Contact", story.ids)
    assert [_title(found[id_]) for id_ in story.ids] == list(TITLES)


def test_a_record_edited_meanwhile_is_not_overwritten(story: Story, live: Connector, ids):
    edited = story.stamp(ids[0])
    story.org.await_second(edited + timedelta(seconds=3))
    assert story.patch(ids[0], "somebody else's", {}).status_code == 204
    story.org.await_second(story.stamp(ids[0]) + timedelta(seconds=2))
    write = Write(Ref(SOURCE, "Contact", ids[0]), {"Title": '"ours"'}, "k", unmodified_since=edited)
    (answer,) = live.write("Contact", [write])
    assert answer.verdict is Verdict.REFUSED
    assert story.titles()[0] == "somebody else's"


def test_they_are_removed_again(story: Story, live: Connector):
    told = live.remove("Contact", [Write(w.ref, {}, w.key) for w in story.writes(TITLES)])
    assert [one.verdict for one in told] == [Verdict.ACCEPTED] * 3, [one.message for one in told]
    assert not story.rows("Id")


def _title(found: Reading | Removal) -> object:
    assert isinstance(found, Reading)
    return json.loads(found.fields["Title"])


def _http(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _finished(org: RawOrg, path: str) -> None:
    """Wait for a job of the Bulk API to end well."""
    until = time.monotonic() + BULK_SECONDS
    while time.monotonic() < until:
        job = org.call("GET", path).json()
        if job["state"] in ("JobComplete", "Failed", "Aborted"):
            assert job["state"] == "JobComplete", job
            return
        time.sleep(0.5)
    raise AssertionError(f"{path} is still not done")
