"""The receivers of a service: opened beside its polls, and closed with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from crmtrail.config import SourceConfig
from crmtrail.errors import CrmtrailError, Mistake
from crmtrail.hooks.early import Early
from crmtrail.hooks.events import Event, asked, polled
from crmtrail.hooks.tally import Tally
from crmtrail.hooks_config import WebhooksConfig
from crmtrail.ports import Clock
from crmtrail.targets import Target
from scheduler.dispatch import Dispatcher, Job

SYNC: Final = "sync"
NAMING: Final = "name of"
"""The kind of the job that finds out what a custom object of an event is called."""

LINKS: Final = "name of an end of"
"""The same where its associations changed."""

Work = Callable[[Job], None]


class Hook:
    """What the events of one source do. Safe to share between threads.

    Args:
        source: the source's name.
        kept: the objects that are polled.
        early: asks for polls.
        portal_of: returns the portal of the source, None while unknown.
        named: returns the name of a custom object, given its type id; may ask HubSpot.
        forget: is told of contacts that HubSpot deleted for privacy.
    """

    def __init__(  # noqa: PLR0913 -- each is a seam to another part
        self,
        source: str,
        kept: Iterable[str],
        early: Early,
        tally: Tally,
        *,
        portal_of: Callable[[], str | None],
        named: Callable[[str], str],
        forget: Callable[[Sequence[str]], None],
    ) -> None:
        self.source = source
        self.tally = tally
        self._kept = frozenset(kept)
        self._early = early
        self._portal_of = portal_of
        self._portal: str | None = None
        self._named = named
        self._forget = forget

    def take(self, events: Sequence[Event]) -> bool:
        """Ask for what events call for; return False where all are of other portals."""
        found = asked(events, self._portal, self._kept)
        if found.forgotten:
            self._forget(found.forgotten)
        jobs = [Job(SYNC, self.source, one) for one in found.objects]
        jobs += [
            Job(LINKS if linked else NAMING, self.source, one) for one, linked in found.custom
        ]
        polls = self._early.ask(jobs)
        self.tally.add({**found.counts, "polls": polls, "forgotten": len(found.forgotten)})
        return not events or found.counts.get("foreign", 0) < len(events)

    def begun(self, job: Job) -> bool:
        """Note that a job starts; return whether it was only about a name, and is done."""
        if self._portal is None:
            self._portal = self._portal_of()
        self._early.begun(job)
        if job.kind == SYNC:
            return False
        try:
            name = self._named(job.object)
        except CrmtrailError:
            self.tally.add({"unknown": 1})
        else:
            objects = polled(name, linked=job.kind == LINKS, kept=self._kept)
            self.tally.add({"polls": self._early.ask(Job(SYNC, self.source, o) for o in objects)})
        return True


def webhooks_of(sources: Mapping[str, SourceConfig]) -> dict[str, WebhooksConfig]:
    """Return the settings of webhooks by source, of those sources that have any.

    Raises:
        Mistake: the environment variable that a secret is taken from is not set.
    """
    found = {name: one.webhooks for name, one in sources.items() if one.webhooks is not None}
    for name, settings in found.items():
        if variable := settings.unset:
            raise Mistake(
                f"sources.{name}.webhooks.client_secret: the environment variable {variable} is"
                " not set",
                hint=f"export {variable}=... with the client secret of the HubSpot app",
            )
    return found
