"""Single associations by id, and what became of the records at their ends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.hubspot.associations_api import AssociationsApi
from connectors.hubspot.associations_readings import Pair, ends_of_record, readings_of
from connectors.hubspot.associations_walk import refuse_unread
from connectors.hubspot.client import Client
from connectors.hubspot.refusals import Refusal
from crmtrail.errors import PermissionMissing
from crmtrail.model import Reading, Removal


@dataclass(slots=True)
class _Asked:
    """The ids asked for, by their first end."""

    ends: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, ids: Iterable[str]) -> "_Asked":
        asked = cls()
        for id_ in ids:
            if (ends := ends_of_record(id_)) is not None:
                asked.ends.setdefault(ends[0], set()).add(ends[1])
        return asked


class Ends:
    """Reads associations of a pair by id."""

    def __init__(self, client: Client, api: AssociationsApi) -> None:
        self._client = client
        self._api = api

    def read(self, pair: Pair, ids: Sequence[str]) -> Mapping[str, Reading | Removal]:
        """Return associations as they are now.

        Two requests where all are there, and up to two to say what became of the ends of others.
        """
        asked = _Asked.of(ids)
        if not asked.ends:
            return {}
        found = self._linked(pair, asked)
        ends = {id_: both for id_ in ids if (both := ends_of_record(id_)) is not None}
        # The id of a record that was merged away may still answer, for its survivor.
        lost = self._lost(pair.first, {ends[id_][0] for id_ in ends if id_ in found})
        told: dict[str, Reading | Removal] = {
            id_: found[id_] for id_ in ends if id_ in found and ends[id_][0] not in lost
        }
        gone = {id_: both for id_, both in ends.items() if id_ not in told}
        why = self._reasons(pair, gone, lost)
        at = self._client.transport.now()
        told.update({id_: pair.removal(*both, at, why.get(id_, "")) for id_, both in gone.items()})
        return told

    def _linked(self, pair: Pair, asked: _Asked) -> dict[str, Reading]:
        """Read the first ends' associations, page by page until all that are asked for came."""
        found: dict[str, Reading] = {}
        inputs: dict[str, str | None] = dict.fromkeys(asked.ends)
        while inputs:
            told = self._api.read(pair.first, pair.second, inputs)
            refuse_unread(pair, told.content)
            inputs = {}
            for linked in told.content.results:
                from_ = str(linked.from_.id)
                wanted = asked.ends.get(from_, set())
                for reading in readings_of(pair, linked, told.at):
                    found[reading.ref.id] = reading
                wanted -= {target.id for target in linked.to}
                if linked.after is not None and wanted:
                    inputs[from_] = linked.after
        return found

    def _reasons(
        self, pair: Pair, gone: Mapping[str, tuple[str, str]], lost: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Return which end of an association is gone, by its id, where one is.

        The object with fewer records among them is asked first: it may explain them all.
        """
        told = {id_: lost[both[0]] for id_, both in gone.items() if both[0] in lost}
        sides = ((pair.first, 0), (pair.second, 1))
        for object_, side in sorted(sides, key=lambda of: len({e[of[1]] for e in gone.values()})):
            open_ = {id_: both[side] for id_, both in gone.items() if id_ not in told}
            why = self._lost(object_, set(open_.values()))
            told |= {id_: why[end] for id_, end in open_.items() if end in why}
        return told

    def _lost(self, object_: str, ids: Iterable[str]) -> Mapping[str, str]:
        """Return which records are no longer live under their own id, in words.

        Nothing is concluded from an answer without any record and any error.
        """
        asked = sorted(ids)
        if not asked:
            return {}
        try:
            told = self._client.batch(object_, asked, names=("hs_object_id",)).content
        except (PermissionMissing, Refusal):
            return {}  # associations may be readable where the records are not
        live = {str(one.id) for one in told.results}
        if not live and not told.errors:
            return {}
        return {
            id_: f"{object_} {id_} is no longer there: archived, merged or deleted"
            for id_ in asked
            if id_ not in live
        }
