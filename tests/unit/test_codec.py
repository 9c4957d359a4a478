"""Records in full made small, with a dictionary that tells of nobody."""

from collections import Counter
from hashlib import sha256

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


def name_of(no: int) -> str:
    """Return a name that nobody else has any part of."""
    return "".join(chr(ord("a") + byte % 26) for byte in sha256(str(no).encode()).digest()[:12])


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=150))
def test_what_fewer_than_twenty_records_share_is_never_in_it(values):
    secrets = [f"{value * 3}kanarienvogel{value * 3}" for value in values]
    made = dictionary_of(record(no, Name=f"of {word}") for no, word in enumerate(secrets))
    for word, count in Counter(secrets).items():
        if count < SHARED:
            assert word.encode() not in made


def test_what_tells_of_a_person_is_not_in_it_and_what_many_share_is():
    rows = [record(no, Name=f"{name_of(no)} {name_of(no + 500)}") for no in range(500)]
    made = dictionary_of(rows)
    assert b"stage" in made
    assert b"0035g" in made, "how ids begin is no secret"
    for no in range(1_000):
        assert name_of(no)[:7].encode() not in made
    assert sum(len(Codec(1, made).squeezed(row)) for row in rows) < sum(
        len(Codec.plain().squeezed(row)) for row in rows
    )


def test_a_family_of_nineteen_is_not_in_it_however_few_records_there_are():
    names = ["Raredinand"] * (SHARED - 1) + ["Oftenbach"] * 60 + [f"One {no}" for no in range(41)]
    made = dictionary_of(record(no, Name=name) for no, name in enumerate(names))
    assert b"Oftenbach" in made
    assert b"Raredinand" not in made


def test_a_long_text_is_not_quoted_either():
    thanks = "we thank you " * 200
    letters = [record(no, Note=f"Dear {name_of(no)}, {thanks}") for no in range(150)]
    made = dictionary_of(letters)
    assert b"thank" in made
    assert not any(name_of(no)[:7].encode() in made for no in range(150))


def test_the_same_records_make_the_same_dictionary():
    rows = [record(no) for no in range(200)]
    assert dictionary_of(rows) == dictionary_of(rows)


@pytest.mark.parametrize("rows", [[], [b""], [b"", b""]])
def test_nothing_makes_no_dictionary(rows):
    assert dictionary_of(rows) == b""


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
