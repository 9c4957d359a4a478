"""How single values are written in the configuration, and what is no such value. Pure."""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator

SQLITE: Final = "sqlite:///"
"""How the URL of a store begins; a path follows."""

_SALESFORCE_VERSION: Final = re.compile(r"v?(\d{2,3})(?:\.0)?")
_HUBSPOT_VERSION: Final = re.compile(r"v3|\d{4}-\d{2}")
_LOOK_BACK = timedelta(hours=6)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: object) -> object:
    """Read ``90s``, ``5m``, ``2h``, ``1d``; numbers are seconds."""
    given: object = None
    try:
        if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value)):
            given = timedelta(**{_UNITS[match[2]]: float(match[1])})
        elif isinstance(value, int | float) and not isinstance(value, bool):
            given = timedelta(seconds=value)
        elif isinstance(value, timedelta):
            given = value
    except OverflowError:
        raise ValueError("the duration is longer than any calendar") from None
    if given is None:
        raise ValueError("a duration is written like 90s, 5m, 2h or 1d")
    return given


def _number(value: object) -> object:
    """Refuse what pydantic would quietly turn into a whole number."""
    if isinstance(value, bool | float):
        raise ValueError("a whole number is wanted")  # noqa: TRY004 -- pydantic wants ValueError
    return value


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("a duration cannot be negative")
    return value


def _lasting(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("this duration has to be longer than 0")
    return value


def _short(value: timedelta) -> timedelta:
    if value > _LOOK_BACK:
        raise ValueError("6h at most: the store looks back no further for what may still grow")
    return value


def _lower(value: str) -> str:
    return value.strip().lower()


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or not _has_sound_port(parts):
        raise ValueError("a base_url is written like https://acme.my.salesforce.com")
    if parts.username is not None:
        raise ValueError("a base_url holds no credentials; they belong in auth")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("http:// is accepted for loopback hosts only; use https://")
    return value.rstrip("/")


def _has_sound_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(value: str) -> str:
    """Check a C2SP checkpoint origin; ours is a key name too, which is narrower."""
    if any(letter.isspace() or letter == "+" or not letter.isprintable() for letter in value):
        raise ValueError("an origin holds no blanks and no plus sign; write acme.example/crmtrail")
    return value


def _store_url(value: str) -> str:
    """Refuse what is no store of ours, without repeating it: it may hold a password."""
    if value.startswith(("postgres:", "postgresql:", "postgresql+")):
        raise ValueError(
            "PostgreSQL comes with a later release of crmtrail; use sqlite:///crmtrail.db for now"
        )
    file = value.removeprefix(SQLITE)
    if not value.startswith("sqlite:"):
        raise ValueError("is not a kind of store that crmtrail knows; write sqlite:///crmtrail.db")
    if file == value or file in {"", ":memory:"} or "?" in file:
        raise ValueError("has to name a file and nothing else; write sqlite:///crmtrail.db")
    return value


def api_version_fault(kind: str, version: str) -> str:
    """Return what is wrong with how an ``api_version`` is written, or nothing."""
    if not version:
        return ""
    if kind == "salesforce" and not _SALESFORCE_VERSION.fullmatch(version):
        return 'api_version is written like "62.0" for Salesforce'
    if kind == "hubspot" and not _HUBSPOT_VERSION.fullmatch(version):
        return "api_version is written like v3 or 2026-03 for HubSpot"
    return ""


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_not_negative)]
Lasting = Annotated[Duration, AfterValidator(_lasting)]
"""A duration that cannot be zero."""
Count = Annotated[int, BeforeValidator(_number)]
"""A whole number; YAML's ``true`` and ``4.0`` are none."""
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Origin = Annotated[str, AfterValidator(_origin)]
AnyPath = Annotated[Path, AfterValidator(Path.expanduser)]
Short = Annotated[Lasting, AfterValidator(_short)]
"""A duration that the store looks back over."""
Sentinel = Annotated[str, AfterValidator(_lower)]
"""A text that stands for nothing, whatever its case."""
StoreUrl = Annotated[str, AfterValidator(_store_url)]
