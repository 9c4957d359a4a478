"""The optional features of the org: which there are, and how they are switched on.

A reset names them: ``{"seed": 1, "size": "tiny", "features": ["wide", "namespace"]}``. The world
remembers them, so that a persisted world opens with the same schema. A new feature is a `Feature`
in a module of its own and one line in `FEATURES`.
"""

from collections.abc import Iterable, Mapping

from crmtrail.sandbox.salesforce.feature import Feature
from crmtrail.sandbox.salesforce.optional_cpq import CPQ
from crmtrail.sandbox.salesforce.optional_money import MULTI_CURRENCY
from crmtrail.sandbox.salesforce.optional_package import GEOLOCATION, NAMESPACE
from crmtrail.sandbox.salesforce.optional_persons import PERSON_ACCOUNTS
from crmtrail.sandbox.salesforce.optional_wide import WIDE
from crmtrail.sandbox.salesforce.schema import Rollup, SObject
from crmtrail.sandbox.salesforce.tables import Tables

FEATURES: Mapping[str, Feature] = {
    "namespace": NAMESPACE,
    "geolocation": GEOLOCATION,
    "wide": WIDE,
    "person_accounts": PERSON_ACCOUNTS,
    "cpq": CPQ,
    # Last: it gives a currency to whatever objects the others brought.
    "multi_currency": MULTI_CURRENCY,
}
"""By name, in the order in which they are applied."""


def widened(
    objects: Iterable[SObject], rollups: Iterable[Rollup], names: Iterable[str]
) -> tuple[tuple[SObject, ...], tuple[Rollup, ...]]:
    """Return objects and roll-ups with what the named features make of them."""
    known, sums = tuple(objects), tuple(rollups)
    for feature in _chosen(names):
        known = feature.widen(known)
        sums = (*feature.rollups, *sums)
    return known, sums


def seed_features(tables: Tables, names: Iterable[str]) -> None:
    """Write the records that features bring."""
    for feature in _chosen(names):
        feature.seed(tables)


def _chosen(names: Iterable[str]) -> list[Feature]:
    wanted = set(names)
    return [feature for name, feature in FEATURES.items() if name in wanted]
