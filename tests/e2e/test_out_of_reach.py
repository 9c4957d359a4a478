"""A CRM out of reach: said once, given up soon, seen where incidents are looked at."""

import pytest

from crmtrail.sandbox.build import build
from crmtrail.sandbox.client import Sandbox
from support.cli import Folder, config_for

QUICK = "retry: {attempts: 1, longest_wait: 0s}\n"


@pytest.fixture
def world(tmp_path):
    with build(size="tiny", seed=3) as server:
        sandbox = Sandbox(server.url)
        config = config_for(server.url, sandbox, tmp_path / "store.db", extra=QUICK)
        yield Folder(tmp_path, config), sandbox


def down(sandbox, crm):
    sandbox.fault("unavailable", crm=crm, times=1_000)


@pytest.mark.parametrize(("crm", "source"), [("salesforce", "sf"), ("hubspot", "hs")])
def test_two_silences_in_a_row_are_enough(world, crm, source):
    folder, sandbox = world
    folder.ok("sync")
    down(sandbox, crm)
    before = len(sandbox.requests(crm=crm))
    ended = folder.crmtrail("sync", source)
    assert ended.code == 1
    runs = ended.json["runs"]
    assert [run["state"] for run in runs] == ["failed"] * 3
    assert runs[-1]["api_calls"] == 0
    assert len(sandbox.requests(crm=crm)) - before == sum(run["api_calls"] for run in runs)
    assert f"error: {source}: " in ended.err


def test_incidents_say_that_polls_failed(world):
    folder, sandbox = world
    folder.ok("sync")
    quiet = folder.crmtrail("incidents", as_json=False)
    assert "failed" not in quiet.out
    down(sandbox, "salesforce")
    folder.crmtrail("sync", "sf")
    told = folder.crmtrail("incidents", as_json=False)
    assert "the last sync failed of" in told.err
    assert "sf:Account" in told.err


def test_everything_and_groups_go_together(tmp_path):
    with build(size="tiny", seed=3) as server:
        objects = {"sf": '["*", "@logins"]', "hs": '["*", "@logins"]'}
        config = config_for(server.url, Sandbox(server.url), tmp_path / "store.db", objects=objects)
        folder = Folder(tmp_path, config)
        kept = folder.ok("doctor")
        assert not [one for one in kept["checks"] if one["name"].startswith("objects")]
        folder.ok("sync", "hs:login_activity")
        assert "login_activity" in {
            one["object"] for one in folder.ok("status")["sources"][1]["objects"]
        }
