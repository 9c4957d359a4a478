"""HubSpot's error bodies. Everything the portal refuses is one `Refusal`, turned into a reply."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from crmtrail.sandbox.http import Reply

_POLICIES = {
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "SECONDLY": "You have reached your secondly limit.",
    "DAILY": "You have reached your daily limit.",
}


class Refusal(Exception):
    """An answer other than success; the request under way changes nothing."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        context: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.errors = list(errors)
        self.context = dict(context or {})

    def body(self) -> dict[str, Any]:
        """Return the error as a standard error body without its correlation id."""
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "category": self.category,
        }
        if self.errors:
            body["errors"] = self.errors
        if self.context:
            body["context"] = self.context
        return body

    def reply(self) -> Reply:
        """Return the error as an answer."""
        return Reply.of(self.status, self.body() | {"correlationId": str(uuid4())})


def invalid(message: str, **context: Sequence[str]) -> Refusal:
    """Return a 400 VALIDATION_ERROR."""
    return Refusal(400, "VALIDATION_ERROR", message, context=context)


def not_found() -> Refusal:
    """Return the 404 of a record that is archived, purged or never was."""
    return Refusal(404, "OBJECT_NOT_FOUND", "resource not found")


def unauthenticated() -> Refusal:
    """Return the 401 of a missing or unknown token."""
    return Refusal(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")


def missing_scopes(*scopes: str) -> Refusal:
    """Return the 403 of a token that lacks all of these scopes."""
    message = (
        "This app hasn't been granted all required scopes to make this call. "
        "Read more about required scopes here: https://developers.hubspot.com/scopes."
    )
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": list(scopes)},
    }
    return Refusal(403, "MISSING_SCOPES", message, errors=[detail])


def rate_limited(policy: str, headers: Mapping[str, str], retry_after: int | None = None) -> Reply:
    """Return a 429: no category, but a policy name; Retry-After only when told."""
    body = {
        "status": "error",
        "message": _POLICIES[policy],
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid4()),
        "policyName": policy,
        "requestId": str(uuid4()),
    }
    extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply.of(429, body, dict(headers) | extra)
