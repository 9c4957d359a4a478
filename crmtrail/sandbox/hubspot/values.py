"""Moments, dates and numbers: ISO text outside, epoch milliseconds inside."""

import re
from datetime import UTC, datetime

DAY = 86_400_000
"""Milliseconds in a day."""

_EPOCH = re.compile(r"-?\d{1,15}")
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def millis(at: datetime) -> int:
    """Return a moment as epoch milliseconds."""
    return round(at.timestamp() * 1000)


def iso(at: int) -> str:
    """Return epoch milliseconds as ``2026-01-31T09:30:00.000Z``."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def day(at: int) -> str:
    """Return the UTC date of epoch milliseconds as ``2026-01-31``."""
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


def parse_moment(text: str) -> int | None:
    """Read epoch milliseconds, an ISO moment or date (midnight UTC); None if it is neither."""
    if _EPOCH.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return millis(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def is_number(text: str) -> bool:
    """Whether a text is a number HubSpot takes."""
    return _NUMBER.fullmatch(text) is not None


def number(text: str | None) -> float | None:
    """Return the value of a number property, None when it is empty."""
    return float(text) if text and is_number(text) else None


def plain(value: float) -> str:
    """Return a computed number as text: no exponent, no trailing zeros."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
