"""Which history an identity may not read: looked at again, at the price of a request an hour."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Rows
from connectors.salesforce.discovery import Listed, Listing
from connectors.salesforce.history import Histories, closed
from connectors.salesforce.schema import Describe, DescribedField, know
from crmtrail.model import Actor, ActorKind, Reading, Ref

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
COLUMNS = ("Id", "AccountId", "CreatedById", "CreatedDate", "Field", "OldValue", "NewValue")
DESCRIBE = Describe([DescribedField(name) for name in COLUMNS], name="AccountHistory")
ACCOUNT = know("sf", Describe([DescribedField("Id"), DescribedField("Name")], name="Account"))
HISTORY = "AccountHistory"


class Clock:
    def __init__(self):
        self.time = NOON

    def now(self):
        return self.time


class Org:
    """Lists and describes AccountHistory; its rows may be refused."""

    base_url = "https://acme.my.salesforce.com/services/data/v60.0/"
    told_at = NOON

    def __init__(self, *, refuses):
        self.refuses = refuses
        self.asked = []

    def get(self, path, shape):
        self.asked.append(path)
        return Listing([Listed("Account"), Listed(HISTORY)]) if shape is Listing else DESCRIBE

    def query(self, text, *, deleted=True):
        self.asked.append(text)
        if self.refuses:
            raise Refusal("no", code="INSUFFICIENT_ACCESS")
        return Rows([])


class Nobody:
    def meet(self, ids):
        return dict.fromkeys(ids)


def histories(org, clock=None, months=24):
    return Histories(org, Nobody(), clock or Clock(), months)


def reading():
    return Reading(
        ref=Ref("sf", "Account", "001000000000001AAA"),
        fields={"Name": '"Acme"'},
        modified_at=NOON,
        read_at=NOON,
        edited_at=NOON,
        actor=Actor(ActorKind.USER, id="005000000000001AAA"),
    )


def test_what_nobody_asked_for_costs_nothing():
    org = Org(refuses=True)
    assert histories(org).barred("Account", ()) == ()
    assert org.asked == []


def test_rows_that_are_refused_are_told_without_being_asked_for_again():
    org = Org(refuses=True)
    made = histories(org)
    attached = made.attach(ACCOUNT, [reading()], NOON - timedelta(hours=1))
    before = len(org.asked)
    assert made.barred("Account", ()) == (HISTORY,)
    assert (attached.gaps, len(org.asked)) == ([], before)


@pytest.mark.parametrize("refuses", [True, False])
def test_another_process_looks_again_and_says_how_it_is(refuses):
    org = Org(refuses=refuses)
    made = histories(org)
    expected = (HISTORY,) if refuses else ()
    assert made.barred("Account", (HISTORY,)) == expected
    asked = len(org.asked)
    assert made.barred("Account", (HISTORY,)) == expected
    assert len(org.asked) == asked == 3


def test_it_is_looked_at_again_after_an_hour():
    org, clock = Org(refuses=True), Clock()
    made = histories(org, clock)
    assert made.barred("Account", (HISTORY,)) == (HISTORY,)
    org.refuses = False
    assert made.barred("Account", (HISTORY,)) == (HISTORY,)
    clock.time += timedelta(hours=2)
    assert made.barred("Account", (HISTORY,)) == ()


def test_where_no_history_is_wanted_none_is_missed():
    org = Org(refuses=True)
    assert histories(org, months=0).barred("Account", (HISTORY,)) == ()
    assert org.asked == []


def test_the_gap_ends_with_a_run_that_does_not_tell_it():
    (gap,) = closed("Account", [HISTORY])
    assert gap.whole
    assert HISTORY in gap.why
    assert (gap.since, gap.until) == (None, None)
