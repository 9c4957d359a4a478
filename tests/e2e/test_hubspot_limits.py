"""HubSpot's limits from the command line: a spent day, a moving portal, a locked record."""

import re

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder

APP = {"kind": "app", "name": "Ledgerline Sync"}
DAY = 86_400


@pytest.fixture
def story(tmp_path):
    with build(size="tiny", seed=7) as server:
        sandbox = Sandbox(server.url)
        tokens = sandbox.people("hubspot")["tokens"]
        config = f"""\
user: ana
store: {{url: "sqlite:///{tmp_path / "store.db"}"}}
sources:
  hs:
    kind: hubspot
    base_url: {server.url}
    auth: {{token: "{tokens["observer"]}"}}
    restore_auth: {{token: "{tokens["restorer"]}"}}
    objects: [contacts]
rules: {{blanking: {{min_records: 5}}}}
"""
        yield Folder(tmp_path, config), sandbox


def asked(sandbox):
    return [one["target"] for one in sandbox.requests(crm="hubspot")]


def blanked(folder, sandbox):
    hit = [one for one in sandbox.truth("hubspot", "contacts") if one["properties"].get("phone")]
    records = [{"id": one["id"], "fields": {"phone": ""}} for one in hit[:6]]
    sandbox.act("hubspot", **{"as": APP}, do="update", object="contacts", records=records)
    folder.ok("sync", "hs:contacts")
    (incident,) = folder.ok("incidents")["incidents"]
    return folder.ok("plan", "--incident", incident["id"])["plan"]["id"]


def test_a_spent_day_ends_the_run_with_the_time_and_costs_two_requests(story):
    folder, sandbox = story
    sandbox.act("hubspot", do="time_zone", name="Europe/Berlin")
    folder.ok("sync", "hs:contacts")  # the day of Berlin has begun, whatever the hour is
    sandbox.act("hubspot", do="limits", daily=1)
    before = len(asked(sandbox))
    ended = folder.crmtrail("sync", "hs:contacts", as_json=False)
    assert ended.code == 14
    assert "daily API quota is used up" in ended.out + ended.err
    spent = asked(sandbox)[before:]
    assert len(spent) <= 2, spent
    sandbox.act("hubspot", do="limits", daily=625_000)
    folder.ok("sync", "hs:contacts")


def test_the_usage_endpoint_tells_when_the_day_ends(story):
    folder, sandbox = story
    folder.ok("sync", "hs:contacts")
    sandbox.act("hubspot", do="time_zone", name="Asia/Tokyo")
    sandbox.fault("throttle", crm="hubspot", quota=True, times=1)
    before = len(asked(sandbox))
    ended = folder.crmtrail("sync", "hs:contacts", as_json=False)
    assert ended.code == 14
    text = " ".join((ended.out + ended.err).split())
    assert re.search(r"it resets at \d{4}-\d\d-\d\dT15:00:00Z", text), text
    (usage,) = asked(sandbox)[before + 1 :]
    assert usage.startswith("/account-info/v3/api-usage/")


def test_writes_go_to_the_version_that_is_set_for_them(story):
    folder, sandbox = story
    text = folder.config.read_text()
    folder.config.write_text(
        text.replace(
            "    auth:", '    api_version: "2026-03"\n    write_api_version: v3\n    auth:', 1
        )
    )
    folder.ok("sync", "hs:contacts")
    plan = blanked(folder, sandbox)
    folder.ok("apply", plan, "--yes")
    paths = {one.partition("?")[0] for one in asked(sandbox)}
    assert "/crm/v3/objects/contacts/batch/update" in paths
    assert [path for path in paths if "/v3/" in path] == ["/crm/v3/objects/contacts/batch/update"]


def test_a_moving_portal_ends_the_run_with_the_time(story):
    folder, sandbox = story
    folder.ok("sync", "hs:contacts")
    sandbox.act("hubspot", do="migrating", times=1, retry_after=DAY)
    before = len(asked(sandbox))
    ended = folder.crmtrail("sync", "hs:contacts", as_json=False)
    assert ended.code != 0
    text = " ".join((ended.out + ended.err).split())
    assert "moving this portal to another data centre (477), until 20" in text
    assert len(asked(sandbox)) - before == 1
    folder.ok("sync", "hs:contacts")


def test_a_locked_record_is_waited_for(story):
    folder, sandbox = story
    folder.ok("sync", "hs:contacts")
    plan = blanked(folder, sandbox)
    sandbox.act("hubspot", do="locked", times=1)
    told = folder.ok("apply", plan, "--yes")
    assert told["receipt"]["outcomes"]["restored"] == 6
    assert 423 in {one["status"] for one in sandbox.requests(crm="hubspot")}
