"""The daily quota of the account, as headers and the usage endpoint tell it."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.hubspot.shapes import Instant, when
from crmtrail.errors import BudgetSpent
from crmtrail.model import Usage, stamp

USAGE_PATH: Final = "/account-info/v3/api-usage/daily/private-apps"
DETAILS_PATH: Final = "/account-info/v3/details"
_PATIENCE = 600.0
"""Seconds after which a spent quota, or one that nothing is told of, is looked at again."""
_SOUND = frozenset({"", "SUCCESS", "CACHED"})


class _Counter(msgspec.Struct, rename="camel", frozen=True):
    usage_limit: int | None = None
    current_usage: int | None = None
    fetch_status: str | None = None
    resets_at: Instant = None


class _Told(msgspec.Struct, rename="camel", frozen=True):
    """The answer of the usage endpoint, or the account's details."""

    results: list[_Counter] = []
    time_zone: str | None = None


class Quota:
    """What is known of the day's quota, and whether it is spent.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.zone: str | None = None
        self._monotonic = monotonic
        self._used: int | None = None
        self._limit: int | None = None
        self._resets: datetime | None = None
        self._held_until: float | None = None
        self._asked: float | None = None

    def learn_zone(self, name: str | None) -> None:
        """Note the time zone by which the day of the account ends; an unknown one tells nothing."""
        try:
            self.zone = ZoneInfo(name).key if name else None
        except (ZoneInfoNotFoundError, ValueError):
            self.zone = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Read the headers of an answer; where they tell nothing, the last word stands."""
        limit = number(headers.get("X-HubSpot-RateLimit-Daily"))
        left = number(headers.get("X-HubSpot-RateLimit-Daily-Remaining"))
        if limit is not None and left is not None:
            self._limit, self._used = limit, max(0, limit - left)

    def learn(self, body: bytes) -> bool:
        """Read the answer of the usage endpoint, or the account's details.

        Returns:
            Whether that tells when the day ends. A count that failed tells nothing.
        """
        try:
            told = msgspec.json.decode(body, type=_Told)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        sound = [one for one in told.results if (one.fetch_status or "").upper() in _SOUND]
        for one in sound:
            if one.usage_limit and one.current_usage is not None:
                self._limit, self._used = one.usage_limit, one.current_usage
            self._resets = when(one.resets_at) or self._resets
        if told.time_zone:
            self.learn_zone(told.time_zone)
        return any(when(one.resets_at) for one in sound)

    def worth_asking(self, headers: Mapping[str, str], now: datetime) -> bool:
        """Whether an answer calls for a look at the usage endpoint, which costs a request.

        It does where the answer tells the burst limit but no daily one, and where more than half
        of the day's quota is used and nobody has told when the day ends. At most every ten
        minutes.
        """
        if number(headers.get("X-HubSpot-RateLimit-Max")) is None or self._asked_lately():
            return False
        if number(headers.get("X-HubSpot-RateLimit-Daily")) is None:
            return True
        scarce = bool(self._limit) and (self._used or 0) * 2 > (self._limit or 0)
        return scarce and self.ends(now) is None

    def asking(self) -> bool:
        """Note that the usage endpoint is asked now, unless it was asked lately: then False."""
        if self._asked_lately():
            return False
        self._asked = self._monotonic()
        return True

    def ends(self, now: datetime) -> datetime | None:
        """Return when the day ends: as told, else the account's midnight, where its zone is known.

        Args:
            now: the time by HubSpot's clock.
        """
        if self._resets is not None and self._resets > now:
            return self._resets
        if self.zone is None:
            return None
        local = now.astimezone(ZoneInfo(self.zone))
        day = (local + timedelta(days=1)).date()
        return datetime(day.year, day.month, day.day, tzinfo=local.tzinfo).astimezone(UTC)

    def usage(self, now: datetime) -> Usage:
        """Return the last word on the quota."""
        return Usage(self._used, self._limit, self.ends(now))

    def spent(self, now: datetime, after: float | None) -> BudgetSpent:
        """Note that the day's quota is spent, and return the error that says so.

        For some minutes, or until the day ends if that is sooner, nothing is sent any more.
        """
        end = self.ends(now)
        if end is not None:  # the day's end counts before any Retry-After
            after = max(0.0, (end - now).total_seconds())
        self._held_until = self._monotonic() + min(_PATIENCE, _PATIENCE if after is None else after)
        return _spent(end, after)

    def refuse_if_spent(self, now: datetime) -> None:
        """Refuse a request while the quota is known to be spent.

        Raises:
            BudgetSpent: it is.
        """
        if self._held_until is None:
            return
        left = self._held_until - self._monotonic()
        if left > 0:
            end = self.ends(now)
            raise _spent(end, left if end is None else (end - now).total_seconds())
        self._held_until = None

    def _asked_lately(self) -> bool:
        return self._asked is not None and self._monotonic() - self._asked < _PATIENCE


def number(text: str | None) -> int | None:
    """Return a whole number of a header; None for anything else."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _spent(end: datetime | None, after: float | None) -> BudgetSpent:
    told = "" if end is None else f"; it resets at {stamp(end)}"
    return BudgetSpent(
        f"HubSpot's daily API quota is used up (429){told}",
        hint="it is shared by all private apps and resets at midnight of the account",
        after=after,
    )
