"""The service: APScheduler triggers the syncs of the config, workers run them, SIGTERM ends it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from crmtrail.config import SchedulerConfig
from crmtrail.ports import Clock
from scheduler.dispatch import Dispatcher, Job, ThreadDispatcher


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often an object is polled."""

    source: str
    object: str
    every: timedelta


class Service:
    """Polls every object of the config at its cadence, until told to stop.

    ``sync`` runs one job in a worker thread; it must return soon after ``stopping`` is set.
    """

    def __init__(
        self,
        cadences: Sequence[Cadence],
        sync: Callable[[Job], None],
        settings: SchedulerConfig,
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        self._stopping = stopping
        self._dispatcher = ThreadDispatcher(sync, clock, workers=settings.workers)
        # Triggers only submit keys, so one thread is enough for them.
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)}, timezone="UTC"
        )
        for cadence in cadences:
            job = Job("sync", cadence.source, cadence.object)
            self._scheduler.add_job(
                self._dispatcher.submit,
                IntervalTrigger(
                    seconds=max(1, int(cadence.every.total_seconds())),
                    jitter=int(settings.jitter.total_seconds()) or None,
                    timezone="UTC",
                ),
                args=[job],
                id=f"sync {cadence.source}:{cadence.object}",
                coalesce=True,
                max_instances=1,
                misfire_grace_time=max(1, int(settings.misfire_grace.total_seconds())),
            )
        self._cadences = cadences

    @property
    def dispatcher(self) -> Dispatcher:
        """Where others may ask for polls before their time."""
        return self._dispatcher

    def run(self) -> None:
        """Poll everything once at the start, then at its cadence; return after `stopping` is set.

        The job under way ends its page first, so a stop loses nothing.
        """
        log = structlog.get_logger()
        self._dispatcher.start()
        self._scheduler.start()
        for cadence in self._cadences:
            self._dispatcher.submit(Job("sync", cadence.source, cadence.object))
        log.info("serving", objects=len(self._cadences))
        self._stopping.wait()
        log.info("stopping after the pages under way")
        self._scheduler.shutdown(wait=True)
        self._dispatcher.close()
        log.info("stopped")
