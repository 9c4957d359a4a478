import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from crmtrail.config import Config, SourceConfig, holds_tokens, load, parse
from crmtrail.errors import Mistake

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SECRETS = {"SF_CLIENT_ID": "3MVG9.key", "HS_TOKEN": "hs-secret"}
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
            key = part.removesuffix("_")  # the key `from` is a word of Python
            assert key in node, f"{path} is missing from config.example.yaml"
            node, value, default = node[key], getattr(value, part), getattr(default, part)
        assert value == default, f"{path} in config.example.yaml is not the default"
    assert set(SourceConfig.model_fields) == set(raw["sources"]["sf"])
    for path, field in keys(SourceConfig):
        if path in ("every", "overlap", "timeout", "client_id", "exclude"):
            assert getattr(config.sources["sf"], path) == field.default


def test_secrets_come_from_the_environment_and_are_never_shown():
    config = parse(EXAMPLE.read_text(), SECRETS)
    assert config.sources["hs"].auth.token.get_secret_value() == "hs-secret"
    assert "hs-secret" not in repr(config)


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


MESSAGE = {"kind": "message", "to": "auditors", "apprise_url": "json://host/canary-token"}
BUCKET = {"kind": "s3", "bucket": "acme-crmtrail"}
STAMP = {"kind": "timestamp", "url": "http://tsa", "folder": "stamps", "ca_file": "/etc/tsa.pem"}
FIELD = {"kind": "crm", "source": "sf", "record": "sf:Account:001A", "field": "Proof__c"}


def test_every_kind_of_anchor_has_a_name_an_interval_and_its_paths_but_tells_no_secret(tmp_path):
    anchors = [MESSAGE, BUCKET, STAMP, FIELD, {"kind": "file", "path": "x", "every": "1h"}]
    config = {"ledger": {"anchors": anchors}, "sources": {"sf": SOURCE}}
    path = tmp_path / "crmtrail.yaml"
    path.write_text(yaml.safe_dump(config))
    read = load(path, {}).ledger.anchors
    assert [one.name for one in read] == [
        "message:auditors",
        "s3:acme-crmtrail/crmtrail",
        f"timestamp:{tmp_path}/stamps",
        "crm:sf:Account:001A.Proof__c",
        f"file:{tmp_path}/x",
    ]
    day, hour = timedelta(days=1), timedelta(hours=1)
    assert [one.every for one in read] == [day, None, None, day, hour]
    assert str(read[2].ca_file) == "/etc/tsa.pem"
    assert "canary" not in repr(read)


def test_the_url_of_a_message_may_come_from_a_variable_that_is_not_set():
    anchors = [MESSAGE | {"apprise_url": "${CHAT}"}]
    (one,) = parsed(ledger={"anchors": anchors}).ledger.anchors
    assert one.unset == ("CHAT",)
    (one,) = parsed(environ={"CHAT": "json://x"}, ledger={"anchors": anchors}).ledger.anchors
    assert (one.unset, one.apprise_url.get_secret_value()) == ((), "json://x")


