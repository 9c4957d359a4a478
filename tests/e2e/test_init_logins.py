"""`crmtrail init` for every way to log in to Salesforce: by options and by questions."""

import os
import pty
import subprocess
import sys

import pytest

from crmtrail.config import parse
from support.cli import Folder

MAIN = "from crmtrail.cli.main import main; main()"
ALL = ("client_id", "client_secret", "refresh_token", "username")


@pytest.fixture
def empty(tmp_path):
    folder = Folder(tmp_path, "")
    folder.config.unlink()
    return folder


@pytest.fixture
def clients(sandbox):
    return sandbox[1].people("salesforce")["clients"]


@pytest.fixture
def source(sandbox):
    return ("--source", f"sf=salesforce@{sandbox[0].url}")


def secrets_of(clients):
    keys = ("client_secret", "refresh_token", "private_key")
    return [client[key] for client in clients.values() for key in keys]


def exported(monkeypatch, client, prefix="SF_"):
    for key in ALL:
        monkeypatch.setenv(f"{prefix}{key.upper()}", client[key])


def put_key(folder, client, name="sf.key"):
    file = folder.path / name
    file.write_text(client["private_key"])
    file.chmod(0o600)


def auth_lines(folder):
    lines = folder.config.read_text().splitlines()
    return [line.strip() for line in lines if line.strip().startswith(("auth:", "restore_auth:"))]


@pytest.mark.parametrize(
    ("auth", "line"),
    [
        (
            (),
            (
                "auth: {method: jwt, client_id: ${SF_CLIENT_ID}, username: ${SF_USERNAME}, "
                "key_file: sf.key}"
            ),
        ),
        (
            ("--auth", "sf=jwt,username=crm.observer@acme.example,key_file=sf.key"),
            (
                "auth: {method: jwt, client_id: ${SF_CLIENT_ID}, "
                "username: crm.observer@acme.example, key_file: sf.key}"
            ),
        ),
        (
            ("--auth", "sf=client_credentials"),
            (
                "auth: {method: client_credentials, client_id: ${SF_CLIENT_ID}, "
                "client_secret: ${SF_CLIENT_SECRET}}"
            ),
        ),
        (
            ("--auth", "sf=refresh_token,client_secret=${SF_CLIENT_SECRET}"),
            (
                "auth: {method: refresh_token, client_id: ${SF_CLIENT_ID}, "
                "client_secret: ${SF_CLIENT_SECRET}, refresh_token: ${SF_REFRESH_TOKEN}, "
                "refresh_token_file: sf.refresh-token}"
            ),
        ),
        (
            ("--auth", "sf=refresh_token,client_secret=-"),
            (
                "auth: {method: refresh_token, client_id: ${SF_CLIENT_ID}, "
                "refresh_token: ${SF_REFRESH_TOKEN}, refresh_token_file: sf.refresh-token}"
            ),
        ),
        (("--auth", "sf=token"), "auth: {method: token, token: ${SF_TOKEN}}"),
    ],
    ids=["usual", "jwt", "client_credentials", "refresh_token", "no_secret", "token"],
)
def test_each_method_is_written_without_a_secret_and_logs_in(
    empty, sandbox, clients, source, monkeypatch, auth, line
):
    exported(monkeypatch, clients["observer"])
    put_key(empty, clients["observer"])
    if "sf=token" in auth:
        monkeypatch.setenv("SF_TOKEN", sandbox[1].people("salesforce")["tokens"]["observer"])
    told = empty.crmtrail("init", *source, *auth).json
    (one,) = told["sources"]
    assert (one["name"], one["kind"], one["missing"]) == ("sf", "salesforce", [])
    if "sf=refresh_token,client_secret=-" not in auth:  # the sandbox's app has a secret
        assert one["ok"]
        assert "CRM Observer" in one["detail"]
    assert auth_lines(empty) == [line]
    text = empty.config.read_text()
    assert not [secret for secret in secrets_of(clients) if secret in text]
    assert "00D" not in text, "an access token"
    assert empty.config.stat().st_mode & 0o077 == 0


def test_a_token_that_is_there_already_is_taken_and_said_to_be_second_best(
    empty, sandbox, source, monkeypatch
):
    monkeypatch.setenv("SF_TOKEN", sandbox[1].people("salesforce")["tokens"]["observer"])
    told = empty.crmtrail("init", *source)
    assert (told.code, auth_lines(empty)) == (0, ["auth: {method: token, token: ${SF_TOKEN}}"])
    assert "ends after some hours" in told.err
    assert "--auth sf=jwt" in told.err
    monkeypatch.setenv("SF_CLIENT_ID", "3MVG")
    empty.crmtrail("init", "--force", *source)
    assert "method: jwt" in auth_lines(empty)[0]


