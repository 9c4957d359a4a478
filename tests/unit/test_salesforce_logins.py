"""Logging in by every method, once; and what becomes of a session that ends."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

import jwt
import msgspec
import pytest
from pydantic import SecretStr

from connectors.salesforce.answers import Refusal
from connectors.salesforce.assertion import audience_of
from connectors.salesforce.client import Client
from connectors.salesforce.hosts import home
from connectors.salesforce.tokens import tokens_for
from crmtrail.auth_config import (
    Auth,
    AuthConfig,
    ClientCredentialsAuth,
    JwtAuth,
    RefreshTokenAuth,
)
from crmtrail.config import SourceConfig
from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    Mistake,
    PersonNeeded,
    Throttled,
    Unavailable,
)
from crmtrail.sessions import Sessions
from support.login_org import CONSUMER, ENDED, PEM, REFRESH, SECRET, USER, LoginOrg, refused
from support.scripted_http import Scripted, ScriptedServer

JWT = JwtAuth(method="jwt", client_id=CONSUMER, username=USER, private_key=SecretStr(PEM))
APP = ClientCredentialsAuth(
    method="client_credentials", client_id=CONSUMER, client_secret=SecretStr(SECRET)
)
KEPT = RefreshTokenAuth(
    method="refresh_token", client_id=CONSUMER, refresh_token=SecretStr(REFRESH)
)
HTML = b"<html><body>Sign in</body></html>"
XML = b"<response><faultcode>LOGIN_OAUTH_INVALID_TOKEN(1)</faultcode></response>"
GUARDS = {
    "If-Unmodified-Since": "Tue, 24 Nov 2026 09:00:00 GMT",
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Duplicate-Rule-Header": "allowSave=true",
}


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 10, tzinfo=UTC)


def made(url: str, auth: Auth, sessions: Sessions | None = None, **more: Any) -> Client:
    settings = SourceConfig.model_validate(
        {"kind": "salesforce", "base_url": url, "auth": auth, **more}
    )
    tokens = tokens_for("sf", settings, auth, FixedClock(), sessions)
    return Client("sf", settings, tokens, "62.0", FixedClock())


@contextmanager
def org_and_client(auth: Auth, org: LoginOrg) -> Iterator[Client]:
    with ScriptedServer(otherwise=org) as server, closing(made(server.url, auth)) as client:
        yield client


def read(client: Client) -> Any:
    return client.get("limits", dict[str, msgspec.Raw])


@pytest.mark.parametrize("auth", [JWT, APP, KEPT], ids=["jwt", "client_credentials", "refresh"])
def test_each_method_logs_in_once_and_again_when_the_session_ends(auth: Auth) -> None:
    org = LoginOrg()
    with org_and_client(auth, org) as sf:
        for _ in range(3):
            read(sf)
        assert org.logins == 1
        org.expire()
        read(sf)
        assert org.logins == 2
        assert sf.calls == 5, "the refused request counts, logins do not"


def test_an_assertion_says_what_salesforce_wants() -> None:
    org = LoginOrg()
    with org_and_client(JWT, org) as sf:
        read(sf)
    claims = jwt.decode(org.forms[0]["assertion"], options={"verify_signature": False})
    now = FixedClock().now().timestamp()
    assert claims.pop("exp") - now == 120
    assert claims == {"iss": CONSUMER, "sub": USER, "aud": "https://login.salesforce.com"}


@pytest.mark.parametrize(
    "ended",
    [ENDED, Scripted(401, HTML), Scripted(401, XML), Scripted(401, {"error": "x"}),
     Scripted(401, b"")],
    ids=["json", "html", "xml", "dict", "empty"],
)  # fmt: skip
def test_the_replay_has_the_same_headers_and_body(ended: Scripted) -> None:
    org = LoginOrg(ended=ended)
    with org_and_client(JWT, org) as sf:
        read(sf)
        org.expire()
        org.asked.clear()
        sf.send("PATCH", "sobjects/Account/001", NoneType, b'{"Phone":null}', headers=GUARDS)
    first, second = org.asked
    for name, value in GUARDS.items():
        assert first.headers[name.lower()] == second.headers[name.lower()] == value
    assert (first.method, first.target, first.body) == (second.method, second.target, second.body)
    assert second.body == b'{"Phone":null}'
    assert first.headers["authorization"] != second.headers["authorization"]
    assert org.logins == 2


@pytest.mark.parametrize(
    ("method", "kind", "headers"),
    [
        ("PATCH", "application/json", GUARDS | {"Sforce-Mru": "updateMru=false"}),
        ("PUT", "text/csv; charset=UTF-8", {}),
        ("GET", "application/json", {"If-Modified-Since": "Tue, 24 Nov 2026 09:00:00 GMT"}),
        ("POST", "application/json", {"Sforce-Query-Options": "batchSize=200"}),
        ("DELETE", "application/json", {}),
    ],
)
def test_not_one_header_is_lost_in_a_replay(
    method: str, kind: str, headers: dict[str, str]
) -> None:
    org = LoginOrg()
    with org_and_client(JWT, org) as sf:
        read(sf)
        org.expire()
        org.asked.clear()
        sf.send(method, "jobs", NoneType, b"x", headers=headers, content_type=kind)
    first, second = (dict(one.headers) for one in org.asked)
    assert first.pop("authorization") != second.pop("authorization")
    assert first == second
    assert first["content-type"] == kind
    assert first["sforce-call-options"] == "client=crmtrail"
    assert {name: first[name.lower()] for name in headers} == headers


def test_a_body_of_csv_is_asked_for_again_as_csv() -> None:
    org = LoginOrg(answer=Scripted(content=b"Id\n001\n"))
    with org_and_client(JWT, org) as sf:
        read_first = sf.text("jobs/query/750/results", {"locator": "MTAw"})
        org.expire()
        with sf.stream("sobjects/Attachment/00P/Body") as found:
            assert b"".join(found.chunks) == read_first.body
    assert [one.headers["accept"] for one in org.asked] == ["text/csv", "*/*", "*/*"]
    assert org.asked[0].target.endswith("results?locator=MTAw")


def test_a_session_refused_again_and_again_costs_one_login_a_request() -> None:
    org = LoginOrg(answer=ENDED)
    with org_and_client(JWT, org) as sf, pytest.raises(CredentialsRefused, match="INVALID_SESS"):
        read(sf)
    assert org.logins == 2, "the first, and one refresh"
    assert len(org.asked) == 2


def test_many_connectors_of_one_identity_log_in_once_between_them() -> None:
    org = LoginOrg()
    with ScriptedServer(otherwise=org) as server, ThreadPoolExecutor(8) as threads:
        sessions = Sessions()
        clients = [made(server.url, JWT, sessions) for _ in range(8)]
        list(threads.map(read, clients))
        assert org.logins == 1
        org.expire()
        list(threads.map(read, clients))
        assert org.logins == 2
        for client in clients:
            client.close()


def test_observer_and_restorer_are_two_sessions() -> None:
    org = LoginOrg()
    sessions = Sessions()
    with ScriptedServer(otherwise=org) as server:
        for auth in (JWT, APP):
            with closing(made(server.url, auth, sessions)) as sf:
                read(sf)
    assert [form["grant_type"].rpartition(":")[2] for form in org.forms] == [
        "jwt-bearer",
        "client_credentials",
    ]


def test_a_rotated_refresh_token_is_used_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    org = LoginOrg(rotates=True)
    sessions = Sessions()
    with ScriptedServer(otherwise=org) as server:
        for _ in range(2):
            with closing(made(server.url, KEPT, sessions)) as sf:
                read(sf)
                org.expire()
                read(sf)
                org.expire()
    assert [form["refresh_token"] for form in org.forms][:2] == [REFRESH, "5Aep.rotated.1"]
    told = capsys.readouterr()
    assert "used up" in told.out + told.err
    assert "5Aep" not in told.out + told.err


def test_a_bare_token_is_never_renewed() -> None:
    org = LoginOrg()
    with org_and_client(AuthConfig(token=SecretStr("00D!old")), org) as sf:
        with pytest.raises(CredentialsRefused):
            read(sf)
        assert (org.logins, len(org.asked)) == (0, 1)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (refused("invalid_grant", "user hasn't approved this consumer"), CredentialsRefused,
         "pre-authorised"),
        (refused("invalid_grant", "expired access/refresh token"), CredentialsRefused, "expired"),
        (refused("invalid_grant", "authentication failure - Invalid Password"), CredentialsRefused,
         "user must be active"),
        (refused("invalid_grant"), CredentialsRefused, "user must be active"),
        (refused("invalid_client"), CredentialsRefused, "client_secret"),
        (refused("invalid_client_id", "client identifier invalid"), CredentialsRefused, "consumer"),
        (refused("invalid_app_access", "user is not admin approved to access this app"),
         CredentialsRefused, "admin approved"),
        (Scripted(401, HTML), CredentialsRefused, "JWT Bearer"),
        (refused("invalid_grant", "login rate exceeded"), Throttled, "pause"),
        (Scripted(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit "
                         "exceeded."}]), BudgetSpent, "resumes by itself"),
        (Scripted(429, HTML, {"Retry-After": "30"}), Throttled, "pause"),
        (Scripted(404, HTML), Mistake, "My Domain"),
        (Scripted(302, b"", {"Location": "https://elsewhere.example/"}), Mistake, "My Domain"),
        (Scripted(200, HTML), Mistake, "My Domain"),
        (Scripted(503, HTML, {"Retry-After": "4"}), Unavailable, ""),
        (Scripted(200, {"access_token": "two words"}), Unavailable, ""),
        (Scripted(reset=True), Unavailable, ""),
    ],
)  # fmt: skip
def test_what_a_refused_login_means(answer: Scripted, kind: type[CrmtrailError], told: str) -> None:
    org = LoginOrg(refusal=answer)
    with org_and_client(JWT, org) as sf:
        with pytest.raises(kind) as caught:
            read(sf)
        assert told in str(caught.value) + caught.value.hint
        assert org.forms[0]["assertion"] not in str(caught.value)
        assert (org.logins, org.asked, sf.calls) == (1, [], 0)


HANGING = Scripted(hold=1.5, content={})


def test_a_login_that_hangs_is_given_up() -> None:
    org = LoginOrg(refusal=HANGING)
    with (
        ScriptedServer(otherwise=org) as server,
        closing(made(server.url, JWT, timeout=0.3)) as sf,
        pytest.raises(Unavailable, match="longer than the source's timeout"),
    ):
        read(sf)
    assert org.asked == []


@pytest.mark.parametrize(("writing", "kind"), [(True, Ambiguous), (False, Unavailable)])
def test_soap_that_hangs_is_given_up(*, writing: bool, kind: type[CrmtrailError]) -> None:
    org = LoginOrg(answer=HANGING)
    with (
        ScriptedServer(otherwise=org) as server,
        closing(made(server.url, JWT, timeout=0.3)) as sf,
        pytest.raises(kind, match="longer than the source's timeout"),
    ):
        sf.soap("undelete", "", writing=writing)
    assert len(org.asked) == 1, "it is not sent again"


def test_a_clock_that_is_off_is_named_where_an_assertion_is_refused() -> None:
    answer = Scripted(400, {"error": "invalid_grant"}, date="Tue, 24 Nov 2026 09:50:00 GMT")
    refusing = LoginOrg(refusal=answer)
    wanted = pytest.raises(CredentialsRefused, match=r"clock is \+600 s off")
    with org_and_client(JWT, refusing) as sf, wanted:
        read(sf)


def test_where_our_clock_is_off_the_assertion_is_signed_by_theirs() -> None:
    org = LoginOrg(now=FixedClock().now() + timedelta(minutes=7))
    with org_and_client(JWT, org) as sf:
        read(sf)
        assert org.logins == 2
        org.expire()
        read(sf)
    assert org.logins == 3, "it is known from then on"


def test_a_clock_that_is_off_is_no_reason_to_ask_again_and_again() -> None:
    org = LoginOrg(now=FixedClock().now() + timedelta(minutes=7), refusal=refused("invalid_grant"))
    with org_and_client(JWT, org) as sf, pytest.raises(CredentialsRefused, match="-420 s off"):
        read(sf)
    assert org.logins == 2


def test_calls_go_to_the_host_that_a_login_names() -> None:
    there = LoginOrg()
    with ScriptedServer(otherwise=there) as second:
        org = LoginOrg()
        with org_and_client(JWT, org) as sf:
            read(sf)
            here = sf.base_url
            org.instance = second.url
            org.expire()
            with pytest.raises(CredentialsRefused):
                read(sf)  # that host knows nothing of this session
            assert sf.base_url == f"{second.url}/services/data/v62.0/" != here
            there.live = org.live
            read(sf)
            assert len(there.asked) == 2


@pytest.mark.parametrize(
    ("base", "instance", "origin"),
    [
        ("https://acme.my.salesforce.com", None, "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://acme2.my.salesforce.com", "https://acme2.my.salesforce.com"),
        ("https://login.salesforce.com", "https://eu45.salesforce.com", "https://eu45.salesforce.com"),
        ("https://acme.my.salesforce.mil", "https://x.salesforce.mil", "https://x.salesforce.mil"),
        ("https://acme.my.salesforce.com", "https://salesforce.com.evil.example", None),
        ("https://acme.my.salesforce.com", "https://evilsalesforce.com", None),
        ("https://acme.my.salesforce.com", "http://acme2.my.salesforce.com", None),
        ("https://acme.my.salesforce.com", "https://u:p@acme2.my.salesforce.com", None),
        ("https://acme.my.salesforce.com", "http://127.0.0.1:9", None),
        ("https://acme.my.salesforce.com", "not an address", None),
        ("http://127.0.0.1:8080", "https://acme.my.salesforce.com", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "http://localhost:9090", "http://localhost:9090"),
        ("http://127.0.0.1:8080", "https://evil.example", "http://127.0.0.1:8080"),
    ],
)  # fmt: skip
def test_a_token_goes_to_salesforces_own_hosts_only(
    base: str, instance: str | None, origin: str | None
) -> None:
    assert home(base, instance) == origin


@pytest.mark.parametrize(
    ("base", "audience"),
    [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("http://127.0.0.1:8080", "https://login.salesforce.com"),
        ("https://acme.my.salesforce.mil", "https://acme.my.salesforce.mil"),
    ],
)
def test_the_audience_follows_from_the_address(base: str, audience: str) -> None:
    assert audience_of(base, "") == audience
    assert audience_of(base, "https://acme.my.salesforce.com") == "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        ("", "no PEM private key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "public half"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no PEM private key"),
    ],
)
def test_a_wrong_key_is_told_before_anything_is_sent(pem: str, told: str) -> None:
    auth = JWT.model_copy(update={"private_key": SecretStr(pem)})
    with pytest.raises(Mistake, match=told):
        made("https://acme.my.salesforce.com", auth)


def test_a_key_may_come_from_a_file_or_from_a_variable_with_escaped_line_breaks(
    tmp_path: Any,
) -> None:
    file = tmp_path / "sf.key"
    file.write_text(PEM)
    by_file = JwtAuth(method="jwt", client_id=CONSUMER, username=USER, key_file=file)
    by_text = JWT.model_copy(update={"private_key": SecretStr(PEM.replace("\n", "\\n"))})
    for auth in (by_file, by_text):
        org = LoginOrg()
        with org_and_client(auth, org) as sf:
            read(sf)
        assert org.logins == 1
    with pytest.raises(Mistake, match="No such file"):
        made(
            "https://acme.my.salesforce.com",
            by_file.model_copy(update={"key_file": tmp_path / "x"}),
        )


FAULT = (
    b'<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/'
    b'envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>'
    b"<faultcode>sf:%b</faultcode><faultstring>%b: words</faultstring></soapenv:Fault>"
    b"</soapenv:Body></soapenv:Envelope>"
)
UNDELETED = (
    b'<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/'
    b'envelope/" xmlns="urn:partner.soap.sforce.com"><soapenv:Header><LimitInfoHeader><limitInfo>'
    b"<current>3917</current><limit>15000</limit><type>API REQUESTS</type></limitInfo>"
    b"</LimitInfoHeader></soapenv:Header><soapenv:Body><undeleteResponse><result><id>001</id>"
    b"<success>true</success></result></undeleteResponse></soapenv:Body></soapenv:Envelope>"
)


def test_soap_logs_in_again_and_sends_the_new_session() -> None:
    org = LoginOrg(
        ended=Scripted(500, FAULT % (b"INVALID_SESSION_ID", b"INVALID_SESSION_ID")),
        answer=Scripted(content=UNDELETED),
    )
    with org_and_client(JWT, org) as sf:
        read_first = sf.soap("undelete", "<urn:ids>001</urn:ids>")
        org.expire()
        again = sf.soap("undelete", "<urn:ids>001</urn:ids>")
        assert sf.usage.used == 3917
    assert read_first.tag == again.tag == "{urn:partner.soap.sforce.com}undeleteResponse"
    assert org.logins == 2
    assert org.asked[-1].headers["soapaction"] == "undelete"
    assert b"crmtrail" in org.asked[-1].body


def test_a_soap_fault_is_a_refusal_with_its_code() -> None:
    org = LoginOrg(answer=Scripted(500, FAULT % (b"INVALID_FIELD", b"INVALID_FIELD")))
    with org_and_client(JWT, org) as sf, pytest.raises(Refusal) as caught:
        sf.soap("undelete", "")
    assert (caught.value.code, caught.value.told) == ("INVALID_FIELD", "words")


def test_a_new_session_whose_token_soap_does_not_take_is_said_too() -> None:
    fault = Scripted(500, FAULT % (b"INVALID_SESSION_ID", b"INVALID_SESSION_ID"))
    org = LoginOrg(ended=fault, answer=Scripted(content=UNDELETED))
    with org_and_client(JWT, org) as sf:
        sf.soap("undelete", "<urn:ids>001</urn:ids>")
        org.expire()
        org.gives_jwt = True
        with pytest.raises(PersonNeeded, match="opaque"):
            sf.soap("undelete", "<urn:ids>001</urn:ids>")
    assert len(org.asked) == 2


def test_soap_says_up_front_that_it_takes_no_jwt() -> None:
    org = LoginOrg()
    with org_and_client(AuthConfig(token=SecretStr("eyJ0.eyJz.c2ln")), org) as sf:
        with pytest.raises(PersonNeeded, match="opaque") as caught:
            sf.soap("undelete", "")
        assert "JSON Web Token" in caught.value.hint
        assert org.asked == []
        assert sf.calls == 0
