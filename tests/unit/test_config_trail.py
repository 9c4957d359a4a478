"""Which keys of the configuration changed is sealed; no secret leaves a trace."""

import json

import pytest

from crmtrail.config import parse
from crmtrail.config_trail import CONFIG, digests, note_config, without_secrets
from snapshot.memory import MemoryStore
from snapshot.memory_leases import MemoryLeases
from support.readings import HandClock, at

BASE = """
user: ana
store: {url: "sqlite:///crmtrail.db"}
sources:
  sf:
    kind: salesforce
    base_url: https://acme.my.salesforce.com
    auth: {method: token, token: SECRET-CANARY-1}
    objects: [Contact, Lead]
"""


@pytest.fixture
def store():
    clock = HandClock()
    return MemoryStore(clock, MemoryLeases(clock))


def sealed(store):
    return [deed.entry for deed in reversed(store.deeds([CONFIG], limit=99)[0])]


def note(store, text, by="ana"):
    return note_config(store, parse(text, {}), by, at(5))


def test_the_first_one_is_sealed_and_the_same_again_is_not(store):
    assert note(store, BASE) == 0
    assert note(store, BASE) is None
    [entry] = sealed(store)
    assert (entry["by"], entry["before"], entry["changed"]) == ("ana", None, [])
    assert entry["keys"] == digests(parse(BASE, {}))


def test_what_changed_is_named_by_its_key(store):
    note(store, BASE)
    changed = BASE.replace("[Contact, Lead]", "[Contact]") + "retry: {attempts: 3}\n"
    assert note(store, changed, by="bob") == 1
    more = changed + 'privacy: {keep: {"sf:Contact": [Amount]}}\n'
    note(store, more)
    note(store, changed)
    _, second, third, fourth = sealed(store)
    assert second["changed"] == ["retry.attempts", "sources.sf.objects"]
    assert (second["by"], second["before"]) == ("bob", 0)
    assert third["changed"] == fourth["changed"] == ["privacy.keep.sf:Contact"]


def test_a_source_that_comes_is_named_key_by_key(store):
    note(store, BASE)
    note(store, BASE + BASE[BASE.index("  sf:") :].replace("sf:", "sf2:").lstrip("\n"))
    assert "sources.sf2.base_url" in sealed(store)[-1]["changed"]


def test_secrets_are_neither_there_nor_told_apart(store):
    note(store, BASE)
    assert note(store, BASE.replace("CANARY-1", "CANARY-2")) is None
    assert "CANARY" not in json.dumps(sealed(store))


def test_the_password_of_a_url_is_not_digested():
    one, other = (
        digests(parse(f'keys: {{url: "{url}"}}\nuser: x\n', {}))
        for url in ("sqlite:///a.db", "sqlite:///b.db")
    )
    assert one["keys.url"] != other["keys.url"]
    assert without_secrets("postgresql://ana:pw1@host/db") == without_secrets(
        "postgresql://ana:pw2@host/db"
    )
    assert without_secrets("https://x.example/hook?token=1") == "https://x.example/hook"
