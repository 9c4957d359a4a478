"""Salesforce's spellings of time: whole seconds, UTC, an offset without colon."""

import re
from datetime import UTC, date, datetime
from email.utils import format_datetime, parsedate_to_datetime

_WIRE = "%Y-%m-%dT%H:%M:%S.000+0000"
_SHAPE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)\Z", re.IGNORECASE
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")
FIRST_YEAR, LAST_YEAR = 1700, 4000


def stamp(at: datetime) -> str:
    """Return a moment as Salesforce writes it; such texts sort by time."""
    return at.astimezone(UTC).strftime(_WIRE)


def parse(text: str) -> datetime:
    """Return the moment an ISO 8601 text with an offset names, to the second.

    Raises:
        ValueError: no such text, or no such moment.
    """
    if not _SHAPE.match(text):
        raise ValueError(f"no date and time: {text}")
    at = datetime.fromisoformat(text.upper()).astimezone(UTC).replace(microsecond=0)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"outside the years {FIRST_YEAR} to {LAST_YEAR}: {text}")
    return at


def stamp_millis(at: datetime) -> str:
    """Return a moment as event objects write it, with its milliseconds."""
    whole = at.astimezone(UTC)
    return whole.strftime("%Y-%m-%dT%H:%M:%S") + f".{whole.microsecond // 1000:03}+0000"


def exact(text: str) -> str:
    """Return a date and time with its milliseconds, in UTC.

    Raises:
        ValueError: no such text, or no such moment.
    """
    parse(text)
    return stamp_millis(datetime.fromisoformat(text.upper()))


def parse_day(text: str) -> date:
    """Return the day a text such as 2026-01-31 names.

    Raises:
        ValueError: no such text, or no such day.
    """
    if not _DAY.match(text):
        raise ValueError(f"no date: {text}")
    return date.fromisoformat(text)


def parse_http(text: str) -> datetime:
    """Return the moment an HTTP date names.

    Raises:
        ValueError: no HTTP date.
    """
    at = parsedate_to_datetime(text)
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def http_date(at: datetime) -> str:
    """Return a moment as an HTTP date."""
    return format_datetime(at.astimezone(UTC).replace(microsecond=0), usegmt=True)
