"""Files behind base64 fields: /sobjects/X/{id}/{field}."""

import base64

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.refusal import Refusal, not_found
from crmtrail.sandbox.salesforce.schema import SObject

DEPTH = 2
"""Segments behind the object's name: an id and a field."""


def is_blob(sobject: SObject, rest: tuple[str, ...]) -> bool:
    """Whether the path behind an object's name leads to a file."""
    field = sobject.by_name.get(rest[-1].lower()) if len(rest) == DEPTH else None
    return field is not None and field.type == "base64"


def blob(editing: Editing, call: Call, sobject: SObject, rest: tuple[str, ...]) -> Reply:
    """Answer with the bytes a base64 field holds.

    Raises:
        Refusal: no such record, no file there, or asked within a composite request.
    """
    call.must_be("GET")
    field = call.view.field(sobject, rest[1])
    if call.nested:
        raise Refusal(
            "INVALID_INPUT", "Blob retrieval is not supported within a composite request."
        )
    row = editing.row(sobject, rest[0])
    if field is None or row[field.name] is None:
        raise not_found()
    kind = str(
        row.get("LogFileContentType") or row.get("ContentType") or "application/octet-stream"
    )
    return Reply(200, base64.b64decode(row[field.name]), {"Content-Type": kind})
