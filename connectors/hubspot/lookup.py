"""Records by id, with history: the one place that reads batches and says what was missing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from connectors.hubspot.actors import Names
from connectors.hubspot.client import Client, Told
from connectors.hubspot.forgotten import Forgotten
from connectors.hubspot.hearsay import Hearsay
from connectors.hubspot.history import beginning, is_contact
from connectors.hubspot.merging import merged_away, merged_ids, mergers, traces
from connectors.hubspot.readings import reading_of, removal_of
from connectors.hubspot.refusals import Refusal
from connectors.hubspot.shapes import Batch, Thing
from connectors.months import months_before
from crmtrail.errors import PermissionMissing, Unavailable
from crmtrail.model import Reading, Ref, Removal

NAMES_A_REQUEST = 250
"""With 50 records and three values of each an answer then has about 5 MB."""

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
        months: how far back history is wanted; 0: only that of what changes from now on.
        heard: what webhooks told of deletions for privacy.
    """

    def __init__(
        self,
        client: Client,
        source: str,
        names_of: Callable[[str], Sequence[str]],
        people: Names,
        months: int,
        heard: Hearsay,
    ) -> None:
        self._client = client
        self._source = source
        self._names_of = names_of
        self._people = people
        self._forgotten = Forgotten(client, people, heard)
        self.months = months

    def ref(self, object_: str, id_: str) -> Ref:
        """Return the record's name."""
        return Ref(self._source, object_, id_)

    def reading(
        self, object_: str, thing: Thing, at: datetime, since: datetime | None = None
    ) -> Reading:
        """Return a live record; where no history is imported, only that from ``since`` on.

        Raises:
            Unavailable: HubSpot left out a part that every record has.
        """
        try:
            reading = reading_of(self.ref(object_, str(thing.id)), thing, at, self._people)
        except ValueError as error:
            raise Unavailable(f"HubSpot's answer is incomplete: {error}") from None
        return beginning(reading, months_before(at, self.months) if self.months else since)

    def live(self, object_: str, ids: Sequence[str], *, history: bool) -> Found:
        """Return live records: one request, or one for each 250 properties.

        Where HubSpot refuses to tell the history of an object, its records come without.
        """
        try:
            parts = self._parts(object_, ids, history=history)
        except Refusal:
            if not history:
                raise
            parts = self._parts(object_, ids, history=False)
        asked = set(ids)
        merged: dict[str, Thing] = {}
        survivors: dict[str, Thing] = {}
        for part in parts:
            for thing in part.content.results:
                into = merged if str(thing.id) in asked else survivors
                before = into.get(str(thing.id))
                into[str(thing.id)] = _joined(before, thing) if before else thing
        return Found(merged, parts[-1].at, tuple(survivors.values()))

    def _parts(self, object_: str, ids: Sequence[str], *, history: bool) -> list[Told[Batch]]:
        names = self._names_of(object_)
        return [
            self._client.batch(object_, ids, names=some, history=history)
            for some in _chunks(names, NAMES_A_REQUEST if history else len(names) or 1)
        ]

    def binned(self, object_: str, ids: Sequence[str]) -> Found:
        """Return those of the records that are in the recycle bin; one request.

        Not every object has a bin that can be read.
        """
        try:
            told = self._client.batch(object_, ids, names=traces(object_), archived=True)
        except (Refusal, PermissionMissing):
            return Found({}, self._client.transport.now())
        # The flag alone is trusted if HubSpot should answer with live records here.
        things = {str(one.id): one for one in told.content.results if _is_archived(one)}
        asked = set(ids)
        survivors = tuple(thing for id_, thing in things.items() if id_ not in asked)
        return Found({id_: things[id_] for id_ in things if id_ in asked}, told.at, survivors)

    def buried(self, object_: str, ids: Sequence[str]) -> dict[str, Removal]:
        """Return records of the recycle bin with their content; one request, at most 50 ids.

        Whether HubSpot tells the history of such records is not documented.
        """
        names = self._names_of(object_)
        history = len(names) <= NAMES_A_REQUEST
        try:
            told = self._client.batch(object_, ids, names=names, history=history, archived=True)
        except Refusal:
            if not history:
                raise
            told = self._client.batch(object_, ids, names=names, archived=True)
        found: dict[str, Removal] = {}
        for one in told.content.results:
            ref = self.ref(object_, str(one.id))
            if _is_archived(one) and ref.id in ids:
                last = self.reading(object_, one, told.at)
                found[ref.id] = replace(removal_of(ref, one, told.at), last=last)
        return found

    def survivor(self, object_: str, id_: str) -> Removal | None:
        """Ask for an id alone; return the merge it was lost to, if it was. One request."""
        found = self._traced(object_, id_)
        return merged_away(found, id_) if found is not None and found.ref.id != id_ else None

    def _traced(self, object_: str, id_: str) -> Reading | None:
        """Return a live record with the traces of what was merged into it; one request."""
        told = self._client.one(object_, id_, names=traces(object_))
        return None if told is None else self.reading(object_, told.content, told.at)

    def forgotten(self, object_: str, ids: Sequence[str]) -> dict[str, Removal]:
        """Return those of the records that were deleted for privacy, as a second source says."""
        return self._forgotten.among([self.ref(object_, id_) for id_ in ids])

    def forgotten_lately(self, object_: str, since: datetime | None) -> list[Removal] | None:
        """Return contacts deleted for privacy since a moment, wherever they lay, and nowhere now.

        None where that cannot be read. Costs the request that asks for news of them, and two more
        for each 50 of them.
        """
        found: list[Removal] = []
        news = self._forgotten.news(since) if is_contact(object_) else []
        if news is None:
            return None
        for ids in _chunks(news, READ_BATCH):
            here = self.live(object_, ids, history=False).things
            gone = [id_ for id_ in ids if id_ not in here]
            binned = self.binned(object_, gone).things if gone else {}
            found += self.forgotten(object_, [one for one in gone if one not in binned]).values()
        return found

    def removals(self, object_: str, found: Found) -> list[Removal]:
        """Return the removals that records of the recycle bin stand for."""
        return [
            removal_of(self.ref(object_, id_), thing, found.at)
            for id_, thing in found.things.items()
        ]

    def explained(self, object_: str, found: Found, missing: Sequence[str]) -> Iterator[Removal]:
        """Yield the merges that unasked survivors explain among the missing ids.

        One that came without its history costs a request more: only that says when and by whom.
        """
        for survivor in found.survivors:
            reading = self.reading(object_, survivor, found.at)
            if not set(missing) & set(merged_ids(reading)):
                continue
            if not reading.trail:
                reading = self._traced(object_, reading.ref.id) or reading
            told = {one.ref.id: one for one in mergers(reading)}
            yield from (told[id_] for id_ in missing if id_ in told)

    def read(
        self, object_: str, ids: Sequence[str], *, history: bool
    ) -> dict[str, Reading | Removal]:
        """Return records as they are now; an id that HubSpot knows nothing of is absent.

        Live ids cost one request. Missing ones cost one more together, and one each for those
        that are not in the recycle bin either. Contacts that are nowhere cost one more: whether
        they were deleted for privacy.
        """
        found = self.live(object_, ids, history=history)
        answers: dict[str, Reading | Removal] = {
            id_: self.reading(object_, thing, found.at) for id_, thing in found.things.items()
        }

        def missing() -> list[str]:
            return [id_ for id_ in ids if id_ not in answers]

        answers |= {one.ref.id: one for one in self.explained(object_, found, missing())}
        if unfound := missing():
            binned = self.binned(object_, unfound)
            answers |= {one.ref.id: one for one in self.removals(object_, binned)}
            answers |= {one.ref.id: one for one in self.explained(object_, binned, missing())}
        for id_ in missing():
            if (lost := self.survivor(object_, id_)) is not None:
                answers[id_] = lost
        if unfound := missing():
            answers |= self.forgotten(object_, unfound)
        return answers


def requested(object_: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the property names to ask for; the traces of merges are always among them."""
    return tuple(dict.fromkeys((*names, *traces(object_))))


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
