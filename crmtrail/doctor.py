"""Check what crmtrail needs: each check says what it saw and how to mend it."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from sqlalchemy import Engine

from crmtrail.app import App
from crmtrail.auth_config import JwtAuth
from crmtrail.config import Auth, holds_tokens, load
from crmtrail.errors import CredentialsRefused, CrmtrailError, Mistake, Unavailable
from crmtrail.model import Identity
from crmtrail.ports import Connector
from snapshot.database import reading
from snapshot.keys.opening import key_place
from snapshot.place import StoreFile
from snapshot.secret_file import is_private

_ROOMS = ("connectors", "snapshot", "rollback", "scheduler")
_SKEW_S = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """Whether a source answers, and what its token may not see."""

    name: str
    kind: str
    ok: bool
    detail: str
    missing: tuple[str, ...] = ()
    exit_code: int = 0
    hint: str = ""
    server_time: datetime | None = None
    hidden: tuple[str, ...] = ()


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
        checks += [*_store(app), *_sqlite(app), *_keys(app, environ), _anchors(app)]
        for source in config.sources:
            checks += [*_key_files(app, source), *_source(app, source)]
    return checks


def check_sources(path: Path, environ: Mapping[str, str]) -> list[SourceCheck]:
    """Try every source of a configuration file; one whose token is not set is told as such.

    Raises:
        Mistake: the file is wrong beyond that.
    """
    config = load(path, environ)
    with App(config) as app:
        return [_tried(app, name) for name in config.sources]


def _bad(name: str, error: CrmtrailError) -> Check:
    return Check(name, False, str(error), error.hint, error.exit_code)


def _tried(app: App, source: str) -> SourceCheck:
    settings = app.config.sources[source]
    if settings.auth.unset:
        return _unset(source, settings.kind, settings.auth)
    try:
        connector = app.connector(source)
        who = connector.identity()
        seen = {object_.casefold() for object_ in connector.objects()}
    except CrmtrailError as error:
        return SourceCheck(
            source,
            settings.kind,
            False,
            str(error),
            exit_code=error.exit_code,
            hint=_mending(error),
        )
    wanted = () if settings.objects == "*" else settings.objects
    missing = [_unseen(connector, one) for one in wanted if one.casefold() not in seen]
    return SourceCheck(
        source,
        settings.kind,
        True,
        _whom(who),
        tuple(filter(None, missing)),
        server_time=who.server_time,
        hidden=_hidden(app, source),
    )


def _unseen(connector: Connector, object_: str) -> str:
    """Say why an object or a group of the config cannot be synced; empty where it can."""
    try:
        if object_.startswith("@"):
            connector.objects(object_[1:])
        else:
            connector.schema(object_)
    except Mistake as error:
        if object_.startswith("@"):
            return f"{error} ({error.hint})"
        return f"the token cannot read {object_}, or there is no such object"
    except CrmtrailError as error:
        return f"{object_} could not be looked at: {error}"
    return ""


def _hidden(app: App, source: str) -> tuple[str, ...]:
    """Return what the token does not see of the objects it can read, as far as can be told."""
    try:
        objects = [one.object for one in app.targets([source])]
        return tuple(app.connector(source).missing(objects))
    except CrmtrailError:
        return ()  # a wrong name or a refusal: that is told as missing


def _unset(source: str, kind: str, auth: Auth) -> SourceCheck:
    why = f"set {', '.join(auth.unset)} in the environment, then run `crmtrail doctor`"
    return SourceCheck(source, kind, False, why, (why,), Mistake.exit_code)


def _mending(error: CrmtrailError) -> str:
    """Return how to mend what a CRM, or the way to it, has refused."""
    if isinstance(error, Unavailable):
        return "check base_url and the network; a proxy or firewall may stand between"
    if isinstance(error, CredentialsRefused):
        return error.hint or "check the token: it may be expired, revoked, or of another account"
    return error.hint or "check this source in the config"


def _whom(who: Identity) -> str:
    """Say whom the vendor takes us for, as far as it told."""
    account = f"account {who.account}" if who.account else "an account it does not name"
    name = who.name or who.user
    return f"{account} as {name}" if name else account


def _source(app: App, source: str) -> list[Check]:
    tried = _tried(app, source)
    if not tried.ok:
        named = f"credentials {source}"
        return [Check(named, False, tried.detail, tried.hint, tried.exit_code)]
    checks = [Check(f"credentials {source}", True, tried.detail)]
    checks += [
        Check(f"objects {source}", False, missing, "grant it, or take it out of the config", 1)
        for missing in tried.missing
    ]
    checks += [
        Check(f"fields {source}", True, hidden, "grant field-level read, if they are to be kept")
        for hidden in tried.hidden
    ]
    checks.append(_clock(source, tried.server_time))
    if app.config.sources[source].restore_auth is not None:
        checks.append(_restorer(app, source))
    return checks


def _key_files(app: App, source: str) -> list[Check]:
    """Check that the keys which logins are signed with are read by nobody else."""
    settings = app.config.sources[source]
    auths = {"auth": settings.auth, "restore_auth": settings.restore_auth}
    files = {
        name: auth.key_file
        for name, auth in auths.items()
        if isinstance(auth, JwtAuth) and auth.key_file is not None and auth.key_file.exists()
    }
    return [
        Check(f"key of {name} {source}", True, f"{file} is yours alone")
        if is_private(file)
        else Check(
            f"key of {name} {source}",
            False,
            f"{file} can be read by others, who can then log in as its user",
            f"chmod 600 {file}",
        )
        for name, file in files.items()
    ]


def _restorer(app: App, source: str) -> Check:
    name = f"restore credentials {source}"
    settings = app.config.sources[source]
    if settings.restore_auth is not None and settings.restore_auth == settings.auth:
        return Check(
            name,
            True,
            f"the same {_shown(settings.auth)} as auth",
            "give auth one that may only read, or leave restore_auth out",
        )
    try:
        who = app.connector(source, restoring=True).identity()
    except CrmtrailError as error:
        return Check(name, False, str(error), _mending(error), error.exit_code)
    return Check(name, True, _whom(who))


def _shown(auth: Auth) -> str:
    return "token" if auth.method == "token" else "identity"


def _clock(source: str, server: datetime | None) -> Check:
    name = f"clock {source}"
    if server is None:
        return Check(name, True, "the vendor did not tell its time")
    skew = (datetime.now(UTC) - server).total_seconds()
    if abs(skew) <= _SKEW_S:
        return Check(name, True, f"{skew:+.0f} s against the vendor")
    return Check(
        name,
        False,
        f"this machine's clock is {skew:+.0f} s off the vendor's",
        "run a time service (NTP); syncs stay right, but known times are shifted",
    )


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
