"""Polls before their time: at most one within each delay, and one after the last event."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from crmtrail.ports import Clock
from scheduler.dispatch import Dispatcher, Job


class Early:
    """Asks for polls of one source. Safe to share between threads.

    A poll that waits already when an event comes may start before HubSpot's search knows of that
    event's change. So such an event is kept in mind, and when the poll starts, one more is asked
    for.

    Args:
        dispatcher: who runs the polls.
        clock: the time.
        delay: how long after an event its object is polled.
    """

    def __init__(self, dispatcher: Dispatcher, clock: Clock, delay: timedelta) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._delay = delay
        self._lock = threading.Lock()
        self._once_more: dict[Job, datetime] = {}

    def ask(self, jobs: Iterable[Job], *, waited: bool = False) -> int:
        """Ask for jobs, and return how many of them did not wait already.

        ``waited``: the delay is over.
        """
        at = self._clock.now() + (timedelta() if waited else self._delay)
        with self._lock:
            return sum(self._submit(job, at) for job in jobs)

    def begun(self, job: Job) -> None:
        """Note that a job starts, whoever asked for it."""
        with self._lock:
            wanted = self._once_more.pop(job, None)
            if wanted is not None:
                self._submit(job, max(wanted, self._clock.now() + self._delay))

    def _submit(self, job: Job, at: datetime) -> bool:
        taken = self._dispatcher.submit(job, not_before=at)
        if not taken:
            self._once_more[job] = at
        return taken
