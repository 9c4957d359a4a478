"""Open a store: make it, or bring it up to this version, or say why that cannot be."""

import os
from pathlib import Path
from secrets import token_hex
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import NoStore
from crmtrail.ports import Clock
from snapshot.database import reading, writing
from snapshot.place import (
    StoreFile,
    StorePlace,
    connect,
    is_writable,
    opening,
    place_of,
    table_names,
)
from snapshot.store import SqlStore
from snapshot.vault import Vault

HEAD: Final = "1004"
"""The newest migration. A store that is there already opens without loading alembic."""

_TRIALS: Final = ("0001", "0002", "0003", "0004")
"""Migrations of trial versions that were never released."""

_OURS_ONLY: Final = 0o600


def open_store(
    url: str, clock: Clock, *, create: bool = True, vault: Vault | None = None
) -> SqlStore:
    """Open the store at a URL, made or upgraded where needed.

    Args:
        url: ``sqlite:///`` and a path, or ``postgresql://user@host/database``.
        clock: where the time comes from.
        create: whether to make a store where there is none.
        vault: the keys that its values are sealed with; without any, sealed ones stay so.

    Raises:
        Mistake: the URL is none of ours.
        NoStore: there is no store, it was written by a newer crmtrail, or the file is something
            else.
    """
    place = place_of(url)
    if isinstance(place, StoreFile):
        if not place.path.exists():
            if not create:
                raise _none_at(place)
            _make_folder(place.path.parent)
        return open_file(place.path, clock, vault=vault)
    return _open(place, place, clock, create=create, vault=vault)


def is_there(place: StorePlace) -> bool:
    """Return whether there is anything at a place that may be a store.

    Raises:
        NoStore: its server cannot be asked.
    """
    if isinstance(place, StoreFile):
        return place.path.exists()
    engine = connect(place)
    try:
        with opening(place), reading(engine) as connection:
            return bool(table_names(connection))
    finally:
        engine.dispose()


def open_file(
    path: Path, clock: Clock, *, told_as: Path | None = None, vault: Vault | None = None
) -> SqlStore:
    """Open the store in a file, brought up to this version; a file that is not there is made.

    Args:
        path: the file.
        clock: where the time comes from.
        told_as: how errors name it, where it is a copy of another.
        vault: see `open_store`.

    Raises:
        NoStore: as `open_store`.
    """
    _make_file(path)
    return _open(StoreFile(path), StoreFile(told_as or path), clock, create=True, vault=vault)


def _open(
    place: StorePlace, name: StorePlace, clock: Clock, *, create: bool, vault: Vault | None
) -> SqlStore:
    engine = connect(place)
    try:
        with opening(name):
            _bring_up(engine, place, name, create=create)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, clock, vault)


def _none_at(place: StorePlace) -> NoStore:
    return NoStore(
        f"there is no store at {place}",
        hint="the first `crmtrail sync` makes it; or check store.url",
    )


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


def _bring_up(engine: Engine, place: StorePlace, name: StorePlace, *, create: bool) -> None:
    """Run the migrations that a store lacks, in one transaction."""
    with reading(engine) as connection:
        before = _revision(connection, name)
    if before == HEAD:
        return
    if before is None and not create:
        raise _none_at(name)
    if before in _TRIALS:
        raise NoStore(
            f"the store {name} is of a trial version of crmtrail, before the first release",
            hint="move it away and sync anew",
        )
    if not is_writable(place):
        raise NoStore(
            f"the store {name} is of an earlier crmtrail and can only be read",
            hint="copy it to where it can be written; opening it there upgrades the copy",
        )
    # Loaded only here: alembic costs half a second, and most openings need none of it.
    from snapshot.migrating import known_revisions, upgrade  # noqa: PLC0415 -- see above

    with writing(engine) as connection:
        found = _revision(connection, name)  # somebody else may have been faster
        if found is not None and found not in known_revisions():
            raise NoStore(
                f"the store was written by a newer crmtrail (its tables are at {found})",
                hint="upgrade crmtrail, or open another store",
            )
        if found != HEAD:
            upgrade(connection)
        if found is None:
            connection.exec_driver_sql("INSERT INTO identity VALUES (?)", (token_hex(16),))


def _revision(connection: Connection, name: StorePlace) -> str | None:
    """Return the migration that a database is at; None where it is empty.

    Raises:
        NoStore: it holds tables that are not ours.
    """
    names = table_names(connection)
    if {"alembic_version", "leaf"} <= names:
        found: str | None = connection.exec_driver_sql(
            "SELECT version_num FROM alembic_version"
        ).scalar()
        if found is None:
            raise NoStore(
                f"{name} holds an unfinished copy of a store",
                hint="run `crmtrail store migrate-to` again: it begins anew there",
            )
        return found
    if names:
        raise NoStore(f"{name} is a database, but no crmtrail store", hint="check store.url")
    return None
