"""How HubSpot's OAuth apps log in: when, how often, and what each refusal means."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from connectors.hubspot import connect
from connectors.hubspot.client import Client
from connectors.hubspot.login import Endpoint
from connectors.hubspot.posts import Posts
from connectors.hubspot.tokens import Refreshing, Shared, Tokens, tokens_for
from connectors.hubspot.transport import Transport
from crmtrail.auth_config import AuthConfig, ClientCredentialsAuth, RefreshTokenAuth
from crmtrail.clock import SystemClock
from crmtrail.config import SourceConfig, parse
from crmtrail.errors import (
    CredentialsRefused,
    CrmtrailError,
    Mistake,
    Throttled,
    Unavailable,
)
from crmtrail.sessions import Sessions
from support.oauth_portal import (
    CLIENT,
    EXPIRED,
    REFRESH,
    SECRET,
    OAuthPortal,
    identity,
    refused,
    served,
    settings,
)
from support.scripted_http import Scripted


class Hours:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@contextmanager
def client_of(url: str, tokens: Tokens) -> Iterator[Client]:
    transport = Transport(
        base_url=url,
        token=tokens,
        version="",
        timeout=timedelta(seconds=5),
        clock=SystemClock(),
    )
    yield Client(transport)
    transport.close()


@contextmanager
def logged_in(
    portal: OAuthPortal, auth: RefreshTokenAuth | None = None
) -> Iterator[tuple[Client, Hours]]:
    hours = Hours()
    with ExitStack() as stack:
        url = stack.enter_context(served(portal))
        endpoint = Endpoint("hs", url, 5.0)
        tokens = Refreshing(endpoint, Shared(), auth or identity(), monotonic=hours)
        yield stack.enter_context(client_of(url, tokens)), hours


def test_a_login_takes_a_form_and_its_token_goes_with_each_request() -> None:
    portal = OAuthPortal()
    with logged_in(portal) as (client, _):
        client.listing("contacts")
        client.listing("contacts")
        assert client.transport.calls == 3
    assert portal.forms == [
        {
            "grant_type": "refresh_token",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "refresh_token": REFRESH,
        }
    ]
    assert [one.headers["authorization"] for one in portal.asked] == ["Bearer CMaccess1"] * 2


@pytest.mark.parametrize(("seconds", "last"), [(1_800, 1_739), (100, 89), ("1800", 1_739)])
def test_a_token_is_renewed_before_it_ends(seconds: object, last: float) -> None:
    portal = OAuthPortal(seconds=seconds)
    with logged_in(portal) as (client, hours):
        client.listing("contacts")
        hours.at = last
        client.listing("contacts")
        assert portal.logins == 1
        hours.at = last + 2
        client.listing("contacts")
    assert portal.logins == 2
    told = [one.headers["authorization"] for one in portal.asked]
    assert told == ["Bearer CMaccess1", "Bearer CMaccess1", "Bearer CMaccess2"]


def test_a_token_that_ends_early_is_replaced_and_the_same_request_sent_again() -> None:
    portal = OAuthPortal()
    with logged_in(portal) as (client, _):
        client.listing("contacts")
        portal.expire()
        Posts(client).update("contacts", [{"id": "1", "properties": {"phone": "1"}}])
    assert portal.logins == 2
    first, again = portal.asked[-2:]
    assert first.headers["authorization"] == "Bearer CMaccess1"
    assert again.headers["authorization"] == "Bearer CMaccess2"
    bare = [
        {name: text for name, text in one.headers.items() if name != "authorization"}
        for one in (first, again)
    ]
    assert bare[0] == bare[1]
    assert (first.method, first.target, first.body) == (again.method, again.target, again.body)


def test_a_token_refused_twice_is_told_in_one_line() -> None:
    portal = OAuthPortal(answer=EXPIRED)
    with logged_in(portal) as (client, _):
        with pytest.raises(CredentialsRefused) as caught:
            client.listing("contacts")
        assert portal.logins == 2
        assert len(portal.asked) == 2
    assert "\n" not in str(caught.value)
    assert not [secret for secret in (SECRET, REFRESH, "CMaccess") if secret in repr(caught.value)]


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (
            refused("BAD_REFRESH_TOKEN", f"{REFRESH} is invalid"),
            CredentialsRefused,
            "install the app",
        ),
        (refused("BAD_HUB", "unknown hub"), CredentialsRefused, "another one"),
        (
            refused("BAD_CLIENT_ID", "unknown client", "invalid_client"),
            CredentialsRefused,
            "client_id is no app",
        ),
        (refused("BAD_CLIENT_SECRET", SECRET), CredentialsRefused, "client_secret is wrong"),
        (refused("BAD_AUTH_CODE", "unknown auth code"), CredentialsRefused, "used once"),
        (Scripted(400, {"error": "invalid_grant"}), CredentialsRefused, "no longer good"),
        (Scripted(401, {"error": "invalid_client"}), CredentialsRefused, "Auth tab"),
        (Scripted(400, {"error": "odd"}), CredentialsRefused, "check client_id"),
        (Scripted(403, b"<html>blocked</html>"), CredentialsRefused, "check client_id"),
        (Scripted(404, b"<html>"), Mistake, "https://api.hubapi.com"),
        (Scripted(302, b"", headers={"Location": "http://127.0.0.1:1"}), Mistake, "hubapi.com"),
        (Scripted(429, {}, headers={"Retry-After": "7"}), Throttled, ""),
        (Scripted(502, b"<html>bad gateway</html>"), Unavailable, ""),
        (Scripted(200, b"<html>login</html>"), Unavailable, ""),
        (Scripted(200, {"access_token": "two words"}), Unavailable, ""),
        (Scripted(200, {"token_type": "bearer"}), Unavailable, ""),
        (Scripted(reset=True), Unavailable, "base_url"),
    ],
)
def test_each_refusal_says_what_to_do(
    answer: Scripted, kind: type[CrmtrailError], told: str
) -> None:
    portal = OAuthPortal(refusal=answer)
    with logged_in(portal) as (client, _), pytest.raises(kind) as caught:
        client.listing("contacts")
    assert told in f"{caught.value} {caught.value.hint}"
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    for secret in (SECRET, REFRESH, CLIENT):
        assert secret not in f"{caught.value!r} {caught.value.hint}"
    assert len(portal.forms) == 1
    assert portal.asked == []
    if answer.status == 429:
        assert isinstance(caught.value, Throttled)
        assert caught.value.after == 7


def test_a_new_refresh_token_is_used_from_then_on_and_said() -> None:
    portal = OAuthPortal(rotates=True)
    with logged_in(portal) as (client, _), capture_logs() as logs:
        client.listing("contacts")
        portal.expire()
        client.listing("contacts")
    assert [form["refresh_token"] for form in portal.forms] == [REFRESH, "na1-refresh-1"]
    assert [one["event"] for one in logs] == ["refresh token replaced"] * 2
    assert not [secret for secret in (REFRESH, "na1-refresh", SECRET) if secret in repr(logs)]


def test_a_file_keeps_the_new_refresh_token_for_the_next_process(tmp_path: Path) -> None:
    portal = OAuthPortal(rotates=True)
    auth = identity(refresh_token_file=tmp_path / "hs.token")
    with served(portal) as url:
        for _ in range(3):
            tokens = tokens_for("hs", settings(url, auth), auth, Sessions())
            with client_of(url, tokens) as client:
                client.listing("contacts")
    told = [form["refresh_token"] for form in portal.forms]
    assert told == [REFRESH, "na1-refresh-1", "na1-refresh-2"]
    assert (tmp_path / "hs.token").stat().st_mode & 0o077 == 0


def test_two_identities_need_a_file_each(tmp_path: Path) -> None:
    file = tmp_path / "hs.token"
    one = identity(refresh_token_file=file)
    two = RefreshTokenAuth(
        method="refresh_token",
        client_id="another",
        client_secret=SecretStr(SECRET),
        refresh_token=SecretStr(REFRESH),
        refresh_token_file=file,
    )
    with pytest.raises(ValidationError, match="need a refresh_token_file each"):
        SourceConfig(kind="hubspot", base_url="https://x.example", auth=one, restore_auth=two)


def test_connectors_of_one_process_log_in_once_between_them() -> None:
    portal = OAuthPortal()
    sessions = Sessions()
    with served(portal) as url:
        told = settings(url)

        def work() -> None:
            with closing(connect("hs", told, told.auth, SystemClock(), sessions)) as connector:
                connector.identity()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert portal.logins == 1


def test_an_oauth_token_tells_portal_and_app() -> None:
    portal = OAuthPortal(answer=Scripted(content={"portalId": 42, "accountType": "SANDBOX"}))
    with served(portal) as url:
        told = settings(url)
        with closing(connect("hs", told, told.auth, SystemClock())) as connector:
            who = connector.identity()
    assert (who.account, who.user, who.name) == ("42", "77", "HubSpot 42 (sandbox)")
    assert portal.forms[-1]["token"] == "CMaccess1"
    assert not [one for one in portal.asked if "CMaccess1" in one.target]


@pytest.mark.parametrize("token", ["pat-na1-x", "service-key-y"])
def test_private_apps_and_service_keys_never_log_in(token: str) -> None:
    portal = OAuthPortal(live=token)
    auth = AuthConfig(token=SecretStr(f" {token}\n"))
    with served(portal) as url:
        told = SourceConfig(kind="hubspot", base_url=url, auth=auth)
        with client_of(url, tokens_for("hs", told, auth, Sessions())) as client:
            client.listing("contacts")
            portal.expire()
            with pytest.raises(CredentialsRefused):
                client.listing("contacts")
    assert portal.forms == []
    assert len(portal.asked) == 2


def test_what_cannot_be_a_secret_is_refused_before_any_request() -> None:
    url = "https://api.hubapi.com"
    for auth in (
        AuthConfig(token=SecretStr("")),
        AuthConfig(token=SecretStr("two words")),
        RefreshTokenAuth(
            method="refresh_token",
            client_id=CLIENT,
            client_secret=SecretStr("a b"),
            refresh_token=SecretStr(REFRESH),
        ),
    ):
        told = SourceConfig(kind="hubspot", base_url=url, auth=auth)
        with pytest.raises(Mistake, match="is empty or holds characters"):
            connect("hs", told, auth, SystemClock())
    other = ClientCredentialsAuth(
        method="client_credentials", client_id=CLIENT, client_secret=SecretStr(SECRET)
    )
    with pytest.raises(Mistake, match="takes method token or refresh_token"):
        connect("hs", settings(url), other, SystemClock())


CONFIG = """
sources:
  hs:
    kind: hubspot
    base_url: https://api.hubapi.com
    auth: {method: refresh_token, client_id: a, %s refresh_token: "${HS_REFRESH}"}
"""


def test_a_config_takes_refresh_tokens_with_their_client_secret() -> None:
    config = parse(CONFIG % 'client_secret: "${HS_SECRET}",', {"HS_SECRET": SECRET})
    assert config.sources["hs"].auth.unset == ("HS_REFRESH",)
    assert SECRET not in repr(config)
    with pytest.raises(Mistake, match="needs client_secret too"):
        parse(CONFIG % "", {})
