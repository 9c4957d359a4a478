"""SOAP merge(): XML requests become merges, and what came of them becomes XML."""

from html import escape
from typing import Any
from xml.etree import ElementTree as ET

from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.fields import NUMERIC, Field
from crmtrail.sandbox.salesforce.merging import MAX_LOSERS
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.validate import Values, parse

MAX_REQUESTS = 200
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class SoapMerges:
    """Merges of one envelope, each a transaction of its own."""

    def __init__(self, editing: Editing, call: Call) -> None:
        self._editing = editing
        self._call = call

    def answer(self, requests: list[ET.Element]) -> str:
        """Carry out every request and return the result elements, in order.

        Raises:
            Refusal: none or too many requests.
        """
        if not 1 <= len(requests) <= MAX_REQUESTS:
            raise Refusal("EXCEEDED_ID_LIMIT", f"1 to {MAX_REQUESTS} merge requests in one call")
        return "".join(self._one(request) for request in requests)

    def _one(self, request: ET.Element) -> str:
        master = _child(request, "masterRecord")
        texts = [item.text or "" for item in request if _local(item) == "recordToMergeIds"]
        given = "" if master is None else _text(master, "Id")
        try:
            moved, losers = self._merge(master, texts)
        except Refusal as refusal:
            fields = "".join(f"<fields>{name}</fields>" for name in refusal.fields or ())
            return (
                f"<result><errors>{fields}<message>{escape(refusal.message)}</message>"
                f"<statusCode>{refusal.code}</statusCode></errors>"
                f"<id>{escape(given)}</id><success>false</success></result>"
            )
        gone = "".join(f"<mergedRecordIds>{id_}</mergedRecordIds>" for id_ in losers)
        related = "".join(f"<updatedRelatedIds>{id_}</updatedRelatedIds>" for id_ in moved)
        told = ids.normal(given)
        return f"<result><id>{told}</id>{gone}<success>true</success>{related}</result>"

    def _merge(self, master: ET.Element | None, texts: list[str]) -> tuple[list[str], list[str]]:
        kind = "" if master is None else _text(master, "type")
        sobject = self._editing.tables.schema.get(kind)
        if master is None or sobject is None:
            raise Refusal("INVALID_TYPE", f"sObject type '{kind}' is not supported.", [])
        if len(texts) > MAX_LOSERS:
            raise Refusal("LIMIT_EXCEEDED", f"at most {MAX_LOSERS} records can be merged away", [])
        winner = self._editing.row(sobject, _text(master, "Id"), single=False)
        losers = [self._editing.row(sobject, text, single=False) for text in texts]
        found = self._values(sobject, master)
        with self._editing.records.unit(self._editing.now()):
            moved = self._editing.merge(self._call, sobject, winner, losers, found)
        return moved, [row["Id"] for row in losers]

    def _values(self, sobject: SObject, master: ET.Element) -> Values:
        body: dict[str, Any] = {}
        for item in master:
            name = _local(item)
            if name in ("type", "Id"):
                continue
            if name == "fieldsToNull":
                body[item.text or ""] = None
                continue
            field = self._call.view.field(sobject, name)
            empty = item.get(_NIL) == "true"
            body[name] = None if empty or field is None else _typed(field, item.text or "")
        return parse(sobject, body, self._call.view)


def _typed(field: Field, text: str) -> object:
    """Return an element's text as JSON would say it."""
    if field.type == "boolean":
        if text not in _FLAGS:
            raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", f"no boolean: {text}", [field.name])
        return _FLAGS[text]
    if field.type not in NUMERIC:
        return text
    try:
        return int(text) if field.type == "int" else float(text)
    except ValueError:
        told = f"{field.name}: value not of required type: {text}"
        raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", told, [field.name]) from None


def _local(item: ET.Element) -> str:
    return item.tag.rpartition("}")[2]


def _child(parent: ET.Element, name: str) -> ET.Element | None:
    return next((item for item in parent if _local(item) == name), None)


def _text(parent: ET.Element, name: str) -> str:
    found = _child(parent, name)
    return "" if found is None else (found.text or "").strip()
