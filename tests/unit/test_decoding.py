import msgspec
import pytest

from connectors.decoding import decoded


def tokens(body):
    return {k: bytes(v).decode() for k, v in decoded(body, dict[str, msgspec.Raw]).items()}


def test_digits_stay_as_they_were_sent():
    body = b'{"a":1.10,"b":-0,"c":123456789012345678.90}'
    assert tokens(body) == {"a": "1.10", "b": "-0", "c": "123456789012345678.90"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\ude00 cut", "\ufffd cut"),
        (rb"whole \ud83d\ude00", "whole \U0001f600"),
        (rb"a path \\ud83d", "a path \\ud83d"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (b"not UTF-8: \xff", "not UTF-8: \ufffd"),
    ],
)
def test_half_an_emoji_does_not_stop_the_others(text, expected):
    body = b'{"a":"\\ud800","n":1.10,"b":"' + text + b'"}'
    found = decoded(body, dict[str, msgspec.Raw])
    assert msgspec.json.decode(found["b"]) == expected
    assert bytes(found["n"]) == b"1.10"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"[1]"])
def test_what_is_no_json_of_the_shape_is_refused(body):
    with pytest.raises(msgspec.MsgspecError):
        decoded(body, dict[str, int])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a\x1fb\x1ec", "a\x1fb\x1ec"),
        (b"two\nlines\ttab", "two\nlines\ttab"),
        (rb"bare \" quote" + b"\x01", 'bare " quote\x01'),
        (b"\xed\xa0\x80 half in three bytes", "\ufffd\ufffd\ufffd half in three bytes"),
        (b"\xc0\x80 NUL in two bytes", "\ufffd\ufffd NUL in two bytes"),
        (rb"NUL \u0000 escaped" + b"\xff", "NUL \0 escaped\ufffd"),
    ],
)
def test_bytes_that_json_forbids_are_made_harmless(text, expected):
    found = decoded(b'{ "a" : "' + text + b'" ,\n"n":1.10}', dict[str, msgspec.Raw])
    assert msgspec.json.decode(found["a"]) == expected
    assert bytes(found["n"]) == b"1.10"


def test_every_piece_is_valid_utf8_though_nobody_reads_it():
    body = b'{"a":{"deep":["\xff"]},"b":"\xe9","\xe9":1}'
    found = decoded(body, dict[str, msgspec.Raw])
    assert [bytes(raw).decode() for raw in found.values()] == [
        '{"deep":["\ufffd"]}',
        '"\ufffd"',
        "1",
    ]
    assert list(found) == ["a", "b", "\ufffd"]


def test_a_byte_order_mark_is_no_part_of_the_body():
    assert tokens(b'\xef\xbb\xbf{"a":1E5}') == {"a": "1E5"}


def test_of_a_name_told_twice_the_last_value_counts():
    assert tokens(b'{"a":1,"b":2,"a":"last"}') == {"a": '"last"', "b": "2"}


@pytest.mark.parametrize("odd", [b"", b"\xff"])
def test_a_body_nested_past_all_reason_is_refused(odd):
    body = b'{"a":"' + odd + b'","b":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(ValueError, match="nested too deeply"):
        decoded(body, dict[str, msgspec.Raw])


def test_a_name_holds_nothing_that_no_name_can():
    body = rb'{"a\u0000b":"c\u0000d","\u001Fe" : "\u001f","f\\u0000":{"\u0000":["\u0000"]}}'
    assert tokens(body) == {
        "a\ufffdb": r'"c\u0000d"',
        "\ufffde": r'"\u001f"',
        r"f\u0000": r'{"\ufffd":["\u0000"]}',
    }
