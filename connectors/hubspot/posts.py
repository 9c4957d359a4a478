"""The requests that change something in HubSpot: one method, one request, and what they answer.

Sizes are HubSpot's own: 100 records a batch, 2,000 new associations, 100 removed ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from connectors.decoding import decoded
from connectors.hubspot.client import Client
from connectors.hubspot.refusals import nonsense
from connectors.hubspot.shapes import BatchError, Number, Thing

RECORDS: Final = 100
_STATUSES: Final = "/communication-preferences/v4/statuses"

Shape = TypeVar("Shape")
Inputs = Sequence[Mapping[str, Any]]


class Warned(msgspec.Struct, frozen=True):
    """What HubSpot did otherwise than asked; 2026-09 tells that it normalized a value."""

    category: str | None = None
    message: str | None = None
    context: dict[str, Any] | None = None

    def told(self) -> str:
        """Return it in words, without the values."""
        name = (self.context or {}).get("propertyName")
        what = f"HubSpot normalized the value of {name}" if name else self.message or self.category
        return str(what or "HubSpot warns of something it does not name")


class Made(Thing, rename="camel", frozen=True):
    """A record as a write answers it. ``trace`` is what the input was sent with, if told."""

    trace: str | None = msgspec.field(default=None, name="objectWriteTraceId")
    warnings: list[Warned] | None = None


class Written(msgspec.Struct, rename="camel", frozen=True):
    """The answer to a batch of records, whatever its status; in no order."""

    results: list[Made] = msgspec.field(default_factory=list)
    errors: list[BatchError] | None = None


class _End(msgspec.Struct, frozen=True):
    id: Number | None = None


class Linked(msgspec.Struct, rename="camel", frozen=True):
    """One association that was made: its ends are told in one of two ways."""

    from_: _End = msgspec.field(default=_End(), name="from")
    to: _End = _End()
    from_object_id: Number | None = None
    to_object_id: Number | None = None

    @property
    def ends(self) -> tuple[str, str]:
        """The ids of both ends."""
        one = self.from_.id if self.from_object_id is None else self.from_object_id
        other = self.to.id if self.to_object_id is None else self.to_object_id
        return str(one), str(other)


class Links(msgspec.Struct, frozen=True):
    """The answer to a batch of associations."""

    results: list[Linked] = msgspec.field(default_factory=list)
    errors: list[BatchError] | None = None


class Status(msgspec.Struct, rename="camel", frozen=True):
    """What a subscription is now. The subscriber is an e-mail address: it goes nowhere from here.

    Sent as ``statusState``, it is answered as ``status``; its id comes as text or as a number.
    """

    subscriber_id_string: str | None = None
    subscription_id: Number | None = None
    status: str | None = None


class Statuses(msgspec.Struct, frozen=True):
    """The answer to a batch of subscription statuses."""

    results: list[Status] = msgspec.field(default_factory=list)
    errors: list[BatchError] | None = None


class Posts:
    """Sends what changes something; nothing here is ever sent twice.

    Every method may raise what `connectors.hubspot.transport.Transport.send` raises, Ambiguous
    where the answer was lost.
    """

    def __init__(self, client: Client) -> None:
        self._transport = client.transport
        hubspot = client.transport.client
        self._records = hubspot.crm.objects.batch_api
        self._links = hubspot.crm.associations.v4.batch_api

    def update(self, object_: str, inputs: Inputs) -> Written:
        """Set properties of at most 100 records."""
        return self._sent(self._records.update, Written, object_, inputs)

    def create(self, object_: str, inputs: Inputs) -> Written:
        """Make at most 100 records."""
        return self._sent(self._records.create, Written, object_, inputs)

    def archive(self, object_: str, inputs: Inputs) -> Written:
        """Move at most 100 records to the recycle bin."""
        return self._sent(self._records.archive, Written, object_, inputs)

    def associate(self, from_: str, to: str, inputs: Inputs) -> Links:
        """Make at most 2,000 associations, by type."""
        return self._sent(self._links.create, Links, from_, inputs, to)

    def dissociate(self, from_: str, to: str, inputs: Inputs) -> Links:
        """Take away all associations of at most 100 pairs, labels and all."""
        return self._sent(self._links.archive, Links, from_, inputs, to)

    def unlabel(self, from_: str, to: str, inputs: Inputs) -> Links:
        """Take away single labels of at most 100 pairs."""
        return self._sent(self._links.archive_labels, Links, from_, inputs, to)

    def set_statuses(self, inputs: Inputs) -> Statuses:
        """Set at most 100 subscription statuses."""
        reply = self._transport.send(
            self._raw, f"{_STATUSES}/batch/write", {"inputs": list(inputs)}, write=True
        )
        return _shaped(reply.body, Statuses)

    def set_status(self, address: str, body: Mapping[str, Any]) -> Statuses:
        """Set one subscription status; that takes another scope than a batch does."""
        path = f"{_STATUSES}/{quote(address, safe='')}"
        reply = self._transport.send(self._raw, path, dict(body), write=True)
        return _shaped(reply.body, Statuses)

    def _sent(
        self, call: Callable[..., Any], shape: type[Shape], object_: str, inputs: Inputs, *to: str
    ) -> Shape:
        body = {"inputs": list(inputs)}
        reply = self._transport.send(call, object_, *to, body, write=True)
        return _shaped(reply.body, shape)

    def _raw(self, path: str, body: object, **options: Any) -> Any:
        """Carry out a POST that HubSpot's client does not wrap."""
        return self._records.api_client.call_api(
            path,
            "POST",
            {},
            [],
            {"Accept": "application/json", "Content-Type": "application/json"},
            body=body,
            response_types_map={},
            auth_settings=["oauth2"],
            **options,
        )


def _shaped(body: bytes, shape: type[Shape]) -> Shape:
    """Return an answer; v4 tells some successes by an empty one (204)."""
    try:
        return decoded(body, shape) if body.strip() else shape()
    except ValueError:
        raise nonsense(write=True) from None
