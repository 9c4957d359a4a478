"""Records by id, with history: the one place that reads batches and says what was missing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from connectors.hubspot.actors import Names
from connectors.hubspot.client import Client
from connectors.hubspot.readings import merged_away, mergers, reading_of, removal_of
from connectors.hubspot.schema import MERGED
from connectors.hubspot.shapes import Thing
from crmtrail.errors import Unavailable
from crmtrail.model import Reading, Ref, Removal

NAMES_A_REQUEST = 200
"""With 50 records and their histories an answer then stays under about 5 MB."""

READ_BATCH = 50
"""HubSpot takes 50 ids with history, 100 without."""

FILL_BATCH = 100


@dataclass(frozen=True, slots=True)
class Found:
    """Records by id, when they were read, and survivors of merges that answered unasked."""

    things: Mapping[str, Thing]
    at: datetime
    survivors: Sequence[Thing] = ()


class Lookup:
    """Reads records of one source by id.

    Args:
        client: the API.
        source: the source's name.
        names_of: the property names of an object.
        people: the names behind ids.
    """

    def __init__(
        self,
        client: Client,
        source: str,
        names_of: Callable[[str], Sequence[str]],
        people: Names,
    ) -> None:
        self._client = client
        self._source = source
        self._names_of = names_of
        self._people = people

    def ref(self, object_: str, id_: str) -> Ref:
        """Return the record's name."""
        return Ref(self._source, object_, id_)

    def reading(self, object_: str, thing: Thing, at: datetime) -> Reading:
        """Return a live record.

        Raises:
            Unavailable: HubSpot left out a part that every record has.
        """
        try:
            return reading_of(self.ref(object_, str(thing.id)), thing, at, self._people)
        except ValueError as error:
            raise Unavailable(f"HubSpot's answer is incomplete: {error}") from None

    def live(self, object_: str, ids: Sequence[str], *, history: bool) -> Found:
        """Return live records: one request, or one for each 200 properties."""
        names = self._names_of(object_)
        parts = [
            self._client.batch(object_, ids, names=some, history=history)
            for some in _chunks(names, NAMES_A_REQUEST if history else len(names) or 1)
        ]
        asked = set(ids)
        merged: dict[str, Thing] = {}
        survivors: dict[str, Thing] = {}
        for part in parts:
            for thing in part.content.results:
                into = merged if str(thing.id) in asked else survivors
                before = into.get(str(thing.id))
                into[str(thing.id)] = _joined(before, thing) if before else thing
        return Found(merged, parts[-1].at, tuple(survivors.values()))

    def binned(self, object_: str, ids: Sequence[str]) -> Found:
        """Return those of the records that are in the recycle bin; one request."""
        told = self._client.batch(object_, ids, archived=True)
        # The flag alone is trusted if HubSpot should answer with live records here.
        things = {str(one.id): one for one in told.content.results if _is_archived(one)}
        return Found(things, told.at)

    def ghosts(self, object_: str, ids: Sequence[str]) -> list[Reading]:
        """Return the content of records of the recycle bin; one request, at most 100 ids."""
        told = self._client.batch(object_, ids, names=self._names_of(object_), archived=True)
        return [
            replace(self.reading(object_, one, told.at), deleted=True)
            for one in told.content.results
            if _is_archived(one) and str(one.id) in ids
        ]

    def survivor(self, object_: str, id_: str) -> Removal | None:
        """Ask for an id alone; return the merge it was lost to, if it was. One request."""
        told = self._client.one(object_, id_)
        if told is None or str(told.content.id) == id_:
            return None
        return merged_away(self.ref(object_, id_), told.content, told.at)

    def removals(self, object_: str, found: Found) -> list[Removal]:
        """Return the removals that records of the recycle bin stand for."""
        return [
            removal_of(self.ref(object_, id_), thing, found.at)
            for id_, thing in found.things.items()
        ]

    def explained(self, object_: str, found: Found, missing: Sequence[str]) -> Iterator[Removal]:
        """Yield the merges that unasked survivors explain among the missing ids."""
        for survivor in found.survivors:
            reading = self.reading(object_, survivor, found.at)
            told = {one.ref.id: one for one in mergers(reading)}
            yield from (told[id_] for id_ in missing if id_ in told)

    def read(
        self, object_: str, ids: Sequence[str], *, history: bool
    ) -> dict[str, Reading | Removal]:
        """Return records as they are now; an id that HubSpot knows nothing of is absent.

        Live ids cost one request. Missing ones cost one more together, and one each for those
        that are not in the recycle bin either.
        """
        found = self.live(object_, ids, history=history)
        answers: dict[str, Reading | Removal] = {
            id_: self.reading(object_, thing, found.at) for id_, thing in found.things.items()
        }
        missing = [id_ for id_ in ids if id_ not in answers]
        answers |= {one.ref.id: one for one in self.explained(object_, found, missing)}
        if missing := [id_ for id_ in missing if id_ not in answers]:
            binned = self.binned(object_, missing)
            answers |= {one.ref.id: one for one in self.removals(object_, binned)}
        for id_ in missing:
            if id_ not in answers and (lost := self.survivor(object_, id_)) is not None:
                answers[id_] = lost
        return answers


def requested(names: Sequence[str]) -> tuple[str, ...]:
    """Return the property names to ask for; the trace of merges is always among them."""
    return tuple(dict.fromkeys((*names, MERGED)))


def _is_archived(thing: Thing) -> bool:
    return bool(thing.archived) or thing.archived_at is not None


def _joined(one: Thing, other: Thing) -> Thing:
    """Join two parts of a record. The older stamp stands: it makes a torn read be read again."""
    changes: dict[str, Any] = {"properties": one.properties | other.properties}
    if one.properties_with_history is not None or other.properties_with_history is not None:
        changes["properties_with_history"] = (one.properties_with_history or {}) | (
            other.properties_with_history or {}
        )
    if one.updated_at and other.updated_at and other.updated_at < one.updated_at:
        changes["updated"] = other.updated
    return msgspec.structs.replace(one, **changes)


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    yield from (names[start : start + size] for start in range(0, len(names), size))
