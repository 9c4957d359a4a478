"""Where each API of HubSpot lies, in each version, and what names no version."""

from typing import Any

import pytest
import yaml

from connectors.hubspot.verbs import is_search, may_repeat
from connectors.hubspot.versions import Versions, versions, versions_of
from crmtrail.config import Config, parse
from crmtrail.errors import Mistake

PATHS = [
    ("/crm/v3/objects/contacts?limit=1", "/crm/objects/{v}/contacts?limit=1"),
    ("/crm/v3/objects/p_pets/7", "/crm/objects/{v}/p_pets/7"),
    ("/crm/v3/objects/deals/batch/read", "/crm/objects/{v}/deals/batch/read"),
    ("/crm/v3/objects/deals/batch/upsert", "/crm/objects/{v}/deals/batch/upsert"),
    ("/crm/v3/objects/contacts/search", "/crm/objects/{v}/contacts/search"),
    ("/crm/v3/objects/contacts/merge", "/crm/objects/{v}/contacts/merge"),
    ("/crm/v3/objects/contacts/gdpr-delete", "/crm/objects/{v}/contacts/gdpr-delete"),
    ("/crm/v4/objects/deal/1/associations/quote", "/crm/objects/{v}/deal/1/associations/quote"),
    (
        "/crm/v4/objects/a/1/associations/default/b/2",
        "/crm/objects/{v}/a/1/associations/default/b/2",
    ),
    ("/crm/v4/associations/a/b/batch/read", "/crm/associations/{v}/a/b/batch/read"),
    (
        "/crm/v4/associations/a/b/batch/labels/archive",
        "/crm/associations/{v}/a/b/batch/labels/archive",
    ),
    ("/crm/v4/associations/a/b/labels", "/crm/associations/{v}/a/b/labels"),
    ("/crm/associations/v4/a/b/labels", "/crm/associations/{v}/a/b/labels"),
    ("/crm/v3/properties/deals", "/crm/properties/{v}/deals"),
    ("/crm/v3/properties/deals/groups", "/crm/properties/{v}/deals/groups"),
    ("/crm/v3/property-validations/0-1/email", "/crm/property-validations/{v}/0-1/email"),
    ("/crm/v3/pipelines/deals/default/audit", "/crm/pipelines/{v}/deals/default/audit"),
    ("/crm/v3/pipelines/d/p/stages/s/audit", "/crm/pipelines/{v}/d/p/stages/s/audit"),
    ("/crm/v3/owners/", "/crm/owners/{v}"),
    ("/crm/v3/owners/?archived=true", "/crm/owners/{v}?archived=true"),
    ("/crm/v3/owners/12", "/crm/owners/{v}/12"),
    ("/crm/v3/imports/", "/crm/imports/{v}"),
    ("/crm/v3/imports/5/errors", "/crm/imports/{v}/5/errors"),
    ("/crm/v3/exports/export/async", "/crm/exports/{v}/export/async"),
    ("/crm/v3/limits/records", "/crm/limits/{v}/records"),
    ("/crm/v3/lists/9/restore", "/crm/lists/{v}/9/restore"),
    ("/crm-object-schemas/v3/schemas", "/crm-object-schemas/{v}/schemas"),
    ("/account-info/v3/details", "/account-info/{v}/details"),
    ("/account-info/v3/activity/audit-logs", "/account-info/{v}/activity/audit-logs"),
    (
        "/communication-preferences/v4/statuses/a%40b.c",
        "/communication-preferences/{v}/statuses/a%40b.c",
    ),
    (
        "/communication-preferences/v3/definitions",
        "/communication-preferences/{v}/definitions",
    ),
]
USERS = [
    ("/settings/v3/users/", "/settings/users/2026-03"),
    ("/settings/v3/users/roles", "/settings/users/2026-03/roles"),
    ("/settings/v3/users/teams", "/settings/users/2026-03/teams"),
    ("/settings/v3/users/7", "/settings/users/2026-03/7"),
]


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
@pytest.mark.parametrize(("path", "dated"), PATHS)
def test_each_path_has_its_place_in_the_dated_versions(path: str, dated: str, version: str) -> None:
    assert Versions(version).rewritten(path) == dated.replace("{v}", version)
    assert Versions().rewritten(path) == path


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
@pytest.mark.parametrize(("path", "dated"), USERS)
def test_users_stay_at_2026_03(path: str, dated: str, version: str) -> None:
    assert Versions(version).rewritten(path) == dated
    assert Versions("v3").rewritten(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "/oauth/v2/private-apps/get/access-token-info",
        "/webhooks-journal/journal-local/2026-03/earliest",
        "/crm/v3/objectsmith/1",
        "/crm/v3/ownership",
    ],
)
def test_other_paths_stay(path: str) -> None:
    assert Versions("2026-09").rewritten(path) == path


