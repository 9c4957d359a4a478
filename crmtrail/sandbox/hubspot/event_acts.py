"""Control verbs of the event feeds: who gets webhooks, and sending what is due."""

from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.hubspot.object_types import OBJECT_TYPES
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.webhooks import WHAT, names

Order = Mapping[str, Any]


def _webhook(portal: Portal, order: Order) -> dict[str, Any]:
    """Subscribe a ``target`` under a ``secret``, or with ``id`` and ``active`` pause one."""
    if "id" in order:
        if not portal.webhooks.switch(int(order["id"]), active=bool(order["active"])):
            raise ValueError(f"no webhook subscription {order['id']}")
        return {"ids": [str(order["id"])]}
    target = str(order["target"])
    if not target.startswith(("http://", "https://")):
        raise ValueError(f"target must be an http or https URL, not {target!r}")
    known = [name for kind in OBJECT_TYPES for what in WHAT for name in names(kind, what)]
    events = [str(each) for each in order.get("events") or dict.fromkeys(known)]
    if strange := set(events) - set(known):
        raise ValueError(f"unknown event {min(strange)!r}; known are {', '.join(sorted({*known}))}")
    app = str(order.get("app") or portal.people.apps()[0]["id"])
    properties = [str(each) for each in order.get("properties", ())]
    made = portal.webhooks.subscribe(app, target, str(order["secret"]), events, properties)
    return {"ids": [str(made)]}


def _deliver(portal: Portal, _: Order) -> dict[str, Any]:
    """Send what is due; the answer says how many events have not been taken yet."""
    return {"ids": [], "waiting": portal.webhooks.waiting()}


VERBS: dict[str, Callable[[Portal, Order], dict[str, Any]]] = {
    "webhook": _webhook,
    "deliver": _deliver,
}