def test_no_rule_looks_at_a_field_that_we_write_checkpoints_into():
    config = parsed(ledger={"anchors": [FIELD]}, sources={"sf": SOURCE})
    blind = config.rules_beside_anchors()
    assert blind.blanking.ignore_fields == blind.mass_update.ignore_fields == ("Proof__c",)
    assert config.rules.blanking.ignore_fields == ()


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
        ({"anchors": [{"kind": "file", "path": "x", "every": "0s"}]}, "has to be longer than 0"),
        ({"anchors": [MESSAGE | {"to": "two words"}]}, "a name of your choice"),
        ({"anchors": [MESSAGE | {"url": "x"}]}, "url is not a known key"),
        ({"anchors": [{"kind": "s3", "bucket": "Not_One"}]}, "a bucket is named by"),
        ({"anchors": [BUCKET | {"prefix": "/x"}]}, "a prefix is letters"),
        ({"anchors": [BUCKET | {"retain_days": 0}]}, "retain_days"),
        ({"anchors": [BUCKET | {"endpoint_url": "s3.example"}]}, "an address is written like"),
        ({"anchors": [BUCKET | {"endpoint_url": "https://u:p@s3"}]}, "holds no credentials"),
        ({"anchors": [STAMP | {"url": ""}]}, "name the authority"),
        ({"anchors": [FIELD | {"record": "001A"}]}, "a record is written source:object:id"),
        ({"anchors": [FIELD | {"record": "hs:contacts:1"}]}, "has to be one of sf"),
        ({"anchors": [FIELD | {"every": "5m"}]}, "1h at least"),
        ({"anchors": [FIELD]}, "there is no source 'sf'"),
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
        ({"store": {"url": "postgresql+asyncpg://a:hunter2@x/y"}}, "by psycopg and nothing else"),
        ({"store": {"url": "postgresql://a:hunter2@x"}}, "has to name a database"),
        ({"store": {"url": "mysql://a:hunter2@x/y"}}, "not a kind of store"),
        ({"store": {"url": "crmtrail.db"}}, "not a kind of store"),
        ({"store": {"url": "sqlite://"}}, "has to name a file"),
        ({"store": {"url": "sqlite:///:memory:"}}, "has to name a file"),
        ({"store": {"url": "sqlite:///x.db?mode=ro"}}, "has to name a file"),
        ({"sources": {"hs": SOURCE | {"api_version": "62.0"}}}, "is one of v3, 2026-03 or 2026-09"),
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
    assert sf.auth.unset == sf.restore_auth.unset == ("SF_CLIENT_ID",)
    assert hs.auth.unset == ()
    with pytest.raises(Mistake, match="the environment variable URL is not"):
        parsed(sources={"hs": SOURCE | {"base_url": "${URL}"}})
    with pytest.raises(Mistake, match="the environment variable HOW is not"):
        parsed(sources={"hs": SOURCE | {"auth": {"method": "${HOW}", "token": "${T}"}}})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_what_is_this_machines_of_a_store_on_a_server_lies_beside_the_config(tmp_path, scheme):
    path = tmp_path / "crm.yaml"
    path.write_text(f"store: {{url: '{scheme}://ana@db.example/crm'}}\n")
    config = load(path, {})
    assert config.store.url == f"{scheme}://ana@db.example/crm"
    assert config.ledger.key_file == tmp_path / "crmtrail.key"
    assert config.keys.url == f"sqlite:///{tmp_path}/crmtrail-keys.db"


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


RULE = {"source": "hs", "keep": "3y"}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"keep": "3 years"}, "90d, 26w, 18mo or 3y"),
        ({"keep": "0d"}, "90d, 26w, 18mo or 3y"),
        ({"keep": "9999y"}, "calendar"),
        ({"keep": 90}, "valid string"),
        ({"then": "thin"}, "thin_to"),
        ({"thin_to": "1/day"}, "thin_to"),
        ({"then": "thin", "thin_to": "2/day"}, "1/day"),
        ({"then": "drop"}, "forget"),
        ({"fields": ["Phone"]}, "sealed together"),
        ({"fields": "all"}, "personal"),
        ({"object": ""}, "at least 1"),
        ({"source": "sf"}, "no source sf"),
        ({"years": 3}, "not a known key"),
    ],
)
def test_a_rule_of_retention_that_makes_no_sense_is_refused(rule, why):
    with pytest.raises(Mistake, match="retention") as refused:
        parsed(sources={"hs": SOURCE}, retention=[RULE | rule])
    assert why in str(refused.value)


def test_the_same_rule_of_retention_twice_is_refused():
    with pytest.raises(Mistake, match="twice"):
        parsed(sources={"hs": SOURCE}, retention=[RULE, RULE])


@pytest.mark.parametrize(
    ("age", "limit"),
    [
        ("90d", "2027-12-01"),
        ("1w", "2028-02-22"),
        ("1mo", "2028-01-29"),
        ("12mo", "2027-02-28"),
        ("18mo", "2026-08-29"),
        ("4y", "2024-02-29"),
        ("1y", "2027-02-28"),
    ],
)
def test_months_and_years_are_those_of_the_calendar(age, limit):
    config = parsed(sources={"hs": SOURCE}, retention=[RULE | {"keep": age}])
    now = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert f"{config.retention[0].limit(now):%Y-%m-%d}" == limit
