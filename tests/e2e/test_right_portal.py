"""A restore goes to the portal that the history was read from, or nowhere at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder
from support.scripted_http import Asked, Scripted, ScriptedServer

APP = {"kind": "app", "name": "Ledgerline Sync"}
_KEPT = ("authorization", "content-type", "accept")


class Between:
    """Passes requests on to the sandbox; some tokens open a portal that says it is another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.elsewhere: dict[str, dict[str, object]] = {}
        self.writes: list[str] = []

    def __call__(self, asked: Asked) -> Scripted:
        token = asked.headers["authorization"].removeprefix("Bearer ")
        if asked.target.endswith("/batch/update"):
            self.writes.append(token)
        if "access-token-info" in asked.target and token in self.elsewhere:
            return Scripted(404, {})
        headers = {name: asked.headers[name] for name in _KEPT if name in asked.headers}
        url = self.url + asked.target
        told = requests.request(
            asked.method, url, data=asked.body, headers=headers, timeout=30, stream=False
        )
        body = told.content
        if "/details" in asked.target and token in self.elsewhere:
            body = json.dumps(told.json() | self.elsewhere[token]).encode()
        return Scripted(told.status_code, body)


@contextmanager
def portals(folder_path) -> Iterator[tuple[Folder, Sandbox, Between, dict[str, str]]]:
    with build(size="tiny", seed=7) as server:
        between = Between(server.url)
        sandbox = Sandbox(server.url)
        tokens = sandbox.people("hubspot")["tokens"]
        with ScriptedServer(otherwise=between) as entrance:
            config = f"""\
user: ana
store: {{url: "sqlite:///{folder_path / "store.db"}"}}
sources:
  hs:
    kind: hubspot
    base_url: {entrance.url}
    auth: {{token: "{tokens["observer"]}"}}
    restore_auth: {{token: "{tokens["restorer"]}"}}
    objects: [contacts]
rules: {{blanking: {{min_records: 5}}}}
"""
            yield Folder(folder_path, config), sandbox, between, tokens


@pytest.fixture
def story(tmp_path):
    with portals(tmp_path) as told:
        yield told


def planned(folder, sandbox):
    folder.ok("sync", "hs:contacts")
    hit = [one for one in sandbox.truth("hubspot", "contacts") if one["properties"].get("phone")]
    records = [{"id": one["id"], "fields": {"phone": ""}} for one in hit[:8]]
    sandbox.act("hubspot", **{"as": APP}, do="update", object="contacts", records=records)
    folder.ok("sync", "hs:contacts")
    (incident,) = folder.ok("incidents")["incidents"]
    return folder.ok("plan", "--incident", incident["id"])["plan"]["id"]


def test_the_right_portal_is_written_to_and_named(story):
    folder, sandbox, between, tokens = story
    plan = planned(folder, sandbox)
    between.elsewhere = {tokens["restorer"]: {"accountType": "DEVELOPER_TEST"}}
    ended = folder.crmtrail("apply", plan, "--yes", as_json=False)
    assert ended.code == 0, ended.err
    portal = sandbox.people("hubspot")["portal"]
    assert f"Written to HubSpot {portal} (developer test)." in ended.out
    assert set(between.writes) == {tokens["restorer"]}
    noted = [one for one in folder.ok("actions")["actions"] if one["kind"] == "account"]
    assert [(one["entry"]["source"], one["entry"]["account"]) for one in noted] == [
        ("hs", str(portal))
    ]


@pytest.mark.parametrize("roles", [("restorer",), ("observer",), ("observer", "restorer")])
def test_another_portal_is_never_written_to(story, roles):
    folder, sandbox, between, tokens = story
    plan = planned(folder, sandbox)
    before = sandbox.truth("hubspot", "contacts")
    between.elsewhere = {tokens[role]: {"portalId": 4711} for role in roles}
    ended = folder.crmtrail("apply", plan, "--yes")
    assert ended.code == 13
    message = ended.json["error"]["message"]
    assert "4711" in message
    assert str(sandbox.people("hubspot")["portal"]) in message
    assert "\n" not in message
    assert between.writes == []
    assert sandbox.truth("hubspot", "contacts") == before


def test_one_identity_that_opens_another_portal_since_is_refused_too(story):
    folder, sandbox, between, tokens = story
    text = folder.config.read_text()
    alone = [line for line in text.splitlines() if "restore_auth" not in line]
    single = "\n".join(alone).replace(tokens["observer"], tokens["restorer"])
    folder.config.write_text(single)
    plan = planned(folder, sandbox)
    between.elsewhere = {tokens["restorer"]: {"portalId": 4711}}
    ended = folder.crmtrail("apply", plan, "--yes")
    assert ended.code == 13
    assert "nothing was written" in ended.json["error"]["message"]
    assert between.writes == []
    between.elsewhere = {}
    folder.ok("apply", plan, "--yes")
    assert between.writes


def test_a_portal_that_is_not_told_is_not_written_to(story):
    folder, sandbox, between, tokens = story
    plan = planned(folder, sandbox)
    between.elsewhere = {tokens["restorer"]: {"portalId": None}}
    ended = folder.crmtrail("apply", plan, "--yes")
    assert ended.code == 13
    assert "does not tell" in ended.json["error"]["message"]
    assert between.writes == []
