"""The configuration that `crmtrail init` writes, drafted from its options."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from crmtrail.cli.logins import Login, address_fault, checked, login_for, read_login, usual
from crmtrail.errors import Mistake
from crmtrail.written import BaseUrl

URLS: Final[Mapping[str, str]] = {"hubspot": "https://api.hubapi.com", "salesforce": ""}
"""Where each kind of CRM is, if that is the same for everybody."""

_SOURCE: Final = re.compile(
    r"(?P<name>[a-z][a-z0-9_-]*)=(?P<kind>salesforce|hubspot)(?:@(?P<url>\S+))?"
)
_OBJECTS: Final[Mapping[str, str]] = {
    "salesforce": "[Account, Contact, Opportunity]",
    "hubspot": "[contacts, companies, deals]",
}
_BARE: Final = (
    "{name} logs in with the bare token in {variable}, which Salesforce ends after some hours. "
    "For a service: crmtrail init --force --auth {name}=jwt,username=... (docs/salesforce.md)"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """One source as it will be written. ``notes`` are for whoever runs init."""

    name: str
    kind: str
    url: str
    auth: Login
    restore_auth: Login | None = None
    notes: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that its logins are taken from."""
        return self.auth.variables + (self.restore_auth.variables if self.restore_auth else ())


def drafted(
    sources: Sequence[str],
    auths: Sequence[str],
    restore_auths: Sequence[str],
    environ: Mapping[str, str],
) -> list[Draft]:
    """Return what the options ask for.

    Raises:
        Mistake: one of them cannot be meant.
    """
    wanted = [_source(text) for text in sources]
    if not wanted:
        raise Mistake(
            "init needs to know your CRMs",
            hint="--source sf=salesforce@https://acme.my.salesforce.com --source hs=hubspot",
        )
    names = [name for name, _, _ in wanted]
    if len(set(names)) < len(names):
        raise Mistake("two sources have the same name", hint="give each a NAME of its own")
    first = _by_source("--auth", auths, names)
    second = _by_source("--restore-auth", restore_auths, names)
    return [
        _draft(name, kind, url, first.get(name), second.get(name), environ)
        for name, kind, url in wanted
    ]


def sound_address(kind: str, url: str, method: str = "") -> str:
    """Return an address as it is written to the config.

    Raises:
        Mistake: no API is at such an address.
    """
    try:
        sound: str = TypeAdapter(BaseUrl).validate_python(url)
    except ValidationError as error:
        told = error.errors(include_input=False, include_context=False)[0]["msg"]
        # Not repeated: a URL may hold a password.
        raise Mistake(told.removeprefix("Value error, ")) from None
    if fault := address_fault(kind, method, sound):
        raise Mistake(f"{sound}: {fault[0]}", hint=fault[1])
    return sound


def config_text(drafts: Sequence[Draft]) -> str:
    """Return the configuration as YAML."""
    lines = [
        "# Written by crmtrail init. Every key is explained in config.example.yaml.",
        "store:",
        "  # Taken from the folder of this file.",
        "  url: sqlite:///crmtrail.db",
        "sources:",
    ]
    for one in drafts:
        lines += [
            f"  {one.name}:",
            f"    kind: {one.kind}",
            f"    base_url: {one.url}",
            f"    auth: {one.auth}",
        ]
        restorer = one.restore_auth
        if restorer is None:
            restorer = login_for(one.name, one.kind, one.auth.method, {}, beside=one.auth)
            lines += [
                "    # A second identity that may write, used by restores alone;",
                "    # `auth` can then be one that may only read.",
            ]
        mark = "" if one.restore_auth else "# "
        lines += [f"    {mark}restore_auth: {restorer}", f"    objects: {_OBJECTS[one.kind]}"]
    return "\n".join(lines) + "\n"


def _source(text: str) -> tuple[str, str, str]:
    match = _SOURCE.fullmatch(text)
    if match is None:
        # Not repeated: a URL may hold a password.
        raise Mistake(
            f"{text.partition('@')[0]!r} is no source",
            hint=f"write NAME=KIND or NAME=KIND@URL; kinds are {' and '.join(URLS)}, "
            "and a NAME is lower case",
        )
    url = match["url"] or URLS[match["kind"]]
    if not url:
        raise Mistake(
            f"{match['name']} needs its My Domain",
            hint=f"--source {match['name']}=salesforce@https://acme.my.salesforce.com",
        )
    return match["name"], match["kind"], url


def _by_source(
    option: str, texts: Sequence[str], names: Sequence[str]
) -> Mapping[str, tuple[str, Mapping[str, str]]]:
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    for text in texts:
        name, method, values = read_login(text)
        if name not in names:
            raise Mistake(
                f"{option} is for {name}, and no --source has that name",
                hint=f"sources are {', '.join(names)}",
            )
        if name in found:
            raise Mistake(
                f"{option} is there twice for {name}",
                hint="--restore-auth is for a second identity",
            )
        found[name] = (method, values)
    return found


def _draft(
    name: str,
    kind: str,
    url: str,
    first: tuple[str, Mapping[str, str]] | None,
    second: tuple[str, Mapping[str, str]] | None,
    environ: Mapping[str, str],
) -> Draft:
    method, told = first or (usual(kind, name, environ), {})
    checked(name, kind, method, told)
    auth = login_for(name, kind, method, told)
    notes: tuple[str, ...] = ()
    if first is None and kind == "salesforce" and method == "token":
        notes = (_BARE.format(name=name, variable=auth.variables[0]),)
    restorer = None
    if second is not None:
        checked(name, kind, *second)
        restorer = login_for(name, kind, *second, beside=auth)
    return Draft(name, kind, sound_address(kind, url, method), auth, restorer, notes)
