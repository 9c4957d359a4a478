"""What an optional feature of an org consists of. The list of them is in ``optional.py``."""

from collections.abc import Callable
from dataclasses import dataclass

from crmtrail.sandbox.salesforce.schema import Rollup, SObject
from crmtrail.sandbox.salesforce.tables import Tables

Objects = tuple[SObject, ...]


def unseeded(_tables: Tables) -> None:
    """Write no records of its own."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something an org may have: ``widen`` changes or adds objects, ``seed`` writes records.

    ``seed`` runs after the org's own seeding, in the order of the list of features. Its chance
    must come from `World.random`, so that the same seed gives the same org.
    """

    widen: Callable[[Objects], Objects]
    rollups: tuple[Rollup, ...] = ()
    seed: Callable[[Tables], None] = unseeded


def adding(*objects: SObject) -> Callable[[Objects], Objects]:
    """Return a ``widen`` that only adds objects."""
    return lambda known: (*known, *objects)
