"""Archiving HubSpot records and setting subscription statuses: what is sent and what is said."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.client import Client
from connectors.hubspot.consenting import set_statuses
from connectors.hubspot.removing import remove
from connectors.hubspot.transport import Transport
from crmtrail.errors import Ambiguous, Throttled
from crmtrail.model import Ref, Verdict, Write
from support.scripted_http import Asked, Scripted, ScriptedServer

ADDRESSES = {"1": "ada@x.example", "2": "Bob@x.example", "3": None}


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 10, tzinfo=UTC)


class Bin:
    """Records that live, lie in the bin, or went on as another."""

    def __init__(self, live: Sequence[str], binned: Sequence[str] = ()) -> None:
        self.live, self.binned = set(live), set(binned)
        self.merged: dict[str, str] = {}
        self.archived: list[list[str]] = []
        self.after: Scripted | None = None

    def answer(self, asked: Asked) -> Scripted:
        ids = [one["id"] for one in json.loads(asked.body)["inputs"]]
        if asked.target.endswith("/batch/archive"):
            self.archived.append(ids)
            if self.after is not None and self.after.status != 200:
                return self.after
            gone = {self.merged.get(id_, id_) for id_ in ids} & self.live
            self.live -= gone
            self.binned |= gone
            return self.after or Scripted(204, b"")
        archived = "archived=true" in asked.target
        place = self.binned if archived else self.live
        shown = [self.merged.get(id_, id_) for id_ in ids]
        results = [{"id": id_, "archived": archived} for id_ in shown if id_ in place]
        return Scripted(207, {"results": results, "errors": []})


@contextmanager
def client(answer: Callable[[Asked], Scripted]) -> Iterator[tuple[ScriptedServer, Client]]:
    with ScriptedServer(otherwise=answer) as server:
        transport = Transport(
            base_url=server.url,
            token="a-token",
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
        )
        yield server, Client(transport)
        transport.close()


def write(id_: str, **fields: str) -> Write:
    return Write(Ref("hs", "contacts", id_), fields, f"key-{id_}")


def test_what_lives_is_archived_and_looked_for_in_the_bin() -> None:
    portal = Bin(["1", "2"], ["3"])
    with client(portal.answer) as (_, hubspot):
        answers = remove(hubspot, "contacts", [write(id_) for id_ in ("1", "3", "4")])
    assert portal.archived == [["1"]]
    assert [one.verdict for one in answers] == [
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Verdict.REFUSED,
    ]
    assert "90 days" in answers[0].message
    assert "archived already" in answers[1].message
    assert answers[2].code == "OBJECT_NOT_FOUND"


def test_a_merged_id_never_archives_the_survivor() -> None:
    portal = Bin(["9"])
    portal.merged = {"1": "9"}
    with client(portal.answer) as (_, hubspot):
        (answer,) = remove(hubspot, "contacts", [write("1")])
    assert (portal.archived, portal.live) == ([], {"9"})
    assert answer.verdict is Verdict.REFUSED


@pytest.mark.parametrize("after", [Scripted(reset=True), Scripted(200, {"status": "COMPLETE"})])
def test_the_bin_settles_what_an_answer_leaves_open(after: Scripted) -> None:
    portal = Bin(["1"])
    portal.after = after
    with client(portal.answer) as (_, hubspot):
        (answer,) = remove(hubspot, "quotes", [write("1")])
    assert answer.verdict is Verdict.ACCEPTED
    assert "line items went with it" in answer.message


def test_what_is_still_live_after_a_lost_answer_is_in_doubt() -> None:
    portal = Bin(["1"])
    portal.after = Scripted(503, b"<html>")
    with client(portal.answer) as (_, hubspot):
        (answer,) = remove(hubspot, "contacts", [write("1")])
    assert answer.verdict is Verdict.UNKNOWN


def test_a_pause_was_no_archiving() -> None:
    portal = Bin(["1"])
    portal.after = Scripted(429, {})
    with client(portal.answer) as (_, hubspot), pytest.raises(Throttled):
        remove(hubspot, "contacts", [write("1")])


def statuses(asked: Asked) -> Scripted:
    body = json.loads(asked.body)
    if "/objects/contacts/" in asked.target:
        results: list[dict[str, Any]] = [
            {"id": one["id"], "properties": {"email": ADDRESSES[one["id"]]}}
            for one in body["inputs"]
        ]
        return Scripted(200, {"results": results})
    results = [
        {
            "subscriberIdString": one["subscriberIdString"].lower(),
            "subscriptionId": one["subscriptionId"],
            "status": one["statusState"],
            "channel": "EMAIL",
        }
        for one in body["inputs"]
    ]
    return Scripted(200, {"status": "COMPLETE", "results": results[::-1]})


def test_a_status_goes_out_with_its_legal_basis_and_explanation() -> None:
    told = {"legalBasis": '"CONSENT_WITH_NOTICE"', "legalBasisExplanation": '"signed 2024"'}
    one, two = write("1.7", status='"SUBSCRIBED"', **told), write("2.7", status='"UNSUBSCRIBED"')
    with client(statuses) as (server, hubspot):
        answers = set_statuses(hubspot, [one, two])
        _, asked = server.asked
    assert asked.target == "/communication-preferences/v4/statuses/batch/write"
    assert json.loads(asked.body)["inputs"] == [
        {
            "subscriberIdString": "ada@x.example",
            "subscriptionId": 7,
            "statusState": "SUBSCRIBED",
            "channel": "EMAIL",
            "legalBasis": "CONSENT_WITH_NOTICE",
            "legalBasisExplanation": "signed 2024",
        },
        {
            "subscriberIdString": "Bob@x.example",
            "subscriptionId": 7,
            "statusState": "UNSUBSCRIBED",
            "channel": "EMAIL",
        },
    ]
    assert {one.verdict for one in answers} == {Verdict.ACCEPTED}
    assert "ada@" not in repr(answers)


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (write("3.7", status='"SUBSCRIBED"'), "OBJECT_NOT_FOUND"),
        (write("1.7", status='"MAYBE"'), "INVALID_OPTION"),
        (write("1.7", legalBasis='"NON_GDPR"'), "INVALID_OPTION"),
        (write("1.7", status='"SUBSCRIBED"', subscriptionName='"x"'), "READ_ONLY_VALUE"),
        (write("ada@x.example", status='"SUBSCRIBED"'), "OBJECT_NOT_FOUND"),
    ],
)
def test_what_is_no_status_of_a_contact_is_refused(refused: Write, code: str) -> None:
    with client(statuses) as (server, hubspot):
        (answer,) = set_statuses(hubspot, [refused])
        assert all("/statuses/" not in asked.target for asked in server.asked)
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, code)
    assert answer.hint


def test_a_status_that_is_not_as_asked_is_in_doubt_and_a_lost_answer_ambiguous() -> None:
    def other(asked: Asked) -> Scripted:
        if "/statuses/" not in asked.target:
            return statuses(asked)
        return Scripted(200, {"results": []})

    def lost(asked: Asked) -> Scripted:
        return statuses(asked) if "/statuses/" not in asked.target else Scripted(reset=True)

    due = [write("1.7", status='"SUBSCRIBED"')]
    with client(other) as (_, hubspot):
        assert set_statuses(hubspot, due)[0].verdict is Verdict.UNKNOWN
    with client(lost) as (_, hubspot), pytest.raises(Ambiguous):
        set_statuses(hubspot, due)


def test_without_the_scope_for_batches_each_status_is_set_alone() -> None:
    def closed(asked: Asked) -> Scripted:
        if asked.target.endswith("/batch/write"):
            return Scripted(403, {"category": "MISSING_SCOPES"})
        if "/statuses/" not in asked.target:
            return statuses(asked)
        address = asked.target.rpartition("/")[2].replace("%40", "@")
        body = json.loads(asked.body)
        result = {"subscriptionId": body["subscriptionId"], "status": body["statusState"]}
        return Scripted(200, {"results": [{"subscriberIdString": address} | result]})

    due = [write(id_, status='"UNSUBSCRIBED"') for id_ in ("1.7", "2.7")]
    with client(closed) as (server, hubspot):
        answers = set_statuses(hubspot, due)
        targets = [asked.target.rpartition("/statuses/")[2] for asked in server.asked[1:]]
    assert targets == ["batch/write", "ada%40x.example", "Bob%40x.example"]
    assert {one.verdict for one in answers} == {Verdict.ACCEPTED}
