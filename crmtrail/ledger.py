"""The ledger over one configuration: its key, its checkpoints and proofs, its anchors."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from crmtrail.anchor_config import AnchorConfig
from crmtrail.config import Config
from crmtrail.errors import CrmtrailError, Mistake
from crmtrail.ports import Clock
from snapshot import anchored
from snapshot.anchored import Anchorage
from snapshot.anchors import sink
from snapshot.anchors.sink import Connect, Means, Sink
from snapshot.database import reading, sqlite_path
from snapshot.evidence import Anchoring, Evidence, Sent
from snapshot.proofs import head_of
from snapshot.signing import KeyRing, SigningKey, open_ring, replace_ring, this_machine
from snapshot.store import SqlStore


@dataclass(frozen=True, slots=True)
class Ledger:
    """What `crmtrail.app.App` gives out to sign, prove and anchor. The store must exist."""

    config: Config
    store: SqlStore
    clock: Clock
    connect: Connect
    """Opens the CRM, for a checkpoint in there."""

    @property
    def evidence(self) -> Evidence:
        """Checkpoints and proofs; makes the signing key on first use.

        Raises:
            Mistake: the key is missing or cannot be used.
        """
        was_signed = self._anchored_origin() is not None
        ring = open_ring(self.key_file, self.config.ledger.origin, make=not was_signed)
        return self._with(ring)

    @property
    def key_file(self) -> Path:
        """Where the signing key is: where the config says, else beside the store's file."""
        if self.config.ledger.key_file is not None:
            return self.config.ledger.key_file
        path = sqlite_path(self.config.store.url)
        return path.with_name(f"{path.name}.key")

    def anchorage(self) -> Anchorage:
        """Return how far the ledger is anchored. Asks no place outside."""
        with reading(self.store.engine) as connection:
            return anchored.anchorage(connection)

    def anchor(self) -> Anchoring:
        """Send the checkpoint to every anchor of the config.

        Raises:
            Mistake: the config names none, or the key cannot be used.
        """
        if not self.config.ledger.anchors:
            raise Mistake(
                "the config names no anchors",
                hint="add ledger.anchors; config.example.yaml shows how",
            )
        return self.evidence.anchor(self.sinks())

    def sinks(self, named: str | None = None) -> list[Sink]:
        """Return the anchors of the config (or those of one name), not yet opened."""
        anchors = self.config.ledger.anchors
        return self._load([one for one in anchors if named in (None, one.name)])

    def anchor_after_sync(self) -> tuple[Sent, ...]:
        """Do the same at the anchors that are due, if there are any.

        Whatever goes wrong is told, never raised.
        """
        due: list[AnchorConfig] = []
        try:
            due = self._due()
            return self.evidence.anchor(self._load(due)).sinks if due else ()
        except CrmtrailError as error:
            return tuple(Sent(one.name, False, str(error)) for one in due)

    def _due(self) -> list[AnchorConfig]:
        anchors = self.config.ledger.anchors
        if not anchors:
            return []
        now = self.clock.now()
        with reading(self.store.engine) as connection:
            places = {place.name: place for place in anchored.places(connection)}
        return [
            one
            for one in anchors
            if (place := places.get(one.name)) is None or place.is_due(one.every, now)
        ]

    def _load(self, anchors: Sequence[AnchorConfig]) -> list[Sink]:
        return sink.load(anchors, Means(self.clock, self.connect))

    def rotate(self) -> Anchoring:
        """Put a new signing key in use.

        The change is sealed first, so no key ever signs that the ledger does not name. The
        checkpoint returned, which is sent to the anchors too, is signed by both keys: whoever
        trusts the old one finds the new one in the ledger under it.

        Raises:
            Mistake: the key file cannot be read or written.
        """
        old: SigningKey | None = None
        origin = self.config.ledger.origin or self._anchored_origin() or this_machine()
        new = KeyRing(SigningKey.fresh(origin))
        if self.key_file.exists():
            ring = open_ring(self.key_file, self.config.ledger.origin, make=False)
            old, new = ring.current, ring.rotated()
        entry = {
            "added": str(new.current.public),
            "retired": None if old is None else str(old.public),
        }
        self.store.seal("key", entry, self.clock.now())
        # A crash here leaves a sealed key that never signs anything.
        replace_ring(self.key_file, new)
        others = () if old is None else (old,)
        return self._with(new).anchor(self.sinks(), *others)

    def _with(self, ring: KeyRing) -> Evidence:
        return Evidence(self.store.engine, ring, self.clock)

    def _anchored_origin(self) -> str | None:
        with reading(self.store.engine) as connection:
            notes = [place.note for place in anchored.places(connection) if place.note]
        return head_of(notes[0]).origin if notes else None


class AnchoringAtRest:
    """Anchors in a thread of its own, once syncs have come to rest. Use as a context manager.

    So many objects that are polled together cost one checkpoint, and a slow place outside holds
    up no sync. Leaving the context anchors what is still to be anchored.

    Args:
        ledger: gives the ledger, in the thread that asks.
        first: is called before each anchoring, such as what tells people of incidents.
        quiet_s: seconds without a sync that count as rest.
        longest_s: seconds after the first sync, after which no more rest is waited for.
    """

    def __init__(
        self,
        ledger: Callable[[], Ledger],
        *,
        first: Callable[[], None] = lambda: None,
        quiet_s: float = 2.0,
        longest_s: float = 60.0,
    ) -> None:
        self._ledger = ledger
        self._first = first
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._changed = threading.Condition()
        self._synced = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="anchoring")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def touch(self) -> None:
        """Tell that a sync has ended."""
        with self._changed:
            self._synced += 1
            self._changed.notify_all()

    def _run(self) -> None:
        done = 0
        while (synced := self._rest(done)) > done:
            done = synced
            self._anchor()

    def _rest(self, done: int) -> int:
        """Wait for a sync after ``done`` of them, and then for rest; return how many there were."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._synced > done)
            deadline = time.monotonic() + self._longest_s
            while self._moves(self._synced, min(self._quiet_s, deadline - time.monotonic())):
                pass
            return self._synced

    def _moves(self, seen: int, seconds: float) -> bool:
        """Wait so long, and return whether another sync ended meanwhile."""
        if self._closed or seconds <= 0:
            return False
        self._changed.wait_for(lambda: self._closed or self._synced > seen, seconds)
        return self._synced > seen

    def _anchor(self) -> None:
        log = structlog.get_logger()
        try:
            self._first()
        except Exception as error:  # noqa: BLE001 -- the service and its anchors outlive it; it is told
            log.error("not alerted", error=type(error).__name__)  # noqa: TRY400 -- a trace may hold values
        try:
            sent = self._ledger().anchor_after_sync()
        except Exception as error:  # noqa: BLE001 -- the service outlives a failed anchoring; it is told
            log.error("not anchored", error=type(error).__name__)  # noqa: TRY400 -- a trace may hold values
            return
        for one in sent:
            if one.ok:
                log.info("anchored", anchor=one.name)
            else:
                log.warning("not anchored", anchor=one.name, why=one.why, altered=one.altered)
