"""How `crmtrail init` writes a login into a config: never a secret, only where it comes from."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from crmtrail.errors import Mistake

METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "salesforce": ("jwt", "client_credentials", "refresh_token", "token"),
    "hubspot": ("token", "refresh_token"),
}
"""What each kind of CRM takes; the best for a service comes first."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "jwt": ("client_id", "username", "key_file"),
    "client_credentials": ("client_id", "client_secret"),
    "refresh_token": ("client_id", "client_secret", "refresh_token"),
    "token": ("token",),
}
"""What each method must have."""

NONE: Final = "-"
"""Stands for what an app does not have."""

SECRET: Final = frozenset({"client_secret", "refresh_token", "token", "private_key"})
_MORE: Final[Mapping[str, tuple[str, ...]]] = {
    "jwt": ("audience",),
    "refresh_token": ("refresh_token_file",),
}
_OF_THE_APP: Final = frozenset({"client_id", "client_secret", "key_file"})
"""What two users of one app have in common."""

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,39}")
"""Longer names are none that somebody chose: Salesforce's secrets are 64 such letters."""
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*|\$\{[A-Za-z0-9_]+\}")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""What YAML does not read as a text."""
_USERNAME: Final = re.compile(r"[^@\s]+@[^@\s]+|.*\$\{.*")


@dataclass(frozen=True, slots=True)
class Login:
    """How an identity logs in; each value is a text or ``${NAME}``."""

    method: str
    values: Mapping[str, str]

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that it is taken from."""
        return tuple(name for value in self.values.values() for name in _VARIABLE.findall(value))

    def __str__(self) -> str:
        """Return it as YAML writes it on one line."""
        pairs = {"method": self.method, **self.values}.items()
        return "{" + ", ".join(f"{key}: {_written(value)}" for key, value in pairs) + "}"


def usual(kind: str, source: str, environ: Mapping[str, str]) -> str:
    """Return the method to take where none is asked for.

    A bare token that is there already is used. For Salesforce it is second best.
    """
    best = METHODS[kind][0]
    prefix = _prefix(source, restoring=False)
    has_token = f"{prefix}TOKEN" in environ and f"{prefix}CLIENT_ID" not in environ
    return "token" if has_token and "token" in METHODS[kind] else best


def login_for(
    source: str, kind: str, method: str, told: Mapping[str, str], *, beside: Login | None = None
) -> Login:
    """Return a login with what was told, and for the rest where it is usually taken from.

    Args:
        source: the source's name, which the variables' names begin with.
        kind: of its CRM.
        method: one of `METHODS`.
        told: values by key, checked.
        beside: the source's first login; this one is its second, used for restores alone.
    """
    values = {**_defaults(source, kind, method, beside), **told}
    if method == "jwt" and "private_key" in told:
        values.pop("key_file", None)
    return Login(method, {key: value for key, value in values.items() if value != NONE})


def _defaults(source: str, kind: str, method: str, beside: Login | None) -> dict[str, str]:
    prefix = _prefix(source, restoring=beside is not None)
    name = source if beside is None else f"{source}-restore"
    values = {key: f"${{{prefix}{key.upper()}}}" for key in KEYS[method]}
    if method == "jwt":
        values["key_file"] = f"{name}.key"
    if method == "refresh_token" and kind == "salesforce":
        values["refresh_token_file"] = f"{name}.refresh-token"
    if beside is not None and beside.method == method != "client_credentials":
        # Two users of one app. A client of client_credentials stands for one user: two apps.
        values |= {key: value for key, value in beside.values.items() if key in _OF_THE_APP}
    return values


def read_login(text: str) -> tuple[str, str, dict[str, str]]:
    """Read ``NAME=METHOD[,KEY=VALUE]...`` into the source's name, the method and the values.

    Raises:
        Mistake: it is written otherwise. What may be a secret is not repeated.
    """
    name, equals, rest = text.partition("=")
    method, *pairs = rest.split(",")
    if not equals or not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise Mistake(
            "a login is written NAME=METHOD, with the name of its source in front",
            hint="for example --auth sf=jwt,username=observer@acme.example,key_file=sf.key",
        )
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in values or not value:
            raise Mistake(
                f"the login of {name} has a part that is no KEY=VALUE, or one twice",
                hint="write parts like username=observer@acme.example, with commas between",
            )
        values[key] = value
    return name, method, values


def checked(source: str, kind: str, method: str, told: Mapping[str, str]) -> None:
    """Refuse what a login cannot be made of.

    Raises:
        Mistake: the kind of CRM has no such method, the method no such key, or a value is a
            secret, which is not repeated.
    """
    if method not in METHODS[kind]:
        listed = ", ".join(METHODS[kind])
        # Not repeated: it may be a token that was put in the wrong place.
        raise Mistake(f"{source}: {kind} logs in by another method", hint=f"it takes {listed}")
    takes = (*KEYS[method], *_MORE.get(method, ()), *(("private_key",) if method == "jwt" else ()))
    for key, value in told.items():
        if key not in takes:
            raise Mistake(
                f"{source}: method {method} has no key {key[:20]!r}",
                hint=f"it takes {', '.join(takes)}",
            )
        if key in SECRET and not (value == NONE and may_lack(kind, method, key)):
            variable_of(source, key, value)
        if key == "username" and not _USERNAME.fullmatch(value):
            raise Mistake(
                f"{source}: {value!r} is no username of Salesforce",
                hint="they are written like e-mail addresses: observer@acme.example",
            )
    if "key_file" in told and "private_key" in told:
        raise Mistake(
            f"{source}: give one of key_file and private_key", hint="key_file is the usual one"
        )


def may_lack(kind: str, method: str, key: str) -> bool:
    """Whether there are apps that have no such thing."""
    return (kind, method, key) == ("salesforce", "refresh_token", "client_secret")


def variable_of(source: str, key: str, value: str) -> str:
    """Return the name inside ``${NAME}``, from which a secret is taken.

    Raises:
        Mistake: the value is something else, most likely the secret itself.
    """
    found = _VARIABLE.fullmatch(value)
    if found is None or not _NAME.fullmatch(found[1]):
        usual_name = f"{_prefix(source, restoring=False)}{key.upper()}"
        raise Mistake(
            f"{source}: {key} is a secret, and init writes none into a file",
            hint=f"export it as {usual_name}, or as another variable in capitals and tell init "
            f"its name: {key}='${{NAME}}'",
        )
    return found[1]


def address_fault(kind: str, method: str, url: str) -> tuple[str, str] | None:
    """Return what is wrong with an address that is well written, and how to mend it."""
    host = re.sub(r"^https?://", "", url).partition("/")[0].partition(":")[0].lower()
    if kind != "salesforce":
        return None
    if host.endswith(".lightning.force.com"):
        mended = host.removesuffix(".lightning.force.com") + ".my.salesforce.com"
        return "that is the address of Lightning pages, not of the API", f"use https://{mended}"
    if host in ("login.salesforce.com", "test.salesforce.com") and method == "client_credentials":
        return f"{host} gives out no tokens by client_credentials", "use the org's own My Domain"
    return None


def _prefix(source: str, *, restoring: bool) -> str:
    return source.upper().replace("-", "_") + ("_RESTORE_" if restoring else "_")


def _written(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)
