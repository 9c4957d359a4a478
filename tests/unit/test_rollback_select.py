"""What is chosen to be put back, from what was changed."""

from collections.abc import Iterable, Iterator

import pytest

from crmtrail.detection.emptiness import is_blank
from crmtrail.model import (
    NULL,
    Change,
    ChangeSet,
    Field,
    FieldType,
    Op,
    Outcome,
    Result,
    Token,
    Version,
)
from crmtrail.ports import Difference, Journalled, StepState
from rollback.select import Selected, as_of, of_differences, of_incident, of_operation, of_undo
from support.restoring import ADA, SYNC, at, change_set, ref, step, text


def blank(token: Token | None, field: Field | None) -> bool:
    return is_blank(token, field, ("n/a",))


def pairs(row: Selected) -> dict[str, tuple[Token | None, Token | None]]:
    return {target.field: (target.bad, target.good) for target in row.targets}


def blanked(members: Iterable[ChangeSet], names: tuple[str, ...]) -> list[Selected]:
    fields = {"Amount": Field("Amount", FieldType.MONEY)}
    chosen = of_incident(members, rule="blanking", names=names, fields=fields, blank=blank)
    return list(chosen)


def version(fields: dict[str, Token], *, deleted: bool = False) -> Version:
    return Version(ref(), 1, Op.UPDATE, fields, at(0), at(0), ADA, deleted)


def test_an_operation_is_undone_to_before_its_first_change_from_after_its_last() -> None:
    members = [
        change_set("1", 2, ("Phone", text("a"), text("b")), ("Title", text("x"), NULL)),
        change_set("1", 3, ("Phone", text("b"), text("c"))),
        change_set("2", 2, ("Phone", text("d"), NULL)),
    ]
    first, second = of_operation(members)
    assert pairs(first) == {"Phone": (text("c"), text("a")), "Title": (NULL, text("x"))}
    assert pairs(second) == {"Phone": (NULL, text("d"))}
    phone = next(target for target in first.targets if target.field == "Phone")
    assert (phone.by, phone.at) == (SYNC, at(3))


def test_what_an_operation_changed_there_and_back_needs_nothing() -> None:
    members = [
        change_set("1", 2, ("Phone", "1.0", "2")),
        change_set("1", 3, ("Phone", "2", "1.00")),
    ]
    (row,) = of_operation(members)
    assert row.targets == ()
    assert "there and back" in row.note


def test_a_field_the_vendor_stopped_telling_was_not_written() -> None:
    members = [
        change_set("1", 2, ("Phone", text("a"), NULL), ("Secret", text("s"), None)),
        change_set("2", 2, ("Secret", text("s"), None)),
    ]
    (row,) = of_operation(members)
    assert pairs(row) == {"Phone": (NULL, text("a"))}


def test_an_unknown_earlier_value_stays_unknown() -> None:
    (row,) = of_operation([change_set("1", 2, ("Phone", None, NULL))])
    assert pairs(row) == {"Phone": (NULL, None)}


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (Op.BASELINE, "no earlier value is known"),
    ],
)
def test_some_whole_record_events_cannot_be_undone(op: Op, words: str) -> None:
    (row,) = of_operation([change_set("1", 1, ("Phone", None, text("a")), op=op)])
    assert row.targets == ()
    assert words in row.unable


def test_what_came_goes_and_what_went_comes_back() -> None:
    came = change_set("1", 1, op=Op.CREATE)
    back = change_set("2", 4, op=Op.UNDELETE)
    edit, went = change_set("3", 2, ("Phone", text("a"), NULL)), change_set("3", 3, op=Op.DELETE)
    merged = change_set("4", 3, op=Op.MERGE)
    first, second, third, fourth = of_operation([came, back, edit, went, merged])
    assert (fourth.revive, fourth.unable) == (True, "")
    assert (first.goes_since, second.goes_since) == (came.at, back.at)
    assert (third.revive, third.goes) == (True, False)
    assert pairs(third) == {"Phone": (NULL, text("a"))}


def test_records_stream_one_at_a_time() -> None:
    taken: list[str] = []

    def members() -> Iterator[ChangeSet]:
        for number in range(1000):
            taken.append(str(number))
            yield change_set(str(number), 2, ("Phone", text("a"), NULL))

    rows = of_operation(members())
    assert next(rows).ref == ref("0")
    assert len(taken) <= 2


def test_an_incident_is_undone_in_its_own_fields_only() -> None:
    members = [
        change_set("1", 2, ("Phone", text("a"), text("b")), ("Title", text("x"), text("y"))),
        change_set("2", 2, ("Title", text("x"), text("y"))),
    ]
    (row,) = of_incident(members, rule="mass_update", names=("Phone",), fields={}, blank=blank)
    assert row.ref == ref("1")
    assert pairs(row) == {"Phone": (text("b"), text("a"))}


