"""Open a store: make it, or bring it up to this version, or say why that cannot be."""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import NoStore
from crmtrail.ports import Clock
from snapshot.database import connect, explained, is_writable, reading, sqlite_path, writing
from snapshot.noticed import incidents_of, seal_findings
from snapshot.store import SqlStore

HEAD: Final = "0004"
"""The newest migration. A store that is there already opens without loading alembic."""

_UNSEALED_INCIDENTS: Final = ("0001", "0002", "0003")
"""Stores that sealed no incident when it was opened; an upgrade seals them as they are."""

_OURS_ONLY: Final = 0o600


def open_store(url: str, clock: Clock, *, create: bool = True) -> SqlStore:
    """Open the store at a URL, made or upgraded where needed.

    Args:
        url: ``sqlite:///`` and a path.
        clock: where the time comes from.
        create: whether to make a store where there is none.

    Raises:
        Mistake: the URL is none of ours.
        NoStore: there is no store, it was written by a newer crmtrail, or the file is something
            else.
    """
    path = sqlite_path(url)
    if not path.exists():
        if not create:
            raise NoStore(
                f"there is no store at {path}",
                hint="the first `crmtrail sync` makes it; or check store.url",
            )
        _make_folder(path.parent)
    return open_file(path, clock)


def open_file(path: Path, clock: Clock, *, told_as: Path | None = None) -> SqlStore:
    """Open the store in a file, brought up to this version; a file that is not there is made.

    Args:
        path: the file.
        clock: where the time comes from.
        told_as: how errors name it, where it is a copy of another.

    Raises:
        NoStore: as `open_store`.
    """
    name = told_as or path
    _make_file(path)
    engine = connect(path)
    try:
        with explained(name):
            _bring_up(engine, name)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, clock)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NoStore(
            f"the folder {folder} for the store cannot be made: {error.strerror}",
            hint="check store.url and permissions",
        ) from error


def _make_file(path: Path) -> None:
    """Make the file where there is none, for nobody else to read: it holds the CRM's people.

    SQLite gives the files beside it the same permissions.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OURS_ONLY))
    except FileExistsError:
        return
    except OSError as error:
        raise NoStore(
            f"the store {path} cannot be made: {error.strerror}",
            hint="check store.url, the folder and its permissions",
        ) from error


def _bring_up(engine: Engine, path: Path) -> None:
    """Run the migrations that a store lacks, in one transaction."""
    with reading(engine) as connection:
        before = _revision(connection, path)
    if before == HEAD:
        return
    if not is_writable(path):
        raise NoStore(
            f"the store {path} is of an earlier crmtrail and can only be read",
            hint="copy it to where it can be written; opening it there upgrades the copy",
        )
    # Loaded only here: alembic costs half a second, and most openings need none of it.
    from snapshot.migrating import known_revisions, upgrade  # noqa: PLC0415 -- see above

    with writing(engine) as connection:
        found = _revision(connection, path)  # somebody else may have been faster
        if found is not None and found not in known_revisions():
            raise NoStore(
                f"the store was written by a newer crmtrail (its tables are at {found})",
                hint="upgrade crmtrail, or open another store",
            )
        if found != HEAD:
            upgrade(connection)
        if found in _UNSEALED_INCIDENTS:
            for incident in incidents_of(connection, ()):
                seal_findings(connection, [incident], incident.seen_at)


def _revision(connection: Connection, path: Path) -> str | None:
    """Return the migration that a database is at; None where it is empty.

    Raises:
        NoStore: it holds tables that are not ours.
    """
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = set(tables.scalars())
    if "alembic_version" in names and "leaf" in names:
        found: str | None = connection.exec_driver_sql(
            "SELECT version_num FROM alembic_version"
        ).scalar()
        return found
    if names:
        raise NoStore(f"{path} is a database, but no crmtrail store", hint="check store.url")
    return None