def test_two_identities_of_one_app_and_of_two(empty, clients, source, monkeypatch):
    exported(monkeypatch, clients["observer"])
    exported(monkeypatch, clients["restorer"], "SF_RESTORE_")
    put_key(empty, clients["observer"])
    put_key(empty, clients["restorer"], "restorer.key")
    empty.crmtrail("init", *source, "--restore-auth", "sf=jwt,username=r@acme.example")
    assert auth_lines(empty)[1] == (
        "restore_auth: {method: jwt, client_id: ${SF_CLIENT_ID}, username: r@acme.example, "
        "key_file: sf.key}"
    )
    apart = "sf=jwt,client_id=${SF_RESTORE_CLIENT_ID},key_file=restorer.key"
    empty.ok("init", "--force", *source, "--restore-auth", apart)
    both = ("--auth", "sf=client_credentials", "--restore-auth", "sf=client_credentials")
    empty.ok("init", "--force", *source, *both)
    assert auth_lines(empty)[1] == (
        "restore_auth: {method: client_credentials, client_id: ${SF_RESTORE_CLIENT_ID}, "
        "client_secret: ${SF_RESTORE_CLIENT_SECRET}}"
    )


def test_a_second_identity_that_does_not_work_is_told(empty, clients, source, monkeypatch):
    exported(monkeypatch, clients["observer"])
    exported(monkeypatch, clients["restorer"], "SF_RESTORE_")
    monkeypatch.setenv("SF_RESTORE_CLIENT_SECRET", "wrong")
    both = ("--auth", "sf=client_credentials", "--restore-auth", "sf=client_credentials")
    ended = empty.crmtrail("init", *source, *both)
    (one,) = ended.json["sources"]
    assert (ended.code, one["ok"]) == (12, False)
    assert "restore_auth: Salesforce refused the login" in one["missing"][0]
    assert "client_secret is wrong" in one["hint"]


def test_a_key_that_is_not_there_yet_is_told_with_how_to_make_one(
    empty, clients, source, monkeypatch
):
    exported(monkeypatch, clients["observer"])
    ended = empty.crmtrail("init", *source, as_json=False)
    assert ended.code == 2
    assert "sf.key cannot be read: No such file" in ended.out
    assert "openssl req" in ended.out
    assert "Taken from the environment: SF_CLIENT_ID, SF_USERNAME." in ended.err
    put_key(empty, clients["observer"])
    assert empty.crmtrail("doctor").json["checks"][-2]["ok"]


SECRET = "E47B6B1C9A2F"  # of capitals, as Salesforce makes them


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--auth", "jwt"), "a login is written NAME=METHOD"),
        (("--auth", "sf=password"), "salesforce logs in by another method"),
        (("--auth", f"sf={SECRET}"), "salesforce logs in by another method"),
        (("--auth", "sf=jwt,username"), "no KEY=VALUE"),
        (("--auth", "sf=jwt,username="), "no KEY=VALUE"),
        (("--auth", "sf=jwt,username=a@b,username=c@d"), "or one twice"),
        (("--auth", "sf=jwt,password=x"), "method jwt has no key 'password'"),
        (("--auth", "sf=jwt,username=observer"), "'observer' is no username"),
        (("--auth", "sf=jwt,audience=login"), "auth.audience"),
        (("--auth", "sf=jwt,key_file=a,private_key=${K}"), "one of key_file and private_key"),
        (("--auth", f"sf=client_credentials,client_secret={SECRET}"), "client_secret is a secret"),
        (("--auth", "sf=client_credentials,client_secret=-"), "client_secret is a secret"),
        (("--auth", f"sf=token,token=${{{SECRET * 6}}}"), "token is a secret"),
        (("--auth", f"sf=jwt,private_key={SECRET}"), "private_key is a secret"),
        (("--auth", "xx=jwt"), "no --source has that name"),
        (("--auth", "sf=jwt", "--auth", "sf=token"), "twice for sf"),
        (("--restore-auth", "xx=jwt"), "--restore-auth is for xx"),
        (("--source", "hs=hubspot", "--auth", "hs=jwt"), "hubspot logs in by another method"),
        (("--source", "a=salesforce@https://acme.lightning.force.com"), "address of Lightning"),
        (
            (
                "--source",
                "a=salesforce@https://login.salesforce.com",
                "--auth",
                "a=client_credentials",
            ),
            "gives out no tokens",
        ),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(empty, source, arguments, words):
    ended = empty.crmtrail("init", *source, *arguments)
    assert ended.code == 2
    error = ended.json["error"]
    assert words in error["message"]
    assert error["hint"]
    assert "\n" not in error["message"] + error["hint"]
    assert SECRET not in ended.out + ended.err
    assert list(empty.path.iterdir()) == []


