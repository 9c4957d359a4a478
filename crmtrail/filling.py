"""How environment variables get into a configuration. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from crmtrail.auth_config import KEYS
from crmtrail.written import SET_ASIDE


def filled(
    value: Any, environ: Mapping[str, str], where: tuple[str, ...], missing: list[str]
) -> Any:
    """Replace ``${NAME}`` in every text, and note the names that are not set.

    In a secret such a name stays as it is set aside, for `AuthConfig.unset` and its like.

    Args:
        value: a part of the configuration as it was read.
        environ: the variables.
        where: the keys that lead to the part.
        missing: a line is added for each name that is not set.
    """
    if isinstance(value, dict):
        return {k: filled(v, environ, (*where, str(k)), missing) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, environ, (*where, str(i)), missing) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in environ and _is_secret(where):
            return match[0]
        if match[1] not in environ:
            missing.append(f"{'.'.join(where)}: the environment variable {match[1]} is not set")
        return environ.get(match[1], "")

    return SET_ASIDE.sub(replace, value)


def _is_secret(where: tuple[str, ...]) -> bool:
    if where[:1] == ("alerts",):
        return where[2:] == ("apprise_url",)
    if where[:2] == ("ledger", "anchors"):
        return where[3:] == ("apprise_url",)
    if where[:1] == ("sources",) and where[2:] == ("webhooks", "client_secret"):
        return True
    in_auth = where[:1] == ("sources",) and where[2:3] in {("auth",), ("restore_auth",)}
    return in_auth and len(where) == len(("sources", "sf", "auth", "token")) and where[3] in KEYS
