"""Actions of crmtrail as the ledger holds them, streamed for whoever checks them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine

from snapshot.database import reading

_BATCH: Final = 500

Sealed: TypeAlias = tuple[int, str, bytes]
"""Index, kind and bytes of one entry."""


def actions_of(engine: Engine, kinds: Sequence[str]) -> Iterator[Sequence[Sealed]]:
    """Yield the entries of some kinds in batches, each read in a short transaction."""
    after = -1
    while True:
        with reading(engine) as connection:
            rows = connection.exec_driver_sql(
                "SELECT idx, kind, entry FROM leaf WHERE idx > ?"
                " AND kind IN (SELECT value FROM json_each(?) AS t) ORDER BY idx LIMIT ?",
                (after, json.dumps(list(kinds)), _BATCH),
            ).all()
        if not rows:
            return
        after = rows[-1].idx
        yield [(row.idx, row.kind, bytes(row.entry)) for row in rows]


def told_by(entry: bytes) -> Mapping[str, Any]:
    """Return what an entry says; nothing where it is none of ours."""
    try:
        told = json.loads(entry)["entry"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}
