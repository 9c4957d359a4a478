"""The rules of retention, applied once a day by the service."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from crmtrail.errors import CrmtrailError
from crmtrail.ports import Clock
from snapshot.retaining import Aged

DAILY = timedelta(days=1)


class Daily:
    """Applies the rules in the thread that asks, at most once a day.

    Args:
        apply: applies them.
        clock: where the time comes from.
    """

    def __init__(self, apply: Callable[[], Sequence[Aged]], clock: Clock) -> None:
        self._apply = apply
        self._clock = clock
        self._lock = threading.Lock()
        self._next: datetime | None = None

    def touch(self) -> None:
        """Apply the rules if a day has gone by since they were, or if they never were.

        What goes wrong is logged, and tried again the next day: no sync fails for it.
        """
        now = self._clock.now()
        with self._lock:
            if self._next is not None and now < self._next:
                return
            self._next = now + DAILY
        log = structlog.get_logger()
        try:
            for one in self._apply():
                if one.leaves or one.held:
                    log.info(
                        "retention",
                        rule=str(one.rule),
                        object=one.object,
                        records=one.records,
                        versions=one.versions,
                        held=sum(one.held.values()),
                    )
        except CrmtrailError as error:
            log.warning("retention failed", why=str(error))
