"""What every store knows of which records were seen last when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crmtrail.model import Mode, Op, Sighting
from support.readings import OBJECT, SOURCE, at, reading, ref, removal
from support.store_rig import RIGS, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        made.keep(
            reading("003A", {"Phone": "1"}),
            reading("003B", {"Phone": "1"}),
            reading("003C", {"Phone": "1"}),
        )
        yield made


def sighted(*pairs):
    return [Sighting(id_, None if when is None else at(when)) for id_, when in pairs]


def test_what_moved_or_is_unknown_or_was_gone_is_to_be_read(rig):
    rig.keep(removal("003C", read=20))
    wanted = sighted(("003A", 0), ("003B", 5), ("003C", 0), ("003D", 0), ("003A", None))
    assert rig.store.unread(SOURCE, OBJECT, wanted) == ["003B", "003C", "003D"]


def test_of_an_object_that_was_never_synced_everything_is_to_be_read(rig):
    assert rig.store.unread(SOURCE, "Lead", sighted(("00QA", 0))) == ["00QA"]
    assert rig.store.unseen(SOURCE, "Lead", at(0), limit=5) == []
    assert rig.store.count_unseen(SOURCE, "Lead", at(0)) == 0


def test_what_was_sighted_has_been_seen_and_what_moved_has_not(rig):
    rig.keep(sightings=sighted(("003A", 0), ("003B", 5)), sighted_at=at(60), done=False)
    assert rig.store.unseen(SOURCE, OBJECT, at(60), limit=5) == ["003B", "003C"]
    assert rig.store.unseen(SOURCE, OBJECT, at(60), after="003B", limit=5) == ["003C"]
    assert rig.store.unseen(SOURCE, OBJECT, at(60), limit=1) == ["003B"]
    assert rig.store.count_unseen(SOURCE, OBJECT, at(60)) == 2
    assert rig.store.heads([ref("003A")])[ref("003A")].known_at == at(60)


def test_a_sighting_older_than_the_last_look_moves_nothing(rig):
    rig.keep(sightings=sighted(("003A", 0)), sighted_at=at(3), done=False)
    assert rig.store.heads([ref("003A")])[ref("003A")].known_at == at(10)


def test_deleted_records_are_not_missing(rig):
    rig.keep(removal("003C", read=20))
    assert rig.store.unseen(SOURCE, OBJECT, at(60), limit=5) == ["003A", "003B"]


def test_when_all_was_seen_and_read_last(rig):
    began = rig.store.sweeps(SOURCE, OBJECT)
    assert (began.first, began.reconciled, began.refreshed) == (at(0), None, None)
    for no, (mode, state) in enumerate(
        [(Mode.FULL, "done"), (Mode.RECONCILE, "done"), (Mode.FULL, "failed")], start=1
    ):
        run = rig.store.begin(SOURCE, OBJECT, mode, at(no))
        ended = at(no) + timedelta(seconds=1)
        rig.store.finish(run, state=state, at=ended, api_calls=1)
    swept = rig.store.sweeps(SOURCE, OBJECT)
    assert (swept.refreshed, swept.reconciled) == (at(1), at(2))


def test_the_members_of_a_set_that_are_not_present(rig):
    rig.keep(
        *(reading(id_, {"to": "x"}) for id_ in ("12-7", "12-8", "12-9", "123-7", "1-2", "12.5")),
        removal("12-9", read=20),
    )
    others = rig.store.others
    assert others(SOURCE, OBJECT, ["12-"], ["12-7"]) == ["12-8"]
    assert others(SOURCE, OBJECT, ["12-", "1-", "12-"], []) == ["1-2", "12-7", "12-8"]
    assert others(SOURCE, OBJECT, ["9-"], []) == []
    assert others(SOURCE, "Lead", ["12-"], []) == []


def test_an_undated_record_is_stored_with_the_stretch_in_which_it_appeared(rig):
    rig.keep(complete_to=at(60), watermark=at(60))
    rig.keep(replace(reading("12-7", {"labels": "x"}, modified=90), undated=True))
    [made] = rig.store.timeline(ref("12-7"))
    assert (made.op, made.at, made.since) == (Op.CREATE, at(90), at(60))


def test_the_records_that_name_some_others_gone_ones_too(rig):
    rig.keep(
        *(reading(id_, {"to": "x"}) for id_ in ("12-7", "12-8", "7-9", "112-70", "12")),
        removal("12-8", read=20),
    )
    assert rig.store.linking(SOURCE, OBJECT, {"7"}) == ["12-7", "7-9"]
    assert rig.store.linking(SOURCE, OBJECT, {"12", "9"}) == ["12", "12-7", "12-8", "7-9"]
    assert rig.store.linking(SOURCE, "Lead", {"7"}) == []
