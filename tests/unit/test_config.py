import os
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from crmtrail.config import Config, SourceConfig, holds_tokens, load, parse
from crmtrail.errors import Mistake

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SECRETS = {"SF_TOKEN": "sf-secret", "SF_RESTORE_TOKEN": "sf-two", "HS_TOKEN": "hs-secret"}
SOURCE = {
    "kind": "hubspot",
    "base_url": "https://api.hubapi.com",
    "auth": {"method": "token", "token": "hs-secret"},
}


SALESFORCE = SOURCE | {"kind": "salesforce", "base_url": "https://acme.my.salesforce.com"}


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


def test_anchors_are_read_by_their_kind(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ana")
    anchors = [
        {"kind": "file", "path": "~/checkpoints"},
        {"kind": "git", "path": "/srv/anchors", "remote": "origin"},
    ]
    ledger = parsed(ledger={"origin": "acme.example/log", "anchors": anchors}).ledger
    assert [(one.kind, str(one.path)) for one in ledger.anchors] == [
        ("file", "/home/ana/checkpoints"),
        ("git", "/srv/anchors"),
    ]
    assert ledger.key_file is None


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        ({"origin": "two words"}, "ledger.origin: an origin holds no blanks"),
        ({"origin": "a+b"}, "ledger.origin: an origin holds no blanks and no plus sign"),
        ({"anchors": [{"kind": "pigeon", "path": "x"}]}, "ledger.anchors.0"),
        ({"anchors": [{"kind": "file"}]}, "ledger.anchors.0.file.path"),
        ({"anchors": [{"kind": "file", "path": "x", "remote": "y"}]}, "remote is not a known key"),
        ({"anchors": [{"kind": "file", "path": "x"}] * 2}, "the same anchor is named twice"),
    ],
)
def test_a_ledger_that_cannot_be_is_told(ledger, words):
    with pytest.raises(Mistake) as caught:
        parsed(ledger=ledger)
    assert words in str(caught.value)


def test_the_environment_overrides_the_file(monkeypatch):
    monkeypatch.setenv("CRMTRAIL_STORE__URL", "sqlite:///elsewhere.db")
    assert parsed(store={"url": "sqlite:///here.db"}).store.url == "sqlite:///elsewhere.db"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CRMTRAIL_STROE__URL", "x", "CRMTRAIL_STROE__URL is no known key"),
        ("CRMTRAIL_STORE__URI", "x", "store.uri is not a known key"),
        ("CRMTRAIL_STORE", "no json", "CRMTRAIL_STORE or one below it is not valid JSON"),
    ],
)
def test_a_misspelt_override_is_refused_and_not_passed_over(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(Mistake, match=message):
        parse("", os.environ)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"scheduler": {"every": float("inf")}}, "longer than any calendar"),
        ({"scheduler": {"jitter": "99999999999d"}}, "longer than any calendar"),
        ({"scheduler": {"jitter": -5}}, "cannot be negative"),
        ({"scheduler": {"lease": 0}}, "longer than 0"),
        ({"scheduler": {"workers": True}}, "a whole number"),
        ({"scheduler": {"every": "0s"}}, "longer than 0"),
        ({"rules": {"burst": "7h"}}, "6h at most"),
        ({"budget": {"leave_free": 60, "reserve_for_restores": 41}}, "more than 100 % together"),
        ({"store": {"url": "postgresql://a:hunter2@x/y"}}, "comes with a later release"),
        ({"store": {"url": "mysql://a:hunter2@x/y"}}, "not a kind of store"),
        ({"store": {"url": "crmtrail.db"}}, "not a kind of store"),
        ({"store": {"url": "sqlite://"}}, "has to name a file"),
        ({"store": {"url": "sqlite:///:memory:"}}, "has to name a file"),
        ({"store": {"url": "sqlite:///x.db?mode=ro"}}, "has to name a file"),
        ({"sources": {"hs": SOURCE | {"api_version": "62.0"}}}, "like v3 or 2026-03 for HubSpot"),
        ({"sources": {"sf": SALESFORCE | {"api_version": "v3"}}}, 'like "62.0" for Salesforce'),
        ({"sources": {"hs": SOURCE | {"objects": ["a"], "exclude": ["b"]}}}, "exclude goes with"),
        ({"sources": {"hs": SOURCE | {"base_url": "https://x:99999"}}}, "base_url is written like"),
        ({"sources": {"hs": SOURCE | {"base_url": "https://a:b@x"}}}, "holds no credentials"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(raw, message):
    with pytest.raises(Mistake, match=message) as caught:
        parsed(**raw)
    assert "hunter2" not in str(caught.value)


def test_sentinels_are_compared_without_case():
    config = parsed(rules={"blanking": {"sentinels": ["Unknown ", "N/A"]}})
    assert config.rules.blanking.sentinels == ("unknown", "n/a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1: 2", "must be a mapping of keys"),
        ("a: [1", "line 1: expected ',' or .*, but got '<stream end>'"),
        ("a: b: c", "not valid YAML at line 1: mapping values are not allowed here"),
        ("user: a\nuser: b", "not valid YAML at line 2: the key user stands there twice"),
        ("store:\n  url: a\n  url: b", "at line 3: the key url stands there twice"),
        ("a: *hunter2", "not valid YAML at line 1: found undefined alias"),
        ("a: !hunter2 b", "not valid YAML at line 1: could not determine a constructor"),
        ("a: \x00", "it holds the character 0x00"),
        ("- a\n- b", "must be a mapping"),
        ("sources: {Bad Name: {}}", "sources"),
    ],
)
def test_a_broken_file_gets_one_clear_line(text, message):
    with pytest.raises(Mistake, match=message) as caught:
        parse(text, {})
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(Mistake, match="there is no config") as caught:
        load(tmp_path / "none.yaml")
    assert "crmtrail init" in caught.value.hint


