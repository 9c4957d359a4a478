"""Bad input and bad luck: one clear line each, the documented exit code, nothing lost."""

import json
import socket
import subprocess
import sys
import time

import pytest

from crmtrail.sandbox.client import Sandbox
from snapshot.database import connect
from support.cli import Folder, config_for

DEAD = "retry: {attempts: 1}\n"

SENSITIVE = (
    "contacts: 1 property is hidden from this token: tax_number (sensitive: it takes the scope"
    " crm.objects.contacts.sensitive.read.v2)"
)


@pytest.fixture
def folder(sandbox: tuple, tmp_path):
    server, crm = sandbox
    return Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db", extra=DEAD))


def refused(ended, code, words):
    assert ended.code == code, ended
    error = ended.json["error"]
    assert error["exit_code"] == code
    assert words in error["message"]
    assert "\n" not in error["message"]
    assert ended.err.splitlines()[0] == f"error: {error['message']}"
    return error


def test_no_config(tmp_path):
    folder = Folder(tmp_path, "")
    folder.config.unlink()
    error = refused(folder.crmtrail("status"), 2, "there is no config")
    assert "crmtrail init" in error["hint"]


def test_a_bad_config_tells_every_mistake(tmp_path):
    folder = Folder(tmp_path, "stores: {}\nscheduler: {every: soon}\n")
    refused(folder.crmtrail("sync"), 2, "the config has 2 mistakes")


def test_no_sources(tmp_path):
    refused(Folder(tmp_path, "{}").crmtrail("sync"), 2, "no sources")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nonsense"), "source:object:id"),
        (("sync", "zz"), "there is no source 'zz'"),
        (("sync", "sf:Nonsense"), "Nonsense"),
        (("log", "--since", "yesterdayish"), "is no time"),
        (("log", "--since", "99999999999d"), "is no time"),
        (("log", "--since", "0001-01-01T00:00:00+05:00"), "is no time"),
        (("log", "--op", "explode"), "no operation kind"),
        (("log", "--cursor", "nonsense"), "cursor"),
        (("plan",), "exactly one of"),
        (("plan", "--object", "sf:Contact"), "--at"),
        (("plan", "--incident", "inc-none"), "inc-none"),
        (("apply", "plan-none", "--yes"), "plan-none"),
        (("incident", "inc-none"), "inc-none"),
        (("blame", "sf:Contact:none"), "not in the store"),
        (("history", "sf:Contact:none"), "not in the store"),
        (("diff", "sf:Contact", "--from", "1h", "--to", "2h"), "--from is later"),
        (("sync", "--full", "--reconcile"), "cannot go together"),
        (("frobnicate",), "No such command"),
    ],
)
def test_wrong_usage(folder, arguments, words):
    folder.ok("sync", "sf:Account")
    ended = folder.crmtrail(*arguments)
    if arguments[0] == "sync" and "Nonsense" in words:
        assert (ended.code, ended.json["runs"][0]["state"]) == (2, "failed")
        assert words in ended.json["runs"][0]["error"]["message"]
        return
    refused(ended, 2, words)


def test_looking_before_the_first_sync_says_there_is_no_store(folder):
    for command in (("status",), ("log",), ("incidents",), ("verify",), ("show", "sf:Contact:1")):
        refused(folder.crmtrail(*command), 10, "there is no store")
    assert not (folder.path / "store.db").exists()


def test_a_wrong_token_is_told_once_and_the_other_source_goes_on(folder):
    text = folder.config.read_text()
    token = json.loads("".join(text.split("restore_auth")[0].split("token: ")[-1].split("}")[0]))
    folder.config.write_text(text.replace(token, "00D000000000000!wrong", 1))
    ended = folder.crmtrail("sync", "sf:Account", "hs:companies")
    assert ended.code == 12
    bad, good = ended.json["runs"]
    assert (bad["state"], bad["error"]["exit_code"]) == ("failed", 12)
    assert good["state"] == "done"
    assert "00D000000000000" not in ended.out + ended.err
    doctor = folder.crmtrail("doctor")
    assert doctor.code == 12
    (check,) = [one for one in doctor.json["checks"] if one["name"] == "credentials sf"]
    assert not check["ok"]


