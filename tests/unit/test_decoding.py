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
