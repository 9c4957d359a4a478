"""Records as JSON, with the properties, history and associations asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call, Portal
from crmtrail.sandbox.hubspot.records import CALCULATED, Entry, Record
from crmtrail.sandbox.hubspot.refusal import invalid
from crmtrail.sandbox.hubspot.schema import Property
from crmtrail.sandbox.hubspot.values import iso

_MAY_BE_ABSENT = {"sourceId", "sourceLabel", "updatedByUserId"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for: property names, names with history, associated objects."""

    properties: Sequence[str] = ()
    history: Sequence[str] = ()
    associations: Sequence[str] = ()

    @classmethod
    def of_query(cls, call: Call) -> "Wanted":
        """Read the query of a list or a single read."""
        many = call.request.many
        return cls(many("properties"), many("propertiesWithHistory"), many("associations"))

    @classmethod
    def of_body(cls, body: dict[str, Any]) -> "Wanted":
        """Read the body of a batch read.

        Raises:
            Refusal: 400, a list of names is something else.
        """
        return cls(names(body, "properties"), names(body, "propertiesWithHistory"))


def names(body: dict[str, Any], key: str) -> list[str]:
    """Return a list of texts from a body.

    Raises:
        Refusal: 400, it is something else.
    """
    found = body.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise invalid(f"Invalid input JSON: {key} must be a list of texts")
    return found


class Renderer:
    """Shows records of one object type to one reader."""

    def __init__(self, portal: Portal, call: Call, kind: ObjectType, wanted: Wanted) -> None:
        self._portal = portal
        self._kind = kind
        self._wanted = wanted
        self._scopes = call.app.scopes
        self._newer = call.version != "v3"
        system = ("createdate", "hs_createdate", "hs_object_id", kind.stamp)
        asked = wanted.properties or kind.defaults
        self._names = self._visible(dict.fromkeys((*asked, *system)))
        self._history = self._visible(dict.fromkeys(wanted.history))

    def _visible(self, asked: Iterable[str]) -> list[str]:
        """Keep what is defined and not hidden from this app; the rest is silently absent."""
        definitions = [self._portal.schema.live(self._kind.name, name) for name in asked]
        return [each.name for each in definitions if each is not None and self._may_see(each)]

    def _may_see(self, definition: Property) -> bool:
        if definition.sensitivity == "non_sensitive":
            return True
        scope = f"crm.objects.{self._kind.name}.{definition.sensitivity}.read.v2"
        return scope in self._scopes

    def show(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Return records as JSON objects, in the order given."""
        shown = [self._one(record) for record in records]
        if self._history:
            versions = self._portal.store.histories(self._kind, records)
            for record, each in zip(records, shown, strict=True):
                each["propertiesWithHistory"] = {
                    name: self._entries(record, name, versions[record.id].get(name, []))
                    for name in self._history
                }
        for alias in self._wanted.associations:
            self._associate(records, shown, object_type(alias))
        return shown

    def value(self, record: Record, name: str) -> str | None:
        """Return one value as read: text, or None when empty."""
        if name == "hs_object_id":
            return str(record.id)
        if name == self._kind.stamp:
            return iso(record.modified)
        return record.values.get(name)

    def _one(self, record: Record) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": str(record.id),
            "properties": {name: self.value(record, name) for name in self._names},
            "createdAt": iso(record.created),
            "updatedAt": iso(record.modified),
            "archived": record.archived is not None,
        }
        if record.archived is not None:
            shown["archivedAt"] = iso(record.archived)
        if self._newer:
            path = f"{self._portal.people.portal}/record/{self._kind.type_id}/{record.id}"
            shown["url"] = f"https://app.hubspot.com/contacts/{path}"
        return shown

    def _entries(self, record: Record, name: str, stored: list[Entry]) -> list[dict[str, Any]]:
        """Return the versions of a property, newest first, cut to what HubSpot keeps."""
        switches = self._portal.switches
        if record.archived is not None and not switches.archived_history:
            return []
        versions = stored
        if name in ("hs_object_id", self._kind.stamp):
            at = record.created if name == "hs_object_id" else record.modified
            versions = [Entry(self.value(record, name) or "", at, CALCULATED)]
        elif not stored and name in record.values:
            versions = [self._portal.writer.implicit(record, name)]
        shown = [_entry(version) for version in versions[: self._kind.history]]
        for entry in shown:
            if switches.cleared_as_null and entry["value"] == "":
                entry["value"] = None
            if not switches.null_sources:
                for key in _MAY_BE_ABSENT & {key for key in entry if entry[key] is None}:
                    del entry[key]
        return shown

    def _associate(
        self, records: Sequence[Record], shown: list[dict[str, Any]], to: ObjectType
    ) -> None:
        found = self._portal.writer.links.of(self._kind, [each.id for each in records], to)
        for record, each in zip(records, shown, strict=True):
            if linked := found.get(record.id):
                type_ = f"{self._kind.singular}_to_{to.singular}"
                results = [{"id": str(id_), "type": type_} for id_ in linked]
                each.setdefault("associations", {})[to.name] = {"results": results}


def _entry(version: Entry) -> dict[str, Any]:
    origin = version.origin
    return {
        "value": version.value,
        "timestamp": iso(version.at),
        "sourceType": origin.type,
        "sourceId": origin.id,
        "sourceLabel": origin.label,
        "updatedByUserId": origin.user,
    }
