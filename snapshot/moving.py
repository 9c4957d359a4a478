"""Copy a whole store into another database, of the same kind or of the other.

Every row is copied as it is: ciphertext, entries, tiles, the store's id, so that ledger, anchors
and key store stay good. While it is copied nobody writes the source. The copy is a store only
once it was verified: its last write, the stamp of the migrations, says so. Until then whoever opens
it is told that it is unfinished, and copying again begins anew.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine, Table
from sqlmodel import SQLModel

from crmtrail.errors import Locked, Mistake, VerifyFailed
from snapshot import bulk, guards, tables
from snapshot.database import AS_WRITTEN, reading, writing
from snapshot.holders import still_runs
from snapshot.leaves import frontier_of, size_of
from snapshot.moments import store_time
from snapshot.place import StorePlace, opening, table_names
from snapshot.times import micros
from snapshot.verify import verify
from snapshot.views import VIEWS

Progress: TypeAlias = Callable[[int, int | None, str], None]

STAMP: Final = "alembic_version"
"""The table whose one row makes a store of what is in a database."""

_BATCH: Final = 5_000

_TABLES: Final = frozenset(getattr(tables, name).__tablename__ for name in tables.__all__)


@dataclass(frozen=True, slots=True)
class Moved:
    """A copy that was found whole: its ledger, and how many rows each table has."""

    entries: int
    root: str
    rows: Mapping[str, int]


def is_free(engine: Engine) -> bool:
    """Return whether a database is empty, or holds nothing but an unfinished copy."""
    with reading(engine) as connection:
        names = table_names(connection)
        return not names or _is_unfinished(connection, names)


def copy_store(
    source: Engine,
    target: Engine,
    place: StorePlace,
    *,
    now: datetime | None = None,
    progress: Progress = lambda *_: None,
) -> Moved:
    """Copy a store, verify the copy, and only then make it one.

    Args:
        source: the store.
        target: an empty database, or one with an unfinished copy, which is removed.
        place: how errors name the target.
        now: what time it is, to lock the source against every writer meanwhile, and to refuse
            where somebody works on it; None copies it as it is at one moment, as a backup does.
        progress: is told how many rows were copied.

    Raises:
        Mistake: the target is not empty.
        Locked: a sync or restore holds a lease of the source.
        VerifyFailed: the copy is not what the source is; nothing of it was kept.
    """
    with opening(place):
        if not is_free(target):
            raise Mistake(
                f"{place} is not empty", hint="name an empty database, or a file that is not there"
            )
        begin: Callable[[Engine], AbstractContextManager[Connection]] = (
            reading if now is None else writing
        )
        with begin(source) as old:
            if now is not None:
                _require_rest(old, now)
            rows = _filled(old, target, progress)
            size = size_of(old)
            head = size, frontier_of(old, size).root().hex()
            stamp = old.exec_driver_sql(f"SELECT version_num FROM {STAMP}").scalar_one()  # noqa: S608 -- a table of ours
    try:
        made = _compared(target, head, rows)
    except BaseException:
        clear(target)
        raise
    with writing(target) as new:
        new.exec_driver_sql(f"INSERT INTO {STAMP} VALUES (?)", (stamp,))  # noqa: S608 -- as above
    return made


def require_rest(engine: Engine, now: datetime) -> None:
    """See that nobody syncs or restores.

    Raises:
        Locked: somebody does.
    """
    with reading(engine) as connection:
        _require_rest(connection, now)


def clear(engine: Engine) -> None:
    """Remove an unfinished copy, and nothing else."""
    with writing(engine) as connection:
        names = table_names(connection)
        if not _is_unfinished(connection, names):
            return
        run = guards.run if connection.dialect.name == "postgresql" else _run
        for view in VIEWS:
            run(connection, f"DROP VIEW IF EXISTS {view}")
        for table in reversed(_tables()):
            if table.name in names:
                run(connection, f'DROP TABLE "{table.name}"')
        run(connection, f"DROP TABLE {STAMP}")


def _tables() -> list[Table]:
    """Return the tables of a store, each behind those that it refers to."""
    return [table for table in SQLModel.metadata.sorted_tables if table.name in _TABLES]


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _is_unfinished(connection: Connection, names: frozenset[str]) -> bool:
    if not {STAMP, "leaf"} <= names:
        return False
    stamps: int = connection.exec_driver_sql(f"SELECT count(*) FROM {STAMP}").scalar_one()  # noqa: S608 -- as above
    return stamps == 0


def _require_rest(connection: Connection, now: datetime) -> None:
    """See that nobody syncs or restores.

    Raises:
        Locked: somebody does.
    """
    rows = connection.exec_driver_sql(
        "SELECT source, object, holder FROM lease WHERE holder <> '' AND expires_at > ?"
        " ORDER BY source, object",
        (micros(store_time(connection, now)),),
    )
    held = next((row for row in rows if still_runs(row.holder)), None)
    if held is not None:
        raise Locked(
            f"{held.source}:{held.object} is being worked on",
            hint="stop crmtrail serve and every sync first, or wait for their end with --wait",
        )


def _filled(source: Connection, engine: Engine, progress: Progress) -> dict[str, int]:
    """Make the tables anew and fill them, in one transaction; return how many rows each got."""
    # Loaded only here: alembic costs half a second.
    from snapshot.migrating import upgrade  # noqa: PLC0415 -- see above

    clear(engine)
    rows: dict[str, int] = {}
    with writing(engine) as target:
        upgrade(target)
        target.exec_driver_sql(f"DELETE FROM {STAMP}")  # noqa: S608 -- a table of ours
        for table in _tables():
            names, count = [column.name for column in table.columns], 0
            for batch in _batches(source, table):
                bulk.insert(target, table.name, names, batch)
                count += len(batch)
                progress(sum(rows.values()) + count, None, f"rows, {table.name}")
            rows[table.name] = count
            _go_on_counting(target, table)
    return rows


def _batches(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table in the order of its key, so many at a time."""
    key = [column.name for column in table.primary_key.columns]
    listed, order = _quoted(column.name for column in table.columns), _quoted(key)
    places = [list(table.columns.keys()).index(name) for name in key]
    after: tuple[Any, ...] = ()
    marks = ", ".join("?" * len(key))
    while True:
        beyond = f" WHERE ({order}) > ({marks})" if after else ""
        rows = connection.exec_driver_sql(
            f'SELECT {listed} FROM "{table.name}"{beyond} ORDER BY {order} LIMIT {_BATCH}',  # noqa: S608 -- names of ours
            after,
        ).all()
        if not rows:
            return
        yield [tuple(row) for row in rows]
        after = tuple(rows[-1][place] for place in places)


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL give ids from behind those that were copied; SQLite does so by itself."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    newest = connection.exec_driver_sql(f'SELECT max("{column.name}") FROM "{table.name}"').scalar()  # noqa: S608 -- names of ours
    if newest is not None:
        connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
            (f'"{table.name}"', column.name, max(1, newest)),
            execution_options={AS_WRITTEN: True},
        )


def _compared(engine: Engine, head: tuple[int, str], rows: Mapping[str, int]) -> Moved:
    """Hold a copy against the store that it was made of.

    Raises:
        VerifyFailed: something is not as it was.
    """
    with reading(engine) as connection:
        for name, count in rows.items():
            found = connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()  # noqa: S608 -- names of ours
            if found != count:
                raise VerifyFailed(f"the copy has {found:,} rows of {name}, the store {count:,}")
    told = verify(engine)
    if not told.ok:
        raise VerifyFailed(
            f"the store was altered: {told.first_bad['kind']} {told.first_bad['index']}: "
            f"{told.first_bad['why']}",
            hint="crmtrail verify says more; it was not copied",
        )
    if (told.entries, told.root) != head:
        raise VerifyFailed("the copy does not hold the store's ledger; it was not kept")
    return Moved(told.entries, told.root, dict(rows))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
