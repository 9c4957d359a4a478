"""What a sweep over every live record leaves to do: what moved unread, and what was not seen."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from crmtrail.model import Sighting
from crmtrail.ports import Sweeps
from snapshot.times import at_micros, micros

_BEHIND: Final = "\U0010ffff"
"""Sorts behind every character of an id."""


def unread(connection: Connection, object_id: int, sightings: Sequence[Sighting]) -> list[str]:
    """Return the ids of records that were sighted and are not stored as they are now."""
    ids = json.dumps([one.id for one in sightings])
    rows = connection.exec_driver_sql(
        "SELECT r.ext_id, r.modified_at FROM json_each(?) AS t"
        " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value"
        " WHERE r.deleted = 0 OR r.erased_at IS NOT NULL",
        (ids, object_id),
    )
    stored: dict[str, int] = dict(rows.all())
    return [
        one.id
        for one in sightings
        if one.id not in stored
        or (one.modified_at is not None and micros(one.modified_at) > stored[one.id])
    ]


def look_again(
    connection: Connection, object_id: int, sightings: Sequence[Sighting], at: datetime
) -> None:
    """Note that records were seen which are stored as they are now."""
    if not sightings:
        return
    moved = set(unread(connection, object_id, sightings))
    still = [one.id for one in sightings if one.id not in moved]
    connection.exec_driver_sql(
        "UPDATE record SET known_at = ? WHERE object_id = ? AND known_at < ?"
        " AND ext_id IN (SELECT value FROM json_each(?) AS t)",
        (micros(at), object_id, micros(at), json.dumps(still)),
    )


def unseen(
    connection: Connection, object_id: int, since: datetime, after: str, limit: int
) -> list[str]:
    """Return the ids of live records that were not seen since a moment, from one id on."""
    rows = connection.exec_driver_sql(
        "SELECT ext_id FROM record WHERE object_id = ? AND ext_id > ? AND deleted = 0"
        " AND known_at < ? AND erased_at IS NULL ORDER BY ext_id LIMIT ?",
        (object_id, after, micros(since), limit),
    )
    return [row[0] for row in rows]


def others(
    connection: Connection, object_id: int, members: Sequence[str], present: Sequence[str]
) -> list[str]:
    """Return the ids of live records that begin like one of ``members`` and are not present."""
    rows = connection.exec_driver_sql(
        "SELECT r.ext_id FROM json_each(?) AS t CROSS JOIN record AS r ON r.object_id = ?"
        " AND r.ext_id >= t.value AND r.ext_id < t.value || ?"
        " WHERE r.deleted = 0 AND r.erased_at IS NULL ORDER BY r.ext_id",
        (json.dumps(list(members)), object_id, _BEHIND),
    )
    there = set(present)
    return [id_ for id_ in dict.fromkeys(rows.scalars()) if id_ not in there]


def linking(connection: Connection, object_id: int, ids: Collection[str]) -> list[str]:
    """Return the ids of records that name one of some others: ``A-B`` names both."""
    rows = connection.exec_driver_sql(
        "SELECT ext_id FROM record WHERE object_id = ? AND erased_at IS NULL ORDER BY ext_id",
        (object_id,),
    )
    return [id_ for id_ in rows.scalars() if any(part in ids for part in id_.split("-"))]


def count_unseen(connection: Connection, object_id: int, since: datetime) -> int:
    """Return how many live records were not seen since a moment."""
    found: int = connection.exec_driver_sql(
        "SELECT count(*) FROM record WHERE object_id = ? AND deleted = 0 AND known_at < ?"
        " AND erased_at IS NULL",
        (object_id, micros(since)),
    ).scalar_one()
    return found


def sweeps(connection: Connection, object_id: int) -> Sweeps:
    """Return when the last runs began that saw every record, and that read every record."""

    def last(modes: str) -> datetime | None:
        began: int | None = connection.exec_driver_sql(
            f"SELECT started FROM sync_run WHERE object_id = ? AND mode IN ({modes})"  # noqa: S608 -- fixed texts
            # One that was stopped is gone on with, or its question is open: none is due again.
            " AND state IN ('done', 'stopped') AND mode <> 'incremental'"
            " ORDER BY run_id DESC LIMIT 1",
            (object_id,),
        ).scalar()
        return at_micros(began)

    first: int | None = connection.exec_driver_sql(
        "SELECT started FROM sync_run WHERE object_id = ? ORDER BY run_id LIMIT 1", (object_id,)
    ).scalar()
    return Sweeps(last("'full', 'reconcile'"), last("'full'"), at_micros(first))
