"""The ledger to the outside, through the command line: sign, anchor, prove, compare, rotate."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snapshot.auditor import verify as auditor
from snapshot.notes import notes_in
from support.cli import Folder, config_for

MISSING = "/none/checkpoints"


@pytest.fixture
def folder(sandbox: tuple, tmp_path):
    server, crm = sandbox
    (tmp_path / "repo").mkdir()
    git(tmp_path / "repo", "init", "--quiet")
    return Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db"))


def git(path, *arguments):
    command = ["git", "-C", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def anchored(folder, *kinds, more=""):
    named = {"file": "outside", "git": "repo", "missing": "none/checkpoints"}
    lines = [
        f"{{kind: {'file' if kind == 'missing' else kind}, path: {folder.path / named[kind]}}}"
        for kind in kinds
    ]
    text = folder.config.read_text()
    folder.config.write_text(f"{text}ledger: {{{more}anchors: [{', '.join(lines)}]}}\n")
    return folder


def saved(folder, name, *arguments):
    """What a command prints for people, as a file."""
    ended = folder.crmtrail(*arguments, as_json=False)
    assert ended.code == 0, ended.err
    path = folder.path / name
    path.write_text(ended.out)
    return path


def refused(folder, *arguments, code, words):
    ended = folder.crmtrail(*arguments)
    assert ended.code == code, ended
    error = ended.json["error"]
    assert words in error["message"], error
    return error


def a_record(folder):
    return folder.ok("log", "--op", "baseline", "--limit", "1")["changes"][0]["record"]


# --- anchors ---------------------------------------------------------------------------------


def test_a_sync_is_anchored_once_at_its_end_and_status_knows(folder):
    anchored(folder, "file", "git")
    done = folder.ok("sync", "sf:Account", "sf:Contact")
    assert [one["ok"] for one in done["anchors"]] == [True, True]
    size = folder.ok("checkpoint")["size"]
    outside = (folder.path / "outside").read_text()
    assert [note.split("\n")[1] for _, note in notes_in(outside)] == [str(size)]
    assert len(git(folder.path / "repo", "log", "--oneline").splitlines()) == 1
    ledger = folder.ok("status")["ledger"]
    assert (ledger["size"], ledger["unanchored"], ledger["unanchored_s"]) == (size, 0, None)
    assert {one["size"] for one in ledger["anchors"]} == {size}


def test_an_anchor_that_fails_is_told_and_fails_neither_the_sync_nor_the_others(folder):
    anchored(folder, "missing", "file")
    ended = folder.crmtrail("sync", "sf:Account")
    assert ended.code == 0
    bad, good = ended.json["anchors"]
    assert (bad["ok"], good["ok"]) == (False, True)
    assert "is it mounted" in bad["why"]
    assert "warning: not anchored" in ended.err
    ended = folder.crmtrail("anchor")
    assert ended.code == 1
    assert [one["ok"] for one in ended.json["sinks"]] == [False, True]
    assert ended.json["note"] == folder.ok("checkpoint")["note"]
    ledger = folder.ok("status")["ledger"]
    assert ledger["unanchored"] == 0, "one place outside is enough"
    assert "is it mounted" in "".join(one["failure"] for one in ledger["anchors"])
    (check,) = [one for one in folder.crmtrail("doctor").json["checks"] if one["name"] == "anchors"]
    assert not check["ok"]


def test_an_unusable_key_fails_no_sync_either(folder):
    anchored(folder, "file", more=f"key_file: {folder.path}/none/key, ")
    ended = folder.crmtrail("sync", "sf:Account")
    assert ended.code == 0
    assert "the signing key" in ended.json["anchors"][0]["why"]
    assert folder.ok("status")["ledger"]["unanchored"] == folder.ok("status")["ledger"]["size"]


def test_without_anchors_nothing_is_sent_and_all_is_told_as_unanchored(folder):
    assert folder.ok("sync", "sf:Account")["anchors"] == []
    error = refused(folder, "anchor", code=2, words="names no anchors")
    assert "ledger.anchors" in error["hint"]
    ledger = folder.ok("status")["ledger"]
    assert ledger["unanchored"] == ledger["size"] > 0
    assert ledger["unanchored_s"] >= 0
    shown = folder.crmtrail("status", as_json=False).out
    assert f"unanchored: {ledger['size']} entries" in shown


def test_the_service_anchors_too_and_at_the_latest_when_it_stops(folder):
    anchored(folder, "file")
    command = [sys.executable, "-c", "from crmtrail.cli.main import main; main()"]
    with subprocess.Popen(
        [*command, "--config", str(folder.config), "serve"], stderr=subprocess.PIPE, text=True
    ) as service:
        until = time.monotonic() + 60
        while not (folder.path / "store.db").exists() and time.monotonic() < until:
            time.sleep(0.05)
        while not synced(folder) and time.monotonic() < until:
            assert service.poll() is None, service.stderr.read()
            time.sleep(0.05)
        service.send_signal(signal.SIGTERM)
        _, err = service.communicate(timeout=60)
    assert service.returncode == 0, err
    events = [json.loads(line) for line in err.splitlines()]
    assert [one["anchor"] for one in events if one["event"] == "anchored"]
    assert folder.ok("status")["ledger"]["unanchored"] == 0
    assert folder.ok("verify", "--against", str(folder.path / "outside"))["ok"]


def synced(folder):
    ended = folder.crmtrail("status")
    return ended.code == 0 and ended.json["ledger"]["size"] > 0


# --- comparing -------------------------------------------------------------------------------


def test_a_checkpoint_is_a_file_that_later_verifications_compare_with(folder):
    folder.ok("sync", "sf:Account")
    old = saved(folder, "old.txt", "checkpoint")
    size = folder.ok("checkpoint")["size"]
    folder.ok("sync", "sf:Contact")
    told = folder.ok("verify", "--since", str(old))
    assert (told["ok"], told["since"]["size"]) == (True, size)
    assert told["since"]["added"] == told["entries"] - size > 0
    as_json = folder.path / "old.json"
    as_json.write_text(folder.crmtrail("checkpoint").out)
    assert folder.ok("verify", "--since", str(as_json))["since"]["added"] == 0


def test_a_truncated_ledger_fails_with_5_and_says_so(folder):
    folder.ok("sync", "sf:Account")
    shutil.copy(folder.path / "store.db", folder.path / "copy.db")
    folder.ok("sync", "sf:Contact")
    newer = saved(folder, "newer.txt", "checkpoint")
    shutil.copy(folder.path / "copy.db", folder.path / "store.db")
    ended = folder.crmtrail("verify", "--since", str(newer))
    assert (ended.code, ended.json["ok"]) == (5, False)
    assert ended.json["first_bad"]["kind"] == "checkpoint"
    assert "cut off" in ended.json["first_bad"]["why"]
    assert "ALTERED" in folder.crmtrail("verify", "--since", str(newer), as_json=False).out


def test_a_checkpoint_that_we_did_not_sign_fails_with_5(folder, tmp_path):
    folder.ok("sync", "sf:Account")
    cp = saved(folder, "cp.txt", "checkpoint")
    size = cp.read_text().split("\n")[1]
    forged = folder.path / "forged.txt"
    forged.write_text(cp.read_text().replace(f"\n{size}\n", f"\n{int(size) - 1}\n"))
    ended = folder.crmtrail("verify", "--since", str(forged))
    assert ended.code == 5
    assert "does not hold" in ended.json["first_bad"]["why"]
    key = folder.ok("key")["current"]
    (folder.path / "store.db.key").unlink()
    ended = folder.crmtrail("verify", "--since", str(cp))
    assert ended.code == 5
    assert "not signed by a key of" in ended.json["first_bad"]["why"]
    assert folder.ok("verify", "--since", str(cp), "--key", key)["ok"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no file"),
        ("", "holds 0 checkpoints"),
        ("my shopping list\n", "this is no checkpoint"),
        ("{}", "is no checkpoint"),
        ("CP\nCP", "holds 2 checkpoints"),
        (b"\xff\xfe", "is not text"),
    ],
)
def test_what_is_no_checkpoint_is_a_mistake(folder, text, words):
    folder.ok("sync", "sf:Account")
    path = folder.path / "given"
    if isinstance(text, bytes):
        path.write_bytes(text)
    elif text is not None:
        note = folder.ok("checkpoint")["note"]
        path.write_text(text.replace("CP", note))
    refused(folder, "verify", "--since", str(path), code=2, words=words)
    if words != "holds 2 checkpoints":
        assert folder.crmtrail("verify", "--against", str(path)).code == 2
    refused(folder, "verify", "--key", "x", code=2, words="--key goes with")


def test_a_torn_line_in_a_file_of_checkpoints_is_named(folder):
    anchored(folder, "file")
    folder.ok("sync", "sf:Account")
    outside = folder.path / "outside"
    whole = outside.read_text()
    outside.write_text(f"{whole}{whole[:30]}")
    error = refused(folder, "verify", "--against", str(outside), code=2, words="line 7")
    assert "tore" in error["hint"]


# --- proving ---------------------------------------------------------------------------------


def test_a_proof_file_convinces_somebody_who_has_only_the_one_program(folder):
    folder.ok("sync", "sf:Contact")
    record = a_record(folder)
    proof = saved(folder, "one.tlog-proof", "prove", record, "--version", "1")
    assert proof.read_text().startswith("c2sp.org/tlog-proof@v1\nextra ")
    old = saved(folder, "old.txt", "checkpoint")
    folder.ok("sync", "sf:Account")
    growth = saved(folder, "growth.txt", "prove", "--since", str(old))
    cp = saved(folder, "cp.txt", "checkpoint")
    key = folder.ok("key")["current"]
    ended = alone(folder, key, "proof", proof)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[1])["record"] == record
    assert "only grew" in alone(folder, key, "growth", old, growth).stdout
    assert alone(folder, key, "store", folder.path / "store.db", cp).returncode == 0
    proof.write_text(proof.read_text().replace("index ", "index 1"))
    ended = alone(folder, key, "proof", proof)
    assert (ended.returncode, ended.stdout[:3]) == (5, "NO:")
    assert alone(folder, "nonsense", "proof", proof).returncode == 2
    assert alone(folder, key, "proof", folder.path / "nowhere").returncode == 2


def test_the_auditor_s_program_reads_a_store_with_restores_and_deletions_in_it(folder, sandbox):
    _, crm = sandbox
    folder.ok("sync")
    hit = [one["Id"] for one in crm.truth("salesforce", "Contact") if one["Phone"]][:12]
    who = {"as": {"kind": "app", "name": "Marketing Sync"}, "object": "Contact"}
    blank = [{"id": id_, "fields": {"Phone": None}} for id_ in hit]
    crm.act("salesforce", **who, do="update", records=blank)
    odd = {"Title": 'Ä "\\ \u2028 \U0001f680'}
    crm.act("salesforce", **who, do="update", records=[{"id": hit[1], "fields": odd}])
    crm.act("salesforce", **who, do="delete", records=[{"id": hit[0]}])
    folder.ok("sync")
    (incident,) = folder.ok("incidents")["incidents"]
    plan = folder.ok("plan", "--incident", incident["id"])["plan"]["id"]
    assert folder.crmtrail("apply", plan, "--yes").json["receipt"]["outcomes"]["restored"] == 11
    cp = saved(folder, "cp.txt", "checkpoint")
    key = folder.ok("key")["current"]
    ended = alone(folder, key, "store", folder.path / "store.db", cp)
    assert (ended.returncode, ended.stderr) == (0, "")
    proof = saved(folder, "one.tlog-proof", "prove", f"sf:Contact:{hit[1]}")
    told = json.loads(alone(folder, key, "proof", proof).stdout.splitlines()[1])
    assert (told["op"], told["plan"]) == ("restore", plan)


def alone(folder, key, *arguments):
    """Run a copy of the auditor's program, in a folder and an interpreter that know nothing."""
    copy = folder.path / "auditor" / "verify.py"
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(auditor.__file__, copy)
    command = [sys.executable, "-I", str(copy), "--key", key, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=copy.parent)


