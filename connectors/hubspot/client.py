"""Every HubSpot call used here, decoded: one method, one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from connectors.decoding import decoded
from connectors.hubspot import shapes
from connectors.hubspot.refusals import Absent, nonsense
from connectors.hubspot.transport import Reply, Transport

LIST_LIMIT = 100
SEARCH_LIMIT = 200
_URL_ROOM = 7_500
"""Characters of a query; servers refuse URLs beyond about 8 kB."""

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class Told(Generic[Shape]):
    """What HubSpot said, and when by its clock."""

    content: Shape
    at: datetime


class Client:
    """The API objects of HubSpot's client, each made once so that connections are reused."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        client = transport.client
        self._basic = client.crm.objects.basic_api
        self._batch = client.crm.objects.batch_api
        self._search = client.crm.objects.search_api
        self._properties = client.crm.properties.core_api
        self._owners = client.crm.owners.owners_api
        self._imports = client.crm.imports.core_api
        self._schemas = client.crm.schemas.core_api
        self._users = client.settings.users.users_api
        self._defined: dict[str, Reply] = {}

    def listing(
        self,
        object_: str,
        *,
        after: str | None = None,
        names: Sequence[str] = (),
        history: bool = False,
        archived: bool = False,
        limit: int = LIST_LIMIT,
    ) -> Told[shapes.Listing]:
        """Return a page of live records, or of the recycle bin; with history at most 50."""
        options: dict[str, Any] = {"limit": limit, **_archived(archived)}
        if after is not None:
            options["after"] = after
        if names:
            options["properties"] = [",".join(names)] if history else listed(names)
        if history:
            options["properties_with_history"] = [",".join(names)]
        return self._decoded(
            self.transport.send(self._basic.get_page, object_, **options), shapes.Listing
        )

    def search(self, object_: str, body: Mapping[str, Any]) -> Told[shapes.Hits]:
        """Return a page of search results; the index lags and knows no archived records."""
        return self._decoded(
            self.transport.send(self._search.do_search, object_, dict(body)), shapes.Hits
        )

    def batch(
        self,
        object_: str,
        ids: Sequence[str],
        *,
        names: Sequence[str] = (),
        history: bool = False,
        archived: bool = False,
    ) -> Told[shapes.Batch]:
        """Return records by id: at most 100, with history at most 50."""
        body = {
            "inputs": [{"id": one} for one in ids],
            "properties": list(names),
            "propertiesWithHistory": list(names) if history else [],
        }
        try:
            reply = self.transport.send(self._batch.read, object_, body, **_archived(archived))
        except Absent:
            # Nothing of it was found. That an object does not exist is told by `listing`.
            return Told(shapes.Batch(), self.transport.now())
        return self._decoded(reply, shapes.Batch)

    def one(
        self, object_: str, id_: str, *, names: Sequence[str] = ()
    ) -> Told[shapes.Thing] | None:
        """Return a live record; an id that was merged away answers with its survivor.

        Properties that are named come with their history.
        """
        told = listed(names)
        options: dict[str, Any] = (
            {"properties": told, "properties_with_history": told} if names else {}
        )
        try:
            reply = self.transport.send(self._basic.get_by_id, object_, id_, **options)
        except Absent:
            return None
        return self._decoded(reply, shapes.Thing)

    def properties(self, object_: str) -> shapes.Properties:
        """Return the properties that exist now and are not sensitive."""
        reply = self.transport.send(self._properties.get_all, object_)
        self._defined[object_] = reply
        return self._decoded(reply, shapes.Properties).content

    def sensitive(self, object_: str, level: str) -> shapes.Properties:
        """Return the properties of one level of sensitivity."""
        path, query = f"/crm/v3/properties/{object_}", (("dataSensitivity", level),)
        reply = self.transport.send(self._raw, path, "GET", query=query)
        return self._decoded(reply, shapes.Properties).content

    def defined(self, object_: str, within: timedelta) -> Told[shapes.Rows] | None:
        """Return what `properties` was last answered, once, unless it is older than that."""
        reply = self._defined.pop(object_, None)
        if reply is None or self.transport.now() - reply.at > within:
            return None
        return self._decoded(reply, shapes.Rows)

    def owners(self, after: str | None, *, archived: bool) -> shapes.Owners:
        """Return a page of owners."""
        options = _archived(archived) | ({"after": after} if after is not None else {})
        reply = self.transport.send(self._owners.get_page, limit=100, **options)
        return self._decoded(reply, shapes.Owners).content

    def users(self, after: str | None) -> shapes.Users:
        """Return a page of users."""
        options: dict[str, Any] = {"after": after} if after is not None else {}
        reply = self.transport.send(self._users.get_page, limit=100, **options)
        return self._decoded(reply, shapes.Users).content

    def imports(self, after: str | None) -> shapes.Imports:
        """Return a page of import runs."""
        options: dict[str, Any] = {"after": after} if after is not None else {}
        reply = self.transport.send(self._imports.get_page, limit=100, **options)
        return self._decoded(reply, shapes.Imports).content

    def schemas(self) -> shapes.CustomSchemas:
        """Return the custom objects."""
        reply = self.transport.send(self._schemas.get_all)
        return self._decoded(reply, shapes.CustomSchemas).content

    def rows(
        self, path: str, query: Sequence[tuple[str, str]] = (), *, body: object = None
    ) -> Told[shapes.Rows]:
        """Return one answer of a list of what is no record; with a body it is asked by POST."""
        method = "GET" if body is None else "POST"
        reply = self.transport.send(self._raw, path, method, body, query=query)
        return self._decoded(reply, shapes.Rows)

    def account(self) -> shapes.Account:
        """Return the account behind the token."""
        return self._decoded(
            self.transport.send(self._raw, "/account-info/v3/details", "GET"), shapes.Account
        ).content

    def token(self, token: str) -> shapes.TokenFacts:
        """Return what a private app's token says of itself."""
        reply = self.transport.send(
            self._raw,
            "/oauth/v2/private-apps/get/access-token-info",
            "POST",
            {"tokenKey": token},
        )
        return self._decoded(reply, shapes.TokenFacts).content

    def _raw(
        self,
        path: str,
        method: str,
        body: object = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        **options: Any,
    ) -> Any:
        """Carry out a call that HubSpot's client does not wrap."""
        return self._basic.api_client.call_api(
            path,
            method,
            {},
            list(query),
            {"Accept": "application/json"},
            body=body,
            response_types_map={},
            auth_settings=["oauth2"],
            **options,
        )

    @staticmethod
    def _decoded(reply: Reply, shape: type[Shape], *, write: bool = False) -> Told[Shape]:
        try:
            return Told(decoded(reply.body, shape), reply.at)
        except ValueError:
            raise nonsense(write=write) from None


def _archived(wanted: bool) -> dict[str, Any]:  # noqa: FBT001 -- it is the flag itself
    """Return the option that asks for archived things; the client would spell a bool ``True``."""
    return {"archived": "true"} if wanted else {}


def listed(names: Sequence[str]) -> list[str]:
    """Return names as the client should send them: repeated, or as one comma list if long.

    HubSpot accepts both; the comma list needs a third of the room.
    """
    return list(names) if _room(names, "&properties=") <= _URL_ROOM else [",".join(names)]


def fits_a_list(names: Sequence[str], *, history: bool = False) -> bool:
    """Whether all names fit into the URL of one list request; with history each is told twice."""
    return _room(names, "%2C") * (2 if history else 1) <= _URL_ROOM


def _room(names: Sequence[str], separator: str) -> int:
    return sum(len(quote(name)) + len(separator) for name in names)
