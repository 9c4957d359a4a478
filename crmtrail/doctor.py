"""Check what crmtrail needs: each check says what it saw and how to mend it."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from sqlalchemy import Engine

from crmtrail.app import App
from crmtrail.config import holds_tokens, load
from crmtrail.errors import CrmtrailError, Mistake
from crmtrail.source_checks import Check, source_checks
from snapshot.database import reading
from snapshot.keys.opening import key_place
from snapshot.place import StoreFile
from snapshot.secret_file import is_private

_ROOMS = ("connectors", "snapshot", "rollback", "scheduler")


def examine(path: Path, environ: Mapping[str, str]) -> list[Check]:
    """Check rooms, config, store and every source. Never raises for what it finds."""
    checks = [_rooms()]
    try:
        config = load(path, environ)
        literal = holds_tokens(path)
    except CrmtrailError as error:
        return [*checks, _bad("config", error)]
    count = len(config.sources)
    if count:
        told = "1 source" if count == 1 else f"{count} sources"
        checks.append(Check("config", True, f"{path}, {told}"))
    else:
        empty = Mistake("the config has no sources", hint="add one; see config.example.yaml")
        checks.append(_bad("config", empty))
    checks.append(_private_config(path, literal=literal))
    with App(config) as app:
        checks += [*_store(app), *_sqlite(app), *_keys(app, environ), _anchors(app), *_alerts(app)]
        for source in config.sources:
            checks += source_checks(app, source)
    return checks


def _bad(name: str, error: CrmtrailError) -> Check:
    return Check(name, False, str(error), error.hint, error.exit_code)


def _store(app: App) -> list[Check]:
    """Check that the store opens, and of a file that it is private and its folder takes files."""
    place = app.store_place
    checks = []
    if isinstance(place, StoreFile):
        checks = [_folder(place.path.parent)]
        if place.path.exists():
            checks.append(_private_store(place.path))
    try:
        if not app.has_store():
            return [Check("store", True, f"{place}: none yet, the first sync makes it"), *checks]
        records = sum(one.records for one in app.store.standings())
        engine = app.store.engine
    except CrmtrailError as error:
        return [_bad("store", error), *checks]
    found = Check("store", True, f"{place}, {records:,} records")
    return [found, *checks, *([] if isinstance(place, StoreFile) else _server(engine))]


def _server(engine: Engine) -> list[Check]:
    """Check what PostgreSQL promises of a commit, and say which server it is."""
    with reading(engine) as connection:
        version, durable = connection.exec_driver_sql(
            "SELECT current_setting('server_version'), current_setting('fsync')"
        ).one()
    name = "postgresql"
    if durable == "on":
        return [Check(name, True, str(version))]
    told = f"{version} runs with fsync off: a crash of its machine can lose or spoil the store"
    return [Check(name, False, told, "set fsync = on in postgresql.conf, and restart the server")]


def _folder(folder: Path) -> Check:
    """Check that a folder takes new files, or that it can be made."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Check("store folder", True, f"{folder} can be written")
    why = "cannot be written" if there.is_dir() else "is no folder"
    return Check("store folder", False, f"{there} {why}", "check store.url and permissions")


def _private_store(path: Path) -> Check:
    if is_private(path):
        return Check("store permissions", True, f"{path} is yours alone")
    return Check(
        "store permissions",
        False,
        f"{path} can be read by others, and it holds what your CRM holds",
        f"chmod 600 {path}",
    )


def _sqlite(app: App) -> list[Check]:
    """Check the SQLite in use, if any is: for the store, or for the keys beside one on a server."""
    from snapshot.database import journal_mode, sqlite_version  # noqa: PLC0415 -- SQLite only

    places = [app.store_place]
    with suppress(CrmtrailError):  # which the check of the keys tells
        places.append(key_place(app.config.keys, app.config.store.url))
    if not any(isinstance(place, StoreFile) for place in places):
        return []
    version = sqlite_version()
    if journal_mode() == "WAL":
        return [Check("sqlite", True, version)]
    return [
        Check(
            "sqlite",
            True,
            f"{version} has the WAL-reset bug, so the write-ahead log is off: safe, but slower",
            "use SQLite 3.51.3 or later, or install pysqlite3",
        )
    ]


def _keys(app: App, environ: Mapping[str, str]) -> list[Check]:
    """Check the key store, and what the store knows of it."""
    from snapshot.keys.health import StoreKnows, examine_keys  # noqa: PLC0415 -- only here

    known: StoreKnows | None = None
    with suppress(CrmtrailError):  # which the check of the store tells
        if app.has_store():
            known = StoreKnows.of(app.store.engine)
    found = examine_keys(app.config.keys, app.config.store.url, environ, app.clock, known)
    return [Check(one.name, one.ok, one.detail, one.hint, one.exit_code) for one in found]


def _anchors(app: App) -> Check:
    """Check that somebody outside could notice an edit of the history. Sends nothing."""
    wanted = {one.name for one in app.config.ledger.anchors}
    if not wanted:
        return Check(
            "anchors",
            True,
            "none: whoever can write the store can rewrite its history unnoticed",
            "name places on other machines under ledger.anchors",
        )
    try:
        places = app.ledger.anchorage().places if app.has_store() else ()
    except CrmtrailError as error:
        return _bad("anchors", error)
    failed = [one for one in places if one.failure and one.name in wanted]
    if failed:
        told = "; ".join(f"{one.name}: {one.failure}" for one in failed)
        return Check("anchors", False, told, "mend it, then run `crmtrail anchor`")
    return Check("anchors", True, ", ".join(sorted(wanted)))


def _alerts(app: App) -> list[Check]:
    """Check that every channel can be sent to, as far as can be seen. Sends nothing."""
    from crmtrail.alerts.post import ApprisePost  # noqa: PLC0415 -- only where there are channels

    checks = []
    for channel in app.config.alerts:
        fault = ApprisePost().fault(channel)
        hint = f"then try it: crmtrail alerts --test {channel.to}"
        checks.append(Check(f"alerts {channel.to}", not fault, fault or "understood", hint))
    return checks


def _private_config(path: Path, *, literal: bool) -> Check:
    if is_private(path):
        return Check("permissions", True, f"{path} is yours alone")
    if not literal:
        return Check("permissions", True, f"{path} can be read by others; it holds no token")
    return Check(
        "permissions",
        False,
        f"{path} can be read by others, and a token is written in it",
        f"keep tokens in the environment, like ${{SF_TOKEN}}, or chmod 600 {path}",
    )


def _rooms(load: Callable[[str], object] = import_module) -> Check:
    """Check that the four rooms are ours: other packages on PyPI have the same names."""
    home = Path(__file__).parents[1]
    strange = [
        name
        for name in _ROOMS
        if Path(getattr(load(name), "__file__", None) or "/").parents[1] != home
    ]
    if not strange:
        return Check("installation", True, str(home))
    return Check(
        "installation",
        False,
        f"{', '.join(strange)} come from another package",
        "install crmtrail in an environment of its own",
    )
