"""After values were forgotten: that nothing of them stays behind in the files of the database."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine

_TOUCHED: Final = (
    "actor",
    "change",
    "incident",
    "keyframe",
    "operation",
    "plan_step",
    "record",
    "subject_index",
    "version",
)

_SMALL: Final = 1 << 30
"""Bytes up to which a store is written anew without being asked to."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was done. ``log``: the write-ahead log was cut; ``anew``: the tables were written anew.

    Where neither could be done, because somebody is reading just now, the next cleaning does it.
    """

    log: bool
    anew: bool


def clean(engine: Engine, *, anew: bool | None = None) -> Cleaned:
    """Cut the log, and write the tables anew.

    SQLite overwrites with zeros what it deletes (secure_delete), but a page that was rearranged may
    keep a piece of what was on it: writing the file anew leaves nothing. PostgreSQL keeps what was
    changed as dead rows until VACUUM, and even then their bytes may stay until something else is
    written there; the FULL form writes the tables anew, and locks them meanwhile.

    Args:
        engine: of the store.
        anew: whether to write the tables anew. None: if they have up to 1 GiB.
    """
    if engine.dialect.name == "postgresql":
        return _vacuum_server(engine, anew=anew)
    with closing(engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
        if anew is None:
            ((pages,),) = cursor.execute("PRAGMA page_count").fetchall()
            ((size,),) = cursor.execute("PRAGMA page_size").fetchall()
            anew = pages * size <= _SMALL
        if anew:
            cursor.execute("VACUUM")
        return Cleaned(_cut(cursor), anew)


def _cut(cursor: Any) -> bool:
    ((busy, *_),) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not busy


def _vacuum_server(engine: Engine, *, anew: bool | None) -> Cleaned:
    with closing(engine.raw_connection()) as raw:
        driver: Any = raw.driver_connection
        driver.rollback()
        driver.autocommit = True
        try:
            with closing(raw.cursor()) as cursor:
                full = _is_small(cursor) if anew is None else anew
                how = "VACUUM (FULL)" if full else "VACUUM"
                for table in _TOUCHED:
                    cursor.execute(f"{how} {table}")
        finally:
            driver.autocommit = False
    return Cleaned(log=True, anew=full)


def _is_small(cursor: Any) -> bool:
    size = 0
    for table in _TOUCHED:
        cursor.execute(f"SELECT pg_total_relation_size('{table}')")
        size += cursor.fetchone()[0]
    return size <= _SMALL
