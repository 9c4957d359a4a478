"""When two tokens leave a field in the same state."""

import pytest

from crmtrail.model import Token
from rollback.meaning import alike, sayable


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("null", '""', True),
        ("null", "null", True),
        ('" "', "null", False),
        ("1.10", "1.1", True),
        ("1", "true", False),
        ("1", '"1"', False),
        ("0", "null", False),
        ('"a"', '"b"', False),
        ('"\\u0061"', '"a"', True),
        ('"\\u0061"', '"b"', False),
        ('{"a":1,"b":2}', '{"b":2.0,"a":1}', True),
        (None, None, False),
        (None, "null", False),
    ],
)
def test_tokens_are_compared_by_what_they_leave_in_the_field(
    one: Token | None, other: Token | None, same: bool
) -> None:
    assert alike(one, other) is same
    assert alike(other, one) is same


def test_words_lose_what_no_database_takes() -> None:
    assert sayable("Zoë \ud800") == "Zoë ?"
