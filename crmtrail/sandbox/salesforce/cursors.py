"""Open query cursors: at most ten a user, bound to the session that opened them."""

import re
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.refusal import Refusal

OPEN_PER_USER = 10
LIFE = timedelta(days=2)
_LOCATOR = re.compile(r"(0r8[0-9A-Za-z]{15})-(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A result set: which rows, in which order. The rows themselves are read page by page."""

    token: str
    user: str
    opened: datetime
    rows: "array[int]"
    page: int
    read: Callable[["array[int]", str], list[dict[str, Any]]]


class Cursors:
    """The cursors of all users, oldest first."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Cursor] = OrderedDict()
        self._count = 0

    def clear(self) -> None:
        """Close every cursor."""
        self._open.clear()

    def keep(self, cursor: Cursor) -> str:
        """Open a cursor and return its locator; the user's oldest beyond ten is closed."""
        mine = [key for key, item in self._open.items() if item.user == cursor.user]
        for key in mine[: max(0, len(mine) - OPEN_PER_USER + 1)]:
            del self._open[key]
        self._count += 1
        locator = ids.numbered("0r8", self._count)
        self._open[locator] = cursor
        return locator

    def find(self, text: str, token: str, now: datetime) -> tuple[str, Cursor, int]:
        """Return locator, cursor and offset of a ``nextRecordsUrl``'s last segment.

        Raises:
            Refusal: malformed, closed, expired, or of another session.
        """
        match = _LOCATOR.match(text)
        cursor = self._open.get(match[1]) if match else None
        if match is None or cursor is None or cursor.token != token or now - cursor.opened > LIFE:
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        offset = int(match[2])
        if not 0 < offset < len(cursor.rows):
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return match[1], cursor, offset
