"""The association requests of HubSpot, decoded: one method, one request.

Sources: HubSpot's OpenAPI specs of associations v4 and 2026-03; live answers of v4 name the other
record by a number, where the spec says text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.decoding import decoded
from connectors.hubspot.client import Client, Told
from connectors.hubspot.refusals import Absent, nonsense
from connectors.hubspot.shapes import BatchError, Number, Paging, RecordId, after_of

READ_LIMIT = 1_000
"""How many records one batch read takes (since 2025-02-10)."""

_LABEL_PATHS = (
    "/crm/v4/associations/{}/{}/labels",
    "/crm/associations/v4/{}/{}/labels",
)
"""Where HubSpot's client looks for labels, and where the current spec has them."""


class AssociationType(msgspec.Struct, rename="camel", frozen=True):
    """One type of association, seen from one side. ``label`` is None for the plain one."""

    category: str
    type_id: Number
    label: str | None = None


class Labels(msgspec.Struct, frozen=True):
    """The types of association from one object to another."""

    results: list[AssociationType]


class Target(msgspec.Struct, rename="camel", frozen=True):
    """An associated record, and how it is associated."""

    to_object_id: RecordId
    association_types: tuple[AssociationType, ...] = ()

    @property
    def id(self) -> str:
        """The id of the other record."""
        return str(self.to_object_id)


class End(msgspec.Struct, frozen=True):
    """The record that was asked for."""

    id: RecordId


class Linked(msgspec.Struct, frozen=True):
    """The associations of one record; ``paging`` where there are more."""

    from_: End = msgspec.field(name="from")
    to: list[Target] = []
    paging: Paging | None = None

    @property
    def after(self) -> str | None:
        """Where the rest of this record's associations begins."""
        return after_of(self.paging)


class LinkedBatch(msgspec.Struct, frozen=True):
    """The associations of many records. Those that have none are not in ``results``."""

    results: list[Linked] = []
    errors: list[BatchError] | None = None


class AssociationsApi:
    """Asks for associations and for their types."""

    def __init__(self, client: Client) -> None:
        self._client = client
        v4 = client.transport.client.crm.associations.v4
        self._batch = v4.batch_api
        self._paths: tuple[str, ...] = _LABEL_PATHS

    def labels(self, from_: str, to: str) -> Sequence[AssociationType]:
        """Return the types from one object to another; none where the two cannot be associated.

        The path of HubSpot's client and that of the spec differ. Which of them is served is
        learnt from the first answer.
        """
        for path in self._paths:
            try:
                told = self._ask_labels(path, from_, to)
            except Absent:
                continue
            self._paths = (path,)
            return told.results
        return ()

    def read(self, from_: str, to: str, inputs: Mapping[str, str | None]) -> Told[LinkedBatch]:
        """Return associations of at most 1,000 records, each from a place in them on (None: all).

        A record without any, and one that is gone, is not in the answer, or only as an error.
        """
        body = {
            "inputs": [
                {"id": id_} | ({"after": after} if after is not None else {})
                for id_, after in inputs.items()
            ]
        }
        transport = self._client.transport
        try:
            reply = transport.send(self._batch.get_page, from_, to, body)
        except Absent:
            return Told(LinkedBatch(), transport.now())
        try:
            return Told(decoded(reply.body, LinkedBatch), reply.at)
        except ValueError:
            raise nonsense(write=False) from None

    def _ask_labels(self, path: str, from_: str, to: str) -> Labels:
        reply = self._client.transport.send(self._get, path.format(from_, to))
        try:
            return decoded(reply.body, Labels)
        except ValueError:
            raise nonsense(write=False) from None

    def _get(self, path: str, **options: Any) -> Any:
        return self._batch.api_client.call_api(
            path,
            "GET",
            {},
            [],
            {"Accept": "application/json"},
            response_types_map={},
            auth_settings=["oauth2"],
            **options,
        )
