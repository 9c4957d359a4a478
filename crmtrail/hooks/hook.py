"""What the events of one source do: they ask for polls, and for nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from crmtrail.errors import CrmtrailError
from crmtrail.hooks.early import Early
from crmtrail.hooks.events import Event, asked, polled
from crmtrail.hooks.tally import Tally
from scheduler.dispatch import Job

SYNC: Final = "sync"
NAMING: Final = "name of"
"""The kind of the job that finds out what a custom object of an event is called."""

LINKS: Final = "name of an end of"
"""The same where its associations changed."""


class Hook:
    """What the events of one source do. Safe to share between threads.

    Args:
        source: the source's name.
        kept: the objects that are polled.
        early: asks for polls.
        tally: what events led to is counted there.
        portal_of: returns the portal of the source, None while unknown.
        named: returns the name of a custom object, given its type id; may ask HubSpot.
        forget: is told of contacts that HubSpot deleted for privacy.
    """

    def __init__(
        self,
        source: str,
        kept: Iterable[str],
        early: Early,
        tally: Tally,
        *,
        portal_of: Callable[[], str | None],
        named: Callable[[str], str],
        forget: Callable[[Mapping[str, datetime | None]], None],
    ) -> None:
        self.source = source
        self.tally = tally
        self._kept = frozenset(kept)
        self._early = early
        self._portal_of = portal_of
        self._portal: str | None = None
        self._named = named
        self._names: dict[str, str] = {}
        self._forget = forget

    def take(self, events: Sequence[Event]) -> bool:
        """Ask for what events call for; return False where all are of other portals."""
        found = asked(events, self._portal, self._kept)
        if found.forgotten:
            self._forget(found.forgotten)
        jobs = {Job(SYNC, self.source, one) for one in found.objects}
        for one, linked in found.custom:
            if one in self._names:
                jobs |= self._syncs(self._names[one], linked=linked)
            else:
                jobs.add(Job(LINKS if linked else NAMING, self.source, one))
        polls = self._early.ask(jobs)
        self.tally.add({**found.counts, "polls": polls, "forgotten": len(found.forgotten)})
        return not events or found.counts.get("foreign", 0) < len(events)

    def begun(self, job: Job) -> bool:
        """Note that a job starts; return whether it was only about a name, and is done."""
        self.learn_portal()
        self._early.begun(job)
        if job.kind == SYNC:
            return False
        try:
            name = self._names[job.object] = self._named(job.object)
        except CrmtrailError:
            self.tally.add({"unknown": 1})
        else:
            jobs = self._syncs(name, linked=job.kind == LINKS)
            self.tally.add({"polls": self._early.ask(jobs, waited=True)})
        return True

    def learn_portal(self) -> None:
        """Look which portal the source's records are of, unless that is known."""
        if self._portal is None:
            self._portal = self._portal_of()

    def _syncs(self, name: str, *, linked: bool) -> set[Job]:
        return {Job(SYNC, self.source, one) for one in polled(name, linked=linked, kept=self._kept)}
