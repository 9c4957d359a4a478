"""Ids, and the plain words for what Salesforce refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.ids import to18
from connectors.salesforce.refusals import HINTS, SOMETHING_ELSE, hint


@pytest.mark.parametrize(
    ("short", "full"),
    [
        # Ids that occur in Salesforce's own documentation and in recorded answers.
        ("0055j000000utlP", "0055j000000utlPAAQ"),
        ("0AT5j00002GVrfn", "0AT5j00002GVrfnGAD"),
        ("750Tn000004ZoR3", "750Tn000004ZoR3IAK"),
        ("a00D0000008pQRA", "a00D0000008pQRAIA2"),
    ],
)
def test_the_three_characters_keep_the_case(short: str, full: str) -> None:
    assert to18(short) == full
    assert to18(full) == full


@given(st.from_regex(r"\A[A-Za-z0-9]{15}\Z"))
def test_ids_that_differ_in_case_only_stay_apart_without_case(id_: str) -> None:
    swapped = id_.swapcase()
    one, other = to18(id_), to18(swapped)
    assert one is not None
    assert other is not None
    assert (one.lower() == other.lower()) == (id_ == swapped)


@pytest.mark.parametrize("text", ["", "1", "001000000000001' OR '", "0" * 16, "0" * 19, "é" * 15])
def test_what_is_no_id_is_not_made_one(text: str) -> None:
    assert to18(text) is None


def test_every_refusal_has_words_that_are_one_short_line() -> None:
    assert len(HINTS) >= 25
    for code, words in HINTS.items():
        assert hint(code) == words
        assert 10 < len(words) < 120
        assert "\n" not in words
    assert hint("SOMETHING_NEW_IN_2030") == SOMETHING_ELSE
