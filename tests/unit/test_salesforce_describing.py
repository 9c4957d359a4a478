"""Describes in few requests, groups of trail objects, and what an identity does not see."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from connectors.salesforce import connect
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.groups import GROUPS
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import Mistake, PermissionMissing, Unavailable
from crmtrail.model import Dependent, Gap, Mode, Ref
from support.scripted_http import Asked, Scripted, ScriptedServer

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
CHANGED = "Fri, 14 Aug 2026 20:53:02 GMT"
LATER = "Mon, 23 Nov 2026 08:00:00 GMT"
FIELDS = ("Id", "Name", "IsDeleted", "SystemModstamp", "LastModifiedDate", "LastModifiedById")
NOT_FOUND = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
FILES = [f"0690000000000{n:02d}AAA" for n in range(3)]


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = TEN

    def now(self) -> datetime:
        return self.at


class Metadata:
    """An org that serves describes, alone and together, and says what it was asked for."""

    def __init__(self, *objects: str) -> None:
        self.fields = {name: list(FIELDS) for name in objects}
        self.changed = dict.fromkeys(objects, CHANGED)
        self.defined: dict[str, list[dict[str, Any]]] = {}
        self.composite = True
        self.refused: dict[str, Scripted] = {}
        self.parts: list[list[dict[str, Any]]] = []
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Scripted:
        url = urlsplit(asked.target)
        self.asked.append(asked.target)
        for part, answer in self.refused.items():
            if part in asked.target.replace("+", " "):
                return answer
        if url.path.endswith("/composite"):
            return self._together(json.loads(asked.body)["compositeRequest"])
        if url.path.endswith("/describe"):
            status, headers, body = self._describe(url.path, {})
            return Scripted(status, body, headers)
        if url.path.endswith("/VersionData"):
            return Scripted(content=b"%PDF-1.7")
        return self._query(parse_qs(url.query).get("q", [""])[0])

    def _together(self, parts: list[dict[str, Any]]) -> Scripted:
        if not self.composite:
            return Scripted(404, NOT_FOUND)
        self.parts.append(parts)
        answers = []
        for part in parts:
            if "/query/" in part["url"]:
                body = self._query(parse_qs(urlsplit(part["url"]).query)["q"][0]).content
                status, headers = 200, {}
            else:
                status, headers, body = self._describe(part["url"], part.get("httpHeaders", {}))
            answers.append(
                {
                    "httpStatusCode": status,
                    "httpHeaders": headers,
                    "body": body,
                    "referenceId": part["referenceId"],
                }
            )
        return Scripted(content={"compositeResponse": answers})

    def _describe(
        self, path: str, conditions: dict[str, str]
    ) -> tuple[int, dict[str, str], dict[str, Any] | list[Any] | None]:
        name = path.split("/")[-2]
        if name not in self.fields:
            return 404, {}, NOT_FOUND
        headers = {"Last-Modified": self.changed[name], "ETag": '"baf7f695"'}
        if conditions.get("If-Modified-Since") == self.changed[name]:
            return 304, headers, None
        fields = [{"name": one, "type": "string"} for one in self.fields[name]]
        return 200, headers, {"name": name, "fields": fields, "replicateable": False}

    def _query(self, soql: str) -> Scripted:
        records: list[dict[str, Any]] = []
        if "FROM FieldDefinition" in soql:
            records = self.defined.get(soql.split("'")[1], [])
        elif "FROM ContentDocumentLink" in soql:
            if "WHERE ContentDocumentId IN" not in soql:
                return Scripted(400, [{"errorCode": "MALFORMED_QUERY", "message": "filter it"}])
            records = [
                {"Id": f"06A{file[3:]}", "SystemModstamp": "2026-11-01T00:00:00.000+0000"}
                for file in FILES
                if file in soql
            ]
        elif "FROM ContentDocument " in soql:
            records = [{"Id": one} for one in FILES]
        return Scripted(content={"totalSize": len(records), "done": True, "records": records})

    @property
    def described(self) -> list[str]:
        return [part["url"].split("/")[-2] for part in self.parts[-1]]

    @property
    def conditional(self) -> list[bool]:
        return ["If-Modified-Since" in part.get("httpHeaders", {}) for part in self.parts[-1]]


@contextmanager
def connected(org: Metadata, objects: Any = "*", hand: Hand | None = None) -> Iterator[Salesforce]:
    with ScriptedServer(otherwise=org) as server:
        auth = AuthConfig(token=SecretStr("00Dtoken"))
        config = SourceConfig(kind="salesforce", base_url=server.url, auth=auth, objects=objects)
        connector = connect("sf", config, auth, hand or Hand())
        assert isinstance(connector, Salesforce)
        with closing(connector):
            yield connector


MANY = tuple(f"Thing{number}__c" for number in range(60))


def test_sixty_objects_are_described_in_three_requests() -> None:
    org = Metadata(*MANY)
    with connected(org, MANY) as sf:
        found = [sf.schema(name).object for name in MANY]
    assert found == list(MANY)
    assert len(org.asked) == 3
    assert [len(parts) for parts in org.parts] == [25, 25, 10]


def test_what_did_not_change_is_not_sent_again_and_what_did_is_seen() -> None:
    org, hand = Metadata("A", "B", "C"), Hand()
    with connected(org, ("A", "B", "C"), hand) as sf:
        for name in "ABC":
            sf.schema(name)
        hand.at += timedelta(minutes=5)
        org.fields["B"].append("New__c")
        org.changed["B"] = LATER
        schemas = {name: sf.schema(name) for name in "ABC"}
    assert len(org.asked) == 2
    assert org.conditional == [True, True, True]
    assert "New__c" in schemas["B"].fields
    assert "New__c" not in schemas["A"].fields


def test_a_describe_that_came_along_serves_once_and_for_a_minute() -> None:
    org, hand = Metadata("A", "B"), Hand()
    with connected(org, ("A", "B"), hand) as sf:
        sf.schema("A")
        sf.schema("B")
        assert len(org.asked) == 1
        sf.schema("B")
        assert org.described == ["B"], "asked for again, it is looked at again"
        hand.at += timedelta(seconds=61)
        sf.schema("A")
        assert org.described == ["A", "B"]


def test_once_a_day_describes_are_whole_whatever_their_stamp_says() -> None:
    org, hand = Metadata("A", "B"), Hand()
    with connected(org, ("A", "B"), hand) as sf:
        sf.schema("A")
        org.fields["A"].append("Granted__c")
        hand.at += timedelta(hours=23)
        assert "Granted__c" not in sf.schema("A").fields
        hand.at += timedelta(hours=2)
        assert "Granted__c" in sf.schema("A").fields


def test_a_field_hidden_since_is_absent_from_the_next_describe() -> None:
    org, hand = Metadata("A", "B"), Hand()
    with connected(org, ("A", "B"), hand) as sf:
        assert "Name" in sf.schema("A").fields
        org.fields["A"].remove("Name")
        org.changed["A"] = LATER
        hand.at += timedelta(minutes=5)
        assert "Name" not in sf.schema("A").fields


def test_an_org_without_composite_requests_is_described_one_by_one() -> None:
    org = Metadata("A", "B", "C")
    org.composite = False
    with connected(org, ("A", "B", "C")) as sf:
        for name in "ABC":
            sf.schema(name)
    assert len(org.asked) == 4, "one attempt, then three describes"


def test_too_much_at_once_is_asked_for_in_smaller_parts() -> None:
    org = Metadata(*MANY)
    org.refused["/composite"] = Scripted(503, "<html>")
    with connected(org, MANY) as sf:
        with pytest.raises(Unavailable):
            sf.schema(MANY[0])
        del org.refused["/composite"]
        sf.schema(MANY[0])
    assert [len(parts) for parts in org.parts] == [5]


def test_an_object_that_is_not_there_is_said_so_and_hurts_no_other() -> None:
    org = Metadata("A", "B")
    with connected(org, ("A", "Nosuch", "B")) as sf:
        sf.schema("A")
        with pytest.raises(Mistake, match="sf has no object Nosuch"):
            sf.schema("Nosuch")
        sf.schema("B")
    assert len(org.asked) == 1


def test_an_unknown_group_lists_the_known_ones() -> None:
    with connected(Metadata()) as sf, pytest.raises(Mistake, match="no group @logs") as raised:
        sf.objects("logs")
    assert all(f"@{name}" in raised.value.hint for name in GROUPS)


def test_what_a_group_has_and_the_org_has_not_is_one_empty_page_with_a_gap() -> None:
    org = Metadata("LoginHistory")
    with connected(org, ("@logins",)) as sf:
        members = sf.objects("logins")
        schemas = {name: sf.schema(name) for name in members}
        assert not schemas["LoginGeo"].fields
        cursor = sf.start("LoginGeo", None, Mode.INCREMENTAL)
        page = sf.page("LoginGeo", cursor)
        assert len(org.asked) == 1
    assert schemas["LoginHistory"].fields
    (gap,) = page.gaps
    assert (page.done, page.readings, gap.since, gap.whole) == (True, (), None, True)
    assert "LoginGeo is not in this org" in gap.why
    assert "Manage Users" in gap.why


def test_an_object_named_beside_its_group_keeps_its_error() -> None:
    with connected(Metadata(), ("@logins", "LoginGeo")) as sf, pytest.raises(Mistake):
        sf.schema("LoginGeo")


def test_an_object_that_comes_into_the_org_is_read_from_then_on() -> None:
    org, hand = Metadata("LoginHistory"), Hand()
    with connected(org, ("@logins",), hand) as sf:
        sf.schema("LoginGeo")
        kept = sf.page("LoginGeo", sf.start("LoginGeo", None, Mode.INCREMENTAL)).cursor
        org.fields["LoginGeo"], org.changed["LoginGeo"] = list(FIELDS), CHANGED
        hand.at += timedelta(hours=2)
        assert sf.schema("LoginGeo").fields
        page = sf.page("LoginGeo", sf.start("LoginGeo", kept, Mode.INCREMENTAL))
    assert not page.gaps
    assert not page.done


def test_a_group_member_that_is_refused_is_a_gap_in_the_vendors_words() -> None:
    org = Metadata("SetupAuditTrail")
    org.refused["FROM SetupAuditTrail"] = Scripted(
        403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]
    )
    with connected(org, ("@setup",)) as sf:
        sf.schema("SetupAuditTrail")
        cursor = sf.start("SetupAuditTrail", None, Mode.INCREMENTAL)
        page = sf.page("SetupAuditTrail", cursor)
        assert page.cursor == cursor, "the next run tries again from here"
    (gap,) = page.gaps
    assert page.done
    assert "INSUFFICIENT_ACCESS" in gap.why
    assert "View Setup and Configuration" in gap.why
    with connected(org, ("SetupAuditTrail",)) as sf:
        sf.schema("SetupAuditTrail")
        with pytest.raises(PermissionMissing):
            sf.page("SetupAuditTrail", sf.start("SetupAuditTrail", None, Mode.INCREMENTAL))


def defined(*names: str, tracked: str = "") -> list[dict[str, Any]]:
    return [{"QualifiedApiName": name, "IsFieldHistoryTracked": name == tracked} for name in names]


def test_hidden_fields_are_listed_and_not_guessed() -> None:
    org = Metadata("Contact", "Account", "Lead")
    org.defined["Contact"] = defined(*FIELDS, "Salary__c", "Birthdate")
    org.defined["Account"] = defined(*FIELDS, "Rating", tracked="Rating")
    with connected(org, ("Contact", "Account", "Lead")) as sf:
        told = sf.missing(["Contact", "Account", "Lead"])
        assert len(org.asked) == 2
    assert told == [
        "Contact: 2 fields are hidden from this token: Birthdate, Salary__c",
        "Account: 1 field is hidden from this token: Rating",
    ]


def test_links_of_files_are_read_file_by_file_where_all_at_once_is_refused() -> None:
    org = Metadata("ContentDocumentLink")
    link = "ContentDocumentLink"
    with connected(org, ("@files",)) as sf:
        sf.schema(link)
        page = sf.page(link, sf.start(link, None, Mode.INCREMENTAL))
        assert [one.ref.id[:3] for one in page.readings] == ["06A"] * 3
        assert page.done
        assert page.swept
        assert "Query All Files" in page.gaps[0].why
        sf.schema(link)
        again = sf.page(link, sf.start(link, page.cursor, Mode.INCREMENTAL))
    assert again.done
    assert again.swept is None
    assert any("SystemModstamp+%3E%3D" in one for one in org.asked if "ContentDocument+" in one)


def test_the_content_of_a_file_is_streamed() -> None:
    with connected(Metadata()) as sf:
        body = b"".join(sf.fetch_body(Ref("sf", "ContentVersion", "068000000000001AAA")))
        with pytest.raises(Mistake, match="Account holds no files"):
            next(sf.fetch_body(Ref("sf", "Account", "001000000000001AAA")))
    assert body == b"%PDF-1.7"


def test_gaps_of_one_cause_are_one_gap() -> None:
    org = Metadata()
    with connected(org, ("@consent",)) as sf:
        gaps: set[Gap] = set()
        for _ in range(3):
            sf.schema("Individual")
            page = sf.page("Individual", sf.start("Individual", None, Mode.INCREMENTAL))
            gaps.update(page.gaps)
    assert len(gaps) == 1


def test_what_a_deletion_takes_along_is_part_of_the_schema() -> None:
    org = Metadata("Account")
    children = [
        {"childSObject": "Contact", "field": "AccountId", "cascadeDelete": True},
        {"childSObject": "Case", "field": "AccountId", "restrictedDelete": True},
        {"childSObject": "Note", "field": "ParentId"},
    ]
    fields = [{"name": "Id"}, {"name": "Name", "createable": True, "nillable": False}]
    told = {"name": "Account", "fields": fields, "childRelationships": children}
    org.refused["/describe"] = Scripted(content=told)
    with connected(org, ("Account",)) as sf:
        schema = sf.schema("Account")
    assert schema.dependents == (
        Dependent("Case", "AccountId", restricts=True),
        Dependent("Contact", "AccountId", cascades=True),
    )
    assert schema.fields["Name"].required
