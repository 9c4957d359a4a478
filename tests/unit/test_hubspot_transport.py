"""The transport: what goes out, what is counted, and how each failure is told."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.hubspot.client import Client, fits_a_list, listed
from connectors.hubspot.pacing import Pacer, pacer_for
from connectors.hubspot.posts import Posts
from connectors.hubspot.readings import token
from connectors.hubspot.transport import Transport
from connectors.hubspot.versions import Versions, versions
from crmtrail.auth_config import AuthConfig
from crmtrail.errors import (
    Ambiguous,
    CredentialsRefused,
    CrmtrailError,
    Mistake,
    PersonNeeded,
    RecordRefused,
    Throttled,
    Unavailable,
)
from crmtrail.sessions import Sessions
from support.scripted_http import Asked, Scripted, ScriptedServer

TOKEN = "pat-na1-00000000-secret"
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LISTING = {"results": [{"id": "1", "properties": {}, "updatedAt": "2026-01-01T00:00:00Z"}]}
LIMITS = {
    "X-HubSpot-RateLimit-Daily": "250000",
    "X-HubSpot-RateLimit-Daily-Remaining": "249000",
    "X-HubSpot-RateLimit-Max": "100",
    "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
}


class StillClock:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


@contextmanager
def client_of(url: str, version: str | Versions = "", seconds: float = 5) -> Iterator[Client]:
    transport = Transport(
        base_url=url,
        token=TOKEN,
        version=version,
        timeout=timedelta(seconds=seconds),
        clock=StillClock(),
    )
    yield Client(transport)
    transport.close()


def read(client: Client) -> object:
    return client.listing("contacts")


def write(client: Client) -> object:
    return Posts(client).update("contacts", [{"id": "1", "properties": {}}])


def test_one_request_is_one_request_with_the_token_and_gzip() -> None:
    with ScriptedServer(Scripted(content=LISTING)) as server, client_of(server.url) as client:
        told = client.listing("contacts", after="77", names=["a", "b"])
        (asked,) = server.asked
    assert told.content.results[0].id == "1"
    assert told.at == NOW
    assert client.transport.calls == 1
    assert asked.target.startswith("/crm/v3/objects/contacts?")
    assert "after=77" in asked.target
    assert "properties=a&properties=b" in asked.target
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["accept-encoding"] == "gzip"


def test_compressed_answers_are_read() -> None:
    packed = gzip.compress(json.dumps(LISTING).encode())
    answer = Scripted(content=packed, headers={"Content-Encoding": "gzip"})
    with ScriptedServer(answer) as server, client_of(server.url) as client:
        assert client.listing("contacts").content.results[0].id == "1"


def test_half_an_emoji_does_not_stop_a_page() -> None:
    body = b'{"results":[{"id":"1","properties":{"a":"cut \\ud83d","b":"\\ud83d\\ude42"}}]}'
    with ScriptedServer(Scripted(content=body)) as server, client_of(server.url) as client:
        (thing,) = client.listing("contacts").content.results
    assert token(thing.properties["a"]) == '"cut \\ufffd"'
    assert token(thing.properties["b"]) == '"\\ud83d\\ude42"'


def test_every_call_reaches_its_dated_path() -> None:
    server = ScriptedServer(otherwise=lambda _: Scripted(content={"results": []}))
    with server, client_of(server.url, "2026-03") as client:
        client.listing("contacts")
        client.properties("contacts")
        client.owners(None, archived=True)
        client.users(None)
        client.imports(None)
        client.schemas()
        targets = [asked.target.partition("?")[0] for asked in server.asked]
    assert targets == [
        "/crm/objects/2026-03/contacts",
        "/crm/properties/2026-03/contacts",
        "/crm/owners/2026-03",
        "/settings/users/2026-03",
        "/crm/imports/2026-03",
        "/crm-object-schemas/2026-03/schemas",
    ]


@pytest.mark.parametrize("version", ["3", "v4", "2026-3", "latest"])
def test_a_wrong_version_is_told_at_once(version: str) -> None:
    with (
        pytest.raises(Mistake, match="api_version is one of v3, 2026-03 or 2026-09"),
        client_of("http://x", version),
    ):
        pass


@pytest.mark.parametrize(
    ("answer", "of_a_read", "of_a_write"),
    [
        (Scripted(502, b"<html>\xff bad gateway</html>"), Unavailable, Ambiguous),
        (Scripted(524, b""), Unavailable, Ambiguous),
        (Scripted(200, b"<html>login</html>"), Unavailable, Ambiguous),
        (Scripted(200, {"unexpected": 1, "results": 3}), Unavailable, Ambiguous),
        (Scripted(200, LISTING, cut=5), Unavailable, Ambiguous),
        (Scripted(503, b"<html>cut</html>", cut=5), Unavailable, Ambiguous),
        (Scripted(reset=True), Unavailable, Ambiguous),
        (Scripted(hold=1.0), Unavailable, Ambiguous),
        (Scripted(401, {"message": f"token {TOKEN} is unknown"}), CredentialsRefused, None),
        (Scripted(429, {"policyName": "SECONDLY"}), Throttled, Throttled),
        (Scripted(404, {"message": TOKEN}), Mistake, None),
        (Scripted(423, {"category": "LOCKED"}), Throttled, Throttled),
        (Scripted(477, {}, headers={"Retry-After": "60"}), Throttled, Throttled),
        (Scripted(525, b"<html>TLS</html>"), PersonNeeded, PersonNeeded),
        (Scripted(526, b""), PersonNeeded, PersonNeeded),
        (Scripted(301, b"", headers={"Location": "http://127.0.0.1:1/"}), RecordRefused, None),
    ],
)
def test_failures_say_what_to_do_next(
    answer: Scripted,
    of_a_read: type[CrmtrailError],
    of_a_write: type[CrmtrailError] | None,
) -> None:
    for call, expected in ((read, of_a_read), (write, of_a_write or of_a_read)):
        with ScriptedServer(answer) as server, client_of(server.url, seconds=0.4) as client:
            with pytest.raises(expected) as caught:
                call(client)
            assert len(server.asked) == 1
        assert TOKEN not in str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("call", [read, write])
def test_an_unreachable_host_took_nothing(call: Callable[[Client], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with client_of(f"http://127.0.0.1:{port}") as client, pytest.raises(Unavailable) as caught:
        call(client)
    assert "base_url" in caught.value.hint


@pytest.mark.parametrize("call", [read, write])
def test_a_failed_tls_handshake_took_nothing(call: Callable[[Client], object]) -> None:
    with ScriptedServer() as server:
        url = server.url.replace("http://", "https://")
        with client_of(url) as client, pytest.raises(Unavailable):
            call(client)


def test_the_budget_is_read_from_every_answer_errors_included() -> None:
    error = Scripted(404, {}, headers=LIMITS | {"X-HubSpot-RateLimit-Daily-Remaining": "248999"})
    answers = Scripted(content=LISTING, headers=LIMITS), error, Scripted(content=LISTING)
    with ScriptedServer(*answers) as server, client_of(server.url) as client:
        assert client.transport.usage().limit is None
        read(client)
        assert client.transport.usage().used == 1000
        with pytest.raises(Mistake):
            read(client)
        read(client)  # without headers the last word stands
        assert (client.transport.usage().used, client.transport.usage().limit) == (1001, 250_000)


def test_a_body_that_drips_is_given_up() -> None:
    answer = Scripted(content=b" " * 400 + b"{}", drip=0.01)
    with ScriptedServer(answer) as server, client_of(server.url, seconds=0.2) as client:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="TimeoutError"):
            read(client)
        assert time.monotonic() - begun < 2


def test_every_kind_of_call_has_a_timeout() -> None:
    calls: list[Callable[[Client], object]] = [
        read,
        lambda client: client.search("contacts", {}),
        lambda client: client.batch("contacts", ["1"]),
        lambda client: client.properties("contacts"),
        lambda client: client.users(None),
        lambda client: client.account(),
        lambda client: client.rows("/account-info/v3/activity/login"),
    ]
    hanging = ScriptedServer(otherwise=lambda _: Scripted(hold=1.0))
    with hanging as server, client_of(server.url, seconds=0.1) as client:
        for call in calls:
            with pytest.raises(Unavailable, match="ReadTimeoutError"):
                call(client)
        assert len(server.asked) == len(calls)


def test_all_apis_go_over_one_connection() -> None:
    server = ScriptedServer(otherwise=lambda _: Scripted(content={"results": []}))
    with server, client_of(server.url) as client:
        for _ in range(3):
            client.listing("contacts")
            client.batch("contacts", ["1"])
            client.search("contacts", {"limit": 1})
            client.properties("contacts")
            client.owners(None, archived=False)
            client.users(None)
            client.imports(None)
            client.schemas()
            client.account()
        assert len(server.asked) == 27
        assert server.connections == 1


def test_writes_go_to_their_own_version() -> None:
    server = ScriptedServer(otherwise=lambda _: Scripted(content={"results": []}))
    told = versions("2026-03", {"properties": "v3"}, "2026-09")
    with server, client_of(server.url, told) as client:
        client.listing("contacts")
        write(client)
        client.batch("contacts", ["1"])
        client.properties("contacts")
        targets = [asked.target.partition("?")[0] for asked in server.asked]
    assert targets == [
        "/crm/objects/2026-03/contacts",
        "/crm/objects/2026-09/contacts/batch/update",
        "/crm/objects/2026-03/contacts/batch/read",
        "/crm/v3/properties/contacts",
    ]


def test_a_lock_met_while_records_are_made_leaves_them_unknown() -> None:
    locked = Scripted(423, {"category": "LOCKED"})
    with ScriptedServer(locked) as server, client_of(server.url) as client:
        call = client.transport.client.crm.objects.batch_api.create
        with pytest.raises(Ambiguous, match="423"):
            client.transport.send(call, "contacts", {"inputs": []}, write=True)


def test_others_who_use_the_same_app_make_us_wait() -> None:
    times = Times()
    pacer = Pacer(times.now, times.sleep)
    pacer.learn(100, 10.0, 20)
    pacer.wait(search=False)
    assert times.sleeps == []
    pacer.learn(100, 10.0, 19)
    pacer.wait(search=False)
    assert times.sleeps == [1.0]


def test_searches_of_all_threads_count_together() -> None:
    auth = AuthConfig(token=SecretStr("a"))
    other = AuthConfig(token=SecretStr("b"))
    url, sessions = "http://127.0.0.1:9", Sessions()
    one, two = (pacer_for("hs", url, each, sessions) for each in (auth, other))
    assert one._searches is two._searches  # noqa: SLF001 -- two processes of waiting are too slow to watch
    assert one._others is not two._others  # noqa: SLF001 -- the same
    again = pacer_for("hs", url, auth, sessions)
    assert again._others is one._others  # noqa: SLF001 -- the same


def test_long_lists_of_names_become_one_parameter() -> None:
    few, many, most = (["p" * 20 + str(n) for n in range(count)] for count in (50, 280, 400))
    assert listed(few) == few
    assert listed(many) == [",".join(many)]
    assert fits_a_list(many)
    assert not fits_a_list(most)


class Times:
    """A monotonic clock that moves only by sleeping."""

    def __init__(self) -> None:
        self.at = 0.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.at += seconds


def sent(times: Times, pacer: Pacer, count: int, *, search: bool) -> list[float]:
    moments = []
    for _ in range(count):
        pacer.wait(search=search)
        moments.append(times.at)
    return moments


@pytest.mark.parametrize(
    ("search", "most", "span"), [(True, 4, 1.0), (False, 80, 10.0)], ids=["search", "others"]
)
def test_no_window_holds_more_than_its_allowance(search: bool, most: int, span: float) -> None:
    times = Times()
    pacer = Pacer(times.now, times.sleep)
    pacer.learn(100, 10.0)
    moments = sent(times, pacer, 3 * most + 1, search=search)
    for start in moments:
        inside = [at for at in moments if start <= at < start + span]
        assert len(inside) <= most
    assert times.at == pytest.approx(3 * span)


def test_without_headers_only_searches_wait() -> None:
    times = Times()
    sent(times, Pacer(times.now, times.sleep), 500, search=False)
    assert times.sleeps == []


def test_searches_are_paced_for_real() -> None:
    times = Times()
    page: dict[str, Any] = {"total": 0, "results": []}

    def answer(asked: Asked) -> Scripted:
        return Scripted(content=page)

    with ScriptedServer(otherwise=answer) as server:
        transport = Transport(
            base_url=server.url,
            token=TOKEN,
            version="",
            timeout=timedelta(seconds=5),
            clock=StillClock(),
            pacer=Pacer(times.now, times.sleep),
        )
        client = Client(transport)
        for _ in range(9):
            client.search("contacts", {"limit": 1})
        transport.close()
    assert times.at == pytest.approx(2.0)
