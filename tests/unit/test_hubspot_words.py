"""HubSpot's refusals in plain words: every code of its error reference says what to do."""

import json
from typing import Any

import pytest

from connectors.hubspot.refusals import Refusal, refusal
from connectors.hubspot.words import HINTS, advice, explained, holder_of

SAID = (
    "INVALID_OPTION",
    "INVALID_INTEGER",
    "INVALID_LONG",
    "INVALID_NUMBER",
    "INVALID_DATE",
    "READ_ONLY_VALUE",
    "PROPERTY_DOESNT_EXIST",
    "INVALID_EMAIL",
    "INVALID_OWNER_ID",
    "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
    "MISSING_REQUIRED_PROPERTY",
    "INVALID_OBJECT_IDS",
    "INVALID_AUTHENTICATION",
    "EXPIRED_AUTHENTICATION",
    "MISSING_SCOPES",
    "OBJECT_NOT_FOUND",
    "CONFLICT",
    "RATE_LIMIT",
    "RATE_LIMITS",
    "USER_DOES_NOT_HAVE_PERMISSIONS",
)
"""The codes that HubSpot's answers carry."""

BODIES: tuple[tuple[int, dict[str, Any], str], ...] = (
    (400, {"message": "Missing 'Edit Associations' permission."}, "EDIT_ASSOCIATIONS"),
    (400, {"category": "VALIDATION_ERROR", "message": "invalid ids",
           "context": {"INVALID_OBJECT_IDS": ["CONTACT=838 is not valid"]}}, "INVALID_OBJECT_IDS"),
    (409, {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 42"},
     "CONFLICT"),
    (414, {"message": "Cannot have more than 250 identities on a profile"}, "TOO_MANY_IDENTITIES"),
    (400, {"category": "VALIDATION_ERROR",
           "message": '"num_notes" is a read only property; its value cannot be set.'},
     "READ_ONLY_VALUE"),
    (400, {"category": "VALIDATION_ERROR",
           "message": "The maximum number of inputs supported in a batch request is 100"},
     "TOO_LARGE"),
    (400, {"category": "VALIDATION_ERROR",
           "message": "Property values were not valid: "
           '[{"isValid":false,"message":"X was not one of the allowed options: [A]",'
           '"error":"INVALID_OPTION","name":"tier"}]'}, "INVALID_OPTION"),
    (400, {"category": "VALIDATION_ERROR", "message": "The email is blocklisted"}, "BLOCKLISTED"),
    (400, {"category": "VALIDATION_ERROR", "message": "The quote is published and locked"},
     "QUOTE_LOCKED"),
)  # fmt: skip
"""Answers whose text says more than their code."""


@pytest.mark.parametrize("code", SAID)
def test_every_code_says_what_to_do(code: str) -> None:
    told = advice(code, ["tier"])
    assert told != advice("SOMETHING_NEW", ["tier"])
    assert "{" not in told


@pytest.mark.parametrize("code", sorted(HINTS))
def test_every_hint_is_a_sentence_an_admin_can_follow(code: str) -> None:
    told = advice(code, ["tier", "tier", "score"])
    assert len(told) > 20
    assert ("tier, score" in told) == ("{names}" in HINTS[code])


@pytest.mark.parametrize(("status", "body", "code"), BODIES)
def test_what_only_the_text_tells_is_known_too(
    status: int, body: dict[str, Any], code: str
) -> None:
    error = refusal(status, {}, json.dumps(body).encode(), write=True)
    assert isinstance(error, Refusal)
    found, hint = explained(error.details, error.said)
    assert found == code
    assert hint != advice("SOMETHING_NEW")


def test_the_holder_of_a_unique_value_is_named() -> None:
    body = {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 15875483046"}
    error = refusal(409, {}, json.dumps(body).encode())
    assert isinstance(error, Refusal)
    _, hint = explained(error.details, error.said)
    assert "record 15875483046 holds the value now" in hint
    assert holder_of("nothing is taken") is None


def test_an_unknown_code_keeps_hubspots_words() -> None:
    error = refusal(400, {}, b'{"category": "BRAND_NEW", "message": "odd"}')
    assert isinstance(error, Refusal)
    assert explained(error.details, error.said)[0] == "BRAND_NEW"
    assert explained((), "")[0] == ""
