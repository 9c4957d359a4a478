"""Control verbs about people: users and what they may do, consent, imports, the security log."""

from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.hubspot.consent import STATUSES, SUBSCRIPTIONS, Consent, check, touch
from crmtrail.sandbox.hubspot.imports import Imports
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.people import TEAMS
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.security import Security
from crmtrail.sandbox.world import Actor

Order = Mapping[str, Any]
_CHANGES = ("admin", "team", "archived")
_DEEDS = {
    "admin": ("REMOVE_ADMIN_PERMISSIONS", "ADD_ADMIN_PERMISSIONS"),
    "team": ("TEAM_USER_ADDED", "TEAM_USER_ADDED"),
    "archived": ("REACTIVATE_USER", "REMOVE_USER"),
}


def _by(actor: Actor) -> int | None:
    return int(actor.id) if actor.kind == "user" else None


def _user(portal: Portal, order: Order, actor: Actor) -> dict[str, Any]:
    """Change a user, or with ``new`` add one; the security log tells who did it."""
    security = Security(portal.world, portal.people)
    if "new" in order:
        return {"ids": [_added(portal, order["new"], security, actor)]}
    found = portal.people.user(str(order["user"]))
    if found is None:
        raise ValueError(f"no user {order['user']!r}")
    change = dict(order["change"])
    if strange := set(change) - set(_CHANGES):
        raise ValueError(f"cannot change {min(strange)} of a user; known are {', '.join(_CHANGES)}")
    if change.get("team", next(iter(TEAMS))) not in TEAMS:
        raise ValueError(f"no team {change['team']!r}; known are {', '.join(TEAMS)}")
    for name, value in change.items():
        portal.people.set_user(int(found.id), name, value)
        security.note(_DEEDS[name][bool(value)], by=_by(actor), about=found.id)
    return {"ids": [found.id]}


def _added(portal: Portal, given: Mapping[str, Any], security: Security, actor: Actor) -> str:
    id_ = portal.people.add_user(
        str(given["first"]), str(given["last"]), str(given.get("team", next(iter(TEAMS))))
    )
    security.note("ADD_USER", by=_by(actor), about=str(id_))
    return str(id_)


def _consent(portal: Portal, order: Order, actor: Actor) -> dict[str, Any]:
    """Set subscription statuses of contacts: ``subscription`` is an id or a name."""
    by_name = {name: id_ for id_, name in SUBSCRIPTIONS.items()}
    source = {"user": "CRM UI", "app": "Public API"}.get(actor.kind, "Preferences page")
    ids = []
    for record in order["records"]:
        contact = portal.store.get(object_type("contacts"), int(record["id"]))
        address = contact.values.get("email") if contact else None
        if not address:
            raise ValueError(f"contact {record['id']} has no e-mail address")
        named = record["subscription"]
        given = {
            "subscriptionId": by_name.get(named, named),
            "statusState": str(record["status"]),
            "channel": "EMAIL",
            "legalBasis": record.get("legalBasis"),
            "legalBasisExplanation": record.get("explanation"),
        }
        if given["statusState"] not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}")
        check(portal, given)
        Consent(portal.world).put(address, given, source, portal.store.now())
        touch(portal, address)
        ids.append(str(record["id"]))
    return {"ids": ids}


def _import_state(portal: Portal, order: Order, _: Actor) -> dict[str, Any]:
    """Set the state of an import, such as REVERTED, by its id or name."""
    return {"ids": [Imports(portal.world).set_state(str(order["import"]), str(order["state"]))]}


def _security(portal: Portal, order: Order, actor: Actor) -> dict[str, Any]:
    """Note an event of the security log: ``type``, and whom or what it is ``about``."""
    about = str(order["about"])
    user = portal.people.user(about)
    security = Security(portal.world, portal.people)
    noted = security.note(str(order["type"]), by=_by(actor), about=user.id if user else about)
    return {"ids": [noted]}


VERBS: dict[str, Callable[[Portal, Order, Actor], dict[str, Any]]] = {
    "user": _user,
    "consent": _consent,
    "import_state": _import_state,
    "security": _security,
}
