"""How a position moves on: every phase in order, nothing lost at the seams."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce import cursor as position
from connectors.salesforce.cursor import Cursor, Phase
from crmtrail.errors import CursorLost
from crmtrail.model import Mode

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MARK = NOON - timedelta(hours=1)
OVERLAP = timedelta(minutes=10)
ID = "001000000000001AAA"

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis adds the zone


def rest() -> str:
    return position.write(Cursor(Phase.REST, mark=MARK))


def test_the_first_run_sweeps_whatever_its_mode() -> None:
    for mode in Mode:
        assert position.start(None, mode) == Cursor(Phase.SWEEP, full=True)


def test_a_poll_reads_what_moved_and_the_other_modes_sweep_and_keep_the_mark() -> None:
    assert position.start(rest(), Mode.INCREMENTAL) == Cursor(Phase.ROWS, mark=MARK)
    full = Cursor(Phase.SWEEP, full=True, mark=MARK)
    assert position.start(rest(), Mode.FULL) == full
    assert position.start(rest(), Mode.RECONCILE) == Cursor(Phase.ROWS, healing=True, mark=MARK)


@pytest.mark.parametrize("mode", [Mode.INCREMENTAL, Mode.RECONCILE])
def test_a_broken_sweep_goes_on_where_it_stopped(mode: Mode) -> None:
    middle = Cursor(Phase.SWEEP, full=True, mark=MARK, began=NOON, id=ID)
    assert position.start(position.write(middle), mode) == middle


def test_a_broken_poll_goes_on_and_a_reconcile_sees_every_record_after_it() -> None:
    middle = Cursor(Phase.ROWS, mark=MARK, began=NOON, stamp=NOON, id=ID)
    text = position.write(middle)
    assert position.start(text, Mode.INCREMENTAL) == middle
    swept = msgspec.structs.replace(middle, healing=True)
    assert position.start(text, Mode.RECONCILE) == swept


def test_full_begins_again_even_in_the_middle() -> None:
    middle = Cursor(Phase.SWEEP, full=True, mark=MARK, began=NOON, id=ID)
    fresh = position.start(position.write(middle), Mode.FULL)
    assert fresh == Cursor(Phase.SWEEP, full=True, mark=MARK)


def test_a_foreign_position_is_no_guess() -> None:
    for text in ("", "{}", "0", '{"phase":"sideways"}', '{"phase":"rest","page":2}'):
        with pytest.raises(CursorLost):
            position.read(text)


@given(
    st.builds(
        Cursor,
        phase=st.sampled_from(Phase),
        full=st.booleans(),
        mark=st.none() | MOMENTS,
        began=st.none() | MOMENTS,
        stamp=st.none() | MOMENTS,
        id=st.sampled_from(["", ID]),
        since=st.none() | MOMENTS,
        span=st.floats(0, 1e7),
        covered=st.none() | MOMENTS,
    )
)
def test_a_cursor_survives_being_written(cursor: Cursor) -> None:
    assert position.read(position.write(cursor)) == cursor


def test_the_clock_of_the_first_page_counts_not_that_of_the_last() -> None:
    first = position.turned(Cursor(Phase.ROWS, mark=MARK), began=NOON, stamp=MARK, id_=ID)
    later = NOON + timedelta(minutes=2)
    second = position.turned(first, began=later, stamp=NOON, id_=ID)
    assert second.began == NOON
    listed = position.rows_read(second, began=later, overlap=OVERLAP, replicateable=True)
    assert (listed.phase, listed.began, listed.since) == (Phase.DELETIONS, NOON, MARK - OVERLAP)


def test_what_took_long_to_read_is_compared_with_the_list_of_updates() -> None:
    later = NOON + timedelta(minutes=3)
    poll = Cursor(Phase.ROWS, mark=MARK, began=NOON, stamp=NOON, id=ID)
    listed = position.rows_read(poll, began=later, overlap=OVERLAP, replicateable=True)
    assert (listed.phase, listed.since) == (Phase.UPDATES, MARK - OVERLAP)
    done = position.updates_read(listed, end=later, covered=later, now=later, overlap=OVERLAP)
    assert (done.phase, done.since, done.mark) == (Phase.DELETIONS, MARK - OVERLAP, MARK)
    load = Cursor(Phase.SWEEP, full=True, began=NOON, id=ID)
    listed = position.rows_read(load, began=later, overlap=OVERLAP, replicateable=True)
    assert (listed.phase, listed.since) == (Phase.UPDATES, NOON - position.OPEN)
    assert position.window(listed, later)[:2] == (NOON - position.OPEN, later)


def test_a_reconcile_asks_for_the_updates_and_one_that_is_not_listed_does_not() -> None:
    at = Cursor(Phase.ROWS, healing=True, mark=MARK)
    listed = position.rows_read(at, began=NOON, overlap=OVERLAP, replicateable=True)
    assert (listed.phase, listed.since) == (Phase.UPDATES, MARK - OVERLAP)
    sweep = position.rows_read(at, began=NOON, overlap=OVERLAP, replicateable=False)
    assert (sweep.phase, sweep.full, sweep.narrow) == (Phase.SWEEP, True, True)


def test_a_transaction_that_the_updates_tell_of_holds_the_mark_back() -> None:
    at = Cursor(Phase.UPDATES, mark=MARK, began=NOON, since=MARK)
    open_since = NOON - timedelta(minutes=30)
    told = position.updates_read(at, end=NOON, covered=open_since, now=NOON, overlap=OVERLAP)
    done = position.deletions_read(told, end=NOON, covered=NOON, now=NOON)
    assert done == Cursor(Phase.REST, mark=open_since)


def test_too_many_updates_are_asked_for_in_halves() -> None:
    at = Cursor(Phase.UPDATES, mark=MARK, began=NOON, since=MARK)
    begin, end, _ = position.window(at, NOON)
    halved = position.narrowed(at, begin=begin, end=end)
    assert halved is not None
    middle = position.window(halved, NOON)[1]
    assert middle == MARK + timedelta(minutes=30)
    following = position.updates_read(halved, end=middle, covered=middle, now=NOON, overlap=OVERLAP)
    assert (following.phase, following.covered) == (Phase.UPDATES, None)
    assert position.window(following, NOON)[0] < middle
    last = position.updates_read(following, end=NOON, covered=NOON, now=NOON, overlap=OVERLAP)
    assert (last.phase, last.span) == (Phase.DELETIONS, 0.0)


def test_without_a_list_of_deletions_a_poll_is_over_and_a_sweep_counts() -> None:
    poll = position.rows_read(
        Cursor(Phase.ROWS, mark=MARK), began=NOON, overlap=OVERLAP, replicateable=False
    )
    assert poll == Cursor(Phase.REST, mark=NOON)
    sweep = position.rows_read(
        Cursor(Phase.SWEEP, full=True), began=NOON, overlap=OVERLAP, replicateable=False
    )
    assert sweep.phase is Phase.COUNT
    assert position.finished(sweep) == Cursor(Phase.REST, mark=NOON)


def test_the_mark_is_held_back_by_the_oldest_open_transaction() -> None:
    at = Cursor(Phase.DELETIONS, mark=MARK, began=NOON, since=MARK)
    open_since = NOON - timedelta(minutes=3)
    held = position.deletions_read(at, end=NOON, covered=open_since, now=NOON)
    assert held == Cursor(Phase.REST, mark=open_since)
    free = position.deletions_read(at, end=NOON, covered=NOON + timedelta(minutes=1), now=NOON)
    assert free == Cursor(Phase.REST, mark=NOON)


def test_a_window_of_deletions_is_never_shorter_than_two_minutes() -> None:
    begin, end, too_old = position.window(Cursor(Phase.DELETIONS, since=NOON), NOON)
    assert (end - begin, too_old) == (timedelta(minutes=2), False)


@pytest.mark.parametrize(("brief", "days"), [(False, 30), (True, 15)])
def test_old_deletions_are_asked_for_as_far_as_they_go(*, brief: bool, days: int) -> None:
    long_ago = NOON - timedelta(days=40)
    at = Cursor(Phase.DELETIONS, since=long_ago, brief=brief)
    begin, end, too_old = position.window(at, NOON)
    assert too_old
    assert timedelta(days=days - 1) < end - begin < timedelta(days=days)


def test_a_gap_is_told_once_even_if_the_window_is_cut_and_time_goes_on() -> None:
    at = Cursor(Phase.DELETIONS, mark=MARK, began=NOON, since=NOON - timedelta(days=40))
    begin, end, _ = position.window(at, NOON)
    halved = position.narrowed(at, begin=begin, end=end)
    assert halved is not None
    later = NOON + timedelta(minutes=2)
    assert position.window(halved, later)[0] == begin
    assert not position.window(halved, later)[2]


def test_too_many_deletions_are_asked_for_in_halves_until_all_are_covered() -> None:
    at = Cursor(Phase.DELETIONS, mark=MARK, began=NOON, since=NOON - timedelta(days=1))
    begin, end, _ = position.window(at, NOON)
    halved = position.narrowed(at, begin=begin, end=end)
    assert halved is not None
    windows = []
    while halved.phase is Phase.DELETIONS:
        begin, end, _ = position.window(halved, NOON)
        windows.append((begin, end))
        halved = position.deletions_read(halved, end=end, covered=end, now=NOON)
    assert windows[0][0] == NOON - timedelta(days=1)
    assert windows[-1][1] == NOON
    assert all(later[0] < earlier[1] for earlier, later in pairwise(windows))
    assert halved == Cursor(Phase.REST, mark=NOON)


def test_a_window_of_two_minutes_is_not_cut_further() -> None:
    at = Cursor(Phase.DELETIONS, since=NOON)
    assert position.narrowed(at, begin=NOON - timedelta(minutes=3), end=NOON) is None


def test_a_transaction_open_in_an_earlier_window_holds_the_mark_back_too() -> None:
    at = Cursor(Phase.DELETIONS, mark=MARK, began=NOON, since=MARK, span=600.0)
    held = position.deletions_read(
        at, end=MARK + timedelta(minutes=10), covered=MARK + timedelta(minutes=5), now=NOON
    )
    assert held.phase is Phase.DELETIONS
    done = position.deletions_read(held, end=NOON, covered=NOON, now=NOON)
    assert done.mark == MARK + timedelta(minutes=5)
