"""What HubSpot's client is made to do on the wire, for every package of it and for raw calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.client import Client
from connectors.hubspot.transport import Transport
from connectors.hubspot.wire import proxy_for
from crmtrail.errors import (
    CredentialsRefused,
    CrmtrailError,
    Mistake,
    PermissionMissing,
    RecordRefused,
    Throttled,
    Unavailable,
)
from support.scripted_http import Asked, Scripted, ScriptedServer

Call = Callable[[Transport], object]


class StillClock:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


@contextmanager
def transport_to(answer: Scripted) -> Iterator[tuple[ScriptedServer, Transport]]:
    def same(_: Asked) -> Scripted:
        return answer

    with ScriptedServer(otherwise=same) as server:
        transport = Transport(
            base_url=server.url,
            token="pat-x",
            version="2026-03",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
        )
        yield server, transport
        transport.close()


def raw(transport: Transport) -> object:
    call = transport.client.crm.objects.basic_api.api_client.call_api
    json = {"Accept": "application/json"}
    return transport.send(call, "/account-info/v3/details", "GET", {}, [], json,
                          response_types_map={})  # fmt: skip


CALLS: dict[str, Call] = {
    "objects": lambda t: t.send(t.client.crm.objects.basic_api.get_page, "contacts"),
    "search": lambda t: t.send(t.client.crm.objects.search_api.do_search, "contacts", {}),
    "contacts": lambda t: t.send(t.client.crm.contacts.basic_api.get_page),
    "properties": lambda t: t.send(t.client.crm.properties.core_api.get_all, "deals"),
    "pipelines": lambda t: t.send(t.client.crm.pipelines.pipelines_api.get_all, "deals"),
    "owners": lambda t: t.send(t.client.crm.owners.owners_api.get_page),
    "imports": lambda t: t.send(t.client.crm.imports.core_api.get_page),
    "schemas": lambda t: t.send(t.client.crm.schemas.core_api.get_all),
    "users": lambda t: t.send(t.client.settings.users.users_api.get_page),
    "roles": lambda t: t.send(t.client.settings.users.roles_api.get_all),
    "associations": lambda t: t.send(
        t.client.crm.associations.v4.batch_api.get_page, "deals", "quotes", {"inputs": []}
    ),
    "raw": raw,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RecordRefused),
        (401, CredentialsRefused),
        (403, PermissionMissing),
        (404, Mistake),
        (429, Throttled),
        (502, Unavailable),
    ],
)
def test_the_exceptions_of_every_package_are_read_by_their_shape(
    call: Call, status: int, kind: type[CrmtrailError]
) -> None:
    answer = Scripted(status, b"<html>\xff</html>", headers={"Retry-After": "1"})
    with transport_to(answer) as (server, transport):
        with pytest.raises(kind):
            call(transport)
        assert len(server.asked) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_every_package_asks_for_gzip_with_our_token_and_gives_bytes_as_they_came(
    call: Call,
) -> None:
    body = b'{"results":[], "unknown":{"number":1.10}, "\\u00e4": 12345678901234567890}'
    with transport_to(Scripted(content=body)) as (server, transport):
        told: Any = call(transport)
        (asked,) = server.asked
    assert told.body == body
    assert asked.headers["accept-encoding"] == "gzip"
    assert asked.headers["authorization"] == "Bearer pat-x"
    assert "2026-03" in asked.target
    assert "/v3/" not in asked.target
    assert "/v4/" not in asked.target


def test_the_clients_api_objects_are_made_once() -> None:
    with transport_to(Scripted(content={"results": []})) as (server, transport):
        client = Client(transport)
        for _ in range(20):
            client.listing("contacts")
        assert (len(server.asked), server.connections) == (20, 1)


@pytest.mark.parametrize(
    ("variable", "url", "headers"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128", {}),
        ("proxy.example:3128", "http://proxy.example:3128", {}),
        (
            "http://ana:p%40ss@proxy.example:3128",
            "http://proxy.example:3128",
            {"proxy-authorization": "Basic YW5hOnBAc3M="},
        ),
    ],
)
def test_the_proxy_of_the_environment_is_used_for_https(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, headers: dict[str, str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", variable)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.delenv("no_proxy", raising=False)
    found = proxy_for("https://api.hubapi.com")
    assert found is not None
    assert (found.url, found.headers) == (url, headers)
    assert "ana" not in repr(found)
    assert "YW5h" not in repr(found)
    assert proxy_for("https://inside.example") is None
    assert proxy_for("http://127.0.0.1:8080") is None
