"""Alerts from a sync to a real server, and what the commands say of them."""

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for
from support.outside import http_server
from support.places import Box

# Apprise imports all of its services at once; one of them uses what Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "canary-token"


@pytest.fixture
def world(tmp_path):
    box = Box()
    with build(size="small", seed=7) as server, http_server(box.take) as url:
        sandbox = Sandbox(server.url)
        target = url.replace("http://", "json://") + f"/{SECRET}"
        extra = f'alerts: [{{to: ops, apprise_url: "{target}", from: low}}]\n'
        config = config_for(server.url, sandbox, tmp_path / "store.db", extra=extra)
        folder = Folder(tmp_path, config)
        folder.ok("sync", "sf:Contact")
        box.taken.clear()
        hit = [one for one in sandbox.truth("salesforce", "Contact") if one["Phone"]][:20]
        records = [{"id": one["Id"], "fields": {"Phone": None}} for one in hit]
        app = {"kind": "app", "name": "Marketing Sync"}
        sandbox.act("salesforce", **{"as": app}, do="update", object="Contact", records=records)
        yield folder, box


def test_a_sync_tells_of_what_it_noticed_once(world):
    folder, box = world
    told = folder.ok("sync", "sf:Contact")
    [incident] = told["runs"][0]["incidents"]
    assert told["alerts"] == [{"channel": "ops", "incidents": [incident], "ok": True, "why": ""}]
    assert folder.ok("sync", "sf:Contact")["alerts"] == []
    [message] = box.taken
    assert incident in message["title"]
    assert "20 records of sf:Contact" in message["message"]
    [channel] = folder.ok("alerts")["channels"]
    assert channel["sent_at"]
    assert channel["waiting"] == 0
    assert folder.ok("verify")["ok"]


def test_a_channel_that_fails_is_told_and_spoils_no_sync(world):
    folder, box = world
    box.status = 500
    ended = folder.crmtrail("sync", "sf:Contact")
    assert ended.code == 0
    assert "not alerted: ops" in ended.err
    [channel] = folder.ok("status")["alerts"]
    assert (channel["waiting"], channel["sent_at"]) == (1, None)
    shown = folder.crmtrail("status", as_json=False)
    assert "alerts to ops not delivered: 1" in shown.out
    assert SECRET not in f"{ended}{shown}{channel}"


def test_a_channel_is_tried_and_looked_at(world):
    folder, box = world
    assert folder.ok("alerts", "--test", "ops") == {"sent": "ops"}
    assert [one["title"] for one in box.taken] == ["crmtrail test"]
    assert "alerts ops" in folder.crmtrail("doctor").out
    assert len(box.taken) == 1
    box.status = 500
    refused = folder.crmtrail("alerts", "--test", "ops")
    assert refused.code == 2
    assert SECRET not in refused.err
    assert "channels: ops" in folder.crmtrail("alerts", "--test", "boss").err


def test_without_a_channel_it_says_that_nobody_is_told(world):
    folder, _ = world
    text = folder.config.read_text()
    folder.config.write_text(text[: text.index("alerts:")])
    assert folder.ok("alerts")["channels"] == []
    assert "Nobody is told" in folder.crmtrail("alerts", as_json=False).out