def test_a_family_goes_before_the_default() -> None:
    told = versions(
        "2026-03", {"objects": "2026-09", "associations": "v4", "account-info": "v3"}, ""
    )
    assert told.rewritten("/crm/v3/objects/deals") == "/crm/objects/2026-09/deals"
    assert told.rewritten("/crm/v4/associations/a/b/labels") == "/crm/v4/associations/a/b/labels"
    assert told.rewritten("/crm/v4/objects/a/1/associations/b").startswith("/crm/v4/")
    assert told.rewritten("/account-info/v3/details") == "/account-info/v3/details"
    assert told.rewritten("/crm/v3/properties/deals") == "/crm/properties/2026-03/deals"


def test_writes_may_go_to_another_version() -> None:
    older = versions("2026-09", {}, "v3")
    assert older.rewritten("/crm/v3/objects/deals/batch/update", write=True).startswith("/crm/v3/")
    assert older.rewritten("/crm/v4/associations/a/b/batch/create", write=True).startswith(
        "/crm/v4/"
    )
    read = older.rewritten("/crm/v3/objects/deals/batch/read")
    assert read == "/crm/objects/2026-09/deals/batch/read"
    newer = versions("", {"objects": "2026-03"}, "2026-09")
    path = "/crm/v3/objects/deals/batch/create"
    assert newer.rewritten(path, write=True) == "/crm/objects/2026-09/deals/batch/create"


def config(**more: Any) -> Config:
    source = {
        "kind": "hubspot",
        "base_url": "https://api.hubapi.com",
        "auth": {"token": "pat-x"},
        **more,
    }
    return parse(yaml.safe_dump({"sources": {"hs": source}}), {})


def test_a_config_names_versions() -> None:
    settings = config(
        api_version="2026-03", api_versions={"users": "v3", "objects": "2026-09"}
    ).sources["hs"]
    told = versions_of(settings)
    assert told.of("objects") == "2026-09"
    assert told.of("users") == "v3"
    assert told.of("owners", write=True) == "2026-03"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"api_version": "v4"}, "api_version is one of v3, 2026-03 or 2026-09, not 'v4'"),
        ({"api_version": "2026-3"}, "api_version is one of"),
        ({"api_version": "2025-09"}, "api_version is one of"),
        ({"write_api_version": "latest"}, "write_api_version is one of v3, 2026-03 or 2026-09"),
        ({"api_versions": {"users": "2026-09"}}, "users is one of v3 or 2026-03, not '2026-09'"),
        ({"api_versions": {"associations": "v3"}}, "associations is one of v4, 2026-03 or 2026-09"),
        ({"api_versions": {"contact": "v3"}}, "no API of HubSpot is named 'contact'; objects, "),
        (
            {"kind": "salesforce", "base_url": "https://a.my.salesforce.com",
             "write_api_version": "v3"},
            "write_api_version is for HubSpot only",
        ),
        (
            {"kind": "salesforce", "base_url": "https://a.my.salesforce.com",
             "api_versions": {"objects": "v3"}},
            "api_versions is for HubSpot only",
        ),
    ],
)  # fmt: skip
def test_a_wrong_version_is_told_in_one_line(more: dict[str, Any], told: str) -> None:
    with pytest.raises(Mistake) as caught:
        config(**more)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_searches_and_what_may_be_sent_twice() -> None:
    assert is_search("/crm/v3/objects/contacts/search")
    assert is_search("/crm/objects/2026-03/2-77/search")
    assert not is_search("/crm/v3/lists/search")
    assert may_repeat("GET", "/crm/v3/objects/contacts")
    assert may_repeat("POST", "/crm/v3/objects/contacts/batch/update")
    assert may_repeat("POST", "/crm/v4/associations/a/b/batch/create")
    assert not may_repeat("POST", "/crm/v3/objects/contacts")
    assert not may_repeat("POST", "/crm/v3/objects/contacts/batch/create")
    assert not may_repeat("POST", "/crm/v3/objects/contacts/merge")
