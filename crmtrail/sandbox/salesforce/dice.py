"""Seeded chance, and moments of the past."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.tables import Tables

DAYS = 730
"""How far back the oldest record was created."""
_SETTLED = 2
"""Days before today in which the seed lets nothing happen."""
_EDITED = 0.6
Row = dict[str, Any]
T = TypeVar("T")


class Dice:
    """Quick seeded choices."""

    def __init__(self, rng: random.Random) -> None:
        self.roll = rng.random

    def pick(self, items: Sequence[T]) -> T:
        """Return one item."""
        return items[int(self.roll() * len(items))]

    def maybe(self, chance: float, item: T) -> T | None:
        """Return the item with a chance, else None."""
        return item if self.roll() < chance else None

    def chance(self, share: float) -> bool:
        """Return True in about this share of calls."""
        return self.roll() < share

    def between(self, low: int, high: int) -> int:
        """Return a whole number of a range, both ends included."""
        return low + int(self.roll() * (high - low + 1))

    def phone(self, area: str) -> str:
        """Return a telephone number of an area."""
        return f"{area} 555{int(self.roll() * 10_000):04}"


class Calendar:
    """Moments before today's midnight, so that one day's seeds agree to the second."""

    def __init__(self, tables: Tables) -> None:
        self.today = tables.world.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)

    def ago(self, days: float) -> str:
        """Return a moment so many days before midnight."""
        return moments.stamp(self.today - timedelta(days=days))

    def day(self, days: float) -> str:
        """Return a date so many days before today."""
        return (self.today - timedelta(days=days)).date().isoformat()

    def stamps(self, dice: Dice, user: str, *, oldest: float = DAYS) -> Row:
        """Return audit fields: created some day, perhaps edited later, by the same user."""
        created = _SETTLED + dice.roll() * (oldest - _SETTLED)
        edited = _SETTLED + (created - _SETTLED) * dice.roll() if dice.chance(_EDITED) else created
        at, later = self.ago(created), self.ago(edited)
        return {
            "CreatedDate": at,
            "CreatedById": user,
            "LastModifiedDate": later,
            "LastModifiedById": user,
            "SystemModstamp": later,
        }
