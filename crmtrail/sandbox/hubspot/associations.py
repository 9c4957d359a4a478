"""Associations v4 and their dated successors: batch and single."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import objects
from crmtrail.sandbox.hubspot.association_types import CATEGORIES, DEFINED, LinkType
from crmtrail.sandbox.hubspot.links import default_types
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal, writing
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, not_found
from crmtrail.sandbox.hubspot.values import iso

_READ = 1000
_CREATE = 2000
_ARCHIVE = 100
_PAGE = 500
"""How many associated records of one record come at once."""


def pair_of(call: Call, first: int, second: int) -> tuple[ObjectType, ObjectType]:
    """Return the two objects that a path names.

    Raises:
        Refusal: 400, records of the two cannot be associated.
    """
    from_, to = object_type(call.parts[first]), object_type(call.parts[second])
    if default_types(from_.name, to.name) is None:
        raise invalid(f"{from_.label} and {to.label} cannot be associated")
    return from_, to


def _shown(call: Call, linked: dict[int, list[LinkType]]) -> list[dict[str, Any]]:
    """Return associated records; in v4 their ids are numbers, unlike everywhere else."""
    return [
        {
            "toObjectId": id_ if call.version == "v4" else str(id_),
            "associationTypes": [one.shown() for one in types],
        }
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
    from_, to = pair_of(call, 0, 1)
    inputs = call.inputs(_READ)
    asked = {
        int(given["id"]): _place(given.get("after"))
        for given in inputs
        if str(given.get("id", "")).isdigit()
    }
    found = portal.writer.links.typed(from_, list(asked), to)
    live = portal.store.many(from_, asked)
    results, missing = [], []
    for id_, after in asked.items():
        record = live.get(id_)
        if record is None or record.id != id_ or record.archived is not None or id_ not in found:
            missing.append(id_)
            continue
        shown, rest = _page(found[id_], after, _PAGE)
        result: dict[str, Any] = {"from": {"id": str(id_)}, "to": _shown(call, shown)}
        if rest is not None:
            result["paging"] = {"next": {"after": rest, "link": f"?after={rest}"}}
        results.append(result)
    return _complete(portal, results, [_none_of(from_, to, id_) for id_ in missing])


def _none_of(from_: ObjectType, to: ObjectType, id_: int) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {to.singular} is associated with {from_.singular} {id_}.",
        "context": {"fromObjectId": [str(id_)]},
    }


def _place(after: object) -> int:
    """Return the id after which a page begins.

    Raises:
        Refusal: 400, the token is none of ours.
    """
    text = str(after or "0")
    if not text.isdigit():
        raise invalid(f"Invalid paging token: {text}")
    return int(text)


def _page(
    linked: dict[int, list[LinkType]], after: int, limit: int
) -> tuple[dict[int, list[LinkType]], str | None]:
    """Return the associations after an id, and where the next page begins if there is one."""
    later = {id_: types for id_, types in linked.items() if id_ > after}
    page = dict(list(later.items())[:limit])
    return page, str(max(page)) if len(later) > limit else None


def single_read(portal: Portal, call: Call) -> Reply:
    """GET /objects/{from}/{id}/associations/{to}: up to 500 a page."""
    from_, to = pair_of(call, 0, 2)
    limit = call.whole("limit", _PAGE, _PAGE)
    record = objects.find(portal, from_, call.parts[1], None)
    if record is None:
        raise not_found()
    linked = portal.writer.links.typed(from_, [record.id], to).get(record.id, {})
    page, rest = _page(linked, _place(call.request.one("after")), limit)
    body: dict[str, Any] = {"results": _shown(call, page)}
    if rest is not None:
        body["paging"] = objects.paging(call, rest)
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


def _within_limit(portal: Portal, one: Record, other: Record) -> None:
    """See that no record gets more associations than the portal allows.

    Raises:
        Refusal: 400, one of the two has as many as it may have.
    """
    links = portal.writer.links
    for record, target in ((one, other), (other, one)):
        most = links.types.limit(record.kind.name, target.kind.name)
        if most is None:
            continue
        held = links.ids(record.kind, record.id, target.kind)
        if target.id not in held and len(held) >= most:
            raise Refusal(
                400,
                "VALIDATION_ERROR",
                f"{record.kind.label} {record.id} has reached the limit of {most} associated"
                f" {target.kind.label} records",
                context={"fromObjectId": [str(record.id)]},
            )


def _made(one: Record, other: Record, type_: int) -> dict[str, Any]:
    spec = {"associationCategory": DEFINED, "associationTypeId": type_}
    return {"from": {"id": str(one.id)}, "to": {"id": str(other.id)}, "associationSpec": spec}


def batch_create(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/create, by type ids."""
    from_, to = pair_of(call, 0, 1)
    objects.may_write(call, from_)
    results = []
    for given in call.inputs(_CREATE):
        types = _types(portal, given.get("types"), from_, to)
        results.append(_associated(portal, call, _ends(portal, given, from_, to), types))
    return _complete(portal, results, [], 201)


