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
from crmtrail.model import NULL, Answer, Field, FieldType, Ref, Verdict, Write
from support.scripted_http import Asked, Scripted, ScriptedServer

FIELDS = {
    "phone": Field("phone"),
    "hobbies": Field("hobbies", FieldType.MULTICHOICE, options=("golf", "chess", "tennis")),
    "status": Field("status", FieldType.CHOICE, options=("NEW", "OPEN")),
    "born": Field("born", FieldType.DATE),
    "hubspot_owner_id": Field("hubspot_owner_id", FieldType.REFERENCE, references=("owner",)),
    "amount": Field("amount", FieldType.MONEY),
    "pipeline": Field("pipeline", FieldType.CHOICE, options=("default", "new")),
    "dealstage": Field("dealstage", FieldType.CHOICE, options=("won",)),
    "hs_locked": Field("hs_locked", FieldType.BOOLEAN, options=("true", "false")),
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
    answer: Callable[[Asked], Scripted], *script: Scripted, object_: str = "contacts", **more: Field
) -> Iterator[tuple[ScriptedServer, Writing]]:
    with ScriptedServer(*script, otherwise=answer) as server:
        transport = Transport(
            base_url=server.url,
            token="a-token",
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
        )
        yield server, Writing(Client(transport), object_, FIELDS | more)
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
        answers = batch.write(writes(1, score='"1"'))
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


@pytest.mark.parametrize(
    ("token", "kind", "text"),
    [
        ('";golf;chess"', FieldType.MULTICHOICE, "golf;chess"),
        ('";;golf"', FieldType.MULTICHOICE, "golf"),
        ('"; as it was"', FieldType.TEXT, "; as it was"),
        ('"2026-03-31"', FieldType.DATE, "2026-03-31"),
        ('"1774915200000"', FieldType.DATE, "1774915200000"),
        (NULL, FieldType.MULTICHOICE, ""),
    ],
)
def test_only_choices_lose_a_leading_semicolon(token: str, kind: FieldType, text: str) -> None:
    assert spelled(token, Field("f", kind)) == text


def test_nothing_is_ever_sent_as_null() -> None:
    with writing(done) as (server, batch):
        batch.write(writes(3, phone=NULL, hobbies=NULL, born=NULL))
        (asked,) = server.asked
    assert b"null" not in asked.body
    assert {text for one in inputs(asked) for text in one["properties"].values()} == {""}


def test_what_cannot_be_set_is_left_out_and_the_rest_is_sent() -> None:
    with writing(done) as (server, batch):
        (answer,) = batch.write(writes(1, score='"1"', status='"GONE"', phone='"1"'))
        (asked,) = server.asked
    assert inputs(asked)[0]["properties"] == {"phone": "1"}
    assert answer.verdict is Verdict.REFUSED
    assert "score" in answer.message
    assert "status" in answer.message
    assert "the other fields were sent" in answer.message
    assert "add the option again" in answer.hint
    assert "leave the field as it is" in answer.hint
    assert "by hand" in answer.hint


def test_a_choice_is_checked_part_by_part() -> None:
    with writing(done) as (server, batch):
        good, bad = batch.write(
            [*writes(1, hobbies='"golf;tennis"'), *writes(2, hobbies='"golf;polo"')[1:]]
        )
        (asked,) = server.asked
    assert [one["id"] for one in inputs(asked)] == ["0"]
    assert (good.verdict, bad.code) == (Verdict.ACCEPTED, "INVALID_OPTION")


def test_results_are_told_apart_by_trace_whatever_their_order() -> None:
    def survivors(asked: Asked) -> Scripted:
        results = [
            {
                "id": "900" if one["id"] == "1" else one["id"],
                "objectWriteTraceId": one["objectWriteTraceId"],
            }
            for one in inputs(asked)
        ]
        return Scripted(200, {"results": results[::-1]})

    with writing(survivors) as (_, batch):
        answers = batch.write(writes(3))
    assert verdicts(answers) == [Verdict.ACCEPTED, Verdict.UNKNOWN, Verdict.ACCEPTED]
    assert answers[1].code == "MERGED"
    assert "900" in answers[1].message


def test_results_without_a_trace_are_told_apart_by_id() -> None:
    def bare(asked: Asked) -> Scripted:
        return Scripted(200, {"results": [{"id": one["id"]} for one in inputs(asked)][::-1]})

    with writing(bare) as (_, batch):
        assert set(verdicts(batch.write(writes(5)))) == {Verdict.ACCEPTED}


