"""What Salesforce refuses, in its words, and the shapes in which it says so."""

from collections.abc import Mapping, Sequence
from typing import Any

from crmtrail.sandbox.http import Reply

UNAUTHORIZED = 401


class Refusal(Exception):
    """A request, or one row of it, that Salesforce does not carry out.

    ``whole`` marks what the vendor finds while it reads the body: it refuses the whole request,
    even if the body holds many rows.
    """

    def __init__(
        self,
        code: str,
        message: str,
        fields: Sequence[str] | None = None,
        *,
        status: int = 400,
        whole: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = None if fields is None else list(fields)
        self.status = status
        self.whole = whole
        self.more = dict(more or {})

    def body(self) -> list[dict[str, Any]]:
        """Return the list a single-record resource answers with."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = self.fields
        return [self.more | error]

    def reply(self) -> Reply:
        """Return the HTTP answer."""
        return Reply.of(self.status, self.body())

    def item(self) -> dict[str, Any]:
        """Return the entry of a collection's answer; it carries no id."""
        error = {"statusCode": self.code, "message": self.message, "fields": self.fields or []}
        return {"success": False, "errors": [self.more | error]}


def xml_refusal() -> Reply:
    """Make the answer to a wrong token where the request does not speak JSON."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><response>'
        "<faultcode>LOGIN_OAUTH_INVALID_TOKEN</faultcode>"
        "<message>Invalid OAuth access token</message></response>"
    )
    return Reply(
        UNAUTHORIZED,
        body.encode(),
        {"Content-Type": "application/xml", "Sfdc-OAuth-Error": "LOGIN_OAUTH_INVALID_TOKEN"},
    )


def not_found() -> Refusal:
    """Make the refusal for a resource or record that never was or is purged."""
    return Refusal("NOT_FOUND", "The requested resource does not exist", status=404)


def deleted() -> Refusal:
    """Make the refusal for a record in the recycle bin."""
    return Refusal("ENTITY_IS_DELETED", "entity is deleted", [], status=404)


def no_column(field: str, sobject: str) -> Refusal:
    """Make the refusal for a field the object lacks or the user may not see."""
    return Refusal(
        "INVALID_FIELD", f"No such column '{field}' on sobject of type {sobject}", whole=True
    )


def unparsable(message: str) -> Refusal:
    """Make the refusal for a body that cannot be read into records."""
    return Refusal("JSON_PARSER_ERROR", message, whole=True)


def busy(id_: str) -> Refusal:
    """Make the refusal for a row that another transaction holds."""
    return Refusal(
        "UNABLE_TO_LOCK_ROW",
        f"unable to obtain exclusive access to this record or 1 records: {id_}",
        [],
    )


ROLLED_BACK = Refusal(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using"
    " AllOrNone header",
    [],
)
