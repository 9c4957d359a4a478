"""Odd bytes in a vendor's answer: through each connector into a store, and out again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from connectors import hubspot, salesforce
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import Unavailable
from crmtrail.model import NULL, Mode, token_of, value_of
from crmtrail.ports import Connector, ignore
from crmtrail.slices import Slices
from support.odd_data import VALUES
from support.readings import HandClock
from support.scripted_http import Asked, Scripted, ScriptedServer
from support.store_rig import RIGS

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
ID, USER = "001000000000001AAA", "005000000000001AAA"
STAMP = "2026-11-24T09:30:00.000Z"

RAW = {
    "no UTF-8": (b'"a\xffb"', '"a\ufffdb"'),
    "Latin-1": (b'"caf\xe9"', '"caf\ufffd"'),
    "half a pair in three bytes": (b'"\xed\xa0\xbd"', '"\ufffd\ufffd\ufffd"'),
    "NUL in two bytes": (b'"\xc0\x80"', '"\ufffd\ufffd"'),
    "half a pair": (rb'"a\ud83d"', r'"a\ufffd"'),
    "the other half": (rb'"\uDE00b"', r'"\ufffdb"'),
    "NUL": (rb'"a\u0000b"', r'"a\u0000b"'),
    "separators bare": (b'"a\x1eb\x1fc"', r'"a\u001eb\u001fc"'),
    "a line end bare": (b'"a\nb"', r'"a\u000ab"'),
    "all at once": (b'"\xff\\ud800\x00\\\\ud800\xc3\xa9"', '"\ufffd\\ufffd\\u0000\\\\ud800\u00e9"'),
}
"""What is sent, and the token that it becomes."""

SENT = {name: (token.encode(), token) for name, token in VALUES.items() if len(token) < 9_000}
MENDED = {name for name, (_, token) in SENT.items() if r"\ud" in token or r"\ude" in token}
FIT = {name: pair for name, pair in SENT.items() if name not in MENDED}


def salesforce_row(fields: bytes) -> bytes:
    said = {
        "Id": ID,
        "IsDeleted": False,
        "SystemModstamp": STAMP,
        "LastModifiedDate": STAMP,
        "LastModifiedById": USER,
        "CreatedDate": STAMP,
        "CreatedById": USER,
    }
    head = b'{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account"},'
    return head + json.dumps(said).encode()[1:-1] + b"," + fields + b"}]}"


def of_salesforce(asked: Asked, fields: bytes, names: list[str]) -> Scripted:
    query = parse_qs(urlsplit(asked.target).query).get("q", [""])[0]
    if asked.target.endswith("/describe"):
        own = ("Id", "IsDeleted", "SystemModstamp", "LastModifiedDate", "LastModifiedById")
        known = [{"name": name} for name in (*own, "CreatedDate", "CreatedById", *names)]
        return Scripted(content={"name": "Account", "label": "Account", "fields": known})
    if "FROM User" in query:
        user = b'{"Id":"%b","Name":"A\\u0000d\\ud800a \xff","UserType":"Standard"}' % USER.encode()
        return Scripted(content=b'{"totalSize":1,"done":true,"records":[' + user + b"]}")
    if "COUNT()" in query:
        return Scripted(content={"totalSize": 1, "done": True, "records": []})
    return Scripted(content=salesforce_row(fields))


def of_hubspot(asked: Asked, fields: bytes, names: list[str]) -> Scripted:
    path = urlsplit(asked.target).path
    if "/properties/" in path:
        known = [{"name": name, "type": "string"} for name in names]
        return Scripted(content={"results": known})
    if path.endswith("/objects/contacts"):
        stamps = json.dumps({"id": "7", "createdAt": STAMP, "updatedAt": STAMP}).encode()[1:-1]
        head, tail = b'{"results":[{' + stamps + b',"properties":{', b"}}]}"
        if "archived=true" in asked.target:
            return Scripted(content={"results": []})
        return Scripted(content=head + fields + tail)
    return Scripted(content={"results": [], "total": 1})


KINDS = {
    "salesforce": (salesforce.connect, of_salesforce, "Account"),
    "hubspot": (hubspot.connect, of_hubspot, "contacts"),
}


@contextmanager
def answering(kind: str, fields: bytes, names: list[str]) -> Iterator[Connector]:
    """Give a connector to a CRM with one record, whose fields are given as bytes."""
    connect, answer, _ = KINDS[kind]
    with ScriptedServer(otherwise=lambda asked: answer(asked, fields, names)) as server:
        auth = AuthConfig(token=SecretStr("token"))
        config = SourceConfig(kind=kind, base_url=server.url, auth=auth, history_months=0)
        connector = connect("crm", config, auth, HandClock(NOW))
        try:
            yield connector
        finally:
            connector.close()


def pages(connector: Connector, object_: str) -> Iterator[Any]:
    connector.schema(object_)
    cursor = connector.start(object_, None, Mode.FULL)
    while True:
        page = connector.page(object_, cursor)
        yield page
        if page.done:
            return
        cursor = page.cursor


def stored(kind, fields, names, rig):
    """Return what a store tells of the record, after a first load."""
    object_ = KINDS[kind][2]
    lease = rig.leases.acquire("crm", object_, "here:1:1", timedelta(minutes=5))
    run = rig.store.begin("crm", object_, Mode.FULL, NOW)
    with answering(kind, fields, names) as connector:
        for page in pages(connector, object_):
            rig.store.keep(page, source="crm", run=run, lease=lease, notice=ignore)
    (found,) = rig.store.records("crm", object_)
    assert rig.store.verify().ok
    return found


def expected(kind, token):
    """Return what a connector makes of a token: HubSpot's are spelled in one way."""
    if kind == "salesforce":
        return token
    return NULL if token == '""' else token_of(value_of(token)) if token[0] == '"' else token