def _associated(
    portal: Portal, call: Call, ends: tuple[Record, Record], types: list[LinkType]
) -> dict[str, Any]:
    one, other = ends
    _within_limit(portal, one, other)
    by = writing(portal, call)
    for type_ in types:
        portal.writer.associate(one, other, type_.id, by, type_.category)
    ids: tuple[int | str, int | str] = (one.id, other.id)
    if call.version != "v4":
        ids = str(one.id), str(other.id)
    return {
        "fromObjectTypeId": one.kind.type_id,
        "fromObjectId": ids[0],
        "toObjectTypeId": other.kind.type_id,
        "toObjectId": ids[1],
        "labels": [type_.label for type_ in types if type_.label],
    }


def _types(portal: Portal, given: object, from_: ObjectType, to: ObjectType) -> list[LinkType]:
    """Return association types.

    Raises:
        Refusal: 400, none, or one that does not join the two objects.
    """
    if not isinstance(given, list) or not given:
        raise invalid("Some required fields were not set: [types]")
    found = []
    for each in given:
        category = str(each.get("associationCategory") or "")
        if category not in CATEGORIES:
            raise invalid(f"Unknown association category: {category or None}")
        number = str(each.get("associationTypeId") or "0")
        type_ = None
        if number.isdigit():
            type_ = portal.writer.links.types.find(from_.name, to.name, int(number), category)
        if type_ is None:
            raise invalid(
                f"Association type {category} {number} does not join {from_.label} and {to.label}"
            )
        found.append(type_)
    return found


def single_create(portal: Portal, call: Call) -> Reply:
    """PUT /objects/{from}/{id}/associations/{to}/{id}, by type ids."""
    from_, to = pair_of(call, 0, 2)
    objects.may_write(call, from_)
    given = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    ends = _ends(portal, given, from_, to)
    types = _types(portal, call.json(), from_, to)
    return Reply.of(201, _associated(portal, call, ends, types))


def single_archive(portal: Portal, call: Call) -> Reply:
    """DELETE /objects/{from}/{id}/associations/{to}/{id}: all types between the two."""
    from_, to = pair_of(call, 0, 2)
    objects.may_write(call, from_)
    given = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    portal.writer.dissociate(*_ends(portal, given, from_, to), writing(portal, call))
    return Reply(204)


def labels_archive(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/labels/archive: one type; the plain one takes all."""
    from_, to = pair_of(call, 0, 1)
    objects.may_write(call, from_)
    by = writing(portal, call)
    for given in call.inputs(_ARCHIVE):
        ends = _ends(portal, given, from_, to)
        for type_ in _types(portal, given.get("types"), from_, to):
            portal.writer.unlabel(*ends, type_.id, by, type_.category)
    return Reply(204) if call.version == "v4" else _complete(portal, [], [])


def batch_default(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/associate/default: both directions are returned."""
    from_, to = pair_of(call, 0, 1)
    objects.may_write(call, from_)
    results = []
    for given in call.inputs(_CREATE):
        results += _associate(portal, call, _ends(portal, given, from_, to))
    return _complete(portal, results, [])


def _associate(portal: Portal, call: Call, ends: tuple[Record, Record]) -> list[dict[str, Any]]:
    one, other = ends
    _within_limit(portal, one, other)
    forth, back = default_types(one.kind.name, other.kind.name) or (0, 0)
    portal.writer.associate(one, other, forth, writing(portal, call))
    return [_made(one, other, forth), _made(other, one, back)]


def single_default(portal: Portal, call: Call) -> Reply:
    """PUT /objects/{from}/{id}/associations/default/{to}/{id}."""
    from_, to = pair_of(call, 0, 2)
    objects.may_write(call, from_)
    given = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    return _complete(portal, _associate(portal, call, _ends(portal, given, from_, to)), [])


def batch_archive(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/batch/archive: 204 in v4, 200 with a body since 2026-03."""
    from_, to = pair_of(call, 0, 1)
    objects.may_write(call, from_)
    by = writing(portal, call)
    for given in call.inputs(_ARCHIVE):
        one = str((given.get("from") or {}).get("id", ""))
        for each in given.get("to") or []:
            pair = {"from": {"id": one}, "to": {"id": each.get("id", "")}}
            portal.writer.dissociate(*_ends(portal, pair, from_, to), by)
    return Reply(204) if call.version == "v4" else _complete(portal, [], [])
