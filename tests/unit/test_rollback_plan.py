"""What a plan does with one record, rule by rule."""

from collections.abc import Mapping

import pytest

from crmtrail.model import (
    NULL,
    Action,
    Field,
    FieldType,
    OnConflict,
    Plan,
    Schema,
    Step,
    Token,
)
from crmtrail.ports import Blame, Head
from rollback.batches import BULK_FROM, Forecast, Limits, batches, write_size
from rollback.digest import Digest, step_line, step_of
from rollback.plan import Left, disputed, draft, left_sorts
from rollback.select import Selected, Target
from support.restoring import ADA, SYNC, at, head, plan_of, ref, schema, step, text

PHONE = Target("Phone", NULL, text("555"), SYNC, at(3))


def drafted(
    *targets: Target,
    now: Mapping[str, Token] | Head | None,
    fields: Schema | None = None,
    on_conflict: OnConflict = OnConflict.KEEP,
    since: Mapping[str, Blame] | None = None,
) -> Step:
    newest = head(now) if isinstance(now, Mapping) else now
    row = Selected(ref(), targets)
    return draft("1", row, newest, fields, on_conflict, since or {})


def test_a_bad_value_still_there_is_replaced_by_the_good_one() -> None:
    made = drafted(PHONE, now={"Phone": NULL, "Title": text("t")})
    assert made.action is Action.UPDATE
    assert (made.expect, made.write, made.left) == ({"Phone": NULL}, {"Phone": text("555")}, {})
    assert made.reason == "written by Nightly Sync at 2026-11-20 09:03:00Z"


def test_the_stored_spelling_is_expected() -> None:
    made = drafted(Target("Amount", "0.0", "7"), now={"Amount": "0.00"})
    assert made.expect == {"Amount": "0.00"}


def test_an_earlier_blank_is_put_back_as_null() -> None:
    made = drafted(Target("Phone", text("spam"), NULL), now={"Phone": text("spam")})
    assert made.action is Action.UPDATE
    assert made.write == {"Phone": NULL}


def test_a_good_value_in_place_needs_nothing() -> None:
    made = drafted(Target("Amount", "0", "7.50"), now={"Amount": "7.5"})
    assert (made.action, made.write, made.left) == (Action.SKIP, {}, {})


@pytest.mark.parametrize(("good", "now"), [(NULL, '""'), ('""', NULL)])
def test_null_and_empty_text_are_one_blank(good: Token, now: Token) -> None:
    made = drafted(Target("Phone", text("spam"), good), now={"Phone": now})
    assert made.action is Action.SKIP


def test_a_later_edit_is_kept_and_its_author_named() -> None:
    since = {"Phone": Blame("Phone", text("777"), 4, at(9), ADA)}
    made = drafted(PHONE, now={"Phone": text("777")}, since=since)
    assert made.action is Action.CONFLICT
    assert made.write == {}
    assert made.left == {"Phone": "changed since by Ada at 2026-11-20 09:09:00Z; left as it is"}
    assert left_sorts(made) == {"Phone": Left.CONFLICT}


def test_asking_leaves_a_later_edit_and_says_how_to_choose() -> None:
    made = drafted(PHONE, now={"Phone": text("777")}, on_conflict=OnConflict.ASK)
    assert made.action is Action.CONFLICT
    assert "--on-conflict keep or overwrite" in made.left["Phone"]


def test_overwriting_expects_the_later_edit_and_writes_the_good_value() -> None:
    made = drafted(PHONE, now={"Phone": text("777")}, on_conflict=OnConflict.OVERWRITE)
    assert made.action is Action.UPDATE
    assert (made.expect, made.write) == ({"Phone": text("777")}, {"Phone": text("555")})


