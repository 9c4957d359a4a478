"""Merge and deletion for privacy."""

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.hubspot import objects
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal, writing
from crmtrail.sandbox.hubspot.records import Entry, Origin, Record
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, not_found
from crmtrail.sandbox.hubspot.render import Renderer, Wanted
from crmtrail.sandbox.hubspot.values import iso
from crmtrail.sandbox.hubspot.writing import Writing

_V3_KINDS = ("contacts", "companies", "deals", "tickets")
_SOURCES = {"contacts": "MERGE_CONTACTS", "companies": "MERGE_COMPANIES"}
_STAMPED = (
    "createdate", "hs_createdate", "hs_merged_object_ids", "hs_calculated_merged_vids",
    "hs_additional_emails",
)  # fmt: skip
_IDENTITIES = 250
"""How many records may go into one."""


def merge(portal: Portal, call: Call) -> Reply:
    """POST /objects/{type}/merge; v3 knows it for four types, the dated versions for all."""
    kind = object_type(call.parts[0])
    if call.version == "v3" and kind.name not in _V3_KINDS:
        raise not_found()
    objects.may_write(call, kind)
    body = call.body()
    found = []
    for key in ("primaryObjectId", "objectIdToMerge"):
        record = objects.find(portal, kind, body.get(key, ""), None)
        if record is None or record.archived is not None:
            raise not_found()
        found.append(record)
    if found[0].id == found[1].id:
        raise invalid("Cannot merge a record into itself")
    survivor = join(portal, found[0], found[1], writing(portal, call))
    return Reply.of(200, Renderer(portal, call, kind, Wanted()).show([survivor])[0])


def join(portal: Portal, primary: Record, other: Record, by: Writing) -> Record:
    """Merge two records into a new one; both old ids stand for it from now on.

    The primary's values stay, the other's fill what it left empty, the histories are merged.
    """
    store, kind = portal.store, primary.kind
    survivor = _survivor(portal, primary, other, by)
    entries = _merged_history(portal, primary, other, survivor, by)
    for old in (primary, other):
        if old.id == survivor.id:
            store.drop_history(old)
            continue
        portal.writer.links.move(kind, old.id, survivor.id)
        store.erase(kind, old.id)
        store.alias(kind, old.id, survivor.id)
        into: dict[str, str | None] = {"merged_into": str(survivor.id)}
        portal.writer.note(old, "merge_away", (old.values, into), by)
    store.note_emails(survivor)
    store.write_entries(survivor, entries)
    store.put(survivor, by.at, fresh=True)
    portal.writer.note(survivor, "merge", ({}, survivor.values), by)
    moved = sum(1 for name in other.values if name not in primary.values)
    portal.writer.tell_merge(survivor, primary.id, [primary.id, other.id], moved, by)
    portal.writer.recount(kind, [survivor.id], by.at)
    return store.get(kind, survivor.id) or survivor


def _survivor(portal: Portal, primary: Record, other: Record, by: Writing) -> Record:
    keep = portal.switches.preserve_primary
    id_ = primary.id if keep else portal.store.new_id()
    values = other.values | primary.values
    created = min(primary.created, other.created)
    values["hs_merged_object_ids"] = ";".join(_merged_ids(primary) + _merged_ids(other))
    if len(values["hs_merged_object_ids"].split(";")) > _IDENTITIES:
        raise Refusal(414, "VALIDATION_ERROR", "Cannot have more than 250 identities on a profile")
    if primary.kind.name == "contacts":
        if emails := _other_emails(primary, other):
            values["hs_additional_emails"] = ";".join(emails)
        values["hs_calculated_merged_vids"] = f"{primary.id}:{by.at};{other.id}:{by.at}"
    if "createdate" in values:
        values["createdate"] = iso(created)
    return Record(primary.kind, id_, created, by.at, primary.origin, values)


def _other_emails(primary: Record, other: Record) -> list[str]:
    """Return all e-mails but the primary's own: they lead to the survivor, too."""
    held = [record.values.get("hs_additional_emails", "").split(";") for record in (primary, other)]
    if "email" in primary.values:
        held.append([other.values.get("email", "")])
    return sorted({each for emails in held for each in emails if each})


def _merged_ids(record: Record) -> list[str]:
    """Return all ids that went into a record, its own last."""
    earlier = record.values.get("hs_merged_object_ids", "")
    return [*filter(None, earlier.split(";")), str(record.id)]


def _merged_history(
    portal: Portal, primary: Record, other: Record, survivor: Record, by: Writing
) -> dict[str, list[Entry]]:
    """Return the versions of both records, oldest first, ending in the value that stays."""
    origin = Origin(_SOURCES.get(primary.kind.name, "MERGE_OBJECTS"), None, None, by.source.user)
    stored = portal.store.histories(primary.kind, [primary, other])
    merged: dict[str, list[Entry]] = {}
    for name in sorted({*primary.values, *other.values, *stored[primary.id], *stored[other.id]}):
        if name in _STAMPED:
            continue
        versions = []
        for record in (primary, other):
            own = stored[record.id].get(name, [])
            if not own and name in record.values:
                own = [portal.writer.implicit(record, name)]
            versions += own[::-1]
        versions.sort(key=lambda entry: entry.at)
        value = survivor.values.get(name, "")
        if versions[-1].value != value or primary.values.get(name) != value:
            versions.append(Entry(value, by.at, origin))
        merged[name] = versions
    for name in ("hs_merged_object_ids", "hs_additional_emails"):
        if name in survivor.values:
            merged[name] = [Entry(survivor.values[name], by.at, origin)]
    return merged


def gdpr_delete(portal: Portal, call: Call) -> Reply:
    """POST /objects/contacts/gdpr-delete: gone for good; the e-mail cannot come back."""
    kind = object_type(call.parts[0])
    if kind.name != "contacts":
        raise not_found()
    objects.may_write(call, kind)
    body = call.body()
    by_email = body.get("idProperty") == "email"
    key = str(body.get("objectId", ""))
    record = objects.find(portal, kind, key, "email" if by_email else None)
    if record is None and not by_email:
        raise not_found()
    if by_email:
        portal.store.block(key)
    if record is not None:
        forget(portal, record, writing(portal, call))
    return Reply(204)


def forget(portal: Portal, record: Record, by: Writing) -> None:
    """Delete a contact for privacy and block its e-mail."""
    others = record.values.get("hs_additional_emails", "").split(";")
    for email in filter(None, (record.values.get("email"), *others)):
        portal.store.block(email)
    portal.writer.erase(record, by, "gdpr_delete")
