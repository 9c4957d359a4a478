"""The control verbs: somebody inside the portal does something, or a switch is turned."""

from collections.abc import Callable, Mapping
from typing import Any

from crmtrail.sandbox.hubspot import (
    access_acts,
    admin_acts,
    definition_acts,
    event_acts,
    merging,
    oauth,
    setting_acts,
)
from crmtrail.sandbox.hubspot.imports import Imports
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Portal
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.validate import Validator
from crmtrail.sandbox.hubspot.writing import Writing
from crmtrail.sandbox.world import Actor

Order = Mapping[str, Any]
_LATEST = "2026-09"


def act(portal: Portal, order: Order) -> dict[str, Any]:
    """Carry out one order; see docs/sandbox.md.

    Raises:
        ValueError: the order makes no sense.
        Refusal: the portal itself refuses it.
    """
    verb = str(order.get("do", ""))
    if verb in setting_acts.VERBS:
        return setting_acts.turn(portal, order)
    if verb in _PLAIN:
        return _PLAIN[verb](portal, order)
    if verb in access_acts.VERBS:
        return access_acts.VERBS[verb](portal, order, actor_of(portal, order))
    if verb in definition_acts.VERBS:
        return definition_acts.VERBS[verb](portal, order, actor_of(portal, order))
    deed = _DEEDS.get(verb)
    if deed is None:
        known = sorted(
            {*_DEEDS, *setting_acts.VERBS, *definition_acts.VERBS, *access_acts.VERBS, *_PLAIN}
        )
        raise ValueError(f"unknown verb {verb!r}; known are {', '.join(known)}")
    kind = object_type(str(order.get("object", "")))
    records = order.get("records")
    if not isinstance(records, list) or not records:
        raise ValueError('records must be a list such as [{"id": "1", "fields": {...}}]')
    by = _writing(portal, order, kind, len(records))
    return {"ids": [str(id_) for id_ in deed(portal, kind, records, by)]}


def actor_of(portal: Portal, order: Order) -> Actor:
    """Return who acts, from ``{"kind": ..., "id" or "name": ...}``.

    Raises:
        ValueError: nobody of that kind and name.
    """
    given = order.get("as") or {"kind": "system"}
    kind = str(given.get("kind", ""))
    key, name = str(given.get("id", "")), str(given.get("name", ""))
    if kind == "system":
        source = key or name or "INTERNAL_PROCESSING"
        return Actor("system", source, "HubSpot")
    if kind == "user":
        return _user(portal, key or name)
    if kind == "app":
        return _app(portal, key, name)
    if kind == "workflow":
        id_ = key or str(sum(map(ord, name)) * 7919 % 10**8)
        return Actor("workflow", id_, name or f"Workflow {id_}")
    raise ValueError(
        f"unknown kind of actor {kind!r}; known are user, app, import, workflow, system"
    )


def _user(portal: Portal, key: str) -> Actor:
    everyone = portal.people.users()
    found = portal.people.user(key or str(everyone[0]["id"]))
    if found is None:
        known = ", ".join(f"{user['id']} {user['first']} {user['last']}" for user in everyone)
        raise ValueError(f"no user {key!r}; there are {known}")
    return found


def _app(portal: Portal, key: str, name: str) -> Actor:
    for app in portal.people.apps():
        if key == app["id"] or (not key and name == app["name"]):
            return Actor("app", app["id"], app["name"])
    if key:
        return Actor("app", key, name or f"App {key}")
    known = ", ".join(f"{app['id']} {app['name']}" for app in portal.people.apps())
    raise ValueError(f"no app {name!r}; give an id for a new one, or use {known}")


def _writing(portal: Portal, order: Order, kind: ObjectType, count: int) -> Writing:
    source = order.get("source")
    given = order.get("as") or {}
    if given.get("kind") != "import":
        return portal.writer.by(actor_of(portal, order), source)
    imports = Imports(portal.world)
    key, name = str(given.get("id", "")), str(given.get("name") or "import.csv")
    actor = imports.actor(key) if key else None
    if key and actor is None:
        raise ValueError(f"no import {key!r}; give only a name to run a new one")
    if actor is None:
        made = count if order.get("do") == "create" else 0
        at = portal.store.now()
        actor = imports.note(name, kind, made=made, changed=count - made, at=at)
    return portal.writer.by(actor, source)


def _records(portal: Portal, kind: ObjectType, orders: list[Order]) -> list[Record]:
    """Return the records an order names, in its order.

    Raises:
        ValueError: one of them is not there.
    """
    ids = [str(order.get("id", "")) for order in orders]
    if strange := [id_ for id_ in ids if not id_.isdigit()]:
        raise ValueError(f"record ids are numbers, not {strange[0]!r}")
    found = portal.store.many(kind, [int(id_) for id_ in ids])
    if missing := [id_ for id_ in ids if int(id_) not in found]:
        raise ValueError(f"no {kind.singular} {', '.join(missing[:5])}")
    return [found[int(id_)] for id_ in ids]


