"""Records in full made small, with a dictionary that tells of nobody."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmtrail.model import token_of
from snapshot.codec import Codec, dictionary_of
from snapshot.packing import BETWEEN, Layout

SHARED = 20
"""Fewer records than this share nothing."""
NAMES = ("Id", "Name", "Stage", "Amount", "Note")
LAYOUT = Layout(NAMES)


def record(no, **more):
    told = {
        "Id": f"0035g{no:06}",
        "Name": f"Person {no}",
        "Stage": f"stage {no % 4}",
        "Amount": no % 7,
    }
    return LAYOUT.document({name: token_of(value) for name, value in (told | more).items()}, {})


def tokens_of(dictionary):
    return dictionary.decode().split(BETWEEN)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=300))
def test_a_token_that_fewer_than_twenty_records_share_is_never_in_it(values):
    words = [token_of(f"word of {value}") for value in values]
    found = set(tokens_of(dictionary_of(word.encode() for word in words)))
    seen = Counter(words)
    assert found - {""} <= {word for word, count in seen.items() if count >= SHARED}


def test_what_tells_of_a_person_is_not_in_it_and_what_many_share_is():
    made = dictionary_of(record(no) for no in range(500))
    assert set(tokens_of(made)) == {
        *(token_of(f"stage {no}") for no in range(4)),
        *(str(no) for no in range(7)),
    }
    assert b"Person" not in made
    assert b"0035g" not in made


def test_a_family_of_nineteen_is_not_in_it_however_few_records_there_are():
    names = ["Rare"] * (SHARED - 1) + ["Often"] * SHARED + [f"One {no}" for no in range(61)]
    made = dictionary_of(record(no, Name=name) for no, name in enumerate(names))
    assert token_of("Often") in tokens_of(made)
    assert b"Rare" not in made
    assert b"One" not in made


def test_of_many_records_a_share_of_them_has_to_agree():
    names = ["Common"] * 100 + ["Uncommon"] * 99 + [f"One {no}" for no in range(1_801)]
    made = dictionary_of(record(no, Name=name) for no, name in enumerate(names))
    assert b"Common" in made
    assert b"Uncommon" not in made


def test_tokens_are_counted_by_field_and_not_by_where_they_happen_to_stand():
    # Twelve records each in two fields: twenty-four hold it, but no field of twenty.
    rows = [LAYOUT.document({name: '"Ada"'}, {}) for name in ("Name", "Note") for _ in range(12)]
    assert b"Ada" not in dictionary_of(rows)


@pytest.mark.parametrize("rows", [[], [b""], [b"", b""], [BETWEEN.encode()] * 30])
def test_nothing_makes_no_dictionary_of_anything(rows):
    assert dictionary_of(rows).replace(BETWEEN.encode(), b"") == b""


ODD = [
    "",
    '"\\u0000"',
    '"\\ud800"',
    '"é \\u2028 🚀"',
    "1e400",
    "123456789012345678.90",
    '{"a":{"b":[null,true,"x"]}}',
    token_of("x" * 1_000_000),
]


@pytest.mark.parametrize("token", ODD)
@pytest.mark.parametrize("shared", [False, True])
def test_odd_tokens_come_out_as_they_went_in(token, shared):
    made = dictionary_of(record(no) for no in range(200)) if shared else b""
    codec = Codec(1, made)
    text = LAYOUT.document({"Note": token, "Stage": '"stage 1"'}, {})
    assert codec.expanded(codec.squeezed(text)).encode() == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6))
def test_any_record_comes_out_as_it_went_in(values):
    codec = Codec(1, dictionary_of(record(no) for no in range(200)))
    text = BETWEEN.join(token_of(value) for value in values)
    assert codec.expanded(codec.squeezed(text.encode())) == text


def test_a_dictionary_makes_records_smaller():
    made = dictionary_of(record(no, Note="the same long sentence for all") for no in range(300))
    text = record(7, Note="the same long sentence for all")
    assert len(Codec(1, made).squeezed(text)) < 0.7 * len(Codec.plain().squeezed(text))


@pytest.mark.parametrize("small", [b"", b"\x00", b"no frame at all", b"\x28\xb5\x2f\xfd\x00"])
def test_what_does_not_expand_is_told(small):
    with pytest.raises(ValueError, match="does not expand"):
        Codec.plain().expanded(small)


def test_a_cut_record_is_told():
    small = Codec.plain().squeezed(record(1))
    with pytest.raises(ValueError, match="does not expand"):
        Codec.plain().expanded(small[:-3])
