"""How the key store stands, in findings for `crmtrail doctor`. Changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Engine

from crmtrail.errors import CrmtrailError
from crmtrail.keys_config import KeysConfig
from crmtrail.ports import Clock
from snapshot.database import reading
from snapshot.keys.copying import KEPT_DAYS, copies_in, expired
from snapshot.keys.kek import KekSource
from snapshot.keys.keyring import Keyring
from snapshot.keys.opening import key_place, open_keyring, source_of
from snapshot.keys.restoring import NamedKeys, named_keys
from snapshot.place import StoreFile, StorePlace, place_of
from snapshot.secret_file import is_private


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class StoreKnows:
    """What the store says of its keys: its own id, and which it names."""

    store_id: str | None
    keys: NamedKeys

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Ask a store."""
        with reading(engine) as connection:
            own = connection.exec_driver_sql("SELECT store_id FROM identity").scalar()
            return cls(own, named_keys(connection))


def examine_keys(
    keys: KeysConfig,
    store_url: str,
    environ: Mapping[str, str],
    clock: Clock,
    known: StoreKnows | None,
) -> list[Finding]:
    """Look at the key store of a configuration. Never raises for what it finds.

    Args:
        keys: ``keys`` of the config.
        store_url: where the store is.
        environ: the environment.
        clock: where the time comes from.
        known: what the store says; None where there is none yet.
    """
    try:
        place = key_place(keys, store_url)
        source = source_of(keys, place, environ)
        named = known is not None and known.keys.highest > 0
        there = not isinstance(place, StoreFile) or place.path.exists()
        if not there and not named:
            return [_none_yet(keys, place, source)]
        ring = open_keyring(place, source, clock, create=False)
    except CrmtrailError as error:
        return [Finding("keys", False, str(error), error.hint, error.exit_code)]
    try:
        return [
            _standing(ring, place, known),
            *_permissions(place),
            *_apart(keys, place, store_url),
            *_old_copies(place, store_url, clock.now()),
        ]
    except CrmtrailError as error:
        return [Finding("keys", False, str(error), error.hint, error.exit_code)]
    finally:
        ring.close()


def _none_yet(keys: KeysConfig, place: StorePlace, source: KekSource) -> Finding:
    if keys.seal == "none":
        return Finding(
            "keys",
            True,
            "nothing is sealed: whoever can read the store reads what your CRM holds",
            "keys.seal: personal lets you erase a person",
        )
    if source.put is None or source.exists():
        source.read()
    return Finding("keys", True, f"{place}: none yet, the first sync makes it")


def _standing(ring: Keyring, place: StorePlace, known: StoreKnows | None) -> Finding:
    standing = ring.standing()
    if (
        known is not None
        and None not in {standing.store_id, known.store_id}
        and (standing.store_id != known.store_id)
    ):
        return Finding(
            "keys", False, f"{place} belongs to another store", "check keys.url and store.url"
        )
    alive = known.keys.destroyed - ring.destroyed().keys() if known is not None else frozenset()
    if alive:
        return Finding(
            "keys",
            False,
            f"{len(alive):,} keys of erased records are back in {place}",
            "it was put back from a copy by other means than `crmtrail key --restore`: run that",
        )
    told = f"{place}, {standing.keys:,} keys, {standing.destroyed:,} destroyed"
    if standing.stale:
        hint = "go on with `crmtrail key --rotate-kek`"
        return Finding("keys", True, f"{told}, {standing.stale:,} under an old KEK", hint)
    return Finding("keys", True, told)


def _permissions(place: StorePlace) -> Iterator[Finding]:
    if not isinstance(place, StoreFile):
        return
    if is_private(place.path):
        yield Finding("key permissions", True, f"{place} is yours alone")
    else:
        told = f"{place} can be read by others"
        yield Finding("key permissions", False, told, f"chmod 600 {place}")


def _apart(keys: KeysConfig, place: StorePlace, store_url: str) -> Iterator[Finding]:
    """Tell where one copied folder gives everything away."""
    store = place_of(store_url)
    if keys.kek.from_ != "file" or not isinstance(place, StoreFile):
        return
    kek = (keys.kek.path or place.path.with_suffix(".kek")).resolve().parent
    if isinstance(store, StoreFile) and kek == store.path.resolve().parent:
        yield Finding(
            "key-encryption key",
            True,
            f"it lies in the same folder as the store: who has {kek} can read all of it",
            "move it and name it as keys.kek.path, or take it from elsewhere (docs/keys.md)",
        )


def _old_copies(place: StorePlace, store_url: str, now: datetime) -> Iterator[Finding]:
    folders = dict.fromkeys(
        one.path.resolve().parent
        for one in (place, place_of(store_url))
        if isinstance(one, StoreFile)
    )
    old = [path for folder in folders for path in copies_in(folder) if _is_old(path, now)]
    if old:
        yield Finding(
            "key copies",
            False,
            f"{len(old)} older than {KEPT_DAYS} days: {', '.join(str(path) for path in old)}",
            "delete them: whoever was erased since is still in them",
        )


def _is_old(path: Path, now: datetime) -> bool:
    try:
        return expired(path, now)
    except CrmtrailError:  # damaged, or of a newer crmtrail: nothing to say of its age
        return False
