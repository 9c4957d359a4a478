"""Runs, gaps and where each object stands, in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.errors import Mistake, Unfound
from crmtrail.model import Gap, Mode, stamp, utc
from crmtrail.ports import Kept, Standing
from snapshot.names import known_object
from snapshot.times import at_micros, micros

STATES: Final = ("done", "failed", "stopped", "locked")
"""How a run can end."""


def begin(connection: Connection, object_: int, mode: Mode, at: datetime) -> int:
    """Open a run of an object and return its number."""
    made = connection.exec_driver_sql(
        "INSERT INTO sync_run (object_id, mode, state, started, api_calls, read, created, updated,"
        " deleted, changes, detail) VALUES (?, ?, 'running', ?, 0, 0, 0, 0, 0, 0, '')",
        (object_, mode.value, micros(utc(at))),
    )
    return int(made.lastrowid)


def check(connection: Connection, run: int, object_: int) -> None:
    """Check that a run is one of this object.

    Raises:
        Unfound: it is not.
    """
    found = connection.exec_driver_sql(
        "SELECT 1 FROM sync_run WHERE run_id = ? AND object_id = ?", (run, object_)
    ).scalar()
    if found is None:
        raise Unfound(f"there is no run {run} of this object")


def count(connection: Connection, run: int, kept: Kept) -> None:
    """Add what became of one page to its run."""
    connection.exec_driver_sql(
        "UPDATE sync_run SET read = read + ?, created = created + ?, updated = updated + ?,"
        " deleted = deleted + ?, changes = changes + ? WHERE run_id = ?",
        (kept.read, kept.created, kept.updated, kept.deleted, kept.changes, run),
    )


def finish(
    connection: Connection, run: int, *, state: str, at: datetime, calls: int, detail: str
) -> Mapping[str, Any]:
    """Close a run; return what of it is to be sealed.

    Raises:
        Mistake: there is no such state.
        Unfound: there is no such run, or it is closed already.
    """
    if state not in STATES:
        raise Mistake(f"a run ends {', '.join(STATES)}; not {state}")
    closed = connection.exec_driver_sql(
        "UPDATE sync_run SET state = ?, finished = ?, api_calls = ?, detail = ?"
        " WHERE run_id = ? AND state = 'running'",
        (state, micros(utc(at)), calls, detail, run),
    )
    if closed.rowcount != 1:
        raise Unfound(f"there is no open run {run}")
    row = connection.exec_driver_sql(
        "SELECT o.source, o.name, r.mode, r.started, r.read, r.created, r.updated, r.deleted,"
        " r.changes FROM sync_run AS r JOIN object AS o USING (object_id) WHERE r.run_id = ?",
        (run,),
    ).one()
    source, object_, mode, started, read, created, updated, deleted, changes = row
    return {
        "run": run,
        "source": source,
        "object": object_,
        "mode": mode,
        "state": state,
        "started": stamp(at_micros(started)),
        "api_calls": calls,
        "read": read,
        "created": created,
        "updated": updated,
        "deleted": deleted,
        "changes": changes,
    }


def keep_gaps(connection: Connection, object_: int, run: int | None, gaps: Sequence[Gap]) -> None:
    """Keep gaps that are not known yet."""
    for gap in gaps:
        row = (object_, micros(gap.since), micros(gap.until), gap.why)
        connection.exec_driver_sql(
            "INSERT INTO gap (object_id, run_id, since, until, why) SELECT ?, ?, ?, ?, ?"
            " WHERE NOT EXISTS (SELECT 1 FROM gap WHERE object_id = ? AND since IS ?"
            " AND until IS ? AND why = ?)",
            (object_, run, *row[1:], *row),
        )


def standing(connection: Connection, source: str, object_: str) -> Standing:
    """Return where an object stands; zeros where nothing was ever stored."""
    found = known_object(connection, source, object_)
    if found is None:
        return Standing(source, object_, 0, 0, 0, None, None, None, None, None, None)
    cursor, watermark, complete_to, expected, live, dead, versions = connection.exec_driver_sql(
        "SELECT cursor, watermark, complete_to, expected, live, dead, versions"
        " FROM position WHERE object_id = ?",
        (found,),
    ).one()
    last_run = connection.exec_driver_sql(
        "SELECT state FROM sync_run WHERE object_id = ? ORDER BY run_id DESC LIMIT 1", (found,)
    ).scalar()
    last_finished: int | None = connection.exec_driver_sql(
        "SELECT finished FROM sync_run WHERE object_id = ? AND finished IS NOT NULL"
        " ORDER BY run_id DESC LIMIT 1",
        (found,),
    ).scalar()
    return Standing(
        source=source,
        object=object_,
        records=live,
        deleted=dead,
        versions=versions,
        cursor=cursor,
        watermark=at_micros(watermark),
        complete_to=at_micros(complete_to),
        expected=expected,
        last_run=last_run,
        last_finished=at_micros(last_finished),
        gaps=_gaps(connection, found, object_),
    )


def standings(connection: Connection) -> list[Standing]:
    """Return where every object stands, by source and object."""
    names = connection.exec_driver_sql("SELECT source, name FROM object ORDER BY source, name")
    return [standing(connection, source, object_) for source, object_ in names.all()]


def _gaps(connection: Connection, object_: int, name: str) -> tuple[Gap, ...]:
    rows = connection.exec_driver_sql(
        "SELECT since, until, why FROM gap WHERE object_id = ? ORDER BY gap_id", (object_,)
    )
    return tuple(Gap(name, at_micros(since), at_micros(until), why) for since, until, why in rows)
