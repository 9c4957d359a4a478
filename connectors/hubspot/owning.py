"""Which owners are active: HubSpot takes no others, or takes them and shows nobody."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from connectors.hubspot.client import Client
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import after_of
from crmtrail.errors import PermissionMissing, Unavailable

_JOINED: Final = ";"


def owners_in(text: str) -> set[str]:
    """Return the owners that a property names; some name several."""
    return {one for one in text.split(_JOINED) if one}


class Owners:
    """The active owners of the portal, asked for only when an owner is to be written.

    Who is known to be active is not asked for again; HubSpot refuses one who left meanwhile.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._active: frozenset[str] = frozenset()

    def inactive_in(self, values: Iterable[Mapping[str, str]], names: Collection[str]) -> set[str]:
        """Return the inactive owners among some properties of records."""
        found: set[str] = set()
        for each in values:
            found = found.union(*(owners_in(each[name]) for name in names if name in each))
        return self.inactive(found) if found else found

    def inactive(self, ids: set[str]) -> set[str]:
        """Return those of the owners who are not active; none where HubSpot does not tell.

        Costs a request for a hundred owners, where one of the ids is not known yet.
        """
        if ids <= self._active:
            return set()
        try:
            self._active = frozenset(self._fetched())
        except (PermissionMissing, Absent, Refusal, Unavailable):
            return set()  # HubSpot itself then says what it does not take
        return ids - self._active

    def _fetched(self) -> set[str]:
        found: set[str] = set()
        after: str | None = None
        while True:
            page = self._client.owners(after, archived=False)
            found |= {str(owner.id) for owner in page.results if owner.id is not None}
            after = after_of(page.paging)
            if after is None:
                return found
