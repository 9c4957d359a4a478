"""HubSpot's signature: what is accepted, and everything that is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hubspot.utils.signature import Signature

from crmtrail.hooks.signature import (
    Signed,
    headers_fault,
    seen_uris,
    signature_fault,
    signature_of,
)

# The known vector, see section 2.6 of our fact sheet: measured with HubSpot's own library.
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"
BODY = b"{'example_field':'example_value'}"
STAMP = "1693657560000"
SIGNATURE = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="
AT = datetime(2023, 9, 2, 12, 26, tzinfo=UTC)


def signed(**changed):
    values = {"method": "POST", "uris": (URI,), "timestamp": STAMP, "signature": SIGNATURE}
    return Signed(**(values | changed))


def test_the_known_vector_is_right():
    assert signature_of(SECRET, "POST", URI, BODY, STAMP) == SIGNATURE
    assert headers_fault(signed(), AT) == ""
    assert signature_fault(signed(), BODY, SECRET) == ""


def test_hubspots_own_library_agrees_on_letters_beyond_ascii():
    body = '[{"propertyValue":"Grüße, 東京"}]'
    stamp = str(round(datetime.now(UTC).timestamp() * 1000))
    made = signature_of(SECRET, "POST", URI, body.encode(), stamp)
    assert Signature.is_valid(
        made,
        SECRET,
        body,
        http_uri=URI,
        http_method="POST",
        signature_version="v3",
        timestamp=stamp,
    )


@pytest.mark.parametrize(
    ("change", "body", "secret"),
    [
        ({}, BODY + b" ", SECRET),
        ({}, BODY, SECRET[:-1] + "z"),
        ({"method": "PUT"}, BODY, SECRET),
        ({"uris": ("https://www.example.com/webhook_uri/",)}, BODY, SECRET),
        ({"uris": ("https://evil.example.com/webhook_uri",)}, BODY, SECRET),
        ({"timestamp": "1693657560001"}, BODY, SECRET),
        ({"signature": SIGNATURE.lower()}, BODY, SECRET),
        ({"signature": SIGNATURE[:-1]}, BODY, SECRET),
        ({"signature": "é"}, BODY, SECRET),
    ],
)
def test_whatever_differs_is_wrong(change, body, secret):
    assert signature_fault(signed(**change), body, secret) == "the signature is wrong"


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(0, True), (300, True), (-300, True), (300.001, False), (-300.001, False), (-86_400, False)],
)
def test_old_and_future_timestamps_are_refused_alike(seconds, accepted):
    fault = headers_fault(signed(), AT + timedelta(seconds=seconds))
    assert (fault == "") is accepted
    if not accepted:
        assert "five minutes" in fault


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"signature": ""}, "not signed"),
        ({"timestamp": ""}, "not signed"),
        ({"timestamp": "soon"}, "not a number"),
        ({"timestamp": "-1693657560000"}, "not a number"),
        ({"timestamp": "1693657560000.0"}, "not a number"),
        ({"timestamp": "1\N{SUPERSCRIPT TWO}93657560000"}, "not a number"),
        ({"timestamp": "9" * 5_000}, "not a number"),
        ({"timestamp": "1693657560"}, "five minutes"),
    ],
)
def test_headers_that_are_missing_or_make_no_sense(change, words):
    assert words in headers_fault(signed(**change), AT)


@pytest.mark.parametrize(
    ("public", "path", "query", "uri"),
    [
        ("https://x.example", "/hook", "", "https://x.example/hook"),
        ("https://x.example", "/hook", "app=a", "https://x.example/hook?app=a"),
        ("https://x.example/hs", "/hs", "", "https://x.example/hs"),
        ("https://x.example/hs", "/hs/contacts", "", "https://x.example/hs/contacts"),
        # A proxy that cuts off the path it is known by.
        ("https://x.example/hs", "/", "", "https://x.example/hs"),
        ("https://x.example/hs", "/contacts", "", "https://x.example/hs/contacts"),
        ("https://x.example/hs", "/hsx", "", "https://x.example/hs/hsx"),
        ("https://x.example:8443/hs", "/hs", "", "https://x.example:8443/hs"),
    ],
)
def test_the_address_is_that_of_the_configuration(public, path, query, uri):
    assert seen_uris(public, path, query) == (uri,)


def test_an_address_with_codes_may_be_signed_decoded_too():
    assert seen_uris("https://x.example", "/a%3ab", "q=%40%20") == (
        "https://x.example/a%3ab?q=%40%20",
        "https://x.example/a:b?q=@%20",
    )
