"""The position of a sync: how runs begin, go on and what they remember."""

import pytest

from connectors.hubspot.cursor import (
    RECENT_MOST,
    Cursor,
    drained,
    opening,
    read_cursor,
    remembered,
)
from crmtrail.errors import CursorLost
from crmtrail.model import Mode

REST = Cursor(phase="rest", since=1_000, recent={"7": 1_001}, swept=900, sweep=1, binned=("3",))


def test_the_text_gives_the_cursor_back() -> None:
    cursor = Cursor(phase="flood", since=5, start=9, low=7, edge=("1",), walk=("4", 200, 900))
    assert read_cursor(cursor.text()) == cursor


@pytest.mark.parametrize(
    "text", ["", "{}x", "[]", '{"phase":"dance"}', '{"version":2}', '{"strange":1}', "\ud800"]
)
def test_strange_text_is_a_lost_cursor(text: str) -> None:
    with pytest.raises(CursorLost, match="position") as caught:
        read_cursor(text)
    assert "--full" in caught.value.hint


@pytest.mark.parametrize("mode", list(Mode))
def test_without_a_usable_position_everything_is_loaded(mode: Mode) -> None:
    assert opening(None, mode) == Cursor(phase="count")
    assert opening("from another connector", mode) == Cursor(phase="count")


def test_a_finished_run_is_followed_by_a_search_from_its_watermark() -> None:
    cursor = opening(REST.text(), Mode.INCREMENTAL)
    assert (cursor.phase, cursor.low, cursor.since, cursor.start) == ("search", 1_000, 1_000, None)
    assert (cursor.recent, cursor.binned) == ({"7": 1_001}, ("3",))


def test_reconciling_scans_and_keeps_the_watermark() -> None:
    cursor = opening(REST.text(), Mode.RECONCILE)
    assert (cursor.phase, cursor.since) == ("count", 1_000)


def test_full_begins_again_even_in_the_middle_of_a_run() -> None:
    middle = REST.moved(phase="read", todo=("1",), start=2_000, after="x")
    assert opening(middle.text(), Mode.FULL) == Cursor(since=1_000)


@pytest.mark.parametrize("phase", ["search", "read", "bin", "scan", "missing"])
def test_a_run_under_way_goes_on(phase: str) -> None:
    middle = REST.moved(phase=phase, start=2_000, after="x", todo=("1",), then="search")
    assert opening(middle.text(), Mode.INCREMENTAL) == middle


def test_reconciling_finishes_a_poll_first_and_then_scans() -> None:
    poll = REST.moved(phase="read", start=2_000, todo=("1",), then="search")
    assert opening(poll.text(), Mode.RECONCILE) == poll.moved(scan_next=True)
    scan = REST.moved(phase="read", start=2_000, todo=("1",), then="scan")
    assert opening(scan.text(), Mode.RECONCILE) == scan


def test_queues_are_emptied_in_order() -> None:
    cursor = Cursor(then="search", plain=("1",), todo=("2",), lost=("3",))
    assert drained(cursor).phase == "fill"
    assert drained(cursor.moved(plain=())).phase == "read"
    assert drained(cursor.moved(plain=(), todo=())).phase == "missing"
    assert drained(cursor.moved(plain=(), todo=(), lost=())).phase == "search"


def test_the_memory_of_the_overlap_is_bounded_and_keeps_the_newest() -> None:
    seen = {str(number): number for number in range(2 * RECENT_MOST)}
    kept = remembered({"old": 1}, seen, floor=500)
    assert len(kept) == RECENT_MOST
    assert min(kept.values()) == RECENT_MOST
    assert remembered({"a": 1, "b": 5}, {"b": 7}, floor=5) == {"b": 7}