@pytest.mark.parametrize(
    ("field", "good", "words"),
    [
        (None, text("a"), "no longer exists"),
        (Field("F", computed=True, updateable=False), text("a"), "computed by the CRM"),
        (Field("F", updateable=False), text("a"), "does not let this identity write"),
        (Field("F", nillable=False), NULL, "cannot be blanked"),
        (Field("F", nillable=False), '""', "cannot be blanked"),
        (Field("F", FieldType.CHOICE, options=("x", "y")), text("a"), "allowed options"),
        (Field("F", FieldType.MULTICHOICE, options=("x", "y")), text("x;a"), "allowed options"),
        (Field("F", max_length=2), text("abc"), "longer than the CRM allows now (2 characters)"),
        (Field("F"), None, "its earlier value is not known"),
    ],
)
def test_what_the_vendor_would_not_take_is_blocked(
    field: Field | None, good: Token | None, words: str
) -> None:
    fields = schema(*([field] if field else []))
    made = drafted(Target("F", text("bad"), good), now={"F": text("bad")}, fields=fields)
    assert made.action is Action.BLOCKED
    assert (made.write, made.expect) == ({}, {})
    assert words in made.left["F"]
    assert words in made.reason


@pytest.mark.parametrize(
    ("field", "good"),
    [
        (Field("F", FieldType.CHOICE, options=("x", "y")), text("x")),
        (Field("F", FieldType.CHOICE, options=("x", "y")), NULL),
        (Field("F", FieldType.CHOICE), text("anything")),
        (Field("F", FieldType.MULTICHOICE, options=("x", "y", "z")), text("x;z")),
        (Field("F", FieldType.BOOLEAN, options=("true", "false")), "true"),
        (Field("F", FieldType.BOOLEAN, options=("true", "false")), text("false")),
        (Field("F", max_length=3), text("abc")),
        (Field("F", FieldType.NUMBER, max_length=1), "12345"),
    ],
)
def test_what_the_vendor_takes_is_written(field: Field, good: Token) -> None:
    made = drafted(Target("F", text("bad"), good), now={"F": text("bad")}, fields=schema(field))
    assert made.write == {"F": good}


def test_one_record_can_be_written_disputed_and_barred_at_once() -> None:
    targets = (
        PHONE,
        Target("Title", NULL, text("t")),
        Target("Score", "1", "2"),
        Target("Code", NULL, text("c")),
        Target("Right", NULL, text("r")),
    )
    now = {"Phone": NULL, "Title": text("new"), "Score": "1", "Code": NULL, "Right": text("r")}
    fields = schema(
        Field("Phone"),
        Field("Title"),
        Field("Score", computed=True, updateable=False),
        Field("Code", updateable=False),
        Field("Right"),
    )
    made = drafted(*targets, now=now, fields=fields)
    assert made.action is Action.UPDATE
    assert made.write == {"Phone": text("555")}
    assert left_sorts(made) == {
        "Title": Left.CONFLICT,
        "Score": Left.FOLLOWS,
        "Code": Left.UNABLE,
    }


def test_a_formula_beside_right_values_is_no_obstacle() -> None:
    fields = schema(Field("Phone"), Field("Score", computed=True, updateable=False))
    made = drafted(
        PHONE,
        Target("Score", "1", "2"),
        now={"Phone": text("555"), "Score": "1"},
        fields=fields,
    )
    assert made.action is Action.SKIP


def test_read_only_fields_that_nobody_named_are_no_part_of_a_state() -> None:
    fields = schema(Field("LastViewed", updateable=False))
    target = Target("LastViewed", "2", "1", asked=False)
    made = drafted(target, now={"LastViewed": "2"}, fields=fields)
    assert made.action is Action.SKIP
    assert left_sorts(made) == {"LastViewed": Left.FOLLOWS}


def test_a_dispute_and_a_bar_with_nothing_to_write_is_blocked() -> None:
    fields = schema(Field("Phone"), Field("Code", updateable=False))
    made = drafted(
        PHONE,
        Target("Code", NULL, text("c")),
        now={"Phone": text("777"), "Code": NULL},
        fields=fields,
    )
    assert made.action is Action.BLOCKED


def test_a_field_the_crm_does_not_show_is_not_written_blind() -> None:
    made = drafted(PHONE, now={"Title": text("t")}, on_conflict=OnConflict.OVERWRITE)
    assert made.action is Action.BLOCKED
    assert "its current value is not known" in made.left["Phone"]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (None, "nothing is known of this record"),
        (head({"Phone": NULL}, deleted=True), "the record is deleted"),
    ],
)
def test_a_record_that_is_not_live_is_blocked(now: Head | None, words: str) -> None:
    made = drafted(PHONE, now=now)
    assert made.action is Action.BLOCKED
    assert words in made.reason
    assert not made.write


