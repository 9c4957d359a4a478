"""Search over the index, which may lag behind the records."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import filters
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.records import Origin, record_of
from crmtrail.sandbox.hubspot.refusal import invalid
from crmtrail.sandbox.hubspot.render import Renderer, Wanted, names

BODY = 3_000
"""The most characters in a search body."""
WINDOW = 10_000
"""How many results of one search can be paged through."""
_MOST = 200
_QUERIED = {
    "contacts": ("firstname", "lastname", "email", "phone", "company"),
    "companies": ("name", "domain", "website", "phone"),
    "deals": ("dealname", "description"),
    "tickets": ("subject", "content"),
    "products": ("name", "hs_sku", "description"),
    "line_items": ("name", "hs_sku", "description"),
    "quotes": ("hs_title",),
}
_MERGED = {"hs_merged_object_ids"}
_LIVE = "SELECT id, created, modified, handle, origin, doc FROM hs_record"


def search(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/search."""
    kind = object_type(call.parts[0])
    if len(call.request.body.decode("utf-8", "replace")) > BODY:
        raise invalid(f"The request body is too long: at most {BODY} characters are allowed")
    body = call.body()
    limit, offset = _paging(body)
    ids = filters.ID_AS_TEXT if portal.switches.ids_as_text else filters.ID
    condition = filters.where(portal.schema, kind, body.get("filterGroups") or [], ids)
    condition = _with_query(condition, kind, body.get("query"))
    order = _order(portal, kind, body.get("sorts") or [])
    rows, total = _rows(portal, kind, condition, f"{order} LIMIT {limit} OFFSET {offset}")
    wanted = Wanted(names(body, "properties"))
    results = Renderer(portal, call, kind, wanted).show([record_of(kind, row) for row in rows])
    if portal.switches.hide_merged_ids:
        for each in results:
            each["properties"] |= dict.fromkeys(_MERGED & set(each["properties"]))
    answer: dict[str, Any] = {"total": total, "results": results}
    reached = offset + limit
    if portal.switches.short_pages and len(results) > 1 and reached < total:
        # An underfilled page skips nothing: the next offset counts what was shown.
        del results[len(results) // 2 :]
        reached = offset + len(results)
    if reached < total:
        answer["paging"] = {"next": {"after": str(reached)}}
    return Reply.of(200, answer)


def _paging(body: dict[str, Any]) -> tuple[int, int]:
    limit, after = body.get("limit", 10), body.get("after") or 0
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit <= _MOST:
        raise invalid(f"limit must be at most {_MOST}, but was {limit}")
    if not str(after).isdigit():
        raise invalid(f"after must be a whole number, but was {after}")
    if int(after) + limit > WINDOW:
        raise invalid(f"Paging beyond {WINDOW} results of a search is not supported")
    return limit or 10, int(after)


def _with_query(condition: filters.Condition, kind: ObjectType, query: object) -> filters.Condition:
    if not query:
        return condition
    tests = " OR ".join(
        f"instr(lower(json_extract(doc, '$.\"{name}\"')), ?) > 0" for name in _QUERIED[kind.name]
    )
    bound = (str(query).lower(),) * len(_QUERIED[kind.name])
    return filters.Condition(f"({condition.sql}) AND ({tests})", condition.bound + bound)


def _order(portal: Portal, kind: ObjectType, sorts: object) -> str:
    """Return the ORDER BY of at most one sort rule; without one, oldest records come first."""
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise invalid("Only one sort rule is allowed")
    if not sorts:
        return "ORDER BY id"
    rule = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": str(sorts[0])}
    name, direction = rule.get("propertyName"), rule.get("direction", "ASCENDING")
    if direction not in ("ASCENDING", "DESCENDING") or not isinstance(name, str):
        raise invalid(f"Invalid input JSON: sort rule {rule} is not valid")
    ids = filters.ID_AS_TEXT if portal.switches.ids_as_text else filters.ID
    found = filters.column(portal.schema, kind, name, ids)
    if found is None:
        return "ORDER BY id"
    down = "DESC" if direction == "DESCENDING" else "ASC"
    return f"ORDER BY {found.sql} {down}, {ids.sql} {down}"


def _rows(
    portal: Portal, kind: ObjectType, condition: filters.Condition, tail: str
) -> tuple[list[Any], int]:
    """Return one page of index rows and the number of all that match."""
    db = portal.world.db
    db.execute("DELETE FROM hs_stale WHERE until <= ?", (portal.store.now(),))
    lagging = db.execute("SELECT 1 FROM hs_stale WHERE object=?", (kind.name,)).fetchone()
    source, bound = _source(kind, lagging=lagging is not None)
    sql = f"FROM ({source}) WHERE {condition.sql}"
    total = db.execute(f"SELECT count(*) {sql}", bound + condition.bound).fetchone()[0]
    # Ids first: they come from the indexes alone, however far the offset.
    ids = [id_ for (id_,) in db.execute(f"SELECT id {sql} {tail}", bound + condition.bound)]
    marks = ",".join("?" * len(ids))
    rows = db.execute(
        f"SELECT *, NULL AS archived FROM ({source}) WHERE id IN ({marks})", (*bound, *ids)
    )
    by_id = {row["id"]: row for row in rows}
    return [by_id[id_] for id_ in ids], int(total)


def _source(kind: ObjectType, *, lagging: bool) -> tuple[str, tuple[str, ...]]:
    """Return the index as a subquery: the live records, those not yet indexed as they were."""
    live = f"{_LIVE} WHERE object=? AND archived IS NULL"
    if not lagging:
        return live, (kind.name,)
    fresh = f"{live} AND id NOT IN (SELECT id FROM hs_stale WHERE object=?)"
    old = (
        "SELECT s.id, coalesce(r.created, s.modified) AS created, s.modified, s.handle,"
        f" coalesce(r.origin, '{Origin('UNKNOWN').text()}') AS origin, s.doc"
        " FROM hs_stale s LEFT JOIN hs_record r ON r.object=s.object AND r.id=s.id"
        " WHERE s.object=? AND s.doc IS NOT NULL"
        " AND s.seq = (SELECT min(seq) FROM hs_stale t WHERE t.object=s.object AND t.id=s.id)"
    )
    return f"{fresh} UNION ALL {old}", (kind.name, kind.name, kind.name)
