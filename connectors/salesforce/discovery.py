"""Which objects of an org are worth syncing, and what of their fields this identity cannot see."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote_plus, urlsplit

import msgspec

from connectors.salesforce import soql
from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from crmtrail.errors import PermissionMissing

_NEEDS_CONDITION: Final = frozenset(
    {
        "Announcement",
        "AppTabMember",
        "CollaborationGroupRecord",
        "ColorDefinition",
        "ContentDocumentLink",
        "ContentFolderItem",
        "ContentFolderMember",
        "DataStatistics",
        "EntityParticle",
        "FieldDefinition",
        "FieldHistoryArchive",
        "FlexQueueItem",
        "FlowVariableView",
        "FlowVersionView",
        "IconDefinition",
        "IdeaComment",
        "OwnerChangeOptionInfo",
        "PicklistValueInfo",
        "PlatformAction",
        "RelationshipDomain",
        "RelationshipInfo",
        "SearchLayout",
        "SiteDetail",
        "UserEntityAccess",
        "UserFieldAccess",
        "UserRecordAccess",
        "Vote",
    }
)
_NOT_QUERIED: Final = frozenset(
    {
        "ActivityHistory",
        "AggregateResult",
        "AttachedContentDocument",
        "AttachedContentNote",
        "BulkApiResultEvent",
        "CombinedAttachment",
        "ContentBody",
        "EmailStatus",
        "LookedUpFromActivity",
        "Name",
        "NoteAndAttachment",
        "OpenActivity",
        "OwnedContentDocument",
        "ProcessInstanceHistory",
        "RecentlyViewed",
    }
)
_BY_ENDING: Final[Mapping[str, str]] = {
    "ChangeEvent": "it is a stream of events and holds no records",
    "EventStream": "it is a stream of events and holds no records",
    "__e": "it is a platform event and holds no records",
    "__b": "it is a big object: its rows can only be asked for by their index",
    "__x": "it is an external object: its records lie outside Salesforce",
    "__mdt": "it is custom metadata: name it in `objects` if it is to be kept",
}
# Trails of another object: the vendor's own copies of what we read from the object itself.
_TRAIL_ENDINGS: Final = ("History", "Feed", "Share", "Tag")
_QUERIES: Final = 5
"""How many queries a composite request takes."""


class Listed(msgspec.Struct, rename="camel"):
    """One object in the list of all objects; what is not told speaks for the object."""

    name: str
    queryable: bool = True
    replicateable: bool = True
    deprecated_and_hidden: bool = False


class Listing(msgspec.Struct):
    """The list of all objects."""

    sobjects: list[Listed]


def listed(listing: Listing) -> Sequence[str]:
    """Return the objects that ``objects: "*"`` stands for, sorted.

    Those without a feed of deletions are among them: they are polled by their stamp, and what
    went is found by a sweep.
    """
    names = {entry.name for entry in listing.sobjects}
    return sorted(entry.name for entry in listing.sobjects if not left_out(entry, names))


def left_out(entry: Listed, names: set[str]) -> str:
    """Return why an object is not synced unless it is named; empty where it is.

    ``names`` are all objects of the org. Sources: SOQL and SOSL Reference, the limits of single
    objects, and what public clients have met.
    """
    name = entry.name
    if not entry.queryable:
        return "it cannot be queried"
    if entry.deprecated_and_hidden:
        return "it belongs to a package and is retired"
    if name in _NOT_QUERIED:
        return "it can be read through its parent records only"
    if name in _NEEDS_CONDITION:
        return "it answers only to queries for single records or parents"
    for ending, why in _BY_ENDING.items():
        if name.endswith(ending):
            return why
    owner = _trails(name, names)
    return f"it trails {owner}, which is read itself" if owner else ""


def _trails(name: str, names: set[str]) -> str:
    """Return the object that another one only trails (AccountHistory, X__Share), if any."""
    for ending in _TRAIL_ENDINGS:
        if name.endswith(ending):
            owner = name.removesuffix(ending)
            owner = owner.removesuffix("Field") if owner.endswith("Field") else owner
            return next((one for one in (owner, f"{owner}c") if one in names), "")
    return ""


class _Part(msgspec.Struct, rename="camel"):
    http_status_code: int
    reference_id: str
    body: msgspec.Raw = msgspec.Raw(b"{}")


class _Composite(msgspec.Struct, rename="camel"):
    composite_response: list[_Part]


class _Definition(msgspec.Struct, rename="pascal"):
    qualified_api_name: str
    is_field_history_tracked: bool | None = None


def definitions(client: Client, objects: Sequence[str]) -> Mapping[str, Mapping[str, bool]]:
    """Return every field of some objects, hidden ones too, and whether its history is tracked.

    An object that Salesforce does not tell of is missing. Source: FieldDefinition of the Object
    Reference, where the condition on the object's name is required; five queries at most go into
    one composite request.
    """
    found: dict[str, Mapping[str, bool]] = {}
    for batch in soql.batches(objects, _QUERIES):
        answers = _together(client, batch) if len(batch) > 1 else None
        for name in batch:
            told = _alone(client, name) if answers is None else answers.get(name)
            if told:
                found[name] = told
    return found


def _query(object_: str) -> str:
    return (
        "SELECT QualifiedApiName,IsFieldHistoryTracked FROM FieldDefinition"  # noqa: S608 -- not SQL
        f" WHERE EntityDefinition.QualifiedApiName = '{object_}'"
    )


def _alone(client: Client, object_: str) -> Mapping[str, bool]:
    try:
        rows = client.query(_query(object_), deleted=False)
    except (PermissionMissing, Refusal):
        return {}
    return _told(msgspec.json.encode(rows.records))


def _together(client: Client, objects: Sequence[str]) -> Mapping[str, Mapping[str, bool]] | None:
    """Ask for some objects in one request; None where the org takes no such request."""
    root = urlsplit(client.base_url).path
    parts = [
        {
            "method": "GET",
            "url": f"{root}query/?q={quote_plus(_query(name))}",
            "referenceId": f"q{number}",
        }
        for number, name in enumerate(objects)
    ]
    order = msgspec.json.encode({"allOrNone": False, "compositeRequest": parts})
    try:
        answer = client.ask("composite", _Composite, order)
    except (PermissionMissing, Refusal):
        return None
    bodies = {
        part.reference_id: part.body
        for part in answer.composite_response
        if part.http_status_code == HTTPStatus.OK
    }
    return {
        name: _told(_records(bodies[f"q{number}"]))
        for number, name in enumerate(objects)
        if f"q{number}" in bodies
    }


def _records(body: msgspec.Raw) -> bytes:
    return bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get("records", b"[]"))


def _told(records: bytes) -> Mapping[str, bool]:
    told = msgspec.json.decode(records, type=list[_Definition])
    return {one.qualified_api_name: bool(one.is_field_history_tracked) for one in told}


def hidden(defined: Iterable[str], described: Iterable[str]) -> Sequence[str]:
    """Return the fields that an object has and its describe does not show, sorted."""
    shown = {name.casefold() for name in described}
    return sorted(name for name in defined if name.casefold() not in shown)
