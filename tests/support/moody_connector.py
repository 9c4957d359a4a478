"""A connector in memory that is in the mood it is told to be in, and counts what is asked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from crmtrail.errors import CrmtrailError
from crmtrail.model import (
    Answer,
    Identity,
    Mode,
    Page,
    Reading,
    Removal,
    Schema,
    Usage,
    Verdict,
    Write,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class MoodyConnector:
    """Each request raises the next of ``moods``, if any is left, and costs ``price`` calls."""

    source = "sf"
    read_batch = 7
    write_batch = 3
    bulk_batch = 3
    undeletes = True

    def __init__(self, *moods: CrmtrailError | None, price: int = 1) -> None:
        self.moods = list(moods)
        self.price = price
        self.asked: list[str] = []
        self.written: list[Write] = []
        self.told = Usage()
        self.calls = 0
        self.closed = False

    def identity(self) -> Identity:
        self._ask("identity")
        return Identity("org", "ada")

    def objects(self, group: str = "") -> Sequence[str]:
        self._ask(f"objects of {group}" if group else "objects")
        return ["Account"]

    def schema(self, object_: str) -> Schema:
        self._ask("schema")
        return Schema(self.source, object_, {})

    def named(self, object_: str) -> str:
        self._ask("named")
        return object_.capitalize()

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        self._ask("missing")
        return [f"{one}: hidden" for one in objects]

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        return f"{position}/{mode}"

    def page(self, object_: str, cursor: str) -> Page:
        self._ask("page")
        return Page(object_, cursor, done=True, watermark=NOON)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        self._ask("read with trail" if trail else "read")
        return {}

    def price(self, records: int) -> tuple[int, int]:
        return -(-records // self.read_batch), -(-records // self.write_batch)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._done("write", writes)

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._done("undelete", writes)

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._done("recreate", writes)

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        self._ask("recreated")
        return {}

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        return self._done("remove", writes)

    def usage(self) -> Usage:
        return self.told

    def close(self) -> None:
        self.closed = True

    def _done(self, what: str, writes: Sequence[Write]) -> Sequence[Answer]:
        self._ask(what)
        self.written += writes
        return [Answer(write.key, Verdict.ACCEPTED) for write in writes]

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.calls += self.price
        mood = self.moods.pop(0) if self.moods else None
        if mood is not None:
            raise mood
