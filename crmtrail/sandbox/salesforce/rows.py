"""Single records over REST: /sobjects/X and /sobjects/X/{id}."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.calls import Call, wrong_method
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.reading import Reading
from crmtrail.sandbox.salesforce.refusal import Refusal, not_found
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import table
from crmtrail.sandbox.salesforce.validate import parse

NO_CONTENT = 204
_BEGINNING = "2020-01-01T00:00:00.000+0000"


class Rows:
    """Answers for one record at a time."""

    def __init__(self, editing: Editing, reading: Reading) -> None:
        self._editing = editing
        self._reading = reading
        self._tables = editing.tables

    def create(self, call: Call, sobject: SObject) -> Reply:
        """Answer POST /sobjects/X."""
        found = parse(sobject, call.members(), call.view)
        with self._editing.records.unit(self._editing.now()):
            id_ = self._editing.create(call, sobject, found)
        where = {"Location": f"{call.base}/sobjects/{sobject.name}/{id_}"}
        return Reply.of(201, {"id": id_, "success": True, "errors": []}, where)

    def one(self, call: Call, sobject: SObject, id_: str) -> Reply:
        """Answer for /sobjects/X/{id}."""
        row = self._editing.row(sobject, id_)
        return self._for_row(call, sobject, row)

    def _for_row(self, call: Call, sobject: SObject, row: Mapping[str, Any]) -> Reply:
        if call.method == "GET":
            return self._get(call, sobject, row)
        if call.method == "PATCH":
            return self._patch(call, sobject, row)
        if call.method == "DELETE":
            with self._editing.records.unit(self._editing.now()):
                self._editing.delete(call, sobject, row)
            return Reply(NO_CONTENT)
        raise wrong_method(call, "GET", "HEAD", "PATCH", "DELETE")

    def _get(self, call: Call, sobject: SObject, row: Mapping[str, Any]) -> Reply:
        modified = _modified(row)
        headers = {"Last-Modified": moments.http_date(modified), **_tagged(sobject, row)}
        since = call.condition("if-modified-since")
        known = call.request.headers.get("if-none-match", "")
        same = "ETag" in headers and headers["ETag"] in known
        if same or (since is not None and modified <= since):
            return Reply(304, b"", headers)
        listed = call.request.one("fields")
        names = None if listed is None else [name.strip() for name in listed.split(",")]
        records = self._reading.records(sobject, [row["Id"]], call.view, call.base, names)
        return Reply.of(200, records[row["Id"]], headers)

    def _patch(self, call: Call, sobject: SObject, row: Mapping[str, Any]) -> Reply:
        found = parse(sobject, call.members(), call.view)
        unmodified(call, row, self._tables.setting("precondition", "LastModifiedDate"))
        _tag_matches(call, sobject, row)
        with self._editing.records.unit(self._editing.now()):
            self._editing.update(call, sobject, row, found)
        return Reply(NO_CONTENT)

    def by_key(self, call: Call, sobject: SObject, name: str, value: str) -> Reply:
        """Answer for /sobjects/X/{external id field}/{value}: read, upsert or delete."""
        field = call.view.field(sobject, name)
        if field is None or not (field.external or field.type == "id"):
            raise Refusal(
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {name}",
                status=404,
            )
        if field.type == "id":
            return self.one(call, sobject, value)
        found = self._tables.db.execute(
            f'SELECT "Id" FROM {table(sobject)} WHERE "{field.name}" = ? AND _deleted IS NULL',
            (value,),
        ).fetchone()
        if found is None and call.method == "PATCH":
            return self._upsert_new(call, sobject, field.name, value)
        if found is None:
            raise not_found()
        row = self._editing.row(sobject, found[0])
        answer = self._for_row(call, sobject, row)
        if call.method == "PATCH":
            told = {"id": row["Id"], "success": True, "errors": [], "created": False}
            return Reply.of(200, told)
        return answer

    def _upsert_new(self, call: Call, sobject: SObject, name: str, value: str) -> Reply:
        found = parse(sobject, call.members(), call.view) | {name: value}
        with self._editing.records.unit(self._editing.now()):
            id_ = self._editing.create(call, sobject, found)
        where = {"Location": f"{call.base}/sobjects/{sobject.name}/{quote(id_)}"}
        return Reply.of(201, {"id": id_, "success": True, "errors": [], "created": True}, where)


def _modified(row: Mapping[str, Any]) -> datetime:
    names = ("LastModifiedDate", "SystemModstamp", "CreatedDate", "LoginTime", "EventDate")
    text = next((row[name] for name in names if row.get(name)), _BEGINNING)
    return moments.parse(text)


def _tagged(sobject: SObject, row: Mapping[str, Any]) -> dict[str, str]:
    """Return the ETag header of a record. Only accounts have one."""
    if sobject.name != "Account":
        return {}
    digest = hashlib.sha256(f"{row['Id']}/{row['SystemModstamp']}".encode()).hexdigest()[:16]
    return {"ETag": f'"{digest}"'}


def _tag_matches(call: Call, sobject: SObject, row: Mapping[str, Any]) -> None:
    wanted = call.request.headers.get("if-match")
    tag = _tagged(sobject, row).get("ETag")
    if wanted is not None and tag is not None and tag not in wanted and wanted.strip() != "*":
        raise _failed()


def _failed() -> Refusal:
    return Refusal(
        "PRECONDITION_FAILED",
        "A precondition of the request failed: the record was modified",
        status=412,
    )


def unmodified(call: Call, row: Mapping[str, Any], stamp: str = "LastModifiedDate") -> None:
    """Check If-Unmodified-Since against a stamp of the record, to the second.

    The vendor's documentation names the last modified date; one other source says SystemModstamp.

    Raises:
        Refusal: 412, the record was modified later; 400, no HTTP date.
    """
    since = call.condition("if-unmodified-since")
    at = moments.parse(row[stamp]) if row.get(stamp) else _modified(row)
    if since is not None and at > since:
        raise _failed()
