"""A clock that can be turned."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset, or frozen at one moment."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the world's time, UTC, to the millisecond."""
        at = self._frozen or datetime.now(UTC) + self._offset
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def turn(self, seconds: float) -> datetime:
        """Move the clock by so many seconds and return the new time."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)
        return self.now()

    def freeze(self, at: datetime) -> None:
        """Stop at one moment; only `turn` moves it from there."""
        self._frozen = at.astimezone(UTC)

    def release(self) -> None:
        """Run again, from the moment shown now."""
        if self._frozen is not None:
            self._offset = self._frozen - datetime.now(UTC)
            self._frozen = None
