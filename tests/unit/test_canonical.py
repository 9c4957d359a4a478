"""Documents from exact tokens, and what tokens mean."""

import json
from hashlib import sha256

import pytest

from snapshot.canonical import digest_of, document_of, same, tokens_of


def test_a_document_is_sorted_compact_and_exact():
    tokens = {"b": "1.10", "a": '"\\u00e9"', "é%s": "-0", "B": "null"}
    assert document_of(tokens) == '{"B":null,"a":"\\u00e9","b":1.10,"\\u00e9%s":-0}'
    assert document_of({}) == "{}"
    assert document_of({"100%": "1"}) == '{"100%":1}'


def test_the_order_of_fields_does_not_matter():
    tokens = {f"F{n}": str(n) for n in range(50)}
    backwards = dict(reversed(tokens.items()))
    assert document_of(tokens) == document_of(backwards)
    assert list(json.loads(document_of(tokens))) == sorted(tokens)


@pytest.mark.parametrize(
    "token",
    [
        "1.10",
        "-0",
        "123456789012345678901234567890",
        "1e400",
        '"\\u0000"',
        "[1 , 2]",
        '"\\ud800"',
        '{"a\\ud800:": [",", {"]": ":"}], "b": "\\\\"}',
        '["\\udfff","}"]',
        '"\\"\\ud800,\\\\"',
        "[" * 5000 + "]" * 5000,
    ],
)
def test_tokens_come_back_exactly(token):
    assert tokens_of(document_of({"F": token, "G": "null"})) == {"F": token, "G": "null"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":}', "null", '{"a":' + "[" * 9999])
def test_what_is_no_document_is_refused(text):
    with pytest.raises(ValueError, match="not a document"):
        tokens_of(text)


def test_the_digest_is_plain_sha256():
    document = '{"Name":"Zoë"}'
    assert digest_of(document) == sha256(document.encode("utf-8")).digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.00"),
        ("1", "1.0"),
        ("1e2", "100"),
        ("0", "-0"),
        ('"é"', '"\\u00e9"'),
        ('"/"', '"\\/"'),
        ('{"a":1,"b":2}', '{"b":2,"a":1.0}'),
        ("[ 1,2 ]", "[1,2]"),
        ("9" * 6000, "9" * 6000 + ".0"),
    ],
)
def test_the_same_in_other_words(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("0", "null"),
        ('""', "null"),
        ("[1,true]", "[1,1]"),
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,2]"),
        ("1", '"1"'),
        ('"a"', '"A"'),
        ('"é"', '"e\\u0301"'),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("9007199254740993", "9007199254740992"),
        ("1e400", "1e401"),
        ('{"a":1}', '{"a":1,"b":null}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ("[" * 5000, "[" * 5001),
        ("nonsense", '"nonsense"'),
        (None, "null"),
        ("null", None),
    ],
)
def test_different(one, other):
    assert not same(one, other)
    assert not same(other, one)


def test_absent_is_absent():
    assert same(None, None)