def test_a_version_can_be_proven_to_the_checkpoint_that_the_auditor_has(folder):
    folder.ok("sync", "sf:Contact")
    cp = saved(folder, "cp.txt", "checkpoint")
    record = a_record(folder)
    folder.ok("sync", "sf:Account")
    shown = folder.ok("prove", record, "--against", str(cp))
    assert shown["note"] == cp.read_text()
    assert auditor.check_proof(shown["proof"], auditor.keys_of(folder.ok("key")["current"]))
    account = folder.ok("log", "--op", "baseline", "--object", "Account")["changes"][0]["record"]
    error = refused(
        folder, "prove", account, "--against", str(cp), code=2, words="the checkpoint ends before"
    )
    assert "newer checkpoint" in error["hint"]


def test_what_cannot_be_proven(folder):
    folder.ok("sync", "sf:Account")
    record = a_record(folder)
    refused(folder, "prove", "sf:Account:none", code=2, words="not in the store")
    refused(folder, "prove", record, "--version", "99", code=2, words="version 99 of")
    refused(folder, "prove", code=2, words="name a RECORD, or --since")
    cp = saved(folder, "cp.txt", "checkpoint")
    cp.write_text(cp.read_text().replace("\n2", "\n3").replace("\n1", "\n2"))
    refused(folder, "prove", "--since", str(cp), code=5, words="altered")


