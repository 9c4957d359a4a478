"""The trail objects of a HubSpot account, group by group: what it keeps about itself.

A portal has only some of them: others need an edition or a scope. What is not there is a stated
gap and no failure.
"""

from collections.abc import Mapping, Sequence

from connectors.hubspot.client import Client
from connectors.hubspot.groups_asking import Asking
from connectors.hubspot.groups_audits import Audits
from connectors.hubspot.groups_consent import Consent
from connectors.hubspot.groups_events import Events
from connectors.hubspot.groups_kinds import CONSENT, EVENTS, GROUPS, KINDS, LISTS, PIPELINE_AUDIT
from connectors.hubspot.groups_lists import Lists
from connectors.hubspot.groups_witness import Witness
from connectors.hubspot.people import People
from connectors.hubspot.refusals import Absent
from crmtrail.errors import CrmtrailError, PermissionMissing
from crmtrail.model import Gap, Mode, Page, Reading, Removal, Schema
from crmtrail.ports import Clock

__all__ = ["GROUPS", "Groups"]


class Groups:
    """Trail objects behind the port; see `connectors.hubspot.trail_objects.TrailObjects`.

    Args:
        client: the API.
        source: the source's name.
        people: the names behind user ids.
        clock: used to ask less often, and where HubSpot does not tell the time.
    """

    def __init__(self, client: Client, source: str, people: People, clock: Clock) -> None:
        self._source = source
        asking = Asking(client, clock)
        self._audits = Audits(client, asking, source, people)
        witness = Witness(client, source, self._audits, people, client.transport.now)
        self._lists = Lists(asking, source, people, witness, clock)
        self._events = Events(client, source, people, clock)
        self._consent = Consent(client, source)

    def owns(self, object_: str) -> bool:
        """Whether an object is a trail object of a group. Sends no request."""
        return object_ in KINDS

    def schema(self, object_: str) -> Schema:
        """Return the fields of an object. Sends no request: `page` tells what cannot be read."""
        return KINDS[object_].schema(self._source, object_)

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page. Sends no request."""
        if object_ in LISTS:
            return self._lists.start(object_, position, mode)
        if object_ in EVENTS:
            return self._events.start(object_, position, mode)
        if object_ == PIPELINE_AUDIT:
            return self._audits.start(position, mode)
        return self._consent.start(position, mode)

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page; where HubSpot gives nothing of the object out, a gap."""
        try:
            return self._page(object_, cursor)
        except (PermissionMissing, Absent) as error:
            gap = Gap(object_, None, None, untold(object_, error), whole=True)
            return Page(object_, cursor, done=True, gaps=(gap,))

    def read(self, object_: str, ids: Sequence[str]) -> Mapping[str, Reading | Removal]:
        """Return things as they are now, by id. An event stays as it was told: none is returned."""
        if object_ in LISTS:
            return self._lists.read(object_, ids)
        return self._consent.read(ids) if object_ == CONSENT else {}

    def _page(self, object_: str, cursor: str) -> Page:
        if object_ in LISTS:
            return self._lists.page(object_, cursor)
        if object_ in EVENTS:
            return self._events.page(object_, cursor)
        if object_ == PIPELINE_AUDIT:
            return self._audits.page(cursor)
        return self._consent.page(cursor)


def untold(object_: str, error: CrmtrailError) -> str:
    """Say that this account or token does not show an object, and what it would take."""
    return f"{object_} cannot be read with this token ({error}): it takes {KINDS[object_].needs}"
