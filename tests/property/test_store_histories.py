"""Random stories: both stores agree, and every state that was kept can be had again."""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmtrail.model import Op, Reading
from crmtrail.ports import Query, ignore
from snapshot.canonical import same
from support.readings import ADA, BOB, OBJECT, ROBOT, SOURCE, T0, at, event, reading, ref, removal
from support.store_rig import RIGS, Watching

IDS = ("003A", "003B", "003C")
FIELDS = ("Phone", "Fax", "Score", "Tier")
TOKENS = (
    "null",
    '""',
    '"1"',
    '"é"',
    '"\\u00e9"',
    "1",
    "1.0",
    "true",
    "0",
    "-0",
    "[1]",
    '"\\ud800"',
)
ACTORS = (ADA, BOB, ROBOT)

seconds = st.integers(0, 30)
tokens = st.sampled_from(TOKENS)


@st.composite
def readings(draw):
    modified = draw(seconds)
    fields = draw(st.dictionaries(st.sampled_from(FIELDS), tokens, min_size=1))
    told = st.builds(
        event,
        st.sampled_from(FIELDS),
        st.sampled_from(("1", "2", None)),
        seconds,
        st.sampled_from(ACTORS),
    )
    trail = [replace(one, old=draw(st.none() | tokens)) for one in draw(st.lists(told, max_size=3))]
    since = draw(st.none() | seconds)
    found = reading(
        draw(st.sampled_from(IDS)),
        tokens=fields,
        modified=modified,
        edited=draw(st.integers(0, modified)),
        read=modified + draw(st.integers(0, 10)),
        actor=draw(st.sampled_from(ACTORS)),
        created=draw(st.none() | seconds),
        trail=trail,
        deleted=draw(st.booleans()) and draw(st.booleans()),
    )
    return replace(
        found,
        trail_whole=draw(st.booleans()),
        trail_since=None if since is None else at(since),
    )


@st.composite
def removals(draw):
    return removal(draw(st.sampled_from(IDS)), read=draw(seconds), when=draw(st.none() | seconds))


def moment_of(found):
    """A vendor tells of a record once a moment: two contents at the very same one cannot be."""
    return found.ref, found.read_at, getattr(found, "modified_at", None)


page_of_all = st.lists(readings() | removals(), max_size=5, unique_by=moment_of)
pages = st.lists(page_of_all, min_size=1, max_size=6)

QUESTIONS = (
    Query(),
    Query(field="Phone"),
    Query(actor="bob noyce"),
    Query(via="enricher"),
    Query(op=Op.UPDATE),
    Query(since=at(10), until=at(20)),
    Query(record=ref("003B")),
    Query(operation="op-1"),
)


def told(rig):
    """Everything that a store answers."""
    store = rig.store
    refs = [ref(id_) for id_ in IDS]
    answers = [store.heads(refs), store.standing(SOURCE, OBJECT), store.operations()]
    for each in refs:
        answers += [store.timeline(each), store.timeline(each, "Phone"), store.blame(each)]
        answers += [store.version(each, at(when)) for when in range(-1, 45, 4)]
        answers += [store.version(each), store.difference(each, at(5), at(25))]
    for question in QUESTIONS:
        entries, cursor = [], None
        while True:
            some, cursor = store.log(question, limit=4, cursor=cursor)
            entries += some
            if cursor is None:
                break
        answers.append(entries)
    spans = [(-1, 10), (0, 30), (10, 20), (20, 45), (20, 20)]
    answers += [list(store.diff(SOURCE, OBJECT, at(a), at(b))) for a, b in spans]
    if store.operations():
        answers.append(list(store.members("op-1")))
    return answers, store.checkpoint(T0).size


def keep_all(rig, story):
    watching = Watching("op-1", rule="any")
    for no, found in enumerate(story):
        rig.keep(*found, cursor=str(no), complete_to=at(no * 3), notice=watching)


