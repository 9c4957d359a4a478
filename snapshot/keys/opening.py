"""Open a key store, or make one, or say why that cannot be."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from crmtrail.errors import Mistake, NoStore
from crmtrail.keys_config import KeysConfig
from crmtrail.ports import Clock
from snapshot.database import reading, writing
from snapshot.keys.kek import KekSource
from snapshot.keys.kek_places import kek_source
from snapshot.keys.keyring import Keyring, enter
from snapshot.keys.port import KEY_BYTES, KeyMissing
from snapshot.keys.tables import FORMAT, INDEX_KEY, METADATA
from snapshot.keys.wrapping import wrap
from snapshot.place import StoreFile, StorePlace, connect, opening, place_of, table_names
from snapshot.times import at_micros, micros

_OURS_ONLY: Final = 0o600
_FIRST: Final = (
    "INSERT INTO ring (one, format, kek_no, next_key, generation) VALUES (1, ?, 0, 1, 0)"
)
_INDEX: Final = "INSERT INTO subject_key (key_id, wrapped, kek_no, made_at) VALUES (?, ?, ?, ?)"


def key_place(keys: KeysConfig, store_url: str) -> StorePlace:
    """Return where the key store is: where the config says, else beside the store's file.

    Raises:
        Mistake: the config has to say, or names the store itself.
    """
    store = place_of(store_url)
    if keys.url is not None:
        place = place_of(keys.url)
        if place == store:
            raise Mistake(
                "keys.url names the store: keys beside what they seal protect nothing",
                hint="name another database, like sqlite:///crmtrail-keys.db",
            )
        return place
    if isinstance(store, StoreFile):
        return StoreFile(store.path.with_name(f"{store.path.stem}-keys.db"))
    raise Mistake(
        "keys.url has to be named, for the store is on a server",
        hint="write sqlite:///crmtrail-keys.db: a file on this machine, or another database",
    )


def source_of(keys: KeysConfig, place: StorePlace, environ: Mapping[str, str]) -> KekSource:
    """Return where the key-encryption key is; see `snapshot.keys.kek_places`."""
    return kek_source(keys.kek, place.path if isinstance(place, StoreFile) else None, environ)


def open_keys(
    keys: KeysConfig, store_url: str, environ: Mapping[str, str], clock: Clock, *, create: bool
) -> Keyring:
    """Open the key store of a configuration; see `open_keyring`."""
    place = key_place(keys, store_url)
    return open_keyring(place, source_of(keys, place, environ), clock, create=create)


def open_keyring(place: StorePlace, source: KekSource, clock: Clock, *, create: bool) -> Keyring:
    """Open a key store, and see that its key-encryption key is the right one.

    Args:
        place: where it is.
        source: where its key-encryption key is; made there too, with a new key store.
        clock: where the time comes from.
        create: whether to make a key store where there is none. Never for a store that names keys:
            new keys open nothing of it.

    Raises:
        KeyMissing: there is none, and ``create`` is not given.
        Mistake: the key-encryption key is missing or wrong, or the place holds a copy.
        NoStore: it is something else, cannot be opened, or is of a newer crmtrail.
    """
    if isinstance(place, StoreFile) and not place.path.exists():
        if not create:
            raise _none(place)
        source.read_or_make()
        make_file(place.path)
    engine = connect(place)
    try:
        with opening(place):
            _begin(engine, place, source, clock, create=create)
            keyring = Keyring(engine, source, clock)
            keyring.blind("")
    except BaseException:
        engine.dispose()
        raise
    return keyring


def _begin(
    engine: Engine, place: StorePlace, source: KekSource, clock: Clock, *, create: bool
) -> None:
    """Make what a key store begins with, where it is not there yet."""
    with reading(engine) as connection:
        if is_key_store(connection, place):
            return
    if not create:
        raise _none(place)
    with writing(engine) as connection:
        if not is_key_store(connection, place):  # somebody else may have been faster
            first_rows(connection, source, clock)


def first_rows(connection: Connection, source: KekSource, clock: Clock) -> None:
    """Make the tables, and an index key under the key-encryption key in use."""
    METADATA.create_all(connection)
    connection.exec_driver_sql(_FIRST, (FORMAT,))
    kek, now = source.read_or_make()[0], clock.now()
    wrapped = wrap(kek, secrets.token_bytes(KEY_BYTES))
    connection.exec_driver_sql(
        _INDEX, (INDEX_KEY, wrapped, enter(connection, kek, now), micros(now))
    )


def is_key_store(connection: Connection, place: StorePlace, *, copy: bool = False) -> bool:
    """Return whether a database is a key store, or a copy of one; False where it is empty.

    Raises:
        Mistake: a copy was not wanted and it is one, or the other way round.
        NoStore: it is something else, or of a newer crmtrail.
    """
    names = table_names(connection)
    if not names:
        return False
    if not METADATA.tables.keys() <= names:
        raise NoStore(f"{place} is a database, but no key store", hint="check keys.url")
    form, copied = connection.exec_driver_sql("SELECT format, copied_at FROM ring").one()
    if form > FORMAT:
        raise NoStore(f"the key store {place} is of a newer crmtrail", hint="upgrade crmtrail")
    if copied is not None and not copy:
        raise Mistake(
            f"{place} is a copy of a key store, made on {at_micros(copied):%Y-%m-%d}",
            hint="it may hold erased keys: `crmtrail key --restore` leaves those out",
        )
    if copied is None and copy:
        raise Mistake(f"{place} is a key store, not a copy made by `crmtrail key --backup`")
    return True


def make_file(path: Path) -> None:
    """Make a file for its owner alone, unless it is there.

    Raises:
        NoStore: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OURS_ONLY))
    except FileExistsError:
        return
    except OSError as error:
        raise NoStore(
            f"the key store {path} cannot be made: {error.strerror}",
            hint="check keys.url, the folder and its permissions",
        ) from error


def _none(place: StorePlace) -> KeyMissing:
    return KeyMissing(
        f"there is no key store at {place}",
        hint="the first sync makes it; if it was lost: `crmtrail key --restore FROM`",
    )
