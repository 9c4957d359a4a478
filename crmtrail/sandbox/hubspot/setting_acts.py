"""Control verbs that turn the portal's switches: limits, index lag, refusals to come."""

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crmtrail.sandbox.hubspot.portal import Portal

Order = Mapping[str, Any]
_Reader = Callable[[Any], object]


def _perhaps(value: Any) -> int | None:
    return None if value is None else int(value)


def _zone(value: Any) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(str(value)).key
    except ZoneInfoNotFoundError:
        raise ValueError(f"unknown time zone {value!r}; give one such as Europe/Berlin") from None


_LIMITS: dict[str, _Reader] = {"burst": _perhaps, "search": _perhaps, "daily": _perhaps}
_SWITCHES: dict[str, dict[str, tuple[str, _Reader]]] = {
    "index_lag": {"seconds": ("index_lag", float), "jitter": ("index_jitter", bool)},
    "short_pages": {"on": ("short_pages", bool)},
    "merge_mode": {"preserve_primary": ("preserve_primary", bool)},
    "edition": {"enterprise": ("enterprise", bool)},
    "gdpr": {"on": ("gdpr", bool)},
    "locked": {"times": ("locked", int)},
    "migrating": {"times": ("migrating", int), "retry_after": ("migrating_for", int)},
    "webhooks": {
        "duplicates": ("webhook_duplicates", bool),
        "shuffle": ("webhook_shuffle", bool),
        "delay": ("webhook_delay", float),
    },
    "time_zone": {"name": ("time_zone", _zone)},
    "account_type": {"name": ("account_type", str)},
    "rollup_lag": {"seconds": ("rollup_lag", float)},
    "quote_lock": {"on": ("quote_lock", bool)},
    "edit_associations": {"on": ("edit_associations", bool)},
    "unsettled": {
        name: (name, bool)
        for name in (
            "trace_echo",
            "update_in_part",
            "archived_history",
            "restore_keeps_history",
            "cleared_as_null",
            "null_sources",
            "ids_as_text",
            "hide_merged_ids",
            "bin_by_time",
            "scopes_in_context",
        )
    },
}
VERBS = ("limits", *_SWITCHES)
_OTHERS = ("crm", "do", "as")


def turn(portal: Portal, order: Order) -> dict[str, Any]:
    """Turn what an order names; what it leaves out stays.

    Raises:
        ValueError: an unknown key.
    """
    verb = str(order["do"])
    keys = {key: value for key, value in order.items() if key not in _OTHERS}
    known = _LIMITS if verb == "limits" else _SWITCHES[verb]
    if strange := set(keys) - set(known):
        raise ValueError(f"unknown key {min(strange)!r} for {verb}; known are {list(known)}")
    for key, value in keys.items():
        if verb == "limits":
            setattr(portal.limits, key, _LIMITS[key](value))
        else:
            name, read = _SWITCHES[verb][key]
            setattr(portal.switches, name, read(value))
    return {"ids": []}
