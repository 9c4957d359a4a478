"""How the lists of the account are asked for: what two trail objects need is asked for once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from connectors.hubspot.client import Client, Told
from connectors.hubspot.groups_parts import Part, Query, needs_custom, parts_for
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Rows
from crmtrail.errors import PermissionMissing
from crmtrail.ports import Clock

_SHARED: Final = "/crm/v3/pipelines/"
"""Pipelines, their stages and their audit begin with the same lists."""

_DEFINED: Final = "/crm/v3/properties/"
_SHARED_FOR: Final = timedelta(seconds=30)
_CUSTOM_FOR: Final = timedelta(minutes=10)
"""How long the names of custom objects are believed."""

_Answer = Told[Rows] | PermissionMissing | Absent | Refusal


class Asking:
    """Asks for pages of lists.

    A shared answer serves each trail object once, so that nothing is ever read twice as news.

    Args:
        client: the API.
        clock: tells how old an answer is.
    """

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._customs: tuple[datetime, Sequence[tuple[str, str]]] | None = None
        self._shared: dict[tuple[str, str | None], tuple[datetime, _Answer, set[str]]] = {}

    def parts(self, object_: str) -> Sequence[Part]:
        """Return the lists of a trail object. One request, if custom objects are to be known."""
        return parts_for(object_, self._custom() if needs_custom(object_) else ())

    def page(self, object_: str, part: Part, after: str | None) -> Told[Rows]:
        """Return one page of a list; one request, or none.

        Raises:
            PermissionMissing, Absent, Refusal: HubSpot does not give it out.
        """
        if part.path == f"{_DEFINED}{part.of}" and not part.query and after is None:
            # Every run of a synced object asks for its properties.
            told = self._client.defined(part.of, _SHARED_FOR)
            return told or self._asked(part, after)
        if not part.path.startswith(_SHARED):
            return self._asked(part, after)
        key, now = (part.path, after), self._clock.now()
        kept = self._shared.get(key)
        fresh = kept and timedelta() <= now - kept[0] < _SHARED_FOR and object_ not in kept[2]
        if not kept or not fresh:
            kept = self._shared[key] = now, self._answer(part, after), set()
        kept[2].add(object_)
        if isinstance(kept[1], Told):
            return kept[1]
        raise kept[1]

    def _answer(self, part: Part, after: str | None) -> _Answer:
        try:
            return self._asked(part, after)
        except (PermissionMissing, Absent, Refusal) as error:
            return error

    def _asked(self, part: Part, after: str | None) -> Told[Rows]:
        onward: Query = (("after", after),) if after is not None else ()
        return self._client.rows(part.path, (*part.query, *onward))

    def _custom(self) -> Sequence[tuple[str, str]]:
        """Return names and type ids of the custom objects; none where the token sees none."""
        now = self._clock.now()
        if self._customs is None or not timedelta() <= now - self._customs[0] < _CUSTOM_FOR:
            self._customs = now, _customs(self._client)
        return self._customs[1]


def _customs(client: Client) -> Sequence[tuple[str, str]]:
    try:
        found = client.schemas().results
    except (PermissionMissing, Absent, Refusal):
        return ()
    named = [(one.fully_qualified_name or one.object_type_id, one.object_type_id) for one in found]
    return [(name, id_ or name) for name, id_ in named if name]