def test_errors_folded_into_a_200_count_all_the_same() -> None:
    def folded(asked: Asked) -> Scripted:
        first, *rest = inputs(asked)
        error = {
            "category": "VALIDATION_ERROR",
            "message": "Property values were not valid",
            "errors": [{"code": "MISSING_CONDITIONAL_REQUIRED_PROPERTY", "message": "needs reason",
                        "context": {"propertyName": ["close_reason"]}}],
            "context": {"objectWriteTraceId": [first["objectWriteTraceId"]]},
        }  # fmt: skip
        results = [{"id": one["id"]} for one in rest]
        return Scripted(200, {"results": results, "numErrors": 1, "errors": [error]})

    with writing(folded) as (_, batch):
        answers = batch.write(writes(3))
    assert verdicts(answers) == [Verdict.REFUSED, Verdict.ACCEPTED, Verdict.ACCEPTED]
    assert answers[0].code == "MISSING_CONDITIONAL_REQUIRED_PROPERTY"
    assert "close_reason" in answers[0].hint
    assert "Conditional logic" in answers[0].hint


def test_each_poison_row_keeps_its_own_reason() -> None:
    reasons = {
        "3": {"errors": [{"code": "INVALID_INTEGER", "context": {"propertyName": ["score"]}}]},
        "40": {"message": "Missing 'Edit Associations' permission."},
        "77": {"message": "Contact already exists. Existing ID: 15875483046"},
    }

    def answer(asked: Asked) -> Scripted:
        bad = next((one["id"] for one in inputs(asked) if one["id"] in reasons), None)
        if bad is None:
            return done(asked)
        return Scripted(
            409 if bad == "77" else 400, {"category": "VALIDATION_ERROR"} | reasons[bad]
        )

    with writing(answer) as (server, batch):
        answers = batch.write(writes(100))
        requests = len(server.asked)
    refused = {one.key: one for one in answers if one.verdict is Verdict.REFUSED}
    assert {key: one.code for key, one in refused.items()} == {
        "key-3": "INVALID_INTEGER",
        "key-40": "EDIT_ASSOCIATIONS",
        "key-77": "CONFLICT",
    }
    assert "15875483046" in refused["key-77"].hint
    assert requests <= 3 * 15
    assert sum(one.verdict is Verdict.ACCEPTED for one in answers) == 97


def test_warnings_of_normalized_values_are_told_without_them() -> None:
    def warned(asked: Asked) -> Scripted:
        (one,) = inputs(asked)
        context = {"propertyName": "born", "rawValue": "secret", "normalizedValue": "2026-03-31"}
        warnings = [{"category": "PROPERTY_VALUE_NORMALIZED", "message": "m", "context": context}]
        return Scripted(200, {"results": [{"id": one["id"], "warnings": warnings}]})

    with writing(warned) as (_, batch):
        (answer,) = batch.write(writes(1, born='"2026-03-31T05:00:00Z"'))
    assert answer.verdict is Verdict.ACCEPTED
    assert answer.message == "HubSpot normalized the value of born"


def test_a_stage_is_cleared_under_another_trace_id() -> None:
    with writing(done, staged({"0": "evangelist"})) as (server, batch):
        batch.write(writes(1, lifecyclestage='"lead"'))
        _, first, second = server.asked
    traces = [inputs(asked)[0]["objectWriteTraceId"] for asked in (first, second)]
    assert traces == ["key-0.blank", "key-0"]


def test_a_stage_that_cannot_be_cleared_is_not_set() -> None:
    refused = Scripted(400, {"category": "VALIDATION_ERROR", "message": "is required"})
    with writing(done, staged({"0": "evangelist"}), refused) as (server, batch):
        (answer,) = batch.write(writes(1, lifecyclestage='"lead"', phone='"1"'))
        assert len(server.asked) == 2
    assert answer.verdict is Verdict.REFUSED


def told_now(**properties: str | None) -> Scripted:
    return Scripted(200, {"results": [{"id": "0", "properties": properties}]})


def test_an_amount_that_follows_from_line_items_is_left_to_them() -> None:
    now = told_now(hs_num_of_associated_line_items="2")
    with writing(done, now, object_="deals") as (server, batch):
        (answer,) = batch.write(writes(1, amount='"100"', phone='"1"'))
        asked = server.asked
    assert json.loads(asked[0].body)["properties"] == ["hs_num_of_associated_line_items"]
    assert inputs(asked[1])[0]["properties"] == {"phone": "1"}
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "AMOUNT_OF_LINE_ITEMS")
    assert "restore the line items" in answer.hint


@pytest.mark.parametrize("count", ["0", None, ""])
def test_an_amount_of_its_own_is_written(count: str | None) -> None:
    now = told_now(hs_num_of_associated_line_items=count)
    with writing(done, now, object_="0-3") as (server, batch):
        (answer,) = batch.write(writes(1, amount='"100"'))
        assert inputs(server.asked[1])[0]["properties"] == {"amount": "100"}
    assert answer.verdict is Verdict.ACCEPTED


def test_a_pipeline_and_its_stage_go_together() -> None:
    with writing(done, told_now(dealstage="won"), object_="deals") as (server, batch):
        batch.write(writes(1, pipeline='"new"'))
        sent = inputs(server.asked[1])[0]["properties"]
    assert sent == {"pipeline": "new", "dealstage": "won"}
    with writing(done, object_="deals") as (server, batch):
        batch.write(writes(1, pipeline='"new"', dealstage='"open"'))
        (asked,) = server.asked
    assert inputs(asked)[0]["properties"] == {"pipeline": "new", "dealstage": "open"}


