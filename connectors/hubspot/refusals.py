"""What an answer that is no success means, and what to do next.

The bodies differ: `category` may be missing, validation details come in three layouts, and a
gateway may answer with an HTML page. So every field is optional here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    Mistake,
    PermissionMissing,
    PersonNeeded,
    RecordRefused,
    Throttled,
    Unavailable,
)
from crmtrail.model import stamp, utc

_EMBEDDED = re.compile(r"Property values were not valid:\s*(\[.*\])", re.DOTALL)
_DEAD_ENDS = "INVALID_OBJECT_IDS"
"""Where 2026-09 names the records of an association that are gone."""

_LOCKED_WAIT = 2.0
_MIGRATION_WAIT = 3600.0
_MIGRATION_MOST = 86_400.0
_TEN_SECONDS = 10.0
_ONE_SECOND = 1.0

# HTTP statuses by which HubSpot says what to do; 423, 477 and 52x are its own.
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, LOCKED, TOO_MANY, MIGRATING = 401, 403, 404, 423, 429, 477
_SERVER_ERRORS = range(500, 600)
TRANSIENT: Final = frozenset({408, 425})
"""Statuses below 500 that say: not now."""
_INSECURE = frozenset({525, 526})
"""HubSpot's edge and HubSpot do not trust each other: nothing was carried out, nor will be."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One complaint of a validation error: HubSpot's code, the properties, its words."""

    code: str
    properties: tuple[str, ...]
    message: str


class Refusal(RecordRefused):
    """HubSpot refuses what was sent; ``details`` says which property and why.

    ``said`` is HubSpot's own message, of which the details were taken.
    """

    def __init__(self, message: str, *, said: str, details: tuple[Detail, ...]) -> None:
        super().__init__(message)
        self.said = said
        self.details = details


class Absent(Mistake):
    """HubSpot knows no such thing (404)."""


def body_of(text: bytes) -> dict[str, Any]:
    """Return a JSON body as a mapping; empty for HTML, truncated or other bodies."""
    try:
        body = json.loads(text or b"")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def details_of(body: Mapping[str, Any]) -> tuple[Detail, ...]:
    """Return the complaints of a validation error, whichever layout it has."""
    found = [_detail(item) for item in body.get("errors") or () if isinstance(item, dict)]
    if match := _EMBEDDED.search(str(body.get("message") or "")):
        found += _embedded(match[1])
    for dead in _context(body).get(_DEAD_ENDS) or ():
        found.append(Detail(_DEAD_ENDS, (), str(dead)))
    if found:
        return tuple(found)
    return (Detail(_code(body), (), str(body.get("message") or "")),)


def refusal(
    status: int,
    headers: Mapping[str, str],
    text: bytes,
    *,
    write: bool = False,
    repeatable: bool = True,
) -> CrmtrailError:
    """Return the error that an answer other than 2xx stands for.

    Args:
        status: its status.
        headers: its headers.
        text: its body.
        write: the request could have changed something: a gateway error then leaves open whether
            it did.
        repeatable: sent twice, the request does no more than once.
    """
    body = body_of(text)
    if status in (TOO_MANY, LOCKED, MIGRATING):
        return _paused(status, headers, body, repeatable=repeatable)
    if status in (UNAUTHORIZED, FORBIDDEN) or status in _INSECURE:
        return _for_a_person(status, body)
    if status in _SERVER_ERRORS or status in TRANSIENT:
        return _broken(f"HubSpot answered {status}", write=write, after=retry_after(headers))
    if status == NOT_FOUND:
        return Absent(f"HubSpot knows no such object or record (404){_said(body)}")
    message = f"HubSpot refused the request ({status}){_said(body)}"
    return Refusal(message, said=str(body.get("message") or ""), details=details_of(body))


def broken(error: HTTPError, *, write: bool) -> CrmtrailError:
    """Return the error for a request that got no whole answer.

    The text of ``error`` is left out: it may hold the URL.
    """
    if isinstance(error, NewConnectionError | ConnectTimeoutError | ProxyError):
        return Unavailable(
            "HubSpot cannot be reached", hint="check base_url, the network and any proxy"
        )
    return _broken(f"the connection to HubSpot broke ({type(error).__name__})", write=write)


def nonsense(*, write: bool) -> CrmtrailError:
    """Return the error for a success whose body cannot be read."""
    return _broken("HubSpot's answer is not the JSON it should be", write=write)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3): a number, or a date."""
    named = {name.lower(): value for name, value in headers.items()}
    told = named.get("retry-after", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        pause = parsedate_to_datetime(told) - parsedate_to_datetime(named.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, pause.total_seconds())


def _broken(what: str, *, write: bool, after: float | None = None) -> CrmtrailError:
    if write:
        return Ambiguous(f"{what}; the write may or may not have landed")
    return Unavailable(what, after=after)


def _for_a_person(status: int, body: Mapping[str, Any]) -> CrmtrailError:
    if status == UNAUTHORIZED:
        return CredentialsRefused(
            "HubSpot refused the token (401)",
            hint="check the token of this source; a private app's token changes when rotated",
        )
    if status == FORBIDDEN:
        return _forbidden(body)
    return PersonNeeded(
        f"HubSpot's edge cannot reach HubSpot safely ({status}); asking again does not help",
        hint="see https://status.hubspot.com, and try again when it is mended there",
    )


def _paused(
    status: int, headers: Mapping[str, str], body: Mapping[str, Any], *, repeatable: bool
) -> CrmtrailError:
    after = retry_after(headers)
    if status == MIGRATING:
        return _moving(headers)
    if status == LOCKED and not repeatable:
        return Ambiguous("HubSpot has a record locked (423); what was to be made may be there")
    if status == LOCKED:
        wait = max(_LOCKED_WAIT, after or 0.0)
        return Throttled("HubSpot has the record locked (423)", after=wait)
    policy = str(body.get("policyName") or "").upper()
    said = str(body.get("message") or "").lower()
    if policy == "DAILY" or "daily" in said:
        return BudgetSpent(
            "HubSpot's daily API quota is used up (429)",
            hint="it is shared by all private apps and resets at midnight of the account",
            after=after,
        )
    ten = policy.startswith("TEN") or "ten_secondly" in said
    wait = after or (_TEN_SECONDS if ten else _ONE_SECOND)
    return Throttled("HubSpot asks for a pause (429)", after=wait)


def _moving(headers: Mapping[str, str]) -> CrmtrailError:
    """Say that the portal is moving, and until when: up to a day."""
    told = retry_after(headers)
    wait = _MIGRATION_WAIT if told is None else min(told, _MIGRATION_MOST)
    named = {name.lower(): value for name, value in headers.items()}
    until = f"for {wait:.0f} s"
    try:
        now = utc(parsedate_to_datetime(named.get("date", "")))
    except ValueError:
        pass
    else:
        until = f"until {stamp(now + timedelta(seconds=wait))}"
    if told is None:
        until = "for up to a day; it does not say until when"
    return Throttled(
        f"HubSpot is moving this portal to another data centre (477), {until}",
        hint="nothing is lost: the next run goes on where this one stopped",
        after=wait,
    )


def _forbidden(body: Mapping[str, Any]) -> PermissionMissing:
    scopes: list[str] = []
    for context in (*(_context(item) for item in body.get("errors") or ()), _context(body)):
        for name in ("requiredGranularScopes", "missingScopes", "requiredScopes"):
            scopes += [str(scope) for scope in context.get(name) or ()]
    named = ", ".join(dict.fromkeys(scopes))
    if named:
        return PermissionMissing(
            f"the HubSpot token lacks a scope (403): {named}",
            hint=f"grant one of these scopes to the app: {named}",
        )
    return PermissionMissing(
        f"the HubSpot token may not do this (403){_said(body)}",
        hint="check the app's scopes and that its creator is still a super admin",
    )


def _context(item: object) -> Mapping[str, Any]:
    context = item.get("context") if isinstance(item, dict) else None
    return context if isinstance(context, dict) else {}


def _detail(item: Mapping[str, Any]) -> Detail:
    named = _context(item).get("propertyName") or item.get("in") or ()
    properties = (named,) if isinstance(named, str) else tuple(str(name) for name in named)
    return Detail(_code(item), properties, str(item.get("message") or ""))


def _embedded(text: str) -> list[Detail]:
    try:
        items = json.loads(text)
    except ValueError:
        return []
    return [
        Detail(
            str(item.get("error") or ""),
            (str(item["name"]),) if item.get("name") else (),
            str(item.get("message") or ""),
        )
        for item in items
        if isinstance(item, dict)
    ]


def _code(item: Mapping[str, Any]) -> str:
    return str(item.get("code") or item.get("category") or item.get("errorType") or "")


def _said(body: Mapping[str, Any]) -> str:
    said = str(body.get("message") or "")
    return f": {said}" if said else ""
