"""Which way a number of writes goes: composite, collections, or a bulk job.

* A few records that are to be as they were when last looked at: single PATCHes on that condition,
  25 to a request (`connectors.salesforce.composite`).
* Up to 2,000: collections of 200 (`connectors.salesforce.writing`). They know no condition; the
  caller reads just before and after.
* More: a job of the Bulk API 2.0 (`connectors.salesforce.ingest`), which costs ten requests or so
  however many the records are. Below 2,000 collections cost no more and answer at once.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Final

from connectors.salesforce.composite import MOST, PARTS, Guarded
from connectors.salesforce.ingest import Ingest, Pace
from connectors.salesforce.schema import Known
from connectors.salesforce.writer import Writer
from connectors.salesforce.writing import BATCH, update
from crmtrail.model import Answer, Write

BULK_BATCH: Final = 10_000
"""Most records of one write: what the Bulk API works through as one internal batch."""

COLLECTIONS: Final = 2_000
"""Most records for which collections are the better way (fact sheet: a restore of <= 2,000)."""


_BULK_CALLS: Final = 9
"""Requests of a bulk job: parents, make, fill, close, two looks, three results."""


def price(records: int) -> int:
    """Return how many requests a write of so many records takes, if nothing goes wrong."""
    if records <= MOST:
        return ceil(records / PARTS)
    return ceil(records / BATCH) if records <= COLLECTIONS else _BULK_CALLS


def write(
    writer: Writer,
    object_: str,
    writes: Sequence[Write],
    know: Callable[[], Known],
    pace: Pace,
) -> Sequence[Answer]:
    """Set field values on up to 10,000 records; rows stand or fall one by one.

    Args:
        writer: sends the requests.
        object_: the object of all the records.
        writes: what to set; no record twice.
        know: gives the object's fields, where they are needed.
        pace: how to wait for a bulk job.

    Raises:
        ValueError: too many writes, one without a usable id, or a value that is no JSON text.
        Ambiguous: there is no word on what became of all of them.
        RetryLater: nothing was written.
        PersonNeeded: nothing was written.
    """
    if len(writes) > BULK_BATCH:
        raise ValueError(f"a batch holds {BULK_BATCH} records at most, not {len(writes)}")
    if not writes:
        return ()
    if len(writes) <= MOST and all(write.unmodified_since is not None for write in writes):
        return Guarded(writer, know()).update(writes)
    if len(writes) <= COLLECTIONS or len({write.ref for write in writes}) < len(writes):
        return update(writer, object_, writes)
    return Ingest(writer, know(), pace).update(writes)
