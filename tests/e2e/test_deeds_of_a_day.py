"""A day's work leaves an entry for each step that somebody took, with who and what."""

import pytest

from support.cli import Folder, config_for


@pytest.fixture
def folder(sandbox: tuple, tmp_path):
    server, crm = sandbox
    extra = "ledger: {anchors: [{kind: file, path: outside}]}\nrestore: {four_eyes_above: 1}\n"
    return Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db", extra=extra))


def deeds(folder, kind):
    found = folder.ok("actions", "--kind", kind)["actions"]
    return [one["entry"] for one in reversed(found)]


def rename(folder, old, new):
    folder.config.write_text(folder.config.read_text().replace(old, new))


def test_a_configuration_is_sealed_when_it_is_another(folder):
    folder.ok("sync", "sf:Contact")
    folder.ok("sync", "sf:Account")
    [first] = deeds(folder, "config")
    assert (first["by"], first["changed"]) == ("ana", [])
    rename(folder, "user: ana", "user: bob")
    rename(folder, "[contacts, companies, deals]", "[contacts]")
    folder.ok("sync", "sf:Contact")
    second = deeds(folder, "config")[1]
    assert (second["by"], second["changed"]) == ("bob", ["sources.hs.objects", "user"])
    told = folder.crmtrail("actions", "--kind", "config").out
    assert "token" in told
    assert not [word for word in ("00D", "pat-") if word in told]
    assert len(deeds(folder, "run")) == 3
    assert folder.ok("verify")["ok"] is True


def test_a_restore_leaves_who_planned_approved_wrote_and_what_came_of_it(folder, sandbox):
    crm = sandbox[1]
    folder.ok("sync", "sf:Contact")
    hit = [one for one in crm.truth("salesforce", "Contact") if one["Phone"]][:20]
    crm.act(
        "salesforce",
        **{"as": {"kind": "app", "name": "Marketing Sync"}},
        do="update",
        object="Contact",
        records=[{"id": one["Id"], "fields": {"Phone": None}} for one in hit],
    )
    crm.turn(60)
    folder.ok("sync", "sf:Contact")
    [incident] = folder.ok("incidents")["incidents"]
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]["id"]
    folder.ok("plan-show", plan)
    rename(folder, "user: ana", "user: bob")
    folder.ok("approve", plan)
    folder.ok("apply", plan, "--yes")

    assert [one["author"] for one in deeds(folder, "plan")] == ["ana"]
    assert deeds(folder, "approval") == [{"plan": plan, "by": "bob"}]
    written = [step for one in deeds(folder, "write") for step in one["steps"]]
    settled = [one["step"] for one in deeds(folder, "outcome")]
    assert len(written) == len(set(written)) == 20
    assert set(written) <= set(settled)
    assert [one["applied_by"] for one in deeds(folder, "receipt")] == ["bob"]
    assert deeds(folder, "config")[-1]["changed"] == ["user"]
    [view] = deeds(folder, "view")
    assert (view["command"], view["query"]) == ("plan-show", {"plan": plan})
    who = {one["by"] for one in folder.ok("actions", "--kind", "receipt")["actions"]}
    assert who == {"bob"}
    assert folder.ok("verify")["ok"] is True


def test_proofs_and_anchors_are_told(folder):
    folder.ok("sync", "sf:Contact")
    record = folder.ok("log", "--op", "baseline", "--limit", "1")["changes"][0]["record"]
    proof = folder.ok("prove", record)
    assert (
        deeds(folder, "proof") == [{"by": "ana", "record": record, "entry": proof["index"]}]
        or (deeds(folder, "proof")[0]["login"])
    )
    note = folder.path / "note.txt"
    note.write_text(folder.ok("anchor")["note"])
    [anchor] = deeds(folder, "anchor")
    assert anchor["by"] == "ana"
    assert anchor["sinks"] == [f"file:{folder.path / 'outside'}"]
    assert folder.ok("status")["ledger"]["unanchored"] == 0
    folder.ok("prove", "--since", str(note))
    assert deeds(folder, "proof")[1]["since"] > proof["index"]
