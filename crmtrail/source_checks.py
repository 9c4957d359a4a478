"""Check the sources: whether each answers, whom it takes us for, and what that one may not see."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from crmtrail.app import App
from crmtrail.auth_config import Auth, JwtAuth, RefreshTokenAuth
from crmtrail.config import load
from crmtrail.errors import CredentialsRefused, CrmtrailError, Mistake, Unavailable
from crmtrail.model import Identity
from crmtrail.ports import Connector
from snapshot.secret_file import is_private

_SKEW_S = 60.0

_GRANT: Final = {
    "salesforce": "grant field-level read, if they are to be kept",
    "hubspot": "grant the scope and set `sensitive: true`, if they are to be kept",
}


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
    barred: str = ""


def check_sources(path: Path, environ: Mapping[str, str]) -> list[SourceCheck]:
    """Try every source of a configuration file; one whose token is not set is told as such.

    Raises:
        Mistake: the file is wrong beyond that.
    """
    config = load(path, environ)
    with App(config) as app:
        return [_with_restorer(app, _tried(app, name)) for name in config.sources]


def _with_restorer(app: App, tried: SourceCheck) -> SourceCheck:
    """Return what was found of a source, and of its second identity if that does not work."""
    if app.config.sources[tried.name].restore_auth is None:
        return tried
    found = _restorer(app, tried.name)
    if found.ok:
        return tried
    return replace(
        tried,
        ok=False,
        missing=(*tried.missing, f"restore_auth: {found.detail}"),
        exit_code=tried.exit_code or found.exit_code,
        hint=tried.hint or found.hint,
    )


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
    missing = [_unseen(connector, one) for one in settings.named if one.casefold() not in seen]
    return SourceCheck(
        source,
        settings.kind,
        True,
        _whom(who),
        tuple(filter(None, missing)),
        server_time=who.server_time,
        hidden=_hidden(app, source),
        barred=who.barred,
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


def source_checks(app: App, source: str) -> list[Check]:
    """Check a source, and the files that it is logged in to with."""
    return [*_key_files(app, source), *_source(app, source)]


def _source(app: App, source: str) -> list[Check]:
    tried = _tried(app, source)
    if not tried.ok:
        named = f"credentials {source}"
        return [Check(named, False, tried.detail, tried.hint, tried.exit_code)]
    alone = app.config.sources[source].restore_auth is None
    checks = [Check(f"credentials {source}", True, tried.detail, tried.barred if alone else "")]
    checks += [
        Check(f"objects {source}", False, missing, "grant it, or take it out of the config", 1)
        for missing in tried.missing
    ]
    checks += [
        Check(f"fields {source}", True, hidden, _GRANT[app.config.sources[source].kind])
        for hidden in tried.hidden
    ]
    checks.append(_clock(source, tried.server_time))
    if app.config.sources[source].restore_auth is not None:
        checks.append(_restorer(app, source))
    return checks


def _key_files(app: App, source: str) -> list[Check]:
    """Check that the files which logins are made with are read by nobody else."""
    settings = app.config.sources[source]
    auths = {"auth": settings.auth, "restore_auth": settings.restore_auth}
    files = [
        (f"{what} of {name} {source}", file)
        for name, auth in auths.items()
        for what, file in _secret_files(auth)
        if file is not None and file.exists()
    ]
    return [
        Check(name, True, f"{file} is yours alone")
        if is_private(file)
        else Check(
            name,
            False,
            f"{file} can be read by others, who can then log in as its user",
            f"chmod 600 {file}",
        )
        for name, file in files
    ]


def _secret_files(auth: Auth | None) -> list[tuple[str, Path | None]]:
    """Return the files that an identity logs in with, and what they hold."""
    if isinstance(auth, JwtAuth):
        return [("key", auth.key_file)]
    if isinstance(auth, RefreshTokenAuth):
        return [("refresh token", auth.refresh_token_file)]
    return []


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
    return Check(name, True, _whom(who), who.barred)


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
