"""What every place that keeps checkpoints can do, and how they are loaded by kind."""

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Protocol

from crmtrail.config import AnchorConfig


class Sink(Protocol):
    """A place outside that takes checkpoints. A kind of them is an entry point.

    The group is ``crmtrail.anchors``; the entry point is called with the anchor's settings.
    Both methods raise AnchorFailed, and may be called by one thread at a time.
    """

    name: str
    """Tells one place from all others, in one line: ``file:/mnt/elsewhere/checkpoints``."""

    def newest(self, origin: str) -> str | None:
        """Return the newest checkpoint of a log that the place holds, as far as it can be read."""
        ...

    def send(self, note: str, origin: str) -> None:
        """Keep a checkpoint of a log. Durable on return."""
        ...


def load(anchors: Iterable[AnchorConfig]) -> list[Sink]:
    """Return the places that a configuration names. Nothing is opened yet."""
    sinks: list[Sink] = []
    for settings in anchors:
        (entry,) = entry_points(group="crmtrail.anchors", name=settings.kind)
        sinks.append(entry.load()(settings))
    return sinks