def test_odd_values_are_quoted_and_come_back_as_they_were(empty, source):
    odd = "sf=jwt,client_id=123,username=a@b,key_file=/keys/o'hara #1: {x}.key"
    empty.crmtrail("init", *source, "--auth", odd)
    auth = parse(empty.config.read_text(), {}).sources["sf"].auth
    assert (auth.client_id, str(auth.key_file)) == ("123", "/keys/o'hara #1: {x}.key")


def test_an_app_of_hubspot_is_written_too(empty):
    empty.crmtrail("init", "--source", "hs=hubspot", "--auth", "hs=refresh_token")
    assert auth_lines(empty)[0] == (
        "auth: {method: refresh_token, client_id: ${HS_CLIENT_ID}, "
        "client_secret: ${HS_CLIENT_SECRET}, refresh_token: ${HS_REFRESH_TOKEN}}"
    )


def answered(folder, environ, *answers):
    """Run init on a terminal, give the answers, and return the exit code and what was shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "--config", str(folder.config), "init"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **environ},
        close_fds=True,
    ) as process:
        os.close(theirs)
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed: it has ended
                break
            if not piece:
                break
            shown += piece
        process.wait(timeout=60)
    os.close(ours)
    return process.returncode, shown.decode()


def test_questions_lead_to_a_jwt_login_that_works(empty, sandbox, clients):
    client = clients["observer"]
    put_key(empty, client)
    code, shown = answered(
        empty,
        {"SF_CLIENT_ID": client["client_id"]},
        "y",
        sandbox[0].url,
        "",  # jwt is offered first
        "",  # the consumer key comes from ${SF_CLIENT_ID}
        "observer",  # no username: asked again
        client["username"],
        "",  # sf.key
        "n",
        "n",
    )
    assert code == 0, shown
    assert "is no username of Salesforce" in shown
    assert auth_lines(empty) == [
        (
            f"auth: {{method: jwt, client_id: ${{SF_CLIENT_ID}}, username: {client['username']}, "
            "key_file: sf.key}"
        )
    ]


def test_questions_take_names_of_variables_and_never_a_secret(empty, sandbox, clients):
    observer, restorer = clients["observer"], clients["restorer"]
    environ = {
        "SF_CLIENT_ID": observer["client_id"],
        "OBSERVERS_SECRET": observer["client_secret"],
        "SF_RESTORE_CLIENT_ID": restorer["client_id"],
        "SF_RESTORE_CLIENT_SECRET": restorer["client_secret"],
    }
    code, shown = answered(
        empty,
        environ,
        "y",
        "https://acme.lightning.force.com",  # the address of pages: asked again
        sandbox[0].url,
        "client_credentials",
        "",
        observer["client_secret"],  # the secret itself: asked again
        "OBSERVERS_SECRET",
        "y",
        "",
        "",
        "",
        "n",
    )
    assert code == 0, shown
    assert "use https://acme.my.salesforce.com" in shown
    assert "client_secret is a secret" in shown
    assert auth_lines(empty) == [
        (
            "auth: {method: client_credentials, client_id: ${SF_CLIENT_ID}, "
            "client_secret: ${OBSERVERS_SECRET}}"
        ),
        (
            "restore_auth: {method: client_credentials, client_id: ${SF_RESTORE_CLIENT_ID}, "
            "client_secret: ${SF_RESTORE_CLIENT_SECRET}}"
        ),
    ]


def test_a_rotated_refresh_token_is_there_for_the_next_command(
    empty, sandbox, clients, source, monkeypatch
):
    exported(monkeypatch, clients["observer"])
    crm = sandbox[1]
    crm.act("salesforce", do="rotate_refresh_tokens")
    empty.ok("init", *source, "--auth", "sf=refresh_token")
    file = empty.path / "sf.refresh-token"
    first = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    empty.ok("sync", "sf:Contact")
    crm.act("salesforce", do="end_sessions", user="CRM Observer")
    empty.ok("sync", "sf:Contact")
    assert file.read_text() != first
    checks = {one["name"]: one for one in empty.crmtrail("doctor").json["checks"]}
    assert checks["refresh token of auth sf"]["ok"]
    file.chmod(0o640)
    checks = {one["name"]: one for one in empty.crmtrail("doctor").json["checks"]}
    assert not checks["refresh token of auth sf"]["ok"]
    assert checks["refresh token of auth sf"]["hint"] == f"chmod 600 {file}"
