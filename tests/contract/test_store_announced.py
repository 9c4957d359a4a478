"""What is announced, in every store: kept, given to detection, withdrawn."""

from dataclasses import replace

import pytest

from crmtrail.errors import Unfound
from crmtrail.model import Expectation
from crmtrail.ports import Noticed
from support.readings import OBJECT, SOURCE, at, reading
from support.store_rig import RIGS, proven_rig

ONE = Expectation(
    id="exp-1",
    since=at(0),
    until=at(3_600),
    why="price list",
    by="ana",
    source=SOURCE,
    object=OBJECT,
    via="Price Loader",
    fields=("Phone", "Price"),
    records=50,
)
OTHER = Expectation("exp-2", at(60), at(120), "again", "bob", actor="005X")


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


def test_what_is_announced_is_kept_whole_and_in_order(rig):
    assert rig.store.expectations() == []
    rig.store.expect(ONE)
    rig.store.expect(OTHER)
    assert rig.store.expectations() == [ONE, OTHER]


def test_what_is_withdrawn_counts_no_more_and_once(rig):
    rig.store.expect(ONE)
    rig.store.expect(OTHER)
    rig.store.withdraw("exp-1", why="not needed", by="ana")
    assert rig.store.expectations() == [OTHER]
    with pytest.raises(Unfound, match="exp-1"):
        rig.store.withdraw("exp-1", why="again", by="ana")
    rig.store.expect(replace(ONE, why="after all"))
    assert len(rig.store.expectations()) == 2


def test_detection_is_told(rig):
    seen = []

    def notice(change_sets, scene):
        seen.append(scene.expected)
        return Noticed(membership=(None,) * len(change_sets))

    rig.store.expect(ONE)
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(reading("003A", {"Phone": "2"}, modified=20), notice=notice)
    assert [list(each) for each in seen] == [[ONE]]
