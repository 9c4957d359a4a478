"""Deliver alerts: decide, claim, send, note. A crash may repeat one message and never loses one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

import structlog

from crmtrail.alerts import journal
from crmtrail.alerts.decide import Message, Told, messages_for, what_to_tell
from crmtrail.alerts.post import ApprisePost
from crmtrail.alerts.texts import Text, text_of, trial_text
from crmtrail.alerts_config import AlertChannel
from crmtrail.errors import CrmtrailError, Mistake
from crmtrail.ports import Clock
from snapshot import noticed
from snapshot.database import reading, writing
from snapshot.store import SqlStore

if TYPE_CHECKING:
    from crmtrail.app import App


class Post(Protocol):
    """Takes messages to people."""

    def fault(self, channel: AlertChannel) -> str:
        """Return why a channel cannot be sent to, or nothing. Sends nothing."""
        ...

    def send(self, channel: AlertChannel, text: Text) -> str:
        """Send words; return why they did not get through, or nothing. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was tried: at which channel, about what, and why it failed, if it did."""

    channel: str
    incidents: tuple[str, ...]
    ok: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alerts of one store, which must exist."""

    channels: Sequence[AlertChannel]
    store: SqlStore
    clock: Clock
    post: Post = field(default_factory=ApprisePost)

    @classmethod
    def of(cls, app: "App") -> Self:
        """Return the alerts of a configuration.

        Raises:
            NoStore: nothing was ever synced.
        """
        return cls(app.config.alerts, app.store, app.clock)

    def deliver(self) -> tuple[Sent, ...]:
        """Send what is due at every channel; whatever goes wrong is told, never raised."""
        sent: list[Sent] = []
        for channel in self.channels:
            try:
                sent += self._at(channel)
            except CrmtrailError as error:
                sent.append(Sent(channel.to, (), ok=False, why=str(error)))
        return tuple(sent)

    def standings(self) -> tuple[journal.ChannelStanding, ...]:
        """Return how each channel stands. Sends nothing."""
        with reading(self.store.engine) as connection:
            return journal.standings(connection, [one.to for one in self.channels])

    def _at(self, channel: AlertChannel) -> list[Sent]:
        """Send to one channel, until it fails: then the rest waits for the next time."""
        sent: list[Sent] = []
        messages, before = self._due(channel)
        for message in messages:
            with writing(self.store.engine) as connection:
                mine = journal.claim(connection, channel.to, message, before, self.clock.now())
                if not mine:
                    connection.rollback()
            if not mine:
                continue
            sent.append(self._send(channel, message))
            if not sent[-1].ok:
                break
        return sent

    def _send(self, channel: AlertChannel, message: Message) -> Sent:
        why = self.post.send(channel, text_of(message, channel))
        with writing(self.store.engine) as connection:
            if why:
                journal.failed(connection, channel.to, message, why)
            else:
                journal.arrived(connection, channel.to, message, self.clock.now())
        return Sent(channel.to, tuple(one.id for one, _, _ in message.told), not why, why)

    def _due(self, channel: AlertChannel) -> tuple[Sequence[Message], dict[str, Told]]:
        now = self.clock.now()
        with writing(self.store.engine) as connection:
            journal.begin(connection, channel.to, now)
            since, digest = journal.began(connection, channel.to)
            ids = journal.news(connection, channel, since)
            found = noticed.incidents_named(connection, ids)
            before = journal.told(connection, channel.to, ids)
            stale = [
                one.id
                for one in found
                if (told := before.get(one.id)) and told.waiting and told.seen
                if what_to_tell(one, told.seen) is None
            ]
            journal.settle(connection, channel.to, stale)
        return messages_for(channel, found, before, digest, now), before


def try_channel(channels: Sequence[AlertChannel], name: str, post: Post | None = None) -> None:
    """Send a test message to a channel. Needs no store.

    Raises:
        Mistake: there is no such channel, or it did not take the message.
    """
    found = next((one for one in channels if one.to == name), None)
    if found is None:
        known = ", ".join(one.to for one in channels) or "none"
        raise Mistake(f"the config has no channel {name!r}", hint=f"channels: {known}")
    if why := (post or ApprisePost()).send(found, trial_text(found)):
        raise Mistake(f"{name}: {why}", hint="check apprise_url; `crmtrail doctor` looks at it")


def tell_at_rest(app: "App") -> None:
    """Send what is due and log it: what `serve` does when its runs have come to rest."""
    log = structlog.get_logger()
    if not app.config.alerts:
        return
    for one in Alerts.of(app).deliver():
        if one.ok:
            log.info("alerted", channel=one.channel, incidents=list(one.incidents))
        else:
            log.warning("not alerted", channel=one.channel, why=one.why)
