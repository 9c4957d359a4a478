"""Runs, gaps and where each object stands, in SQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from crmtrail.errors import Mistake, Unfound
from crmtrail.model import Gap, Mode, Usage, stamp, utc
from crmtrail.ports import Kept, Standing, Told
from snapshot.counts import COMING_AND_GOING, settled, shortfall
from snapshot.holders import still_runs
from snapshot.moments import store_time
from snapshot.names import known_object
from snapshot.times import at_micros, micros

STATES: Final = ("done", "failed", "stopped", "locked")
"""How a run can end."""


def begin(connection: Connection, object_: int, mode: Mode, at: datetime) -> int:
    """Open a run of an object and return its number."""
    made: int = connection.exec_driver_sql(
        "INSERT INTO sync_run (object_id, mode, state, started, api_calls, read, created, updated,"
        " deleted, changes, detail) VALUES (?, ?, 'running', ?, 0, 0, 0, 0, 0, 0, '')"
        " RETURNING run_id",
        (object_, mode.value, micros(utc(at))),
    ).scalar_one()
    return made


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


def counted(connection: Connection, run: int, expected: int, at: datetime) -> None:
    """Note the vendor's count of live records with the run that learnt it."""
    connection.exec_driver_sql(
        "UPDATE sync_run SET expected = ?, expected_at = ? WHERE run_id = ?",
        (expected, micros(utc(at)), run),
    )


def compare(connection: Connection, object_: int, name: str, run: int) -> Gap | None:
    """Compare the vendor's count with what is stored, at the end of a run that learnt it.

    A run that goes on where an earlier one was stopped takes that one's count.
    """
    row = connection.exec_driver_sql(
        "SELECT c.run_id, c.expected, c.expected_at, c.started, p.live FROM sync_run AS c"
        " JOIN position AS p USING (object_id) WHERE c.object_id = ? AND c.expected IS NOT NULL"
        " AND c.run_id <= ? AND NOT EXISTS (SELECT 1 FROM sync_run AS d WHERE d.object_id ="
        " c.object_id AND d.run_id >= c.run_id AND d.run_id < ? AND d.state = 'done')"
        " ORDER BY c.run_id DESC LIMIT 1",
        (object_, run, run),
    ).first()
    if row is None:
        return None
    ops = ", ".join(f"'{op.value}'" for op in COMING_AND_GOING)
    moved: int = connection.exec_driver_sql(
        f"SELECT count(*) FROM version WHERE object_id = ? AND at >= ? AND op IN ({ops})",  # noqa: S608 -- fixed texts
        (object_, row.started),
    ).scalar_one()
    if not settled(row.expected, row.live, moved):
        return None
    connection.exec_driver_sql(
        "UPDATE sync_run SET expected = ?, expected_at = ?, held = ? WHERE run_id = ?",
        (row.expected, row.expected_at, row.live, run),
    )
    return shortfall(name, row.expected, row.live, at_micros(row.expected_at))


def finish(
    connection: Connection,
    run: int,
    *,
    state: str,
    at: datetime,
    calls: int,
    detail: str,
    usage: Usage | None = None,
) -> Mapping[str, Any]:
    """Close a run; return what of it is to be sealed.

    Raises:
        Mistake: there is no such state.
        Unfound: there is no such run, or it is closed already.
    """
    if state not in STATES:
        raise Mistake(f"a run ends {', '.join(STATES)}; not {state}")
    closed = connection.exec_driver_sql(
        "UPDATE sync_run SET state = ?, finished = ?, api_calls = ?, detail = ?, used = ?,"
        " quota = ?, resets_at = ? WHERE run_id = ? AND state = 'running'",
        (state, micros(utc(at)), calls, detail, *_bill(usage), run),
    )
    if closed.rowcount != 1:
        raise Unfound(f"there is no open run {run}")
    return sealed(connection, run)


def sealed(connection: Connection, run: int) -> Mapping[str, Any]:
    """Return what of a finished run is sealed."""
    return sealed_of(connection, [run])[run][0]


def sealed_of(
    connection: Connection, wanted: Sequence[int]
) -> Mapping[int, tuple[Mapping[str, Any], int | None]]:
    """Return, by run, what is sealed of it once finished, and when it was finished."""
    rows = connection.exec_driver_sql(
        "SELECT r.run_id AS run, o.source, o.name AS object, r.mode, r.state, r.started,"
        " r.api_calls, r.read, r.created, r.updated, r.deleted, r.changes, r.expected, r.held,"
        " r.finished FROM json_each(?) AS j CROSS JOIN sync_run AS r ON r.run_id = j.value"
        " JOIN object AS o USING (object_id)",
        (json.dumps(list(wanted)),),
    ).mappings()
    found = {}
    for row in rows:
        entry = dict(row)
        finished = entry.pop("finished")
        entry["started"] = stamp(at_micros(entry["started"]))
        if entry["held"] is None:
            del entry["expected"], entry["held"]
        found[entry["run"]] = (entry, finished)
    return found


def _bill(usage: Usage | None) -> tuple[int | None, int | None, int | None]:
    said = usage or Usage()
    return said.used, said.limit, micros(said.resets_at)


