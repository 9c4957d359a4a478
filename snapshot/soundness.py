"""Whether the database itself is sound: its pages and indexes, and how its tables are made.

The ledger shows what became of the rows. It cannot show an index that has lost one of them, nor a
trigger that is gone, and what cannot be read at all has to be told like anything else.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DatabaseError

from crmtrail.errors import Damaged
from crmtrail.ports import Verification
from snapshot.database import DRIVER, reading
from snapshot.verify import UNREADABLE

_MADE: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite?_%' ESCAPE '?'"
)


def looked_through(engine: Engine, verify: Callable[[], Verification]) -> Verification:
    """Verify, then look through the database; what cannot be read is a finding, too.

    ``first_bad`` is of kind ``database`` where the ledger has nothing to say.
    """
    try:
        told = verify()
    except (DatabaseError, Damaged, *UNREADABLE):
        # What the error says may hold the values that it stumbled over.
        return Verification(False, 0, "", 0, _bad("a row of it cannot be read"))
    if not told.ok:
        return told
    bad = first_bad(engine)
    return told if bad is None else replace(told, ok=False, first_bad=bad)


def first_bad(engine: Engine) -> Mapping[str, Any] | None:
    """Return the first thing that is wrong with a SQLite file; None for all that is well.

    PostgreSQL keeps its own checksums, and nobody but its owner can change its tables.
    """
    if engine.dialect.name != "sqlite":
        return None
    try:
        with reading(engine) as connection:
            why = _unsound(connection) or _remade(connection)
    except (DatabaseError, Damaged):
        why = "a part of it cannot be read"
    return None if why is None else _bad(why)


def _bad(why: str) -> Mapping[str, Any]:
    return {"kind": "database", "index": None, "record": None, "why": why}


def _unsound(connection: Connection) -> str | None:
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if found != "ok":
        return f"SQLite finds it damaged: {found}"
    stray = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    return None if stray is None else f"a row of {stray[0]} hangs on nothing"


def _remade(connection: Connection) -> str | None:
    """Say which table, index, view or trigger is not as the migrations make it."""
    found = {tuple(row) for row in connection.exec_driver_sql(_MADE)}
    expected = _expected()
    for kind, name, *_ in sorted(expected - found):
        return f"the {kind} {name} is not as crmtrail made it"
    for kind, name, *_ in sorted(found - expected):
        return f"the {kind} {name} is none that crmtrail made"
    return None


@cache
def _expected() -> frozenset[tuple[Any, ...]]:
    """Return how a store is made, by making one in memory."""
    # Loaded only here: alembic costs half a second, and most commands need none of it.
    from snapshot.migrating import upgrade  # noqa: PLC0415 -- see above

    engine = create_engine("sqlite://", module=DRIVER)
    try:
        with closing(engine.connect()) as connection:
            upgrade(connection)
            return frozenset(tuple(row) for row in connection.exec_driver_sql(_MADE))
    finally:
        engine.dispose()
