"""What an HTTP answer of Salesforce that is no success means for us.

Sources: "Status Codes and Error Responses" of the REST API Developer Guide, and the error texts
recorded in public clients. Bodies are a list of ``{"errorCode", "message", "fields"}``, an OAuth
object ``{"error", "error_description"}``, or a gateway's HTML page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    CursorLost,
    Mistake,
    PermissionMissing,
    Throttled,
    Unavailable,
)
from crmtrail.model import Usage, utc

_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
_TRANSIENT_STATUS = frozenset({406, 408, 420, 425})
_TRANSIENT_CODES = frozenset(
    {"QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW"}
)
_TOKEN_CODES = frozenset(
    {"INVALID_SESSION_ID", "InvalidSessionId", "Bad_OAuth_Token", "Missing_OAuth_Token"}
)
_TOO_LONG = frozenset({HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE})
_CONCURRENCY_PAUSE = 10.0
_LONGEST_MESSAGE = 300


class Refusal(Mistake):
    """Salesforce refused the request; ``code`` and ``told`` are its own words for why."""

    def __init__(
        self, message: str, *, code: str, told: str = "", hint: str = "", status: int = 400
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.told = told
        self.status = status

    @property
    def is_absence(self) -> bool:
        """Whether there is no such resource, or it is not served in this way."""
        return self.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)


class Delay(Unavailable):
    """Salesforce gave up on the request for now; ``code`` is its word for why."""

    def __init__(self, message: str, *, code: str, after: float | None = None) -> None:
        super().__init__(message, after=after)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no success. ``now`` is the vendor's clock; ``source`` our name for it."""

    source: str
    status: int
    content: Any
    headers: Mapping[str, str]
    now: datetime

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """The error objects of the body; none where the body is no JSON of that shape."""
        found = self.content if isinstance(self.content, list) else [self.content]
        return [entry for entry in found if isinstance(entry, Mapping)]

    @property
    def code(self) -> str:
        """The vendor's error code, or an empty text."""
        for entry in self.entries:
            code = entry.get("errorCode") or entry.get("error") or entry.get("exceptionCode")
            if isinstance(code, str):
                return code
        text = self.content.strip() if isinstance(self.content, str) else ""
        return text if text in _TOKEN_CODES else ""

    @property
    def told(self) -> str:
        """The vendor's own words on one line, cut at a sane length; empty where it gave none."""
        for entry in self.entries:
            text = entry.get("message") or entry.get("error_description")
            text = text or entry.get("exceptionMessage")
            if isinstance(text, str):
                return one_line(text)
        return ""

    @property
    def after(self) -> float | None:
        """The pause asked for by Retry-After, in seconds."""
        return retry_after(self.headers.get("Retry-After"), self.now)

    @property
    def shown(self) -> str:
        """Status, code and words for a message."""
        words = ": ".join(part for part in (self.code, self.told) if part)
        return f"HTTP {self.status}" + (f", {words}" if words else "")


def one_line(text: str) -> str:
    """Return text without line breaks, cut at 300 characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_MESSAGE else flat[: _LONGEST_MESSAGE - 1] + "…"


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds, or an HTTP date against ``now``."""
    if not value:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    at = http_date(value)
    return None if at is None else max(0.0, (at - now).total_seconds())


def http_date(value: str | None) -> datetime | None:
    """Read an HTTP date; None where there is none, or nonsense."""
    if not value:
        return None
    try:
        return utc(parsedate_to_datetime(value))
    except ValueError:
        return None


def usage(headers: Mapping[str, str]) -> Usage | None:
    """Read ``Sforce-Limit-Info: api-usage=18/15000``; None where it is not told."""
    match = _USAGE.search(headers.get("Sforce-Limit-Info", ""))
    return None if match is None else Usage(used=int(match[1]), limit=int(match[2]))


def understand(answer: Answer, *, writing: bool) -> CrmtrailError:
    """Return the error to raise for an answer that is no success.

    A write that was answered by a gateway or a failing server may have been carried out:
    that is Ambiguous. An answer in which Salesforce refuses the whole request is certain.
    """
    name = "Salesforce"
    if answer.status == HTTPStatus.UNAUTHORIZED or answer.code in _TOKEN_CODES:
        return CredentialsRefused(
            f"{name} refused the credentials ({answer.shown})",
            hint=f"the access token of {answer.source} has expired or was revoked; "
            "put a fresh one where the config takes it from",
        )
    if answer.code == "REQUEST_LIMIT_EXCEEDED" or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _limited(answer, name)
    if answer.status == HTTPStatus.FORBIDDEN:
        return _forbidden(answer, name)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRANSIENT_STATUS:
        return _unwell(answer, name, writing=writing)
    if HTTPStatus.MULTIPLE_CHOICES < answer.status < HTTPStatus.BAD_REQUEST:
        return Mistake(
            f"{name} answered with a redirect (HTTP {answer.status}), which is not followed",
            hint=f"set base_url of {answer.source} to the org's own My Domain address",
        )
    return _refused(answer, name, writing=writing)


def _limited(answer: Answer, name: str) -> CrmtrailError:
    """Tell a spent budget from too many long requests at once, which pass within seconds."""
    if answer.code != "REQUEST_LIMIT_EXCEEDED":
        return Throttled(f"{name} asks for a pause ({answer.shown})", after=answer.after)
    if answer.told.startswith("Concurrent"):
        pause = answer.after or _CONCURRENCY_PAUSE
        return Throttled(f"{name} is busy with long requests ({answer.shown})", after=pause)
    return BudgetSpent(
        f"{name} has no API calls left ({answer.shown})",
        hint="the limit counts a rolling 24 hours over all apps; the run resumes by itself",
        after=answer.after,
    )


def _forbidden(answer: Answer, name: str) -> CrmtrailError:
    return PermissionMissing(
        f"{name} does not let this identity do that ({answer.shown})",
        hint="it needs API Enabled, and View All Data to read or edit rights to restore",
    )


def _unwell(answer: Answer, name: str, *, writing: bool) -> CrmtrailError:
    if writing:
        return Ambiguous(
            f"{name} failed during a write (HTTP {answer.status}); it may have been carried out",
            hint="the records are read back before anything else is written",
        )
    return Delay(f"{name} is not available ({answer.shown})", code=answer.code, after=answer.after)


def _refused(answer: Answer, name: str, *, writing: bool) -> CrmtrailError:
    if answer.code == "INVALID_QUERY_LOCATOR":
        return CursorLost(f"{name} no longer knows our place in a result ({answer.shown})")
    if answer.code in _TRANSIENT_CODES:
        return _unwell(answer, name, writing=writing)
    if answer.code.startswith("INSUFFICIENT_ACCESS") or answer.code.startswith("API_"):
        return PermissionMissing(f"{name} does not let this identity do that ({answer.shown})")
    hint = ""
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) and not answer.code:
        hint = "there is no Salesforce REST API at that address; check base_url and api_version"
    elif answer.status == HTTPStatus.GONE or answer.code in ("UNSUPPORTED_API_VERSION", "GONE"):
        hint = "that version of the API is retired; raise api_version"
    elif answer.status in _TOO_LONG:
        hint = "the address line is longer than Salesforce takes: sync fewer fields of the object"
    elif answer.code == "INVALID_TYPE":
        hint = "check the object's API name; a custom object ends in __c"
    return Refusal(
        f"{name} refused the request ({answer.shown})",
        code=answer.code,
        told=answer.told,
        hint=hint,
        status=answer.status,
    )
