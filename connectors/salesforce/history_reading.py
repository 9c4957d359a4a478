"""Reading history rows with the fewest requests: keyset pages, no server-side cursors."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.salesforce import soql
from connectors.salesforce.answers import Delay
from connectors.salesforce.client import Client, Rows
from connectors.salesforce.history_sources import Shape, Source
from connectors.salesforce.ids import to18
from connectors.salesforce.readings import Row, moment_of, text_of
from crmtrail.errors import Unavailable

SURE = timedelta(days=540)
"""Salesforce shows field history for 18 months; older rows, up to 24 months, to queryAll alone."""

_ARCHIVE_IDS = 200
_SHORTEST = timedelta(seconds=2)
Found = Mapping[str, Sequence[Row]]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Ahead:
    """Records of this page and of the next ones, by their ids of 18 characters, in their order.

    ``binned`` are those that lie in the recycle bin.
    """

    ids: Sequence[str] = ()
    binned: Collection[str] = frozenset()


NONE_AHEAD = Ahead()
"""Nothing is known of pages to come."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Reads the rows of one history object since a moment; ``now`` is the vendor's clock.

    ``binned`` are the records that lie in the recycle bin: their history lies there with them.
    """

    client: Client
    source: Source
    object: str
    since: datetime
    now: datetime
    binned: Collection[str] = ()

    def read(self, ids: Sequence[str], *, all_between: bool) -> Found:
        """Return rows by record id.

        Args:
            ids: the records, by their ids of 18 characters.
            all_between: whether the ids, sorted, are all there are between the first and the last.
        """
        found: dict[str, list[Row]] = defaultdict(list)
        if self.source.shape is Shape.ARCHIVE:
            until = self.now + timedelta(days=1)
            for batch in soql.batches(ids, _ARCHIVE_IDS):
                self._archived(batch, self.since, until, found)
        elif all_between and len(ids) > soql.IDS_A_QUERY:
            self._whole(ids, found, self._between)
        else:
            for batch in soql.batches(ids, self._room()):
                self._whole(batch, found, self._among)
        wanted = set(ids)
        return {id_: rows for id_, rows in found.items() if id_ in wanted}

    def _room(self) -> int:
        # The longest text is that of a page after the first.
        empty = self.source.among((), self.since, (self.since, "0" * 18))
        return soql.room_for_ids(self.client.base_url, empty)

    def _whole(
        self,
        ids: Sequence[str],
        found: dict[str, list[Row]],
        read: Callable[[Sequence[str], dict[str, list[Row]]], None],
    ) -> None:
        """Read the rows of some records; of half as many at once where Salesforce gives up."""
        part: dict[str, list[Row]] = defaultdict(list)
        try:
            read(ids, part)
        except Delay as delay:
            if delay.code != "QUERY_TIMEOUT" or len(ids) == 1:
                raise
            half = len(ids) // 2
            self._whole(ids[:half], found, read)
            self._whole(ids[half:], found, read)
            return
        for id_, rows in part.items():
            found[id_] += rows

    def _among(self, ids: Sequence[str], found: dict[str, list[Row]]) -> None:
        self._paged(
            lambda after: self.source.among(ids, self.since, after),
            lambda row: moment_of(row, self.source.at),
            found,
        )

    def _between(self, ids: Sequence[str], found: dict[str, list[Row]]) -> None:
        self._paged(
            lambda after: self.source.between(ids[0], ids[-1], self.since, after),
            lambda row: text_of(row, self.source.parent),
            found,
        )

    def _paged(
        self,
        ask: Callable[[tuple[Key, str] | None], str],
        key: Callable[[Row], Key | None],
        found: dict[str, list[Row]],
    ) -> None:
        """Read page after page; ``key`` and id of a page's last row say where the next begins."""
        after: tuple[Key, str] | None = None
        while True:
            answer = self._ask(ask(after))
            self._sort(answer.records, found)
            if _is_last(answer):
                return
            row = answer.records[-1]
            first, id_ = key(row), text_of(row, "Id")
            if first is None or id_ is None or (first, id_) == after:
                raise _stuck(self.source.name)
            after = first, id_

    def _archived(
        self, ids: Sequence[str], since: datetime, until: datetime, found: dict[str, list[Row]]
    ) -> None:
        """Read archived rows: of fewer records, then of less time, until all fit an answer."""
        answer = self.client.query(
            self.source.archived(self.object, ids, (since, until)), deleted=False
        )
        if _is_last(answer):
            self._sort(answer.records, found)
        elif len(ids) > 1:
            half = len(ids) // 2
            self._archived(ids[:half], since, until, found)
            self._archived(ids[half:], since, until, found)
        elif until - since > _SHORTEST:
            middle = (since + (until - since) / 2).replace(microsecond=0)
            self._archived(ids, since, middle, found)
            self._archived(ids, middle, until, found)
        else:
            raise _stuck(self.source.name)

    def _ask(self, text: str) -> Rows:
        old = self.source.shape is Shape.FIELD and self.now - self.since > SURE
        return self.client.query(text, deleted=old or bool(self.binned))

    def _sort(self, rows: Sequence[Row], found: dict[str, list[Row]]) -> None:
        for row in rows:
            if parent := to18(text_of(row, self.source.parent) or ""):
                if parent in self.binned:
                    row = {name: token for name, token in row.items() if name != "IsDeleted"}  # noqa: PLW2901 -- the row as if its record lived
                found[parent].append(row)


def _is_last(answer: Rows) -> bool:
    # Salesforce may shrink pages at will: only with its word for it is a short page the last.
    return answer.last and len(answer.records) < soql.PAGE


def _stuck(name: str) -> Unavailable:
    return Unavailable(f"Salesforce answered a page of {name} that leads nowhere")
