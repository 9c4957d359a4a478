"""Changes of the configuration, sealed in the ledger: which keys, never their values.

Each key gets a digest of its value, so that the next entry can name what changed. Secrets are left
out: of a token only whether there is one, of a URL neither user nor password nor query.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from crmtrail.config import Config
from crmtrail.model import token_of
from crmtrail.ports import Store

CONFIG: Final = "config"
"""The kind of the entry."""

_DIGITS: Final = 16
_USER: Final = re.compile(r"(?<=://)[^/@]*@")
_QUERY: Final = re.compile(r"\?.*", re.DOTALL)


def digests(config: Config) -> Mapping[str, str]:
    """Return a short digest of every key that is set to something, by its dotted name."""
    return {name: sha256(text.encode()).hexdigest()[:_DIGITS] for name, text in _leaves("", config)}


def _leaves(name: str, one: Any) -> Iterator[tuple[str, str]]:
    if isinstance(one, BaseModel):
        one = {field: getattr(one, field) for field in type(one).model_fields}
    if isinstance(one, Mapping):
        for key, below in one.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), below)
    elif isinstance(one, tuple | list) and any(isinstance(each, BaseModel) for each in one):
        for no, below in enumerate(one):
            yield from _leaves(f"{name}.{no}", below)
    else:
        yield name, without_secrets(one)


def without_secrets(one: Any) -> str:
    """Return what of a value is digested."""
    if isinstance(one, SecretStr):
        return "set" if one.get_secret_value() else "empty"
    text = ", ".join(map(str, one)) if isinstance(one, tuple | list | frozenset) else str(one)
    return _QUERY.sub("", _USER.sub("", text)) if "://" in text else text


def note_config(store: Store, config: Config, by: str, now: datetime) -> int | None:
    """Seal the configuration if it is another than the last one sealed; return the entry's index.

    Args:
        store: in whose ledger.
        config: the configuration.
        by: who runs with it.
        now: when.
    """
    made = digests(config)
    whole = sha256(token_of(sorted(made.items())).encode()).hexdigest()
    found, _ = store.deeds([CONFIG], limit=1)
    before: Mapping[str, Any] = found[0].entry if found else {}
    if before.get("digest") == whole:
        return None
    keys: Mapping[str, str] = before.get("keys", {})
    changed = sorted(name for name in {*made, *keys} if made.get(name) != keys.get(name))
    entry = {
        "by": by,
        "digest": whole,
        "before": found[0].index if found else None,
        "changed": changed if found else [],
        "keys": dict(made),
    }
    return store.seal(CONFIG, entry, now)
