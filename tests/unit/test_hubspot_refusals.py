"""What HubSpot's answers other than success mean."""

import json
from typing import Any

import pytest

from connectors.hubspot.refusals import Absent, Detail, Refusal, details_of, refusal
from connectors.hubspot.words import explained
from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    PermissionMissing,
    PersonNeeded,
    RetryLater,
    Throttled,
    Unavailable,
)

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def answer(status: int, body: Any = None, **headers: str) -> CrmtrailError:
    return refusal(status, headers, json.dumps(body).encode())


def test_credentials() -> None:
    body = {"status": "error", "category": "INVALID_AUTHENTICATION", "message": "not found."}
    assert type(answer(401, body)) is CredentialsRefused
    assert type(refusal(401, {}, b"")) is CredentialsRefused


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}]},
        {"context": {"missingScopes": ["crm.objects.deals.read"]}},
    ],
)
def test_missing_scopes_are_named(body: dict[str, Any]) -> None:
    error = answer(403, {"category": "MISSING_SCOPES"} | body)
    assert isinstance(error, PermissionMissing)
    assert "crm.objects.deals.read" in str(error)
    assert "crm.objects.deals.read" in error.hint


@pytest.mark.parametrize("text", [b"", HTML, b'"text"', b"[1]", b'{"errors": "odd"}', b'{"a":'])
def test_bodies_of_any_shape_are_survived(text: bytes) -> None:
    assert isinstance(refusal(403, {}, text), PermissionMissing)
    assert isinstance(refusal(400, {}, text), Refusal)
    assert isinstance(refusal(429, {}, text), Throttled)
    assert isinstance(refusal(404, {}, text), Absent)


@pytest.mark.parametrize(
    ("policy", "message", "wait"),
    [
        ("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.", 10),
        ("SECONDLY", "You have reached your secondly limit.", 1),
        (None, "You have reached your ten_secondly_rolling limit.", 10),
        (None, "", 1),
    ],
)
def test_pauses(policy: str | None, message: str, wait: float) -> None:
    body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": policy, "message": message}
    error = answer(429, body)
    assert isinstance(error, Throttled)
    assert error.after == wait
    told = refusal(429, {"retry-after": "7"}, json.dumps(body).encode())
    assert isinstance(told, Throttled)
    assert told.after == 7
    at_once = refusal(429, {"retry-after": "0"}, json.dumps(body).encode())
    assert isinstance(at_once, Throttled)
    assert at_once.after == wait


@pytest.mark.parametrize(
    "body", [{"policyName": "DAILY"}, {"message": "You have reached your daily limit."}]
)
def test_the_daily_quota_is_not_a_pause(body: dict[str, str]) -> None:
    assert type(answer(429, body)) is BudgetSpent


@pytest.mark.parametrize(("status", "wait"), [(423, 2), (477, 3600)])
def test_hubspots_own_waits(status: int, wait: float) -> None:
    error = answer(status)
    assert isinstance(error, Throttled)
    assert error.after == wait


def test_a_migration_tells_how_long() -> None:
    date = {"Date": "Tue, 24 Nov 2026 10:00:00 GMT"}
    error = answer(477, {}, **{"Retry-After": "86400"}, **date)
    assert isinstance(error, RetryLater)
    assert error.after == 86_400
    assert "is moving this portal" in str(error)
    assert "until 2026-11-25T10:00:00Z" in str(error)
    longer = answer(477, {}, **{"Retry-After": "864000"}, **date)
    assert isinstance(longer, RetryLater)
    assert longer.after == 86_400
    assert "does not say until when" in str(answer(477, {}, **date))


def test_a_lock_is_waited_for_unless_records_were_to_be_made() -> None:
    error = answer(423, {"category": "LOCKED"}, **{"Retry-After": "9"})
    assert isinstance(error, Throttled)
    assert error.after == 9
    sooner = answer(423, {}, **{"Retry-After": "1"})
    assert isinstance(sooner, Throttled)
    assert sooner.after == 2
    assert type(refusal(423, {}, b"", write=True)) is Throttled
    assert type(refusal(423, {}, b"", write=True, repeatable=False)) is Ambiguous


@pytest.mark.parametrize("status", [525, 526])
@pytest.mark.parametrize("write", [False, True])
def test_an_edge_that_trusts_hubspot_no_more_is_not_asked_again(status: int, write: bool) -> None:
    error = refusal(status, {}, HTML, write=write)
    assert type(error) is PersonNeeded
    assert "status.hubspot.com" in error.hint


@pytest.mark.parametrize("status", [500, 502, 503, 504, 521, 522, 523, 524])
def test_gateways(status: int) -> None:
    assert type(refusal(status, {}, HTML)) is Unavailable
    assert type(refusal(status, {}, HTML, write=True)) is Ambiguous


def test_a_date_in_retry_after_is_no_number_of_seconds() -> None:
    error = refusal(503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, HTML)
    assert isinstance(error, Unavailable)
    assert error.after is None


EMBEDDED = (
    'Property values were not valid: [{"isValid":false,"message":"X was not one of the allowed'
    ' options: [A, B]","error":"INVALID_OPTION","name":"dealstage"}]'
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"message": EMBEDDED, "category": "VALIDATION_ERROR"},
            (
                Detail(
                    "INVALID_OPTION",
                    ("dealstage",),
                    "X was not one of the allowed options: [A, B]",
                ),
            ),
        ),
        (
            {
                "errors": [
                    {
                        "message": "no such property",
                        "code": "PROPERTY_DOESNT_EXIST",
                        "context": {"propertyName": ["old"]},
                    }
                ]
            },
            (Detail("PROPERTY_DOESNT_EXIST", ("old",), "no such property"),),
        ),
        (
            {"category": "VALIDATION_ERROR", "message": "odd"},
            (Detail("VALIDATION_ERROR", (), "odd"),),
        ),
        ({"message": "Property values were not valid: [broken"}, None),
        ({}, (Detail("", (), ""),)),
    ],
)
def test_validation_details(body: dict[str, Any], expected: tuple[Detail, ...] | None) -> None:
    found = details_of(body)
    assert found == (expected or (Detail("", (), body["message"]),))


def test_a_conflict_keeps_hubspots_words() -> None:
    body = {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 15875483046"}
    error = answer(409, body)
    assert isinstance(error, Refusal)
    assert "15875483046" in error.said
    assert "free it there" in explained(error.details)[1]


def test_hints_name_the_properties() -> None:
    details = details_of({"message": EMBEDDED})
    code, hint = explained(details)
    assert code == "INVALID_OPTION"
    assert hint.startswith("dealstage no longer allows")
    assert explained([Detail("NEVER_SEEN", ("x",), "m")]) == (
        "NEVER_SEEN",
        "HubSpot refuses the value of x; see its message",
    )
    assert explained([])[0] == ""
