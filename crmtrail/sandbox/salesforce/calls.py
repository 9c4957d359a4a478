"""One API call, as every resource sees it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmtrail.sandbox.http import Request
from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.records import By
from crmtrail.sandbox.salesforce.refusal import Refusal, unparsable
from crmtrail.sandbox.salesforce.visibility import View
from crmtrail.sandbox.world import Actor


@dataclass(frozen=True, slots=True)
class Session:
    """Who calls: the user behind a token."""

    token: str
    user: str
    name: str
    kind: str
    reads_only: bool

    @property
    def by(self) -> By:
        """The user as an author of writes."""
        return By(Actor(self.kind, self.user, self.name), self.user)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to /services/data/vXX.X/: ``parts`` are the path's segments behind the version.

    ``nested`` requests are part of a composite one.
    """

    request: Request
    session: Session
    view: View
    version: str
    parts: tuple[str, ...]
    nested: bool = False

    @property
    def base(self) -> str:
        """The URL of the API version."""
        return f"/services/data/v{self.version}"

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    def body(self) -> Any:
        """Return the JSON body.

        Raises:
            Refusal: no JSON.
        """
        try:
            body = self.request.json()
            if b"\\ud" in self.request.body.lower():
                # Half a surrogate pair is no character.
                json.dumps(body, ensure_ascii=False).encode()
        except ValueError as error:
            told = str(error).encode("ascii", "replace").decode()
            raise unparsable(f"Unexpected character or end of input: {told}") from None
        return body

    def members(self) -> dict[str, Any]:
        """Return the JSON body, which must be an object.

        Raises:
            Refusal: no JSON object.
        """
        body = self.body()
        if not isinstance(body, dict):
            raise unparsable("The HTTP entity body is required, and must be a JSON object")
        return body

    def option(self, header: str, name: str) -> str | None:
        """Return a named value of a header such as ``Sforce-Query-Options: batchSize=200``."""
        for part in self.request.headers.get(header, "").replace(",", ";").split(";"):
            key, _, value = part.strip().partition("=")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def moment(self, name: str) -> str:
        """Return a query parameter that must be there.

        Raises:
            Refusal: it is missing.
        """
        value = self.request.one(name)
        if value is None:
            raise Refusal("MISSING_ARGUMENT", f"Missing required parameter: {name}")
        return value

    def condition(self, header: str) -> datetime | None:
        """Return the moment a conditional header names.

        Raises:
            Refusal: no HTTP date.
        """
        text = self.request.headers.get(header)
        if text is None:
            return None
        try:
            return moments.parse_http(text)
        except ValueError:
            raise Refusal("INVALID_HEADER", f"Invalid value of header {header}: {text}") from None

    def must_be(self, *methods: str) -> None:
        """Check the method.

        Raises:
            Refusal: the resource does not know it.
        """
        if self.method not in methods:
            raise wrong_method(self, *methods)


def wrong_method(call: Call, *allowed: str) -> Refusal:
    """Make the refusal for a method the resource does not know."""
    return Refusal(
        "METHOD_NOT_ALLOWED",
        f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(allowed)}",
        status=405,
    )
