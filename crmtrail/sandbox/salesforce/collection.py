"""Up to 200 records at once: /composite/sobjects."""

from collections.abc import Callable, Sequence
from typing import Any

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.calls import Call, wrong_method
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.reading import Reading
from crmtrail.sandbox.salesforce.refusal import ROLLED_BACK, Refusal, busy, unparsable
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.validate import Values, parse

MAX_RECORDS = 200
MAX_CHUNKS = 10
MAX_RETRIEVED = 2000
_Write = Callable[[], str]


class _Undo(Exception):
    """Some row failed and the request wants all or none."""


class Collections:
    """Answers for collections of records."""

    def __init__(self, editing: Editing, reading: Reading) -> None:
        self._editing = editing
        self._reading = reading

    def answer(self, call: Call) -> Reply:
        """Answer for /composite/sobjects and /composite/sobjects/X."""
        rest = call.parts[2:]
        if len(rest) == 1:
            return self._retrieve(call, self._editing.object_of(rest[0]))
        if rest:
            raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
        if call.method == "DELETE":
            return self._delete(call)
        if call.method in ("POST", "PATCH"):
            return self._write(call, new=call.method == "POST")
        raise wrong_method(call, "POST", "PATCH", "DELETE")

    def _write(self, call: Call, *, new: bool) -> Reply:
        order = call.members()
        records = order.get("records")
        if not isinstance(records, list):
            raise unparsable("records must be a list")
        _limit(len(records))
        parsed = [self._parse(call, record, new=new) for record in records]
        _chunks([sobject for sobject, _, _ in parsed])
        writes = [self._job(call, *item, new=new) for item in parsed]
        return self._carry_out(call, writes, all_or_none=order.get("allOrNone") is True)

    def _parse(
        self, call: Call, record: object, *, new: bool
    ) -> tuple[SObject, str | None, Values]:
        if not isinstance(record, dict):
            raise unparsable("Each of the records must be a JSON object")
        attributes = record.get("attributes")
        kind = attributes.get("type") if isinstance(attributes, dict) else None
        sobject = self._editing.tables.schema.get(kind) if isinstance(kind, str) else None
        if sobject is None:
            raise Refusal("INVALID_TYPE", f"sObject type '{kind}' is not supported.")
        id_ = None
        if not new:
            id_ = next((value for key, value in record.items() if key.lower() == "id"), None)
            record = {key: value for key, value in record.items() if key.lower() != "id"}
        return sobject, id_, parse(sobject, record, call.view)

    def _job(
        self, call: Call, sobject: SObject, id_: str | None, found: Values, *, new: bool
    ) -> _Write:
        def create() -> str:
            return self._editing.create(call, sobject, found)

        def update() -> str:
            if not isinstance(id_, str):
                raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call", [])
            row = self._editing.row(sobject, id_, single=False)
            self._editing.update(call, sobject, row, found)
            return str(row["Id"])

        return create if new else update

    def _delete(self, call: Call) -> Reply:
        wanted = call.request.many("ids")
        _limit(len(wanted))

        def job(text: str) -> _Write:
            def delete() -> str:
                id_ = ids.normal(text)
                sobject = id_ and self._editing.tables.schema.of_prefix(ids.prefix(id_))
                if not sobject:
                    raise Refusal("MALFORMED_ID", f"malformed id {text}", [])
                row = self._editing.row(sobject, text, single=False)
                self._editing.delete(call, sobject, row)
                return str(row["Id"])

            return delete

        all_or_none = (call.request.one("allOrNone") or "").lower() == "true"
        return self._carry_out(call, [job(text) for text in wanted], all_or_none=all_or_none)

    def _carry_out(self, call: Call, writes: Sequence[_Write], *, all_or_none: bool) -> Reply:
        fault = call.request.fault
        halved = fault is not None and fault.kind == "half_batch"
        results: list[dict[str, Any]] = []
        try:
            with self._editing.records.unit(self._editing.now()):
                for number, write in enumerate(writes):
                    try:
                        if halved and number % 2:
                            raise busy("the row")
                        results.append({"id": write(), "success": True, "errors": []})
                    except Refusal as refusal:
                        results.append(refusal.item())
                _undo_if(all_or_none and not all(item["success"] for item in results))
        except _Undo:
            results = [ROLLED_BACK.item() if item["success"] else item for item in results]
        return Reply.of(200, results)

    def _retrieve(self, call: Call, sobject: SObject) -> Reply:
        if call.method == "POST":
            order = call.members()
            wanted, names = order.get("ids"), order.get("fields")
        elif call.method == "GET":
            wanted, names = call.request.many("ids"), call.request.many("fields")
        else:
            raise wrong_method(call, "GET", "POST")
        if not isinstance(wanted, list) or not isinstance(names, list) or not names:
            raise Refusal("MISSING_ARGUMENT", "ids and fields are required lists")
        if len(wanted) > MAX_RETRIEVED:
            raise Refusal("EXCEEDED_ID_LIMIT", f"at most {MAX_RETRIEVED} ids can be retrieved")
        asked = [ids.normal(text) for text in wanted]
        for text, id_ in zip(wanted, asked, strict=True):
            if id_ is None:
                raise Refusal("MALFORMED_ID", f"malformed id {text}")
        known = [id_ for id_ in asked if id_ is not None]
        found = self._reading.records(sobject, known, call.view, call.base, map(str, names))
        return Reply.of(200, [found.get(id_) for id_ in known])


def _undo_if(failed: bool) -> None:  # noqa: FBT001 -- one obvious question
    if failed:
        raise _Undo


def _limit(count: int) -> None:
    if count > MAX_RECORDS:
        raise Refusal(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MAX_RECORDS} records into this call",
        )
    if not count:
        raise Refusal("MISSING_ARGUMENT", "at least one record is required")


def _chunks(sobjects: Sequence[SObject]) -> None:
    """Refuse more than ten runs of one object each."""
    runs = sum(
        before is None or before is not after
        for before, after in zip([None, *sobjects], sobjects, strict=False)
    )
    if runs > MAX_CHUNKS:
        raise Refusal(
            "LIMIT_EXCEEDED",
            f"Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange"
            " the data to reduce chunking.",
        )
