"""The sandbox portal's OAuth: what the token endpoint takes and refuses, and tokens that end."""

from collections.abc import Iterator

import pytest
import requests

from support.hubspot_portal import PortalUnderTest, portal_under_test

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = "/oauth/2026-03/token"
DETAILS = "/account-info/v3/details"


@pytest.fixture(scope="module")
def portal() -> Iterator[PortalUnderTest]:
    with portal_under_test() as portal:
        yield portal


@pytest.fixture
def app(portal: PortalUnderTest) -> dict[str, str]:
    return dict(portal.wire.people()["oauth"]["observer"])


def ask(portal: PortalUnderTest, form: dict[str, str], path: str = TOKEN) -> requests.Response:
    return requests.post(portal.server.url + path, data=form, timeout=30)


def log_in(portal: PortalUnderTest, app: dict[str, str]) -> str:
    answer = ask(portal, {"grant_type": "refresh_token", **app})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def test_a_refresh_token_gives_an_access_token(portal: PortalUnderTest, app: dict[str, str]):
    answer = ask(portal, {"grant_type": "refresh_token", **app}).json()
    assert answer["expires_in"] == 1_800
    assert answer["refresh_token"] == app["refresh_token"]
    told = portal.send("GET", DETAILS, token=answer["access_token"])
    assert told.json()["portalId"] == portal.people["portal"]
    assert "X-HubSpot-RateLimit-Daily" not in told.headers
    assert told.headers["X-HubSpot-RateLimit-Max"] == "110"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"refresh_token": "na1-stale"}, "BAD_REFRESH_TOKEN"),
        ({"client_secret": "wrong"}, "BAD_CLIENT_SECRET"),
        ({"client_id": "wrong"}, "BAD_CLIENT_ID"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
def test_what_is_wrong_is_refused(
    portal: PortalUnderTest, app: dict[str, str], more: dict[str, str], status: str
):
    answer = ask(portal, {"grant_type": "refresh_token", **app, **more})
    assert (answer.status_code, answer.json()["status"]) == (400, status)


def test_only_forms_are_taken_and_v1_is_gone(portal: PortalUnderTest, app: dict[str, str]):
    form = {"grant_type": "refresh_token", **app}
    answer = requests.post(portal.server.url + TOKEN, json=form, timeout=30)
    assert answer.status_code == 415
    assert ask(portal, form, "/oauth/v1/token").status_code == 404
    assert requests.get(portal.server.url + TOKEN, timeout=30).status_code == 405


def test_a_token_ends(portal: PortalUnderTest, app: dict[str, str]):
    token = log_in(portal, app)
    assert portal.send("GET", DETAILS, token=token).status_code == 200
    portal.act("oauth", role="observer", expire=True)
    gone = portal.send("GET", DETAILS, token=token)
    assert (gone.status_code, gone.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    unknown = portal.send("GET", DETAILS, token="CMnever")
    assert unknown.json()["category"] == "INVALID_AUTHENTICATION"


def test_a_token_says_whose_it_is(portal: PortalUnderTest, app: dict[str, str]):
    token = log_in(portal, app)
    told = ask(portal, {"token": token}, f"{TOKEN}/introspect").json()
    assert (told["active"], told["hub_id"]) == (True, portal.people["portal"])
    assert str(told["app_id"]) == portal.people["apps"][0]["id"]
    assert ask(portal, {"token": "CMnever"}, f"{TOKEN}/introspect").json() == {"active": False}


def test_refresh_tokens_may_be_good_once(portal: PortalUnderTest):
    portal.act("oauth", role="sync", rotate=True)
    app = dict(portal.wire.people()["oauth"]["sync"])
    first = ask(portal, {"grant_type": "refresh_token", **app}).json()
    assert first["refresh_token"] != app["refresh_token"]
    again = ask(portal, {"grant_type": "refresh_token", **app})
    assert again.json()["status"] == "BAD_REFRESH_TOKEN"


def test_orders_that_make_no_sense_are_told(portal: PortalUnderTest):
    for order in ({"trouble": "BAD_LUCK"}, {"role": "nobody"}, {"expires": True}):
        with pytest.raises(ValueError, match=r"unknown|no app"):
            portal.act("oauth", **order)
