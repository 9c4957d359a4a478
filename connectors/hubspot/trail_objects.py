"""What the connector asks of everything that is synced and is no CRM record."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from crmtrail.model import Mode, Page, Reading, Removal, Schema


class TrailObjects(Protocol):
    """Some trail objects: the connector asks each in turn whether an object is one of them.

    The methods mean what they mean in `crmtrail.ports.Connector`.
    """

    def owns(self, object_: str) -> bool:
        """Whether an object is one of these. Sends no request."""
        ...

    def schema(self, object_: str) -> Schema:
        """Return the fields of an object; none where the portal does not have it."""
        ...

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page. Sends no request."""
        ...

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page."""
        ...

    def read(self, object_: str, ids: Sequence[str]) -> Mapping[str, Reading | Removal]:
        """Return records as they are now, by id."""
        ...
