"""A connector that reads and never writes: planning uses it, so that no plan can change the CRM."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from crmtrail.errors import StopAll
from crmtrail.model import Answer, Identity, Mode, Page, Reading, Removal, Schema, Usage, Write
from crmtrail.ports import Connector


class DryRun:
    """Passes every read on and refuses every write; see `crmtrail.ports.Connector`."""

    def __init__(self, connector: Connector) -> None:
        self._inner = connector
        self.source = connector.source
        self.read_batch = connector.read_batch
        self.write_batch = connector.write_batch
        self.bulk_batch = connector.bulk_batch
        self.undeletes = connector.undeletes

    @property
    def calls(self) -> int:
        """How many API requests were sent so far."""
        return self._inner.calls

    def identity(self) -> Identity:
        """Return whom the vendor takes us for."""
        return self._inner.identity()

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, or those of a group."""
        return self._inner.objects(group)

    def schema(self, object_: str) -> Schema:
        """Return the fields of one object as of now."""
        return self._inner.schema(object_)

    def named(self, object_: str) -> str:
        """Return the one name under which an object is kept."""
        return self._inner.named(object_)

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what this identity cannot see of some objects."""
        return self._inner.missing(objects)

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of the first page of a run."""
        return self._inner.start(object_, position, mode)

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page."""
        return self._inner.page(object_, cursor)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now."""
        return self._inner.read(object_, ids, trail=trail)

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records cost to read and to write, in requests."""
        return self._inner.price(records)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse.

        Raises:
            StopAll: always.
        """
        raise StopAll(
            f"{self.source}: a dry run does not write; {len(writes)} records of {object_} "
            "were left as they are",
            hint="`crmtrail apply` carries a plan out",
        )

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse.

        Raises:
            StopAll: always.
        """
        return self.write(object_, writes)

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse.

        Raises:
            StopAll: always.
        """
        return self.write(object_, writes)

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records made anew by requests of which the answer was lost."""
        return self._inner.recreated(object_, writes, since)

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse.

        Raises:
            StopAll: always.
        """
        return self.write(object_, writes)

    def usage(self) -> Usage:
        """Return the vendor's last word on our budget."""
        return self._inner.usage()

    def close(self) -> None:
        """Close connections."""
        self._inner.close()
