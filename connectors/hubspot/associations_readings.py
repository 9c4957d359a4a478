"""From HubSpot's associations to readings of the records of a pair. Pure.

An association is one fact, known from both of its ends: its record is named after both, the end
of the first object first, and its types are those that the first end sees.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from connectors.hubspot.associations_api import AssociationType, Linked
from crmtrail.model import (
    Field,
    FieldType,
    Loss,
    Reading,
    Ref,
    Removal,
    Schema,
    Token,
    token_of,
    unknown,
)

UNTOLD: Final = unknown("HubSpot keeps no history of associations")
"""Who made or ended an association."""

_DEFINED: Final = "HUBSPOT_DEFINED"
_HUBSPOTS_OWN: Final = (None, "", "Primary")
_COMBINATIONS: Final = 4_096
_BETWEEN: Final = "-"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two objects whose associations are kept together; ``first`` is where `from` lies."""

    source: str
    name: str
    first: str
    second: str

    @property
    def alike(self) -> bool:
        """Whether records of one object are associated with each other."""
        return self.first == self.second

    def ref(self, from_: str, to: str) -> Ref:
        """Return the name of the association of two records."""
        return Ref(self.source, self.name, f"{from_}{_BETWEEN}{to}")

    def reading(
        self, from_: str, to: str, types: tuple[AssociationType, ...], at: datetime
    ) -> Reading:
        """Return an association as it is at a moment. It has no time and no author of its own."""
        kinds, labels = spelled(types)
        return Reading(
            ref=self.ref(from_, to),
            fields={"from": token_of(from_), "to": token_of(to), "types": kinds, "labels": labels},
            modified_at=at,
            read_at=at,
            edited_at=at,
            actor=UNTOLD,
            undated=True,
        )

    def removal(self, from_: str, to: str, at: datetime, why: str = "") -> Removal:
        """Return that an association is no longer there; ``why`` where an end of it is gone."""
        actor = unknown(f"{UNTOLD.why}; {why}") if why else UNTOLD
        return Removal(self.ref(from_, to), Loss.DELETED, at, None, actor)


def ends_of_record(id_: str) -> tuple[str, str] | None:
    """Return the ids of the two records of an association; None: this is no such id."""
    from_, between, to = id_.partition(_BETWEEN)
    return (from_, to) if between and from_ and to else None


def beginning(from_: str) -> str:
    """Return how the ids of all associations of a record of the first object begin."""
    return f"{from_}{_BETWEEN}"


def readings_of(pair: Pair, linked: Linked, at: datetime) -> list[Reading]:
    """Return the associations of a record of the first object, as that sees them.

    Where both objects are the same, those with a smaller id are told by the other record.
    """
    from_ = str(linked.from_.id)
    return [
        pair.reading(from_, target.id, target.association_types, at)
        for target in linked.to
        if not pair.alike or not _is_before(target.id, from_)
    ]


def before(linked: Linked) -> list[str]:
    """Return the records of the same object that come before a record, and tell its pairs."""
    id_ = str(linked.from_.id)
    return [target.id for target in linked.to if _is_before(target.id, id_)]


@lru_cache(maxsize=_COMBINATIONS)
def spelled(types: tuple[AssociationType, ...]) -> tuple[Token, Token]:
    """Return the tokens of ``types`` and ``labels``; a portal has few combinations of types."""
    return (
        token_of(sorted(f"{one.category}:{one.type_id}" for one in types)),
        token_of(sorted(one.label for one in types if one.label)),
    )


@dataclass(frozen=True, slots=True)
class Mirror:
    """Tells the types that the first end sees from those that the second end sees.

    HubSpot does not say which types belong together. That is sure only of its own plain type and
    of its own primary one, where each side has one of them.
    """

    forth: tuple[AssociationType, ...]
    back: tuple[AssociationType, ...]

    def seen(self, linked: Linked, pair: Pair, at: datetime) -> tuple[list[Reading], list[str]]:
        """Return the associations of a record of the second object, as the first would see them.

        And the records of the first object that have to be asked, because only they can tell.
        """
        to = str(linked.from_.id)
        found: list[Reading] = []
        unsure: list[str] = []
        for target in linked.to:
            types = _turned(target.association_types, self.forth, self.back)
            if types is None:
                unsure.append(target.id)
            else:
                found.append(pair.reading(target.id, to, types, at))
        return found, unsure


@lru_cache(maxsize=_COMBINATIONS)
def _turned(
    types: tuple[AssociationType, ...],
    forth: tuple[AssociationType, ...],
    back: tuple[AssociationType, ...],
) -> tuple[AssociationType, ...] | None:
    """Return types as the other end sees them; None where that cannot be told."""
    found: list[AssociationType] = []
    for one in types:
        here = [each for each in back if _alike(each, one)]
        there = [each for each in forth if _alike(each, one)]
        known = one.category == _DEFINED and one.label in _HUBSPOTS_OWN
        sure = len(here) == len(there) == 1 and str(here[0].type_id) == str(one.type_id)
        if not (known and sure):
            return None
        found += there
    return tuple(found)


def schema_of(pair: Pair) -> Schema:
    """Return the fields of a pair. ``types`` may be written: that sets the labels of the two."""
    fields = (
        _end("from", "From", pair.first),
        _end("to", "To", pair.second),
        Field(
            "types",
            FieldType.OTHER,
            "Association types",
            vendor_type="category and type id of each",
            nillable=False,
        ),
        Field(
            "labels",
            FieldType.OTHER,
            "Labels",
            vendor_type="texts of the types",
            updateable=False,
            createable=False,
            computed=True,
        ),
    )
    label = f"Associations of {pair.first} with {pair.second}".replace("_", " ")
    return Schema(pair.source, pair.name, {one.name: one for one in fields}, label=label)


def _end(name: str, label: str, object_: str) -> Field:
    return Field(
        name,
        FieldType.REFERENCE,
        label,
        vendor_type="record id",
        updateable=False,
        nillable=False,
        references=(object_,),
        required=True,
    )


def _alike(one: AssociationType, other: AssociationType) -> bool:
    return one.category == other.category and (one.label or None) == (other.label or None)


def _is_before(one: str, other: str) -> bool:
    """Whether a record id comes before another: by number where both are numbers."""
    if one.isdecimal() and other.isdecimal():
        return int(one) < int(other)
    return one < other
