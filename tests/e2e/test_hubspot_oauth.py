"""A HubSpot portal through an OAuth app, from the command line: tokens that end in between."""

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder

APP = {"kind": "app", "name": "Ledgerline Sync"}
HOUR = 3_600


def written(role, told):
    pairs = ", ".join(f'{key}: "{value}"' for key, value in told[role].items())
    return f"{{method: refresh_token, {pairs}}}"


@pytest.fixture
def story(tmp_path):
    with build(size="tiny", seed=7) as server:
        sandbox = Sandbox(server.url)
        told = sandbox.people("hubspot")["oauth"]
        config = f"""\
user: ana
store: {{url: "sqlite:///{tmp_path / "store.db"}"}}
sources:
  hs:
    kind: hubspot
    base_url: {server.url}
    api_version: "2026-09"
    auth: {written("observer", told)}
    restore_auth: {written("restorer", told)}
    objects: [contacts]
rules: {{blanking: {{min_records: 5}}}}
"""
        yield Folder(tmp_path, config), sandbox, told


def test_a_restore_through_an_oauth_app_whose_tokens_end_meanwhile(story):
    folder, sandbox, told = story
    folder.ok("sync", "hs:contacts")
    hit = [one for one in sandbox.truth("hubspot", "contacts") if one["properties"].get("phone")]
    records = [{"id": one["id"], "fields": {"phone": ""}} for one in hit[:8]]
    sandbox.act("hubspot", **{"as": APP}, do="update", object="contacts", records=records)
    sandbox.turn(2 * HOUR)
    sandbox.act("hubspot", do="oauth", expires_in=1)
    folder.ok("sync", "hs:contacts")
    (incident,) = folder.ok("incidents")["incidents"]
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]["id"]
    folder.ok("apply", plan, "--yes")
    now = {one["id"]: one["properties"] for one in sandbox.truth("hubspot", "contacts")}
    assert {one["id"]: now[one["id"]]["phone"] for one in hit[:8]} == {
        one["id"]: one["properties"]["phone"] for one in hit[:8]
    }
    restored = [
        one["actor"]["name"]
        for one in sandbox.journal(crm="hubspot")
        if one["op"] == "update" and (one["after"] or {}).get("phone")
    ]
    assert restored == ["CRM Restorer"] * 8
    asked = {one["target"] for one in sandbox.requests(crm="hubspot")}
    assert "/oauth/2026-03/token" in asked
    assert not [path for path in asked if path.startswith("/oauth/v1")]
    assert not [path for path in asked if "/v3/" in path or "/v4/" in path]
    secrets = [one[key] for one in told.values() for key in ("client_secret", "refresh_token")]
    assert not [path for path in asked if any(one in path for one in secrets)]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("BAD_REFRESH_TOKEN", "install the app in the portal again"),
        ("BAD_HUB", "is gone, or is another one"),
        ("BAD_CLIENT_SECRET", "client_secret is wrong"),
    ],
)
def test_a_login_that_is_refused_says_why_in_one_line(story, trouble, words):
    folder, sandbox, told = story
    sandbox.act("hubspot", do="oauth", role="observer", trouble=trouble)
    ended = folder.crmtrail("sync", "hs:contacts", as_json=False)
    assert ended.code == 12
    text = ended.out + ended.err
    assert trouble in text
    assert words in text
    for key in ("client_secret", "refresh_token", "client_id"):
        assert told["observer"][key] not in text


def test_doctor_names_portal_and_app(story):
    folder, sandbox, _ = story
    checked = folder.crmtrail("doctor", as_json=False)
    portal = sandbox.people("hubspot")["portal"]
    assert f"HubSpot {portal} (standard)" in checked.out + checked.err
