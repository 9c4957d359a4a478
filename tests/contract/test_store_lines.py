"""Records that go on as others: merged by somebody, made anew by us."""

import pytest

from crmtrail.errors import Mistake, Unfound
from crmtrail.model import Loss
from crmtrail.ports import Line, Succession
from snapshot.database import writing
from support.readings import OBJECT, SOURCE, at, reading, ref, removal
from support.store_rig import RIGS, proven_rig, sql_rig

A, B, C, D = (ref(f"003{letter}") for letter in "ABCD")


@pytest.fixture(params=sorted(RIGS))
def rig(request, tmp_path):
    with proven_rig(request.param, tmp_path) as made:
        yield made


def live(rig, *ids, when=0):
    rig.keep(*(reading(id_, {"Phone": "1"}, modified=when) for id_ in ids))


def merge(rig, loser, winner, *, when, read=None):
    rig.keep(removal(loser, read=read or when + 5, when=when, loss=Loss.MERGED, merged_into=winner))


def merged(one, heir, when):
    return Succession(one, heir, "merged", at(when))


def test_a_record_alone_is_a_line_of_one(rig):
    live(rig, "003A")
    assert rig.store.line_of(A) == Line((A,))
    assert rig.store.line_of(ref("003Z")) == Line((ref("003Z"),))


def test_a_merged_record_and_its_winner_are_one_line(rig):
    live(rig, "003A", "003B")
    merge(rig, "003A", "003B", when=20)
    expected = Line((A, B), (merged(A, B, 20),))
    assert rig.store.line_of(A) == rig.store.line_of(B) == expected
    assert expected.before(B) == (A,)
    assert expected.after(A) == (merged(A, B, 20),)
    assert (expected.before(A), expected.after(B)) == ((), ())


def test_an_heir_that_is_seen_only_later(rig):
    live(rig, "003A")
    merge(rig, "003A", "003B", when=20)
    assert rig.store.line_of(A) == Line((A,))
    live(rig, "003C", when=30)
    assert rig.store.line_of(A) == Line((A,))
    live(rig, "003B", when=40)
    assert rig.store.line_of(A) == Line((A, B), (merged(A, B, 20),))


def test_an_heir_that_comes_in_the_very_same_page(rig):
    live(rig, "003A")
    rig.keep(
        removal("003A", read=25, when=20, loss=Loss.MERGED, merged_into="003B"),
        reading("003B", {"Phone": "2"}, modified=21),
    )
    assert rig.store.line_of(B).records == (A, B)


def test_chains_and_several_losers_come_oldest_first(rig):
    live(rig, "003A", "003B", "003C", "003D")
    merge(rig, "003C", "003B", when=20)
    merge(rig, "003A", "003B", when=30)
    merge(rig, "003B", "003D", when=40)
    line = rig.store.line_of(C)
    assert line.records == (C, A, B, D)
    assert line.links == (merged(C, B, 20), merged(A, B, 30), merged(B, D, 40))
    assert all(rig.store.line_of(each) == line for each in (A, B, D))
    assert line.before(B) == (C, A)
    assert [step.heir for step in line.after(C)] == [B, D]


def test_a_ring_ends(rig):
    """Merged, brought back, and the winner merged into the one that had lost."""
    live(rig, "003A", "003B")
    merge(rig, "003A", "003B", when=20)
    rig.keep(reading("003A", {"Phone": "3"}, modified=40))
    merge(rig, "003B", "003A", when=50)
    line = rig.store.line_of(A)
    assert line == rig.store.line_of(B)
    assert line.records == (A, B)
    assert line.links == (merged(A, B, 20), merged(B, A, 50))
    assert line.before(A) == (B,)
    assert len(line.after(A)) == 2


def test_merged_twice_into_the_same_counts_once(rig):
    live(rig, "003A", "003B")
    merge(rig, "003A", "003B", when=20)
    rig.keep(reading("003A", {"Phone": "3"}, modified=40))
    merge(rig, "003A", "003B", when=50)
    assert rig.store.line_of(A).links == (merged(A, B, 20),)


