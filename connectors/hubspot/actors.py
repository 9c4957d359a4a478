"""Who made a change, from what HubSpot's history says of its source.

HubSpot names about 119 source types and documents no grouping; this one is inferred from their
names, so an entry that fits nowhere stays unknown with its raw words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from crmtrail.model import Actor, ActorKind, unknown

_USER_ID = re.compile(r"userId:(\d+)")
_DIGITS = re.compile(r"\d{3,}")
_RUN_ID = re.compile(r"enrollment|execution|action", re.IGNORECASE)

_BY_USER = {
    "CRM_UI": None,
    "CRM_UI_BULK_ACTION": "bulk edit",
    "WORK_UI": None,
    "MOBILE_IOS": "iOS app",
    "MOBILE_ANDROID": "Android app",
    "CONTACTS": None,
    "DEALS": None,
    "COMPANIES": None,
    "SALES": None,
}
"""Types of a person at work, and through what, where that matters."""

_IMPORTS = frozenset({"IMPORT", "DATASET", "EMAIL_INBOX_IMPORT"})
_APPS = frozenset(
    {
        "INTEGRATION",
        "INTEGRATIONS_PLATFORM",
        "INTEGRATIONS_SYNC",
        "API",
        "SALESFORCE",
        "PORTAL_OBJECT_SYNC",
        "EXTENSION",
        "MARKETPLACE",
    }
)
_AUTOMATION = frozenset(
    {
        "AUTOMATION_PLATFORM",
        "WORKFLOWS",
        "PRIMARY_AUTOMATION",
        "AUTOMATION_JOURNEY",
        "SEQUENCES",
        "BOT",
        "PLAYBOOKS",
        "WORKFLOW_CONTACT_DELETE_ACTION",
    }
)
_SYSTEM = frozenset(
    {
        "BATCH_UPDATE",
        "CALCULATED",
        "ANALYTICS",
        "INTERNAL_PROCESSING",
        "DATA_ENRICHMENT",
        "DATA_QUALITY",
        "COMPANY_INSIGHTS",
        "DEFAULT",
        "PROPERTY_DEFAULT_VALUE",
        "PROPERTY_SETTINGS",
        "MIGRATION",
        "AUTO_ASSOCIATE_BY_DOMAIN",
        "LEGAL_BASIS_REMEDIATION",
    }
)
_USER_OR_SYSTEM = frozenset(
    {
        "MERGE_COMPANIES",
        "MERGE_CONTACTS",
        "MERGE_OBJECTS",
        "MERGE_REVERT_OBJECTS",
        "RECYCLING_BIN",
        "RESTORE_OBJECTS",
        "DELETE_OBJECTS",
        "PROPERTY_RESTORE",
        "ACTIVITY_LOG_REVERT",
        "APPROVALS",
        "QUOTES",
        "PAYMENTS",
        "BILLING",
    }
)
"""Undo, merge and commerce: the user who asked for it where named, else HubSpot."""
_OUTSIDERS = frozenset({"FORM", "EMAIL", "MEETINGS", "CONVERSATIONS", "CUSTOMER_PORTAL"})


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a change in HubSpot's own words."""

    type: str
    id: str | None = None
    label: str | None = None
    user: str | None = None

    def __str__(self) -> str:
        return self._words(self.id)

    def lasting(self) -> str:
        """Return the words that are the same for all that the actor does at a stretch.

        The id of a single run of a workflow would tear one operation apart: it is left out.
        """
        return self._words(None if self.id and _RUN_ID.search(self.id) else self.id)

    def _words(self, id_: str | None) -> str:
        said = {
            "sourceType": self.type or None,
            "sourceId": id_,
            "sourceLabel": self.label,
            "updatedByUserId": self.user,
        }
        told = ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
        return told or "nothing told"


class Names(Protocol):
    """Where the names behind ids come from."""

    def user(self, id_: str) -> str | None:
        """Return the name of a user, former ones included, or None."""
        ...

    def import_(self, id_: str) -> str | None:
        """Return the name of an import run, or None."""
        ...


def actor_of(origin: Origin, names: Names) -> Actor:
    """Return the actor that an origin stands for; ``why`` keeps HubSpot's own words."""
    actor = _actor(origin, names)
    return actor if actor.why else replace(actor, why=origin.lasting())


def _actor(origin: Origin, names: Names) -> Actor:
    kind = origin.type.upper()
    if kind in _BY_USER:
        return _user(origin, names, _BY_USER[kind])
    if kind in _IMPORTS:
        return _import(origin, names)
    if kind in _APPS:
        name = origin.label or origin.id or kind
        return Actor(ActorKind.APP, origin.id, name, via=name)
    if kind in _AUTOMATION:
        return _automation(origin, kind)
    return _other(origin, kind, names)


def _other(origin: Origin, kind: str, names: Names) -> Actor:
    if kind in _OUTSIDERS:
        why = f"a person outside HubSpot acted through {kind}; HubSpot names no user ({origin})"
        return Actor(ActorKind.UNKNOWN, via=origin.label or kind, why=why)
    if kind in _SYSTEM or (kind in _USER_OR_SYSTEM and not origin.user):
        return Actor(ActorKind.SYSTEM, kind, f"HubSpot ({kind})")
    if origin.user:
        return _user(origin, names, kind or None)
    return unknown(f"HubSpot's source is not one we can name ({origin})")


CREATION = (
    "hs_object_source",
    "hs_object_source_id",
    "hs_object_source_user_id",
    "hs_object_source_label",
    "hs_object_source_detail_1",
    "hs_created_by_user_id",
)
"""The properties that say who created a record."""


def creator_of(properties: Mapping[str, str | None], names: Names) -> Actor:
    """Return who created a record, from its properties named in `CREATION`."""
    kind = properties.get("hs_object_source") or ""
    user = properties.get("hs_created_by_user_id") or properties.get("hs_object_source_user_id")
    if not kind and not user:
        return unknown("HubSpot does not say who created it")
    label = properties.get("hs_object_source_detail_1")
    told = properties.get("hs_object_source_label")
    if not label and told and told.upper() != kind.upper():
        label = told
    origin = Origin(kind or "CRM_UI", properties.get("hs_object_source_id"), label or None, user)
    return actor_of(origin, names)


def _user(origin: Origin, names: Names, via: str | None) -> Actor:
    match = _USER_ID.search(origin.id or "")
    id_ = origin.user or (match[1] if match else None)
    if id_ is None:
        return Actor(ActorKind.UNKNOWN, via=via, why=f"HubSpot names no user ({origin})")
    return Actor(ActorKind.USER, id_, names.user(id_), via)


def _import(origin: Origin, names: Names) -> Actor:
    name = _import_name(origin.id, names) or origin.label
    shown = name or origin.id or origin.type
    return Actor(ActorKind.IMPORT, origin.id, name, via=f"import {shown}")


def _import_name(id_: str | None, names: Names) -> str | None:
    """Return the name of an import; that its source id is the import's is not documented."""
    if not id_:
        return None
    within = _DIGITS.search(id_)
    known = dict.fromkeys((id_, within[0]) if within else (id_,))
    return next((name for one in known if (name := names.import_(one))), None)


def _automation(origin: Origin, kind: str) -> Actor:
    # A workflow's source id names the single run, so it would tear one operation apart.
    stable = origin.id if origin.id and not _RUN_ID.search(origin.id) else None
    id_ = stable or origin.label or kind
    return Actor(ActorKind.AUTOMATION, id_, origin.label or kind, via=origin.label or kind)
