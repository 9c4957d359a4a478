"""Writes: what goes on the wire, and which verdict each record gets."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.client import Client
from connectors.hubspot.transport import Transport
from connectors.hubspot.writing import Writing, spelled
from crmtrail.errors import Ambiguous, Throttled
from crmtrail.model import NULL, Answer, Field, Ref, Verdict, Write
from support.scripted_http import Asked, Scripted, ScriptedServer

FIELDS = {
    "phone": Field("phone"),
    "score": Field("score", updateable=False, computed=True),
    "lifecyclestage": Field("lifecyclestage", options=("lead", "customer", "evangelist")),
}


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def inputs(asked: Asked) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(asked.body)["inputs"]
    return found


def done(asked: Asked) -> Scripted:
    """Accept everything, in another order than asked."""
    results = [
        {"id": one["id"], "objectWriteTraceId": one["objectWriteTraceId"]} for one in inputs(asked)
    ]
    return Scripted(200, {"status": "COMPLETE", "results": results[::-1]})


@contextmanager
def writing(
    answer: Callable[[Asked], Scripted], *script: Scripted
) -> Iterator[tuple[ScriptedServer, Writing]]:
    with ScriptedServer(*script, otherwise=answer) as server:
        transport = Transport(
            base_url=server.url,
            token="t",
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
        )
        yield server, Writing(Client(transport), "contacts", FIELDS)
        transport.close()


def writes(count: int, **fields: str) -> list[Write]:
    chosen = fields or {"phone": '"1"'}
    return [Write(Ref("hs", "contacts", str(n)), chosen, f"key-{n}") for n in range(count)]


def verdicts(answers: Sequence[Answer]) -> list[Verdict]:
    return [one.verdict for one in answers]


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (NULL, ""),
        ('"abc"', "abc"),
        ('"Zo\\u00eb"', "Zoë"),
        ("1.10", "1.10"),
        ("true", "true"),
        ('";b;c"', "b;c"),
        ('"a;b"', "a;b"),
    ],
)
def test_values_go_out_as_text(token: str, text: str) -> None:
    assert spelled(token) == text


def test_one_batch_is_one_request_with_trace_ids() -> None:
    with writing(done) as (server, batch):
        answers = batch.write(writes(100))
        (asked,) = server.asked
    assert asked.target == "/crm/v3/objects/contacts/batch/update"
    assert inputs(asked)[7] == {
        "id": "7",
        "properties": {"phone": "1"},
        "objectWriteTraceId": "key-7",
    }
    assert [one.key for one in answers] == [f"key-{n}" for n in range(100)]
    assert set(verdicts(answers)) == {Verdict.ACCEPTED}


def test_what_hubspot_does_not_mention_is_unknown() -> None:
    answer = Scripted(
        207,
        {
            "status": "COMPLETE",
            "results": [{"id": "0"}, {"id": "77"}],
            "numErrors": 2,
            "errors": [
                {"category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["1"]}},
                {
                    "category": "VALIDATION_ERROR",
                    "message": "bad",
                    "context": {"objectWriteTraceId": ["key-2"]},
                    "errors": [{"code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}],
                },
            ],
        },
    )
    with writing(done, answer) as (_, batch):
        answers = batch.write(writes(4))
    assert verdicts(answers) == [
        Verdict.ACCEPTED,
        Verdict.REFUSED,
        Verdict.REFUSED,
        Verdict.UNKNOWN,
    ]
    assert [one.code for one in answers] == ["", "OBJECT_NOT_FOUND", "INVALID_EMAIL", ""]
    assert "email must be a valid" in answers[2].hint


def test_a_bad_row_is_found_by_halving() -> None:
    def answer(asked: Asked) -> Scripted:
        if any(one["id"] == "61" for one in inputs(asked)):
            return Scripted(400, {"category": "VALIDATION_ERROR", "message": "no such owner"})
        return done(asked)

    with writing(answer) as (server, batch):
        answers = batch.write(writes(100))
        sent = [[one["id"] for one in inputs(asked)] for asked in server.asked]
    assert [one.key for one in answers if one.verdict is not Verdict.ACCEPTED] == ["key-61"]
    assert answers[61].message == "no such owner"
    assert len(sent) <= 15
    accepted = [id_ for part in sent if "61" not in part for id_ in part]
    assert sorted(accepted) == sorted(str(n) for n in range(100) if n != 61)


@pytest.mark.parametrize(
    "trouble",
    [Scripted(429, {"policyName": "SECONDLY"}), Scripted(reset=True), Scripted(503, b"<html>")],
)
def test_trouble_after_something_landed_leaves_the_rest_unknown(trouble: Scripted) -> None:
    def answer(asked: Asked) -> Scripted:
        ids = [one["id"] for one in inputs(asked)]
        if len(ids) == 8:
            return Scripted(400, {})
        return done(asked) if "0" in ids else trouble

    with writing(answer) as (_, batch):
        answers = batch.write(writes(8))
    assert verdicts(answers) == [Verdict.ACCEPTED] * 4 + [Verdict.UNKNOWN] * 4
    assert answers[7].hint


def test_trouble_before_anything_landed_is_raised() -> None:
    with (
        writing(done, Scripted(429, {"policyName": "SECONDLY"})) as (_, batch),
        pytest.raises(Throttled),
    ):
        batch.write(writes(2))
    with writing(done, Scripted(reset=True)) as (_, batch), pytest.raises(Ambiguous):
        batch.write(writes(2))


def test_unfit_fields_are_refused_without_a_request() -> None:
    with writing(done) as (server, batch):
        answers = batch.write([*writes(1, nothing='"1"'), *writes(1, score='"1"')][:1])
        assert server.asked == []
    assert answers[0].code == "PROPERTY_DOESNT_EXIST"
    with writing(done) as (server, batch):
        answers = batch.write(writes(1, score='"1"', phone='"1"'))
        assert server.asked == []
    assert (answers[0].code, answers[0].verdict) == ("READ_ONLY_VALUE", Verdict.REFUSED)
    assert "score" in answers[0].message


def test_two_writes_to_one_record_go_out_one_after_the_other() -> None:
    ref = Ref("hs", "contacts", "1")
    both = [Write(ref, {"phone": '"1"'}, "first"), Write(ref, {"phone": '"2"'}, "second")]
    with writing(done) as (server, batch):
        answers = batch.write(both)
        sent = [[one["objectWriteTraceId"] for one in inputs(asked)] for asked in server.asked]
    assert sent == [["first"], ["second"]]
    assert verdicts(answers) == [Verdict.ACCEPTED] * 2


def staged(now: dict[str, str | None]) -> Scripted:
    results = [{"id": id_, "properties": {"lifecyclestage": stage}} for id_, stage in now.items()]
    return Scripted(200, {"results": results})


def test_a_lifecycle_stage_moves_back_in_two_steps() -> None:
    now = staged({"0": "evangelist", "1": "lead", "2": "customer", "3": None, "4": "retired"})
    with writing(done, now) as (server, batch):
        answers = batch.write(writes(5, lifecyclestage='"customer"', phone='"1"'))
        _, first, second = server.asked
    assert {one["id"]: one["properties"] for one in inputs(first)} == {
        "0": {"lifecyclestage": ""},
        "4": {"lifecyclestage": ""},
    }
    assert [one["id"] for one in inputs(second)] == ["0", "1", "2", "3", "4"]
    assert inputs(second)[0]["properties"] == {"lifecyclestage": "customer", "phone": "1"}
    assert set(verdicts(answers)) == {Verdict.ACCEPTED}


def test_a_stage_that_was_cleared_but_not_set_is_unknown() -> None:
    cleared = Scripted(200, {"results": [{"id": "0"}]})
    reset = Scripted(reset=True)
    with writing(done, staged({"0": "evangelist"}), cleared, reset) as (_, batch):
        (answer,) = batch.write(writes(1, lifecyclestage='"lead"'))
    assert answer.verdict is Verdict.UNKNOWN


def test_clearing_a_stage_needs_one_request() -> None:
    with writing(done) as (server, batch):
        batch.write(writes(1, lifecyclestage=NULL))
        (asked,) = server.asked
    assert inputs(asked)[0]["properties"] == {"lifecyclestage": ""}
