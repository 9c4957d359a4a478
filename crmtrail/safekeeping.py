"""The store itself kept safe: moved to another database, put back from a backup."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_never,
    wait_fixed,
)

from crmtrail import landing
from crmtrail.app import App
from crmtrail.errors import CrmtrailError, Locked, Mistake
from crmtrail.model import Ref
from snapshot.age import Opener
from snapshot.backup import Placed, restore, restore_to_server
from snapshot.copying import fold, require_sound
from snapshot.database import reading
from snapshot.erasing import Forgetting, erased_in
from snapshot.keys.opening import key_place
from snapshot.keys.restoring import named_keys
from snapshot.moving import Moved, Progress, copy_store, is_free, require_rest
from snapshot.place import StoreFile, StorePlace, connect, opening, place_of
from snapshot.verify import UNREADABLE

_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Migrated:
    """A store that was moved. ``config`` is what to write there now, by its keys."""

    before: StorePlace
    place: StorePlace
    made: Moved
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """A backup that was put in the store's place.

    ``erased`` counts the records that it had brought back and that were erased again; None where
    that could not be done, as ``why`` tells.
    """

    placed: Placed
    erased: int | None
    why: str = ""
    hint: str = ""


def migrate(
    app: App,
    url: str,
    *,
    wait: bool,
    waiting: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda *_: None,
) -> Migrated:
    """Copy the store to another database and verify the copy; the store stays as it is.

    Args:
        app: of the store.
        url: the new place: a file that is not there, or an empty database.
        wait: whether to wait for syncs and restores to end, instead of refusing.
        waiting: is told once for whom.
        progress: is told how many rows were copied.

    Raises:
        Mistake: the place is not empty, or is the store's own.
        Locked: somebody syncs or restores.
        VerifyFailed: the store was altered.
    """
    place, store = _new_place(app, url), app.store
    if isinstance(place, StoreFile):
        landing.check(place.path)
    else:
        _require_free(place)
    _wait_for_rest(store.engine, app, wait=wait, waiting=waiting)
    store.seal("migrate-to", {"by": app.user, "to": str(place)}, app.clock.now())
    made = _copied(store.engine, place, app, progress)
    return Migrated(app.store_place, place, made, _to_write(app, place))


def bring_back(
    app: App, source: Path, *, force: bool = False, opener: Opener | None = None
) -> BroughtBack:
    """Put a backup in the store's place, and erase again whom it brings back.

    Those are the records whose keys are destroyed, and those that the store that was there says
    were erased. See `snapshot.backup.restore` for what it raises.
    """
    place, later = app.store_place, _erased_since(app)
    app.close()
    if isinstance(place, StoreFile):
        placed = restore(
            place.path, source, by=app.user, clock=app.clock, force=force, opener=opener
        )
    else:
        placed = restore_to_server(place, source, by=app.user, clock=app.clock, opener=opener)
    try:
        return BroughtBack(placed, _erase_again(app, later))
    except CrmtrailError as error:
        return BroughtBack(placed, None, str(error), error.hint)


def _erase_again(app: App, later: Sequence[Ref]) -> int:
    """Replay erasures; nothing is to be done where nothing was ever sealed or erased."""
    store = app.store
    with reading(store.engine) as connection:
        sealed = named_keys(connection).highest > 0
    if not sealed and not later:
        return 0
    return Forgetting(store.engine, store.shelf, app.clock).replay(by=app.user, later=later)


def _erased_since(app: App) -> Sequence[Ref]:
    """Return whom the store that is to be replaced has erased; nobody where it cannot tell."""
    with suppress(CrmtrailError, DatabaseError, *UNREADABLE):  # a reason to restore, none to stop
        if app.has_store():
            return erased_in(app.store.engine)
    return ()


def _new_place(app: App, url: str) -> StorePlace:
    place = place_of(url)
    if isinstance(place, StoreFile):
        place = StoreFile(place.path.absolute())
    if place == app.store_place:
        raise Mistake(f"the store is at {place} already", hint="name another place")
    return place


def _wait_for_rest(engine: Engine, app: App, *, wait: bool, waiting: Callable[[str], None]) -> None:
    """See that nobody syncs or restores; with ``wait``, once they have ended."""

    def told(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            waiting(str(state.outcome.exception()))

    again = Retrying(
        wait=wait_fixed(_LOOK_AGAIN_S),
        retry=retry_if_exception_type(Locked),
        stop=stop_never if wait else stop_after_attempt(1),
        before_sleep=told,
        reraise=True,
    )
    again(lambda: require_rest(engine, app.clock.now()))


def _require_free(place: StorePlace) -> None:
    engine = connect(place)
    try:
        with opening(place):
            if not is_free(engine):
                raise Mistake(
                    f"{place} is not empty",
                    hint="make a new database with createdb, and name that",
                )
    finally:
        engine.dispose()


def _copied(source: Engine, place: StorePlace, app: App, progress: Progress) -> Moved:
    if not isinstance(place, StoreFile):
        return _copied_to(source, place, app, progress)
    with landing.beside(place.path) as part:
        made = _copied_to(source, StoreFile(part), app, progress)
        require_sound(part, told_as=place.path)
        fold(part)
        landing.land(part, place.path)
    return made


def _copied_to(source: Engine, place: StorePlace, app: App, progress: Progress) -> Moved:
    target = connect(place)
    try:
        return copy_store(source, target, place, now=app.clock.now(), progress=progress)
    finally:
        target.dispose()


def _to_write(app: App, place: StorePlace) -> Mapping[str, str]:
    """Return what the config has to say from now on: where the store is, and its keys still are.

    Without it the keys would be looked for beside the new place.
    """
    keys = key_place(app.config.keys, app.config.store.url)
    return {
        "store.url": _url_of(place),
        "keys.url": _url_of(keys),
        "ledger.key_file": str(app.ledger.key_file),
    }


def _url_of(place: StorePlace) -> str:
    return f"sqlite:///{place.path}" if isinstance(place, StoreFile) else str(place)
