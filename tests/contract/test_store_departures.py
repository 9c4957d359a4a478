"""Every store remembers how a record ended, for whoever plans to bring it back."""

import pytest

from crmtrail.model import Loss
from support.readings import at, reading, ref, removal
from support.store_rig import RIGS, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


def ends(rig, *ids):
    heads = rig.store.heads([ref(id_) for id_ in ids])
    return {one.id: (head.deleted, *_told(head.departure)) for one, head in heads.items()}


def _told(gone):
    return (None,) * 3 if gone is None else (gone.loss, gone.merged_into, gone.restorable_until)


def test_a_head_tells_how_its_record_ended(rig):
    rig.keep(*(reading(id_, {"Phone": "1"}) for id_ in ("003A", "003B", "003C", "003D")))
    rig.keep(
        removal("003A", read=30, restorable_until=at(3600)),
        removal("003B", read=30, loss=Loss.MERGED, merged_into="003D"),
        removal("003C", read=30, loss=Loss.PURGED),
    )
    assert ends(rig, "003A", "003B", "003C", "003D", "003X") == {
        "003A": (True, Loss.DELETED, None, at(3600)),
        "003B": (True, Loss.MERGED, "003D", None),
        "003C": (True, Loss.PURGED, None, None),
        "003D": (False, None, None, None),
    }


def test_a_record_that_lives_again_has_not_ended(rig):
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.keep(removal("003A", read=30, restorable_until=at(3600)))
    rig.keep(reading("003A", {"Phone": "1"}, modified=60))
    assert ends(rig, "003A") == {"003A": (False, None, None, None)}
