"""Which contacts were deleted for privacy: HubSpot's own log of security is the second source.

Such a contact lies in no recycle bin, and no answer says what became of it. That a record cannot
be found says nothing by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.hubspot.actors import Names
from connectors.hubspot.client import Client
from connectors.hubspot.hearsay import Hearsay
from connectors.hubspot.history import is_contact
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Number, Row, milliseconds, when
from crmtrail.errors import PermissionMissing
from crmtrail.model import Actor, ActorKind, Loss, Ref, Removal, unknown

PATH: Final = "/account-info/v3/activity/security"

REACH: Final = timedelta(days=90)
"""How far back the log is read the first time; sweeps ask every day."""

_DEED: Final = "GDPR_DELETE"
_OVERLAP: Final = timedelta(minutes=10)
_PAUSE: Final = timedelta(minutes=1)
_CLOSED_FOR: Final = timedelta(hours=1)


_BY_WEBHOOK: Final = unknown("a webhook told of the deletion for privacy; it names nobody")


@dataclass(frozen=True, slots=True)
class _Deletion:
    at: datetime | None
    actor: Actor


class Forgotten:
    """Remembers what the log told, so that it is read on from there. Contacts only.

    A token that may not read the log is no error: see `among`. That is asked again after an hour.

    Args:
        client: the API.
        people: the names behind ids.
        heard: what webhooks told; it counts like the log.
    """

    def __init__(self, client: Client, people: Names, heard: Hearsay) -> None:
        self._client = client
        self._people = people
        self._heard = heard
        self._told: dict[str, _Deletion] = {}
        self._new: list[str] = []
        self._upto: datetime | None = None
        self._closed: datetime | None = None

    def among(self, refs: Sequence[Ref]) -> dict[str, Removal]:
        """Return the removals of those contacts that were deleted for privacy, by id.

        Empty where the log says nothing, or nothing to us. Costs a request for each page of it.
        """
        wanted = [ref for ref in refs if is_contact(ref.object)]
        for id_, at in self._heard.among([ref.id for ref in wanted]).items():
            self._told.setdefault(id_, _Deletion(at, _BY_WEBHOOK))
        if any(ref.id not in self._told for ref in wanted):
            self._read_on()
        return self._removals(wanted)

    def news(self, since: datetime | None) -> list[str] | None:
        """Return the ids that the log tells and that were not returned before; reads it on.

        None where the log is closed to us. ``since`` is when it was last read for this, by
        HubSpot's clock; None: never.
        """
        self._read_on(since)
        if self._closed is not None:
            return None
        news, self._new = self._new, []
        return news

    def _removals(self, wanted: Sequence[Ref]) -> dict[str, Removal]:
        read_at = self._client.transport.now()
        return {
            ref.id: Removal(
                ref,
                Loss.FORGOTTEN,
                max(read_at, one.at) if one.at else read_at,
                one.at,
                one.actor,
            )
            for ref in wanted
            if (one := self._told.get(ref.id)) is not None
        }

    def _read_on(self, since: datetime | None = None) -> None:
        now = self._client.transport.now()
        if self._closed is not None and now - self._closed < _CLOSED_FOR:
            return
        if self._upto is not None and now - self._upto < _PAUSE:
            return
        known = self._upto or since
        try:
            self._read_since(now - REACH if known is None else known - _OVERLAP)
        except (PermissionMissing, Absent, Refusal):
            self._closed = now
        else:
            self._closed, self._upto = None, now

    def _read_since(self, since: datetime) -> None:
        """Read the log from a moment on; how HubSpot wants that written is not documented."""
        try:
            self._read_pages([("fromTimestamp", str(milliseconds(since)))])
        except Refusal:
            self._read_pages([])

    def _read_pages(self, query: list[tuple[str, str]]) -> None:
        after: str | None = None
        while True:
            onward = [("after", after)] if after else []
            page = self._client.rows(PATH, [*query, ("limit", "100"), *onward])
            for row in page.content.results:
                self._note(row)
            if (after := page.content.after) is None:
                return

    def _note(self, row: Row) -> None:
        id_ = _text(row, "objectId")
        if _text(row, "type") == _DEED and id_:
            if id_ not in self._told:
                self._new.append(id_)
            self._told[id_] = _Deletion(when(_text(row, "createdAt")), self._actor(row))

    def _actor(self, row: Row) -> Actor:
        id_, email = _text(row, "userId"), _text(row, "actingUser")
        if id_ is None and email is None:
            return unknown("HubSpot's log of security names no user")
        name = self._people.user(id_) if id_ else None
        return Actor(ActorKind.USER, id_, name or email, "privacy deletion")


def _text(row: Row, key: str) -> str | None:
    raw = row.get(key)
    told: Number | None = None if raw is None else msgspec.json.decode(raw, type=Number | None)
    return str(told) if told not in (None, "") else None
