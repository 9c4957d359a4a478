from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from crmtrail.config import Config, SourceConfig, load, parse
from crmtrail.errors import Mistake

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SECRETS = {"SF_TOKEN": "sf-secret", "SF_RESTORE_TOKEN": "sf-two", "HS_TOKEN": "hs-secret"}
SOURCE = {
    "kind": "hubspot",
    "base_url": "https://api.hubapi.com",
    "auth": {"method": "token", "token": "hs-secret"},
}


def parsed(environ=None, **raw):
    return parse(yaml.safe_dump(raw), environ or {})


def keys(model, prefix=""):
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def test_the_example_is_valid_and_names_every_key_with_its_default():
    raw = yaml.safe_load(EXAMPLE.read_text())
    config = parse(EXAMPLE.read_text(), SECRETS)
    plain = Config()
    for path, _ in keys(Config):
        if path == "sources":
            continue
        node, value, default = raw, config, plain
        for part in path.split("."):
            assert part in node, f"{path} is missing from config.example.yaml"
            node, value, default = node[part], getattr(value, part), getattr(default, part)
        assert value == default, f"{path} in config.example.yaml is not the default"
    assert set(SourceConfig.model_fields) == set(raw["sources"]["sf"])
    for path, field in keys(SourceConfig):
        if path in ("every", "overlap", "timeout", "client_id", "exclude"):
            assert getattr(config.sources["sf"], path) == field.default


def test_secrets_come_from_the_environment_and_are_never_shown():
    config = parse(EXAMPLE.read_text(), SECRETS)
    assert config.sources["sf"].auth.token.get_secret_value() == "sf-secret"
    assert "sf-secret" not in repr(config)


def test_all_mistakes_are_told_at_once_without_the_secret():
    bad = SOURCE | {"kind": "zoho", "base_url": "ftp://x", "colour": "red"}
    with pytest.raises(Mistake) as caught:
        parsed(sources={"hs": bad}, sync=1, scheduler={"every": "soon"}, user="${NOBODY}")
    text = str(caught.value)
    for part in (
        "6 mistakes",
        "NOBODY is not set",
        "sources.hs.kind",
        "sources.hs.base_url",
        "sources.hs.colour is not a known key",
        "sync is not a known key",
    ):
        assert part in text
    assert "scheduler.every: a duration is written like 90s" in text
    assert "hs-secret" not in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "written",
    [
        "{method: token, token: ${T}}",
        '{method: token, token: "${T}"}',
        "{method: token, token: '${T}'}",
    ],
)
def test_variables_may_stand_in_flow_mappings_and_quotes(written):
    text = f"sources: {{hs: {{kind: hubspot, base_url: https://x.example, auth: {written}}}}}"
    secret = 'a: "b" #c }'
    config = parse(text, {"T": secret})
    assert config.sources["hs"].auth.token.get_secret_value() == secret


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://acme.my.salesforce.com/", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.1", False),
        ("http://acme.example", False),
        ("acme.example", False),
    ],
)
def test_plain_http_is_for_loopback_only(url, accepted):
    raw = {"hs": SOURCE | {"base_url": url}}
    if accepted:
        assert not parsed(sources=raw).sources["hs"].base_url.endswith("/")
    else:
        with pytest.raises(Mistake, match="base_url"):
            parsed(sources=raw)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0.5h", 1800), (30, 30)],
)
def test_durations(text, expected):
    assert parsed(scheduler={"every": text}).scheduler.every == timedelta(seconds=expected)


def test_the_environment_overrides_the_file(monkeypatch):
    monkeypatch.setenv("CRMTRAIL_STORE__URL", "sqlite:///elsewhere.db")
    assert parsed(store={"url": "sqlite:///here.db"}).store.url == "sqlite:///elsewhere.db"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "not valid YAML at line"),
        ("- a\n- b", "must be a mapping"),
        ("sources: {Bad Name: {}}", "sources"),
    ],
)
def test_a_broken_file_gets_one_clear_line(text, message):
    with pytest.raises(Mistake, match=message) as caught:
        parse(text, {})
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(Mistake, match="there is no config") as caught:
        load(tmp_path / "none.yaml")
    assert "crmtrail init" in caught.value.hint
