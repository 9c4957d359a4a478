"""Where each of HubSpot's APIs lies in the version that is spoken to it. Pure.

Paths are written as HubSpot's client has them, in v3 and v4, and are rewritten on their way out.
Source: HubSpot's OpenAPI specs of 2026-03 and 2026-09.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from crmtrail.config import SourceConfig
from crmtrail.errors import Mistake
from crmtrail.hubspot_versions import DATED, FAMILIES, OLD, family_named, versions_fault


class _Rule(NamedTuple):
    family: str
    old: re.Pattern[str]
    dated: str


_RULES: Final = tuple(
    _Rule(family, re.compile(old), dated)
    for family, old, dated in (
        ("objects", r"^/crm/v3/objects(?=/)", "/crm/objects/{v}"),
        # Single associations lie under the objects, in v4 of them.
        ("associations", r"^/crm/v4/objects(?=/)", "/crm/objects/{v}"),
        ("associations", r"^/crm/v4/associations(?=/)", "/crm/associations/{v}"),
        ("associations", r"^/crm/associations/v4(?=/)", "/crm/associations/{v}"),
        ("properties", r"^/crm/v3/properties(?=/)", "/crm/properties/{v}"),
        ("property_validations", r"^/crm/v3/property-validations(?=/)",
         "/crm/property-validations/{v}"),
        ("pipelines", r"^/crm/v3/pipelines(?=/)", "/crm/pipelines/{v}"),
        ("owners", r"^/crm/v3/owners(?:/$|$|(?=/))", "/crm/owners/{v}"),
        ("imports", r"^/crm/v3/imports(?:/$|$|(?=/))", "/crm/imports/{v}"),
        ("exports", r"^/crm/v3/exports(?=/)", "/crm/exports/{v}"),
        ("limits", r"^/crm/v3/limits(?=/)", "/crm/limits/{v}"),
        ("lists", r"^/crm/v3/lists(?:/$|$|(?=/))", "/crm/lists/{v}"),
        ("schemas", r"^/crm-object-schemas/v3(?=/)", "/crm-object-schemas/{v}"),
        ("account_info", r"^/account-info/v3(?=/)", "/account-info/{v}"),
        ("users", r"^/settings/v3/users(?:/$|$|(?=/))", "/settings/users/{v}"),
        ("communication_preferences", r"^/communication-preferences/v[34](?=/)",
         "/communication-preferences/{v}"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Versions:
    """The version spoken to each family.

    Args:
        default: ``v3`` (v4 where an API has no v3) or a date-based version. A family that does not
            have it is spoken to in the newest before it.
        families: what goes before the default, by family.
        writes: what requests that change something go to instead; empty: the same.
    """

    default: str = OLD
    families: Mapping[str, str] = field(default_factory=dict)
    writes: str = ""

    def of(self, family: str, *, write: bool = False) -> str:
        """Return the version for one request of a family."""
        known = FAMILIES[family]
        told = (self.writes if write else "") or self.families.get(family, "") or self.default
        if told in known:
            return told
        if told not in DATED:
            return known[0]  # v3 and v4 are one generation
        return max((one for one in known[1:] if one <= told), default=known[-1])

    def rewritten(self, path: str, *, write: bool = False) -> str:
        """Return the path of HubSpot's client in the version that its family is spoken to in."""
        bare, mark, query = path.partition("?")
        for family, old, dated in _RULES:
            if not old.search(bare):
                continue
            version = self.of(family, write=write)
            if version in DATED:
                bare = old.sub(dated.replace("{v}", version), bare, count=1)
            break
        return f"{bare}{mark}{query}"


def versions(default: str, families: Mapping[str, str], writes: str) -> Versions:
    """Return the versions of a config.

    Raises:
        ValueError: one of them is none that crmtrail speaks; the message says which.
    """
    if fault := versions_fault(default, families, writes):
        raise ValueError(fault)
    named = {family_named(name): told for name, told in families.items()}
    return Versions(default or OLD, named, writes)


def versions_of(settings: SourceConfig) -> Versions:
    """Return the versions of a source's settings.

    Raises:
        Mistake: one of them is none that crmtrail speaks.
    """
    try:
        return versions(settings.api_version, settings.api_versions, settings.write_api_version)
    except ValueError as error:
        raise Mistake(str(error)) from None
