"""How single values are written in the configuration, and what is no such value. Pure."""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator

SQLITE: Final = "sqlite:///"
"""How the URL of a store in a file begins; a path follows."""

_SERVERS: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_WRITE_A_URL: Final = "write sqlite:///crmtrail.db, or postgresql://user@host/database"

# Inside {...} YAML would read the braces of ${NAME} as a mapping, so they are set aside first.
SET_ASIDE: Final = re.compile(r"·env·([A-Za-z_][A-Za-z0-9_]*)·")
"""An environment variable that is not filled in yet."""

_SALESFORCE_VERSION: Final = re.compile(r"v?(\d{2,3})(?:\.0)?")
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
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http:// is accepted for loopback hosts only; use https://")
    return value.rstrip("/")


def _has_sound_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
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


def _service_url(value: str) -> str:
    """Check where a service is that learns nothing secret, and so may be spoken to in the clear."""
    parts = urlsplit(value)
    if value and (
        parts.scheme not in ("https", "http") or not parts.hostname or not _has_sound_port(parts)
    ):
        raise ValueError("an address is written like https://host.example.com")
    if parts.username is not None:
        raise ValueError("an address holds no credentials")
    return value


def _bucket(value: str) -> str:
    # Amazon S3 User Guide, "General purpose bucket naming rules".
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        raise ValueError("a bucket is named by 3 to 63 small letters, digits, dots and hyphens")
    return value


def _key_prefix(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!_.'()-]+(/[A-Za-z0-9!_.'()-]+)*", value):
        raise ValueError("a prefix is letters, digits, ! _ . - ' ( ) and / between them")
    return value


def _label(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError("a name of your choice: letters, digits, dots, hyphens, underscores")
    return value


def _record_name(value: str) -> str:
    parts = value.split(":", 2)
    if len(parts) < len(("source", "object", "id")) or not all(parts):
        raise ValueError("a record is written source:object:id")
    return value


def _hourly(value: timedelta) -> timedelta:
    if value < timedelta(hours=1):
        raise ValueError("1h at least: each time is an edit of the record in the CRM")
    return value


def _store_url(value: str) -> str:
    """Refuse what is no store of ours, without repeating it: it may hold a password."""
    scheme, _, rest = value.partition("://")
    if scheme in _SERVERS:
        if not rest.partition("?")[0].partition("/")[2]:
            raise ValueError(f"has to name a database of the server; {_WRITE_A_URL}")
        return value
    if scheme.startswith("postgres"):
        raise ValueError(f"is spoken to by psycopg and nothing else; {_WRITE_A_URL}")
    file = value.removeprefix(SQLITE)
    if not value.startswith("sqlite:"):
        raise ValueError(f"is not a kind of store that crmtrail knows; {_WRITE_A_URL}")
    if file == value or file in {"", ":memory:"} or "?" in file:
        raise ValueError("has to name a file and nothing else; write sqlite:///crmtrail.db")
    return value


def api_version_fault(kind: str, version: str) -> str:
    """Return what is wrong with how an ``api_version`` of Salesforce is written, or nothing."""
    if not version:
        return ""
    if kind == "salesforce" and not _SALESFORCE_VERSION.fullmatch(version):
        return 'api_version is written like "62.0" for Salesforce'
    return ""


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_not_negative)]
Lasting = Annotated[Duration, AfterValidator(_lasting)]
"""A duration that cannot be zero."""
Count = Annotated[int, BeforeValidator(_number)]
"""A whole number; YAML's ``true`` and ``4.0`` are none."""
BaseUrl = Annotated[str, AfterValidator(_base_url)]
ServiceUrl = Annotated[str, AfterValidator(_service_url)]
Bucket = Annotated[str, AfterValidator(_bucket)]
KeyPrefix = Annotated[str, AfterValidator(_key_prefix)]
Label = Annotated[str, AfterValidator(_label)]
"""A name that the admin chooses and that stands for a secret."""
RecordName = Annotated[str, AfterValidator(_record_name)]
Hourly = Annotated[Lasting, AfterValidator(_hourly)]
Origin = Annotated[str, AfterValidator(_origin)]
AnyPath = Annotated[Path, AfterValidator(Path.expanduser)]
Short = Annotated[Lasting, AfterValidator(_short)]
"""A duration that the store looks back over."""
Sentinel = Annotated[str, AfterValidator(_lower)]
"""A text that stands for nothing, whatever its case."""
StoreUrl = Annotated[str, AfterValidator(_store_url)]
