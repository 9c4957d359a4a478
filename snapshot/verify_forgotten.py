"""Tell what was forgotten lawfully from what somebody took away.

A value may be missing only where a row of ``forgotten`` says which action emptied it, and that
action's entry in the ledger commits to exactly those rows. The same holds for what was done along
with it: records marked as erased, names of actors taken away, full states that retention made, and
for holds, which forbid it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine

from snapshot.database import reading
from snapshot.entries import action_entry
from snapshot.erasing import ERASE
from snapshot.forgotten import digest_of
from snapshot.framing import frames_digest
from snapshot.holding import HOLD, RELEASE, hold_entry, holds_of, release_entry
from snapshot.retaining import RETENTION

Bad: TypeAlias = Callable[[str, int | None, str], Any]
"""Makes what is told of a kind, an index and a reason."""

KIND: Final = "forgotten"

_UNCOVERED: Final = {
    "a value is gone, and nothing sealed says that it was forgotten": (
        "SELECT min(v.version_id) FROM version AS v WHERE v.payload_gone IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM forgotten AS f WHERE f.version_id = v.version_id AND f.what % 2 = 1)"
    ),
    "a value that the law wants kept is gone, and nothing sealed says that it was forgotten": (
        "SELECT min(v.version_id) FROM version AS v WHERE v.kept_gone IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM forgotten AS f"
        "  WHERE f.version_id = v.version_id AND (f.what / 2) % 2 = 1)"
    ),
    "a full state is gone, and nothing sealed says that it was forgotten": (
        "SELECT min(k.version_id) FROM keyframe AS k WHERE k.doc_gone IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM forgotten AS f"
        "  WHERE f.version_id = k.version_id AND (f.what / 4) % 2 = 1)"
    ),
    "a full state that the law wants kept is gone, and nothing sealed says so": (
        "SELECT min(k.version_id) FROM keyframe AS k WHERE k.kept_gone IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM forgotten AS f"
        "  WHERE f.version_id = k.version_id AND (f.what / 8) % 2 = 1)"
    ),
    "a value is there that the store says is forgotten": (
        "SELECT min(c.version_id) FROM version AS v CROSS JOIN change AS c"
        " ON c.version_id = v.version_id WHERE v.payload_gone IS NOT NULL"
        " AND (c.old IS NOT NULL OR c.new IS NOT NULL)"
    ),
}
"""What must not be found, and how it is looked for. Each gives the entry of a version."""


def first_bad(engine: Engine, bad: Bad) -> Any | None:
    """Return the first thing that is gone without a sealed reason; None where there is none."""
    with reading(engine) as connection:
        for why, statement in _UNCOVERED.items():
            found = connection.exec_driver_sql(statement).scalar()
            if found is not None:
                return bad(KIND, found, why)
        return (
            _actions(connection, bad)
            or _frames(connection, bad)
            or _erased(connection, bad)
            or _holds(connection, bad)
        )


def _actions(connection: Connection, bad: Bad) -> Any | None:
    """Hold every action that forgets against the rows that it emptied."""
    known = set()
    for idx, kind, told in _entries(connection):
        known.add(idx)
        rows = connection.exec_driver_sql(
            "SELECT version_id, what FROM forgotten WHERE leaf = ? ORDER BY version_id", (idx,)
        )
        if digest_of((row[0], row[1]) for row in rows) != told.get("forgotten"):
            return bad(KIND, idx, f"what the {kind} forgot is not what was sealed")
    strange = connection.exec_driver_sql("SELECT DISTINCT leaf FROM forgotten ORDER BY leaf")
    for leaf in strange.scalars():
        if leaf not in known:
            return bad(KIND, leaf, "values were forgotten by what no entry tells of")
    return None


def _frames(connection: Connection, bad: Bad) -> Any | None:
    """Hold the full states that retention made against the entries of those actions."""
    sealed = {idx: told.get("frames") for idx, kind, told in _entries(connection)}
    leaves = connection.exec_driver_sql(
        "SELECT DISTINCT leaf FROM keyframe WHERE leaf IS NOT NULL ORDER BY leaf"
    )
    made = set(leaves.scalars())
    wanted = {idx for idx, digest in sealed.items() if digest is not None}
    for leaf in sorted(made | wanted):
        if frames_digest(connection, leaf) != sealed.get(leaf):
            return bad(KIND, leaf, "a full state that retention made is not what was sealed")
    return None


def _erased(connection: Connection, bad: Bad) -> Any | None:
    """Hold records and actors that are marked as erased against the entries of erasures."""
    sealed: dict[str, int] = {}
    actors: dict[str, int] = {}
    erasures = set(connection.exec_driver_sql("SELECT leaf FROM erasure").scalars())
    for idx, kind, told in _entries(connection):
        if kind == ERASE:
            sealed |= dict.fromkeys(told["records"], idx)
            actors |= dict.fromkeys(told["actors"], idx)
            if idx not in erasures:
                return bad(KIND, idx, "the row of an erasure is missing")
            erasures.discard(idx)
    for idx in erasures:
        return bad(KIND, idx, "the row of an erasure is no entry's")
    marked = connection.exec_driver_sql(
        "SELECT o.source, o.name, r.ext_id FROM record AS r"
        " CROSS JOIN object AS o ON o.object_id = r.object_id WHERE r.erased_at IS NOT NULL"
    )
    for row in marked:
        if sealed.pop(":".join(row), None) is None:
            return bad(KIND, None, f"{':'.join(row)} is marked as erased, but no entry says so")
    for record, idx in sealed.items():
        return bad(KIND, idx, f"{record} was erased, and is not marked as such any more")
    nameless = connection.exec_driver_sql("SELECT actor_id, ext_id FROM actor WHERE key IS NULL")
    for id_, ext_id in nameless:
        if ext_id not in actors:
            return bad("actor", None, f"the name of actor {id_} is gone, but no entry says so")
    return None


def _holds(connection: Connection, bad: Bad) -> Any | None:
    """Hold holds and releases against their entries."""
    entries = {
        idx: bytes(entry)
        for idx, entry in connection.exec_driver_sql(
            "SELECT idx, entry FROM leaf WHERE kind IN (?, ?)", (HOLD, RELEASE)
        )
    }
    for hold in holds_of(connection):
        again = action_entry(HOLD, hold_entry(hold), hold.at)
        if entries.pop(hold.leaf, None) != again:
            return bad(HOLD, hold.leaf, f"hold {hold.id} is not what was sealed")
        ended = hold.ended
        if ended is not None:
            again = action_entry(RELEASE, release_entry(hold.id, ended), ended.at)
            if entries.pop(ended.leaf, None) != again:
                return bad(HOLD, ended.leaf, f"the end of hold {hold.id} is not what was sealed")
    for idx in entries:
        return bad(HOLD, idx, "a hold, or its end, is missing")
    return None


def _entries(connection: Connection) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield the actions that forget: index, kind and what is told."""
    rows = connection.exec_driver_sql(
        "SELECT idx, kind, entry FROM leaf WHERE kind IN (?, ?) ORDER BY idx", (ERASE, RETENTION)
    )
    for idx, kind, entry in rows.all():
        yield idx, kind, json.loads(bytes(entry))["entry"]


def scrubbed_incidents(connection: Connection) -> Mapping[str, tuple[int, str]]:
    """Return the incidents that were scrubbed: by which entry last, and what is left of them."""
    return {
        id_: (idx, digest)
        for idx, _, told in _entries(connection)
        for id_, digest in told["incidents"].items()
    }
