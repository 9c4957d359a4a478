"""One HTTP session with one Salesforce org: simple-salesforce as transport, without its traps.

The library's measured defects are kept out by construction: it is given a bare session id, so it
never logs in again by itself and never replays a request without its headers; base URLs are set,
so that loopback HTTP works; every request has a timeout; bodies are handed on as bytes, so that
numbers keep their exact text; limits and the vendor's clock are read from every answer.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

import msgspec
import requests
from simple_salesforce.util import exception_handler

from connectors.decoding import decoded
from connectors.salesforce import soap
from connectors.salesforce.exchange import Exchange
from connectors.salesforce.transport import Stream, Text, pieces, whole, why
from crmtrail.errors import CursorLost, PersonNeeded, Unavailable

T = TypeVar("T")

_MORE = re.compile(r"(?:https?://[^/]+)?/services/data/v[\d.]+/(query|queryAll)/([\w-]+)")
_LONGEST_REFUSAL = 1_000_000
_REDIRECT = 300


class Rows(msgspec.Struct, rename="camel"):
    """A query's answer; the values of each record are the exact JSON text."""

    records: list[dict[str, msgspec.Raw]]
    done: bool = True
    total_size: int = -1
    next_records_url: str | None = None

    @property
    def last(self) -> bool:
        """Whether Salesforce says that no more rows follow; ``done`` may be left out."""
        return self.done and not self.next_records_url


class Client(Exchange):
    """Sends requests to one org with one identity; see `Exchange` for what it tells of them."""

    def get(self, path: str, shape: type[T], params: Mapping[str, str] | None = None) -> T:
        """Get a resource under the version's address, decoded into ``shape``."""
        return self._call(shape, lambda: self._rest.restful(path, params=dict(params or {})))

    def query(self, soql: str, *, deleted: bool = True) -> Rows:
        """Run a query; ``deleted`` includes the recycle bin (queryAll)."""
        return self._call(Rows, lambda: self._rest.query(soql, include_deleted=deleted))

    def query_more(self, next_records_url: str) -> Rows:
        """Return the next page of a query; only the path of the address is used.

        Raises:
            CursorLost: the address is none of a query's page, or Salesforce has forgotten it.
        """
        match = _MORE.fullmatch(next_records_url)
        if match is None:
            raise CursorLost("Salesforce named a next page that is none of a query")
        locator, deleted = match[2], match[1] == "queryAll"
        return self._call(Rows, lambda: self._rest.query_more(locator, include_deleted=deleted))

    def ask(self, path: str, shape: type[T], body: bytes) -> T:
        """Post a request that only reads."""
        return self.send("POST", path, shape, body, writing=False)

    def who(self, shape: type[T]) -> T:
        """Ask the OAuth userinfo endpoint whom the token stands for."""
        return self._call(shape, lambda: self._rest.oauth2("userinfo"))

    def write(self, path: str, shape: type[T], body: bytes, headers: Mapping[str, str]) -> T:
        """Send a writing PATCH; raises like `send`."""
        return self.send("PATCH", path, shape, body, headers=headers)

    def send(  # noqa: PLR0913 -- what an HTTP request is made of
        self,
        method: str,
        path: str,
        shape: type[T],
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        writing: bool = True,
    ) -> T:
        """Send a request of any method under the version's address.

        ``shape`` is ``NoneType`` where no content is wanted of the answer.

        Raises:
            Unavailable: nothing was sent; or, without ``writing``, there is no sound answer.
            Ambiguous: it was sent, and there is no word on what became of it.
        """
        more: dict[str, Any] = {"headers": {"Content-Type": content_type, **(headers or {})}}
        if body:
            more["data"] = body
        return self._call(
            shape,
            lambda: self._rest.restful(path, params=dict(params or {}), method=method, **more),
            writing=writing,
        )

    def text(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = "text/csv",
        most: int = 200_000_000,
    ) -> Text:
        """Return a body whole, as bytes, such as a page of CSV.

        Raises:
            Unavailable: it broke off, or is larger than ``most`` bytes.
        """

        def fetched() -> Text:
            response = self._open("GET", self._url(path), params, {"Accept": accept})
            return Text(whole(response, self._session.timeout, most), response.headers)

        return self._exchange(fetched, writing=False)

    @contextmanager
    def stream(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = "*/*"
    ) -> Iterator[Stream]:
        """Open a body that is read piece by piece, in constant memory."""
        response = self._exchange(
            lambda: self._open("GET", self._url(path), params, {"Accept": accept}), writing=False
        )
        try:
            yield Stream(self._pieces(response), response.headers)
        finally:
            response.close()

    def soap(
        self, operation: str, body: str, *, headers: str = "", writing: bool = True
    ) -> Element:
        """Call an operation that REST does not have, and return its response element.

        ``body`` and ``headers`` are XML with the prefix ``urn``. Faults raise as errors of REST do.

        Raises:
            PersonNeeded: the access token is a JWT, which SOAP does not take.
        """
        url = f"/services/Soap/u/{self.version}"
        fields = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": operation}
        fields["Accept"] = "text/xml"

        def sent() -> Element:
            self._refuse_jwt()  # the session may be another than a moment ago
            told = soap.envelope(
                operation,
                body,
                token=self._grant.token,
                client_id=self._settings.client_id,
                headers=headers,
            )
            response = self._session.request("POST", self._url(url), data=told, headers=fields)
            return self._inside(response, writing=writing)

        self._adopt(self._tokens.current())
        self._refuse_jwt()
        return self._exchange(sent, writing=writing)

    def _inside(self, response: requests.Response, *, writing: bool) -> Element:
        """Return the element inside an answered envelope."""
        try:
            heard = soap.read(response.content)
        except ValueError:
            if response.status_code >= _REDIRECT:
                exception_handler(response)
            raise self._nonsense(writing=writing) from None
        self.usage = heard.usage or self.usage
        if heard.code:
            told = [{"errorCode": heard.code, "message": heard.told}]
            raise self._refused(heard.status, told, writing=writing)
        if heard.response is None or response.status_code >= _REDIRECT:
            raise self._nonsense(writing=writing)
        return heard.response

    @property
    def takes_soap(self) -> bool:
        """Whether the newest access token is one that SOAP takes: an opaque one."""
        return soap.is_opaque(self._grant.token)

    def _refuse_jwt(self) -> None:
        if not self.takes_soap:
            raise PersonNeeded(soap.NOT_OPAQUE, hint=soap.MAKE_OPAQUE)

    def _open(
        self, method: str, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> requests.Response:
        """Return an answer whose body is still to be read; refusals raise SalesforceError."""
        response = self._session.request(
            method, url, params=dict(params or {}), headers=dict(headers), stream=True
        )
        if response.status_code >= _REDIRECT:
            body = whole(response, self._session.timeout, _LONGEST_REFUSAL)
            response.raw = BytesIO(body)
            exception_handler(response)
        return response

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from pieces(response, self._session.timeout)
        except requests.RequestException as error:
            raise Unavailable(f"Salesforce broke off in the middle: {why(error)}") from None

    def _url(self, path: str) -> str:
        return self._rest.origin + path if path.startswith("/") else self._rest.base_url + path

    def _call(self, shape: type[T], send: Callable[[], Any], *, writing: bool = False) -> T:
        body = self._exchange(send, writing=writing) or b""
        if shape is type(None):
            return None
        try:
            return decoded(body, shape)
        except ValueError:
            raise self._nonsense(writing=writing) from None


def vendor_time(moment: datetime) -> str:
    """Return a moment as a SOQL literal: UTC with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
