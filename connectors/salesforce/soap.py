"""SOAP envelopes, for the few operations that REST does not have. Pure.

Shapes after the partner WSDL. ``login()`` is not among them: it is gone from API 65.0 on.
"""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from crmtrail.model import Usage

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"
_STATUS = {
    "REQUEST_LIMIT_EXCEEDED": 403,
    "INVALID_SESSION_ID": 401,
    "SERVER_UNAVAILABLE": 503,
    "UNKNOWN_EXCEPTION": 500,
}
"""What REST answers for the same code; a fault itself is always HTTP 500."""

NOT_OPAQUE: Final = (
    "Salesforce gave an access token of the JWT kind, which its SOAP API does not take; "
    "undelete and merge need an opaque one"
)
MAKE_OPAQUE: Final = (
    'switch off "Issue JSON Web Token (JWT)-based access tokens" in the app\'s OAuth settings'
)


@dataclass(frozen=True, slots=True)
class Heard:
    """An envelope as it was read.

    Attributes:
        response: the element inside the body; None where there is none.
        code: the code of a fault, without its prefix; empty where there is no fault.
        told: the words of a fault.
        usage: the API budget, where the header tells it.
    """

    response: ET.Element | None = None
    code: str = ""
    told: str = ""
    usage: Usage | None = None

    @property
    def status(self) -> int:
        """The HTTP status that REST gives to such a fault; most are refusals: 400."""
        return _STATUS.get(self.code, 400)


def is_opaque(token: str) -> bool:
    """Whether SOAP takes an access token: one that is a JWT has two dots, and no other mark."""
    return "!" in token or token.count(".") != 2  # noqa: PLR2004 -- RFC 7519, section 3


def envelope(operation: str, body: str, *, token: str, client_id: str, headers: str = "") -> bytes:
    """Return the request for an operation.

    Args:
        operation: like ``undelete``.
        body: the XML inside the operation's element, with the prefix ``urn``.
        token: the session.
        client_id: how the vendor's logs name us.
        headers: further SOAP headers, as XML with the prefix ``urn``.
    """
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns:urn="{_PARTNER}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Header><urn:SessionHeader><urn:sessionId>{escape(token)}</urn:sessionId>"
        f"</urn:SessionHeader><urn:CallOptions><urn:client>{escape(client_id)}</urn:client>"
        f"</urn:CallOptions>{headers}</soapenv:Header><soapenv:Body><urn:{operation}>{body}"
        f"</urn:{operation}></soapenv:Body></soapenv:Envelope>"
    ).encode()


def read(body: bytes) -> Heard:
    """Read an answer's envelope.

    Raises:
        ValueError: the body is no SOAP envelope.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("an envelope declares nothing of its own")
    try:
        root = ET.fromstring(body)  # noqa: S314 -- without declarations nothing expands
    except (ET.ParseError, LookupError):
        raise ValueError("the body is no XML") from None
    inside = root.find(f"{{{_ENVELOPE}}}Body")
    if root.tag != f"{{{_ENVELOPE}}}Envelope" or inside is None:
        raise ValueError("the body is no SOAP envelope")
    response = next(iter(inside), None)
    usage = _usage(root)
    if response is not None and response.tag == f"{{{_ENVELOPE}}}Fault":
        code = _below(response, "exceptionCode") or _below(response, "faultcode")
        told = _below(response, "exceptionMessage") or _below(response, "faultstring")
        code = code.rpartition(":")[2]
        return Heard(code=code, told=told.removeprefix(f"{code}: "), usage=usage)
    return Heard(response=response, usage=usage)


def local(tag: str) -> str:
    """Return the name of an element without its namespace."""
    return tag.rpartition("}")[2]


def _below(element: ET.Element, name: str) -> str:
    """Return the text of the first element of a name, whatever its namespace."""
    for one in element.iter():
        if local(one.tag) == name and one.text:
            return one.text.strip()
    return ""


def _usage(root: ET.Element) -> Usage | None:
    """Read ``LimitInfoHeader``: the entry of type API REQUESTS."""
    for info in root.iter():
        if local(info.tag) == "limitInfo" and _below(info, "type") == "API REQUESTS":
            used, limit = _below(info, "current"), _below(info, "limit")
            if used.isdecimal() and limit.isdecimal():
                return Usage(used=int(used), limit=int(limit))
    return None
