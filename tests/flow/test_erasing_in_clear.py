"""Erase records whose values are not sealed, users of the CRM, and see what later plans say."""

from dataclasses import replace

import pytest

from crmtrail.config import RestoreConfig
from crmtrail.detection.emptiness import is_blank
from crmtrail.errors import Unfound
from crmtrail.model import ERASED, Action, Ref
from rollback.batches import Limits
from rollback.planner import Planner
from rollback.selections import ByOperation, ByRecords
from snapshot.erasing import erased_in
from snapshot.keys.policy import SealMode, Subjects
from support.forgetting_rig import CANARY, MAIL, OFFICES, OTHER, PERSON, lived, on_disk
from support.readings import ADA, BOB, at, reading, ref

HIDDEN = (CANARY.encode(), MAIL.encode())
CASE = ref(PERSON.id, object_="Case")


@pytest.fixture(params=OFFICES)
def office(request, tmp_path):
    with OFFICES[request.param](tmp_path) as made:
        yield made
        made.verified()


def test_a_record_in_clear_text_is_forgotten_the_same_way(office):
    lived(office, object_="Case")
    assert office.one("SELECT count(*) FROM version WHERE payload IS NOT NULL") == 0
    done = office.forgetting.erase(str(CASE), why="request", by="ana", anew=True)
    assert done.keys == ()
    assert not any(word in on_disk(office) for word in HIDDEN)
    assert office.store.version(CASE).fields["LastName"] == ERASED
    assert office.store.version(ref(OTHER.id, object_="Case")).fields["LastName"] == '"Other"'


@pytest.mark.parametrize("database", OFFICES)
def test_a_key_that_others_share_outlives_an_erasure(database, tmp_path):
    with OFFICES[database](tmp_path, Subjects(mode=SealMode.ALL)) as office:
        lived(office, object_="Case")
        done = office.forgetting.erase(str(CASE), why="request", by="ana", anew=True)
        assert done.keys == ()
        assert not office.ring.destroyed()
        assert not any(word in on_disk(office) for word in HIDDEN)
        assert office.store.version(ref(OTHER.id, object_="Case")).fields["LastName"] == '"Other"'
        office.verified()


def test_the_name_of_a_user_of_the_crm_goes(office):
    user, name = replace(ADA, name=CANARY), CANARY.encode()
    office.sync(reading(user.id, {"Email": MAIL}, object_="User"), object_="User")
    office.sync(reading("003X", {"Phone": "1"}, actor=user))
    office.sync(reading("003X", {"Phone": "2"}, actor=user, modified=50))
    assert CANARY in office.store.incidents()[0].finding.title
    assert name in on_disk(office)

    done = office.forgetting.erase(f"sf:User:{user.id}", why="request", by="ana", anew=True)
    assert done.copies.actors == (user.id,)
    assert name not in on_disk(office)
    last = office.store.timeline(ref("003X"))[-1]
    assert (last.actor.id, last.actor.name) == (user.id, None)


def test_a_user_who_is_no_record_here_is_known_by_what_they_changed(office):
    user = replace(ADA, name=CANARY)
    office.sync(reading("003X", {"Phone": "1"}, actor=user))
    office.sync(reading("003X", {"Phone": "2"}, actor=user, modified=50))
    who = f"sf:users:{user.id}"
    assert office.forgetting.look(who).copies.actors == (user.id,)

    done = office.forgetting.erase(who, why="request", by="ana", anew=True)
    assert (done.records, done.copies.actors) == ((), (user.id,))
    assert CANARY.encode() not in on_disk(office)
    assert erased_in(office.store.engine) == [Ref("*", "user", user.id)]
    again = office.forgetting.erase(who, why="request", by="ana")
    assert (again.leaf, again.copies.actors) == (done.leaf, ())
    with pytest.raises(Unfound):
        office.forgetting.erase("sf:User:005NOBODY", why="request", by="ana")


def test_a_user_whom_an_older_copy_brings_back_loses_the_name_again(office):
    user = replace(ADA, name=CANARY)
    office.sync(reading("003X", {"Phone": "1"}, actor=user))
    later = [Ref("*", "user", user.id), Ref("sf", "Contact", "003Y")]
    assert office.forgetting.replay(by="ana", later=later, anew=True) == 0
    assert CANARY.encode() not in on_disk(office)


def test_the_name_of_an_erased_user_is_not_stored_again(office):
    user = replace(BOB, name=CANARY)
    office.sync(reading(user.id, {"Email": MAIL}, object_="User"), object_="User")
    office.sync(reading("003X", {"Phone": "1"}, actor=user))
    office.forgetting.erase(f"sf:User:{user.id}", why="request", by="ana")
    for no in range(2):
        office.sync(reading("003X", {"Phone": f"2{no}"}, actor=user, modified=50 + no))
    assert office.one("SELECT count(*) FROM actor WHERE name = ?", CANARY) == 0
    last = office.store.timeline(ref("003X"))[-1]
    assert (last.actor.id, last.actor.via) == (user.id, user.via)


def planner(office) -> Planner:
    return Planner(
        store=office.store,
        journal=office.journal,
        clock=office.clock,
        restore=RestoreConfig(),
        blank=lambda token, field: is_blank(token, field, ()),
        limits=lambda _: Limits(200, 200, lambda records: (records, records)),
    )


def test_no_plan_restores_the_erased(office):
    lived(office)
    found = office.store.operations()
    operation = next(
        one.id for one in found if PERSON in {m.ref for m in office.store.members(one.id)}
    )
    office.forgetting.erase(str(PERSON), why="request", by="ana")
    office.clock.move(100_000)
    for selection in (ByRecords((PERSON,), at(4_000)), ByOperation(operation)):
        made = planner(office).make(selection, author="ana")
        for each in office.journal.steps(made.id):
            assert each.step.ref == PERSON
            assert each.step.action is Action.BLOCKED
            assert "never restored" in each.step.reason


def test_a_ledger_tells_who_was_erased(office):
    lived(office)
    assert erased_in(office.store.engine) == []
    office.forgetting.erase(str(PERSON), why="request", by="ana")
    assert erased_in(office.store.engine) == [Ref.parse(str(PERSON))]