def test_a_record_that_cannot_be_put_back_as_a_whole_is_blocked() -> None:
    row = Selected(ref(), unable="the record was created by it")
    made = draft("1", row, head({}), None, OnConflict.OVERWRITE, {})
    assert (made.action, made.reason) == (Action.BLOCKED, "the record was created by it")


def test_only_disputed_records_need_a_look_at_who_changed_them() -> None:
    row = Selected(ref(), (PHONE,))
    assert disputed(row, head({"Phone": text("777")}))
    assert not disputed(row, head({"Phone": NULL}))
    assert not disputed(row, head({"Phone": text("555")}))
    assert not disputed(row, head({"Phone": text("777")}, deleted=True))
    assert not disputed(row, None)


def test_a_step_reads_back_as_it_was_written_down() -> None:
    made = step(write={"Phone": '"\\ud800 \\u00e9"'}, left={"Title": "changed since by Zoë"})
    assert step_of(step_line(made)) == made
    assert step_line(made).isascii()


def test_a_digest_covers_every_step_and_every_term() -> None:
    steps = [step("1"), step("2", write={"Phone": text("556")})]
    plan = plan_of(steps)

    def digest_of(plan: Plan, steps: list[Step]) -> str:
        digest = Digest()
        for each in steps:
            digest.add(each)
        return digest.close(plan)

    assert digest_of(plan, steps) == plan.digest
    altered = [steps[0], step("2", write={"Phone": text("666")})]
    assert digest_of(plan, altered) != plan.digest
    assert digest_of(plan, steps[::-1]) != plan.digest
    assert digest_of(plan, steps[:1]) != plan.digest
    longer = plan_of(steps, expires=at(60 * 48))
    assert longer.digest != plan.digest
    assert plan_of(steps, approvals_required=1).digest != plan.digest


class _Item:
    def __init__(self, id_: str, object_: str) -> None:
        self.step = step(id_, record=ref(id_, object_))


@pytest.mark.parametrize(
    ("shape", "canary", "size", "sizes"),
    [
        ({"A": 25}, 10, 10, [10, 10, 5]),
        ({"A": 25}, 3, 10, [3, 10, 10, 2]),
        ({"A": 25}, 0, 10, [10, 10, 5]),
        ({"A": 2, "B": 12}, 5, 10, [2, 3, 9]),
        ({"A": 25}, 50, 10, [10, 10, 5]),
        ({}, 5, 10, []),
    ],
)
def test_batches_start_with_the_canary_and_hold_one_object(
    shape: dict[str, int], canary: int, size: int, sizes: list[int]
) -> None:
    items = [_Item(f"{name}{no}", name) for name, n in shape.items() for no in range(n)]
    cut = list(batches(items, canary=canary, size=size))
    assert [len(batch) for batch in cut] == sizes
    assert [item for batch in cut for item in batch] == items
    limits = Limits(size, size, lambda records: (-(-records // 4), -(-records // size)))
    forecast = Forecast(limits, canary=canary)
    for item in items:
        forecast.add(item.step)
    moves = sum(2 * -(-len(batch) // 4) + 1 for batch in cut)
    assert forecast.calls() == (moves + len(shape) + 1 if sizes else 0)


@pytest.mark.parametrize(
    ("updates", "size"), [(BULK_FROM, 200), (BULK_FROM + 1, 10_000), (50_000, 10_000)]
)
def test_many_updates_go_by_bulk_and_the_forecast_says_so(updates: int, size: int) -> None:
    assert write_size(updates, write=200, bulk=10_000) == size
    assert write_size(updates, write=200, bulk=200) == 200
    forecasts = [Forecast(_by_pages(bulk), canary=10) for bulk in (200, 10_000)]
    for no in range(updates):
        for forecast in forecasts:
            forecast.add(_Item(f"A{no}", "A").step)
    plain, bulk = [forecast.calls() for forecast in forecasts]
    assert (bulk < plain) is (size > 200)


def _by_pages(bulk: int) -> Limits:
    """A vendor that reads 2,000 records at once, and writes 200 or all of a bulk write."""
    return Limits(200, bulk, lambda records: (-(-records // 2_000), -(-records // bulk)))
