"""What a portal has, how it is named, and what the token does not see of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Literal

import pytest

from connectors.hubspot import connect
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import Mistake
from crmtrail.ports import Connector
from support.scripted_http import Asked, Scripted, ScriptedServer

EMPTY = Scripted(content={"results": []})
CAR = {"objectTypeId": "2-77", "fullyQualifiedName": "p123_car", "name": "car"}
Answer = Callable[[Asked], Scripted]


class Wall:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


@contextmanager
def portal(
    answer: Answer, objects: Literal["*"] | Sequence[str] = "*", *, sensitive: bool = False
) -> Iterator[tuple[ScriptedServer, Connector]]:
    auth = AuthConfig.model_validate({"token": "pat-na1-token"})
    with ScriptedServer(otherwise=answer) as server:
        settings = SourceConfig.model_validate(
            {
                "kind": "hubspot",
                "base_url": server.url,
                "auth": auth,
                "objects": objects,
                "sensitive": sensitive,
            }
        )
        with closing(connect("hs", settings, auth, Wall())) as connector:
            yield server, connector


def cars(asked: Asked) -> Scripted:
    return Scripted(content={"results": [CAR]}) if "/schemas" in asked.target else EMPTY


def test_all_spellings_of_an_object_are_one_name() -> None:
    with portal(cars) as (server, connector):
        standard = {connector.named(one) for one in ("contact", "contacts", "0-1", "Contacts")}
        assert server.asked == []
        custom = {connector.named(one) for one in ("p123_car", "p_car", "2-77", "P123_CAR")}
        pair = {connector.named(one) for one in ("0-2-contact", "contacts-companies", "0-1-0-2")}
        mixed = {connector.named(one) for one in ("2-77-deal", "deals-p_car")}

    assert standard == {"contacts"}
    assert custom == {"p123_car"}
    assert pair == {"contacts-companies"}
    assert mixed == {"deals-p123_car"}
    assert len(server.asked) == 1


@pytest.mark.parametrize("spelled", ["2-99", "p_boat", "invoices", "property_definitions"])
def test_what_the_portal_does_not_know_keeps_its_spelling(spelled: str) -> None:
    with portal(cars) as (_, connector):
        assert connector.named(spelled) == spelled


def test_custom_objects_that_may_not_be_listed_keep_their_spelling() -> None:
    with portal(lambda _: Scripted(403, {})) as (_, connector):
        assert connector.named("p_car") == "p_car"


def test_what_is_left_out_of_all_objects_is_told_with_its_reason() -> None:
    context = {"requiredGranularScopes": ["crm.objects.deals.read"]}

    def answer(asked: Asked) -> Scripted:
        if "/deals" in asked.target:
            return Scripted(403, {"errors": [{"context": context}]})
        if "/leads" in asked.target or "/discounts" in asked.target:
            return Scripted(404, {})
        return Scripted(403, {}) if "/schemas" in asked.target else EMPTY

    with portal(answer) as (_, connector):
        objects = connector.objects()
        lines = connector.missing(objects)

    assert not {"deals", "leads", "discounts"} & set(objects)
    told = "\n".join(lines)
    assert "deals is left out: the token may not read it" in told
    assert "crm.objects.deals.read" in told
    assert "does not have leads, discounts" in told
    assert "custom objects are left out" in told


@pytest.mark.parametrize(
    ("shown", "kept", "told", "synced"),
    [
        ({}, False, "crm.objects.contacts.sensitive.read.v2", False),
        ({}, True, "crm.objects.contacts.sensitive.read.v2", False),
        ({"iban": "x"}, False, "`sensitive: true`", False),
        ({"iban": None}, True, "", True),
    ],
)
def test_sensitive_properties_are_told_and_kept_on_demand(
    shown: dict[str, str | None], told: str, *, kept: bool, synced: bool
) -> None:
    def answer(asked: Asked) -> Scripted:
        if "dataSensitivity=sensitive" in asked.target:
            told = [
                {"name": "iban", "dataSensitivity": "sensitive"},
                {"name": "city", "dataSensitivity": "non_sensitive"},
            ]
            return Scripted(content={"results": told})
        if "/objects/contacts" in asked.target:
            return Scripted(content={"results": [{"id": "1", "properties": shown}]})
        return EMPTY

    with portal(answer, ["contacts"], sensitive=kept) as (_, connector):
        lines = connector.missing(["contacts", "contacts-companies"])
        fields = connector.schema("contacts").fields

    assert bool(lines) is bool(told)
    assert all("iban" in line and "city" not in line and told in line for line in lines)
    assert set(fields) == ({"iban"} if synced else set())


def test_groups_of_records_have_what_the_portal_has() -> None:
    def answer(asked: Asked) -> Scripted:
        return Scripted(404, {}) if "/discounts" in asked.target else EMPTY

    with portal(answer) as (_, connector):
        assert connector.objects("approvals") == ["quotes", "line_items", "deals"]
        assert connector.objects("discounts") == ["quotes", "line_items", "deals"]
    with portal(lambda _: EMPTY) as (_, connector):
        assert connector.objects("discounts")[-1] == "discounts"


def test_an_unknown_group_names_those_that_there_are() -> None:
    with portal(lambda _: EMPTY) as (_, connector), pytest.raises(Mistake) as told:
        connector.objects("events")

    assert "@events" in str(told.value)
    for group in ("associations", "setup", "permissions", "logins", "imports", "consent"):
        assert f"@{group}" in told.value.hint
