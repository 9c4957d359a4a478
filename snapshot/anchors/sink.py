"""What every place that keeps checkpoints can do, and how they are loaded by kind."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from crmtrail.anchor_config import AnchorConfig
from crmtrail.errors import AnchorFailed
from crmtrail.ports import Clock, Connector


class Connect(Protocol):
    """Opens the connector of a source."""

    def __call__(self, source: str, *, restoring: bool = False) -> Connector:
        """Return the connector; with ``restoring`` it carries the identity that may write."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a place may need of crmtrail."""

    clock: Clock
    connect: Connect


class Sink(Protocol):
    """A place outside that takes checkpoints. A kind of them is an entry point.

    The group is ``crmtrail.anchors``; the entry point is called with the anchor's settings and
    `Means`, opens nothing yet, and loads what is dear or optional only when it is used.
    Every method raises AnchorFailed, and may be called by one thread at a time.
    """

    name: str
    """Tells one place from all others, in one line: ``file:/mnt/elsewhere/checkpoints``."""

    readable: bool
    """Whether the place can be asked what it holds."""

    def newest(self, origin: str) -> str | None:
        """Return the newest checkpoint of a log that the place holds, as far as it can be read."""
        ...

    def held(self, origin: str) -> Iterator[str]:
        """Yield every checkpoint of a log that the place still gives out, oldest first.

        Raises:
            VerifyFailed: the place itself bears witness against one, such as a time stamp.
        """
        ...

    def send(self, note: str, origin: str) -> None:
        """Keep a checkpoint of a log. Durable on return."""
        ...


def load(anchors: Iterable[AnchorConfig], means: Means) -> list[Sink]:
    """Return the places that a configuration names. Nothing is opened yet."""
    sinks: list[Sink] = []
    for settings in anchors:
        (entry,) = entry_points(group="crmtrail.anchors", name=settings.kind)
        sinks.append(entry.load()(settings, means))
    return sinks


def lacking(package: str, extra: str) -> AnchorFailed:
    """Return the failure of a place whose package is not installed."""
    return AnchorFailed(
        f"the package {package} is not installed", hint=f"pip install 'crmtrail[{extra}]'"
    )
