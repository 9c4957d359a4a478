"""One name for each object and each pair, whichever way it is spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot.object_names import (
    STANDARD,
    ends_of,
    in_order,
    is_custom,
    pair_name,
    standard_name,
)

NAMES = [one.name for one in STANDARD]


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("contacts", "contacts"),
        ("contact", "contacts"),
        ("0-1", "contacts"),
        ("CONTACT", "contacts"),
        ("company", "companies"),
        ("0-2", "companies"),
        ("line_item", "line_items"),
        ("0-14", "quotes"),
        ("2-1", None),
        ("invoices", None),
        ("", None),
    ],
)
def test_standard_objects_are_known_by_three_names(spelled: str, name: str | None) -> None:
    assert standard_name(spelled) == name


@pytest.mark.parametrize(
    ("spelled", "custom"),
    [
        ("2-34567001", True),
        ("p_cars", True),
        ("p41723205_service_plans", True),
        ("0-1", False),
        ("products", False),
        ("p-1", False),
    ],
)
def test_how_custom_objects_are_spelled(spelled: str, *, custom: bool) -> None:
    assert is_custom(spelled) is custom


@pytest.mark.parametrize(
    ("spelled", "ends"),
    [
        ("contacts-companies", ("contacts", "companies")),
        ("0-1-0-2", ("0-1", "0-2")),
        ("2-12-0-1", ("2-12", "0-1")),
        ("contact-p7_cars", ("contact", "p7_cars")),
        ("2-12-2-13", ("2-12", "2-13")),
        ("0-1", None),
        ("2-12", None),
        ("contacts", None),
        ("contacts-", None),
        ("contacts-invoices", None),
        ("-", None),
    ],
)
def test_a_pair_is_told_from_a_type_id(spelled: str, ends: tuple[str, str] | None) -> None:
    assert ends_of(spelled) == ends


@given(st.sampled_from([*NAMES, "p7_cars", "p7_bikes"]), st.sampled_from([*NAMES, "p7_cars"]))
def test_a_pair_has_one_name_from_both_sides(one: str, other: str) -> None:
    assert pair_name(one, other) == pair_name(other, one)
    assert ends_of(pair_name(one, other)) == in_order(one, other)
    assert sorted(in_order(one, other)) == sorted((one, other))


def test_custom_objects_come_after_hubspots_own() -> None:
    assert pair_name("p7_cars", "tasks") == "tasks-p7_cars"
    assert pair_name("p7_cars", "p7_bikes") == "p7_bikes-p7_cars"