def test_the_token_of_a_source_may_be_unset_until_it_is_needed():
    config = parse(EXAMPLE.read_text(), {"HS_TOKEN": "hs-secret"})
    sf, hs = config.sources["sf"], config.sources["hs"]
    assert sf.auth.unset == ("SF_TOKEN",)
    assert sf.restore_auth.unset == ("SF_RESTORE_TOKEN",)
    assert hs.auth.unset == ()
    with pytest.raises(Mistake, match="the environment variable URL is not"):
        parsed(sources={"hs": SOURCE | {"base_url": "${URL}"}})
    with pytest.raises(Mistake, match="the environment variable HOW is not"):
        parsed(sources={"hs": SOURCE | {"auth": {"method": "${HOW}", "token": "${T}"}}})


def test_relative_paths_are_taken_from_the_folder_of_the_file(tmp_path):
    path = tmp_path / "crmtrail.yaml"
    path.write_text("ledger: {key_file: k, anchors: [{kind: file, path: a}]}\n")
    config = load(path, {})
    assert config.store.url == f"sqlite:///{tmp_path}/crmtrail.db"
    assert config.ledger.key_file == tmp_path / "k"
    assert [one.path for one in config.ledger.anchors] == [tmp_path / "a"]
    path.write_text("store: {url: sqlite:////srv/x.db}\n")
    assert load(path, {}).store.url == "sqlite:////srv/x.db"


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("sources: {hs: {auth: {token: ${T}}}}", False),
        ("sources: {hs: {auth: {token: pat-1}}}", True),
        ("sources: {hs: {auth: {token: ${T}}, restore_auth: {token: pat-1}}}", True),
        ("sources: null", False),
        ("# restore_auth: {token: pat-1}", False),
    ],
)
def test_a_token_that_is_written_out_is_noticed(tmp_path, text, held):
    path = tmp_path / "crmtrail.yaml"
    path.write_text(text)
    assert holds_tokens(path) is held


def test_a_file_in_another_encoding_is_one_line(tmp_path):
    path = tmp_path / "crmtrail.yaml"
    path.write_bytes(b"user: \xff")
    with pytest.raises(Mistake, match="byte 7 is not UTF-8"):
        load(path)
