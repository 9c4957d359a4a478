"""How a written field ended, judged by what is read back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from crmtrail.model import (
    NULL,
    OVERTAKEN,
    Action,
    Actor,
    Answer,
    Event,
    Loss,
    Outcome,
    Reading,
    Removal,
    Result,
    Step,
    Token,
    Verdict,
    unknown,
)
from crmtrail.ports import Journalled, StepState
from rollback.plan import COMPUTED
from rollback.verdict import (
    End,
    Sent,
    changed,
    image,
    judge,
    looked_at,
    outcome,
    refused,
)
from support.restoring import ADA, SYNC, US, at, reading, ref, step, text

GOOD = text("555")
BEFORE = reading({"Phone": NULL, "Title": NULL}, minutes=10)
TWO = step(expect={"Phone": NULL, "Title": NULL}, write={"Phone": GOOD, "Title": text("t")})


def sent(verdict: Verdict, *, made: Step | None = None, message: str = "") -> Sent:
    made = made or step()
    names = tuple(made.write)
    return Sent(made, names, image(BEFORE, names), Answer("k", verdict, "CODE", message))


def after(
    fields: Mapping[str, Token], minutes: float, *trail: tuple[str, Token, float, Actor]
) -> Reading:
    actor = trail[-1][3] if trail else US
    events = tuple(Event(name, token, at(when), who) for name, token, when, who in trail)
    return replace(reading(fields, minutes=minutes, actor=actor), trail=events)


def phone(made: Sent, found: Reading | Removal | None) -> End:
    return judge(made, found, US.id)["Phone"]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_value_read_back_decides_whatever_the_answer_was(verdict: Verdict) -> None:
    assert phone(sent(verdict), after({"Phone": GOOD}, 20)).result is Result.RESTORED


def test_a_refused_field_is_refused_in_the_vendors_words() -> None:
    end = phone(sent(Verdict.REFUSED, message="no"), after({"Phone": NULL}, 10))
    assert (end.result, end.words) == (Result.REFUSED, "refused by the CRM: no (CODE)")


@pytest.mark.parametrize(
    ("now", "minutes", "result", "again"),
    [
        (NULL, 10, Result.FAILED, True),
        (NULL, 20, Result.CONFLICT, False),
        (text("other"), 20, Result.CONFLICT, False),
    ],
    ids=["unchanged", "touched", "changed"],
)
def test_a_write_that_came_too_late_is_a_conflict_or_is_tried_again(
    now: Token, minutes: float, result: Result, again: bool
) -> None:
    made = replace(sent(Verdict.REFUSED), answer=Answer("k", Verdict.REFUSED, OVERTAKEN))
    end = phone(made, replace(after({"Phone": now}, minutes), actor=ADA))
    assert (end.result, end.asks_again) == (result, again)


def test_what_the_vendor_warned_of_says_why_a_value_was_not_kept() -> None:
    warned = sent(Verdict.ACCEPTED, message="HubSpot normalized the value of Phone")
    end = phone(warned, after({"Phone": text("5 55")}, 20))
    assert end.result is Result.FAILED
    assert end.words.endswith("another value; HubSpot normalized the value of Phone")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("k", Verdict.REFUSED), "refused by the CRM: the CRM gave no reason"),
        (Answer("k", Verdict.REFUSED, "LOCKED"), "refused by the CRM: LOCKED"),
        (
            Answer("k", Verdict.REFUSED, "LOCKED", "it is locked", "unlock it"),
            "refused by the CRM: it is locked (LOCKED); unlock it",
        ),
    ],
)
def test_a_refusal_always_says_something(answer: Answer, words: str) -> None:
    assert refused(answer) == words


@pytest.mark.parametrize(
    ("found", "result", "words"),
    [
        # Nothing moved: the vendor accepted and dropped it.
        (after({"Phone": NULL}, 10), Result.FAILED, "still holds the value from before"),
        # Ours, transformed.
        (
            after({"Phone": text("+555")}, 20, ("Phone", text("+555"), 20, US)),
            Result.FAILED,
            "now holds another value",
        ),
        # Ours, then Ada's.
        (
            after({"Phone": text("9")}, 21, ("Phone", GOOD, 20, US), ("Phone", text("9"), 21, ADA)),
            Result.CONFLICT,
            "changed since by Ada at 2026-11-20 09:21:00Z while the restore ran",
        ),
        # Ours, then our automation's, under our own name.
        (
            after({"Phone": text("9")}, 21, ("Phone", GOOD, 20, US), ("Phone", text("9"), 21, US)),
            Result.CONFLICT,
            "changed since",
        ),
        # The history before our write says nothing of what came after.
        (
            after({"Phone": NULL}, 20, ("Phone", GOOD, 1, ADA), ("Phone", NULL, 2, SYNC)),
            Result.FAILED,
            "still holds the value from before",
        ),
        # No history; the last editor is somebody else.
        (
            replace(after({"Phone": text("9")}, 21), actor=ADA),
            Result.CONFLICT,
            "last edited by Ada while the restore ran",
        ),
        # No history, and the vendor does not say who.
        (
            replace(after({"Phone": text("9")}, 21), actor=unknown("not told")),
            Result.FAILED,
            "now holds another value",
        ),
    ],
)
def test_an_accepted_write_that_is_not_there(found: Reading, result: Result, words: str) -> None:
    end = phone(sent(Verdict.ACCEPTED), found)
    assert end.result is result
    assert words in end.words
    assert not end.asks_again


@pytest.mark.parametrize(
    ("found", "again"),
    [
        (after({"Phone": NULL}, 10), True),
        (after({"Phone": '""'}, 10), True),
        # The record moved, but the field's own history shows that the field did not.
        (after({"Phone": NULL}, 20, ("Phone", NULL, 2, SYNC)), True),
        # The record moved, and nothing shows by what.
        (after({"Phone": NULL}, 20), False),
        (after({"Phone": NULL}, 20, ("Title", text("x"), 20, ADA)), False),
        # Ours landed, and the sync wrote its bad value again.
        (after({"Phone": NULL}, 21, ("Phone", GOOD, 20, US), ("Phone", NULL, 21, SYNC)), False),
    ],
)
def test_in_doubt_only_proof_allows_another_write(found: Reading, again: bool) -> None:
    end = phone(sent(Verdict.UNKNOWN), found)
    assert end.asks_again is again
    assert end.result is (Result.FAILED if again else Result.CONFLICT)


def test_a_write_that_landed_in_part_is_not_sent_again() -> None:
    found = after({"Phone": GOOD, "Title": NULL}, 10)
    ends = judge(sent(Verdict.UNKNOWN, made=TWO), found, US.id)
    assert ends["Phone"].result is Result.RESTORED
    assert (ends["Title"].result, ends["Title"].asks_again) == (Result.FAILED, False)


@pytest.mark.parametrize(("who", "again"), [(US, True), (ADA, False)])
def test_a_blank_of_our_own_making_is_finished(who: Actor, again: bool) -> None:
    made = step(expect={"Phone": text("bad")})
    doubt = Sent(made, ("Phone",), image(reading({"Phone": text("bad")}), ("Phone",)),
                 Answer("k", Verdict.UNKNOWN))  # fmt: skip
    end = phone(doubt, after({"Phone": NULL}, 20, ("Phone", NULL, 20, who)))
    assert end.asks_again is again


@pytest.mark.parametrize(
    ("found", "verdict", "result", "words"),
    [
        (None, Verdict.UNKNOWN, Result.FAILED, "did not return the record"),
        (None, Verdict.REFUSED, Result.REFUSED, "CODE"),
        (
            Removal(ref(), Loss.DELETED, at(20), at(19), ADA),
            Verdict.REFUSED,
            Result.CONFLICT,
            "deleted since by Ada",
        ),
        (
            Removal(ref(), Loss.MERGED, at(20), None, unknown("not told"), merged_into="9"),
            Verdict.ACCEPTED,
            Result.CONFLICT,
            "merged into 9 since",
        ),
        (
            reading({"Phone": GOOD}, deleted=True),
            Verdict.ACCEPTED,
            Result.CONFLICT,
            "recycle bin",
        ),
        (after({"Title": NULL}, 20), Verdict.ACCEPTED, Result.FAILED, "no longer shows the field"),
    ],
)
def test_a_record_or_field_that_went_away(
    found: Reading | Removal | None, verdict: Verdict, result: Result, words: str
) -> None:
    end = phone(sent(verdict), found)
    assert end.result is result
    assert words in end.words


def test_an_unknown_author_is_not_invented() -> None:
    found = replace(reading({"Phone": NULL}), actor=unknown("not told"))
    assert changed(found, "Phone") == "changed since"
    told = after({"Phone": NULL}, 20, ("Phone", NULL, 20, unknown("not told")))
    assert changed(told, "Phone") == "changed since at 2026-11-20 09:20:00Z"


@pytest.mark.parametrize(
    ("results", "whole"),
    [
        ("already restored", Result.RESTORED),
        ("restored conflict already", Result.CONFLICT),
        ("conflict refused restored", Result.REFUSED),
        ("refused failed conflict", Result.FAILED),
        ("already", Result.ALREADY),
    ],
)
def test_a_step_ends_as_the_worst_of_its_fields(results: str, whole: Result) -> None:
    ends = {f"F{no}": End(Result(each), each) for no, each in enumerate(results.split())}
    made = step(write=dict.fromkeys(ends, GOOD))
    ended = outcome(made, ends)
    assert ended.result is whole
    assert ended.detail.split(": ")[1].startswith(whole.value)
    assert set(ended.fields) == set(ends)


@pytest.mark.parametrize(
    ("action", "expect", "left", "result", "fields"),
    [
        (Action.SKIP, {}, {}, Result.ALREADY, {}),
        (Action.SKIP, {}, {"F": COMPUTED}, Result.ALREADY, {}),
        (Action.BLOCKED, {}, {}, Result.REFUSED, {}),
        (Action.BLOCKED, {}, {"F": COMPUTED}, Result.REFUSED, {"F": Result.REFUSED}),
        (Action.BLOCKED, {}, {"F": "gone"}, Result.REFUSED, {"F": Result.REFUSED}),
        (Action.CONFLICT, {"F": NULL}, {"F": "changed"}, Result.CONFLICT, {"F": Result.CONFLICT}),
    ],
)
def test_a_step_that_writes_nothing_ends_as_planned(
    action: Action,
    expect: Mapping[str, Token],
    left: Mapping[str, str],
    result: Result,
    fields: Mapping[str, Result],
) -> None:
    made = step(action=action, expect=expect, write={}, left=left)
    ended = outcome(made, {})
    assert (ended.result, ended.fields) == (result, fields)
    assert ended.detail


@pytest.mark.parametrize(
    ("was", "found", "result"),
    [
        (Result.RESTORED, after({"Phone": GOOD}, 20), Result.ALREADY),
        (Result.RESTORED, after({"Phone": NULL}, 20), Result.CONFLICT),
        (Result.RESTORED, Removal(ref(), Loss.DELETED, at(20), None, ADA), Result.CONFLICT),
        (Result.RESTORED, None, Result.FAILED),
        (Result.RESTORED, after({}, 20), Result.FAILED),
        (Result.REFUSED, after({"Phone": NULL}, 20), Result.REFUSED),
        (Result.REFUSED, after({"Phone": GOOD}, 20), Result.ALREADY),
        (Result.CONFLICT, after({"Phone": text("9")}, 20), Result.CONFLICT),
        (Result.FAILED, None, Result.FAILED),
    ],
)
def test_a_settled_step_is_looked_at_again(
    was: Result, found: Reading | Removal | None, result: Result
) -> None:
    ended = Outcome("1", was, "", {"Phone": was})
    journalled = Journalled(step(), StepState.SETTLED, {}, ended)
    assert looked_at(journalled, found).result is result


@pytest.mark.parametrize(
    ("seconds", "editor", "again"),
    [(0, SYNC, True), (0, ADA, False), (0, US, False), (0.9, ADA, False), (1, ADA, True)],
    ids=["same editor", "colleague", "us", "second still running", "second over"],
)
def test_a_stamp_of_the_running_second_proves_nothing_by_itself(
    seconds: float, editor: Actor, *, again: bool
) -> None:
    early = replace(BEFORE, read_at=BEFORE.modified_at + timedelta(seconds=seconds))
    made = Sent(step(), ("Phone",), image(early, ("Phone",)), Answer("k", Verdict.UNKNOWN))
    end = phone(made, reading({"Phone": NULL}, minutes=10, actor=editor))
    assert end.asks_again is again
    assert end.result is (Result.FAILED if again else Result.CONFLICT)
