"""Which scopes a token needs: any one of those named suffices."""

from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.portal import Call
from crmtrail.sandbox.hubspot.refusal import Refusal, invalid, missing_scopes
from crmtrail.sandbox.hubspot.switches import Switches

_OWN = ("contacts", "companies", "deals", "line_items", "products", "quotes", "leads")
_ACTIVITIES = ("calls", "emails", "meetings", "notes", "tasks")
_READS = ("/search", "/read")


def object_scope(kind: ObjectType, verb: str) -> str:
    """Return the scope to ``read`` or ``write`` records of an object."""
    if kind.name == "tickets":
        return "tickets"
    if kind.name in _OWN:
        return f"crm.objects.{kind.name}.{verb}"
    part = "contacts" if kind.name in _ACTIVITIES else "custom"
    return f"crm.objects.{part}.{verb}"


def schema_scopes(kind: ObjectType, verb: str) -> tuple[str, ...]:
    """Return the scopes of which one is needed for the definitions of an object."""
    own = object_scope(kind, verb)
    return (own,) if own == "tickets" else (own.replace("objects", "schemas"), own)


def _account(path: str, _: Call, __: str) -> tuple[str, ...]:
    return ("account-info.security.read",) if "/activity/" in path else ()


def _people(path: str, _: Call, __: str) -> tuple[str, ...]:
    return ("settings.users.teams.read",) if path.endswith("/teams") else ("settings.users.read",)


def _objects(_: str, call: Call, verb: str) -> tuple[str, ...]:
    if not call.parts:  # the limits of all associations belong to no object
        return ()
    return (object_scope(object_type(call.parts[0]), verb),)


def _definitions(_: str, call: Call, verb: str) -> tuple[str, ...]:
    return schema_scopes(object_type(call.parts[0]), verb)


def _lists(_: str, __: Call, verb: str) -> tuple[str, ...]:
    return (f"crm.lists.{verb}",)


def _schemas(_: str, __: Call, verb: str) -> tuple[str, ...]:
    return f"crm.schemas.custom.{verb}", f"crm.objects.custom.{verb}"


def _consent(path: str, _: Call, verb: str) -> tuple[str, ...]:
    if "/batch/" in path:
        return (f"communication_preferences.statuses.batch.{verb}",)
    both = "communication_preferences.read_write"
    return (both,) if verb == "write" else ("communication_preferences.read", both)


_FAMILIES = {
    "communication-preferences": _consent,
    "objects": _objects,
    "associations": _objects,
    "properties": _definitions,
    "property-validations": _definitions,
    "pipelines": _definitions,
    "crm-object-schemas": _schemas,
    "owners": lambda _, __, ___: ("crm.objects.owners.read",),
    "imports": lambda _, __, ___: ("crm.import",),
    "users": _people,
    "lists": _lists,
    "account-info": _account,
}


def require(path: str, call: Call, switches: Switches) -> None:
    """Refuse a call whose token lacks the scope of what it asks for.

    ``path`` is the path with its version taken out.

    Raises:
        Refusal: 403 MISSING_SCOPES, or that the maker of the app has left.
    """
    if call.app.id == switches.orphaned and path.startswith("/objects/"):
        message = "The user who made this app does not have permissions to perform this action"
        raise Refusal(403, "USER_DOES_NOT_HAVE_PERMISSIONS", message)
    reading = call.request.method == "GET" or path.endswith(_READS)
    associating = "/associations/" in path and not reading
    # Only 2026-09 asks what the user behind the token may do.
    asked = associating and call.version == "2026-09" and call.app.oauth
    if asked and not switches.edit_associations:
        raise invalid("Missing 'Edit Associations' permission.")
    needed = _FAMILIES.get(path.split("/")[1])
    if needed is None:
        return
    try:
        any_of = needed(path, call, "read" if reading else "write")
    except Refusal:
        return  # an object that is none: the route says so better
    if any_of and not call.app.scopes & set(any_of):
        refusal = missing_scopes(*any_of)
        if switches.scopes_in_context:
            refusal.errors, refusal.context = [], {"missingScopes": list(any_of)}
        raise refusal
