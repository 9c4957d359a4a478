"""Our own writes, as the next reading of a record will show them. Pure.

A restore must not raise the alarm, and a stranger's write must never pass for a restore. So a
step of ours is looked for only with the fields that may have landed, and only for as long as they
may have landed late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crmtrail.model import Change, Tokens, moment, value_of
from snapshot.canonical import same

MODIFIED: Final = "@modified"
"""Key of the vendor's last-change stamp in a before-image; no field of either vendor has an @."""

READ: Final = "@read"
"""Key of the vendor's clock at the reading of a before-image."""

SLACK: Final = timedelta(seconds=5)
"""How far the vendor's stamp of our own write may lie before our clock's time of sending it."""

LINGER: Final = timedelta(minutes=15)
"""How long a vendor may still carry out a request after we gave it up."""

UNSETTLED: Final = timedelta(days=1)
"""How long a step is looked for that a crash left without a word on what became of it."""

_NEVER_LANDED: Final = ("refused", "already")


@dataclass(frozen=True, slots=True)
class Sent:
    """A plan step of ours that was sent and that no sync has seen yet. ``no`` counts in a plan.

    ``since`` and ``until`` bound when it can have landed, by the vendor's clock; without
    ``since`` our time of sending has to do, and None for ``until`` sets no bound.
    """

    plan: str
    no: int
    write: Tokens
    sent_at: datetime
    since: datetime | None = None
    until: datetime | None = None

    def explains(self, change: Change, at: datetime) -> bool:
        """Return whether a change at some time is what this step wrote."""
        wanted = self.write.get(change.field)
        since = self.sent_at - SLACK if self.since is None else self.since
        in_time = since <= at and (self.until is None or at <= self.until)
        return wanted is not None and in_time and same(change.new, wanted)


def awaited(
    sent: Sent, before: Tokens, settled_at: datetime | None, results: Mapping[str, str]
) -> Sent | None:
    """Return a sent step as it is looked for; None where nothing of it can have landed.

    Args:
        sent: the step with all its fields.
        before: its before-image: the fields that were sent, and the vendor's stamps.
        settled_at: when it was settled, by our clock; None while it is being sent.
        results: how its fields ended, once settled.
    """
    write = {
        name: token
        for name, token in sent.write.items()
        if (not before or name in before) and results.get(name) not in _NEVER_LANDED
    }
    if not write:
        return None
    read_at = _stamp(before, READ) or sent.sent_at
    took = UNSETTLED if settled_at is None else settled_at - sent.sent_at + LINGER
    return Sent(sent.plan, sent.no, write, sent.sent_at, _stamp(before, MODIFIED), read_at + took)


def _stamp(before: Tokens, key: str) -> datetime | None:
    token = before.get(key)
    return None if token is None else moment(value_of(token))
