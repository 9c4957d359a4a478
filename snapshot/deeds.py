"""What crmtrail itself did, as the ledger has it: newest first, a page at a time."""

import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from crmtrail.errors import Mistake
from crmtrail.model import moment, utc
from crmtrail.ports import Deed

_BATCH: Final = 500
_FIRST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Span:
    """Which times are asked for; ``until`` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Return whether a moment is in it."""
        return (self.since is None or at >= utc(self.since)) and (
            self.until is None or at < utc(self.until)
        )


def start_of(limit: int, cursor: str | None) -> int:
    """Return the index that the next page lies before.

    Raises:
        Mistake: the cursor is none of ours, or the limit is below 1.
    """
    if limit < 1:
        raise Mistake(f"a page of actions has at least 1 of them, not {limit}")
    if cursor is None:
        return _FIRST
    if not cursor.isdecimal():
        raise Mistake(f"{cursor!r} is no cursor of the actions", hint="use next of the page before")
    return int(cursor)


def deed_of(index: int, entry: bytes) -> Deed:
    """Return an entry of the ledger, read."""
    told = json.loads(entry)
    return Deed(index, told["kind"], moment(told["at"]), told["entry"])


def page_of(newest_first: Iterable[Deed], span: Span, limit: int) -> tuple[list[Deed], str | None]:
    """Return those of a span, at most so many, and the cursor of the next page, if any."""
    page: list[Deed] = []
    for deed in newest_first:
        if span.holds(deed.at):
            if len(page) == limit:
                return page, str(page[-1].index)
            page.append(deed)
    return page, None


def deeds(
    connection: Connection,
    kinds: Sequence[str],
    span: Span,
    *,
    limit: int,
    cursor: str | None,
) -> tuple[list[Deed], str | None]:
    """Return actions, newest first, and the cursor of the next page, if any.

    Raises:
        Mistake: the cursor is none of ours, or the limit is below 1.
    """
    before = start_of(limit, cursor)
    return page_of(_newest_first(connection, kinds, before), span, limit)


def _newest_first(connection: Connection, kinds: Sequence[str], before: int) -> Iterator[Deed]:
    """Yield actions; an index by kind and place gives the order where one kind is asked for."""
    if len(kinds) > 1:
        yield from _of_several(connection, kinds, before)
        return
    where = "kind = ? AND idx < ?" if kinds else "idx < ?"
    while True:
        rows = connection.exec_driver_sql(
            f"SELECT idx, entry FROM leaf WHERE {where} ORDER BY idx DESC LIMIT ?",  # noqa: S608 -- fixed texts
            (*kinds, before, _BATCH),
        ).all()
        if not rows:
            return
        before = rows[-1][0]
        for index, entry in rows:
            yield deed_of(index, bytes(entry))


def _of_several(connection: Connection, kinds: Sequence[str], before: int) -> Iterator[Deed]:
    streams = [_newest_first(connection, (kind,), before) for kind in sorted(set(kinds))]
    yield from heapq.merge(*streams, key=lambda deed: -deed.index)
