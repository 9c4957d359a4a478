"""Every kind of anchor through the command line, each against the real thing on this machine."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.cli import Folder, config_for
from support.outside import Authority, http_server
from support.places import locked_bucket

# Apprise imports all of its services at once; one of them uses what Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ORIGIN = "acme.example/crmtrail"
TOKEN = "canary-token-of-the-chat"
STRICT = (
    "rules: {mass_update: {min_records: 1, any_value_records: 1}, blanking: {min_records: 1}}\n"
)


@pytest.fixture
def folder(sandbox: tuple, tmp_path: Path) -> Folder:
    server, crm = sandbox
    return Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db"))


def anchored(folder: Folder, *anchors: dict, more: str = "") -> list[str]:
    """Name anchors in the config, and return their names as `status` will."""
    text = folder.config.read_text()
    ledger = json.dumps({"origin": ORIGIN, "anchors": anchors})
    folder.config.write_text(f"{text}ledger: {ledger}\n{more}")
    return [one["kind"] for one in anchors]


def place(folder: Folder, kind: str) -> dict:
    places = folder.ok("status")["ledger"]["anchors"]
    (one,) = [one for one in places if one["name"].startswith(f"{kind}:")]
    return one


def refused(folder: Folder, *arguments: str, code: int, words: str) -> str:
    ended = folder.crmtrail(*arguments)
    assert ended.code == code, ended
    error = ended.json["error"]
    assert words in error["message"], error
    return str(error["hint"])


def altered(folder: Folder, *arguments: str) -> str:
    """Verify, expecting 5, and return why."""
    ended = folder.crmtrail("verify", *arguments)
    assert (ended.code, ended.json["ok"]) == (5, False), ended
    return str(ended.json["first_bad"]["why"])


def set_back(folder: Folder, copy: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        (folder.path / f"store.db{tail}").unlink(missing_ok=True)
    shutil.copy(copy, folder.path / "store.db")


def copied(folder: Folder) -> Path:
    copy = folder.path / "copy.db"
    with (
        closing(sqlite3.connect(folder.path / "store.db")) as store,
        closing(sqlite3.connect(copy)) as target,
    ):
        store.backup(target)
    return copy


# --- the CRM ---------------------------------------------------------------------------------


@pytest.fixture(params=["sf", "hs"])
def record(request, sandbox: tuple) -> dict:
    """A record with a text field that nobody uses, in either CRM."""
    _, crm = sandbox
    if request.param == "sf":
        deal = crm.truth("salesforce", "Opportunity")[0]
        crm.act(
            "salesforce",
            do="update",
            object="Opportunity",
            records=[{"id": deal["Id"], "fields": {"NextStep": None}}],
        )
        return {"record": f"sf:Opportunity:{deal['Id']}", "source": "sf", "field": "NextStep"}
    contacts = crm.truth("hubspot", "contacts")
    free = next(one for one in contacts if not one["properties"].get("message"))
    return {"record": f"hs:contacts:{free['id']}", "source": "hs", "field": "message"}


def test_a_checkpoint_in_the_crm_is_one_edit_a_day_and_no_alarm(folder, sandbox, record):
    anchored(folder, {"kind": "crm", **record}, more=STRICT)
    target = record["record"].rsplit(":", 1)[0]
    folder.ok("sync", target)
    known = [one["id"] for one in folder.ok("incidents")["incidents"]]
    held = place(folder, "crm")
    assert (held["failure"], folder.ok("status")["ledger"]["unanchored"]) == ("", 0)
    for _ in range(3):
        (run,) = folder.ok("sync", target)["runs"]
        assert run["state"] == "done"
    assert place(folder, "crm")["size"] == held["size"], "one write, however many syncs"
    versions = folder.ok("history", record["record"])["versions"]
    ours = [v for v in versions if [c["field"] for c in v["changes"]] == [record["field"]]]
    (change,) = ours[-1]["changes"]
    assert change["new"].startswith(f"{ORIGIN} {held['size']} ")
    assert [one["id"] for one in folder.ok("incidents")["incidents"]] == known
    assert folder.ok("status")["ledger"]["unanchored"] > 0
    name = held["name"]
    told = folder.ok("verify", "--against", name)
    assert (told["ok"], told["checkpoints"]) == (True, 1)
    (sent,) = folder.ok("anchor")["sinks"]
    assert sent["ok"], sent
    assert folder.ok("verify", "--against", "anchors")["checkpoints"] == (
        2 if record["source"] == "hs" else 1
    )


def test_a_store_that_was_set_back_contradicts_the_crm(folder, sandbox, record):
    anchored(folder, {"kind": "crm", **record})
    target = record["record"].rsplit(":", 1)[0]
    folder.ok("sync", target)
    copy = copied(folder)
    folder.ok("sync", target)
    folder.ok("anchor")
    set_back(folder, copy)
    assert "cut off" in altered(folder, "--against", place(folder, "crm")["name"])
    ended = folder.crmtrail("anchor")
    assert (ended.code, ended.json["sinks"][0]["altered"]) == (5, True)


# --- messages --------------------------------------------------------------------------------


def test_a_message_once_a_day_that_whoever_kept_it_can_hold_against_us(folder):
    taken = []

    def take(_headers, body):
        taken.append(json.loads(body)["message"])
        return 200, b""

    with http_server(take) as url:
        chat = f"json://{url.removeprefix('http://')}/{TOKEN}"
        anchored(folder, {"kind": "message", "to": "auditors", "apprise_url": chat})
        folder.ok("sync", "sf:Account")
        copy = copied(folder)
        folder.ok("sync", "sf:Contact")
        assert len(taken) == 1, "not at every sync"
        assert folder.ok("anchor")["sinks"][0]["ok"]
        assert len(taken) == 2, "but whenever somebody asks for it"
    saved = folder.path / "mail.txt"
    saved.write_text("> " + "\n\n".join(taken).replace("\n", "\r\n> "))
    told = folder.ok("verify", "--against", str(saved))
    assert (told["ok"], told["checkpoints"]) == (True, 2)
    assert "save" in refused(
        folder, "verify", "--against", "message:auditors", code=1, words="cannot be read back"
    )
    refused(folder, "verify", "--against", "anchors", code=2, words="can be read back")
    set_back(folder, copy)
    assert "cut off" in altered(folder, "--against", str(saved))


def test_a_message_that_fails_fails_no_sync_and_tells_no_secret(folder):
    with http_server(lambda *_: (500, b"")) as url:
        chat = f"json://{url.removeprefix('http://')}/{TOKEN}"
        outside = str(folder.path / "outside")
        anchored(
            folder,
            {"kind": "message", "to": "auditors", "apprise_url": chat},
            {"kind": "file", "path": outside},
        )
        ended = folder.crmtrail("sync", "sf:Account")
        assert ended.code == 0
        assert [one["ok"] for one in ended.json["anchors"]] == [False, True]
        (one,) = folder.ok("sync", "sf:Account")["anchors"]
        assert one["name"].startswith("file:"), "not tried again at once"
        manual = folder.crmtrail("anchor")
        assert (manual.code, [one["ok"] for one in manual.json["sinks"]]) == (1, [False, True])
    shown = folder.crmtrail("status", as_json=False)
    assert "message:auditors failed at" in shown.out
    doctor = folder.crmtrail("doctor")
    assert "message:auditors" in str([one for one in doctor.json["checks"] if not one["ok"]])
    for one in (ended, manual, shown, doctor):
        assert TOKEN not in one.out + one.err
    assert TOKEN.encode() not in (folder.path / "store.db").read_bytes()


def test_a_url_from_a_variable_is_asked_for_only_when_a_message_is_sent(folder):
    anchored(folder, {"kind": "message", "to": "auditors", "apprise_url": "${NOT_SET_ANYWHERE}"})
    (one,) = folder.ok("sync", "sf:Account")["anchors"]
    assert "NOT_SET_ANYWHERE is not set" in one["why"]
    assert folder.ok("status")["ledger"]["unanchored_s"] >= 0


# --- time stamps, S3 -------------------------------------------------------------------------


def test_time_stamps_are_checked_and_a_forged_one_is_noticed(folder):
    (folder.path / "stamps").mkdir()
    with Authority(folder.path / "tsa").serving() as authority:
        anchored(
            folder,
            {
                "kind": "timestamp",
                "url": authority.url,
                "folder": "stamps",
                "ca_file": str(authority.ca),
            },
        )
        folder.ok("sync", "sf:Account")
        folder.ok("sync", "sf:Account")
    name = place(folder, "timestamp")["name"]
    assert folder.ok("verify", "--against", name)["checkpoints"] == 2
    old, new = sorted((folder.path / "stamps").rglob("*.tsr"))
    shutil.copy(old, new)
    assert "time stamp" in altered(folder, "--against", name)
    shown = folder.crmtrail("verify", "--against", name, as_json=False)
    assert (shown.code, "ALTERED" in shown.out) == (5, True)


def test_a_locked_bucket_remembers_what_was_rewritten(folder, monkeypatch):
    with locked_bucket(monkeypatch) as bucket:
        settings = bucket.settings().model_dump(mode="json")
        anchored(folder, settings)
        name = f"s3:locked/{bucket.prefix}"
        folder.ok("sync", "sf:Account")
        copy = copied(folder)
        folder.ok("sync", "sf:Account")
        assert folder.ok("verify", "--against", name)["checkpoints"] == 2
        set_back(folder, copy)
        assert "cut off" in altered(folder, "--against", name)
        ended = folder.crmtrail("anchor")
        assert (ended.code, ended.json["sinks"][0]["altered"]) == (5, True)


def test_an_anchor_that_was_never_sent_to_holds_nothing(folder):
    folder.ok("sync", "sf:Account")
    anchored(folder, {"kind": "file", "path": str(folder.path / "outside")})
    name = f"file:{folder.path}/outside"
    refused(folder, "verify", "--against", name, code=1, words="cannot be read")
    (folder.path / "outside").write_text("")
    hint = refused(folder, "verify", "--against", name, code=1, words="holds no checkpoint")
    assert "crmtrail anchor" in hint
    refused(folder, "verify", "--against", "s3:none/x", code=2, words="there is no file s3:none/x")
