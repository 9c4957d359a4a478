"""The transport: what goes out, and what each kind of answer means for reads and writes."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from connectors.salesforce import connect
from connectors.salesforce.client import Client
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    CursorLost,
    Mistake,
    PermissionMissing,
    Throttled,
    Unavailable,
)
from crmtrail.model import Usage
from support.scripted_http import Scripted, ScriptedServer

TOKEN = "00Dxx0000001gPL!AR8AQSecret"
HTML = b"<html><body>Try again later.</body></html>"
HALF_A_MINUTE_ON = "Tue, 24 Nov 2026 10:00:30 GMT"
SESSION = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC)


def settings(url: str, **more: Any) -> SourceConfig:
    auth = AuthConfig(token=SecretStr(TOKEN))
    return SourceConfig(kind="salesforce", base_url=url, auth=auth, **more)


@contextmanager
def client(server: ScriptedServer, **more: Any) -> Iterator[Client]:
    made = Client("sf", settings(server.url, **more), TOKEN, "62.0", FixedClock())
    try:
        yield made
    finally:
        made.close()


def read(client: Client) -> Any:
    return client.get("limits", dict[str, msgspec.Raw])


def write(client: Client) -> Any:
    return client.write("composite/sobjects", list[int], b"[]", {"Sforce-Auto-Assign": "FALSE"})


def error(code: str, message: str = "words") -> Any:
    return [{"message": message, "errorCode": code, "fields": []}]


def test_requests_carry_the_token_and_our_name_and_none_of_the_librarys_extras() -> None:
    with ScriptedServer(Scripted(content={}), Scripted(content=[1])) as server:
        with client(server, client_id="acme-trail") as sf:
            read(sf)
            write(sf)
        got, patched = server.asked
    assert got.target == "/services/data/v62.0/limits"
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert got.headers["sforce-call-options"] == "client=acme-trail"
    assert "gzip" in got.headers["accept-encoding"]
    assert "x-prettyprint" not in got.headers
    assert patched.headers["sforce-auto-assign"] == "FALSE"
    assert patched.headers["content-type"] == "application/json"


def test_a_netrc_file_cannot_replace_the_token(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(Scripted(content={})) as server, client(server) as sf:
        read(sf)
        assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_limits_and_the_vendors_clock_are_read_from_every_answer() -> None:
    told = {"Sforce-Limit-Info": "api-usage=10018/100000; per-app-api-usage=17/250(appName=x)"}
    more = {"Sforce-Limit-Info": "api-usage=10019/100000"}
    with (
        ScriptedServer(Scripted(content={}, headers=told), Scripted(503, HTML, more)) as server,
        client(server) as sf,
    ):
        assert sf.usage == Usage()
        read(sf)
        assert sf.usage == Usage(10018, 100000)
        assert sf.told_at == datetime(2026, 11, 24, 10, tzinfo=UTC)
        assert sf.told_at - timedelta(seconds=10) < sf.asked_at <= sf.told_at - timedelta(seconds=1)
        with pytest.raises(Unavailable):
            read(sf)
        assert sf.usage == Usage(10019, 100000)
        assert sf.calls == 2


@pytest.mark.parametrize(
    ("answer", "wanted", "after"),
    [
        (Scripted(401, SESSION), CredentialsRefused, None),
        (Scripted(401, HTML), CredentialsRefused, None),
        (Scripted(401, {"error": "invalid"}), CredentialsRefused, None),
        (Scripted(403, b"Bad_OAuth_Token"), CredentialsRefused, None),
        (Scripted(403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")),
         BudgetSpent, None),
        (Scripted(403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")),
         Throttled, 10.0),
        (Scripted(400, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")),
         BudgetSpent, None),
        (Scripted(401, b"<response><faultcode>LOGIN_OAUTH_INVALID_TOKEN(1)</faultcode></response>"),
         CredentialsRefused, None),
        (Scripted(400, {"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid"}),
         CredentialsRefused, None),
        (Scripted(414, HTML), Mistake, None),
        (Scripted(428, HTML), Mistake, None),
        (Scripted(431, HTML), Mistake, None),
        (Scripted(300, ["/services/data/v62.0/sobjects/Account/001"]), Mistake, None),
        (Scripted(500, error("SERVER_UNAVAILABLE")), Unavailable, None),
        (Scripted(400, error("REQUEST_RUNNING_TOO_LONG")), Unavailable, None),
        (Scripted(403, error("API_DISABLED_FOR_ORG")), PermissionMissing, None),
        (Scripted(403, HTML), PermissionMissing, None),
        (Scripted(400, error("INSUFFICIENT_ACCESS")), PermissionMissing, None),
        (Scripted(400, error("INVALID_QUERY_LOCATOR")), CursorLost, None),
        (Scripted(400, error("INVALID_TYPE")), Mistake, None),
        (Scripted(404, error("NOT_FOUND")), Mistake, None),
        (Scripted(404, HTML), Mistake, None),
        (Scripted(410, error("UNSUPPORTED_API_VERSION")), Mistake, None),
        (Scripted(302, b"", {"Location": "https://elsewhere.example/"}), Mistake, None),
        (Scripted(429, HTML, {"Retry-After": "7"}), Throttled, 7.0),
        (Scripted(429, HTML, {"Retry-After": HALF_A_MINUTE_ON}), Throttled, 30.0),
        (Scripted(429, HTML, {"Retry-After": "soon"}), Throttled, None),
        (Scripted(503, HTML, {"Retry-After": "3"}), Unavailable, 3.0),
        (Scripted(500, error("UNKNOWN_EXCEPTION")), Unavailable, None),
        (Scripted(420, HTML), Unavailable, None),
        (Scripted(406, HTML), Unavailable, None),
        (Scripted(400, error("QUERY_TIMEOUT")), Unavailable, None),
        (Scripted(200, HTML), Unavailable, None),
        (Scripted(200, b""), Unavailable, None),
        (Scripted(200, b'{"a": "\xff"'), Unavailable, None),
        (Scripted(200, {"a": 1}, cut=3), Unavailable, None),
        (Scripted(reset=True), Unavailable, None),
    ],
)  # fmt: skip
def test_what_an_answer_means_for_a_read(
    answer: Scripted, wanted: type[CrmtrailError], after: float | None
) -> None:
    with ScriptedServer(answer) as server, client(server) as sf:
        with pytest.raises(wanted) as caught:
            read(sf)
        assert len(server.asked) == 1, "nothing is repeated, followed or logged in again"
    assert getattr(caught.value, "after", None) == after
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Scripted(401, SESSION), CredentialsRefused),
        (Scripted(429, HTML), Throttled),
        (Scripted(403, error("REQUEST_LIMIT_EXCEEDED")), BudgetSpent),
        (Scripted(400, error("JSON_PARSER_ERROR")), Mistake),
        (Scripted(503, HTML), Ambiguous),
        (Scripted(500, error("UNKNOWN_EXCEPTION")), Ambiguous),
        (Scripted(420, HTML), Ambiguous),
        (Scripted(200, HTML), Ambiguous),
        (Scripted(200, [1, 2, 3], cut=3), Ambiguous),
        (Scripted(reset=True), Ambiguous),
    ],
)
def test_what_an_answer_means_for_a_write(answer: Scripted, wanted: type[CrmtrailError]) -> None:
    with ScriptedServer(answer) as server, client(server) as sf:
        with pytest.raises(wanted):
            write(sf)
        assert len(server.asked) == 1


def test_a_silent_vendor_is_given_up_after_the_timeout() -> None:
    slow = Scripted(content={}, hold=0.6)
    with ScriptedServer(slow, slow) as server, client(server, timeout=0.1) as sf:
        with pytest.raises(Unavailable):
            read(sf)
        with pytest.raises(Ambiguous):
            write(sf)


@pytest.mark.parametrize("call", [read, write])
def test_a_refused_connection_means_that_nothing_was_sent(call: Callable[[Client], Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sf = Client("sf", settings(f"http://127.0.0.1:{port}"), TOKEN, "62.0", FixedClock())
    with pytest.raises(Unavailable, match="cannot be reached"):
        call(sf)
    assert sf.calls == 0
    sf.close()


def test_an_unknown_host_is_unavailable() -> None:
    config = settings("https://no-such-org.invalid", timeout=5)
    sf = Client("sf", config, TOKEN, "62.0", FixedClock())
    with pytest.raises(Unavailable):
        read(sf)
    sf.close()


def test_a_vendor_that_repeats_the_token_does_not_get_it_into_a_message() -> None:
    odd = Scripted(400, error("ODD", f"got {TOKEN}"))
    with ScriptedServer(odd) as server, client(server) as sf, pytest.raises(Mistake) as caught:
        read(sf)
    assert TOKEN not in str(caught.value)


def test_numbers_keep_their_exact_text() -> None:
    body = b'{"totalSize":1,"done":true,"records":[{"A":1.10,"B":123456789012345678.01,"C":-0}]}'
    with ScriptedServer(Scripted(content=body)) as server, client(server) as sf:
        record = sf.query("SELECT A FROM X").records[0]
    assert {name: bytes(raw).decode() for name, raw in record.items()} == {
        "A": "1.10",
        "B": "123456789012345678.01",
        "C": "-0",
    }


@pytest.mark.parametrize("told", ["v62.0", "62", "62.0", ""])
def test_versions_are_read_leniently(told: str) -> None:
    with ScriptedServer(Scripted(content={"sobjects": []})) as server:
        sf = connect("sf", settings(server.url, api_version=told), auth(), FixedClock())
        assert sf.objects() == []
        sf.close()
        assert server.asked[0].target == "/services/data/v62.0/sobjects"


def auth(token: str = TOKEN) -> AuthConfig:
    return AuthConfig(token=SecretStr(token))


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "schlüssel"])
def test_an_impossible_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(Mistake) as caught:
        connect("sf", settings("https://acme.my.salesforce.com"), auth(token), FixedClock())
    assert not token.strip() or token not in str(caught.value)


def test_an_impossible_client_id_is_refused() -> None:
    config = settings("https://acme.my.salesforce.com", client_id="line\nbreak")
    with pytest.raises(Mistake, match="client_id"):
        connect("sf", config, auth(), FixedClock())


@pytest.mark.parametrize("told", ["59.0", "v3", "sixty", "2026-03"])
def test_an_impossible_version_is_refused(told: str) -> None:
    def opened() -> object:
        config = settings("https://acme.my.salesforce.com", api_version=told)
        return connect("sf", config, auth(), FixedClock())

    with pytest.raises((Mistake, ValueError), match="api_version"):
        opened()


def test_a_body_that_trickles_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ended = threading.Event()
        dripping = threading.Thread(target=_drip, args=(listening, ended))
        dripping.start()
        url = f"http://127.0.0.1:{port}"
        sf = Client("sf", settings(url, timeout=0.3), TOKEN, "62.0", FixedClock())
        with pytest.raises(Unavailable, match="longer than the source's timeout"):
            read(sf)
        sf.close()
        ended.set()
        dripping.join()


def _drip(listening: socket.socket, ended: threading.Event) -> None:
    """Answer one byte at a time, each well within the timeout."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            while not ended.wait(0.05):
                connection.sendall(b" ")


