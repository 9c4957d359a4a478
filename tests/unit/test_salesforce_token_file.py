"""A refresh token that is good once: it outlives the process, and processes share its session."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from connectors.salesforce.client import Client
from connectors.salesforce.tokens import tokens_for
from crmtrail.auth_config import RefreshTokenAuth
from crmtrail.config import SourceConfig, load, parse
from crmtrail.errors import CredentialsRefused, Mistake
from support.login_org import CONSUMER, REFRESH, LoginOrg
from support.scripted_http import Asked, Scripted, ScriptedServer

ANOTHER_PROCESS = """
import sys, msgspec
from pathlib import Path
from pydantic import SecretStr
from connectors.salesforce.client import Client
from connectors.salesforce.tokens import tokens_for
from crmtrail.auth_config import RefreshTokenAuth
from crmtrail.clock import SystemClock
from crmtrail.config import SourceConfig

url, path, client_id, refresh = sys.argv[1:]
auth = RefreshTokenAuth(method="refresh_token", client_id=client_id,
                        refresh_token=SecretStr(refresh), refresh_token_file=Path(path))
settings = SourceConfig(kind="salesforce", base_url=url, auth=auth)
sf = Client("sf", settings, tokens_for("sf", settings, auth, SystemClock()), "62.0", SystemClock())
sys.stdin.readline()
for _ in range(5):
    sf.get("limits", dict[str, msgspec.Raw])
