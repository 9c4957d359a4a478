"""Moments as the tables hold them: whole microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final, overload

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@overload
def micros(moment: datetime) -> int: ...
@overload
def micros(moment: None) -> None: ...
def micros(moment: datetime | None) -> int | None:
    """Return an aware moment in microseconds, exactly; None stays None."""
    return None if moment is None else (moment - EPOCH) // _MICROSECOND


@overload
def at_micros(count: int) -> datetime: ...
@overload
def at_micros(count: None) -> None: ...
def at_micros(count: int | None) -> datetime | None:
    """Return the moment so many microseconds after 1970, in UTC; None stays None."""
    return None if count is None else EPOCH + timedelta(microseconds=count)