def test_compressed_bodies_are_read_whole_or_not_at_all() -> None:
    packed = gzip.compress(b"Id,Name\n" + b"001,x\n" * 10_000)
    said = {"Content-Encoding": "gzip", "Sforce-Locator": "null"}
    answers = [
        Scripted(content=packed, headers=said),
        Scripted(content=packed, headers=said, cut=9),
    ]
    with ScriptedServer(*answers) as server, client(server) as sf:
        told = sf.text("jobs/query/750/results")
        assert told.body.count(b"\n") == 10_001
        assert told.headers["sforce-locator"] == "null"
        with pytest.raises(Unavailable):
            sf.text("jobs/query/750/results")


def test_a_stream_that_breaks_off_is_unavailable_and_one_too_large_is_refused() -> None:
    body = b"x" * 300_000
    answers = [Scripted(content=body), Scripted(content=body, cut=5), Scripted(content=body)]
    with ScriptedServer(*answers) as server, client(server) as sf:
        with sf.stream("/services/data/v62.0/sobjects/EventLogFile/0AT/LogFile") as stream:
            assert sum(map(len, stream.chunks)) == len(body)
        wanted = pytest.raises(Unavailable, match="broke off")
        with sf.stream("sobjects/Attachment/00P/Body") as stream, wanted:
            list(stream.chunks)
        with pytest.raises(Unavailable, match="larger"):
            sf.text("x", most=1_000)
        assert server.asked[0].target.endswith("/v62.0/sobjects/EventLogFile/0AT/LogFile")


def test_a_next_page_is_asked_of_our_own_host_only() -> None:
    page = Scripted(content={"records": [], "done": True})
    with ScriptedServer(page) as server, client(server) as sf:
        sf.query_more("https://elsewhere.example/services/data/v62.0/queryAll/01g-2000")
        assert server.asked[0].target == "/services/data/v62.0/queryAll/01g-2000"
        with pytest.raises(CursorLost):
            sf.query_more("https://elsewhere.example/x")
