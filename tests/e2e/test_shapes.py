"""The JSON keys that outside tools rely on: one that goes missing breaks somebody's script."""

import pytest

from support.cli import Folder, config_for
from support.sandbox import running_sandbox

PLAN = (
    "id digest created expires author counts.update counts.undelete counts.create counts.delete "
    "counts.associate counts.skip counts.conflict counts.blocked api_calls approval.required "
    "approval.given steps[].id steps[].record steps[].action steps[].expect steps[].write "
    "steps[].reason"
)

SHAPES = {
    "sync": (
        "runs[].source runs[].object runs[].read runs[].created runs[].updated runs[].deleted "
        "runs[].changes runs[].api_calls runs[].watermark runs[].complete_to runs[].gaps "
        "runs[].state anchors[].name anchors[].ok"
    ),
    "status": (
        "sources[].name sources[].objects[].object sources[].objects[].records "
        "sources[].objects[].versions sources[].objects[].watermark "
        "sources[].objects[].complete_to sources[].objects[].lag_s sources[].objects[].gaps "
        "budget ledger.size ledger.unanchored ledger.unanchored_s ledger.anchors[].name "
        "ledger.anchors[].size ledger.anchors[].anchored_at ledger.anchors[].failure"
    ),
    "log": (
        "changes[].record changes[].field changes[].old changes[].new changes[].at "
        "changes[].known_at changes[].actor.id changes[].actor.name changes[].actor.kind "
        "changes[].actor.via changes[].op changes[].operation changes[].version next"
    ),
    "show RECORD": "record version at deleted fields.Phone",
    "history RECORD": (
        "record versions[].number versions[].at versions[].known_at versions[].op "
        "versions[].actor.kind versions[].changes"
    ),
    "blame RECORD": "fields[].name fields[].value fields[].at fields[].actor.kind",
    "diff RECORD --from 1h": "created updated[].record deleted",
    "diff sf:Contact --from 1h": "created updated[].changes[].field deleted",
    "operations": (
        "operations[].id operations[].actor.name operations[].via operations[].started "
        "operations[].ended operations[].records operations[].fields operations[].kind"
    ),
    "incidents": (
        "incidents[].id incidents[].rule incidents[].state incidents[].severity "
        "incidents[].title incidents[].source incidents[].object incidents[].records "
        "incidents[].fields incidents[].actor.name incidents[].via incidents[].started "
        "incidents[].ended incidents[].operation incidents[].evidence.fields"
    ),
    "incident INCIDENT": "id rule state severity evidence.fields",
    "plan --incident INCIDENT": " ".join(f"plan.{key}" for key in PLAN.split())
    + " counts.update api_calls approval.required",
    "plans": "plans[].id plans[].digest plans[].counts.update",
    "plan-show PLAN": " ".join(f"plan.{key}" for key in PLAN.split()),
    "apply PLAN --yes": (
        "receipt.plan receipt.applied_at receipt.outcomes.restored receipt.outcomes.already "
        "receipt.outcomes.conflict receipt.outcomes.refused receipt.outcomes.failed "
        "receipt.steps[].id receipt.steps[].outcome receipt.steps[].detail ledger.leaf planned"
    ),
    "undo PLAN --yes": "receipt.outcomes.restored ledger.leaf planned",
    "verify": "ok entries root checked first_bad",
    "checkpoint": "note size root key",
    "anchor": "note sinks[].name sinks[].ok",
    "prove RECORD --version 1": "proof index entry note",
    "key": "origin current retired",
    "doctor": "checks[].name checks[].ok checks[].detail checks[].hint",
    "export sf:Contact --format csv --to FILE": "rows path sha256 ledger.leaf",
    "erase RECORD --dry-run": (
        "erased entries certificate records[].record records[].versions copies.steps exports"
    ),
    "hold add RECORD --why shapes": "id on why by at until state entry released",
    "hold list": "holds[].id holds[].state",
    "retention preview": "applied rules",
    "backup COPY": "path bytes entries root encrypted keys_included note",
    "restore-store COPY --force": "path bytes entries root before erased_again why",
    "store migrate-to NEW": ("from to entries root rows.record rows.version rows.tile config"),
}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Run every command once, in an order that makes sense, and keep what each said."""
    path = tmp_path_factory.mktemp("shapes")
    with running_sandbox() as (server, crm):
        extra = f"ledger: {{anchors: [{{kind: file, path: {path}/outside}}]}}\n"
        folder = Folder(path, config_for(server.url, crm, path / "store.db", extra=extra))
        folder.ok("sync", "sf:Contact")
        hit = [one for one in crm.truth("salesforce", "Contact") if one["Phone"]][:20]
        crm.act(
            "salesforce",
            **{"as": {"kind": "app", "name": "Marketing Sync"}},
            do="update",
            object="Contact",
            records=[{"id": one["Id"], "fields": {"Phone": None}} for one in hit],
        )
        words = {
            "RECORD": f"sf:Contact:{hit[0]['Id']}",
            "FILE": str(path / "contacts.csv"),
            "COPY": str(path / "copy.db"),
            "NEW": f"sqlite:///{path}/new.db",
        }
        said = {}
        for line in SHAPES:
            said[line] = folder.ok(*(words.get(word, word) for word in line.split()))
            if line == "incidents":
                words["INCIDENT"] = said[line]["incidents"][0]["id"]
            if line.startswith("plan --incident"):
                words["PLAN"] = said[line]["plan"]["id"]
        yield said


def follow(shape, path):
    """Walk a path such as ``a[].b.c``; a list must not be empty, so that its keys are seen."""
    here = shape
    for part in path.split("."):
        name, listed = part.removesuffix("[]"), part.endswith("[]")
        assert name in here, f"{path}: no {name}"
        here = here[name]
        if listed:
            assert here, f"{path}: {name} is empty"
            here = here[0]
    return here


@pytest.mark.parametrize("line", SHAPES)
def test_keys_stay_where_outside_tools_look_for_them(spoken, line):
    for path in SHAPES[line].split():
        follow(spoken[line], path)


def test_what_the_values_say(spoken):
    assert spoken["sync"]["runs"][0]["source"] == "sf"
    changes = spoken["log"]["changes"]
    assert {one["op"] for one in changes[:20]} == {"update"}
    assert {one["field"] for one in changes[:20]} == {"Phone"}
    assert spoken["blame RECORD"]["record"] == spoken["show RECORD"]["record"]
    assert spoken["incidents"]["incidents"][0]["records"] == 20
    assert spoken["apply PLAN --yes"]["receipt"]["outcomes"]["restored"] == 20
    assert spoken["diff sf:Contact --from 1h"]["created"] == []
    assert len(spoken["diff sf:Contact --from 1h"]["updated"]) == 20
    assert spoken["verify"]["ok"] is True