def test_a_locked_quote_is_left_alone() -> None:
    with writing(done, told_now(hs_locked="true"), object_="quotes") as (server, batch):
        (answer,) = batch.write(writes(1, phone='"1"'))
        assert len(server.asked) == 1
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "QUOTE_LOCKED")
    assert "recall it" in answer.hint
    with writing(done, told_now(hs_locked="true"), object_="quotes") as (_, batch):
        (answer,) = batch.write(writes(1, hs_locked='"false"', phone='"1"'))
    assert answer.verdict is Verdict.ACCEPTED


def test_an_inactive_owner_is_refused_before_it_is_sent() -> None:
    page = Scripted(
        200, {"results": [{"id": "7", "userId": 1}], "paging": {"next": {"after": "1"}}}
    )
    last = Scripted(200, {"results": [{"id": "8", "userId": 2}]})
    both = [*writes(1, hubspot_owner_id='"8"'), *writes(2, hubspot_owner_id='"9"', phone='"1"')[1:]]
    with writing(done, page, last) as (server, batch):
        good, bad = batch.write(both)
        *owners, asked = server.asked
    assert [one.target.partition("?")[0] for one in owners] == ["/crm/v3/owners/"] * 2
    assert [one["properties"] for one in inputs(asked)] == [
        {"hubspot_owner_id": "8"},
        {"phone": "1"},
    ]
    assert good.verdict is Verdict.ACCEPTED
    assert (bad.verdict, bad.code) == (Verdict.REFUSED, "INVALID_OWNER_ID")
    assert "activate that user" in bad.hint


def test_owners_that_may_not_be_read_are_left_to_hubspot() -> None:
    with writing(done, Scripted(403, {"category": "MISSING_SCOPES"})) as (_, batch):
        (answer,) = batch.write(writes(1, hubspot_owner_id='"9"'))
    assert answer.verdict is Verdict.ACCEPTED


def test_a_locked_record_is_a_pause_and_nothing_was_sent() -> None:
    busy = Scripted(423, {"category": "LOCKED"})
    with writing(done, busy) as (_, batch), pytest.raises(Throttled) as caught:
        batch.write(writes(2))
    assert caught.value.after is not None
    assert caught.value.after >= 2


def test_a_write_of_nothing_sends_nothing() -> None:
    with writing(done) as (server, batch):
        (answer,) = batch.write([Write(Ref("hs", "contacts", "1"), {}, "k")])
        assert server.asked == []
    assert answer.verdict is Verdict.ACCEPTED


def test_errors_that_name_nobody_are_told_where_they_can_only_mean_the_unmentioned() -> None:
    def answer(asked: Asked) -> Scripted:
        results = [{"id": one["id"]} for one in inputs(asked)[1:]]
        error = {"category": "VALIDATION_ERROR", "message": "the quote is published and locked"}
        return Scripted(207, {"results": results, "numErrors": 1, "errors": [error]})

    with writing(answer) as (_, batch):
        answers = batch.write(writes(3))
    assert verdicts(answers) == [Verdict.REFUSED, Verdict.ACCEPTED, Verdict.ACCEPTED]
    assert answers[0].code == "QUOTE_LOCKED"


def test_several_owners_in_one_property_are_looked_up_one_by_one() -> None:
    page = Scripted(200, {"results": [{"id": "7"}, {"id": "8"}]})
    both = [*writes(1, hubspot_owner_id='"7;8"'), *writes(2, hubspot_owner_id='"8;9"')[1:]]
    with writing(done, page) as (_, batch):
        assert verdicts(batch.write(both)) == [Verdict.ACCEPTED, Verdict.REFUSED]


@pytest.mark.parametrize("trouble", [Scripted(503, b"<html>"), Scripted(reset=True)])
def test_owners_that_cannot_be_had_stop_no_write(trouble: Scripted) -> None:
    with writing(done, trouble) as (_, batch):
        (answer,) = batch.write(writes(1, hubspot_owner_id='"9"'))
    assert answer.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("now", "target", "requests"),
    [
        ("customer", "other", 2),  # a look, and a step forward by both orders
        ("lead", "77001", 2),
        ("77001", "lead", 3),
        ("other", "lead", 3),
        ("lead", "customer", 3),
        ("retired", "lead", 3),
    ],
)
def test_a_stage_is_cleared_first_unless_it_surely_moves_forward(
    now: str, target: str, requests: int
) -> None:
    odd = Field(
        "lifecyclestage", options=("customer", "other", "lead", "77001", "subscriber", "77002")
    )
    with writing(done, staged({"0": now}), lifecyclestage=odd) as (server, batch):
        (answer,) = batch.write(writes(1, lifecyclestage=f'"{target}"'))
        assert len(server.asked) == requests
    assert answer.verdict is Verdict.ACCEPTED
