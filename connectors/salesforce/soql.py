"""Query texts: keyset pages without server-side cursors.

Each page is a query of its own, ordered by a unique key and starting after the last one read.
So a lost session, an expired locator or a restart costs nothing, and any number of records may
share one stamp. Names come from the vendor's describe, and ids are checked to be letters and
digits, so nothing foreign gets into a text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from connectors.salesforce.client import vendor_time

PAGE = 2000
"""Most rows an answer holds."""

LONGEST_URI = 15_000
"""Salesforce refuses 16,384 bytes of address and headers; this leaves room for the headers."""


def select(fields: Sequence[str]) -> Sequence[str]:
    """Return the fields to ask for: always with the id, by which rows are told apart."""
    return fields if "Id" in fields else ("Id", *fields)


def by_id(object_: str, fields: Sequence[str], after: str, rows: int = PAGE) -> str:
    """Return the query of a page of all records, in the order of their ids."""
    return f"{every(object_, fields, after)} LIMIT {rows}"


def every(object_: str, fields: Sequence[str], after: str) -> str:
    """Return the query of all records after an id, in the order of their ids."""
    where = f" WHERE Id > '{after}'" if after else ""
    return f"{_from(object_, fields)}{where} ORDER BY Id"


@dataclass(frozen=True, slots=True)
class Stamped:
    """The queries of what moved since a moment, by one stamp, so many rows a page."""

    object: str
    fields: Sequence[str]
    stamp: str
    rows: int = PAGE

    def since(self, moment: datetime) -> str:
        """Return the query of the first page of what moved at or after a moment."""
        return self._page(f"{self.stamp} >= {vendor_time(moment)}")

    def after(self, moment: datetime, id_: str) -> str:
        """Return the query of the page after the record with this stamp and id."""
        at = vendor_time(moment)
        return self._page(f"({self.stamp} > {at} OR ({self.stamp} = {at} AND Id > '{id_}'))")

    def _page(self, where: str) -> str:
        from_ = _from(self.object, self.fields)
        return f"{from_} WHERE {where} ORDER BY {self.stamp}, Id LIMIT {self.rows}"


def _from(object_: str, fields: Sequence[str]) -> str:
    return f"SELECT {','.join(select(fields))} FROM {object_}"  # noqa: S608 -- not SQL


def among(object_: str, fields: Sequence[str], ids: Iterable[str]) -> str:
    """Return the query of some records by id. Ids are letters and digits, checked before."""
    listed = ",".join(f"'{id_}'" for id_ in ids)
    return f"{_from(object_, fields)} WHERE Id IN ({listed})"


def count(object_: str) -> str:
    """Return the query that counts the live records."""
    return f"SELECT COUNT() FROM {object_}"  # noqa: S608 -- not SQL


def fits(base_url: str, soql: str) -> bool:
    """Whether a query fits into one address line."""
    return _room(base_url, soql) >= 0


def room_for_ids(base_url: str, soql: str) -> int:
    """Return how many ids can still be named in a query; at least one."""
    return max(1, min(IDS_A_QUERY, _room(base_url, soql) // ID_ROOM))


def _room(base_url: str, soql: str) -> int:
    return LONGEST_URI - len(base_url) - len("queryAll/?q=") - len(quote_plus(soql))


def batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut ids into batches of at most ``size``."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


ID_ROOM = 27
"""Bytes of an address line that an id of 18 characters takes, encoded with quotes and comma."""

IDS_A_QUERY = 400
"""Ids of 18 characters that fit into one address line: 27 bytes each when encoded."""