# --- keys ------------------------------------------------------------------------------------


def test_a_rotation_is_sealed_handed_over_and_old_checkpoints_stay_good(folder):
    anchored(folder, "file")
    folder.ok("sync", "sf:Account")
    old = saved(folder, "old.txt", "checkpoint")
    first = folder.ok("key")
    second = folder.ok("key", "--rotate")
    assert (second["retired"], first["retired"]) == ([first["current"]], [])
    assert second["origin"] == first["origin"]
    handover = folder.path / "handover.txt"
    handover.write_text(second["handover"])
    for key in (first["current"], second["current"]):
        assert folder.ok("verify", "--since", str(handover), "--key", key)["ok"]
    assert folder.ok("verify", "--since", str(old), "--against", str(folder.path / "outside"))["ok"]
    assert second["handover"] in (folder.path / "outside").read_text()
    new = saved(folder, "new.txt", "checkpoint")
    ended = folder.crmtrail("verify", "--since", str(new), "--key", first["current"])
    assert ended.code == 5, "the old key signs nothing new"
    size = int(second["handover"].split("\n")[1])
    assert sealed(folder, size - 1)["entry"] == {
        "added": second["current"],
        "retired": first["current"],
    }


def sealed(folder, index):
    from snapshot.database import connect  # noqa: PLC0415 -- only here

    engine = connect(folder.path / "store.db")
    with engine.connect() as connection:
        entry = connection.exec_driver_sql("SELECT entry FROM leaf WHERE idx = ?", (index,))
        told = json.loads(entry.scalar_one())
    engine.dispose()
    return told


