"""Where a walk over associations stands, and how it goes on."""

import pytest

from connectors.hubspot.associations_api import READ_LIMIT
from connectors.hubspot.associations_cursor import (
    MANY,
    PairCursor,
    closing,
    opening,
    read_cursor,
    resized,
    taken,
)
from crmtrail.errors import CursorLost
from crmtrail.model import Mode

LAG = 60_000
REST = PairCursor("rest", mark=1_000_000, swept=900_000, whole=False)
WALKING = PairCursor("list", mark=1_000_000, began=1_100_000, ahead=("1", "2"))
POLLING = PairCursor("search", mark=1_000_000, whole=False, began=1_100_000, low=1_000_500)


@pytest.mark.parametrize("mode", list(Mode))
def test_the_first_run_is_a_whole_walk(mode: Mode) -> None:
    assert opening(None, mode) == PairCursor()
    assert opening("no cursor", mode) == PairCursor()


def test_a_poll_searches_from_the_mark_on() -> None:
    begun = opening(REST.text(), Mode.INCREMENTAL)

    assert (begun.pair, begun.whole, begun.low) == ("search", False, 1_000_000)
    assert begun.swept == 900_000


@pytest.mark.parametrize("mode", [Mode.RECONCILE, Mode.FULL])
def test_a_sweep_walks_over_everything(mode: Mode) -> None:
    begun = opening(REST.text(), mode)

    assert (begun.pair, begun.whole, begun.mark) == ("count", True, 1_000_000)


def test_a_run_that_broke_off_goes_on() -> None:
    assert opening(WALKING.text(), Mode.INCREMENTAL) == WALKING
    assert opening(WALKING.text(), Mode.RECONCILE) == WALKING
    assert opening(POLLING.text(), Mode.INCREMENTAL) == POLLING


def test_a_sweep_takes_the_place_of_a_poll_and_full_begins_again() -> None:
    assert opening(POLLING.text(), Mode.RECONCILE) == PairCursor(mark=1_000_000)
    assert opening(WALKING.text(), Mode.FULL) == PairCursor(mark=1_000_000)


def test_only_a_whole_walk_moves_what_is_known_of_all() -> None:
    polled = closing(POLLING.moved(swept=5), LAG)
    walked = closing(WALKING, LAG)

    assert (polled.pair, polled.mark, polled.swept) == ("rest", 1_040_000, 5)
    assert (walked.pair, walked.mark, walked.swept) == ("rest", 1_040_000, 1_100_000)
    assert closing(POLLING.moved(began=1_010_000), LAG).mark == 1_000_000


def test_a_request_is_filled_before_it_is_sent() -> None:
    few = tuple(map(str, range(READ_LIMIT - 1)))
    listing = PairCursor("list", ahead=few)

    assert listing.batch is None
    assert listing.moved(pair="over").batch == ("ahead", dict.fromkeys(few))
    full = listing.moved(ahead=(*few, "x", "y"))
    assert full.batch == ("ahead", dict.fromkeys((*few, "x")))
    assert taken(full, *full.batch).ahead == ("y",)


def test_what_was_begun_is_read_to_its_end_first() -> None:
    rest = (("back", "7", "a"), ("ahead", "1", "b"), ("back", "8", "c"))
    cursor = PairCursor("over", whole=True, ahead=("2",), rest=rest)

    assert cursor.batch == ("back", {"7": "a", "8": "c"})
    assert taken(cursor, *cursor.batch).rest == (("ahead", "1", "b"),)
    assert not cursor.finished
    assert PairCursor("over").finished
    assert not PairCursor("list").finished


def test_large_answers_make_the_next_request_smaller() -> None:
    cursor = PairCursor()
    smaller = resized(cursor, MANY + 1)

    assert smaller.size == READ_LIMIT // 2
    assert resized(smaller, MANY // 2) == smaller
    assert resized(smaller, 0).size == READ_LIMIT
    for _ in range(20):
        smaller = resized(smaller, MANY + 1)
    assert smaller.size == 10


@pytest.mark.parametrize("text", ["", "{}x", '{"pair":"nowhere"}', '{"phase":"rest"}', "\udcff"])
def test_what_is_no_cursor_of_a_pair_is_lost(text: str) -> None:
    with pytest.raises(CursorLost):
        read_cursor(text)
