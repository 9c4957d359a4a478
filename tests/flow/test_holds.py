"""A hold wins over erasure and retention, and both its ends are in the ledger."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from crmtrail.errors import Mistake, Unfound
from snapshot.holding import Held
from support.forgetting_rig import MAIL, OFFICES, OTHER, PERSON, Office, lived
from support.readings import T0, reading


@pytest.fixture(params=OFFICES)
def office(request, tmp_path) -> Iterator[Office]:
    with OFFICES[request.param](tmp_path) as made:
        lived(made)
        yield made
        made.verified()


@pytest.mark.parametrize("on", [MAIL, MAIL.upper(), str(PERSON), "sf:Contact"])
def test_what_is_held_is_not_erased_until_it_is_released(office, on):
    made = office.holds.add(on, why="case 9", by="ben")
    before = office.store.version(PERSON)
    for subject in (MAIL, str(PERSON)):
        with pytest.raises(Held, match=r"hold 1 of ben since .*: case 9") as refused:
            office.forgetting.erase(subject, why="request", by="ana")
        assert "hold release 1" in refused.value.hint
        assert office.forgetting.look(subject).records[0].hold == made
    assert office.store.version(PERSON) == before

    office.holds.release(made.id, why="settled", by="ana")
    assert office.forgetting.erase(MAIL, why="request", by="ana").records == (PERSON,)


def test_a_hold_on_another_is_none(office):
    office.holds.add(str(OTHER), why="case 9", by="ben")
    office.holds.add("sf:Contact:003NOBODY", why="case 9", by="ben")
    assert office.forgetting.erase(MAIL, why="request", by="ana").records == (PERSON,)


def test_one_held_record_of_a_person_keeps_all(office):
    office.sync(reading("003TWIN", {"Email": MAIL, "LastName": "Twin"}))
    office.holds.add("sf:Contact:003TWIN", why="case 9", by="ben")
    with pytest.raises(Held):
        office.forgetting.erase(MAIL, why="request", by="ana")
    assert office.one("SELECT count(*) FROM record WHERE erased_at IS NOT NULL") == 0


def test_a_hold_ends_by_itself(office):
    office.clock.move(0)
    end = office.clock.now() + timedelta(hours=1)
    office.holds.add(MAIL, why="case 9", by="ben", until=end)
    with pytest.raises(Held, match="until"):
        office.forgetting.erase(MAIL, why="request", by="ana")
    office.clock.move(3_600)
    assert office.forgetting.erase(MAIL, why="request", by="ana").records == (PERSON,)


def test_holds_are_listed_with_both_ends(office):
    one = office.holds.add("sf:Contact", why="case 9", by="ben")
    two = office.holds.add(MAIL, why="case 10", by="ana")
    ended = office.holds.release(one.id, why="settled", by="cem")
    assert office.holds.all() == [ended, two]
    assert (ended.ended.by, ended.ended.why) == ("cem", "settled")
    assert MAIL not in f"{two.on} {two}"
    told = office.one("SELECT count(*) FROM leaf WHERE kind IN ('hold', 'hold-release')")
    assert told == 3


def test_what_makes_no_sense_is_refused(office):
    holds = office.holds
    for on, error in (("nobody", Mistake), ("sf:Nothing", Unfound)):
        with pytest.raises(error):
            holds.add(on, why="case 9", by="ben")
    with pytest.raises(Mistake, match="reason"):
        holds.add(str(PERSON), why=" ", by="ben")
    with pytest.raises(Mistake, match="future"):
        holds.add(str(PERSON), why="case 9", by="ben", until=T0)
    with pytest.raises(Unfound, match="no hold 1"):
        holds.release(1, why="won", by="ben")
    made = holds.add(str(PERSON), why="case 9", by="ben")
    with pytest.raises(Mistake, match="reason"):
        holds.release(made.id, why="", by="ben")
    holds.release(made.id, why="won", by="ben")
    with pytest.raises(Mistake, match="already"):
        holds.release(made.id, why="won", by="ben")