def test_an_unreachable_host_is_one_line(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = folder.config.read_text()
    url = text.split("base_url: ")[1].split("\n")[0]
    folder.config.write_text(text.replace(url, f"http://127.0.0.1:{port}"))
    for target in ("sf:Account", "hs:companies"):
        ended = folder.crmtrail("sync", target)
        assert ended.code == 1
        (run,) = ended.json["runs"]
        assert run["state"] == "failed"
        assert len(ended.err.splitlines()) <= 2, ended.err
        assert "127.0.0.1" in run["error"]["message"] or "reach" in run["error"]["message"]


def test_a_store_from_a_newer_version_is_left_alone(folder):
    folder.ok("sync", "sf:Account")
    engine = connect(folder.path / "store.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    before = (folder.path / "store.db").read_bytes()
    for command in ("status", "sync", "verify"):
        error = refused(folder.crmtrail(command), 10, "newer")
        assert "upgrade" in error["hint"]
    assert (folder.path / "store.db").read_bytes() == before


def test_a_file_that_is_no_store_is_left_alone(folder):
    (folder.path / "store.db").write_text("my shopping list")
    refused(folder.crmtrail("sync"), 10, "")
    assert (folder.path / "store.db").read_text() == "my shopping list"


def test_nothing_is_written_without_a_yes_where_nobody_can_be_asked(folder):
    folder.ok("sync", "sf:Account")
    refused(folder.crmtrail("apply", "plan-1"), 2, "nobody to ask")


def test_an_altered_store_fails_verification_and_names_the_entry(folder):
    folder.ok("sync", "sf:Account")
    engine = connect(folder.path / "store.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE record SET deleted = 1 WHERE record_id = 3")
    engine.dispose()
    ended = folder.crmtrail("verify")
    assert ended.code == 5
    assert ended.json["first_bad"]["record"].startswith("sf:Account:")


def test_help_is_quick_and_imports_none_of_the_rooms():
    code = (
        "import sys; from crmtrail.cli.main import run; run(['--help']);"
        "print([name for name in ('sqlmodel', 'simple_salesforce', 'hubspot', 'rich.table')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_init_writes_a_config_that_works(sandbox, tmp_path, monkeypatch):
    server, crm = sandbox
    folder = Folder(tmp_path, "")
    folder.config.unlink()
    sources = ("--source", f"sf=salesforce@{server.url}", "--source", f"hs=hubspot@{server.url}")
    unset = folder.crmtrail("init", *sources)
    assert unset.code == 2
    assert "set SF_CLIENT_ID, SF_USERNAME" in unset.json["sources"][0]["missing"][0], "jwt is best"
    for name, source in (("salesforce", "SF"), ("hubspot", "HS")):
        monkeypatch.setenv(f"{source}_TOKEN", crm.people(name)["tokens"]["observer"])
    refused(folder.crmtrail("init", *sources), 2, "exists already")
    done = folder.ok("init", "--force", *sources)
    assert [(one["name"], one["ok"], one["missing"]) for one in done["sources"]] == [
        ("sf", True, []),
        ("hs", True, [SENSITIVE]),
    ]
    monkeypatch.setenv("CRMTRAIL_STORE__URL", f"sqlite:///{tmp_path}/store.db")
    assert all(one["ok"] for one in folder.ok("doctor")["checks"])
    assert folder.config.stat().st_mode & 0o077 == 0
    assert {run["state"] for run in folder.ok("sync")["runs"]} == {"done"}


def test_serve_polls_and_stops_cleanly_on_sigterm(sandbox, tmp_path):
    server, crm = sandbox
    extra = "scheduler: {every: 1s, jitter: 0s, lease: 30s}\n"
    config = config_for(server.url, crm, tmp_path / "store.db", extra=extra)
    folder = Folder(tmp_path, config)
    command = [sys.executable, "-c", "from crmtrail.cli.main import main; main()"]
    with subprocess.Popen(
        [*command, "--config", str(folder.config), "serve"], stderr=subprocess.PIPE, text=True
    ) as service:
        until = time.monotonic() + 60
        while polls(crm) < 3 and time.monotonic() < until:
            assert service.poll() is None, service.stderr.read()
            time.sleep(0.1)
        service.terminate()
        _, err = service.communicate(timeout=30)
    assert service.returncode == 0
    events = [json.loads(line) for line in err.splitlines()]
    assert events[-1]["event"] == "stopped"
    assert {one["state"] for one in events if one["event"] == "synced"} <= {"done", "stopped"}
    status = folder.ok("status")
    assert sum(one["records"] for one in status["sources"][0]["objects"]) > 0
    assert folder.ok("sync", "hs:deals")["runs"][0]["state"] == "done", "no lease was left behind"
    for secret in crm.people("hubspot")["tokens"].values():
        assert secret not in err


def polls(crm: Sandbox) -> int:
    """How often the deals were polled, by the sandbox's own log."""
    return sum("/deals/search" in one["target"] for one in crm.requests(crm="hubspot"))