def usage(connection: Connection, source: str) -> Told | None:
    """Return the last word on a source's budget; None where its vendor never said any."""
    row = connection.exec_driver_sql(
        "SELECT r.used, r.quota, r.resets_at, r.finished FROM object AS o CROSS JOIN sync_run AS r"
        " ON r.run_id = (SELECT max(n.run_id) FROM sync_run AS n WHERE n.object_id = o.object_id"
        " AND coalesce(n.used, n.quota) IS NOT NULL)"
        " WHERE o.source = ? ORDER BY r.finished DESC, r.run_id DESC LIMIT 1",
        (source,),
    ).first()
    if row is None:
        return None
    return Told(Usage(row.used, row.quota, at_micros(row.resets_at)), at_micros(row.finished))


_ENDED: Final = (
    "(g.whole IS NOT NULL AND EXISTS (SELECT 1 FROM sync_run AS r"
    " CROSS JOIN position AS p ON p.object_id = g.object_id"
    " WHERE r.run_id = g.run_id AND p.complete_to > r.started))"
)
"""Of gaps (``g``): nothing could be read then, and by now everything up to a later time was."""


def keep_gaps(connection: Connection, object_: int, run: int | None, gaps: Sequence[Gap]) -> None:
    """Keep gaps that are not known yet, or that ended and are there again."""
    for gap in gaps:
        row = (object_, micros(gap.since), micros(gap.until), gap.why)
        whole = 1 if gap.whole else None
        connection.exec_driver_sql(
            "INSERT INTO gap (object_id, run_id, since, until, why, whole) SELECT ?, ?, ?, ?, ?, ?"  # noqa: S608 -- fixed texts
            " WHERE NOT EXISTS (SELECT 1 FROM gap AS g WHERE g.object_id = ? AND g.since IS ?"
            f" AND g.until IS ? AND g.why = ? AND NOT {_ENDED})",
            (object_, run, *row[1:], whole, *row),
        )


def standing(connection: Connection, source: str, object_: str, now: datetime) -> Standing:
    """Return where an object stands; zeros where nothing was ever stored."""
    found = known_object(connection, source, object_)
    if found is None:
        return Standing(source, object_, 0, 0, 0, None, None, None, None, None, None)
    cursor, watermark, complete_to, expected, live, dead, versions = connection.exec_driver_sql(
        "SELECT cursor, watermark, complete_to, expected, live, dead, versions"
        " FROM position WHERE object_id = ?",
        (found,),
    ).one()
    last_finished: int | None = connection.exec_driver_sql(
        "SELECT finished FROM sync_run WHERE object_id = ? AND finished IS NOT NULL"
        " ORDER BY run_id DESC LIMIT 1",
        (found,),
    ).scalar()
    expected_at: int | None = connection.exec_driver_sql(
        "SELECT expected_at FROM sync_run WHERE object_id = ? AND expected IS NOT NULL"
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
        last_run=_last_run(connection, found, now),
        last_finished=at_micros(last_finished),
        gaps=(*_gaps(connection, found, object_), *_shortfalls(connection, found, object_)),
        expected_at=at_micros(expected_at),
    )


def standings(connection: Connection, now: datetime) -> list[Standing]:
    """Return where every object stands, by source and object."""
    names = connection.exec_driver_sql("SELECT source, name FROM object ORDER BY source, name")
    return [standing(connection, source, object_, now) for source, object_ in names.all()]


def _last_run(connection: Connection, object_: int, now: datetime) -> str | None:
    """Return the last run's state; one that nobody goes on with was interrupted."""
    state: str | None = connection.exec_driver_sql(
        "SELECT state FROM sync_run WHERE object_id = ? ORDER BY run_id DESC LIMIT 1", (object_,)
    ).scalar()
    if state != "running":
        return state
    holder: str | None = connection.exec_driver_sql(
        "SELECT l.holder FROM object AS o JOIN lease AS l ON l.source = o.source"
        " AND l.object = o.name WHERE o.object_id = ? AND l.expires_at >= ? AND l.holder <> ''",
        (object_, micros(store_time(connection, utc(now)))),
    ).scalar()
    return state if holder is not None and still_runs(holder) else "interrupted"


def _gaps(connection: Connection, object_: int, name: str) -> tuple[Gap, ...]:
    rows = connection.exec_driver_sql(
        "SELECT g.since, g.until, g.why, g.whole FROM gap AS g WHERE g.object_id = ?"  # noqa: S608 -- fixed texts
        f" AND NOT {_ENDED} ORDER BY g.gap_id",
        (object_,),
    )
    return tuple(
        Gap(name, at_micros(since), at_micros(until), why, whole is not None)
        for since, until, why, whole in rows
    )


def _shortfalls(connection: Connection, object_: int, name: str) -> tuple[Gap, ...]:
    """Return what the newest comparison of counts found; one that agrees ends an older one."""
    row = connection.exec_driver_sql(
        "SELECT expected, held, expected_at FROM sync_run WHERE object_id = ?"
        " AND expected IS NOT NULL AND held IS NOT NULL ORDER BY run_id DESC LIMIT 1",
        (object_,),
    ).first()
    found = row and shortfall(name, row.expected, row.held, at_micros(row.expected_at))
    return (found,) if found else ()
