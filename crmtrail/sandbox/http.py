"""Requests and replies as plain values, and the protocol each CRM's wire speaks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from crmtrail.sandbox.faults import Fault


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are lower case, ``query`` keeps repeats in order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""
    fault: Fault | None = None

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> "Request":
        """Split a request target into its decoded path and query."""
        parts = urlsplit(target)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, unquote(parts.path), query, headers, body, target)

    def one(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    def many(self, name: str) -> list[str]:
        """Return a list parameter, whether repeated (``a=1&a=2``) or comma-joined (``a=1,2``)."""
        joined = [value for key, value in self.query if key == name]
        return [part for value in joined for part in value.split(",") if part]

    def json(self) -> Any:
        """Return the parsed body.

        Raises:
            ValueError: the body is no JSON.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @classmethod
    def of(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> "Reply":
        """Make a JSON answer."""
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        return cls(
            status, body, {"Content-Type": "application/json;charset=UTF-8"} | dict(headers or {})
        )


class Wire(Protocol):
    """One CRM: its routes, its seeded records and its control verbs.

    Every call comes under the world's lock.
    """

    crm: str
    features: frozenset[str]
    """What a reset may switch on; the world knows which of them it did."""

    def create(self) -> None:
        """Create this CRM's tables in an empty world."""

    def seed(self, records: int) -> None:
        """Fill the tables with about so many records, deterministically from the world's seed."""

    def owns(self, path: str) -> bool:
        """Whether a request path belongs to this CRM."""

    def handle(self, request: Request) -> Reply:
        """Answer a request as the vendor would."""

    def act(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Let somebody inside the CRM do something (see docs/sandbox.md); return what happened.

        Raises:
            ValueError: the command makes no sense, in words for the test's author.
        """

    def truth(self, object_: str, record: str | None) -> list[dict[str, Any]]:
        """Return records as they are now, deleted ones included with ``"deleted": true``."""

    def people(self) -> dict[str, Any]:
        """Return users, apps and tokens, so that a test can act as somebody."""

    def throttled(self, fault: Fault, request: Request, /) -> Reply:
        """The vendor's refusal for a fault of kind unauthorized, throttle or unavailable."""
