"""Two identities of one org: which of them does what, and what a login that fails looks like."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Folder
from support.salesforce_rig import SalesforceRig, salesforce_rig

OBSERVER, RESTORER = "CRM Observer", "CRM Restorer"


@pytest.fixture
def rig() -> Iterator[SalesforceRig]:
    with salesforce_rig() as opened:
        yield opened


@pytest.fixture
def folder(rig: SalesforceRig, tmp_path: Path) -> Folder:
    lines = []
    for key, role in (("auth", "observer"), ("restore_auth", "restorer")):
        client = rig.people["clients"][role]
        (tmp_path / f"{role}.key").write_text(client["private_key"])
        lines.append(
            f"    {key}: {{method: jwt, client_id: {client['client_id']}, "
            f"username: {client['username']}, key_file: {role}.key}}\n"
        )
    config = f"""\
store: {{url: "sqlite:///{tmp_path}/store.db"}}
retry: {{attempts: 2}}
sources:
  sf:
    kind: salesforce
    base_url: {rig.server.url}
    objects: [Contact, Account]
{"".join(lines)}"""
    return Folder(tmp_path, config)


def asked(rig: SalesforceRig, since: int = 0) -> list[dict[str, Any]]:
    return rig.sandbox.requests(crm="salesforce", since=since)


def last(rig: SalesforceRig) -> int:
    return max((one["seq"] for one in asked(rig)), default=0)


def logins(rig: SalesforceRig, since: int = 0) -> int:
    return sum("/oauth2/token" in one["target"] for one in asked(rig, since))


def writes(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests that change records: reads that are posted go to other paths."""
    return [
        one
        for one in requests
        if one["method"] in ("PATCH", "PUT", "DELETE")
        or (one["method"] == "POST" and '"PATCH"' in (one.get("body") or ""))
    ]


def describes(one: dict[str, Any]) -> bool:
    """Whether a request looks at fields alone, not at records."""
    parts = json.loads(one["body"])["compositeRequest"] if one.get("body") else [one]
    urls = [part.get("url") or part["target"] for part in parts]
    return all(url.endswith("/describe") for url in urls)


def test_the_restorer_writes_and_the_observer_does_all_else(
    rig: SalesforceRig, folder: Folder
) -> None:
    folder.ok("sync")
    rig.turn(120)
    rig.act(do="update", object="Contact", where="Phone != null", fields={"Phone": None})
    rig.turn(120)
    folder.ok("sync")
    folder.crmtrail("doctor")  # asks both who they are, which is no read of data
    polled = [one for one in asked(rig) if "/services/data" in one["target"]]
    assert {one["identity"] for one in polled} == {OBSERVER}, "a poll needs nobody else"
    (incident,) = folder.ok("incidents")["incidents"]
    since = last(rig)
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]
    planned = [one for one in asked(rig, since) if one["identity"] == RESTORER]
    planned = [one for one in planned if "/services/data" in one["target"]]
    assert all(describes(one) for one in planned), "what it may write is asked of nobody else"
    assert writes(asked(rig)) == []
    since = last(rig)
    receipt = folder.ok("apply", plan["id"], "--yes")
    assert receipt["receipt"]["outcomes"]["restored"] == len(plan["steps"]) > 9
    during = asked(rig, since)
    assert {one["identity"] for one in writes(during)} == {RESTORER}
    granted = [one["status"] for one in asked(rig, since) if "/oauth2/token" in one["target"]]
    assert granted.count(200) == 2, "one login for each identity"
    since = last(rig)
    folder.ok("sync")
    assert RESTORER not in {one["identity"] for one in asked(rig, since)}


def test_a_session_that_ends_in_the_middle_of_a_restore_costs_one_login(
    rig: SalesforceRig, folder: Folder
) -> None:
    folder.ok("sync", "sf:Contact")
    rig.turn(120)
    rig.act(do="update", object="Contact", where="Phone != null", fields={"Phone": None})
    rig.turn(120)
    folder.ok("sync", "sf:Contact")
    (incident,) = folder.ok("incidents")["incidents"]
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]
    since = last(rig)
    # The first composite describes, the second writes.
    rig.sandbox.fault("unauthorized", crm="salesforce", method="POST", path="/composite$", skip=1)
    receipt = folder.ok("apply", plan["id"], "--yes")
    assert receipt["receipt"]["outcomes"]["restored"] == len(plan["steps"])
    during = asked(rig, since)
    first, second = writes(during)[:2]
    assert (first["status"], second["status"]) == (401, 200)
    assert first["body"] == second["body"], "with every condition it had"
    assert "If-Unmodified-Since" in second["body"]


@pytest.mark.parametrize("xml", [False, True])
def test_a_session_refused_twice_is_one_clear_error(
    rig: SalesforceRig, folder: Folder, *, xml: bool
) -> None:
    rig.sandbox.fault("unauthorized", crm="salesforce", path="/services/data", times=1000, xml=xml)
    ended = folder.crmtrail("sync", as_json=False)
    assert ended.code == 12
    assert ended.err.count("error:") == 1
    assert "refused the credentials" in ended.err
    assert "a session that had just begun was refused too" in ended.err
    assert logins(rig) == 2, "the first, and one refresh; the other objects are not tried"
    assert len([one for one in asked(rig) if "/services/data" in one["target"]]) == 2
    assert "00D" not in ended.err + ended.out, "no token is shown"


def test_a_login_that_is_refused_is_one_clear_error_with_the_way_out(
    rig: SalesforceRig, folder: Folder
) -> None:
    rig.act(do="deactivate_user", name=OBSERVER)
    ended = folder.crmtrail("sync", as_json=False)
    assert ended.code == 12
    assert ended.err.count("error:") == 1
    assert "invalid_grant" in ended.err
    assert "hint:" in ended.err
    assert logins(rig) == 1


def test_an_org_of_jwt_tokens_is_told_to_give_opaque_ones(
    rig: SalesforceRig, folder: Folder
) -> None:
    """SOAP answers such a token with INVALID_SESSION_ID, which would look like an expired one."""

    def told() -> dict[str, Any]:
        checks = folder.crmtrail("doctor").json["checks"]
        return {one["name"]: one for one in checks}["restore credentials sf"]

    assert told()["hint"] == ""
    rig.act(do="token_format", jwt=True)
    folder.ok("sync", "sf:Contact")
    assert told()["ok"], "values can be restored"
    assert "undelete and merge need an opaque one" in told()["hint"]
    assert "JSON Web Token" in told()["hint"]
    assert not [one for one in asked(rig) if "/Soap/" in one["target"]]
