"""The trail of crmtrail itself, read from the ledger."""

import pytest

from crmtrail.errors import Mistake
from support.readings import at, reading
from support.store_rig import RIGS, proven_rig


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def trail(rig):
    rig.store.seal("view", {"by": "ana", "command": "show"}, at(10))
    rig.keep(reading("003A", {"Phone": "1"}))
    rig.store.seal("export", {"by": "bob"}, at(20))
    rig.store.seal("view", {"by": "cy", "command": "log"}, at(30))
    rig.store.finish(rig.run, state="done", at=at(40), api_calls=3)
    return rig


def kinds(rig, *only, **asked):
    found, following = rig.store.deeds(only, limit=100, **asked)
    assert following is None
    return [deed.kind for deed in found]


def test_newest_first_without_the_versions(trail):
    found, _ = trail.store.deeds(limit=100)
    assert [(deed.index, deed.kind) for deed in found] == [
        (4, "run"),
        (3, "view"),
        (2, "export"),
        (0, "view"),
    ]
    assert found[1].entry == {"by": "cy", "command": "log"}
    assert found[1].at == at(30)
    assert found[0].entry["state"] == "done"


def test_of_some_kinds_and_some_time(trail):
    assert kinds(trail, "view") == ["view", "view"]
    assert kinds(trail, "view", "run") == ["run", "view", "view"]
    assert kinds(trail, "run", "run") == ["run"]
    assert kinds(trail, "nothing") == []
    assert kinds(trail, since=at(20)) == ["run", "view", "export"]
    assert kinds(trail, until=at(20)) == ["view"]
    assert kinds(trail, "view", since=at(20), until=at(31)) == ["view"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("only", [(), ("view",), ("view", "run")])
def test_pages_join_without_loss_or_repeat(trail, limit, only):
    whole, _ = trail.store.deeds(only, limit=100)
    paged, cursor = [], None
    while True:
        some, cursor = trail.store.deeds(only, limit=limit, cursor=cursor)
        paged += some
        assert len(some) <= limit
        if cursor is None:
            break
    assert paged == list(whole)


def test_more_than_one_batch(rig):
    for no in range(1203):
        rig.store.seal("view" if no % 3 else "note", {"no": no}, at(no))
    found, _ = rig.store.deeds(["view", "note"], limit=5_000)
    assert [deed.entry["no"] for deed in found] == list(reversed(range(1203)))
    assert len(rig.store.deeds(["note"], limit=5_000)[0]) == 401
    oldest, _ = rig.store.deeds(until=at(2), limit=5)
    assert [deed.entry["no"] for deed in oldest] == [1, 0]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1:Phone"])
def test_a_strange_cursor_is_a_mistake(rig, cursor):
    with pytest.raises(Mistake, match="cursor"):
        rig.store.deeds(limit=1, cursor=cursor)


def test_a_page_of_nothing_is_a_mistake(rig):
    with pytest.raises(Mistake, match="at least 1"):
        rig.store.deeds(limit=0)
