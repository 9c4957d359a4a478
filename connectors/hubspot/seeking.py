"""Looking for a record that may have been made by a request of which the answer was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors.decoding import decoded
from connectors.hubspot.client import SEARCH_LIMIT, Client
from connectors.hubspot.matching import alike
from connectors.hubspot.readings import plain
from connectors.hubspot.refusals import Absent, Refusal, nonsense
from connectors.hubspot.shapes import Batch, BatchError, Thing, milliseconds
from crmtrail.errors import Unavailable

_MOST_PAGES: Final = 50
"""HubSpot shows 10,000 hits of a search, 200 a page."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found by unique values: ids of our own, and complaints about other holders."""

    mine: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, BatchError] = field(default_factory=dict)


class Seeking:
    """Looks for records of one object.

    Args:
        client: the API.
        object_: the object.
        unique: the properties that name one record.
        created: the property that tells when a record was made.
    """

    def __init__(self, client: Client, object_: str, unique: Sequence[str], created: str) -> None:
        self._client = client
        self._object = object_
        self._unique = unique
        self._created = created
        self._read = client.transport.client.crm.objects.batch_api.read

    def by_unique(self, wanted: Mapping[str, Mapping[str, str]], since: datetime) -> Looked:
        """Look for records by a unique value of each; one request for each such property.

        Batch reads do not lag. A record made since is ours: before, it would have been refused.
        """
        mine: dict[str, str] = {}
        others: dict[str, BatchError] = {}
        for name in self._unique:
            values = {
                key: each[name]
                for key, each in wanted.items()
                if each.get(name) and key not in mine and key not in others
            }
            for thing in self._held(name, list(values.values())):
                now = plain(thing.properties.get(name))
                for key in [key for key, text in values.items() if alike(now, text)]:
                    if thing.created_at is not None and thing.created_at >= since:
                        mine[key] = str(thing.id)
                    else:
                        others[key] = _taken(thing)
        return Looked(mine, others)

    def made_since(self, since: datetime, names: Sequence[str]) -> Sequence[Thing]:
        """Return the records made since, as the search shows them, with some properties.

        Raises:
            Unavailable: there are more than a search shows.
        """
        condition = {
            "propertyName": self._created,
            "operator": "GTE",
            "value": str(milliseconds(since)),
        }
        ids: list[str] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            body: dict[str, Any] = {
                "filterGroups": [{"filters": [condition]}],
                "sorts": [{"propertyName": self._created, "direction": "ASCENDING"}],
                "properties": [self._created],
                "limit": SEARCH_LIMIT,
            }
            hits = self._client.search(self._object, body | ({"after": after} if after else {}))
            ids += [str(one.id) for one in hits.content.results]
            after = hits.content.after
            if after is None:
                return self._things(list(dict.fromkeys(ids)), names)
        raise Unavailable("HubSpot made more records since than its search shows")

    def _things(self, ids: Sequence[str], names: Sequence[str]) -> list[Thing]:
        found: list[Thing] = []
        for start in range(0, len(ids), 100):
            part = ids[start : start + 100]
            found += self._client.batch(self._object, part, names=names).content.results
        return found

    def _held(self, name: str, values: Sequence[str]) -> Sequence[Thing]:
        """Return the live records that hold unique values; none where HubSpot cannot say."""
        if not values:
            return ()
        body = {
            "inputs": [{"id": text} for text in dict.fromkeys(values)],
            "idProperty": name,
            "properties": [name],
            "propertiesWithHistory": [],
        }
        try:
            reply = self._client.transport.send(self._read, self._object, body)
        except (Absent, Refusal):
            return ()
        try:
            return decoded(reply.body, Batch).results
        except ValueError:
            raise nonsense(write=False) from None


def _taken(thing: Thing) -> BatchError:
    return BatchError(
        category="CONFLICT", message=f"another record holds the value. Existing ID: {thing.id}"
    )
