"""The types of association over the API: labels, and how many records a record may have."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.associations import pair_of
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import invalid, not_found

_MOST = 50_000
"""How far a portal may raise a limit."""


def labels(portal: Portal, call: Call) -> Reply:
    """GET /associations/{from}/{to}/labels."""
    from_, to = pair_of(call, 0, 1)
    found = portal.writer.links.types.between(from_.name, to.name)
    return Reply.of(200, {"results": [one.shown() for one in found]})


def define(portal: Portal, call: Call) -> Reply:
    """POST /associations/{from}/{to}/labels: a label, or a pair of labels; both ids come back."""
    from_, to = pair_of(call, 0, 1)
    given = call.body()
    label, inverse = given.get("label"), given.get("inverseLabel")
    if not label or not given.get("name"):
        raise invalid("Some required fields were not set: [label, name]")
    types = portal.writer.links.types
    try:
        forth, back = types.define(from_.name, to.name, str(label), inverse)
    except ValueError as error:
        raise invalid(str(error)) from None
    shown = [
        one.shown()
        for one in (types.find(from_.name, to.name, forth), types.find(to.name, from_.name, back))
        if one is not None
    ]
    return Reply.of(200, {"results": shown})


def rename(portal: Portal, call: Call) -> Reply:
    """PUT /associations/{from}/{to}/labels."""
    from_, to = pair_of(call, 0, 1)
    given = call.body()
    _own(portal, from_, to, str(given.get("associationTypeId", "")))
    label = str(given.get("label") or "")
    portal.writer.links.types.rename(from_.name, to.name, int(given["associationTypeId"]), label)
    return Reply(204)


def drop(portal: Portal, call: Call) -> Reply:
    """DELETE /associations/{from}/{to}/labels/{id}: associations by it go too."""
    from_, to = pair_of(call, 0, 1)
    _own(portal, from_, to, call.parts[2])
    portal.writer.links.types.drop(from_.name, to.name, int(call.parts[2]))
    return Reply(204)


def _own(portal: Portal, from_: ObjectType, to: ObjectType, type_: str) -> None:
    """See that a type is a label of the portal's own.

    Raises:
        Refusal: 404, there is none of this id; 400, it is HubSpot's.
    """
    found = None
    if type_.isdigit():
        found = portal.writer.links.types.find(from_.name, to.name, int(type_))
    if found is None:
        raise not_found()
    if not found.label or found.category != "USER_DEFINED":
        raise invalid("This association type cannot be changed")


def configurations(portal: Portal, call: Call) -> Reply:
    """GET /associations/definitions/configurations/all, or those of two objects."""
    wanted = {object_type(part).name for part in call.parts}
    results = [
        _limit(object_type(from_), object_type(to), most)
        for from_, to, most in portal.writer.links.types.limits()
        if not wanted or {from_, to} == wanted
    ]
    return Reply.of(200, {"results": results})


def configure(portal: Portal, call: Call) -> Reply:
    """POST /associations/definitions/configurations/{from}/{to}/batch/create or update."""
    from_, to = pair_of(call, 0, 1)
    results = []
    for given in call.inputs(100):
        most = given.get("maxToObjectIds")
        if not isinstance(most, int) or not 1 <= most <= _MOST:
            raise invalid(f"maxToObjectIds must be between 1 and {_MOST}")
        portal.writer.links.types.set_limit(from_.name, to.name, most)
        results.append(_limit(from_, to, most))
    return Reply.of(200, {"status": "COMPLETE", "results": results})


def _limit(from_: ObjectType, to: ObjectType, most: int) -> dict[str, Any]:
    return {
        "fromObjectTypeId": from_.type_id,
        "toObjectTypeId": to.type_id,
        "userEnforcedMaxToObjectIds": most,
    }
