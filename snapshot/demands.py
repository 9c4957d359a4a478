"""Persons whom a vendor deleted for privacy: noted with the page that tells it, erased after it.

The note is in the page's transaction, so that a crash before the erasure forgets nobody.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from crmtrail.model import Loss, Ref, Removal
from snapshot.database import reading
from snapshot.times import at_micros, micros


@dataclass(frozen=True, slots=True)
class Demand:
    """A stored record whose person the vendor deleted for privacy; ``at`` by its clock."""

    ref: Ref
    at: datetime


def note(connection: Connection, object_id: int, removals: Sequence[Removal]) -> None:
    """Note which stored records of an object are to be erased. Done in a page's transaction."""
    told = {
        one.ref.id: micros(one.at or one.read_at) for one in removals if one.loss is Loss.FORGOTTEN
    }
    if not told:
        return
    rows = connection.exec_driver_sql(
        "SELECT r.record_id, r.ext_id FROM json_each(?) AS t"
        " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value"
        " WHERE r.erased_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM demand AS d WHERE d.record_id = r.record_id)",
        (json.dumps(list(told)), object_id),
    ).all()
    if rows:
        connection.exec_driver_sql(
            "INSERT INTO demand (record_id, at) VALUES (?, ?)",
            [(record_id, told[id_]) for record_id, id_ in rows],
        )


def waiting(engine: Engine, source: str | None = None) -> list[Demand]:
    """Return the records of a source, or of all, that wait for their erasure, oldest first."""
    with reading(engine) as connection:
        rows = connection.exec_driver_sql(
            "SELECT o.source, o.name, r.ext_id, d.at FROM demand AS d"
            " CROSS JOIN record AS r ON r.record_id = d.record_id"
            " CROSS JOIN object AS o ON o.object_id = r.object_id"
            " WHERE r.erased_at IS NULL ORDER BY d.at, d.record_id"
        ).all()
    found = [Demand(Ref(src, name, id_), at_micros(at)) for src, name, id_, at in rows]
    return [one for one in found if source is None or one.ref.source == source]