def test_a_lost_key_is_told_and_a_new_one_keeps_the_name(folder):
    anchored(folder, "file", more="origin: acme.example/log, ")
    folder.ok("sync", "sf:Account")
    (folder.path / "store.db.key").unlink()
    error = refused(folder, "checkpoint", code=2, words="is missing, and this ledger was signed")
    assert "--rotate" in error["hint"]
    text = folder.config.read_text()
    folder.config.write_text(text.replace("origin: acme.example/log, ", ""))
    made = folder.ok("key", "--rotate")
    assert (made["origin"], made["retired"]) == ("acme.example/log", [])
    assert folder.ok("verify", "--since", str(saved(folder, "cp.txt", "checkpoint")))["ok"]
    assert folder.crmtrail("verify", "--against", str(folder.path / "outside")).code == 5


def test_the_secret_is_nowhere_but_in_its_file(folder):
    anchored(folder, "file", "git")
    said = folder.crmtrail("sync", "sf:Account").out
    for arguments in (("key", "--rotate"), ("checkpoint",), ("anchor",), ("status",), ("doctor",)):
        ended = folder.crmtrail(*arguments)
        said += ended.out + ended.err
    key_file = folder.path / "store.db.key"
    secret = key_file.read_text().split("PRIVATE+KEY+")[1].split("\n")[0].split("+", 2)[2]
    assert secret[:20] not in said
    holding = [
        Path(where, name)
        for where, _, names in os.walk(folder.path)
        for name in names
        if secret.encode() in Path(where, name).read_bytes()
    ]
    assert holding == [key_file]
