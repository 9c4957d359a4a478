"""What every route of the portal works with: the parts of one portal and the call under way."""

import json
from dataclasses import dataclass, field
from typing import Any

from crmtrail.sandbox.http import Request
from crmtrail.sandbox.hubspot.feed import Feed
from crmtrail.sandbox.hubspot.limits import Limits
from crmtrail.sandbox.hubspot.people import App, People
from crmtrail.sandbox.hubspot.refusal import invalid
from crmtrail.sandbox.hubspot.schema import Schema
from crmtrail.sandbox.hubspot.store import Store
from crmtrail.sandbox.hubspot.switches import Switches
from crmtrail.sandbox.hubspot.webhooks import Webhooks
from crmtrail.sandbox.hubspot.writing import Writer, Writing
from crmtrail.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Portal:
    """One portal: its definitions, records, people, switches and limits."""

    world: World
    schema: Schema
    store: Store
    writer: Writer
    people: People
    switches: Switches
    limits: Limits
    webhooks: Webhooks
    feed: Feed


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request: the API version it came by and the parts of its path."""

    request: Request
    version: str
    app: App
    parts: tuple[str, ...] = field(default=())

    @property
    def half(self) -> bool:
        """Whether the fault of a half-applied batch strikes this call."""
        return self.request.fault is not None and self.request.fault.kind == "half_batch"

    def flag(self, name: str) -> bool:
        """Return a boolean query parameter."""
        return (self.request.one(name) or "").lower() == "true"

    def whole(self, name: str, default: int, most: int) -> int:
        """Return a number from the query.

        Raises:
            Refusal: 400, no number or out of bounds.
        """
        text = self.request.one(name)
        if not text:
            return default
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise invalid(f"{name} must be between 1 and {most}, but was {text}")
        return int(text)

    def json(self) -> Any:
        """Return the parsed body.

        Raises:
            Refusal: 400, the body is no JSON.
        """
        try:
            return json.loads(self.request.body or b"null")
        except ValueError as error:
            raise invalid(f"Invalid input JSON: {error}") from None

    def body(self) -> dict[str, Any]:
        """Return the JSON object in the body.

        Raises:
            Refusal: 400, the body is no JSON object.
        """
        found = self.json()
        if not isinstance(found, dict):
            raise invalid("Invalid input JSON: an object is expected")
        return found

    def inputs(self, most: int) -> list[dict[str, Any]]:
        """Return the inputs of a batch.

        Raises:
            Refusal: 400, no inputs or too many.
        """
        found = self.body().get("inputs")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise invalid("Invalid input JSON: inputs must be a list of objects")
        if not found:
            raise invalid("Some required fields were not set: [inputs]")
        if len(found) > most:
            raise invalid(f"The maximum number of inputs supported in a batch request is {most}")
        return found


def writing(portal: Portal, call: Call) -> Writing:
    """Return who writes through this call, and when: the app behind the token, now."""
    return portal.writer.by(call.app.actor)
