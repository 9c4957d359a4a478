"""What may still be written, just before the write."""

import pytest

from crmtrail.model import NULL, Loss, Reading, Removal, Token
from rollback.preflight import Check, decide
from support.restoring import ADA, at, reading, ref, step, text


@pytest.mark.parametrize(
    ("now", "check"),
    [
        (NULL, Check.GO),
        ('""', Check.GO),
        (text("555"), Check.ALREADY),
        ('"\\u0035\\u0035\\u0035"', Check.ALREADY),
        (text("777"), Check.CONFLICT),
        (None, Check.ABSENT),
    ],
)
def test_a_field_is_written_only_over_the_expected_value(now: Token | None, check: Check) -> None:
    fields = {"Title": text("t")} if now is None else {"Phone": now}
    decision = decide(step(), reading(fields))
    assert decision.fields == {"Phone": check}
    assert decision.go == (("Phone",) if check is Check.GO else ())
    assert decision.current == ({} if now is None else {"Phone": now})


@pytest.mark.parametrize(
    "found",
    [
        None,
        Removal(ref(), Loss.DELETED, at(1), at(0), ADA),
        Removal(ref(), Loss.MERGED, at(1), None, ADA, merged_into="2"),
        reading({"Phone": NULL}, deleted=True),
    ],
)
def test_a_record_that_is_not_live_is_gone(found: Reading | Removal | None) -> None:
    decision = decide(step(), found)
    assert decision.fields == {"Phone": Check.GONE}
    assert decision.go == ()


def test_fields_are_decided_one_by_one() -> None:
    made = step(
        expect={"Amount": "0", "Phone": NULL, "Title": NULL},
        write={"Amount": "7.50", "Phone": text("555"), "Title": text("t")},
    )
    decision = decide(made, reading({"Amount": "0.00", "Phone": text("1"), "Title": text("t")}))
    assert decision.fields == {
        "Amount": Check.GO,
        "Phone": Check.CONFLICT,
        "Title": Check.ALREADY,
    }
