"""A change of HubSpot joined with the audit log and the logins; and what discounts are made of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.joining import Witnessed, witnessed
from connectors.hubspot.schema import field_of
from connectors.hubspot.shapes import Property
from crmtrail.model import (
    Actor,
    ActorKind,
    Change,
    ChangeSet,
    FieldType,
    Op,
    Ref,
    Version,
    token_of,
)

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
MAYA = Actor(ActorKind.USER, "9586500", "Maya Lindqvist")


def change(actor: Actor = MAYA) -> ChangeSet:
    changes = (Change("jobtitle", '"a"', '"b"'),)
    return ChangeSet(Ref("hs", "contacts", "31"), Op.UPDATE, 2, changes, actor, AT, AT)


def logged(object_: str, id_: str, at: datetime, **fields: Any) -> Version:
    tokens = {name: token_of(value) for name, value in fields.items()}
    ref = Ref("hs", object_, id_)
    return Version(ref, 1, Op.CREATE, tokens, at, at, MAYA, deleted=False)


def deed(id_: str, seconds: float, **fields: Any) -> Version:
    told = {"target": "contacts:31", "userId": 9586500, **fields}
    return logged("audit_logs", id_, AT + timedelta(seconds=seconds), **told)


def login(id_: str, minutes: float, **fields: Any) -> Version:
    told = {"userId": 9586500, "loginSucceeded": True, "ipAddress": "203.0.113.9", **fields}
    return logged("login_activity", id_, AT - timedelta(minutes=minutes), **told)


def test_the_nearest_deed_and_the_last_login_before_it_are_found() -> None:
    found = witnessed(
        change(),
        [deed("far", -4), deed("near", 1), deed("late", 9)],
        [login("old", 90), login("last", 5, location="denver"), login("later", -5)],
    )

    assert found == Witnessed(
        Ref("hs", "audit_logs", "near"),
        Ref("hs", "login_activity", "last"),
        "203.0.113.9",
        "denver",
    )


@pytest.mark.parametrize("other", [{"target": "deals:31"}, {"target": None}, {"userId": 1}])
def test_another_record_or_another_user_is_no_witness(other: dict[str, Any]) -> None:
    assert witnessed(change(), [deed("x", 0, **other)], []).audited is None


@pytest.mark.parametrize("other", [{"userId": "1"}, {"loginSucceeded": False}])
def test_a_login_of_somebody_else_or_one_that_failed_says_nothing(other: dict[str, Any]) -> None:
    assert witnessed(change(), [], [login("x", 5, **other)]) == Witnessed()


@pytest.mark.parametrize("kind", [kind for kind in ActorKind if kind is not ActorKind.USER])
def test_only_changes_by_users_are_in_the_logs(kind: ActorKind) -> None:
    actor = Actor(kind, "9586500")
    assert witnessed(change(actor), [deed("x", 0)], [login("y", 5)]) == Witnessed()


@pytest.mark.parametrize(
    ("name", "type_", "field_type", "expected"),
    [
        ("discount", "number", "number", FieldType.MONEY),
        ("price", "number", "number", FieldType.MONEY),
        ("hs_total_discount", "number", "calculation_equation", FieldType.MONEY),
        ("hs_pre_discount_amount", "number", "calculation_equation", FieldType.MONEY),
        ("hs_discount_percentage", "number", "number", FieldType.NUMBER),
        ("hs_value", "number", "number", FieldType.NUMBER),
        ("hs_status", "enumeration", "select", FieldType.CHOICE),
        ("hs_type", "enumeration", "select", FieldType.CHOICE),
    ],
)
def test_discounts_and_approvals_have_the_types_that_their_values_have(
    name: str, type_: str, field_type: str, expected: FieldType
) -> None:
    assert field_of(Property(name, type=type_, field_type=field_type)).type is expected


def test_who_approves_is_one_of_the_owners() -> None:
    one = Property("hs_approver_id", type="enumeration", external_options=True)
    assert field_of(one).type is FieldType.REFERENCE