@pytest.fixture(params=["sqlite", "postgres"])
def rig(request, tmp_path):
    with RIGS[request.param](tmp_path) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("corpus", [RAW, FIT], ids=["raw", "fit"])
def test_what_was_sent_is_what_is_stored(rig, kind, corpus):
    names = {f"f{no}": pair for no, pair in enumerate(corpus.values())}
    fields = b",".join(b'"%b":%b' % (name.encode(), sent) for name, (sent, _) in names.items())
    found = stored(kind, fields, [*names], rig)
    for name, (_, token) in names.items():
        assert found.fields[name] == expected(kind, token), token


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_field_told_twice_the_last_value_counts(rig, kind):
    found = stored(kind, b'"f":"one","g":1.10,"f":"two"', ["f", "g"], rig)
    assert (found.fields["f"], found.fields["g"]) == ('"two"', "1.10")


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_no_field_has_are_made_harmless(rig, kind):
    fields = rb'"a\u0000":1,"b\u001f":2,"\u001f@":3,"c\ud800":4,"d' + b'\xff":5'
    found = stored(kind, fields, [], rig)
    told = {name: token for name, token in found.fields.items() if "\ufffd" in name}
    names = ["a\ufffd", "b\ufffd", "\ufffd@", "c\ufffd", "d\ufffd"]
    assert told == dict(zip(names, "12345", strict=True))


def test_an_odd_name_of_a_person_stops_nothing(rig):
    assert stored("salesforce", b'"f":1', ["f"], rig).actor.name == "A\ufffdd\ufffda \ufffd"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        b'"f":' + b"[" * 10_000 + b"]" * 10_000,
        b'"f":1}',
        b'"f":NaN',
        b'"f":01',
        rb'"f":"\x41"',
        b'"f":[1,\x1f2]',
        b'"f":"not closed',
    ],
    ids=["deep", "brace", "NaN", "01", "escape", "control", "open"],
)
def test_what_is_no_json_is_refused_and_can_be_asked_for_again(kind, fields):
    with answering(kind, fields, ["f"]) as connector, pytest.raises(Unavailable):
        list(pages(connector, KINDS[kind][2]))


@pytest.mark.parametrize("id_", [b'"7\\u0000"', b'"a b"', b'""', b'"\\ud800"', b"null"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_id_that_is_none_is_refused(kind, id_):
    name = b'"Id"' if kind == "salesforce" else b'"f":1}, "id"'
    tail = b', "properties":{"f":1' if kind == "hubspot" else b""
    fields = name + b":" + id_ + tail
    with answering(kind, fields, ["f"]) as connector, pytest.raises(Unavailable):
        list(pages(connector, KINDS[kind][2]))


def test_values_of_salesforce_are_not_read_before_they_are_asked_for():
    with answering("salesforce", b'"f":1.10,"g":"\xff"', ["f", "g"]) as connector:
        (reading,) = next(pages(connector, "Account")).readings
    assert isinstance(reading.fields, Slices)
    assert "SystemModstamp" not in reading.fields
    assert (reading.fields["f"], reading.fields["g"]) == ("1.10", '"\ufffd"')
