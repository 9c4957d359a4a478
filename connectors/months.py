"""Months back from a moment."""

from datetime import datetime
from typing import Final

_JANUARY: Final = 1
_DECEMBER: Final = 12
_ANY_DAY: Final = 28


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same day so many months earlier, or the 28th where the day is later."""
    years, month = divmod(moment.year * _DECEMBER + moment.month - _JANUARY - months, _DECEMBER)
    return moment.replace(year=years, month=month + 1, day=min(moment.day, _ANY_DAY))
