"""Single records: list, get, create, update, archive."""

from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import rules
from crmtrail.sandbox.hubspot.calculation import LOCKED_STATES
from crmtrail.sandbox.hubspot.object_types import OBJECT_TYPES, ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal, writing
from crmtrail.sandbox.hubspot.records import Record
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, missing_scopes, not_found
from crmtrail.sandbox.hubspot.render import Renderer, Wanted
from crmtrail.sandbox.hubspot.scopes import object_scope
from crmtrail.sandbox.hubspot.validate import Checked, Validator
from crmtrail.sandbox.hubspot.writing import Writing

_PAGE = 100
_PAGE_WITH_HISTORY = 50
_DEFAULTS = {
    "contacts": {"lifecyclestage": "lead"},
    "deals": {"pipeline": "default"},
    "tickets": {"hs_pipeline": "0"},
}
"""What the portal sets on new records that come without."""


def may_write(call: Call, kind: ObjectType) -> None:
    """Refuse an app without the write scope of an object.

    Raises:
        Refusal: 403 MISSING_SCOPES.
    """
    scope = object_scope(kind, "write")
    if scope not in call.app.scopes:
        raise missing_scopes(scope)


def find(portal: Portal, kind: ObjectType, key: object, id_property: str | None) -> Record | None:
    """Return a record by id or by the value of a unique property, archived or not.

    Raises:
        Refusal: 400, the property is not unique.
    """
    text = str(key)
    if id_property and id_property != "hs_object_id":
        definition = portal.schema.live(kind.name, id_property)
        if definition is None or not definition.doc["hasUniqueValue"]:
            raise invalid(f"Property '{id_property}' is not a unique property of {kind.label}")
        return portal.store.by_value(kind, id_property, text)
    return portal.store.get(kind, int(text)) if text.isdigit() else None


def _active(portal: Portal, call: Call, kind: ObjectType) -> Record:
    record = find(portal, kind, call.parts[1], call.request.one("idProperty"))
    if record is None or record.archived is not None:
        raise not_found()
    return record


def list_page(portal: Portal, call: Call) -> Reply:
    """GET /objects/{type}."""
    kind = object_type(call.parts[0])
    wanted = Wanted.of_query(call)
    most = _PAGE_WITH_HISTORY if wanted.history else _PAGE
    limit = call.whole("limit", 10, most)
    text = call.request.one("after") or "0"
    if not text.isdigit():
        raise invalid("The after cursor is not valid")
    portal.store.purge_bin()
    after, archived = int(text), call.flag("archived")
    if archived and portal.switches.bin_by_time:
        found = portal.store.bin_by_time(kind, after, limit + 1)
        cursor = str(after + limit) if len(found) > limit else None
    else:
        found = portal.store.page(kind, after, limit + 1, archived=archived)
        cursor = str(found[limit - 1].id) if len(found) > limit else None
    shown = found[:limit]
    if portal.switches.short_pages and len(found) > 1 and not portal.switches.bin_by_time:
        shown, cursor = _shorten(portal, found, shown, cursor)
    body: dict[str, Any] = {"results": Renderer(portal, call, kind, wanted).show(shown)}
    if cursor is not None:
        body["paging"] = paging(call, cursor)
    return Reply.of(200, body)