@pytest.mark.parametrize(
    ("old", "new", "chosen"),
    [
        (text("a"), NULL, True),
        (text("a"), '""', True),
        (text("a"), '"N/A"', True),
        (text("a"), text("b"), False),
        (NULL, '"N/A"', False),
        (NULL, text("b"), False),
        (None, NULL, True),
    ],
)
def test_a_blanking_is_a_value_turned_to_nothing(
    old: Token | None, new: Token, chosen: bool
) -> None:
    rows = blanked([change_set("1", 2, ("Phone", old, new))], ("Phone",))
    assert [pairs(row) for row in rows] == ([{"Phone": (new, old)}] if chosen else [])


def test_blankness_depends_on_the_field() -> None:
    members = [change_set("1", 2, ("Amount", "12.50", "0"), ("Score", "7", "0"))]
    (row,) = blanked(members, ("Amount", "Score"))
    assert pairs(row) == {"Amount": ("0", "12.50")}


def test_a_blank_overwritten_by_another_blank_goes_back_to_the_value() -> None:
    members = [
        change_set("1", 2, ("Phone", text("a"), NULL)),
        change_set("1", 3, ("Phone", NULL, '"N/A"')),
    ]
    (row,) = blanked(members, ("Phone",))
    assert pairs(row) == {"Phone": ('"N/A"', text("a"))}


def test_a_field_the_operation_filled_again_is_not_blanked() -> None:
    members = [
        change_set("1", 2, ("Phone", text("a"), NULL)),
        change_set("1", 3, ("Phone", NULL, text("b"))),
    ]
    assert blanked(members, ("Phone",)) == []


def test_a_record_at_a_time_differs_in_what_was_known_then() -> None:
    then = version({"Phone": text("a"), "Title": NULL, "Same": "1"})
    now = version({"Phone": NULL, "Title": text("x"), "Same": "1.0", "New": text("n")})
    row = as_of(ref(), at(0), then=then, now=now)
    assert pairs(row) == {"Phone": (NULL, text("a")), "Title": (text("x"), NULL)}
    assert not any(target.asked for target in row.targets)


def test_named_fields_are_chosen_even_where_nothing_was_known() -> None:
    row = as_of(
        ref(),
        at(0),
        then=version({"Phone": text("a"), "Title": text("t")}),
        now=version({"Phone": NULL, "Title": NULL, "New": text("n")}),
        names=("Phone", "New", "Phone"),
    )
    assert pairs(row) == {"Phone": (NULL, text("a")), "New": (text("n"), None)}
    assert all(target.asked for target in row.targets)


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        (version({}), None, "no such record"),
        (None, version({}), "nothing is known of this record at 2026-11-20 09:00:00Z"),
        (version({}, deleted=True), version({}), "was deleted at 2026-11-20 09:00:00Z"),
    ],
)
def test_a_record_without_a_state_then_or_now_cannot_be_put_back(
    then: Version | None, now: Version | None, words: str
) -> None:
    assert words in as_of(ref(), at(0), then=then, now=now).unable


def test_an_object_at_a_time_leaves_created_records_and_names_deleted_ones() -> None:
    differences = [
        Difference(ref("1"), Op.CREATE),
        Difference(ref("2"), Op.DELETE),
        Difference(
            ref("3"),
            Op.UPDATE,
            (Change("Phone", text("a"), NULL), Change("New", None, text("n"))),
        ),
    ]
    created, deleted, updated = of_differences(differences, at(0))
    assert (created.targets, created.unable) == ((), "")
    assert "deletes nothing" in created.note
    assert (deleted.revive, deleted.unable) == (True, "")
    assert pairs(updated) == {"Phone": (NULL, text("a"))}


def test_an_undo_takes_back_only_what_was_really_written() -> None:
    written = step("1", write={"Phone": text("555"), "Title": text("t"), "Fax": text("f")})
    outcome = Outcome(
        "1",
        Result.REFUSED,
        "",
        {"Phone": Result.RESTORED, "Title": Result.ALREADY, "Fax": Result.REFUSED},
    )
    steps = [
        Journalled(written, StepState.SETTLED, {"Phone": '"N/A"', "Fax": NULL}, outcome),
        Journalled(step("2"), StepState.PLANNED),
        Journalled(
            step("3"),
            StepState.SETTLED,
            {},
            Outcome("3", Result.ALREADY, "", {"Phone": Result.ALREADY}),
        ),
    ]
    (row,) = of_undo(steps, "plan-9")
    assert pairs(row) == {"Phone": (text("555"), '"N/A"')}
    assert str(row.targets[0].by) == "crmtrail plan plan-9"
