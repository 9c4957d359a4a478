"""Which versions of HubSpot's APIs there are, family by family, and what names none. Pure.

Source: HubSpot's developer changelog of 2026: date-based versions from 2026-03 on, a new one every
March and September, each without change and supported for 18 months or longer. v4 ends 2027-03,
v3 in 2027-09.
"""

from collections.abc import Mapping
from typing import Final

DATED: Final = ("2026-03", "2026-09")
"""The date-based versions that crmtrail speaks."""

OLD: Final = "v3"
"""What stands for the versions before them, v4 of associations and consent included."""

FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "objects": (OLD, *DATED),
    "associations": ("v4", *DATED),
    "properties": (OLD, *DATED),
    "property_validations": (OLD, *DATED),
    "schemas": (OLD, *DATED),
    "pipelines": (OLD, *DATED),
    "owners": (OLD, *DATED),
    "users": (OLD, "2026-03"),
    "account_info": (OLD, *DATED),
    "communication_preferences": ("v4", *DATED),
    "imports": (OLD, *DATED),
    "exports": (OLD, *DATED),
    "limits": (OLD, *DATED),
    "lists": (OLD, *DATED),
}
"""The versions of each family, oldest first. Users, roles and teams have no 2026-09."""


def family_named(name: str) -> str:
    """Return a family's name as it is kept: ``account-info`` and ``account_info`` are one."""
    return name.strip().replace("-", "_")


def versions_fault(version: str, families: Mapping[str, str], writes: str = "") -> str:
    """Return what is wrong with the versions of a config, or nothing."""
    for key, told in (("api_version", version), ("write_api_version", writes)):
        if told and told not in (OLD, *DATED):
            return f"{key} is one of {_listed((OLD, *DATED))}, not {told!r}"
    for name, told in families.items():
        known = FAMILIES.get(family_named(name))
        if known is None:
            return f"api_versions: no API of HubSpot is named {name!r}; {_listed(FAMILIES)} are"
        if told not in known:
            return f"api_versions: {name} is one of {_listed(known)}, not {told!r}"
    return ""


def _listed(names: "Mapping[str, object] | tuple[str, ...]") -> str:
    *most, last = names
    return (
        f"{', '.join(most)} and {last}"
        if isinstance(names, Mapping)
        else (f"{', '.join(most)} or {last}")
    )
