"""What the account may hold, and how much of it is used."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.links import types_between
from crmtrail.sandbox.hubspot.object_types import OBJECT_TYPES, ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal

_RECORDS = 15_000_000
_CUSTOM_RECORDS = 2_000_000
_PROPERTIES = 1_000
_PIPELINES = 100
_LABELS = 50
_ASSOCIATIONS = 10_000
_NEAR = 0.8


def _labels(kind: ObjectType) -> dict[str, Any]:
    words = kind.name.replace("_", " ").capitalize()
    singular = kind.singular.replace("_", " ").capitalize()
    return {"objectTypeId": kind.type_id, "pluralLabel": words, "singularLabel": singular}


def _used(kind: ObjectType, limit: int, usage: int) -> dict[str, Any]:
    share = round(100 * usage / limit, 4)
    return _labels(kind) | {"limit": limit, "usage": usage, "percentage": share}


def _overall(limit: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    usage = sum(row["usage"] for row in rows)
    return {
        "byObjectType": rows,
        "overallLimit": limit,
        "overallUsage": usage,
        "overallPercentage": round(100 * usage / limit, 4),
    }


def records(portal: Portal, _: Call) -> Reply:
    """GET /limits/records."""
    rows = dict(
        portal.world.db.execute(
            "SELECT object, count(*) FROM hs_record WHERE archived IS NULL GROUP BY object"
        ).fetchall()
    )
    found = [_used(kind, _RECORDS, rows.get(kind.name, 0)) for kind in OBJECT_TYPES]
    body = {"hubspotDefinedObjectTypes": found, "customObjectTypes": _overall(_CUSTOM_RECORDS, [])}
    return Reply.of(200, body)


def custom_properties(portal: Portal, _: Call) -> Reply:
    """GET /limits/custom-properties."""
    rows = [
        _used(kind, _PROPERTIES, _count(portal, kind, "hubspotDefined", wanted=False))
        for kind in OBJECT_TYPES
    ]
    return Reply.of(200, _overall(_PROPERTIES * len(rows), rows))


def calculated_properties(portal: Portal, _: Call) -> Reply:
    """GET /limits/calculated-properties."""
    rows = [
        _used(kind, 200, _count(portal, kind, "calculated", wanted=True)) for kind in OBJECT_TYPES
    ]
    return Reply.of(200, _overall(200, rows))


def _count(portal: Portal, kind: ObjectType, flag: str, *, wanted: bool) -> int:
    definitions = portal.schema.properties(kind.name).values()
    return sum(1 for each in definitions if not each.archived and bool(each.doc[flag]) is wanted)


def pipelines(portal: Portal, _: Call) -> Reply:
    """GET /limits/pipelines."""
    found = [
        _used(kind, _PIPELINES, len(portal.schema.pipelines(kind.name)))
        for kind in OBJECT_TYPES
        if portal.schema.pipelines(kind.name)
    ]
    body = {"hubspotDefinedObjectTypes": found, "customObjectTypes": _overall(_PIPELINES, [])}
    return Reply.of(200, body)


def custom_objects(_: Portal, __: Call) -> Reply:
    """GET /limits/custom-object-types."""
    return Reply.of(200, {"limit": 10, "usage": 0, "percentage": 0.0})


def association_labels(_: Portal, call: Call) -> Reply:
    """GET /limits/associations/labels."""
    wanted = [call.request.one(name) for name in ("fromObjectTypeId", "toObjectTypeId")]
    results = []
    for from_ in OBJECT_TYPES:
        for to in OBJECT_TYPES:
            if any(
                each and object_type(each) is not kind
                for each, kind in zip(wanted, (from_, to), strict=True)
            ):
                continue
            labels = [each["label"] for each in types_between(from_.name, to.name) if each["label"]]
            if labels:
                results.append(_label_limit(from_, to, labels))
    return Reply.of(200, {"results": results})


def _label_limit(from_: ObjectType, to: ObjectType, labels: list[str]) -> dict[str, Any]:
    return {
        "fromObjectType": _labels(from_),
        "toObjectType": _labels(to),
        "allLabels": labels,
        "limit": _LABELS,
        "usage": len(labels),
        "percentage": round(100 * len(labels) / _LABELS, 4),
    }


def _crowded(portal: Portal, from_: ObjectType, to: ObjectType) -> list[tuple[int, int]]:
    """Return the records with many associations of one object, and how many they have."""
    rows = portal.world.db.execute(
        "SELECT id, count(DISTINCT to_id) FROM hs_link WHERE object=? AND to_object=?"
        " GROUP BY id HAVING count(DISTINCT to_id) >= ? ORDER BY 2 DESC, id",
        (from_.name, to.name, round(_ASSOCIATIONS * _NEAR)),
    )
    return [(int(id_), int(count)) for id_, count in rows]


def association_records(portal: Portal, call: Call) -> Reply:
    """GET /limits/associations/records/{from}/{to}."""
    from_, to = object_type(call.parts[0]), object_type(call.parts[1])
    crowded = _crowded(portal, from_, to)
    full = [(id_, count) for id_, count in crowded if count >= _ASSOCIATIONS]
    near = [(id_, count) for id_, count in crowded if count < _ASSOCIATIONS]
    body = {
        "limit": _ASSOCIATIONS,
        "totalRecordsAtLimit": len(full),
        "totalRecordsNearLimit": len(near),
        "atLimitFromRecordSamples": [{"objectId": id_, "label": str(id_)} for id_, _ in full[:10]],
        "nearLimitFromRecordSamples": [
            {
                "objectId": id_,
                "label": str(id_),
                "usage": count,
                "percentage": round(100 * count / _ASSOCIATIONS, 4),
            }
            for id_, count in near[:10]
        ],
    }
    return Reply.of(200, body)


def association_sources(portal: Portal, _: Call) -> Reply:
    """GET /limits/associations/records/from: objects with records near or at a limit."""
    found = [
        kind for kind in OBJECT_TYPES if any(_crowded(portal, kind, to) for to in OBJECT_TYPES)
    ]
    return Reply.of(200, {"results": [_near(portal, kind, OBJECT_TYPES) for kind in found]})


def association_targets(portal: Portal, call: Call) -> Reply:
    """GET /limits/associations/records/{from}/to."""
    from_ = object_type(call.parts[0])
    results = [
        _labels(to) | _states(_crowded(portal, from_, to))
        for to in OBJECT_TYPES
        if _crowded(portal, from_, to)
    ]
    return Reply.of(200, {"results": results})


def _near(portal: Portal, kind: ObjectType, to: tuple[ObjectType, ...]) -> dict[str, Any]:
    crowded = [each for other in to for each in _crowded(portal, kind, other)]
    return _labels(kind) | _states(crowded)


def _states(crowded: list[tuple[int, int]]) -> dict[str, bool]:
    return {
        "hasRecordsAtLimit": any(count >= _ASSOCIATIONS for _, count in crowded),
        "hasRecordsNearLimit": any(count < _ASSOCIATIONS for _, count in crowded),
    }
