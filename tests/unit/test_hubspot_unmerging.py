"""Undoing a merge in HubSpot: what is made anew, what is left out, and what is told."""

import pytest

from connectors.hubspot.unmerging import LIMITS, Before, links, unmerge
from crmtrail.errors import Mistake
from crmtrail.model import NULL, Ref

SURVIVOR = Ref("hs", "contacts", "900")
UNIQUE = frozenset({"email", "badge"})


def lost(id_: str, **fields: str) -> Before:
    return Before(
        Ref("hs", "contacts", id_),
        fields,
        {"contacts-companies": {"7": '["HUBSPOT_DEFINED:279"]'}, "deals-contacts": {"8": "[]"}},
        frozenset({"contacts-companies"}),
    )


def test_the_lost_are_made_anew_and_the_survivor_is_set_back() -> None:
    steps = unmerge(
        SURVIVOR,
        [lost("51", email='"b@x.example"', name='"B"')],
        {"name": '"A"'},
        now={"email": '"a@x.example"', "name": '"B"'},
        unique=UNIQUE,
        key="plan-1",
    )
    (survivor,), (made,) = steps.survivor, steps.make
    assert (survivor.ref, survivor.fields) == (SURVIVOR, {"name": '"A"'})
    assert (made.ref.id, made.fields) == ("51", {"email": '"b@x.example"', "name": '"B"'})
    assert steps.left == {}
    assert steps.limits == LIMITS
    assert any("another id" in one for one in steps.limits)


def test_what_the_survivor_holds_is_left_out_with_the_reason() -> None:
    one = lost("51", email='"B@x.example"', badge='"7"', name='"B"')
    now = {"badge": '"7"', "email": '"a@x.example"', "hs_additional_emails": '"b@x.example;c@x"'}
    steps = unmerge(SURVIVOR, [one], {}, now=now, unique=UNIQUE, key="k")
    assert steps.survivor == []
    assert steps.make[0].fields == {"name": '"B"'}
    assert steps.left[one.ref].keys() == {"email", "badge"}
    assert "further addresses" in steps.left[one.ref]["email"]
    assert "unique" in steps.left[one.ref]["badge"]


def test_a_value_that_the_survivor_gives_back_can_be_set() -> None:
    one = lost("51", badge='"7"')
    steps = unmerge(SURVIVOR, [one], {"badge": NULL}, now={"badge": '"7"'}, unique=UNIQUE, key="k")
    assert steps.make[0].fields == {"badge": '"7"'}


def test_associations_hang_on_the_new_ids_in_the_order_of_their_pair() -> None:
    first, second = lost("51"), lost("52")
    made = links([first, second], {first.ref: "901"}, key="k")
    assert {pair: [one.ref.id for one in each] for pair, each in made.items()} == {
        "contacts-companies": ["901-7"],
        "deals-contacts": ["8-901"],
    }
    assert made["contacts-companies"][0].fields == {"types": '["HUBSPOT_DEFINED:279"]'}


@pytest.mark.parametrize("wrong", [[], [lost("900")], [Before(Ref("hs", "deals", "1"), {}, {})]])
def test_records_that_do_not_fit_together_are_refused(wrong: list[Before]) -> None:
    with pytest.raises(Mistake):
        unmerge(SURVIVOR, wrong, {}, now={}, unique=UNIQUE, key="k")
