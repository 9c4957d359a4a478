"""What the vendor's list of updates tells that a poll did not show: changes committed late.

The list gives ids only. Those that the run has not shown are looked up for their stamps, and who
keeps the records reads what is not stored as it is now. Source: "Get Updated" of the REST API
Developer Guide: 30 days back, 600,000 ids at most, both ends cut to the minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.salesforce import cursor as position
from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.contents import fetch
from connectors.salesforce.cursor import Cursor
from connectors.salesforce.deletions import Seen
from connectors.salesforce.ids import to18
from connectors.salesforce.readings import believed, moment_of
from connectors.salesforce.schema import Known
from crmtrail.errors import PermissionMissing
from crmtrail.model import Sighting

_MOST: Final = 20_000
"""More ids than these are not looked up for one page, if they can be cut apart by time."""


class _Updates(msgspec.Struct, rename="camel"):
    """The list of updates of one object between two moments."""

    ids: list[str] = []
    latest_date_covered: str | None = None


@dataclass(frozen=True, slots=True)
class Sighted:
    """Records that moved and were not shown, with their stamps, and where to go on."""

    following: Cursor
    sightings: Sequence[Sighting] = ()


def look(
    client: Client, known: Known, at: Cursor, seen: Seen | None, overlap: timedelta
) -> Sighted:
    """Return what the next window of the list brings; ``seen`` is what this run has shown.

    A list that is refused tells nothing: the sweep of the next reconcile sees what it would have.
    """
    now = client.told_at if client.heard else at.began or client.told_at
    begin, end, _ = position.window(at, now)
    narrower = position.narrowed(at, begin=begin, end=end)
    try:
        told = _list(client, known.schema.object, begin, end)
    except (Refusal, PermissionMissing) as refusal:
        if getattr(refusal, "code", "") == "EXCEEDED_ID_LIMIT" and narrower is not None:
            return Sighted(narrower)
        return Sighted(position.updates_read(at, end=now, covered=now, now=now, overlap=overlap))
    if len(told.ids) > _MOST and narrower is not None:
        return Sighted(narrower)
    upto = told.latest_date_covered
    covered = believed(upto, "latestDateCovered") if upto else end
    following = position.updates_read(at, end=end, covered=covered, now=now, overlap=overlap)
    shown = seen.live if seen is not None and seen.whole else {}
    ids = sorted({full for id_ in told.ids if (full := to18(id_))} - shown.keys())
    return Sighted(following, _sightings(client, known, ids))


def _list(client: Client, name: str, begin: datetime, end: datetime) -> _Updates:
    window = {
        "start": begin.isoformat(timespec="seconds"),
        "end": end.isoformat(timespec="seconds"),
    }
    return client.get(f"sobjects/{name}/updated/", _Updates, window)


def _sightings(client: Client, known: Known, ids: Sequence[str]) -> Sequence[Sighting]:
    """Return live records with their stamps; what is gone by now is told by other lists."""
    found: list[Sighting] = []
    for batch in soql.batches(ids, soql.PAGE):
        rows = fetch(client, known, batch, known.narrow)
        found += [
            Sighting(id_, None if known.stamp is None else moment_of(row, known.stamp))
            for id_, row in rows.items()
        ]
    return found
