"""Making HubSpot records anew: what goes on the wire, and what a lost answer comes to."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.client import Client
from connectors.hubspot.owning import Owners
from connectors.hubspot.recreating import Recreation, remake
from connectors.hubspot.transport import Transport
from crmtrail.errors import Throttled
from crmtrail.model import Field, FieldType, Ref, Verdict, Write
from support.scripted_http import Asked, Scripted, ScriptedServer

FIELDS = {
    "email": Field("email", FieldType.EMAIL, unique=True),
    "name": Field("name"),
    "tier": Field("tier", FieldType.CHOICE, options=("gold",)),
    "createdate": Field("createdate", FieldType.DATETIME, updateable=False, createable=False),
    "score": Field("score", updateable=False, createable=False, computed=True),
    "source": Field("source", updateable=False),
}
AFTER, BEFORE = "2026-11-24T10:00:01.000Z", "2026-11-24T09:00:00.000Z"
"""Before and after the Date header of the scripted server."""


LONG_AGO = datetime(2026, 11, 24, 9, tzinfo=UTC)


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 10, tzinfo=UTC)


def inputs(asked: Asked) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(asked.body)["inputs"]
    return found


def made(asked: Asked, *, trace: bool = True) -> Scripted:
    """Make everything; ids grow from 900 on, results come backwards."""
    results = [
        {"id": str(900 + number), "properties": one["properties"], "createdAt": AFTER}
        | ({"objectWriteTraceId": one["objectWriteTraceId"]} if trace else {})
        for number, one in enumerate(inputs(asked))
    ]
    return Scripted(201, {"status": "COMPLETE", "results": results[::-1]})


@contextmanager
def recreation(
    answer: Callable[[Asked], Scripted],
    *script: Scripted,
    object_: str = "contacts",
    before: set[str] | None = None,
    **more: Field,
) -> Iterator[tuple[ScriptedServer, Recreation]]:
    with ScriptedServer(*script, otherwise=answer) as server:
        transport = Transport(
            base_url=server.url,
            token="a-token",
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
        )
        client = Client(transport)
        yield server, Recreation(client, object_, FIELDS | more, Owners(client), before)
        transport.close()


def write(number: int, **fields: str) -> Write:
    chosen = fields or {"name": f'"N{number}"'}
    return Write(Ref("hs", "contacts", str(number)), chosen, f"key-{number}")


def test_what_can_be_made_anew_is_told_from_what_cannot() -> None:
    fields = {
        "name": '"N"',
        "tier": '"tin"',
        "score": '"7"',
        "source": '"form"',
        "gone": '"1"',
        "email": "null",
    }
    plan = remake(write(1, **fields), FIELDS)
    assert plan.values == {"name": "N", "source": "form"}
    assert plan.left.keys() == {"tier", "gone"}
    assert plan.missing == []


def test_a_record_without_what_hubspot_requires_is_not_sent() -> None:
    with recreation(made, label=Field("label", required=True)) as (server, anew):
        (answer,) = anew.make([write(1)])
        assert server.asked == []
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "MISSING_REQUIRED_PROPERTY")
    assert "label" in answer.message


@pytest.mark.parametrize("trace", [True, False])
def test_new_ids_are_told_apart_whatever_their_order(trace: bool) -> None:
    with recreation(lambda asked: made(asked, trace=trace)) as (server, anew):
        answers = anew.make([write(number) for number in range(5)])
        (asked,) = server.asked
    assert asked.target == "/crm/v3/objects/contacts/batch/create"
    assert inputs(asked)[3] == {
        "properties": {"name": "N3"},
        "associations": [],
        "objectWriteTraceId": "key-3",
    }
    assert [one.id for one in answers] == ["900", "901", "902", "903", "904"]
    assert "another id" in answers[0].message


def test_two_that_are_alike_go_out_singly() -> None:
    with recreation(made, object_="line_items") as (server, anew):
        answers = anew.make([write(1, name='"same"'), write(2, name='"same"'), write(3)])
        sent = [[one["objectWriteTraceId"] for one in inputs(asked)] for asked in server.asked]
    assert sent == [["key-1", "key-3"], ["key-2"]]
    assert {one.verdict for one in answers} == {Verdict.ACCEPTED}


def test_a_bad_row_is_told_by_its_trace_and_by_halving() -> None:
    error = {
        "category": "CONFLICT",
        "message": "Contact already exists. Existing ID: 77",
        "context": {"objectWriteTraceId": ["key-1"]},
    }

    def answer(asked: Asked) -> Scripted:
        traces = {one["objectWriteTraceId"] for one in inputs(asked)}
        if "key-2" in traces:
            return Scripted(400, {"category": "VALIDATION_ERROR", "message": "it is blocklisted"})
        good = [one for one in inputs(asked) if one["objectWriteTraceId"] != "key-1"]
        results = [
            {"id": "9", "objectWriteTraceId": one["objectWriteTraceId"], "properties": {}}
            for one in good
        ]
        return Scripted(207, {"results": results, "errors": [error] if "key-1" in traces else []})

    with recreation(answer) as (_, anew):
        first, taken, forgotten = anew.make([write(number) for number in range(3)])
    assert first.verdict is Verdict.ACCEPTED
    assert (taken.verdict, taken.code) == (Verdict.REFUSED, "CONFLICT")
    assert "record 77 holds the value now" in taken.hint
    assert forgotten.code == "BLOCKLISTED"
    assert "must not be made anew" in forgotten.hint


def found(created: str, **properties: str) -> Scripted:
    return Scripted(
        200, {"results": [{"id": "55", "properties": properties, "createdAt": created}]}
    )


def test_a_lost_answer_is_settled_by_a_unique_value_and_nothing_is_made_twice() -> None:
    lost = Scripted(reset=True)
    with recreation(made, lost, found(AFTER, email="A@x.example")) as (server, anew):
        (answer,) = anew.make([write(1, email='"a@x.example"')])
        create, look = server.asked
    assert create.target.endswith("/batch/create")
    assert json.loads(look.body)["idProperty"] == "email"
    assert (answer.verdict, answer.id) == (Verdict.ACCEPTED, "55")


def test_an_older_holder_of_the_value_is_no_record_of_ours() -> None:
    old = found(BEFORE, email="a@x.example")
    with recreation(made, Scripted(502, b"<html>"), old) as (_, anew):
        (answer,) = anew.make([write(1, email='"a@x.example"')])
    assert (answer.verdict, answer.id) == (Verdict.REFUSED, None)
    assert "55" in answer.hint


@pytest.mark.parametrize("look", [Scripted(200, {"results": []}), Scripted(429), Scripted(404)])
def test_what_is_not_found_is_in_doubt_and_not_made_again(look: Scripted) -> None:
    with recreation(made, Scripted(reset=True), look) as (server, anew):
        (answer,) = anew.make([write(1, email='"a@x.example"')])
        assert len(server.asked) == 2
    assert answer.verdict is Verdict.UNKNOWN
    assert "made twice" in answer.hint


def test_a_pause_before_anything_was_made_is_raised() -> None:
    with recreation(made, Scripted(429, {})) as (_, anew), pytest.raises(Throttled):
        anew.make([write(1)])


def looked_for(
    since: datetime, *writes: Write, made_before: Sequence[str] = ()
) -> tuple[Mapping[str, str | None], list[Asked]]:
    """Look for records in a portal where a search shows three."""
    hits = Scripted(200, {"results": [{"id": str(n), "properties": {}} for n in (1, 2, 3)]})
    things = [
        {"id": "1", "properties": {"name": "N1"}},
        {"id": "2", "properties": {"name": "N2"}},
        {"id": "3", "properties": {"name": "N2"}},
    ]
    script = [hits, Scripted(200, {"results": things})]
    with recreation(made, *script, before=set(made_before)) as (server, anew):
        return anew.found(writes, since), server.asked


def test_later_a_lost_record_is_looked_for_by_all_its_values() -> None:
    told, asked = looked_for(LONG_AGO, write(1), write(2), write(4))
    assert told == {"key-1": "1", "key-2": None}
    (condition,) = json.loads(asked[0].body)["filterGroups"][0]["filters"]
    assert (condition["propertyName"], condition["operator"]) == ("createdate", "GTE")


def test_too_early_nothing_is_taken_for_absent() -> None:
    told, _ = looked_for(datetime(2026, 11, 24, 9, 59, tzinfo=UTC), write(1), write(4))
    assert told == {"key-1": "1", "key-4": None}


def test_records_of_our_own_are_no_lost_ones() -> None:
    told, _ = looked_for(LONG_AGO, write(2), made_before=["2"])
    assert told == {"key-2": "3"}


def test_a_unique_value_that_nobody_holds_may_be_made() -> None:
    nobody = Scripted(200, {"results": []})
    with recreation(made, nobody) as (server, anew):
        now = datetime(2026, 11, 24, 9, 59, 59, tzinfo=UTC)
        told = anew.found([write(1, email='"a@x.example"')], now)
        assert len(server.asked) == 1
    assert told == {}
