"""The walk over the search index: complete whatever the index does, or honestly given up."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot import windows
from connectors.hubspot.windows import Flood, Go, Over, Scan, Search
from support.search_index import SearchIndex, as_number, as_text

OBJECT = "deals"


@dataclass
class Walk:
    """What a walk found, and how it ended."""

    ids: list[str] = field(default_factory=list)
    end: Go | None = None


def walk(
    index: SearchIndex,
    since: int = 0,
    *,
    meanwhile: Callable[[int], None] = lambda _: None,
    recent: dict[str, int] | None = None,
) -> Walk:
    """Follow the decisions of `windows` over an index."""
    done = Walk()
    go: Go = Search(since)
    edge: tuple[str, ...] = ()
    for turn in itertools.count():
        assert turn < 2_000, "the walk does not end"
        meanwhile(turn)
        if isinstance(go, Search):
            window = go
            hits, after, _ = index.search(windows.search_body(OBJECT, window, None))
            go = windows.after_search(window, hits, after)
            if isinstance(go, Flood):
                edge = window.edge if go.stamp == window.low else ()
            else:
                done.ids += windows.fresh(hits, window, recent or {})
        elif isinstance(go, Flood):
            flood = go
            hits, after, total = index.search(windows.flood_body(OBJECT, flood))
            done.ids += windows.fresh(hits, Search(flood.stamp, edge), recent or {})
            go = windows.after_flood(flood, hits, after, total)
        else:
            done.end = go
            return done
    raise AssertionError


def ids(count: int, start: int = 1) -> list[str]:
    return [str(number) for number in range(start, start + count)]


def test_nothing_new_costs_one_search() -> None:
    index = SearchIndex({"1": 5})
    assert walk(index, since=6) == Walk([], Over())
    assert len(index.searches) == 1


def test_more_than_ten_thousand_results_are_walked_without_a_forbidden_offset() -> None:
    index = SearchIndex({id_: number // 7 for number, id_ in enumerate(ids(11_000))})
    done = walk(index)
    assert done.end == Over()
    assert sorted(done.ids) == sorted(index.stamps)


@pytest.mark.parametrize("order", [as_number, as_text])
def test_a_flood_of_one_millisecond_is_walked_by_id(
    order: Callable[[str], tuple[int, str]],
) -> None:
    before, flood, after = ids(150), ids(10_400, 950), ids(150, 50_000)
    stamps = dict.fromkeys(before, 10) | dict.fromkeys(flood, 11) | dict.fromkeys(after, 12)
    index = SearchIndex(stamps, sorts=order, compares=order)
    done = walk(index)
    assert done.end == Over()
    assert sorted(set(done.ids)) == sorted(stamps)
    assert len(done.ids) < len(stamps) + 200
    floods = [one for one in index.searches if one["sorts"][0]["propertyName"] == "hs_object_id"]
    assert all(len(one["filterGroups"][0]["filters"]) == 2 for one in floods[1:])


@pytest.mark.parametrize(("sorts", "compares"), [(as_number, as_text), (as_text, as_number)])
def test_ids_sorted_one_way_and_compared_another_are_not_trusted(
    sorts: Callable[[str], tuple[int, str]], compares: Callable[[str], tuple[int, str]]
) -> None:
    index = SearchIndex(dict.fromkeys(ids(3_000, 900), 11), sorts=sorts, compares=compares)
    assert walk(index).end == Scan()


def test_short_pages_are_not_the_end() -> None:
    index = SearchIndex({id_: int(id_) // 3 for id_ in ids(1_000)}, short=True)
    done = walk(index)
    assert done.end == Over()
    assert sorted(set(done.ids)) == sorted(index.stamps)


def test_an_empty_page_with_a_next_token_is_not_the_end() -> None:
    go = windows.after_search(Search(5, ("1",)), [], "200")
    assert go == Search(5, ("1",), "200")
    assert windows.search_body(OBJECT, Search(5, (), "200"), None)["after"] == "200"


def test_empty_pages_for_ever_end_in_a_scan() -> None:
    assert windows.after_search(Search(5), [], "9900") == Scan()
    assert windows.after_search(Search(5), [], "opaque") == Scan()
    assert windows.after_search(Search(5, (), "200"), [], "200") == Scan()


@pytest.mark.parametrize("hits", [[("1", 7), ("2", 6)], [("1", 4)], [("1", -1)]])
def test_hits_out_of_order_or_window_are_not_trusted(hits: list[tuple[str, int]]) -> None:
    assert windows.after_search(Search(5), hits, "200") == Scan()


def test_records_that_change_during_the_walk_are_not_jumped_over() -> None:
    index = SearchIndex({id_: int(id_) for id_ in ids(2_000)})
    newest = itertools.count(10_000)

    def touch(turn: int) -> None:
        for id_ in ids(20, turn * 20 + 1):
            if int(id_) <= 400 and id_ in index.stamps:
                index.stamps[id_] = next(newest)

    assert set(walk(index, meanwhile=touch).ids) == set(index.stamps)


def test_what_was_read_with_the_same_stamp_is_left_out() -> None:
    index = SearchIndex({"1": 5, "2": 6, "3": 7})
    assert walk(index, recent={"1": 5, "2": 5, "3": 8}).ids == ["2"]


def test_a_page_without_a_next_one_is_the_last_in_whatever_order_it_is() -> None:
    hits = [("2", 9), ("1", 7), ("3", -1)]
    assert windows.after_search(Search(5), hits, None) == Over()
    assert windows.fresh(hits, Search(5), {"1": 7, "3": 7}) == ["2", "3"]


def test_where_more_is_counted_than_shown_the_search_goes_on_until_nothing_is_new() -> None:
    hits = [("1", 7), ("2", 9), ("3", 9)]
    go = windows.after_search(Search(5), hits, None, doubtful=True)
    assert isinstance(go, Search)
    assert (go.low, set(go.edge)) == (9, {"2", "3"})
    more = windows.after_search(go, [("2", 9), ("3", 9), ("4", 9)], None, doubtful=True)
    assert isinstance(more, Search)
    assert (more.low, set(more.edge)) == (9, {"2", "3", "4"})
    assert windows.after_search(more, [("4", 9), ("2", 9)], None, doubtful=True) == Over()
    assert windows.after_search(Search(5), [], None, doubtful=True) == Over()


def test_an_empty_page_in_the_middle_of_a_flood_is_not_its_end() -> None:
    flood = Flood(5, "40", 200, 900)
    go = windows.after_flood(flood, [], "200", 700)
    assert go == Flood(5, "40", 200, 900, "200")
    assert windows.flood_body(OBJECT, go)["after"] == "200"
    assert windows.after_flood(go, [], "200", 700) == Scan()
    assert windows.after_flood(go, [("41", 5)], "400", 700) == Flood(5, "41", 201, 900)


def test_a_hit_that_is_shown_twice_is_read_once() -> None:
    assert windows.fresh([("1", 7), ("2", 7), ("1", 7)], Search(5), {}) == ["1", "2"]


def test_contacts_have_their_own_stamp_property() -> None:
    for name in ("contacts", "contact", "0-1", "Contacts"):
        assert windows.stamp_property(name) == "lastmodifieddate"
    assert windows.stamp_property("companies") == "hs_lastmodifieddate"
    body = windows.search_body("contacts", Search(5), 9)
    assert body["sorts"][0]["propertyName"] == "lastmodifieddate"
    assert body["filterGroups"][0]["filters"] == [
        {
            "propertyName": "lastmodifieddate",
            "operator": "BETWEEN",
            "value": "5",
            "highValue": "9",
        }
    ]


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.sampled_from([1, 2, 60, 199, 200, 201, 450]), min_size=1, max_size=8),
    short=st.booleans(),
    order=st.sampled_from([as_number, as_text]),
)
def test_any_grouping_of_stamps_is_walked_completely(
    groups: list[int], short: bool, order: Callable[[str], tuple[int, str]]
) -> None:
    stamps: dict[str, int] = {}
    for stamp, size in enumerate(groups):
        stamps |= dict.fromkeys(ids(size, len(stamps) + 95), stamp)
    done = walk(SearchIndex(stamps, sorts=order, compares=order, short=short))
    assert done.end == Over()
    assert set(done.ids) == set(stamps)
