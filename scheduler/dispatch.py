"""Hand work to workers: at least once, coalesced by key. The embedded form runs threads.

The seam carries keys only, so that a queue of another machine can stand in its place. Correctness
never rests on it: every run takes the lease of its object (`scheduler.lease`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol

import structlog

from crmtrail.ports import Clock


class Priority(IntEnum):
    """Lower goes first."""

    RESTORE = 0
    POLL = 1
    RECONCILE = 2
    BACKFILL = 3


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """A key of work."""

    kind: str
    source: str
    object: str


class Dispatcher(Protocol):
    """Where triggers put work and workers find it."""

    def submit(
        self, job: Job, *, not_before: datetime | None = None, priority: Priority = Priority.POLL
    ) -> bool:
        """Ask for a job; return False where the same job already waits."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    not_before: datetime
    priority: Priority
    number: int
    job: Job


class ThreadDispatcher:
    """Workers in this process. A job that runs may be asked for again and then runs once more."""

    def __init__(self, work: Callable[[Job], None], clock: Clock, *, workers: int) -> None:
        self._work = work
        self._clock = clock
        self._queue: list[_Waiting] = []
        self._running: set[Job] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._number = 0
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker-{n}") for n in range(workers)
        ]

    def start(self) -> None:
        """Start the workers."""
        for thread in self._threads:
            thread.start()

    def submit(
        self, job: Job, *, not_before: datetime | None = None, priority: Priority = Priority.POLL
    ) -> bool:
        """Ask for a job; return False where the same job already waits."""
        with self._changed:
            if self._closed or any(waiting.job == job for waiting in self._queue):
                return False
            self._number += 1
            at = not_before or self._clock.now()
            self._queue.append(_Waiting(at, priority, self._number, job))
            self._changed.notify()
            return True

    def close(self) -> None:
        """Take no more work and return when the jobs under way have ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._work(job)
            except Exception as error:  # noqa: BLE001 -- a worker outlives any job; the error is told
                structlog.get_logger().error(
                    "job failed",
                    job=f"{job.kind} {job.source}:{job.object}",
                    error=type(error).__name__,
                )
            finally:
                with self._changed:
                    self._running.discard(job)
                    self._changed.notify_all()

    def _next(self) -> Job | None:
        """Wait for a job that is due and does not run already; None when closed."""
        with self._changed:
            while not self._closed:
                now = self._clock.now()
                due = [w for w in self._queue if w.not_before <= now and w.job not in self._running]
                if due:
                    first = min(due, key=lambda w: (w.priority, w.not_before, w.number))
                    self._queue.remove(first)
                    self._running.add(first.job)
                    return first.job
                later = [w.not_before for w in self._queue if w.not_before > now]
                self._changed.wait((min(later) - now).total_seconds() if later else None)
            return None
