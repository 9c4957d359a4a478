"""Associations v4 and their dated successors: batch and single, labels."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import objects
from crmtrail.sandbox.hubspot.links import DEFINED, back_type, default_types, types_between
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal, writing
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.refusal import invalid, not_found
from crmtrail.sandbox.hubspot.values import iso

_READ = 1000
_CREATE = 2000
_ARCHIVE = 100
_SINGLE = 500


def _pair(call: Call, first: int, second: int) -> tuple[ObjectType, ObjectType]:
    from_, to = object_type(call.parts[first]), object_type(call.parts[second])
    if default_types(from_.name, to.name) is None:
        raise invalid(f"{from_.label} and {to.label} cannot be associated")
    return from_, to


def _shown(from_: ObjectType, to: ObjectType, linked: dict[int, list[int]]) -> list[dict[str, Any]]:
    """Return associated records; their ids are numbers here, unlike everywhere else."""
    known = {each["typeId"]: each for each in types_between(from_.name, to.name)}
    return [
        {"toObjectId": id_, "associationTypes": [known[type_] for type_ in types]}
        for id_, types in linked.items()
    ]


def _complete(portal: Portal, results: list[Any], errors: list[Any], status: int = 200) -> Reply:
    now = iso(portal.store.now())
    body: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        status, body = 207, body | {"numErrors": len(errors), "errors": errors}
    return Reply.of(status, body | {"startedAt": now, "completedAt": now})


def batch_read(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/read: 1000 ids, those without any are left out."""
    from_, to = _pair(call, 0, 1)
    inputs = call.inputs(_READ)
    ids = [int(given["id"]) for given in inputs if str(given.get("id", "")).isdigit()]
    found: dict[int, dict[int, list[int]]] = {}
    for start in range(0, len(ids), _SINGLE):
        found |= portal.writer.links.of(from_, ids[start : start + _SINGLE], to)
    results = [
        {"from": {"id": str(id_)}, "to": _shown(from_, to, linked)} for id_, linked in found.items()
    ]
    missing = [str(id_) for id_ in ids if id_ not in found]
    errors = [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "message": f"No {to.singular} is associated with {from_.singular} {id_}.",
            "context": {"fromObjectId": [id_]},
        }
        for id_ in missing
    ]
    return _complete(portal, results, errors)


def single_read(portal: Portal, call: Call) -> Reply:
    """GET /objects/{from}/{id}/associations/{to}: up to 500 a page."""
    from_, to = _pair(call, 0, 2)
    limit = call.whole("limit", _SINGLE, _SINGLE)
    after = call.request.one("after") or "0"
    record = objects.find(portal, from_, call.parts[1], None)
    if record is None or not after.isdigit():
        raise not_found()
    linked = portal.writer.links.of(from_, [record.id], to).get(record.id, {})
    later = {id_: types for id_, types in linked.items() if id_ > int(after)}
    page = dict(list(later.items())[:limit])
    body: dict[str, Any] = {"results": _shown(from_, to, page)}
    if len(later) > limit:
        body["paging"] = objects.paging(call, str(max(page)))
    return Reply.of(200, body)


def _ends(
    portal: Portal, given: dict[str, Any], from_: ObjectType, to: ObjectType
) -> tuple[Record, Record]:
    ends, bad = [], []
    for key, kind in (("from", from_), ("to", to)):
        id_ = str((given.get(key) or {}).get("id", ""))
        record = objects.find(portal, kind, id_, None)
        if record is None or record.archived is not None:
            bad.append(f"{kind.label}={id_} is not valid")
        else:
            ends.append(record)
    if bad:
        raise invalid("Some of the records are not valid", INVALID_OBJECT_IDS=bad)
    return ends[0], ends[1]


def _made(one: Record, other: Record, type_: int) -> dict[str, Any]:
    spec = {"associationCategory": DEFINED, "associationTypeId": type_}
    return {"from": {"id": str(one.id)}, "to": {"id": str(other.id)}, "associationSpec": spec}