def test_a_second_heir_that_comes_before_the_first(rig):
    live(rig, "003A", "003C")
    merge(rig, "003A", "003B", when=20)  # 003B is not known yet
    rig.keep(reading("003A", {"Phone": "3"}, modified=40))
    merge(rig, "003A", "003C", when=50)
    live(rig, "003B", when=60)
    assert rig.store.line_of(A).links == (merged(A, B, 20), merged(A, C, 50))


def test_a_merge_without_an_heir_told_or_into_itself_is_no_line(rig):
    live(rig, "003A", "003B")
    rig.keep(removal("003A", read=25, when=20, loss=Loss.MERGED))
    merge(rig, "003B", "003B", when=20)
    live(rig, "003C", when=30)
    assert rig.store.line_of(A) == Line((A,))
    assert rig.store.line_of(B) == Line((B,))


def test_the_same_id_of_another_object_is_another_record(rig):
    live(rig, "003A")
    merge(rig, "003A", "003B", when=20)
    other = reading("003B", {"Phone": "1"}, modified=30, object_="Account")
    rig.store.absorb(SOURCE, "Account", [other], notice=lambda *_: pytest.fail("a baseline"))
    assert rig.store.line_of(A) == Line((A,))


# --- made anew ----------------------------------------------------------------------------------


def test_a_record_made_anew_goes_on_and_that_is_sealed(rig):
    live(rig, "003A", "003B")
    rig.keep(removal("003A", read=25, when=20))
    rig.store.succeed(A, B, at(90))
    link = Succession(A, B, "recreated", at(90))
    assert rig.store.line_of(B) == Line((A, B), (link,))
    [deed], _ = rig.store.deeds(["succession"], limit=9)
    assert deed.entry == {"record": str(A), "heir": str(B), "kind": "recreated"}
    assert deed.at == at(90)
    rig.store.succeed(A, B, at(95))
    assert rig.store.line_of(B).links == (link,)
    assert len(rig.store.deeds(["succession"], limit=9)[0]) == 1


def test_merged_and_made_anew_make_one_line(rig):
    live(rig, "003A", "003B", "003C")
    merge(rig, "003A", "003B", when=20)
    rig.keep(removal("003B", read=35, when=30))
    rig.store.succeed(B, C, at(40))
    assert rig.store.line_of(A).records == (A, B, C)


def test_only_known_records_go_on(rig):
    live(rig, "003A")
    for old, new in ((A, B), (B, A)):
        with pytest.raises(Unfound, match="003B is not in the store"):
            rig.store.succeed(old, new, at(1))
    with pytest.raises(Mistake, match="itself"):
        rig.store.succeed(A, A, at(1))
    assert rig.store.deeds(["succession"], limit=1) == ([], None)


# --- verified -----------------------------------------------------------------------------------


@pytest.fixture
def lines(tmp_path):
    with sql_rig(tmp_path) as made:
        live(made, "003A", "003B", "003C")
        merge(made, "003A", "003B", when=20)
        made.store.succeed(B, C, at(40))
        yield made


@pytest.mark.parametrize(
    ("table", "change", "record"),
    [
        ("succession", "DELETE FROM succession WHERE kind = 'merged'", "sf:Contact:003A"),
        ("succession", "DELETE FROM succession WHERE kind = 'recreated'", "sf:Contact:003B"),
        ("succession", "UPDATE succession SET heir_id = 3 WHERE record_id = 1", "sf:Contact:003A"),
        ("succession", "UPDATE succession SET at = at + 1 WHERE record_id = 2", "sf:Contact:003B"),
        ("succession", "UPDATE succession SET kind = 'recreated'", "sf:Contact:003A"),
        ("succession", "INSERT INTO succession VALUES (3, 1, 'merged', 5)", "sf:Contact:003C"),
    ],
)
def test_a_line_that_was_altered_is_named(lines, table, change, record):
    assert lines.store.verify().ok
    with writing(lines.store.engine) as connection:
        for kind in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_never_{kind}")
        connection.exec_driver_sql(change)
    told = lines.store.verify()
    assert not told.ok
    assert (told.first_bad["kind"], told.first_bad["record"]) == ("succession", record)


def test_links_are_never_changed(lines):
    with (
        pytest.raises(Exception, match="rows are never changed"),
        writing(lines.store.engine) as connection,
    ):
        connection.exec_driver_sql("UPDATE succession SET heir_id = 3")
    assert lines.store.standing(SOURCE, OBJECT).records == 2
