"""What needs no CRM needs no token, and what is wrong is told where it is asked for."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from crmtrail.cli.main import run
from support.cli import Folder, config_for
from support.sandbox import running_sandbox

QUIET = "retry: {attempts: 1}\n"


@pytest.fixture
def folder(sandbox: tuple, tmp_path):
    server, crm = sandbox
    return Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db", extra=QUIET))


def forget_tokens(folder, source="sf"):
    """Take the tokens of a source out of the config: they come from variables nobody set."""
    head, section, rest = folder.config.read_text().partition(f"  {source}:\n")
    lines = rest.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.startswith("  ") and not line.startswith("    "):
            break
        for key in ("restore_auth", "auth"):
            if line.strip().startswith(f"{key}:"):
                variable = f"${{NOBODY_SET_{key.upper()}}}"
                lines[number] = f"    {key}: {{method: token, token: {variable}}}\n"
                break
    folder.config.write_text(head + section + "".join(lines))


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("verify",), ("incidents",), ("log",), ("operations",), ("plans",)],
)
def test_looking_needs_no_token(folder, arguments):
    folder.ok("sync", "sf:Account")
    for source in ("sf", "hs"):
        forget_tokens(folder, source)
    folder.ok(*arguments)


def test_a_sync_without_a_token_names_it_once_and_the_other_source_goes_on(folder):
    forget_tokens(folder)
    ended = folder.crmtrail("sync")
    assert ended.code == 2
    runs = {(run["source"], run["state"]) for run in ended.json["runs"]}
    assert runs == {("sf", "failed"), ("hs", "done")}
    told = "sources.sf.auth.token: the environment variable NOBODY_SET_AUTH is not set"
    errors = [run["error"] for run in ended.json["runs"] if run["source"] == "sf"]
    assert [error["message"] for error in errors] == [told] * 3
    assert ended.err.count("NOBODY_SET_AUTH is not set") == 1
    serve = folder.crmtrail("serve")
    assert (serve.code, serve.json["error"]["message"]) == (2, told)
    checks = {one["name"]: one for one in folder.crmtrail("doctor").json["checks"]}
    assert not checks["credentials sf"]["ok"]
    assert "set NOBODY_SET_AUTH" in checks["credentials sf"]["detail"]
    assert checks["credentials hs"]["ok"]


def test_refused_credentials_are_told_once_and_tried_once(folder, sandbox):
    crm = sandbox[1]
    token = crm.people("salesforce")["tokens"]["observer"]
    folder.config.write_text(folder.config.read_text().replace(token, "00D000000000000!no"))
    before = len(crm.requests(crm="salesforce"))
    ended = folder.crmtrail("sync", "sf")
    assert ended.code == 12
    assert [run["error"]["exit_code"] for run in ended.json["runs"]] == [12, 12, 12]
    assert ended.err.count("error:") == 1
    assert [run["api_calls"] > 0 for run in ended.json["runs"]] == [True, False, False]
    assert len(crm.requests(crm="salesforce")) - before == ended.json["runs"][0]["api_calls"]


def test_a_failed_run_still_says_how_far_the_store_is(folder, sandbox):
    good = folder.ok("sync", "sf:Account")["runs"][0]
    token = sandbox[1].people("salesforce")["tokens"]["observer"]
    folder.config.write_text(folder.config.read_text().replace(token, "00D000000000000!no"))
    bad = folder.crmtrail("sync", "sf:Account").json["runs"][0]
    assert bad["state"] == "failed"
    assert bad["watermark"] == good["watermark"]
    assert bad["complete_to"] == good["complete_to"] is not None


def test_a_relative_store_lies_beside_its_config(folder, tmp_path):
    text = folder.config.read_text().replace(f"sqlite:///{tmp_path}/store.db", "sqlite:///mine.db")
    folder.config.write_text(text)
    folder.ok("sync", "hs:companies")
    assert (tmp_path / "mine.db").exists()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-c", "from crmtrail.cli.main import main; main()"]
    done = subprocess.run(
        [*command, "--config", "../crmtrail.yaml", "--json", "status"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sum(o["records"] for s in json.loads(done.stdout)["sources"] for o in s["objects"]) > 0
    assert list(elsewhere.iterdir()) == []


def test_ctrl_c_says_what_was_done_and_that_it_stopped(tmp_path):
    with running_sandbox("medium") as (server, crm):
        folder = Folder(tmp_path, config_for(server.url, crm, tmp_path / "store.db"))
        command = [sys.executable, "-c", "from crmtrail.cli.main import main; main()"]
        with subprocess.Popen(
            [*command, "--config", str(folder.config), "sync", "sf"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            until = time.monotonic() + 60
            while not any("/query" in one["target"] for one in crm.requests(crm="salesforce")):
                assert running.poll() is None, running.stderr.read()
                assert time.monotonic() < until
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "sf:Account" in out
        assert err == "stopped; the next sync goes on from here\n"
        assert folder.ok("sync", "sf:Account")["runs"][0]["state"] == "done"


def told(folder, *arguments):
    ended = folder.crmtrail(*arguments, as_json=False)
    return ended.code, ended.json["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "--json"), "Missing argument 'RECORD'"),
        (("sync", "--json", "--foo"), "No such option"),
        (("frobnicate", "--json"), "No such command"),
        (("--json",), "Missing command"),
        (("--json", "--nonsense"), "No such option"),
    ],
)
def test_usage_errors_are_json_wherever_it_is_asked_for(folder, arguments, words):
    code, message = told(folder, *arguments)
    assert code == 2
    assert words in message


def test_bare_is_the_help(capsys):
    assert run([]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("Usage: crmtrail")
    assert said.err == ""


def test_program_options_work_after_the_command_too(folder, sandbox):
    sources = ("--source", f"hs=hubspot@{sandbox[0].url}", "--config", f"{folder.path}/two.yaml")
    assert "Wrote" in folder.crmtrail("init", *sources, as_json=False).err
    assert (folder.path / "two.yaml").exists()
    assert folder.crmtrail("init", "--force", *sources, "-q", "-v", "--no-input").err == ""
    forget_tokens(folder)
    quiet = folder.crmtrail("sync", "sf:Account", "-q", as_json=False)
    assert quiet.code == 2
    assert quiet.err.startswith("error: sf: sources.sf.auth.token"), "-q says errors"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("log", "--source", "zz"), "there is no source 'zz'"),
        (("log", "--object", "Kontakt"), "there is no object 'Kontakt'"),
        (("log", "--source", "hs", "--object", "Account"), "there is no object 'Account'"),
        (("log", "--operation", "op-none"), "op-none"),
        (("log", "--record", "sf:Account:none"), "not in the store"),
        (("log", "--since", "1h", "--until", "2h"), "--since is not before --until"),
        (("history", "sf:Account:ID", "--field", "Fone"), "no field 'Fone'; Phone"),
    ],
)
def test_questions_about_nothing(folder, sandbox, arguments, words):
    folder.ok("sync", "sf:Account")
    some = sandbox[1].truth("salesforce", "Account")[0]["Id"]
    ended = folder.crmtrail(*(word.replace(":ID", f":{some}") for word in arguments))
    assert ended.code == 2
    error = ended.json["error"]
    message, _, hint = words.partition("; ")
    assert message in error["message"]
    assert hint in error["hint"]


def test_no_changes_and_the_first_sight_are_told(folder, sandbox):
    folder.ok("sync", "sf:Account")
    assert folder.crmtrail("log", as_json=False).out == "No changes.\n"
    some = sandbox[1].truth("salesforce", "Account")[0]["Id"]
    assert "first sight" in folder.crmtrail("history", f"sf:Account:{some}", as_json=False).out


def test_init_leaves_a_good_config_alone_when_the_new_one_is_wrong(folder):
    before = folder.config.read_bytes()
    for source, words in (
        ("sf=salesforce@http://acme.example", "http:// is accepted for loopback"),
        ("sf=salesforce@https://ana:hunter2@acme.example", "holds no credentials"),
        ("sf=zoho@https://acme.example", "is no source"),
    ):
        ended = folder.crmtrail("init", "--force", "--source", source)
        assert ended.code == 2
        assert words in ended.json["error"]["message"]
        assert "hunter2" not in ended.out + ended.err
    assert "salesforce" in ended.json["error"]["hint"]
    twice = ("--source", "hs=hubspot", "--source", "hs=hubspot")
    assert "same name" in folder.crmtrail("init", "--force", *twice).json["error"]["message"]
    assert folder.config.read_bytes() == before
    assert [one.name for one in folder.path.iterdir()] == ["crmtrail.yaml"]


def test_init_where_nothing_can_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    folder = Folder(tmp_path, "")
    where = str(tmp_path / "file" / "crmtrail.yaml")
    ended = folder.crmtrail("--config", where, "init", "--source", "hs=hubspot")
    assert ended.code == 2
    assert "cannot be written" in ended.json["error"]["message"]


def test_init_shows_where_a_second_identity_goes(tmp_path, sandbox):
    folder = Folder(tmp_path, "")
    folder.config.unlink()
    assert "NOWHERE_TOKEN" not in os.environ
    folder.crmtrail("init", "--source", f"nowhere=hubspot@{sandbox[0].url}")
    assert "# restore_auth: {method: token, token: ${NOWHERE_RESTORE_TOKEN}}" in (
        folder.config.read_text()
    )


def checks(folder):
    return {one["name"]: one for one in folder.crmtrail("doctor").json["checks"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"user: \xff\n", "not UTF-8"), (b"", "no sources"), (b"a: 1\na: 2\n", "twice")],
)
def test_doctor_tells_a_config_that_is_none(tmp_path, content, words):
    folder = Folder(tmp_path, "")
    folder.config.write_bytes(content)
    config = checks(folder)["config"]
    assert not config["ok"]
    assert words in config["detail"]


def test_doctor_looks_at_who_may_read_and_where_it_may_write(folder, tmp_path):
    folder.ok("sync", "hs:companies")
    seen = checks(folder)
    assert seen["store folder"]["ok"]
    assert seen["permissions"]["ok"]
    assert seen["restore credentials sf"]["hint"] == ""
    (tmp_path / "store.db").chmod(0o644)
    folder.config.chmod(0o644)
    seen = checks(folder)
    assert not seen["store permissions"]["ok"]
    assert "chmod 600" in seen["store permissions"]["hint"]
    assert not seen["permissions"]["ok"], "the tokens are written in it"
    for source in ("sf", "hs"):
        forget_tokens(folder, source)
    assert checks(folder)["permissions"]["ok"], "no token is written in it"
    blocked = tmp_path / "file"
    blocked.write_text("")
    text = folder.config.read_text().replace(f"{tmp_path}/store.db", f"{blocked}/store.db")
    folder.config.write_text(text)
    assert not checks(folder)["store folder"]["ok"]


def test_doctor_looks_at_who_may_read_the_key_of_a_login(tmp_path):
    key = tmp_path / "sf.key"
    key.write_text("no key")
    folder = Folder(
        tmp_path,
        "sources: {sf: {kind: salesforce, base_url: http://127.0.0.1:9, objects: [Contact],"
        " auth: {method: jwt, client_id: k, username: u@x.example, key_file: sf.key}}}",
    )
    for mode, private in ((0o644, False), (0o600, True)):
        key.chmod(mode)
        seen = checks(folder)["key of auth sf"]
        assert seen["ok"] is private
        assert ("chmod 600" in seen["hint"]) is not private


def test_doctor_knows_one_identity_from_two_and_a_dead_host_from_a_bad_token(folder, sandbox):
    tokens = sandbox[1].people("hubspot")["tokens"]
    text = folder.config.read_text().replace(tokens["restorer"], tokens["observer"])
    url = sandbox[0].url
    head, _, rest = text.partition(url)
    folder.config.write_text(f"{head}http://127.0.0.1:9{rest}")
    seen = checks(folder)
    assert "same token" in seen["restore credentials hs"]["detail"]
    assert not seen["credentials sf"]["ok"]
    assert "network" in seen["credentials sf"]["hint"]
