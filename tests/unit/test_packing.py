"""Values as they are stored: packed side by side, and taken apart again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmtrail.model import token_of
from snapshot.packing import (
    BETWEEN,
    FIELD,
    IS,
    IS_BLANK,
    STAMP,
    WAS,
    WAS_BLANK,
    Layout,
    kind_of,
    packed,
    tokens_in,
    unpacked,
)

TOKENS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])).map(token_of),
    st.sampled_from(["null", '""', "0", "1.10", "true", "1e400", '{"a":[1,null]}', '"\\u001f"']),
)
PAIRS = st.tuples(st.none() | TOKENS, st.none() | TOKENS)
NAMES = ("A", "B", "C", "D")


@given(st.lists(PAIRS))
def test_changes_come_out_as_they_went_in(pairs):
    assert unpacked(packed(pairs), len(pairs)) == pairs


@given(st.dictionaries(st.sampled_from(NAMES), TOKENS))
def test_records_come_out_as_they_went_in(tokens):
    assert tokens_in(Layout(NAMES).document(tokens, {}).decode(), NAMES) == tokens


@given(
    st.permutations((*NAMES, f"{STAMP}A", f"{STAMP}Z")),
    st.dictionaries(st.sampled_from(NAMES), TOKENS),
    st.dictionaries(st.sampled_from(("A", "Z")), TOKENS),
)
def test_stamps_lie_among_the_fields_under_names_of_their_own(names, fields, stamps):
    layout = Layout(names)
    for _ in range(2):  # found once for each shape, and used again
        text = layout.document(fields, stamps).decode()
        marked = {STAMP + name: token for name, token in stamps.items()}
        assert tokens_in(text, names) == fields | marked


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_token_holds_what_parts_them(text):
    token = token_of(text)
    assert BETWEEN not in token
    assert FIELD not in token


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (None, '"x"', IS),
        ('"x"', None, WAS),
        ('"x"', '"y"', WAS | IS),
        ("null", '"y"', WAS | WAS_BLANK | IS),
        ('"x"', '""', WAS | IS | IS_BLANK),
        ('""', "null", WAS | WAS_BLANK | IS | IS_BLANK),
        ("0", "false", WAS | IS),
        ('" "', '"null"', WAS | IS),
    ],
)
def test_the_kind_of_a_change_tells_presence_and_blankness(old, new, kind):
    assert kind_of(old, new) == kind


def test_what_was_never_written_so_is_refused():
    with pytest.raises(ValueError, match="of 2 changes holds 1"):
        unpacked(packed([("1", "2")]), 2)
    with pytest.raises(ValueError, match="of 1 fields holds 2"):
        tokens_in(f"1{BETWEEN}2", ("A",))


def test_a_later_field_leaves_earlier_records_as_they_are():
    text = Layout(("A",)).document({"A": "1"}, {}).decode()
    assert tokens_in(text, ("A", "B")) == {"A": "1"}
    assert Layout(NAMES).document({}, {}) == b""
    assert tokens_in("", NAMES) == {}
    assert packed([]) == ""
    assert unpacked("", 0) == []


def test_a_record_of_stamps_alone_has_them_in_their_place():
    names = (f"{STAMP}A", "A")
    assert tokens_in(Layout(names).document({}, {"A": "1"}).decode(), names) == {f"{STAMP}A": "1"}
