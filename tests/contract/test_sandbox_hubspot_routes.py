"""Every family of the sandbox's HubSpot, in every version and under every name of an object."""

from collections.abc import Iterator

import pytest

from support.hubspot_portal import PortalUnderTest, portal_under_test

NAMES = {
    "contacts": ("contacts", "contact", "0-1"),
    "companies": ("companies", "company", "0-2"),
    "deals": ("deals", "deal", "0-3"),
    "tickets": ("tickets", "ticket", "0-5"),
    "products": ("products", "product", "0-7"),
    "line_items": ("line_items", "line_item", "0-8"),
    "quotes": ("quotes", "quote", "0-14"),
}
DATED = ("2026-03", "2026-09")
EVERY_NAME = [name for names in NAMES.values() for name in names]


@pytest.fixture(scope="module")
def portal() -> Iterator[PortalUnderTest]:
    """One portal for all: nothing here writes."""
    with portal_under_test() as running:
        running.act("limits", burst=None)
        yield running


def roots(family: str, old: str = "v3") -> list[str]:
    return [f"/crm/{old}/{family}", *(f"/crm/{family}/{version}" for version in DATED)]


@pytest.mark.parametrize("name", EVERY_NAME)
def test_objects_and_their_definitions_go_by_every_name(portal: PortalUnderTest, name: str) -> None:
    for root in roots("objects"):
        assert portal.send("GET", f"{root}/{name}").status_code == 200
        found = portal.send("POST", f"{root}/{name}/search", {"limit": 1})
        assert found.status_code == 200
        read = {"inputs": [{"id": "99"}], "properties": []}
        many = portal.send("POST", f"{root}/{name}/batch/read", read)
        assert many.json()["numErrors"] == 1
    for family in ("properties", "pipelines", "property-validations"):
        for root in roots(family):
            answer = portal.send("GET", f"{root}/{name}")
            assert answer.status_code == 200
            assert "results" in answer.json()


@pytest.mark.parametrize("one", NAMES["contacts"])
@pytest.mark.parametrize("other", NAMES["companies"])
def test_associations_go_by_every_pair_of_names(
    portal: PortalUnderTest, one: str, other: str
) -> None:
    id_ = portal.ids()[0]
    pairs = ["/crm/v4/associations", "/crm/associations/v4"]
    pairs += [f"/crm/associations/{version}" for version in DATED]
    for root in pairs:
        labels = portal.send("GET", f"{root}/{one}/{other}/labels")
        assert 279 in [each["typeId"] for each in labels.json()["results"]]
        body = {"inputs": [{"id": id_}]}
        read = portal.send("POST", f"{root}/{one}/{other}/batch/read", body)
        assert read.json()["results"][0]["from"]["id"] == id_
    for root in roots("objects", "v4"):
        single = portal.send("GET", f"{root}/{one}/{id_}/associations/{other}")
        assert single.json()["results"] != []


@pytest.mark.parametrize(
    "target",
    [
        *roots("owners"),
        *roots("imports"),
        *(f"{root}/records" for root in roots("limits")),
        *(f"/account-info/{version}/details" for version in ("v3", *DATED)),
        *(f"/account-info/{version}/api-usage/daily/private-apps" for version in ("v3", *DATED)),
        *(f"/account-info/{version}/activity/login" for version in ("v3", *DATED)),
        *(f"/account-info/{version}/activity/security" for version in ("v3", *DATED)),
        *(f"/crm-object-schemas/{version}/schemas" for version in ("v3", *DATED)),
        "/settings/v3/users",
        "/settings/users/2026-03",
        "/settings/v3/users/roles",
        "/settings/users/2026-03/teams",
        *(f"{root}/deals/default/audit" for root in roots("pipelines")),
        *(f"{root}/deals/default/stages" for root in roots("pipelines")),
        *(f"{root}/contacts/groups" for root in roots("properties")),
    ],
)
def test_every_family_answers_with_and_without_a_slash(
    portal: PortalUnderTest, target: str
) -> None:
    plain, slashed = portal.send("GET", target), portal.send("GET", target + "/")

    assert (plain.status_code, slashed.status_code) == (200, 200)


@pytest.mark.parametrize(
    "target",
    [
        "/settings/users/2026-09",
        "/crm/v1/objects/contacts",
        "/crm/objects/2025-09/contacts",
        "/crm/v4/owners",
        "/crm/v3/associations/contacts/companies/labels",
        "/webhooks-journal/journal/v3/earliest",
    ],
)
def test_versions_that_never_were_are_not_found(portal: PortalUnderTest, target: str) -> None:
    assert portal.send("GET", target).status_code == 404


@pytest.mark.parametrize("version", DATED)
@pytest.mark.parametrize("object_", ["products", "line_items", "quotes"])
def test_the_dated_versions_merge_every_type(version: str, object_: str) -> None:
    with portal_under_test() as portal:
        one, two = portal.ids(object_, 2)
        body = {"primaryObjectId": one, "objectIdToMerge": two}

        old = portal.send("POST", f"/crm/v3/objects/{object_}/merge", body)
        new = portal.send("POST", f"/crm/objects/{version}/{object_}/merge", body)

        assert old.status_code == 404
        assert new.status_code == 200
        assert portal.get(f"{object_}/{two}").json()["id"] == new.json()["id"]
