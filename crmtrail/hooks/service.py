"""The receivers of a service: opened beside its polls, and closed with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from connectors.hubspot.hearsay import hearsay_of
from crmtrail.accounts import account_of
from crmtrail.config import SourceConfig
from crmtrail.errors import Mistake
from crmtrail.hooks.early import Early
from crmtrail.hooks.hook import Hook
from crmtrail.hooks.tally import Tally
from crmtrail.hooks_config import WebhooksConfig
from crmtrail.ports import Clock, Connector, Store
from crmtrail.sessions import Sessions
from scheduler.dispatch import Dispatcher, Job


@dataclass(frozen=True, slots=True)
class Means:
    """What receivers need of the rest.

    Attributes:
        clock: the time.
        stopping: whether the service is ending.
        store: returns the store, for the thread that asks.
        connector: returns the connector of a source, for the thread that asks.
        sessions: what the connectors of this process share.
    """

    clock: Clock
    stopping: Callable[[], bool]
    store: Callable[[], Store]
    connector: Callable[[str], Connector]
    sessions: Sessions


class Hooks:
    """The receivers of all sources that have webhooks. Safe to share between threads.

    Args:
        settings: of each source.
        work: what a worker does with a job.
        means: what receivers need.
    """

    def __init__(
        self, settings: Mapping[str, WebhooksConfig], work: Callable[[Job], None], means: Means
    ) -> None:
        self._settings = settings
        self._work = work
        self._means = means
        self._hooks: dict[str, Hook] = {}

    def work(self, job: Job) -> None:
        """Do a job, and note that it starts."""
        hook = self._hooks.get(job.source)
        if hook is None or not hook.begun(job):
            self._work(job)

    @contextmanager
    def listening(self, dispatcher: Dispatcher, kept: Iterable[tuple[str, str]]) -> Iterator[None]:
        """Receive while inside.

        Args:
            dispatcher: who is asked for polls.
            kept: source and object of all that is polled.

        Raises:
            Mistake: an address cannot be listened on, or the packages are not installed.
        """
        objects = list(kept)
        with ExitStack() as stack:
            for source, settings in self._settings.items():
                mine = [object_ for of, object_ in objects if of == source]
                stack.enter_context(self._open(source, settings, dispatcher, mine))
            yield

    @contextmanager
    def _open(
        self, source: str, settings: WebhooksConfig, dispatcher: Dispatcher, kept: Iterable[str]
    ) -> Iterator[None]:
        try:
            from crmtrail.hooks.listening import Listening  # noqa: PLC0415 -- of an extra
            from crmtrail.hooks.receiver import receiver  # noqa: PLC0415 -- of an extra
        except ModuleNotFoundError as error:
            raise Mistake(
                f"sources.{source}.webhooks: the package {error.name} is not installed",
                hint="pip install 'crmtrail[hooks]'",
            ) from None
        means, tally = self._means, Tally(source)
        hook = Hook(
            source,
            kept,
            Early(dispatcher, means.clock, settings.delay),
            tally,
            portal_of=lambda: account_of(means.store(), source),
            named=lambda spelled: means.connector(source).named(spelled),
            forget=hearsay_of(means.sessions, source).tell,
        )
        hook.learn_portal()
        app = receiver(settings, hook.take, means.clock, tally, means.stopping)
        named = f"sources.{source}.webhooks.listen"
        try:
            with Listening(app, settings.address, named):
                self._hooks[source] = hook
                yield
        finally:
            tally.close()


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
