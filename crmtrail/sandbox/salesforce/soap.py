"""The part of the SOAP API that REST lacks: undelete, merge, emptyRecycleBin, server's time."""

from collections.abc import Iterator
from html import escape
from typing import Any
from xml.etree import ElementTree as ET

from crmtrail.sandbox.http import Reply, Request
from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.editing import Editing
from crmtrail.sandbox.salesforce.quota import Quota
from crmtrail.sandbox.salesforce.refusal import ROLLED_BACK, Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.sessions import JWT_DOTS, Sessions, no_session
from crmtrail.sandbox.salesforce.soap_merge import SoapMerges
from crmtrail.sandbox.salesforce.visibility import Visibility

MAX_IDS = 200
_PARTNER = "urn:partner.soap.sforce.com"
_XML = {"Content-Type": "text/xml; charset=UTF-8"}
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope'
    ' xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    f' xmlns="{_PARTNER}" xmlns:sf="urn:fault.partner.soap.sforce.com"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)


class _Undo(Exception):
    """Some record failed and the request wants all or none."""


class Soap:
    """Answers /services/Soap/u/XX."""

    def __init__(
        self, editing: Editing, sessions: Sessions, visibility: Visibility, quota: Quota
    ) -> None:
        self._editing = editing
        self._sessions = sessions
        self._visibility = visibility
        self._quota = quota

    def answer(self, request: Request) -> Reply:
        """Answer one envelope; a refusal is a fault with status 500."""
        try:
            return self._answer(request)
        except Refusal as refusal:
            return self.refused(refusal)

    def refused(self, refusal: Refusal) -> Reply:
        """Return a refusal as a fault."""
        text = f"{refusal.code}: {refusal.message}"
        body = (
            f"{_HEAD}<soapenv:Body><soapenv:Fault><faultcode>sf:{refusal.code}</faultcode>"
            f"<faultstring>{escape(text)}</faultstring><detail><sf:UnexpectedErrorFault"
            f' xsi:type="sf:UnexpectedErrorFault"><sf:exceptionCode>{refusal.code}'
            f"</sf:exceptionCode><sf:exceptionMessage>{escape(refusal.message)}"
            "</sf:exceptionMessage></sf:UnexpectedErrorFault></detail></soapenv:Fault>"
            "</soapenv:Body></soapenv:Envelope>"
        )
        return Reply(500, body.encode(), _XML)

    def _answer(self, request: Request) -> Reply:
        root = _read(request.body)
        operation = next(iter(_found(root, "Body")), None)
        first = None if operation is None else next(iter(operation), None)
        name = "" if first is None else first.tag.rpartition("}")[2]
        if name == "login":
            raise Refusal(
                "INVALID_OPERATION", "SOAP API login() is disabled by default in this org"
            )
        token = next((item.text or "" for item in _found(root, "sessionId")), "")
        if token.count(".") == JWT_DOTS:
            # Tokens in JWT format do not work on SOAP.
            raise no_session()
        session = self._sessions.find(token)
        self._quota.spend()
        if name == "getServerTimestamp":
            now = moments.stamp(self._editing.now())
            return self._reply(name, f"<result><timestamp>{now}</timestamp></result>")
        if name not in ("undelete", "merge", "emptyRecycleBin") or first is None:
            raise Refusal("INVALID_OPERATION", f"the sandbox knows no operation {name!r}")
        view = self._visibility.view(session.user, reads_only=session.reads_only)
        call = Call(request, session, view, "60.0", ())
        together = next((item.text for item in _found(root, "allOrNone")), "false") == "true"
        if name == "merge":
            merges = SoapMerges(self._editing, call)
            return self._reply(name, merges.answer(list(_found(first, "request"))))
        wanted = [item.text or "" for item in _found(first, "ids")]
        if len(wanted) > MAX_IDS:
            raise Refusal("EXCEEDED_ID_LIMIT", f"at most {MAX_IDS} ids in one call of {name}")
        if name == "emptyRecycleBin":
            return self._reply(name, self._empty(call, wanted))
        return self._reply(name, self._undelete(call, wanted, all_or_none=together))

    def _empty(self, call: Call, wanted: list[str]) -> str:
        told = []
        for text in wanted:
            try:
                sobject, row = self._named(text)
                if row is None:
                    raise Refusal(  # noqa: TRY301 -- one row's refusal
                        "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []
                    )
                with self._editing.records.unit(self._editing.now()):
                    self._editing.empty(call, sobject, row)
                told.append(_result(text, None))
            except Refusal as refusal:
                told.append(_result(text, refusal))
        return "".join(told)

    def _named(self, text: str) -> tuple[SObject, dict[str, Any] | None]:
        id_ = ids.normal(text)
        tables = self._editing.tables
        sobject = id_ and tables.schema.of_prefix(ids.prefix(id_))
        if not id_ or not sobject:
            raise Refusal("MALFORMED_ID", f"malformed id {text}", [])
        return sobject, tables.row(sobject, id_)

    def _undelete(self, call: Call, wanted: list[str], *, all_or_none: bool) -> str:
        results: list[Refusal | None] = []
        try:
            with self._editing.records.unit(self._editing.now()):
                results.extend(self._one(call, text) for text in wanted)
                if all_or_none and any(results):
                    raise _Undo  # noqa: TRY301 -- leaves the transaction by intent
        except _Undo:
            results = [item or ROLLED_BACK for item in results]
        return "".join(_result(text, item) for text, item in zip(wanted, results, strict=True))

    def _one(self, call: Call, text: str) -> Refusal | None:
        try:
            sobject, row = self._named(text)
            if row is None or row["_deleted"] is None:
                raise Refusal("UNDELETE_FAILED", "Entity is not in the recycle bin", [])  # noqa: TRY301 -- one row's refusal
            self._editing.undelete(call, sobject, row)
        except Refusal as refusal:
            return refusal
        return None

    def _reply(self, operation: str, inner: str) -> Reply:
        usage = (
            f"<soapenv:Header><LimitInfoHeader><limitInfo><current>{self._quota.used}</current>"
            f"<limit>{self._quota.most}</limit><type>API REQUESTS</type></limitInfo>"
            "</LimitInfoHeader></soapenv:Header>"
        )
        body = (
            f"{_HEAD}{usage}<soapenv:Body><{operation}Response>{inner}</{operation}Response>"
            "</soapenv:Body></soapenv:Envelope>"
        )
        return Reply(200, body.encode(), _XML)


def _read(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314 -- a loopback server reading its own tests
    except ET.ParseError as error:
        raise Refusal("UNKNOWN_EXCEPTION", f"no XML: {error}") from None


def _found(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (item for item in root.iter() if item.tag.rpartition("}")[2] == name)


def _result(text: str, refusal: Refusal | None) -> str:
    if refusal is None:
        return f"<result><id>{escape(text)}</id><success>true</success></result>"
    return (
        f"<result><errors><message>{escape(refusal.message)}</message>"
        f"<statusCode>{refusal.code}</statusCode></errors><id>{escape(text)}</id>"
        "<success>false</success></result>"
    )
