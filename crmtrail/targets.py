"""Which objects of which sources a command is about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from crmtrail.config import Auth, SourceConfig
from crmtrail.errors import CrmtrailError, Mistake
from crmtrail.ports import Connector


@dataclass(frozen=True, slots=True)
class Target:
    """One object of one source."""

    source: str
    object: str


def settings_of(sources: Mapping[str, SourceConfig], source: str) -> SourceConfig:
    """Return the settings of a source.

    Raises:
        Mistake: it is not in the config.
    """
    if source not in sources:
        known = ", ".join(sources) or "none"
        raise Mistake(f"there is no source {source!r}", hint=f"the config has: {known}")
    return sources[source]


def targets_of(
    sources: Mapping[str, SourceConfig],
    names: Sequence[str],
    connector: Callable[[str], Connector],
) -> list[Target]:
    """Return the targets named, or all of the config; groups are their members.

    Raises:
        Mistake: there are no sources or not these, or there is no such group.
    """
    if not sources:
        raise Mistake("the config has no sources", hint="add one; see config.example.yaml")
    found: list[Target] = []
    for name in names or tuple(sources):
        source, _, object_ = name.partition(":")
        settings = settings_of(sources, source)
        objects: list[str] = []
        if not object_ and settings.everything:
            objects += [o for o in connector(source).objects() if o not in settings.exclude]
        objects += _expanded(source, (object_,) if object_ else settings.named, connector)
        found += [Target(source, one) for one in objects]
    return list(dict.fromkeys(found))


def _expanded(
    source: str, names: Sequence[str], connector: Callable[[str], Connector]
) -> list[str]:
    """Put the members of a group in place of its ``@name``, and each object's own name."""
    found: list[str] = []
    for name in names:
        group = name.startswith("@")
        found += connector(source).objects(name[1:]) if group else [_own(source, name, connector)]
    return found


def _own(source: str, name: str, connector: Callable[[str], Connector]) -> str:
    """Return an object's own name; as it was written where the CRM cannot be asked.

    What keeps it from being asked is told by the run.
    """
    try:
        return connector(source).named(name)
    except CrmtrailError:
        return name


def auth_of(source: str, settings: SourceConfig, *, restoring: bool) -> Auth:
    """Return how to log in.

    Raises:
        Mistake: an environment variable that a secret of it is taken from is not set.
    """
    key, auth = "auth", settings.auth
    if restoring and settings.restore_auth is not None:
        key, auth = "restore_auth", settings.restore_auth
    for name, variable in auth.missing:
        raise Mistake(
            f"sources.{source}.{key}.{name}: the environment variable {variable} is not set",
            hint=f"export {variable}=... with the {name}, or name another in the config",
        )
    return auth