def all_agree(names, story):
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rigs = [stack.enter_context(RIGS[name](folder)) for name in names]
        for rig in rigs:
            keep_all(rig, story)
        first, *others = [told(rig) for rig in rigs]
        for other in others:
            assert other == first
        assert all(rig.store.verify().ok for rig in rigs)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pages)
def test_the_stores_agree_on_everything(story):
    all_agree(("sqlite", "memory"), story)


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a server is too slow to shrink with
    suppress_health_check=[HealthCheck.too_slow],
)
@given(pages)
def test_the_server_agrees_on_everything(story):
    all_agree(("memory", "postgres"), story)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pages)
def test_nothing_is_lost_and_nothing_doubled(story):
    with tempfile.TemporaryDirectory() as folder, RIGS["sqlite"](Path(folder)) as rig:
        shown = {}
        before = []
        for no, found in enumerate(story):
            rig.keep(*found, cursor=str(no))
            size = rig.store.checkpoint(T0).size
            _numbers_have_no_gap(rig)
            for one in found:
                if _is_newest_of_all(one, before, found):
                    _is_the_head(rig, one)
            before += found
            shown = {id_: rig.store.timeline(ref(id_)) for id_ in IDS}
            rig.keep(*found, cursor=str(no))
            assert rig.store.checkpoint(T0).size == size, "a repeated page is kept once"
            assert {id_: rig.store.timeline(ref(id_)) for id_ in IDS} == shown
        for made in shown.values():
            _replay_leads_to_the_head(rig, made)


def _numbers_have_no_gap(rig):
    for id_ in IDS:
        made = rig.store.timeline(ref(id_))
        assert [each.number for each in made] == list(range(1, len(made) + 1))
        assert all(each.changes for each in made if each.op in {Op.UPDATE, Op.RESTORE})


def _is_newest_of_all(one, before, together):
    """Whether a reading is undoubtedly the last word on its record's fields."""
    if not isinstance(one, Reading):
        return False
    mine = [each for each in (*before, *together) if each.ref == one.ref and each is not one]
    return all(
        each.read_at < one.read_at
        and not (isinstance(each, Reading) and each.modified_at >= one.modified_at)
        for each in mine
    )


def _is_the_head(rig, one):
    now = rig.store.heads([one.ref])[one.ref]
    assert all(same(now.fields[name], token) for name, token in one.fields.items())
    assert now.deleted == one.deleted
    assert now.known_at == one.read_at


def _replay_leads_to_the_head(rig, made):
    """Apply every change to the first state: each fits, and the last state is the head."""
    if not made:
        return
    fields = dict(rig.store.heads([made[0].ref])[made[0].ref].fields)
    for each in reversed(made):
        for change in each.changes:
            assert fields[change.field] == change.new
            assert not same(change.old, change.new)
            if change.old is None:
                del fields[change.field]
            else:
                fields[change.field] = change.old
    for each in made:
        for change in each.changes:
            assert fields.get(change.field) == change.old
            fields[change.field] = change.new
    assert fields == rig.store.heads([made[0].ref])[made[0].ref].fields


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.dictionaries(st.sampled_from(FIELDS), tokens, min_size=1), min_size=1, max_size=8)
)
def test_every_state_can_be_had_again(states):
    with tempfile.TemporaryDirectory() as folder, RIGS["sqlite"](Path(folder)) as rig:
        expected = {}
        for no, fields in enumerate(states):
            found = reading("003A", tokens=fields, modified=no * 10)
            rig.store.absorb(SOURCE, OBJECT, [found], notice=ignore)
            expected = expected | fields
            now = rig.store.heads([ref()])[ref()].fields
            assert now.keys() == expected.keys()
            assert all(same(now[name], token) for name, token in expected.items())
            states[no] = now
        for no, fields in enumerate(states):
            for late in (0, 9):
                when = at(no * 10) + timedelta(seconds=late)
                assert rig.store.version(ref(), when).fields == fields
