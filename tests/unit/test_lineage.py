"""Lines of records, by a plain search of all links."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from crmtrail.ports import Line, Succession
from snapshot.lineage import heir_in, line
from support.readings import T0, ref

IDS = tuple("ABCDEF")
links = st.lists(
    st.tuples(st.sampled_from(IDS), st.sampled_from(IDS), st.integers(0, 9)).filter(
        lambda one: one[0] != one[1]
    ),
    unique_by=lambda one: one[:2],
    max_size=12,
)


def made(found):
    return [
        Succession(ref(a), ref(b), "merged", T0 + timedelta(seconds=when)) for a, b, when in found
    ]


def of(start, every) -> Line:
    return line(ref(start), lambda refs: [e for e in every if e.record in refs or e.heir in refs])


def connected(start, every):
    """Everything that links lead to, whichever way."""
    found = {start}
    for _ in IDS:
        for one in every:
            if {one.record, one.heir} & found:
                found |= {one.record, one.heir}
    return found


@given(links)
def test_a_line_is_all_that_hangs_together_however_it_goes_round(found):
    every = made(found)
    for start in IDS:
        got = of(start, every)
        assert set(got.records) == connected(ref(start), every)
        assert len(set(got.records)) == len(got.records)
        assert set(got.links) == {e for e in every if e.record in got.records}
        for each in got.records:
            assert of(each.id, every) == got


@given(links)
def test_who_went_on_comes_before_whom_it_went_on_as_unless_they_ring(found):
    every = [one for one in made(found) if one.record < one.heir]
    got = of("A", every)
    place = {each: no for no, each in enumerate(got.records)}
    assert all(place[one.record] < place[one.heir] for one in got.links)
    for each in got.records:
        before = got.before(each)
        assert all(place[one] < place[each] for one in before)
        assert all(one.heir not in before for one in got.after(each))


def test_the_heir_in_a_note():
    assert heir_in('{"loss":"merged","merged_into":"003B"}') == "003B"
    assert heir_in('{"loss":"merged"}') is None
    assert heir_in(None) is None
