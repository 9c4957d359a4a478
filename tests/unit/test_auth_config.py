"""How to log in, as it is written in a config: each method, and each mistake in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from crmtrail.auth_config import JwtAuth, RefreshTokenAuth
from crmtrail.config import Config, holds_tokens, load, parse
from crmtrail.errors import Mistake

JWT = {"method": "jwt", "client_id": "3MVG", "username": "bot@acme.example", "key_file": "sf.key"}
REFRESH = {"method": "refresh_token", "client_id": "3MVG", "refresh_token": "5Aep"}
APP = {"method": "client_credentials", "client_id": "3MVG", "client_secret": "s3cret"}


def written(auth: dict[str, Any], kind: str = "salesforce") -> str:
    source = {"kind": kind, "base_url": "https://acme.my.salesforce.com", "auth": auth}
    return yaml.safe_dump({"sources": {"sf": source}})


def read(auth: dict[str, Any], environ: dict[str, str] | None = None) -> Config:
    return parse(written(auth), environ or {})


@pytest.mark.parametrize("auth", [JWT, REFRESH, APP, {"token": "00D!x"}])
def test_each_method_is_read_and_shows_no_secret(auth: dict[str, Any]) -> None:
    config = read(auth)
    assert config.sources["sf"].auth.method == auth.get("method", "token")
    for secret in ("5Aep", "s3cret", "00D!x"):
        assert secret not in repr(config)


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ({"method": "password"}, "method is token, jwt, client_credentials or refresh_token"),
        ({"method": "jwt", "client_id": "3MVG", "key_file": "k"}, "auth.username: Field required"),
        (JWT | {"private_key": "x"}, "needs one of key_file and private_key"),
        (JWT | {"key_file": None}, "needs one of key_file and private_key"),
        (JWT | {"audience": "login"}, "auth.audience"),
        (JWT | {"password": "x"}, "auth.password is not a known key"),
        (REFRESH | {"refresh_token": None}, "auth.refresh_token: "),
        ({"method": "token"}, "auth.token: Field required"),
    ],
)
def test_a_mistake_is_told_in_one_line(auth: dict[str, Any], told: str) -> None:
    with pytest.raises(Mistake) as caught:
        read(auth)
    assert f"{told}" in str(caught.value)
    assert "sources.sf.auth" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hubspot_takes_no_client_credentials() -> None:
    with pytest.raises(Mistake, match="HubSpot takes method: token"):
        parse(written(APP, "hubspot"), {})


def test_what_logs_in_may_be_unset_until_it_is_needed() -> None:
    auth = (
        read(
            JWT | {"client_id": "${ID}", "username": "${WHO}", "key_file": "${KEY}"}, {"WHO": "bot"}
        )
        .sources["sf"]
        .auth
    )
    assert isinstance(auth, JwtAuth)
    assert (auth.username, auth.unset) == ("bot", ("ID", "KEY"))
    filled = read(REFRESH | {"refresh_token": "${R}"}, {"R": "5Aep.x"}).sources["sf"].auth
    assert isinstance(filled, RefreshTokenAuth)
    assert filled.refresh_token.get_secret_value() == "5Aep.x"
    assert filled.unset == ()


def test_a_relative_key_file_lies_beside_the_config(tmp_path: Path) -> None:
    path = tmp_path / "crmtrail.yaml"
    path.write_text(written(JWT))
    auth = load(path, {}).sources["sf"].auth
    assert isinstance(auth, JwtAuth)
    assert auth.key_file == tmp_path / "sf.key"


@pytest.mark.parametrize(
    ("auth", "literal"),
    [(APP, True), (APP | {"client_secret": "${S}"}, False), (REFRESH, True), (JWT, False)],
)
def test_a_secret_written_out_is_noticed(
    tmp_path: Path, auth: dict[str, Any], *, literal: bool
) -> None:
    path = tmp_path / "crmtrail.yaml"
    path.write_text(written(auth))
    assert holds_tokens(path) is literal
