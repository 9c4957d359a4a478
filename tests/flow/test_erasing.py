"""Erase a person: nothing of them is left, the rest is whole, and all of it still verifies."""

from collections.abc import Iterator

import pytest

from crmtrail.errors import Mistake, Unfound
from crmtrail.model import ERASED, Op
from rollback import audit
from support.forgetting_rig import (
    CANARY,
    MAIL,
    OFFICES,
    OTHER,
    PERSON,
    Office,
    lived,
    on_disk,
)
from support.readings import reading

HIDDEN = (CANARY.encode(), MAIL.encode())


@pytest.fixture(params=OFFICES)
def office(request, tmp_path) -> Iterator[Office]:
    with OFFICES[request.param](tmp_path) as made:
        lived(made)
        yield made
        made.verified()


def test_an_erased_person_is_nowhere_on_the_disk(office):
    assert any(word in on_disk(office) for word in HIDDEN)  # quoted in the clear before

    done = office.forgetting.erase(MAIL, why="request 7", by="ana", anew=True)

    assert [str(one) for one in done.records] == [str(PERSON)]
    assert not any(word in on_disk(office) for word in HIDDEN)
    office.reopen()
    assert not any(word in on_disk(office) for word in HIDDEN)


def test_what_was_erased_reads_as_such_and_who_did_it_when_stays(office):
    before = office.store.timeline(PERSON)
    office.forgetting.erase(str(PERSON), why="request 7", by="ana")

    after = office.store.timeline(PERSON)
    assert [(one.op, one.actor, one.at) for one in after] == [
        (one.op, one.actor, one.at) for one in before
    ]
    phones = {c.new for one in after for c in one.changes if c.field == "Phone"}
    assert phones == {ERASED}
    version = office.store.version(PERSON)
    assert version.fields["LastName"] == ERASED


def test_what_the_law_wants_kept_is_still_there(office):
    office.forgetting.erase(str(PERSON), why="request 7", by="ana")
    assert office.store.version(PERSON).fields["Discount"] == '"3"'
    changes = [change for one in office.store.timeline(PERSON) for change in one.changes]
    assert [one.new for one in changes if one.field == "Discount"] == ['"1"', '"2"', '"3"']


def test_others_stay_as_they_are(office):
    before = office.store.version(OTHER)
    office.forgetting.erase(MAIL, why="request 7", by="ana")
    assert office.store.version(OTHER) == before


def test_the_keys_are_destroyed_and_nobody_else_s(office):
    done = office.forgetting.erase(MAIL, why="request 7", by="ana")
    assert set(office.ring.destroyed()) == set(done.keys)
    assert len(done.keys) == 1
    assert office.store.version(OTHER).fields["LastName"] == '"Other"'


def test_nothing_of_the_person_is_stored_again(office):
    office.forgetting.erase(MAIL, why="request 7", by="ana")
    office.clock.move(100_000)
    office.sync(reading(PERSON.id, {"Email": MAIL, "LastName": CANARY}, modified=90_000))
    assert [one.op for one in office.store.timeline(PERSON)] == [Op.BASELINE, *[Op.UPDATE] * 3]
    assert CANARY.encode() not in on_disk(office)


def test_a_second_time_finds_it_done(office):
    first = office.forgetting.erase(str(PERSON), why="request 7", by="ana")
    again = office.forgetting.erase(str(PERSON), why="request 8", by="ben")
    assert (again.leaf, again.versions, again.keys) == (first.leaf, 0, ())
    with pytest.raises(Unfound, match="under this address"):
        office.forgetting.erase(MAIL, why="request 8", by="ben")


def test_a_look_changes_nothing_and_tells_what_an_erasure_would_do(office):
    sight = office.forgetting.look(MAIL)
    (seen,) = sight.records
    assert (seen.ref, seen.versions, seen.erased_at, seen.hold) == (PERSON, 4, None, None)
    assert office.store.version(PERSON).fields["LastName"] == f'"{CANARY}"'

    done = office.forgetting.erase(MAIL, why="request 7", by="ana")
    assert done.copies.operations == sight.copies.operations > 0
    assert done.copies.incidents.keys() == sight.copies.incidents.keys() != set()
    assert (done.copies.steps, done.copies.addresses) == (1, 1)
    assert (sight.copies.steps, sight.copies.addresses) == (1, 1)


def test_incidents_tell_all_but_the_person_s_values(office):
    before = {one.id: one for one in office.store.incidents()}
    done = office.forgetting.erase(MAIL, why="request 7", by="ana")
    for id_ in done.copies.incidents:
        now = office.store.incident(id_)
        assert CANARY not in now.finding.title + str(now.finding.evidence)
        assert "[erased]" in now.finding.title
        assert now.finding.records == before[id_].finding.records


def test_a_plan_with_a_forgotten_step_is_still_the_plan_that_was_made(office):
    office.forgetting.erase(MAIL, why="request 7", by="ana")
    mine, other = office.journal.steps("plan-1")
    assert (mine.step.write, mine.step.expect, mine.step.left, mine.before) == ({}, {}, {}, {})
    assert "erased" in mine.step.reason
    assert other.step.write == {"Phone": '"555-plan"'}
    assert other.gone is None
    assert audit.first_bad(office.store.engine) is None


@pytest.mark.parametrize("why", ["", "   ", f"asked by {MAIL.upper()}"])
def test_a_reason_is_needed_and_names_nobody(office, why):
    with pytest.raises(Mistake, match="reason"):
        office.forgetting.erase(MAIL, why=why, by="ana")


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ("nobody", Mistake),
        ("sf:Contact", Mistake),
        ("sf:Contact:003X", Unfound),
        ("sf:Lead:003X", Unfound),
        ("x@y.example", Unfound),
    ],
)
def test_who_is_not_known_is_not_erased(office, who, error):
    with pytest.raises(error):
        office.forgetting.erase(who, why="request 7", by="ana")


def test_what_a_contact_consented_to_goes_with_the_contact(office):
    contact = {"email": "kim@kim.example", "firstname": "Kim"}
    office.sync(reading("31", contact, object_="contacts"), object_="contacts")
    told = {"subscriberIdString": "kim@kim.example", "status": "SUBSCRIBED"}
    office.sync(
        *(reading(id_, told, object_="subscription_statuses") for id_ in ("31.7", "31.8", "310.7")),
        object_="subscription_statuses",
    )
    done = office.forgetting.erase("sf:contacts:31", why="request 8", by="ana")
    assert [one.id for one in done.records] == ["31", "31.7", "31.8"]
