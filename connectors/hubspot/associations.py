"""Associations as trail objects: one object for each pair of objects, one record for each pair.

HubSpot keeps no history of associations and gives them no times, so they are read whole and
compared. What came or went between two looks is told as of the second; nobody is named for it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations_with_replacement
from typing import Final

from connectors.hubspot import associations_cursor as position
from connectors.hubspot.associations_api import AssociationsApi, AssociationType
from connectors.hubspot.associations_ends import Ends
from connectors.hubspot.associations_readings import Mirror, Pair, schema_of
from connectors.hubspot.associations_walk import Walk
from connectors.hubspot.client import Client
from connectors.hubspot.discovery import Discovery
from connectors.hubspot.object_names import ends_of, in_order, pair_name
from connectors.hubspot.refusals import Refusal
from crmtrail.errors import Mistake, PermissionMissing
from crmtrail.model import Gap, Mode, Page, Reading, Removal, Schema

GROUP: Final = "associations"
_KEPT: Final = timedelta(hours=1)
"""For how long the pairs of a portal and their types are remembered: each takes a request."""


class Associations:
    """The pairs of one source; see `connectors.hubspot.trail_objects.TrailObjects`.

    Args:
        client: the API.
        source: the source's name.
        discovery: which objects there are.
    """

    def __init__(self, client: Client, source: str, discovery: Discovery) -> None:
        self._transport = client.transport
        self._source = source
        self._discovery = discovery
        self._api = AssociationsApi(client)
        self._walk = Walk(client, self._api, self.mirror)
        self._ends = Ends(client, self._api)
        self._labels: dict[tuple[str, str], tuple[datetime, Sequence[AssociationType]]] = {}
        self._found: tuple[datetime, Sequence[str]] | None = None
        self._refused: dict[str, str] = {}
        self._closed_off: dict[str, str] = {}

    def owns(self, object_: str) -> bool:
        """Whether an object is a pair."""
        return ends_of(object_) is not None

    def pairs(self) -> Sequence[str]:
        """Return the pairs of the source's objects that can be associated in this portal.

        Costs a request for each two objects, once in an hour.
        """
        if self._found is not None and self._transport.now() - self._found[0] < _KEPT:
            return self._found[1]
        self._refused = {}
        kept = self._discovery.kept() or self._discovery.readable()
        both = (in_order(*two) for two in combinations_with_replacement(kept, 2))
        found = [pair_name(*two) for two in both if self._may_read(*two)]
        self._found = self._transport.now(), found
        return found

    def hidden(self) -> list[str]:
        """Return a line for each pair of which the token does not see whether it exists."""
        return [f"{name} is left out: {why}" for name, why in self._refused.items()]

    def schema(self, object_: str) -> Schema:
        """Return the fields of a pair, and remember its types.

        Raises:
            Mistake: records of the two objects cannot be associated.
        """
        pair = self.pair(object_)
        self._closed_off.pop(object_, None)
        try:
            types = self._types(pair.first, pair.second)
        except PermissionMissing as error:
            self._closed_off[object_] = f"{object_} cannot be read by this token: {error}"
            return Schema(self._source, object_, {})
        except Refusal:
            types = ()
        if not types:
            raise Mistake(
                f"HubSpot has no association of {pair.first} with {pair.second}",
                hint="`objects: ['@associations']` stands for all pairs that there are",
            )
        return schema_of(pair)

    def start(self, object_: str, position_: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page."""
        if object_ in self._closed_off and position_ is not None:
            return position_
        return position.opening(position_, mode).text()

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of associations.

        What the config asks for through a group is told as a gap where the token may not read it.
        """
        if (why := self._closed_off.get(object_)) is not None:
            return _untold(object_, cursor, why)
        try:
            return self._walk.page(self.pair(object_), cursor)
        except PermissionMissing as error:
            if self._discovery.asks_for(object_):
                raise
            return _untold(object_, cursor, f"{object_} cannot be read by this token: {error}")

    def read(self, object_: str, ids: Sequence[str]) -> Mapping[str, Reading | Removal]:
        """Return associations as they are now; what is not there is a removal."""
        return self._ends.read(self.pair(object_), ids)

    def pair(self, object_: str) -> Pair:
        """Return the two objects of a pair.

        Raises:
            Mistake: this is no pair.
        """
        ends = ends_of(object_)
        if ends is None:
            raise Mistake(
                f"{object_!r} is no pair of HubSpot objects", hint="contacts-companies is"
            )
        return Pair(self._source, object_, *ends)

    def mirror(self, pair: Pair) -> Mirror:
        """Return the types of both directions."""
        forth, back = (pair.first, pair.second), (pair.second, pair.first)
        return Mirror(tuple(self._types(*forth)), tuple(self._types(*back)))

    def _types(self, from_: str, to: str) -> Sequence[AssociationType]:
        """Return the types from one object to another, not older than an hour.

        One that is younger belongs to no other that is known: only its own end can tell it.
        """
        known = self._labels.get((from_, to))
        if known is None or self._transport.now() - known[0] >= _KEPT:
            types = self._api.labels(from_, to)
            known = self._labels[from_, to] = self._transport.now(), types
        return known[1]

    def _may_read(self, from_: str, to: str) -> bool:
        try:
            return bool(self._types(from_, to))
        except PermissionMissing as error:
            self._refused[pair_name(from_, to)] = f"the token may not read its types ({error})"
        except Refusal:
            pass  # this is how some portals say that two objects cannot be associated
        return False


def _untold(object_: str, cursor: str, why: str) -> Page:
    """Return the one page of a pair that is not read: a gap, and the cursor as it was."""
    return Page(object_, cursor, done=True, gaps=[Gap(object_, None, None, why, whole=True)])
