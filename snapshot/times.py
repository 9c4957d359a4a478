"""Moments as the tables hold them: whole microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final, overload

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400


@overload
def micros(moment: datetime) -> int: ...
@overload
def micros(moment: None) -> None: ...
def micros(moment: datetime | None) -> int | None:
    """Return an aware moment in microseconds, exactly; None stays None."""
    if moment is None:
        return None
    since = moment - EPOCH
    return (since.days * _DAY + since.seconds) * 1_000_000 + since.microseconds


@overload
def at_micros(count: int) -> datetime: ...
@overload
def at_micros(count: None) -> None: ...
def at_micros(count: int | None) -> datetime | None:
    """Return the moment so many microseconds after 1970, in UTC; None stays None."""
    return None if count is None else EPOCH + timedelta(0, 0, count)  # thrice as fast as by name