def _values(
    portal: Portal, kind: ObjectType, order: Order, by: Writing, current: Mapping[str, str]
) -> dict[str, str]:
    """Check the fields of an order; users and HubSpot itself may move a stage back."""
    given = order.get("fields")
    if not given:
        raise ValueError('each record needs its fields, such as {"fields": {"phone": null}}')
    fields = {name: "" if value is None else value for name, value in given.items()}
    computed = portal.schema.properties(kind.name) if by.actor.kind == "system" else {}
    own = {
        name: str(value)
        for name, value in fields.items()
        if name in computed and computed[name].read_only
    }
    rest = {name: value for name, value in fields.items() if name not in own}
    free = dict(current)
    if by.actor.kind in ("user", "system"):
        free.pop("lifecyclestage", None)
    validator = Validator(portal.schema, portal.people)
    checked = validator.check(kind, rest, _LATEST, current=free).require()
    return checked.values | own


def _update(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    records = _records(portal, kind, orders)
    for order, record in zip(orders, records, strict=True):
        if record.archived is not None:
            raise ValueError(f"{kind.singular} {record.id} is deleted; restore it first")
        portal.writer.change(record, _values(portal, kind, order, by, record.values), by)
    return [record.id for record in records]


def _create(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    made = []
    for order in orders:
        id_ = int(order["id"]) if "id" in order else None
        if id_ is not None and portal.store.get(kind, id_) is not None:
            raise ValueError(f"{kind.singular} {id_} exists already")
        values = _values(portal, kind, order, by, {})
        made.append(portal.writer.create(kind, values, by, id_).id)
    return made


def _delete(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    records = _records(portal, kind, orders)
    for record in records:
        portal.writer.archive(record, by)
    return [record.id for record in records]


def _restore(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    records = _records(portal, kind, orders)
    for record in records:
        if record.archived is None:
            raise ValueError(f"{kind.singular} {record.id} is not deleted")
        if kind.name == "contacts" and record.handle:
            holder = portal.store.by_handle(kind, record.handle)
            if holder is not None:
                raise ValueError(f"contact {holder.id} holds the e-mail of {record.id} by now")
        portal.writer.restore(record, by)
    return [record.id for record in records]


def _purge(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    records = _records(portal, kind, orders)
    for record in records:
        portal.writer.erase(record, by, "purge")
    return [record.id for record in records]


def _merge(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    records = _records(portal, kind, orders)
    if len(records) != 2 or records[0].id == records[1].id:  # noqa: PLR2004 -- a merge joins two
        raise ValueError("merge takes two different records, the primary one first")
    return [merging.join(portal, records[0], records[1], by).id]


def _gdpr_delete(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    if kind.name != "contacts":
        raise ValueError("only contacts can be deleted for privacy")
    records = _records(portal, kind, orders)
    for record in records:
        merging.forget(portal, record, by)
    return [record.id for record in records]


def _associate(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    return _relate(portal, kind, orders, by, apart=False)


def _dissociate(portal: Portal, kind: ObjectType, orders: list[Order], by: Writing) -> list[int]:
    return _relate(portal, kind, orders, by, apart=True)


def _relate(
    portal: Portal, kind: ObjectType, orders: list[Order], by: Writing, *, apart: bool
) -> list[int]:
    """Each order is ``{"id": ..., "to": {"object": ..., "id": ...}}``; ``type`` is optional.

    So is its ``category``. Taking apart with a type leaves the others, but for the plain one.
    """
    records = _records(portal, kind, orders)
    for order, record in zip(orders, records, strict=True):
        other = object_type(str(order["to"]["object"]))
        target = _records(portal, other, [order["to"]])[0]
        if apart and "type" in order:
            category = str(order.get("category", ""))
            portal.writer.unlabel(record, target, int(order["type"]), by, category)
        elif apart:
            portal.writer.dissociate(record, target, by)
        else:
            type_ = order.get("type") or definition_acts.unlabelled(kind, other)
            category = str(order.get("category", ""))
            portal.writer.associate(record, target, int(type_), by, category)
    return [record.id for record in records]


def _flood(portal: Portal, order: Order) -> dict[str, Any]:
    """Write ``count`` records of an object in one millisecond, making those that are wanting."""
    kind, count = object_type(str(order["object"])), int(order["count"])
    by = _writing(portal, order, kind, count)
    records = portal.store.page(kind, 0, count, archived=False)
    for number in range(count - len(records)):
        handle = {kind.handle: f"flood-{by.at}-{number}@fernhill.example"} if kind.handle else {}
        records.append(portal.writer.create(kind, handle, by))
    for record in records:
        values = _values(portal, kind, order, by, record.values)
        if not portal.writer.change(record, values, by):
            record.modified = by.at
            portal.store.put(record, by.at)
    return {"ids": [str(record.id) for record in records]}


_PLAIN: dict[str, Callable[[Portal, Order], dict[str, Any]]] = {
    **admin_acts.VERBS,
    **event_acts.VERBS,
    "flood": _flood,
    "oauth": oauth.turn,
}
"""Verbs that name no single records and need no actor checked first."""

Deed = Callable[[Portal, ObjectType, list[Order], Writing], list[int]]

_DEEDS: dict[str, Deed] = {
    "update": _update,
    "create": _create,
    "delete": _delete,
    "restore": _restore,
    "purge": _purge,
    "merge": _merge,
    "gdpr_delete": _gdpr_delete,
    "associate": _associate,
    "dissociate": _dissociate,
}