def batch_create(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/create, by type ids."""
    from_, to = _pair(call, 0, 1)
    objects.may_write(call, from_)
    by = writing(portal, call)
    results = []
    for given in call.inputs(_CREATE):
        one, other = _ends(portal, given, from_, to)
        for type_ in _types(given.get("types"), from_, to):
            portal.writer.associate(one, other, type_, by)
        results.append(_labelled(one, other))
    return _complete(portal, results, [], 201)


def _types(given: object, from_: ObjectType, to: ObjectType) -> list[int]:
    """Return association type ids.

    Raises:
        Refusal: 400, none, or one that does not join the two objects.
    """
    if not isinstance(given, list) or not given:
        raise invalid("Some required fields were not set: [types]")
    types = [int(each.get("associationTypeId") or 0) for each in given]
    for type_ in types:
        if back_type(from_.name, to.name, type_) is None:
            raise invalid(f"Association type {type_} does not join {from_.label} and {to.label}")
    return types


def _labelled(one: Record, other: Record) -> dict[str, Any]:
    return {
        "fromObjectTypeId": one.kind.type_id,
        "fromObjectId": one.id,
        "toObjectTypeId": other.kind.type_id,
        "toObjectId": other.id,
        "labels": [],
    }


def single_create(portal: Portal, call: Call) -> Reply:
    """PUT /objects/{from}/{id}/associations/{to}/{id}, by type ids."""
    from_, to = _pair(call, 0, 2)
    objects.may_write(call, from_)
    given = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    one, other = _ends(portal, given, from_, to)
    for type_ in _types(call.json(), from_, to):
        portal.writer.associate(one, other, type_, writing(portal, call))
    return Reply.of(201, _labelled(one, other))


def single_archive(portal: Portal, call: Call) -> Reply:
    """DELETE /objects/{from}/{id}/associations/{to}/{id}: all types between the two."""
    from_, to = _pair(call, 0, 2)
    objects.may_write(call, from_)
    given = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    portal.writer.dissociate(*_ends(portal, given, from_, to), writing(portal, call))
    return Reply(204)


def labels_archive(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/labels/archive: single types, not the pair."""
    from_, to = _pair(call, 0, 1)
    objects.may_write(call, from_)
    for given in call.inputs(_ARCHIVE):
        one, other = _ends(portal, given, from_, to)
        for type_ in _types(given.get("types"), from_, to):
            portal.writer.links.remove_type(from_.name, one.id, to.name, other.id, type_)
    return Reply(204) if call.version == "v4" else _complete(portal, [], [])


def batch_default(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/associate/default: both directions are returned."""
    from_, to = _pair(call, 0, 1)
    objects.may_write(call, from_)
    results = []
    for given in call.inputs(_CREATE):
        results += _associate(portal, call, _ends(portal, given, from_, to))
    return _complete(portal, results, [])


def _associate(portal: Portal, call: Call, ends: tuple[Record, Record]) -> list[dict[str, Any]]:
    one, other = ends
    forth, back = default_types(one.kind.name, other.kind.name) or (0, 0)
    portal.writer.associate(one, other, forth, writing(portal, call))
    return [_made(one, other, forth), _made(other, one, back)]


def single_default(portal: Portal, call: Call) -> Reply:
    """PUT /objects/{from}/{id}/associations/default/{to}/{id}."""
    from_, to = _pair(call, 0, 2)
    objects.may_write(call, from_)
    given = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    return _complete(portal, _associate(portal, call, _ends(portal, given, from_, to)), [])


def batch_archive(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/archive: 204 in v4, 200 with a body since 2026-03."""
    from_, to = _pair(call, 0, 1)
    objects.may_write(call, from_)
    by = writing(portal, call)
    for given in call.inputs(_ARCHIVE):
        one = str((given.get("from") or {}).get("id", ""))
        for each in given.get("to") or []:
            pair = {"from": {"id": one}, "to": {"id": each.get("id", "")}}
            portal.writer.dissociate(*_ends(portal, pair, from_, to), by)
    return Reply(204) if call.version == "v4" else _complete(portal, [], [])


def labels(_: Portal, call: Call) -> Reply:
    """GET /associations/{from}/{to}/labels."""
    from_, to = _pair(call, 0, 1)
    return Reply.of(200, {"results": types_between(from_.name, to.name)})
