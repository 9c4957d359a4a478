"""Lists of records: made, read, filled, deleted and, within 90 days, restored."""

import json
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid
from crmtrail.sandbox.hubspot.store import BIN_DAYS
from crmtrail.sandbox.hubspot.values import DAY, iso
from crmtrail.sandbox.world import World

TABLE = """
CREATE TABLE IF NOT EXISTS hs_list(
  id INTEGER PRIMARY KEY, doc TEXT NOT NULL, deleted INTEGER, members TEXT NOT NULL)
"""
_KINDS = ("MANUAL", "DYNAMIC", "SNAPSHOT")


def create_table(world: World) -> None:
    """Create the table."""
    world.db.execute(TABLE)


def _row(portal: Portal, call: Call, *, deleted: bool = False) -> Any:
    found = portal.world.db.execute(
        "SELECT * FROM hs_list WHERE id=? AND (deleted IS NOT NULL)=?", (call.parts[0], deleted)
    ).fetchone()
    horizon = portal.store.now() - BIN_DAYS * DAY
    if found is None or (deleted and found["deleted"] < horizon):
        raise Refusal(404, "OBJECT_NOT_FOUND", f"List does not exist with ID {call.parts[0]}.")
    return found


def _shown(row: Any) -> dict[str, Any]:
    own = {"listId": str(row["id"]), "size": len(json.loads(row["members"]))}
    gone = {} if row["deleted"] is None else {"deletedAt": iso(row["deleted"])}
    shown: dict[str, Any] = json.loads(row["doc"]) | own | gone
    return shown


def create(portal: Portal, call: Call) -> Reply:
    """POST /lists."""
    body = call.body()
    for key in ("name", "objectTypeId", "processingType"):
        if not body.get(key):
            raise invalid(f"Some required fields were not set: [{key}]")
    if body["processingType"] not in _KINDS:
        raise invalid(f"processingType must be one of {list(_KINDS)}")
    now = iso(portal.store.now())
    doc = {
        "name": str(body["name"]),
        "objectTypeId": object_type(str(body["objectTypeId"])).type_id,
        "processingType": body["processingType"],
        "processingStatus": "COMPLETE",
        "listVersion": 1,
        "createdAt": now,
        "updatedAt": now,
    }
    made = portal.world.db.execute(
        "INSERT INTO hs_list(doc, members) VALUES (?, '[]')", (json.dumps(doc),)
    )
    row = portal.world.db.execute("SELECT * FROM hs_list WHERE id=?", (made.lastrowid,)).fetchone()
    return Reply.of(200, {"list": _shown(row)})


def one(portal: Portal, call: Call) -> Reply:
    """GET /lists/{id}."""
    return Reply.of(200, {"list": _shown(_row(portal, call))})


def several(portal: Portal, call: Call) -> Reply:
    """GET /lists?listIds=."""
    ids = call.request.many("listIds")
    marks = ",".join("?" * len(ids))
    rows = portal.world.db.execute(
        f"SELECT * FROM hs_list WHERE deleted IS NULL AND id IN ({marks})", ids
    )
    return Reply.of(200, {"lists": [_shown(row) for row in rows]})


def search(portal: Portal, call: Call) -> Reply:
    """POST /lists/search, by a part of the name."""
    body = call.body()
    part, offset, count = str(body.get("query") or ""), body.get("offset") or 0, body.get("count")
    rows = portal.world.db.execute("SELECT * FROM hs_list WHERE deleted IS NULL ORDER BY id")
    found = [each for each in map(_shown, rows) if part.lower() in each["name"].lower()]
    page = found[int(offset) : int(offset) + int(count or 20)]
    reached = int(offset) + len(page)
    answer = {"lists": page, "offset": reached, "hasMore": reached < len(found)}
    return Reply.of(200, answer | {"total": len(found)})


def delete(portal: Portal, call: Call) -> Reply:
    """DELETE /lists/{id}."""
    row = _row(portal, call)
    portal.world.db.execute(
        "UPDATE hs_list SET deleted=? WHERE id=?", (portal.store.now(), row["id"])
    )
    return Reply(204)


def restore(portal: Portal, call: Call) -> Reply:
    """PUT /lists/{id}/restore, within 90 days."""
    row = _row(portal, call, deleted=True)
    portal.world.db.execute("UPDATE hs_list SET deleted=NULL WHERE id=?", (row["id"],))
    return Reply(204)


def memberships(portal: Portal, call: Call) -> Reply:
    """GET /lists/{id}/memberships: up to 250 a page."""
    limit = call.whole("limit", 100, 250)
    after = call.request.one("after") or "0"
    members = json.loads(_row(portal, call)["members"])
    start = int(after) if after.isdigit() else 0
    page = members[start : start + limit]
    body: dict[str, Any] = {"results": page}
    if start + limit < len(members):
        body["paging"] = {"next": {"after": str(start + limit)}}
    return Reply.of(200, body)


def add(portal: Portal, call: Call) -> Reply:
    """PUT /lists/{id}/memberships/add: ids of records."""
    return _change(portal, call, adding=True)


def remove(portal: Portal, call: Call) -> Reply:
    """PUT /lists/{id}/memberships/remove: ids of records."""
    return _change(portal, call, adding=False)


def _change(portal: Portal, call: Call, *, adding: bool) -> Reply:
    row, given = _row(portal, call), call.json()
    if not isinstance(given, list):
        raise invalid("Invalid input JSON: a list of record ids is expected")
    if json.loads(row["doc"])["processingType"] == "DYNAMIC":
        raise invalid("The memberships of a dynamic list cannot be changed")
    now = iso(portal.store.now())
    asked = list(dict.fromkeys(str(each) for each in given))
    kind = object_type(json.loads(row["doc"])["objectTypeId"])
    known = {str(id_) for id_ in portal.store.many(kind, [int(i) for i in asked if i.isdigit()])}
    held = {each["recordId"]: each for each in json.loads(row["members"])}
    missing = [id_ for id_ in asked if id_ not in known]
    changed = [id_ for id_ in asked if id_ in known and (id_ in held) != adding]
    for id_ in changed:
        if adding:
            held[id_] = {"recordId": id_, "membershipTimestamp": now}
        else:
            del held[id_]
    portal.world.db.execute(
        "UPDATE hs_list SET members=? WHERE id=?", (json.dumps(list(held.values())), row["id"])
    )
    key = "recordsIdsAdded" if adding else "recordIdsRemoved"
    return Reply.of(200, {key: changed, "recordIdsMissing": missing})