sf.close()
"""


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 10, tzinfo=UTC)


def identity(path: Path, refresh: str = REFRESH) -> RefreshTokenAuth:
    return RefreshTokenAuth(
        method="refresh_token",
        client_id=CONSUMER,
        refresh_token=SecretStr(refresh),
        refresh_token_file=path,
    )


@contextmanager
def process(url: str, auth: RefreshTokenAuth) -> Iterator[Client]:
    """Give a client that shares nothing in memory with any other, as in a process of its own."""
    settings = SourceConfig(kind="salesforce", base_url=url, auth=auth)
    tokens = tokens_for("sf", settings, auth, FixedClock())
    with closing(Client("sf", settings, tokens, "62.0", FixedClock())) as client:
        yield client


def read(client: Client) -> Any:
    return client.get("limits", dict[str, msgspec.Raw])


def used(org: LoginOrg) -> list[str]:
    return [form["refresh_token"] for form in org.forms]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sf.refresh-token"


@pytest.fixture
def org() -> LoginOrg:
    return LoginOrg(rotates=True)


@pytest.fixture
def url(org: LoginOrg) -> Iterator[str]:
    with ScriptedServer(otherwise=org) as server:
        yield server.url


def test_a_rotated_token_outlives_the_process(org: LoginOrg, url: str, path: Path) -> None:
    for _ in range(3):
        with process(url, identity(path)) as sf:
            read(sf)
        org.expire()
    assert used(org) == [REFRESH, "5Aep.rotated.1", "5Aep.rotated.2"]
    assert "5Aep.rotated.3" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / "sf.refresh-token.lock").stat().st_mode & 0o777 == 0o600
    assert len(list(path.parent.iterdir())) == 2, "no draft is left behind"


def test_where_nothing_is_rotated_no_file_is_written(url: str, org: LoginOrg, path: Path) -> None:
    org.rotates = False
    with process(url, identity(path)) as sf:
        read(sf)
    assert not path.exists()


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(
    org: LoginOrg, url: str, path: Path
) -> None:
    path.write_text(f"{REFRESH}\n")
    path.chmod(0o644)
    with process(url, identity(path)) as sf:
        read(sf)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_somebody_put_into_the_file_counts_before_the_config(
    org: LoginOrg, url: str, path: Path
) -> None:
    org.refresh = "5Aep.by-hand"
    path.write_text("5Aep.by-hand\n")
    with process(url, identity(path)) as sf:
        read(sf)
    assert used(org) == ["5Aep.by-hand"]


def test_an_app_authorised_anew_is_not_held_to_the_file_of_before(
    org: LoginOrg, url: str, path: Path
) -> None:
    with process(url, identity(path)) as sf:
        read(sf)
    org.expire()
    org.refresh = "5Aep.anew"
    with process(url, identity(path, "5Aep.anew")) as sf:
        read(sf)
    assert used(org) == [REFRESH, "5Aep.anew"]


def test_processes_do_not_throw_each_other_out(org: LoginOrg, url: str, path: Path) -> None:
    """With rotation a login ends the session before: two that each log in would never get on."""
    with process(url, identity(path)) as service, process(url, identity(path)) as command:
        for _ in range(3):
            read(service)
            read(command)
        assert org.logins == 1
        org.expire()
        for _ in range(3):
            read(command)
            read(service)
        assert org.logins == 2


def test_many_processes_at_once_use_each_token_once(org: LoginOrg, url: str, path: Path) -> None:
    command = [sys.executable, "-c", ANOTHER_PROCESS, url, str(path), CONSUMER, REFRESH]
    with ExitStack() as stack:
        several = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE)) for _ in range(3)
        ]
        for one in several:
            assert one.stdin is not None
            one.stdin.close()  # all are under way before the first is waited for
    assert [one.returncode for one in several] == [0, 0, 0]
    assert len(set(used(org))) == len(used(org)) == org.logins == 1


def test_a_session_found_in_the_file_that_has_ended_too_costs_one_login_more(
    org: LoginOrg, url: str, path: Path
) -> None:
    with process(url, identity(path)) as idle, process(url, identity(path)) as other:
        read(idle)
        org.expire()
        read(other)
        org.expire()
        read(idle)
    assert org.logins == 3
    assert len(set(used(org))) == 3


def test_a_session_refused_again_and_again_is_told_once(
    org: LoginOrg, url: str, path: Path
) -> None:
    org.answer = org.ended
    with process(url, identity(path)) as sf:
        with pytest.raises(CredentialsRefused) as caught:
            read(sf)
        assert "had just begun" in caught.value.hint
    assert org.logins == 2


def test_rotation_switched_off_later_leaves_no_stale_session(
    org: LoginOrg, url: str, path: Path
) -> None:
    with process(url, identity(path)) as sf:
        read(sf)
        org.rotates = False
        for _ in range(3):
            org.expire()
            read(sf)
    with process(url, identity(path)) as again:
        read(again)
    assert org.logins == 4, "the last session is found in the file"


def test_a_folder_that_takes_no_file_is_told_before_the_token_is_used_up(
    org: LoginOrg, url: str, tmp_path: Path
) -> None:
    with (
        process(url, identity(tmp_path / "nowhere" / "token")) as sf,
        pytest.raises(Mistake, match="cannot be locked: No such file") as caught,
    ):
        read(sf)
    assert "must be able to write in the folder" in caught.value.hint
    assert org.logins == 0


def test_a_token_that_cannot_be_written_any_more_is_kept_while_the_process_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    org, folder = LoginOrg(rotates=True), tmp_path / "volume"
    folder.mkdir()

    def losing(asked: Asked) -> Scripted:
        if asked.target.endswith("token") and org.logins == 0:
            shutil.rmtree(folder)
        return org(asked)

    with ScriptedServer(otherwise=losing) as server:
        with process(server.url, identity(folder / "token")) as sf:
            read(sf)
            told = capsys.readouterr()
            assert "used up" in told.out + told.err
            assert "5Aep" not in told.out + told.err
            folder.mkdir()
            org.expire()
            read(sf)
        with process(server.url, identity(folder / "token")) as sf:
            read(sf)
    assert used(org) == [REFRESH, "5Aep.rotated.1"]
    assert "5Aep.rotated.2" in (folder / "token").read_text()


@pytest.mark.parametrize("odd", ["two words", '{"refresh_token": ""}', "{broken", "5Aep\u00e9"])
def test_a_file_with_something_else_in_it_is_one_clear_line(
    org: LoginOrg, url: str, path: Path, odd: str
) -> None:
    path.write_text(odd, encoding="utf-8")
    with process(url, identity(path)) as sf, pytest.raises(Mistake) as caught:
        read(sf)
    assert f"{path} holds no refresh token" in str(caught.value)
    assert "remove the file" in caught.value.hint
    assert org.logins == 0


def test_an_empty_file_is_none(org: LoginOrg, url: str, path: Path) -> None:
    path.touch()
    with process(url, identity(path)) as sf:
        read(sf)
    assert used(org) == [REFRESH]


FILE = "{method: refresh_token, client_id: x, refresh_token: %s, refresh_token_file: sf.token}"


@pytest.mark.parametrize(
    ("kind", "first", "second", "told"),
    [
        ("salesforce", "a", "b", "auth and restore_auth need a refresh_token_file each"),
        ("salesforce", "a", "a", ""),
        ("hubspot", "a, client_secret: s", "b, client_secret: s", "a refresh_token_file each"),
    ],
)
def test_two_identities_never_share_a_file(kind: str, first: str, second: str, told: str) -> None:
    config = (
        f"sources: {{x: {{kind: {kind}, base_url: https://acme.example, "
        f"auth: {FILE % first}, restore_auth: {FILE % second}}}}}"
    )
    if not told:
        assert parse(config, {}).sources["x"].restore_auth is not None
        return
    with pytest.raises(Mistake, match=told):
        parse(config, {})


def test_a_relative_file_lies_beside_the_config(tmp_path: Path) -> None:
    config = tmp_path / "crmtrail.yaml"
    config.write_text(
        "sources: {sf: {kind: salesforce, base_url: https://acme.my.salesforce.com, auth: "
        "{method: refresh_token, client_id: x, refresh_token: ${R}, refresh_token_file: sf.token}}}"
    )
    auth = load(config, {"R": "5Aep"}).sources["sf"].auth
    assert isinstance(auth, RefreshTokenAuth)
    assert auth.refresh_token_file == tmp_path / "sf.token"
