"""The settings of webhooks: what is refused, in which words, and what waits until it is needed."""

from datetime import timedelta

import pytest
import yaml

from crmtrail.config import holds_tokens, load, parse
from crmtrail.config_trail import digests
from crmtrail.errors import Mistake
from crmtrail.hooks.service import webhooks_of

HOOKS = {"public_url": "https://crm.acme.example/hs", "client_secret": "app-secret"}
SOURCE = {
    "kind": "hubspot",
    "base_url": "https://api.hubapi.com",
    "auth": {"token": "hs-secret"},
}


def parsed(hooks=HOOKS, environ=None, **others):
    raw = {"sources": {"hs": SOURCE | {"webhooks": hooks}, **others}}
    return parse(yaml.safe_dump(raw), environ or {})


def refusal(hooks=HOOKS, **others):
    with pytest.raises(Mistake) as caught:
        parsed(hooks, **others)
    return str(caught.value)


def test_webhooks_are_off_unless_they_are_set():
    assert webhooks_of(parsed(None).sources) == {}
    found = webhooks_of(parsed().sources)["hs"]
    assert found.address == ("127.0.0.1", 8766)
    assert found.delay == timedelta(seconds=10)
    assert found.public_url == HOOKS["public_url"]


def test_the_secret_is_never_shown_nor_digested():
    config = parsed()
    assert "app-secret" not in repr(config)
    other = parsed(HOOKS | {"client_secret": "another"})
    assert digests(config) == digests(other)


def test_the_secret_is_asked_for_only_when_webhooks_are_received():
    hooks = HOOKS | {"client_secret": "${HS_CLIENT_SECRET}"}
    config = parsed(hooks)
    with pytest.raises(Mistake, match=r"sources\.hs\.webhooks\.client_secret.*HS_CLIENT_SECRET"):
        webhooks_of(config.sources)
    found = webhooks_of(parsed(hooks, {"HS_CLIENT_SECRET": "given"}).sources)["hs"]
    assert found.client_secret.get_secret_value() == "given"


def test_an_empty_secret_is_refused_for_anybody_could_sign_with_it():
    assert "client_secret" in refusal(HOOKS | {"client_secret": ""})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"listen": "8766"}, "like 127.0.0.1:8766"),
        ({"listen": "127.0.0.1:"}, "like 127.0.0.1:8766"),
        ({"listen": ":8766"}, "like 127.0.0.1:8766"),
        ({"listen": "127.0.0.1:0"}, "from 1 to 65535"),
        ({"listen": "127.0.0.1:65536"}, "from 1 to 65535"),
        ({"public_url": "crm.acme.example/hs"}, "like https://"),
        ({"public_url": "http://crm.acme.example/hs"}, "use https://"),
        ({"public_url": "https://u:p@crm.acme.example"}, "no credentials"),
        ({"public_url": "https://crm.acme.example/hs?a=b"}, "ends with its path"),
        ({"delay": "0s"}, "longer than 0"),
        ({"secret": "x"}, "secret is not a known key"),
    ],
)
def test_bad_settings_are_refused_in_one_line(changed, words):
    told = refusal(HOOKS | changed)
    assert words in told
    assert "sources.hs.webhooks." in told
    assert "app-secret" not in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("listen", "address"),
    [("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:8766", ("::1", 8766)), ("hooks:9", ("hooks", 9))],  # noqa: S104 -- an address that may be set
)
def test_where_to_listen(listen, address):
    assert parsed(HOOKS | {"listen": listen}).sources["hs"].webhooks.address == address


def test_webhooks_are_for_hubspot_and_each_source_has_its_port():
    salesforce = {"kind": "salesforce", "base_url": "https://a.my.salesforce.com"}
    sf = SOURCE | salesforce | {"webhooks": HOOKS}
    assert "webhooks is for HubSpot only" in refusal(sf=sf)
    twin = SOURCE | {"webhooks": HOOKS}
    assert "same port" in refusal(twin=twin)
    apart = SOURCE | {"webhooks": HOOKS | {"listen": "127.0.0.1:8767"}}
    assert len(webhooks_of(parsed(twin=apart).sources)) == 2


def test_a_secret_that_is_written_out_makes_the_file_private_matter(tmp_path):
    path = tmp_path / "crmtrail.yaml"
    source = SOURCE | {"auth": {"token": "${HS_TOKEN}"}, "webhooks": HOOKS}
    path.write_text(yaml.safe_dump({"sources": {"hs": source}}))
    assert holds_tokens(path)
    assert load(path, {"HS_TOKEN": "t"}).sources["hs"].webhooks is not None
