"""What every place that keeps checkpoints promises, whatever its kind."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import entry_points

import pytest

from crmtrail.errors import AnchorFailed
from snapshot.anchors.sink import load
from support.places import KINDS, MINE, OTHER, Place, a_bucket, locked_bucket, note

# Apprise imports all of its services at once; one of them uses what Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(params=KINDS)
def place(request, tmp_path, monkeypatch) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "s3":
            yield a_bucket(stack.enter_context(locked_bucket(monkeypatch)))
        else:
            yield KINDS[request.param](tmp_path, stack)


def test_it_is_loaded_by_its_kind(place):
    (loaded,) = load([place.settings], place.means)
    assert (type(loaded), loaded.name) == (type(place.sink), place.settings.name)
    assert {entry.name for entry in entry_points(group="crmtrail.anchors")} == set(KINDS)


def test_it_holds_nothing_at_first_and_then_the_newest(place):
    assert place.sink.newest(MINE) is None
    for size in (1, 2, 30):
        place.sink.send(note(size), MINE)
        assert place.sink.newest(MINE) == (note(size) if place.sink.readable else None)


def test_it_gives_out_all_that_it_holds_or_says_that_it_cannot(place):
    for size in (1, 2, 2, 30):
        place.sink.send(note(size), MINE)
    if place.sink.readable:
        assert list(place.sink.held(MINE)) == [note(1), note(2), note(30)]
        assert not [one for one in place.sink.held(OTHER) if one.startswith(OTHER)]
    else:
        with pytest.raises(AnchorFailed, match="cannot be read back") as caught:
            list(place.sink.held(MINE))
        assert "--against FILE" in caught.value.hint


def test_ledgers_that_share_a_place_do_not_see_each_other(place):
    place.sink.send(note(5), MINE)
    assert place.sink.newest(OTHER) is None
    if not place.shared:
        with pytest.raises(AnchorFailed, match="of another ledger"):
            place.sink.send(note(7, OTHER), OTHER)
        return
    place.sink.send(note(7, OTHER), OTHER)
    if place.sink.readable:
        assert (place.sink.newest(MINE), place.sink.newest(OTHER)) == (note(5), note(7, OTHER))


def test_a_failure_is_told_in_one_line_and_the_next_time_works(place):
    place.sink.send(note(1), MINE)
    mend = place.breaking()
    with pytest.raises(AnchorFailed) as caught:
        place.sink.send(note(2), MINE)
    told = str(caught.value) + caught.value.hint
    assert "\n" not in told
    assert place.told in told
    assert not [secret for secret in place.secrets if secret in told]
    mend()
    place.sink.send(note(2), MINE)
    assert not place.sink.readable or place.sink.newest(MINE) == note(2)