def _shorten(
    portal: Portal, found: list[Record], shown: list[Record], cursor: str | None
) -> tuple[list[Record], str | None]:
    """Underfill some pages, and leave some empty, with a cursor that is valid all the same."""
    portal.switches.pages += 1
    turn = portal.switches.pages % 4
    if turn == 1:
        kept = shown[: max(1, len(shown) // 2)]
        return (kept, str(kept[-1].id)) if len(kept) < len(found) else (shown, cursor)
    if turn == 3:  # noqa: PLR2004 -- one page in four is empty
        return [], str(found[0].id - 1)
    return shown, cursor


def paging(call: Call, cursor: str) -> dict[str, Any]:
    """Return the paging block that leads to the next page."""
    path = call.request.target.partition("?")[0]
    link = f"https://api.hubapi.com{path}?after={cursor}"
    return {"next": {"after": cursor, "link": link}}


def get(portal: Portal, call: Call) -> Reply:
    """GET /objects/{type}/{id}."""
    kind = object_type(call.parts[0])
    portal.store.purge_bin()
    record = find(portal, kind, call.parts[1], call.request.one("idProperty"))
    if record is None or (record.archived is not None) != call.flag("archived"):
        raise not_found()
    return Reply.of(200, Renderer(portal, call, kind, Wanted.of_query(call)).show([record])[0])


def written(portal: Portal, call: Call, record: Record, checked: Checked) -> dict[str, Any]:
    """Return a record as a write answers: the values written and the system's own."""
    wanted = Wanted([*record.kind.defaults, *checked.values, *_CREATION])
    shown = Renderer(portal, call, record.kind, wanted).show([record])[0]
    if checked.warnings and call.version != "v3":
        shown["warnings"] = checked.warnings
    return shown


_CREATION = ("hs_object_source", "hs_object_source_id", "hs_object_source_label")


def check_new(portal: Portal, call: Call, kind: ObjectType, given: object) -> Checked:
    """Check the values of a record to be made, and that no other record holds its handle.

    Raises:
        Refusal: 400, 409.
    """
    defaults = _DEFAULTS.get(kind.name, {})
    validator = Validator(portal.schema, portal.people)
    # A default is set on what comes without: it is no stage to move back from.
    told = given if isinstance(given, dict) else {}
    current = {name: value for name, value in defaults.items() if name not in told}
    checked = validator.check(kind, given, call.version, current=current)
    rules.enforce(portal, call, kind, checked, None)
    checked.require()
    refuse_taken(portal, kind, checked, None)
    for name, value in defaults.items():
        checked.values.setdefault(name, value)
    return checked


def check_change(portal: Portal, call: Call, record: Record, given: object) -> Checked:
    """Check the values of a change; the flaws are in the answer.

    Raises:
        Refusal: 400, the values are no JSON object of texts, or the quote is published.
    """
    kind, current = record.kind, record.values
    validator = Validator(portal.schema, portal.people)
    checked = validator.check(kind, given, call.version, current=current)
    rules.enforce(portal, call, kind, checked, current)
    locked = kind.name == "quotes" and current.get("hs_status") in LOCKED_STATES
    recalled = checked.values.get("hs_status", "APPROVED") not in LOCKED_STATES
    if portal.switches.quote_lock and locked and checked.values and not recalled:
        raise invalid(f"Quote {record.id} is published and cannot be edited")
    return checked


def refuse_taken(portal: Portal, kind: ObjectType, checked: Checked, record: Record | None) -> None:
    """Refuse a unique value that another active record holds.

    Raises:
        Refusal: 409 CONFLICT with the holder's id, 400 for an e-mail on the privacy blocklist.
    """
    definitions = portal.schema.properties(kind.name)
    for name, value in checked.values.items():
        if value == "" or not definitions[name].doc["hasUniqueValue"]:
            continue
        holder = portal.store.by_value(kind, name, value)
        if holder is not None and (record is None or holder.id != record.id):
            message = f"{kind.singular.capitalize()} already exists. Existing ID: {holder.id}"
            raise Refusal(409, "CONFLICT", message)
        if name == "email" and portal.store.is_blocked(value):
            raise invalid("The email address was deleted for privacy reasons and is blocklisted")


def create(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}."""
    kind = object_type(call.parts[0])
    may_write(call, kind)
    body = call.body()
    checked = check_new(portal, call, kind, body.get("properties"))
    record = make(portal, kind, checked, body.get("associations") or [], writing(portal, call))
    return Reply.of(201, written(portal, call, record, checked))


def make(
    portal: Portal, kind: ObjectType, checked: Checked, associations: list[Any], by: Writing
) -> Record:
    """Create a record with its associations.

    Raises:
        Refusal: 400, an association leads nowhere or has an unknown type.
    """
    record = portal.writer.create(kind, checked.values, by)
    for wish in associations:
        to_id = str((wish.get("to") or {}).get("id", ""))
        for type_ in wish.get("types") or []:
            to = _target(portal, kind, type_)
            target = find(portal, to, to_id, None)
            if target is None or target.archived is not None:
                bad = f"{to.label}={to_id} is not valid"
                raise invalid("Some associated records are not valid", INVALID_OBJECT_IDS=[bad])
            category = str(type_.get("associationCategory") or "")
            portal.writer.associate(record, target, int(type_["associationTypeId"]), by, category)
    return portal.store.get(kind, record.id) or record


def _target(portal: Portal, kind: ObjectType, type_: dict[str, Any]) -> ObjectType:
    number = int(type_.get("associationTypeId") or 0)
    category = str(type_.get("associationCategory") or "")
    types = portal.writer.links.types
    for to in OBJECT_TYPES:
        if types.find(kind.name, to.name, number, category) is not None:
            return to
    raise invalid(f"Association type {category} {number} does not exist for {kind.label}")


def update(portal: Portal, call: Call) -> Reply:
    """PATCH /objects/{type}/{id}."""
    kind = object_type(call.parts[0])
    may_write(call, kind)
    record = _active(portal, call, kind)
    checked = check_change(portal, call, record, call.body().get("properties")).require()
    refuse_taken(portal, kind, checked, record)
    portal.writer.change(record, checked.values, writing(portal, call))
    return Reply.of(200, written(portal, call, record, checked))


def archive(portal: Portal, call: Call) -> Reply:
    """DELETE /objects/{type}/{id}; archiving what is archived already is no mistake."""
    kind = object_type(call.parts[0])
    may_write(call, kind)
    record = find(portal, kind, call.parts[1], None)
    if record is None:
        raise not_found()
    portal.writer.archive(record, writing(portal, call))
    return Reply(204)
