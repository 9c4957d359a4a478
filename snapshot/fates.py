"""What the vendor told of the end of records that are no longer live."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from crmtrail.model import Loss, moment
from snapshot.database import fetch

_NOTES: Final = (
    "SELECT r.ext_id, v.note FROM json_each(?) AS t"
    " CROSS JOIN record AS r ON r.object_id = ? AND r.ext_id = t.value AND r.deleted = 1"
    " CROSS JOIN version AS v ON v.record_id = r.record_id AND v.number = r.number"
)


@dataclass(frozen=True, slots=True)
class Fate:
    """How a record ended, as far as it was told: see `crmtrail.model.Removal`."""

    loss: Loss | None = None
    merged_into: str | None = None
    restorable_until: datetime | None = None


UNTOLD: Final = Fate()


def fate_in(note: str | None) -> Fate:
    """Return what a version's note tells of a removal."""
    told = {} if note is None else json.loads(note)
    loss, into, until = (told.get(k) for k in ("loss", "merged_into", "restorable_until"))
    return Fate(
        Loss(loss) if loss in set(Loss) else None,
        into if isinstance(into, str) else None,
        moment(until) if isinstance(until, str) else None,
    )


def fates(connection: Connection, object_id: int, ids: Sequence[str]) -> Mapping[str, Fate]:
    """Return how records ended, by the vendor's id; those that live are absent."""
    if not ids:
        return {}
    rows = fetch(connection, _NOTES, (json.dumps(ids), object_id))
    return {ext_id: fate_in(note) for ext_id, note in rows}
